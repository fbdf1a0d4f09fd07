"""Verdicts on clicks, from what is recorded: given once a click has settled, and given again when the rules changed."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from nurture.engine.moving import Reached, carry
from nurture.journey.events import Event, Kind
from nurture.journey.verdict import DOMAINS_WITHIN, Elsewhere, Verdict, judge, may_be_a_gateway
from nurture.store import enrollments, events, friends, messages, people

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy import Connection

    from nurture.engine.deploy import Deployed
    from nurture.store.database import Store

BATCH = 500
FLOOD = 2_000
"""Clicks of others that are looked at for one batch."""

SHOWN = 1_000
"""Changed verdicts that are told one by one."""


def judged_clicks(tx: Connection, clicks: list[events.Row]) -> list[Reached]:
    """Give each settled click its verdict, and say whom a human one reaches."""
    verdicts, rows = _verdicts(tx, clicks)
    events.judge(tx, [(click.id, verdicts[click.id].human, "; ".join(verdicts[click.id].reasons)) for click in clicks])
    return _reached(tx, [(rows[click.message], click) for click in clicks if verdicts[click.id].human])


def _verdicts(tx: Connection, clicks: list[events.Row]) -> tuple[dict[int, Verdict], dict[str, messages.Row]]:
    rows = messages.by_ids(tx, sorted({click.message for click in clicks}))
    seen: dict[str, list[Event]] = defaultdict(list)
    for row in events.of_messages(tx, list(rows)):
        if row.kind in (Kind.CLICKED, Kind.UNSUBSCRIBED):
            seen[row.message].append(events.as_event(row))
    elsewhere = _elsewhere(tx, clicks)
    given = {
        click.id: judge(
            seen[click.message],
            events.as_event(click),
            rows[click.message].sent_at,
            elsewhere.get(click.detail.get("ip", ""), ()),
        )
        for click in clicks
    }
    return given, rows


def _elsewhere(tx: Connection, clicks: list[events.Row]) -> dict[str, list[Elsewhere]]:
    """By address, what else came from where these came from, at about the same time."""
    ips = sorted({ip for click in clicks if may_be_a_gateway(ip := click.detail.get("ip", ""))})
    found: dict[str, list[Elsewhere]] = defaultdict(list)
    if ips:
        times = [click.at for click in clicks]
        for one in events.clicks_from(tx, ips, min(times) - DOMAINS_WITHIN, max(times) + DOMAINS_WITHIN, FLOOD):
            found[one.ip].append(one)
    return found


def _reached(tx: Connection, human: list[tuple[messages.Row, events.Row]]) -> list[Reached]:
    if human:
        friends.engage(tx, [message.subscriber for message, _ in human], max(click.at for _, click in human))
    people.seen(tx, {message.subscriber: click.at for message, click in sorted(human, key=lambda pair: pair[1].at)})
    places = {place.id: (place, person) for place, person in enrollments.by_ids(tx, [m.enrollment for m, _ in human])}
    return [
        (*places[message.enrollment], Event(Kind.CLICKED, click.at, step=message.step, human=True))
        for message, click in human
        if message.enrollment in places
    ]


# --- again, by the rules of today


@dataclass(slots=True)
class Judged:
    """What judging again found. `changed` are clicks with another verdict now: (click, new verdict)."""

    looked_at: int = 0
    changed: list[tuple[events.Row, Verdict]] = field(default_factory=list)
    turned: Counter[str] = field(default_factory=Counter)
    moved: int = 0


def judge_again(store: Store, deployed: Deployed, since: datetime, now: datetime, *, apply: bool) -> Judged:
    """Judge every click since then by the present rules. With `apply` the new verdicts are recorded.

    A click that turned out human is a late yes and moves its person forward; one that turned out a machine's takes
    nothing back: what was mailed for it was mailed.
    """
    found = Judged()
    last = 0
    while True:
        with store.write() if apply else store.read() as tx:
            clicks = events.clicks(tx, last, since, BATCH)
            if not clicks:
                return found
            last = clicks[-1].id
            _again(tx, deployed, clicks, found, now, apply=apply)


def _again(
    tx: Connection, deployed: Deployed, clicks: list[events.Row], found: Judged, now: datetime, *, apply: bool
) -> None:  # fmt: skip
    verdicts, rows = _verdicts(tx, clicks)
    other = [click for click in clicks if verdicts[click.id].human != click.human]
    found.looked_at += len(clicks)
    found.turned.update("human" if verdicts[click.id].human else "machine" for click in other)
    found.changed += [(click, verdicts[click.id]) for click in other][: max(0, SHOWN - len(found.changed))]
    if not apply:
        return
    events.judge(
        tx,
        [
            (click.id, verdicts[click.id].human, "; ".join((*verdicts[click.id].reasons, "judged again")))
            for click in other
        ],
    )
    human = [(rows[click.message], click) for click in other if verdicts[click.id].human]
    reached = _reached(tx, human)
    carry(tx, deployed, reached, now)
    found.moved += len(reached)
