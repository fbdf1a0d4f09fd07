"""What people and providers report: from the raw inbox to states, verdicts to come, and decisions.

Every report is recorded once, whatever its order and however often it comes. What cannot be read is quarantined and
never lost; one broken report of a batch does not stop its neighbours. Reports on mail that is not ours are dropped
here, in one place: other mail of the same account arrives on the same hook.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from hashlib import sha256
from typing import TYPE_CHECKING

from nurture.engine.deploy import deciding
from nurture.engine.hearsay import hear
from nurture.engine.inbox import OWN
from nurture.engine.moving import Reached, carry
from nurture.errors import BadToken
from nurture.journey import ledger
from nurture.journey.events import ENDS_EVERYTHING, Event, Kind
from nurture.providers import PROVIDERS
from nurture.providers.base import Hook
from nurture.store import enrollments, events, evidence, hooks, messages, people

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from sqlalchemy import Connection

    from nurture.engine.deploy import Deployed
    from nurture.mail.links import Links
    from nurture.store.database import Store

BATCH = 100


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
            # our own reports come once each; two requests of one second may well be a scanner's and a person's
            event.at.isoformat() if self.provider == OWN else event.at.isoformat(timespec="seconds"),
            event.url,
            event.ip,
            event.method,
        )
        return sha256("\n".join(parts).encode()).hexdigest()[:40]


def receive(store: Store, deployed: Deployed, links: Links, now: datetime, *, batch: int = BATCH) -> Received:
    """One pass over the inbox: read, record, decide, in one transaction."""
    with store.read() as tx:
        if not hooks.any_waiting(tx):
            return Received()
    with deciding(store, deployed) as tx:
        arrived = hooks.waiting(tx, batch)
        found: list[tuple[str, Event]] = []
        sound: list[hooks.Row] = []
        broken = 0
        for hook in arrived:
            readable, faults = read_hook(hook, links)
            found += [(hook.provider, event) for event in readable]
            sound += [] if faults else [hook]
            for item, error in faults:
                broken += 1
                hooks.quarantine(tx, hook.id, error, item)
        heard = hear(tx, deployed, sound, now)
        hooks.applied(tx, [hook.id for hook in arrived])
        reports, dropped = _ours(tx, found, links)
        recorded = apply_reports(tx, deployed, reports, now)
    return Received(
        hooks=len(arrived), recorded=recorded + heard.recorded, repeated=len(reports) - recorded + heard.repeated,
        dropped=dropped, quarantined=broken + heard.quarantined, more=len(arrived) == batch,
    )  # fmt: skip


def read_hook(hook: hooks.Row, links: Links) -> tuple[list[Event], list[tuple[str, str]]]:
    """The events of one stored hook, and the reports in it that cannot be read, each with the reason."""
    if hook.provider == OWN:
        return [_own_click(json.loads(hook.body))], []
    provider = PROVIDERS[hook.provider]
    raw = Hook(hook.headers, hook.body)
    try:
        items = list(provider.items(raw))
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        return [], [("", f"not readable as {hook.provider} writes: {type(error).__name__}: {error}")]
    readable, faults = [], []
    for item in items:
        try:
            event = provider.event(item, raw) if provider.event else None
        except (ValueError, LookupError, TypeError, AttributeError, RecursionError, OverflowError) as error:
            # the only report of a hook stands for the whole: written anew, it may be the bytes that are kept already
            alone = "" if len(items) == 1 else json.dumps(item, default=str)[:10_000]
            faults.append((alone, f"{type(error).__name__}: {error}"))
            continue
        if event is not None:
            readable.append(_linked(event, links))
    return readable, faults


def _linked(event: Event, links: Links) -> Event:
    """A click on a link of ours names its message, also where the provider could not carry our id."""
    if event.message or "/c/" not in event.url:
        return event
    try:
        return replace(event, message=links.read_click(event.url.rpartition("/c/")[2].partition("?")[0]))
    except BadToken:
        return event


def _own_click(report: Mapping[str, str]) -> Event:
    return Event(
        Kind.CLICKED,
        datetime.fromisoformat(report["at"]),
        message=report["message"],
        method=report["method"],
        ip=report["ip"],
        agent=report["agent"],
        machine_hint=report["hint"],
        url=report.get("url", ""),
    )


def _ours(tx: Connection, found: Sequence[tuple[str, Event]], links: Links) -> tuple[list[Report], int]:
    by_id = messages.by_ids(tx, sorted({event.message for _, event in found if event.message}))
    foreign: dict[str, set[str]] = defaultdict(set)
    for provider, event in found:
        if event.message not in by_id and event.provider_id:
            foreign[provider].add(event.provider_id)
    by_provider = {provider: messages.by_provider_ids(tx, provider, sorted(ids)) for provider, ids in foreign.items()}
    reports, dropped = [], 0
    for provider, event in found:
        row = by_id.get(event.message) or by_provider.get(provider, {}).get(event.provider_id)
        if row is None:
            dropped += 1
        else:
            reports.append(Report(event, provider, row, of_ask=_of_ask(event, row, links)))
    return reports, dropped


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
    new = events.record(tx, [_recorded(key, report, judged_at, now) for key, report in by_key.items()])
    fresh = sorted((by_key[key] for key in new), key=lambda report: report.event.at)
    left = _prove(tx, fresh)
    people_hit = _end_people(tx, fresh, now)
    wanted = {report.message.enrollment for report in fresh} | {row.enrollment for row in left}
    places = {place.id: (place, person) for place, person in enrollments.by_ids(tx, sorted(wanted), lock=True)}
    reached: list[Reached] = []
    for row in left:
        if row.enrollment in places:
            at = row.started_at or now
            reached.append((*places[row.enrollment], Event(Kind.SENT, at, step=row.step)))
    for report in fresh:
        number = report.message.enrollment
        if number in places and report.of_ask and report.event.kind in (Kind.CLICKED, Kind.ANSWERED):
            reached.append((*places[number], _for_decision(report, judged_at)))
    for place, person in enrollments.of_people(tx, sorted(people_hit), lock=True):
        reached.append((place, person, people_hit[person.id]))
    carry(tx, deployed, reached, now)
    return len(new)


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
        human=True if event.kind is Kind.ANSWERED else None,
        reason=event.reason,
        judged_at=judged_at if event.kind is Kind.CLICKED and report.of_ask else None,
        detail={
            name: value
            for name, value in (
                ("id", event.id), ("ip", event.ip), ("agent", event.agent), ("method", event.method),
                ("hint", event.machine_hint),
            )
            if value
        },
    )  # fmt: skip


def _prove(tx: Connection, reports: Sequence[Report]) -> list[messages.Row]:
    """Move messages forward on this evidence; returns those of which it is news that they left."""
    states: dict[str, ledger.State] = {}
    for report in reports:
        known = states.get(report.message.id, report.message.state)
        states[report.message.id] = ledger.after(known, report.event.kind)
    moved = {report.message.id for report in reports if states[report.message.id] is not report.message.state}
    return evidence.report(tx, {number: states[number] for number in moved})


def _end_people(tx: Connection, reports: Sequence[Report], now: datetime) -> dict[int, Event]:
    """A person who complained, bounced for good or unsubscribed gets no more mail, from any sequence."""
    hit: dict[int, Event] = {}
    for report in reports:
        if report.event.kind in ENDS_EVERYTHING:
            hit.setdefault(report.message.subscriber, report.event)
    by_status: dict[str, list[int]] = defaultdict(list)
    for subscriber, event in hit.items():
        by_status[ENDS_EVERYTHING[event.kind]].append(subscriber)
    for status, subscribers in by_status.items():
        people.stop(tx, subscribers, status, now)
    return hit
