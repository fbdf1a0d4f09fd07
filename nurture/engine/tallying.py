"""How others answered, for mails that say it. Read now and then, never for each mail."""

from __future__ import annotations

from datetime import timedelta
from types import MappingProxyType
from typing import TYPE_CHECKING

from nurture.store import answers, events

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from nurture.engine.deploy import Deployed
    from nurture.mail.counts import Tallies
    from nurture.store.database import Store

REFRESH = timedelta(minutes=5)
"""How old a number in a mail may be. It is older than that anyway by the time the mail is read."""

NOBODY: Mapping[str, int] = MappingProxyType({})


class Tallying:
    """The numbers of one process, each read when a mail first wants it, and again when it is old."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._chosen: dict[tuple[str, str], tuple[datetime, Mapping[str, int]]] = {}
        self._kept: tuple[datetime, Mapping[str, Mapping[str, int]]] | None = None

    def at(self, deployed: Deployed, now: datetime) -> Tallies:
        """The numbers as they are told now."""

        def tallies(sequence: str, step: str) -> Mapping[str, int]:
            plan = deployed.sequences.get(sequence)
            if plan is None or step not in plan.steps:
                return NOBODY
            root = plan.steps[plan.steps[step].root]
            if root.ask.answers:
                return self._answers(sequence, root.name, now)
            return {"yes": self._asks(now).get(sequence, {}).get(root.name, 0)}

        return tallies

    def _answers(self, sequence: str, step: str, now: datetime) -> Mapping[str, int]:
        known = self._chosen.get((sequence, step))
        if known is None or _old(known[0], now):
            with self._store.read() as tx:
                known = self._chosen[sequence, step] = (now, answers.shares(tx, sequence, step))
        return known[1]

    def _asks(self, now: datetime) -> Mapping[str, Mapping[str, int]]:
        """All asks that have but one answer: one look for them all, since each would look at as much."""
        if self._kept is None or _old(self._kept[0], now):
            with self._store.read() as tx:
                self._kept = (now, events.tally(tx, "kept"))
        return self._kept[1]


def _old(read_at: datetime, now: datetime) -> bool:
    return not timedelta(0) <= now - read_at < REFRESH
