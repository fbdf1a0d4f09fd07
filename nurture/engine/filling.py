"""Filling in a form, page by page. What was typed is kept here after each, so that any device goes on where one stopped."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from nurture.engine import answering
from nurture.store import answers

if TYPE_CHECKING:
    from datetime import datetime

    from nurture.engine.answering import Question
    from nurture.engine.deploy import Deployed
    from nurture.language.forms import Field, FormPage
    from nurture.store.attempts import Claimed
    from nurture.store.database import Store


@dataclass(frozen=True, slots=True)
class Filling:
    """A form as it stands. `number` is the page shown, from 0; `reached` is the first that is not done.

    `typed` are the texts of all fields, `problems` the names of what is wrong with some, both by what keeps the field.
    """

    asked: Question
    number: int
    reached: int
    typed: Mapping[str, str]
    problems: Mapping[str, str]

    @property
    def page(self) -> FormPage:
        return self.asked.ask.pages[self.number]

    @property
    def last(self) -> bool:
        return self.number == len(self.asked.ask.pages) - 1


def open_form(store: Store, asked: Question, *, wanted: int | None = None, chosen: str = "") -> Filling:
    """The form at the page where it stopped, or at an earlier one that is wanted.

    `chosen` is what was tapped in the mail: it fills in the first question, and nothing that was typed since.
    """
    with store.read() as tx:
        draft = answers.draft_of(tx, asked.enrollment, asked.root) or answers.Draft(0, {})
    reached = min(draft.page, len(asked.ask.pages) - 1)
    number = reached if wanted is None else max(0, min(wanted, reached))
    typed = dict(draft.typed)
    if chosen:
        typed.setdefault(asked.ask.fields[0].save, chosen)
    return Filling(asked, number, reached, typed, {})


def turn(
    store: Store, deployed: Deployed, message: str, asked: Question, number: int, given: Mapping[str, str],
    *, back: bool, now: datetime,
) -> Filling | Question:  # fmt: skip
    """Keep what a page holds and go on, or back. The last page sent is the yes, and then the answered ask comes back.

    A page with something wrong is shown again. Going back keeps what was typed and judges nothing.
    """
    filling = open_form(store, asked, wanted=number)
    if number > filling.reached:  # perhaps sent at the same moment from elsewhere, which took what was typed along
        asked = answering.question(store, deployed, message) or asked
        if asked.answered is not None:
            return asked
    fields = filling.page.fields
    typed = {**filling.typed, **{field.save: _kept(given.get(field.save, "")) for field in fields}}
    problems = {} if back else _problems(fields, typed)
    if back:
        ahead, reached = max(0, filling.number - 1), filling.reached
    elif problems:
        ahead, reached = filling.number, min(filling.reached, filling.number)
    else:
        ahead = filling.number + 1
        reached = max(filling.reached, ahead)
    if not problems and not back and filling.last:
        wrong = [number for number, page in enumerate(asked.ask.pages) if _problems(page.fields, typed)]
        if not wrong:
            done = answering.answer(store, deployed, message, None, now, _values(asked.ask.fields, typed))
            return done or asked
        ahead = reached = wrong[0]  # an edit of the form asks for more than was asked then
    with store.write() as tx:
        answers.put_draft(tx, asked.enrollment, asked.root, answers.Draft(reached, typed), now)
    return Filling(asked, ahead, max(ahead, reached), typed, problems)


def _kept(typed: str) -> str:
    """What a database can hold of it: PostgreSQL takes no NUL, and UTF-8 no half of a pair."""
    return typed.replace("\x00", "").encode("utf-8", "replace").decode()


def _problems(fields: tuple[Field, ...], typed: Mapping[str, str]) -> dict[str, str]:
    found = {}
    for field in fields:
        try:
            field.value(typed.get(field.save, ""))
        except ValueError as error:
            found[field.save] = str(error)
    return found


def _values(fields: tuple[Field, ...], typed: Mapping[str, str]) -> dict[str, object]:
    """The values of a form without a fault; what was left empty is not among them."""
    found = {field.save: field.value(typed.get(field.save, "")) for field in fields}
    return {name: value for name, value in found.items() if value is not None}


def half_done(store: Store, deployed: Deployed, claimed: Sequence[Claimed]) -> Mapping[tuple[int, str], int]:
    """How many pages of the forms that these mails ask for are done; most mails ask for none."""
    asking = {
        one.enrollment.id
        for one in claimed
        if (sequence := deployed.sequences.get(one.sequence)) is not None
        and (step := sequence.steps.get(one.step)) is not None
        and step.ask.pages
    }
    if not asking:
        return {}
    with store.read() as tx:
        return answers.pages_done(tx, sorted(asking))
