"""What the page says to someone who has answered: the code they earned, how others answered, whether it can be changed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from nurture.journey.timing import zone as zone_of
from nurture.mail.counts import FLOOR
from nurture.mail.phrases import in_words
from nurture.store import answers, offers, people

if TYPE_CHECKING:
    from nurture.engine.answering import Question
    from nurture.engine.deploy import Deployed
    from nurture.store.database import Store


@dataclass(frozen=True, slots=True)
class Thanks:
    """`code` is what a form thanks with; None where it has none, "" while its pool is empty. `deadline` is in words.

    `share` is how many in a hundred of the others gave the same answer; None where that is not told.
    """

    code: str | None = None
    deadline: str = ""
    share: int | None = None


def thanks(store: Store, deployed: Deployed, asked: Question) -> Thanks:
    if asked.ask.grants:
        with store.read() as tx:
            made = offers.of_passes(tx, [asked.enrollment]).get(asked.enrollment, {}).get(asked.root)
            person = people.by_ids(tx, [asked.subscriber])[asked.subscriber]
        if made is None:
            return Thanks("")
        zone = zone_of(str(person.attributes.get("timezone") or ""), deployed.rules.zone)
        return Thanks(made.code, "" if made.deadline is None else in_words(made.deadline, zone, asked.language))
    if asked.ask.results and asked.answered is not None:
        with store.read() as tx:
            found = answers.shares(tx, asked.plan, asked.root)
        everyone = sum(found.values())
        if everyone >= FLOOR:
            return Thanks(share=round(100 * (found.get(str(asked.answered), 1) - 1) / (everyone - 1)))
    return Thanks()
