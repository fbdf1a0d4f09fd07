"""The project's own rules, as one value that every pass gets: what settings say, without knowing settings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal

from nurture.engine.listening import Listener
from nurture.journey.enrollment import Facts
from nurture.journey.fuses import Fuse
from nurture.mail.render import Letterhead

if TYPE_CHECKING:
    from nurture.journey.enrollment import Subscriber
    from nurture.language.sequence import Duration
    from nurture.providers.shop import Shop

Delivery = Literal["at_most_once", "at_least_once", "hold"]


@dataclass(frozen=True, slots=True)
class Rules:
    """`gap` is between any two mails to a person. `settle` is how long a click waits for its verdict.

    `timeout` is the wall for one attempt to send; a lease is three times as long. `delivery` settles an attempt of
    which no evidence came within `awaiting`. `hosts` are where an ask may lead that takes its target from an event.
    `budget` is the most mails to a person on one of their days, `fuse` when all mail is held until someone looks.
    `keep_mails` is how long the words of settled mails are kept, None for good. `products` says what a seller's own ids (of a price, a product, a payment link) are in people.yaml. `listeners` hear
    of what is decided. `shops` are asked for the codes of a pool, by its name.
    """

    zone: str = "UTC"
    gap: Duration | None = None
    settle: timedelta = timedelta(seconds=30)
    timeout: timedelta = timedelta(seconds=20)
    delivery: Delivery = "at_most_once"
    awaiting: timedelta = timedelta(hours=24)
    postal_address: str = ""
    hosts: frozenset[str] = frozenset()
    budget: int = 10
    keep_mails: timedelta | None = None
    fuse: Fuse = field(default_factory=Fuse)
    products: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    listeners: tuple[Listener, ...] = ()
    shops: Mapping[str, Shop] = field(default_factory=lambda: MappingProxyType({}))

    @property
    def letterhead(self) -> Letterhead:
        return Letterhead(self.postal_address, self.zone, self.hosts)

    @property
    def lease(self) -> timedelta:
        return self.timeout * 3

    def facts(self, subscriber: Subscriber) -> Facts:
        return Facts(subscriber, zone=self.zone, gap=self.gap)
