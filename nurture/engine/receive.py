"""What people and providers report: from the raw inbox to states, verdicts to come, and decisions.

Every report is recorded once, whatever its order and however often it comes. What cannot be read is quarantined and
never lost; one broken report of a batch does not stop its neighbours. Reports on mail that is not ours are dropped
here, in one place: other mail of the same account arrives on the same hook. Those that name a mail by the provider's
id alone are looked at again for a week first, since that id may become known after them.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import TYPE_CHECKING

from nurture.engine.deploy import deciding
from nurture.engine.hearsay import hear
from nurture.engine.inbox import OWN
from nurture.engine.moving import Reached, carry, happen
from nurture.engine.reading import read_hook, stored, thawed
from nurture.engine.stopping import end_people
from nurture.errors import BadToken
from nurture.journey import ledger
from nurture.journey.events import ENDS_EVERYTHING, Event, Kind
from nurture.store import enrollments, events, evidence, hooks, messages, people, strays, tallies, wakeups

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime

    from sqlalchemy import Connection

    from nurture.engine.deploy import Deployed
    from nurture.mail.links import Links
    from nurture.store.database import Store

BATCH = 100
DROPPED = "dropped:"
"""How the count of dropped reports is named, before the provider's name."""

WRITTEN = frozenset({Kind.REPLIED, Kind.AUTORESPONDED})
"""Reports that are mails themselves."""


@dataclass(frozen=True, slots=True)
class Received:
    """What one pass did. `dropped` are reports on mail that is not ours, `repeated` were known already."""

    hooks: int = 0
    recorded: int = 0
    repeated: int = 0
    dropped: int = 0
    quarantined: int = 0
    more: bool = False


@dataclass(frozen=True, slots=True)
class Report:
    """An event and the message of ours that it is about."""

    event: Event
    provider: str
    message: messages.Row
    of_ask: bool = True
    hook: int = 0

    @property
    def key(self) -> str:
        """What this report means, so that a repeat is known whatever id its sender gives it.

        SendGrid's event id is reported to change on a retry (sendgrid/sendgrid-nodejs#1435).
        """
        event = self.event
        parts = (
            self.provider,
            self.message.id,
            event.kind,
            self._when(),
            event.url,
            event.ip,
            event.method,
            # two reports that differ only in these are two: else which of them is kept would depend on their order
            event.agent,
            event.machine_hint,
            event.reason,
            str(event.answer),
        )
        return sha256("\n".join(parts).encode()).hexdigest()[:40]

    def _when(self) -> str:
        event = self.event
        if event.kind in WRITTEN and event.id:
            return event.id  # a mail has an id of its own, and its writer's clock may say anything
        # our own reports come once each; two requests of one second may well be a scanner's and a person's
        return event.at.isoformat() if self.provider == OWN else event.at.isoformat(timespec="seconds")


def receive(store: Store, deployed: Deployed, links: Links, now: datetime, *, batch: int = BATCH) -> Received:
    """One pass over the inbox: read, record, decide, in one transaction."""
    with store.read() as tx:
        if not hooks.any_waiting(tx) and not strays.any_due(tx, now):
            return Received()
    with deciding(store, deployed) as tx:
        looked_at = strays.due(tx, now, batch)
        arrived = hooks.waiting(tx, batch)
        found: list[tuple[str, Event]] = [(stray.provider, thawed(stray.event)) for stray in looked_at]
        origin = [0] * len(found)
        sound: list[hooks.Row] = []
        broken = 0
        for hook in arrived:
            readable, faults = read_hook(hook, links)
            found += [(hook.provider, event) for event in readable]
            origin += [hook.id] * len(readable)
            sound += [] if faults else [hook]
            for item, error in faults:
                broken += 1
                hooks.quarantine(tx, hook.id, error, item)
        heard = hear(tx, deployed, sound, now)
        hooks.applied(tx, [hook.id for hook in arrived])
        reports, unknown = _ours(tx, found, links, origin)
        dropped = _put_off(tx, looked_at, unknown, len(found), now)
        recorded = apply_reports(tx, deployed, reports, now)
        _empty(tx, arrived, reports, heard.erased)
    return Received(
        hooks=len(arrived), recorded=recorded + heard.recorded, repeated=len(reports) - recorded + heard.repeated,
        dropped=dropped, quarantined=broken + heard.quarantined, more=len(arrived) == batch,
    )  # fmt: skip


def _put_off(
    tx: Connection, looked_at: Sequence[strays.Stray], unknown: Mapping[int, tuple[str, Event]], found: int,
    now: datetime,
) -> int:  # fmt: skip
    """Keep what may turn out to be ours, forget the rest. Returns how many reports are dropped for good."""
    old = [stray for place, stray in enumerate(looked_at) if place in unknown]
    over = [stray for stray in old if stray.looks + 1 >= len(strays.LOOKS)]
    strays.look_later(tx, [stray for stray in old if stray.looks + 1 < len(strays.LOOKS)])
    strays.forget(tx, [stray for place, stray in enumerate(looked_at) if place not in unknown] + over)
    fresh = [unknown[place] for place in range(len(looked_at), found) if place in unknown]
    kept: dict[str, list[dict[str, str]]] = defaultdict(list)
    dropped = Counter(stray.provider for stray in over)
    for provider, event in fresh:
        # an id of ours is in the mail before it leaves: one that we do not know was never ours
        if event.provider_id and not event.message:
            kept[provider].append(stored(event))
        else:
            dropped[provider] += 1
    for provider, reports in sorted(kept.items()):
        strays.keep(tx, provider, reports, now)
    for provider, number in sorted(dropped.items()):
        tallies.count_up(tx, f"{DROPPED}{provider}", number)
    return dropped.total()


def _ours(
    tx: Connection, found: Sequence[tuple[str, Event]], links: Links, origin: Sequence[int]
) -> tuple[list[Report], dict[int, tuple[str, Event]]]:
    """The reports on mail of ours, and those on other mail by their place in `found`; `origin` is each one's hook."""
    by_id = messages.by_ids(tx, sorted({event.message for _, event in found if event.message}))
    foreign: dict[str, set[str]] = defaultdict(set)
    for provider, event in found:
        if event.message not in by_id and event.provider_id:
            foreign[provider].add(event.provider_id)
    by_provider = {provider: messages.by_provider_ids(tx, provider, sorted(ids)) for provider, ids in foreign.items()}
    reports: list[Report] = []
    unknown: dict[int, tuple[str, Event]] = {}
    for place, (provider, event) in enumerate(found):
        row = by_id.get(event.message) or by_provider.get(provider, {}).get(event.provider_id)
        if row is None:
            unknown[place] = (provider, event)
        else:
            reports.append(Report(event, provider, row, of_ask=_of_ask(event, row, links), hook=origin[place]))
    return reports, unknown


def _of_ask(event: Event, row: messages.Row, links: Links) -> bool:
    """Whether a click was on the mail's ask: our link of it, or its target where the provider saw the click.

    Any other link of the mail is evidence for the verdict and never a yes.
    """
    if event.kind is not Kind.CLICKED or not event.url:
        return True
    if "/c/" in event.url:
        try:
            return links.read_click(event.url.rpartition("/c/")[2].partition("?")[0]) == row.id
        except BadToken:
            pass
    return bool(row.target) and event.url.startswith(row.target.rstrip("/"))


def apply_reports(tx: Connection, deployed: Deployed, reports: Iterable[Report], now: datetime) -> int:
    """Record what is new and let it have its effect. Returns how many reports were new."""
    by_key = {report.key: report for report in reports}
    judged_at = now + deployed.rules.settle
    gone = people.erased(tx, sorted({report.message.subscriber for report in by_key.values()}))
    late = {key: report for key, report in by_key.items() if report.message.subscriber in gone}
    events.record(tx, [_of_erased(key, report, now) for key, report in late.items()])
    _prove(tx, list(late.values()))
    by_key = {key: report for key, report in by_key.items() if key not in late}
    new = events.record(tx, [_recorded(key, report, judged_at, now) for key, report in by_key.items()])
    fresh = sorted((by_key[key] for key in new), key=lambda report: (report.event.at, report.key))
    left = _prove(tx, fresh)
    ending = end_people(
        tx, deployed,
        [(report.message.subscriber, report.event) for report in fresh if report.event.kind in ENDS_EVERYTHING], now,
    )  # fmt: skip
    wanted = {report.message.enrollment for report in fresh} | {row.enrollment for row in left}
    places = {place.id: (place, person) for place, person in enrollments.by_ids(tx, sorted(wanted), lock=True)}
    reached: list[Reached] = []
    for row in left:
        if row.enrollment in places:
            at = row.started_at or now
            reached.append((*places[row.enrollment], Event(Kind.SENT, at, step=row.step)))
    for report in fresh:
        number = report.message.enrollment
        if number in places and report.of_ask and report.event.kind in (Kind.CLICKED, Kind.ANSWERED, Kind.REPLIED):
            reached.append((*places[number], _for_decision(report, judged_at)))
    carry(tx, deployed, [*reached, *ending], now)
    _replied(tx, deployed, fresh, now)
    if fresh and judged_at <= now:  # a verdict that waits for nothing is given at once
        wakeups.want(tx, "tick")
    return len(new)


def _of_erased(key: str, report: Report, now: datetime) -> events.Recorded:
    """What stays of a report on the mail of someone who was erased: that it came."""
    whole = _recorded(key, report, now, now)
    return replace(whole, url="", answer=None, human=None, reason=people.ERASED, judged_at=None, detail={})


def _empty(tx: Connection, arrived: Sequence[hooks.Row], reports: Sequence[Report], heard: Sequence[int]) -> None:
    """Nothing stays of raw reports that name someone who was erased; what they said of others has been applied."""
    gone = people.erased(tx, sorted({report.message.subscriber for report in reports}))
    named = {report.hook for report in reports if report.message.subscriber in gone} | set(heard)
    named |= {hook.id for hook in arrived if hooks.EMPTY_LATER in hook.headers}
    hooks.empty(tx, sorted(named - {0}))


def _replied(tx: Connection, deployed: Deployed, fresh: Sequence[Report], now: datetime) -> None:
    """A reply is also a happening of its own: sequences may start, end or stop for it, whatever its mail asked."""
    replies = {report.message.subscriber: report for report in fresh if report.event.kind is Kind.REPLIED}
    people.seen(tx, {who: report.event.at for who, report in replies.items()})
    for who, person in people.by_ids(tx, sorted(replies)).items():
        at = replies[who].event.at
        happen(tx, deployed, person, [Event(Kind.HAPPENED, at, happening="replied")], now)


def _for_decision(report: Report, judged_at: datetime) -> Event:
    event = replace(report.event, step=report.message.step)
    if event.kind is Kind.CLICKED:
        return replace(event, judged_at=judged_at)
    return event


def _recorded(key: str, report: Report, judged_at: datetime, now: datetime) -> events.Recorded:
    event, message = report.event, report.message
    return events.Recorded(
        key=key,
        kind=event.kind,
        at=event.at,
        received_at=now,
        message=message.id,
        enrollment=message.enrollment,
        subscriber=message.subscriber,
        sequence=message.sequence,
        step=message.step,
        provider=report.provider,
        url=event.url,
        answer=event.answer,
        human=True if event.kind in (Kind.ANSWERED, Kind.REPLIED) else None,
        reason=event.reason,
        judged_at=judged_at if _settles(report) else None,
        detail={
            name: value
            for name, value in (
                ("id", event.id), ("ip", event.ip), ("agent", event.agent), ("method", event.method),
                ("hint", event.machine_hint),
            )
            if value
        },
    )  # fmt: skip


def _settles(report: Report) -> bool:
    """Whether it is judged later, when what came with it is known as well."""
    kind = report.event.kind
    return kind is Kind.SOFT_BOUNCED or (kind is Kind.CLICKED and report.of_ask)


def _prove(tx: Connection, reports: Sequence[Report]) -> list[messages.Row]:
    """Move messages forward on this evidence; returns those of which it is news that they left."""
    states: dict[str, ledger.State] = {}
    for report in reports:
        known = states.get(report.message.id, report.message.state)
        states[report.message.id] = ledger.after(known, report.event.kind)
    moved = {report.message.id for report in reports if states[report.message.id] is not report.message.state}
    return evidence.report(tx, {number: states[number] for number in moved})
