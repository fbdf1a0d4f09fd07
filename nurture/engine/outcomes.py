"""What became of people since a split was drawn for them: who reached the goal, what they paid.

Read from what happened to the person, not to the enrollment: of those who are kept out of a ladder the pass has ended
before it began, and their purchases come later.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from nurture.engine.show import iso
from nurture.language.sequence import Happening
from nurture.report import money
from nurture.report.lift import Against, Arm, Lift, Person, lift
from nurture.report.sequential import Difference
from nurture.store import reports
from nurture.store.tables import from_micros

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy import Connection

    from nurture.language.sequence import Sequence as Plan


def lifts(tx: Connection, sequence: Plan) -> list[dict[str, object]]:
    """What each lottery of this sequence has shown, those that are drawn now first."""
    drawn: dict[tuple[str, str, str], dict[int, tuple[int, str]]] = defaultdict(dict)
    for subscriber, at, step, way, split, arm in reports.draws(tx, sequence.name):
        drawn[step, way, split].setdefault(subscriber, (at, arm))  # a lot sticks: the first draw counts
    reached = _goal_times(tx, sequence)
    paid, currency, left_out = _purchases(tx, sequence)
    found = []
    for (step, way, split), people in drawn.items():
        outcomes = (
            Person(arm, reached.get(who, -1) >= at, sum(worth for when, worth in paid.get(who, ()) if when >= at))
            for who, (at, arm) in people.items()
        )
        shown = lift([name.rpartition(" ")[0] for name in split.split(", ")], outcomes)
        since = min(at for at, _ in people.values())
        found.append(
            {
                "step": step, "way": way, "split": split, "since": iso(from_micros(since)), "currency": currency,
                "other_currencies": left_out, **_lift(shown),
            }
        )  # fmt: skip
    return found


def _goal_times(tx: Connection, sequence: Plan) -> dict[int, int]:
    """When each person last did what this sequence's goal is, whether they were in it at that time or not."""
    latest: dict[int, int] = {}
    for source in (reports.goals(tx, sequence.name), *(_times(tx, happening) for happening in sequence.goal)):
        for subscriber, at in source:
            latest[subscriber] = max(at, latest.get(subscriber, 0))
    return latest


def _times(tx: Connection, happening: Happening) -> Iterator[tuple[int, int]]:
    match happening.kind:
        case "bought" | "event" | "tag" | "replied":
            return reports.happened(tx, happening.kind, happening.name)
        case "kept":
            name, _, step = happening.name.partition(".")
            return reports.kept(tx, name, step)
        case "goal":
            return reports.goals(tx, happening.name)
        case _:
            return iter(())


def _purchases(tx: Connection, sequence: Plan) -> tuple[Mapping[int, Sequence[tuple[int, float]]], str, int]:
    """What each person paid and when, in the currency that is paid most; its name; how many were in another one."""
    prices = _prices([sequence])
    bought = [
        (subscriber, at, worth)
        for subscriber, at, product, told in reports.purchases(tx)
        if (worth := money.worth(product, told, prices)) is not None
    ]
    currencies = Counter(worth.currency for _, _, worth in bought)
    currency = currencies.most_common(1)[0][0] if currencies else ""
    paid: dict[int, list[tuple[int, float]]] = defaultdict(list)
    for subscriber, at, worth in bought:
        if worth.currency == currency:
            paid[subscriber].append((at, worth.amount))
    return paid, currency, len(bought) - currencies[currency]


def takings(tx: Connection, sequences: Iterable[Plan], since: datetime) -> list[dict[str, object]]:
    """What was paid since then, in each currency, the one that is paid most often first.

    Last those without `paid`: their report names no amount, and the ask of their product no price.
    """
    prices = _prices(sequences)
    paid: dict[str, float] = defaultdict(float)
    times: Counter[str] = Counter()
    unpriced = 0
    for _, _, product, told in reports.purchases(tx, since):
        worth = money.worth(product, told, prices)
        if worth is None:
            unpriced += 1
        else:
            paid[worth.currency] += worth.amount
            times[worth.currency] += 1
    found = [{"currency": one, "paid": round(paid[one], 2), "purchases": number} for one, number in times.most_common()]
    return [*found, {"currency": "", "paid": None, "purchases": unpriced}] if unpriced else found


def _prices(sequences: Iterable[Plan]) -> dict[str, money.Money]:
    """What products cost as it is written beside their asks."""
    return {
        step.ask.name: listed
        for sequence in sequences
        for step in sequence.steps.values()
        if step.ask.kind == "buy" and (listed := money.price(step.ask.price)) is not None
    }


def _lift(shown: Lift) -> dict[str, object]:
    return {
        "control": shown.control,
        "arms": [_arm(arm) for arm in shown.arms],
        "against": [_against(one) for one in shown.against],
    }


def _arm(arm: Arm) -> dict[str, object]:
    return {
        "arm": arm.name, "people": arm.goals.people, "goals": arm.goals.successes, "goal_rate": arm.goals.mean,
        "paid": round(arm.revenue.total, 2), "paid_each": round(arm.revenue.mean, 4),
    }  # fmt: skip


def _against(one: Against) -> dict[str, object]:
    return {
        "arm": one.arm, "other": one.other, "goal_rate": interval(one.goals), "paid_each": interval(one.revenue),
        "says": one.says,
    }  # fmt: skip


def interval(found: Difference) -> dict[str, object]:
    """A difference for a document: what it is, within which limits, whether that shows anything, how many it takes."""
    return {
        "difference": found.estimate, "low": found.low, "high": found.high, "shown": found.shown,
        "needed": found.needed,
    }  # fmt: skip
