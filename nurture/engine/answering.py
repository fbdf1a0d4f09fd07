"""What a person does on a page of ours: follow a link, answer a question, fetch a file, unsubscribe.

A page confirms, so what is done there counts at once; a link that was merely fetched waits for its verdict.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

from nurture.engine.deploy import deciding
from nurture.engine.inbox import OWN
from nurture.engine.receive import Report, apply_reports
from nurture.errors import Refused
from nurture.journey.events import Event, Kind
from nurture.journey.keeping import NOTHING_TYPED
from nurture.language.kinds import HOSTED
from nurture.language.project import FROM_FILES
from nurture.language.sequence import ENGLISH
from nurture.store import answers, enrollments, messages, people

if TYPE_CHECKING:
    from datetime import datetime

    from nurture.engine.deploy import Deployed
    from nurture.engine.inbox import Inbox
    from nurture.language.sequence import Ask
    from nurture.store.database import Store


@dataclass(frozen=True, slots=True)
class Question:
    """What a page shows of one mail's ask. `answered` is the kept answer's key, None while it is open.

    `plan` is the sequence by name, `root` the step whose ask it is. A poll's answer is `changeable` until its branch
    has mailed.
    """

    sequence: str
    step: str
    plan: str
    root: str
    ask: Ask
    enrollment: int
    subscriber: int
    changeable: bool
    kind: str
    words: str
    label: str
    answers: Mapping[str | int, str]
    answered: str | int | None
    answered_words: str
    language: str
    file: str
    body: bytes | None


def click(
    store: Store, inbox: Inbox, message: str, *, method: str, ip: str, agent: str, hint: str, now: datetime,
    url: str = "",
) -> str | None:  # fmt: skip
    """Where the link of this mail leads, once the request for it is on record; None when no such mail is known.

    `url` names a page of ours other than the ask's link, which was looked at.
    """
    with store.read() as tx:
        row = messages.by_ids(tx, [message]).get(message)
    if row is None or not row.target:
        return None
    inbox.click(message, method=method, ip=ip, agent=agent, hint=hint, now=now, url=url)
    return row.target


def question(store: Store, deployed: Deployed, message: str) -> Question | None:
    """The ask of this mail, as its page shows it; None when the mail or its step is gone."""
    with store.read() as tx:
        row = messages.by_ids(tx, [message]).get(message)
        found = enrollments.by_ids(tx, [row.enrollment]) if row is not None else []
    sequence = deployed.sequences.get(row.sequence) if row is not None else None
    if row is None or sequence is None or row.step not in sequence.steps or not found:
        return None
    enrollment, subscriber = found[0]
    if subscriber.status == people.ERASED:
        return None
    sequence = sequence.in_language(subscriber.attributes.get("language"))
    step = sequence.steps[row.step]
    known = enrollment.answers.get(step.root)
    value = None if known is None else known.value
    return Question(
        sequence=sequence.title or sequence.name,
        step=step.name,
        plan=sequence.name,
        root=step.root,
        ask=step.ask,
        enrollment=enrollment.id,
        subscriber=enrollment.subscriber,
        changeable=bool(step.ask.answers) and enrollment.phase == "waiting" and enrollment.led_by == step.root,
        kind=step.ask.kind,
        words=step.ask.words,
        label=step.ask.label,
        answers=step.ask.answers,
        answered=value,
        answered_words="" if value is None else step.ask.answers.get(value, str(value)),
        language=sequence.language,
        file=step.ask.name if step.ask.kind in FROM_FILES else "",
        body=deployed.project.downloads.get(step.ask.name) if step.ask.kind in FROM_FILES else None,
    )


def language_of(store: Store, deployed: Deployed, message: str) -> str:
    """The language this mail was written in, for the pages it leads to; English when that is not known any more."""
    asked = question(store, deployed, message)
    return ENGLISH if asked is None else asked.language


def answer(
    store: Store, deployed: Deployed, message: str, value: str | int | None, now: datetime,
    typed: Mapping[str, object] = NOTHING_TYPED,
) -> Question | None:  # fmt: skip
    """Keep an answer that was confirmed on a page. Raises Refused for an answer that was not offered.

    `typed` are the values of a form, by the attributes that keep them.
    """
    asked = question(store, deployed, message)
    if asked is None:
        return None
    if asked.kind == "poll" and value not in asked.answers:
        raise Refused(f"'{value}' is not an answer to this question; choose one of those shown")
    if asked.kind not in HOSTED:
        raise Refused("this mail asks nothing that is answered on a page")
    if asked.answered is not None and not (asked.changeable and asked.answered != value):
        return asked
    kept: str | int = "yes" if value is None or not asked.answers else value
    event = Event(Kind.ANSWERED, now, answer=kept, url=f"answer:{kept}", data=MappingProxyType(dict(typed)))
    with deciding(store, deployed) as tx:
        row = messages.by_ids(tx, [message]).get(message)
        if row is None:
            return None
        apply_reports(tx, deployed, [Report(event, OWN, row)], now)
        people.seen(tx, {row.subscriber: now})
        ((place, _),) = enrollments.by_ids(tx, [row.enrollment])
        mine = place.answers.get(asked.root)
        if mine is not None and (mine.at, mine.value) == (now, kept):  # of several at once, the one that counted
            answers.keep(tx, said(asked, kept, typed, now))
            answers.drop_draft(tx, place.id, asked.root)
    return question(store, deployed, message)


def said(asked: Question, kept: str | int, typed: Mapping[str, object], now: datetime) -> list[answers.Said]:
    """What was answered, as the person read it: the whole of a form, or the one answer to any other ask."""
    fields = [field for field in asked.ask.fields if field.save in typed]
    whole = asked.answers.get(kept, asked.label or asked.words)
    rows: list[tuple[str, str, str, str, int | None]] = [("", str(kept), asked.words, whole, None)]
    for field in fields:
        value = typed[field.save]
        written = {True: "yes", False: "no"}[value] if isinstance(value, bool) else str(value)
        words = next((shown for key, shown in field.answers.items() if str(key) == written), written)
        consent = int(bool(value)) if field.kind == "consent" else None
        rows.append((field.save, written, field.words, words, consent))
    return [
        answers.Said(asked.enrollment, asked.subscriber, asked.plan, asked.root, *row[:4], asked.language, row[4], now)
        for row in rows
    ]


def unsubscribe(store: Store, deployed: Deployed, message: str, now: datetime) -> bool:
    """Take the person this mail went to off the list; False when no such mail is known. Repeating it is harmless."""
    return _report(store, deployed, message, Event(Kind.UNSUBSCRIBED, now), now)


def _report(store: Store, deployed: Deployed, message: str, event: Event, now: datetime) -> bool:
    with deciding(store, deployed) as tx:
        row = messages.by_ids(tx, [message]).get(message)
        if row is None:
            return False
        apply_reports(tx, deployed, [Report(event, OWN, row)], now)
        people.seen(tx, {row.subscriber: now})
    return True
