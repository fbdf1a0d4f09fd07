"""The names that a template may use, as they stand for one person at one step."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from nurture.mail.phrases import in_words
from nurture.mail.templates import Missing

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

    from nurture.journey.enrollment import Enrollment, Subscriber
    from nurture.language.sequence import Sequence, Step


@dataclass(frozen=True, slots=True)
class Offer:
    """`{{ offer.deadline }}`, `.code`, `.price`: what a person was granted. The deadline is in words, in their zone."""

    product: str
    price: str
    code: str
    deadline: str


def names(
    sequence: Sequence, step: Step, enrollment: Enrollment, subscriber: Subscriber, zone: ZoneInfo
) -> dict[str, object]:
    """What we know of the person and of the step, by name. Attributes give way to the language's own words."""
    answers = {name: answer.value for name, answer in enrollment.answers.items()}

    def said(name: str) -> object:
        """The words of the answer this person gave to a step's ask."""
        if name not in sequence.steps:
            return Missing(f"said({name!r}): there is no such step")
        ask = sequence.steps[name].ask
        value = answers.get(sequence.steps[name].root)
        if value is None:
            return Missing(name=f"said({name!r})")
        return ask.answers.get(value, ask.label or ask.words)

    found = dict(subscriber.attributes)
    found |= step.extra
    found |= {
        "email": subscriber.email,
        "answers": answers,
        "said": said,
        "kept": len(answers),
        "asked": len(enrollment.asked),
        "step_number": step.position + 1,
        "tags": dict.fromkeys(subscriber.tags, True),
        "bought": dict.fromkeys(subscriber.bought, True),
        "start": dict(enrollment.data),
        "sequence": {"name": sequence.name, "title": sequence.title},
    }
    offer = _offer(sequence, step, enrollment, zone)
    if offer is not None:
        found["offer"] = offer
    return found


def _offer(sequence: Sequence, step: Step, enrollment: Enrollment, zone: ZoneInfo) -> Offer | None:
    """The offer this mail makes, else the one granted last."""
    root = step.root if step.ask.kind == "buy" else next(reversed(list(enrollment.offers)), "")
    ask = sequence.steps[root].ask if root in sequence.steps else None
    if ask is None:
        return None
    deadline = enrollment.offers.get(root)
    words = "" if deadline is None else in_words(deadline, zone, sequence.language)
    return Offer(ask.name, ask.price, ask.code, words)
