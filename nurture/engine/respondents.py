"""The people behind a bar of the report: who was asked, and said yes, or nothing, or has time left."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, get_args

from nurture.engine.show import iso
from nurture.errors import Refused
from nurture.report.ladder import Pass, answer_to
from nurture.store import people, reports
from nurture.store.tables import from_micros

if TYPE_CHECKING:
    from nurture.engine.measuring import Period
    from nurture.language.sequence import Sequence
    from nurture.store.database import Store

Said = Literal["yes", "no", "waiting"]
PAGE = 100
LOOKED_AT = 10_000
"""Passes that one page looks at, at most: where few of very many match, it says how far it came."""


def respondents(
    store: Store, sequence: Sequence, step: str, said: str, *, answer: str = "", period: Period, before: int | None = None,
    most: int = LOOKED_AT,
) -> dict[str, object]:  # fmt: skip
    """The latest passes of that kind, a page of them; `before` is the pass below which the page goes on.

    Of `most` passes at a time. Raises Refused for an ask or a word that is not known.
    """
    if step not in sequence.steps or sequence.steps[step].repeats:
        raise Refused(f"{sequence.name} has no ask '{step}'")
    if said not in get_args(Said):
        raise Refused(f"'{said}' is not what one can say to an ask; it is yes, no or waiting")
    standing = [one.name for one in sequence.steps.values() if one.root == step] if said == "waiting" else ()
    found: list[tuple[Pass, str]] = []
    looked, last = 0, None
    with store.read() as tx:
        rows = reports.passes(
            tx, sequence.name, period.since, period.until, before=before, latest_first=True,
            kept=(step, answer) if said == "yes" else None, standing=standing,
        )  # fmt: skip
        for one in map(Pass._make, rows):
            looked, last = looked + 1, one.id
            said_so = answer_to(sequence, one, step)
            if said_so is not None and said_so[0] == said and answer in ("", value := str(said_so[1] or "")):
                found.append((one, value))
            if len(found) > PAGE or looked == most:
                break
        known = people.by_ids(tx, [one.subscriber for one, _ in found])
    shown = found[:PAGE]
    return {
        "sequence": sequence.name,
        "title": sequence.title,
        "step": step,
        "said": said,
        "answer": answer,
        "people": [
            {
                "id": one.subscriber,
                "email": known[one.subscriber].email,
                "began_at": iso(from_micros(one.started_at)),
                "answer": value or None,
                "at": iso(from_micros(one.answers[step][1])) if step in one.answers else None,
                "ended": one.ended,
            }
            for one, value in shown
            if one.subscriber in known
        ],
        "next": shown[-1][0].id if len(found) > PAGE else last if looked == most else None,
    }
