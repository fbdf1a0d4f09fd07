"""What a provider is: a value that says how one ESP is spoken to, both ways. Everything shared lives beside it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any, Protocol

from nurture.journey.events import Event
from nurture.mail.message import Message


@dataclass(frozen=True, slots=True)
class Account:
    """How we are known to one provider. `url` replaces the vendor's scheme, host and port, never its path.

    `hook_secrets` are tried in turn, so that one can be rotated out. `rate` is mails a second; None is no limit.
    """

    provider: str
    key: str = ""
    url: str = ""
    hook_secrets: tuple[str, ...] = ()
    rate: float | None = None


@dataclass(frozen=True, slots=True)
class Hook:
    """One webhook request as it came. Header names are lower case; `body` is the raw bytes."""

    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:  # noqa: ANN401 - what a vendor posts has no type
        return json.loads(self.body)


Send = Callable[[Message], str]
"""Sends one message and returns the provider's id of it; raises Rejected, Unavailable or Uncertain."""


class Connect(Protocol):
    """Gives a Send bound to one connection of the calling thread. Tests hand in a transport."""

    def __call__(self, account: Account, transport: Any = None) -> Send: ...  # noqa: ANN401 - httpx's or none


@dataclass(frozen=True, slots=True)
class Abilities:
    """What an ESP can do, as data: it decides how an uncertain attempt is settled.

    `key_life` is how long its idempotency key protects a retry; None when it has no key.
    """

    key_life: timedelta | None = None
    signs: str = ""


@dataclass(frozen=True, slots=True)
class Provider:
    """One ESP. `connect` gives a Send bound to one connection of the calling thread.

    `verify(hook, account, now)` raises BadSignature. `items` cuts a hook into single reports (one broken report does
    not spoil its neighbours); `event` reads one, None when it says nothing of a message.
    """

    name: str
    connect: Connect
    verify: Callable[[Hook, Account, datetime], None] | None = None
    items: Callable[[Hook], Iterable[Any]] = field(default=lambda hook: [hook.json()])
    event: Callable[[Any, Hook], Event | None] | None = None
    abilities: Abilities = Abilities()


NO_HEADERS: Mapping[str, str] = MappingProxyType({})
