"""What a sequence has brought, as plain data: the ladder, the period before, groups, consistency, lift.

The store gathers rows, the report counts them; this file says which rows and puts the numbers into the document
`nurture.report/1` that the command line and the pages show.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from nurture.engine.outcomes import interval, lifts
from nurture.engine.show import iso
from nurture.errors import Refused
from nurture.language.problems import did_you_mean, or_one_of
from nurture.language.sequence import ALWAYS_KNOWN
from nurture.report.consistency import CAVEAT, Consistency, consistency
from nurture.report.flows import flows
from nurture.report.ladder import Clicks, Ladder, Pass, Quartiles, Rung, ladder
from nurture.store import reports

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from nurture.engine.deploy import Deployed
    from nurture.language.sequence import Sequence as Plan
    from nurture.store.database import Store

MOST_GROUPS = 20
"""Groups that are shown of `by`, the largest ones."""


@dataclass(frozen=True, slots=True)
class Period:
    """Passes that began from `since` on and before `until`; None is without end."""

    since: datetime | None = None
    until: datetime | None = None

    def before(self, now: datetime) -> Period | None:
        """The period of the same length before this one; None for one that has no beginning."""
        if self.since is None:
            return None
        return Period(self.since - ((self.until or now) - self.since), self.since)


ALL = Period()


def report(
    store: Store, deployed: Deployed, name: str, now: datetime, *, period: Period = ALL, by: str = "",
    with_lift: bool = False,
) -> dict[str, Any]:  # fmt: skip
    """The document `nurture.report/1` of a sequence. Raises Refused for a sequence or group that is not known."""
    sequence = deployed.sequences.get(name)
    if sequence is None:
        raise Refused(f"there is no sequence '{name}'{or_one_of(name, deployed.sequences)}")
    if by:
        _known_group(deployed, by)
    before = period.before(now)
    with store.read() as tx:
        passes, sent_at, counted = _ladder(tx, sequence, period)
        earlier = _ladder(tx, sequence, before)[2] if before is not None else None
        values = _values(tx, deployed, sequence, period, by) if by else {}
        shown = lifts(tx, sequence) if with_lift else None
    return {
        "format": "nurture.report/1",
        "sequence": sequence.name,
        "title": sequence.title,
        **_period(period),
        "counted_at": iso(now),
        **_summary(counted),
        "steps": [_step(rung, sequence, _same(earlier, rung)) for rung in counted.rungs],
        "standing": dict(counted.standing),
        "ways": [
            {"from": source, "to": target, "way": way, "passes": number}
            for (source, target, way), number in flows(sequence, passes, sent_at).items()
        ],
        "dies_at": None if counted.dies_at is None else counted.dies_at.step,
        "never_mailed": dict(counted.never_mailed),
        "consistency": {"caveat": CAVEAT, "principles": [_principle(one) for one in consistency(sequence, passes)]},
        "before": None if before is None or earlier is None else {**_period(before), **_summary(earlier)},
        "by": by or None,
        "groups": _groups(sequence, passes, values) if by else [],
        **({"lift": shown} if shown is not None else {}),
    }


def groups_of(deployed: Deployed) -> tuple[str, ...]:
    """By what passes can be grouped. An attribute that has the name of one of ours goes before it."""
    return tuple(dict.fromkeys(("source", "tag", *ALWAYS_KNOWN[1:], *deployed.project.people.attributes)))


def _known_group(deployed: Deployed, by: str) -> None:
    known = groups_of(deployed)
    if by not in known:
        hint = did_you_mean(by, known) or "; declare it, or group by tag or source"
        raise Refused(f"people.yaml declares no attribute '{by}'{hint}")


def _ladder(tx: Connection, sequence: Plan, period: Period) -> tuple[list[Pass], Mapping[tuple[int, str], int], Ladder]:
    span = (period.since, period.until)
    passes = [Pass._make(row) for row in reports.passes(tx, sequence.name, *span)]
    clicks = {step: Clicks(*counted) for step, counted in reports.clicks(tx, sequence.name, *span).items()}
    sent_at = reports.sent_at(tx, sequence.name, *span)
    return passes, sent_at, ladder(sequence, passes, sent_at, clicks)


def _same(earlier: Ladder | None, rung: Rung) -> Rung | None:
    return None if earlier is None else next((one for one in earlier.rungs if one.step == rung.step), None)


# --- by what is known of people


def _values(
    tx: Connection, deployed: Deployed, sequence: Plan, period: Period, by: str
) -> Mapping[int, tuple[str, ...]]:
    """What each person has of it; of tags several."""
    span = (sequence.name, period.since, period.until)
    if by in deployed.project.people.attributes or by not in ("source", "tag"):
        return {who: _value(attributes.get(by)) for who, attributes, _ in reports.known_of(tx, *span)}
    if by == "tag":
        return {who: tuple(tags) for who, _, tags in reports.known_of(tx, *span)}
    first: dict[int, tuple[str, ...]] = {}
    for who, form, friend_of, source in reports.forms_of(tx, *span):
        first.setdefault(who, (first_source(form, friend_of, source),))
    return first


def first_source(form: str, friend_of: str, source: Mapping[str, str]) -> str:
    """Where the first form of a person was found: what its link said, a friend, the site it stood on, or its name."""
    return source.get("utm_source") or ("a friend" if friend_of else _site(source.get("page", ""))) or f"form {form}"


def _site(page: str) -> str:
    """The name of the site that a page is on, "" where what a browser said is no address."""
    try:
        return urlsplit(page).hostname or ""
    except ValueError:
        return ""


def _groups(sequence: Plan, passes: Sequence[Pass], values: Mapping[int, tuple[str, ...]]) -> list[dict[str, object]]:
    """The same ladder for each value; who has several counts in each."""
    members: dict[str, list[Pass]] = defaultdict(list)
    for one in passes:
        for value in values.get(one.subscriber) or ("",):
            members[value].append(one)
    largest = sorted(members, key=lambda value: (-len(members[value]), value))[:MOST_GROUPS]
    return [_group(value, ladder(sequence, members[value], {}, {})) for value in largest]


def _value(known: object) -> tuple[str, ...]:
    return () if known is None else (str(known),)


def _group(value: str, counted: Ladder) -> dict[str, object]:
    steps = [
        {"step": rung.step, "asked": rung.asked, "yes": rung.yes, "no": rung.no, "yes_rate": rung.yes_rate}
        for rung in counted.rungs
    ]
    return {"value": value or None, **_summary(counted), "steps": steps}


# --- the document


def _summary(counted: Ladder) -> dict[str, object]:
    return {
        "enrolled": counted.enrolled,
        "inside": counted.inside,
        "ended": dict(counted.ended),
        "goal": counted.goal,
        "goal_rate": counted.goal / counted.enrolled if counted.enrolled else None,
    }


def _step(rung: Rung, sequence: Plan, earlier: Rung | None) -> dict[str, object]:
    step = sequence.steps[rung.step]
    return {
        "step": rung.step,
        "kind": step.ask.kind,
        "asks": step.ask.words or step.ask.label or step.ask.name,
        "size": step.ask.size,
        "principle": step.principle,
        "asked": rung.asked,
        "yes": rung.yes,
        "no": rung.no,
        "waiting": rung.waiting,
        "yes_rate": rung.yes_rate,
        "machine": rung.clicks.machine,
        "human": rung.clicks.human,
        "machine_share": rung.clicks.machine_share,
        "answers": {str(key): number for key, number in rung.answers.items()},
        "mails": [{"step": mail.step, "sent": mail.sent, "yes": mail.yes} for mail in rung.mails],
        "time_to_yes": _quartiles(rung.time_to_yes),
        "went_on": rung.went_on,
        "left": dict(rung.left),
        "before": None if earlier is None else {"asked": earlier.asked, "yes_rate": earlier.yes_rate},
    }


def _quartiles(found: Quartiles | None) -> dict[str, float] | None:
    if found is None:
        return None
    return {"first": round(found.first, 3), "median": round(found.median, 3), "third": round(found.third, 3)}


def _principle(one: Consistency) -> dict[str, object]:
    return {
        "principle": one.principle,
        "after_yes": {"asked": one.after_yes.people, "yes": one.after_yes.successes},
        "after_no": {"asked": one.after_no.people, "yes": one.after_no.successes},
        **interval(one.raises),
    }


def _period(period: Period) -> dict[str, object]:
    return {"since": iso(period.since), "until": iso(period.until)}
