"""What a provider is: a value that says how one ESP is spoken to, both ways. Everything shared lives beside it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import parseaddr
from types import MappingProxyType
from typing import Any, Literal, Protocol

from nurture.errors import DeliveryError, SettingsError
from nurture.journey.events import Event
from nurture.mail.message import Message


@dataclass(frozen=True, slots=True)
class Account:
    """How we are known to one provider. `url` replaces the vendor's scheme, host and port, never its path.

    `hook_secrets` are tried in turn, so that one can be rotated out. `rate` is mails a second; None is no limit.
    `daily` is the most mails on the first day, each day so much more (`growing`, 0.2 for 20%). `batch`: many mails in
    one call, where the provider can. `domain` and `region` say whose mail and where, for the providers that need it
    (`Provider.needs`); `stream` is which of its streams carries it, for those that know streams (`Provider.takes`).
    """

    provider: str
    key: str = ""
    url: str = ""
    hook_secrets: tuple[str, ...] = ()
    rate: float | None = None
    domain: str = ""
    region: str = ""
    daily: int | None = None
    growing: float = 0.0
    batch: bool = False
    stream: str = ""


@dataclass(frozen=True, slots=True)
class Hook:
    """One webhook request as it came. Header names are lower case; `body` is the raw bytes.

    `url` is the address as its sender knows it, behind whatever proxy; Mandrill signs it.
    """

    headers: Mapping[str, str]
    body: bytes
    url: str = ""

    def json(self) -> Any:  # noqa: ANN401 - what a vendor posts has no type
        return json.loads(self.body)


Send = Callable[[Message], str]
"""Sends one message and returns the provider's id of it; raises Rejected, Unavailable or Uncertain."""


SendMany = Callable[[Sequence[Message]], list[str | DeliveryError]]
"""Sends many in one call: for each, in their order, the provider's id or what went wrong. Raises what befell them all."""


class Connect(Protocol):
    """Gives a Send bound to one connection of the calling thread. Tests hand in a transport."""

    def __call__(self, account: Account, transport: Any = None) -> Send: ...  # noqa: ANN401 - httpx's or none


class ConnectMany(Protocol):
    """Gives a SendMany, likewise."""

    def __call__(self, account: Account, transport: Any = None) -> SendMany: ...  # noqa: ANN401 - as above


class Find(Protocol):
    """Asks the provider for the message that carries our id; returns its own id of it, "" when it has none.

    `since` (UTC) is when the first attempt began. Raises Unavailable or Uncertain when nobody can tell.
    """

    def __call__(self, message: str, since: datetime, account: Account, transport: Any = None) -> str: ...  # noqa: ANN401 - as above


class Ping(Protocol):
    """Asks something harmless that only a known caller is told. Raises Unavailable when the account does not work.

    Returns how far the provider's clock is ahead of ours, None when it does not say.
    """

    def __call__(self, account: Account, transport: Any = None) -> timedelta | None: ...  # noqa: ANN401 - as above


@dataclass(frozen=True, slots=True)
class Remark:
    """What in the vendor's own settings spoils our mail, after its name; and where that is mended."""

    says: str
    mend: str


class Standing(Protocol):
    """Asks, changing nothing, how the account stands to mail from these domains. None: the vendor did not tell."""

    def __call__(
        self,
        account: Account,
        domains: Sequence[str],
        transport: Any = None,  # noqa: ANN401 - as above
    ) -> list[Remark] | None: ...


Strength = Literal["nothing", "a password", "a token", "the body", "the body and its time"]
"""What a hook's check covers, weakest first. A password or a token says who calls and nothing of what is said."""


@dataclass(frozen=True, slots=True)
class Abilities:
    """What an ESP can do, as data: it decides how mail is handed over and how an uncertain attempt is settled.

    `key_life` is how long its idempotency key protects a retry; None when it has no key. `found_after` is how long
    after an attempt a search that finds nothing proves that the mail was not taken; None when it cannot be searched,
    or when the vendor names no such time: then what `find` finds is evidence and what it does not find is none.
    `batch` is how many whole messages one call takes, for those that have a `connect_many`. `quiet` is whether its own tracking can be turned off for each
    message; else that is a setting of the account. `own_way_out`: it puts its own List-Unsubscribe in place of ours
    unless the account says otherwise. `one_click`: that List-Unsubscribe-Post leaves with it is documented. `largest` is the bytes of one mail. `signs` is how its hooks are checked,
    `covers` what that check covers.
    """

    key_life: timedelta | None = None
    found_after: timedelta | None = None
    batch: int = 1
    quiet: bool = True
    own_way_out: bool = False
    one_click: bool = True
    largest: int = 10_000_000
    signs: str = ""
    covers: Strength = "nothing"


@dataclass(frozen=True, slots=True)
class Told:
    """What a shop or a program of ours tells of a person, who is known by address.

    `name` is `bought`, `replied`, `tag`, `unsubscribed` or an event of people.yaml. A purchase names its `product`, or
    has `references`: the seller's own ids, of which settings say what they are. `id` is the sender's id of the report.
    """

    email: str
    name: str
    at: datetime
    id: str
    data: Mapping[str, object] = field(default_factory=lambda: MappingProxyType({}))
    references: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Records:
    """Where a vendor's DNS records usually are: the names of its DKIM keys, and what an SPF record includes for it."""

    selectors: tuple[str, ...] = ()
    spf: str = ""


@dataclass(frozen=True, slots=True)
class Provider:
    """One ESP, or someone who only reports. `connect` gives a Send bound to one connection of the calling thread,
    `connect_many` a SendMany (`Abilities.batch` mails at most).

    `verify(hook, account, now)` raises BadSignature. `items` cuts a hook into single reports (one broken report does
    not spoil its neighbours); `event` reads one, None when it says nothing of a message; `told` reads what one tells
    of a person, raising Refused with the reason when it should tell something and does not.

    `needs` are the settings without which it cannot send, each with an example; `takes` are those it knows beside them.
    `once` names what makes two hooks the
    same one, where the same bytes are not the whole answer. `greet` does what a verified hook asks of us beside being
    kept. Where it is set, it and `verify` may ask the network (both raise Unavailable when that fails), so the web
    calls them in a thread. `busy` is the answer after which the provider tries again. `most` is the
    bytes of one hook.
    """

    name: str
    connect: Connect
    verify: Callable[[Hook, Account, datetime], None] | None = None
    items: Callable[[Hook], Iterable[Any]] = field(default=lambda hook: [hook.json()])
    event: Callable[[Any, Hook], Event | None] | None = None
    abilities: Abilities = Abilities()
    find: Find | None = None
    connect_many: ConnectMany | None = None
    needs: Mapping[str, str] = field(default_factory=lambda: KEY)
    takes: tuple[str, ...] = ()
    once: Callable[[Hook], str] = field(default=lambda hook: "")  # noqa: ARG005 - "": the same bytes
    greet: Callable[[Hook], None] | None = None
    busy: int = 503
    most: int = 5_000_000
    told: Callable[[Any, Hook], Told | None] | None = None
    ping: Ping | None = None
    standing: Standing | None = None
    records: Records = Records()


def sends_nothing(account: Account, transport: Any = None) -> Send:  # noqa: ANN401, ARG001 - a `Connect`
    """The `connect` of whoever only reports."""
    raise SettingsError(f"{account.provider} sends no mail, it only reports; choose another NURTURE_PROVIDER")


NO_HEADERS: Mapping[str, str] = MappingProxyType({})
KEY: Mapping[str, str] = MappingProxyType({"key": "the key it gave you"})


# --- what several vendors write in the same way


def address(text: str, email: str = "email", name: str = "name") -> dict[str, str]:
    """`Mía <mia@example.com>` as the object that most JSON APIs want, by the vendor's names of its two members."""
    called, mailbox = parseaddr(text)
    return {email: mailbox, name: called} if called else {email: mailbox}


def moment(seconds: float | str) -> datetime:
    """Unix seconds, whole or not, as a number or as text."""
    try:
        return datetime.fromtimestamp(float(seconds), UTC)
    except OSError as error:  # how the system refuses some of the numbers that are no time
        raise ValueError(f"no time: {seconds}") from error


def one_or_many(hook: Hook) -> list[Any]:
    """Of a vendor that posts single reports, or lists of them once that is switched on."""
    found = hook.json()
    return found if isinstance(found, list) else [found]
