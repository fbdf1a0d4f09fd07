"""The people behind a bar of the report: who was asked, and said yes, or nothing, or has time left."""

from __future__ import annotations

from itertools import islice
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


def respondents(
    store: Store, sequence: Sequence, step: str, said: str, *, answer: str = "", period: Period, before: int | None = None
) -> dict[str, object]:  # fmt: skip
    """The latest passes of that kind, a page of them; `before` is the pass below which the page goes on.

    Raises Refused for an ask or a word that is not known.
    """
    if step not in sequence.steps or sequence.steps[step].repeats:
        raise Refused(f"{sequence.name} has no ask '{step}'")
    if said not in get_args(Said):
        raise Refused(f"'{said}' is not what one can say to an ask; it is yes, no or waiting")
    found: list[tuple[Pass, str]] = []
    with store.read() as tx:
        rows = reports.passes(tx, sequence.name, period.since, period.until, before=before, latest_first=True)
        matching = (
            (one, value)
            for one in map(Pass._make, rows)
            if (said_so := answer_to(sequence, one, step)) is not None
            and said_so[0] == said
            and (value := str(said_so[1] or "")) is not None
            and answer in ("", value)
        )
        found = list(islice(matching, PAGE + 1))
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
        "next": shown[-1][0].id if len(found) > PAGE else None,
    }
