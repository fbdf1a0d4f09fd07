"""The names that a template may use, as they stand for one person at one step."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from nurture.journey.branching import streak
from nurture.journey.enrollment import Granted
from nurture.mail.counts import counting, uncounted
from nurture.mail.effort import effort
from nurture.mail.phrases import in_words
from nurture.mail.proof import choose
from nurture.mail.templates import Missing

if TYPE_CHECKING:
    from collections.abc import Mapping
    from zoneinfo import ZoneInfo

    from nurture.journey.enrollment import Enrollment, Invited, Ranked, Subscriber
    from nurture.language.sequence import Sequence, Step
    from nurture.mail.counts import Tallies
    from nurture.mail.links import Links


ENDLESS = "this offer never ends, so it has no deadline to print"


@dataclass(frozen=True, slots=True)
class Offer:
    """`{{ offer.deadline }}`, `.code`, `.price`: what a person was granted. The deadline is in words, in their zone.

    `countdown` is the address of a picture. An offer that never ends has neither, and printing them fails.
    """

    product: str
    price: str
    code: str
    deadline: object
    countdown: object


@dataclass(frozen=True, slots=True)
class Friends:
    """`{{ friends.confirmed }}`, `.left` of the `wanted`, and the person's own `link`."""

    confirmed: int
    wanted: int
    left: int
    link: str
    board: tuple[Ranked, ...]


def names(
    sequence: Sequence, step: Step, enrollment: Enrollment, subscriber: Subscriber, zone: ZoneInfo,
    offers: Mapping[str, Granted], links: Links, invited: Invited, tallies: Tallies = uncounted,
) -> dict[str, object]:  # fmt: skip
    """What we know of the person and of the step, by name. Attributes give way to the language's own words.

    `offers` are those of this pass as they are kept, by root step; one that is not kept yet is imagined.
    """
    answers = {name: answer.value for name, answer in enrollment.answers.items()}

    def said(name: str) -> object:
        """The words of the answer this person gave to a step's ask."""
        if name not in sequence.steps:
            return Missing(f"said({name!r}): there is no such step")
        ask = sequence.steps[name].ask
        value = answers.get(sequence.steps[name].root)
        if value is None:
            return Missing(name=f"said({name!r})")
        if ask.kind == "reply":  # on one line, since a subject may quote it
            return " ".join(str(value).split())
        return ask.answers.get(value, ask.label or ask.words)

    badges, progress = effort(sequence, enrollment)
    found: dict[str, object] = {
        "badges": badges, "progress": progress, **counting(sequence, tallies), **subscriber.attributes,
    }  # fmt: skip
    if sequence.proof:
        found["proof"] = choose(sequence, enrollment, subscriber) or Missing(name="proof")
    found |= step.extra
    found |= {
        "email": subscriber.email,
        "answers": answers,
        "said": said,
        "kept": len(answers),
        "asked": len(enrollment.asked),
        "streak": streak(sequence, enrollment),
        "step_number": step.position + 1,
        "tags": dict.fromkeys(subscriber.tags, True),
        "bought": dict.fromkeys(subscriber.bought, True),
        "start": dict(enrollment.data),
        "sequence": {"name": sequence.name, "title": sequence.title},
    }
    offer = _offer(sequence, step, enrollment, zone, offers, links)
    if offer is not None:
        found["offer"] = offer
    wanted = _wanted(sequence, step)
    if wanted:
        left = max(0, wanted - invited.confirmed)
        found["friends"] = Friends(invited.confirmed, wanted, left, links.invitation(invited.link), invited.board)
    return found


def _wanted(sequence: Sequence, step: Step) -> int:
    """How many friends this mail asks for, or the one before it that did; 0 where none does."""
    asking = [one for one in sequence.steps.values() if one.ask.kind == "refer"]
    before = [one.ask.friends for one in asking if one.position <= step.position]
    return before[-1] if before else asking[0].ask.friends if asking else 0


def _offer(
    sequence: Sequence, step: Step, enrollment: Enrollment, zone: ZoneInfo, offers: Mapping[str, Granted], links: Links
) -> Offer | None:
    """The offer this mail makes, else the one granted last."""
    root = step.root if step.ask.kind == "buy" else next(reversed(list(enrollment.offers)), "")
    if root not in sequence.steps:
        return None
    asking = sequence.steps[root]
    ask = asking.ask
    made = offers.get(root) or Granted(
        "", ask.code or ask.pool, enrollment.offers.get(root) if asking.offer_ends else None
    )
    if made.deadline is None:
        endless = Missing(f"{ENDLESS}; give the ask of '{root}' expires: 48 hours")
        return Offer(ask.name, ask.price, made.code, endless, endless)
    words = in_words(made.deadline, zone, sequence.language)
    return Offer(ask.name, ask.price, made.code, words, links.countdown(made.id))
