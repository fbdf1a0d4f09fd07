"""What `nurture doctor` says: one sentence a finding, and what mends it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from email.utils import parseaddr
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from dns.resolver import Resolver

    from nurture.engine.deploy import Deployed
    from nurture.mail.links import Links
    from nurture.providers.base import Account, Provider
    from nurture.store.database import Store

HERE = ("127.0.0.1", "::1", "localhost")
"""This machine, as only it reaches it."""

Level = Literal["ok", "warning", "fault"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at. `mend` is a command, a setting or a DNS record; "" where nothing is to be done."""

    check: str
    level: Level
    says: str
    mend: str = ""


def ok(check: str, says: str) -> Finding:
    return Finding(check, "ok", says)


def warning(check: str, says: str, mend: str) -> Finding:
    return Finding(check, "warning", says, mend)


def fault(check: str, says: str, mend: str) -> Finding:
    return Finding(check, "fault", says, mend)


def setting(provider: str, name: str) -> str:
    """What a setting of a provider is called in the environment."""
    return f"NURTURE_PROVIDERS__{provider.upper().replace('-', '_')}__{name}"


@dataclass(frozen=True, slots=True)
class Patient:
    """What is looked at. `store`, `deployed` and `links` are None when they cannot be had, which was said already.

    `selectors` are names of DKIM keys beside the provider's usual ones. `transport` carries calls to the provider.
    """

    provider: Provider
    account: Account
    accounts: Mapping[str, Account]
    base_url: str
    resolver: Resolver
    now: datetime
    store: Store | None = None
    deployed: Deployed | None = None
    links: Links | None = None
    selectors: tuple[str, ...] = ()
    transport: Any = None

    @property
    def sends(self) -> bool:
        """Whether mail leaves the machine at all."""
        return self.provider.name != "outbox"

    @property
    def domains(self) -> list[str]:
        """The domains that mail is sent from, in order of the alphabet."""
        senders = self.deployed.sequences.values() if self.deployed is not None else ()
        return sorted({parseaddr(one.sender)[1].rpartition("@")[2].lower() for one in senders} - {""})
