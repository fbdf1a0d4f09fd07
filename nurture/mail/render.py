"""How a step becomes an email to one person: written from its template, around its one ask, with a way out in it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from email.utils import parseaddr
from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING
from urllib.parse import quote, urlencode, urlsplit

from nurture.errors import RenderError
from nurture.journey.branching import lot
from nurture.journey.enrollment import Invited, Ranked
from nurture.journey.timing import zone as zone_of
from nurture.language.kinds import CONFIRM, HAND_OVER, HOSTED
from nurture.language.sequence import Proof
from nurture.language.targets import wrong_with
from nurture.mail.ask import Choice, Format, Invitation, ShownAsk, choices_of
from nurture.mail.board import ShownBoard
from nurture.mail.counts import uncounted
from nurture.mail.effort import Badges, Progress
from nurture.mail.links import Links
from nurture.mail.message import Message
from nurture.mail.page import Page, Press
from nurture.mail.person import Friends, names
from nurture.mail.phrases import phrases
from nurture.mail.proof import ShownProof
from nurture.mail.slots import Slots, fill_html, fill_text, slot

if TYPE_CHECKING:
    from nurture.journey.enrollment import Enrollment, Granted, Subscriber
    from nurture.language.sequence import Ask, Place, Sequence, Step
    from nurture.mail.counts import Tallies

Line = Callable[[Mapping[str, object]], str]
"""A subject or preheader, ready to be filled in."""

NOBODY = Invited(
    "1a2b3c4d5e", board=(Ranked(1, "Zoë", 7), Ranked(2, "M.", 4), Ranked(2, "K.", 4), Ranked(4, "A.", 1, own=True))
)
"""For whom a mail is imagined."""

NONE_MADE: Mapping[str, Granted] = MappingProxyType({})
UNSUBSCRIBE, PREHEADER, POSTAL = 0, 1, 2
"""The slots that every mail has."""

_SAFE = re.compile(r"(https?://|mailto:)", re.IGNORECASE)
_EXPRESSION = re.compile(r"\{\{\s*start\.(\w+)\s*\}\}")


@dataclass(frozen=True, slots=True)
class Letterhead:
    """What is the same in every mail of a project.

    `zone` is where people live whose own zone is unknown. `hosts` are those a target from a start event may lead to.
    """

    postal_address: str = ""
    zone: str = "UTC"
    hosts: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Written:
    """A mail, and where its ask leads in the end (its `/c/` link redirects there and nowhere else)."""

    message: Message
    target: str


class Writer:
    """Writes the mails of one sequence in each of its languages. What can be made ready once for all people is."""

    def __init__(self, sequence: Sequence, press: Press) -> None:
        self._sequence = sequence
        self._templates = press.templates
        self._press = press
        self._subjects: dict[tuple[str, int], Line] = {}
        self._preheaders: dict[str, Line] = {}
        self._others = {one.language: Writer(one, press) for one in sequence.languages.values()}

    def write(
        self, step_name: str, *, enrollment: Enrollment, subscriber: Subscriber, links: Links, letterhead: Letterhead,
        message_id: str, key: str, offers: Mapping[str, Granted] = NONE_MADE, pages_done: int = 0,
        invited: Invited = NOBODY, tallies: Tallies = uncounted,
    ) -> Written:  # fmt: skip
        """The mail of a step to a person, in their language. Raises RenderError when it cannot be written for them.

        `offers` are those made to the person in this pass, by root step. `pages_done` are those of its form.
        `tallies` are how others answered.
        """
        spoken = self._sequence.in_language(subscriber.attributes.get("language"))
        if spoken is not self._sequence:
            return self._others[spoken.language].write(
                step_name, enrollment=enrollment, subscriber=subscriber, links=links, letterhead=letterhead,
                message_id=message_id, key=key, offers=offers, pages_done=pages_done, invited=invited, tallies=tallies,
            )  # fmt: skip
        sequence, step = self._sequence, self._sequence.steps[step_name]
        zone = zone_of(str(subscriber.attributes.get("timezone") or ""), letterhead.zone)
        reply_to = self._reply_to(step, links, message_id)
        target = target_of(step.ask, enrollment, letterhead.hosts)
        if step.ask.kind == "reply":
            target = f"mailto:{parseaddr(reply_to or sequence.sender)[1]}"
        url = links.ask(message_id, step.ask, target)
        unsubscribe = links.unsubscribe(message_id)
        values = names(sequence, step, enrollment, subscriber, zone, offers, links, invited, tallies)
        subject = self.subject(step, subscriber)(values)
        if not subject:
            raise RenderError(f"the subject of {sequence.name}.{step.name} is empty for this person")
        preheader = self._preheader(step)(values)
        slots = Slots([unsubscribe, preheader, letterhead.postal_address])
        page = self.page(step, values, slots, links, message_id, url, pages_done)
        self._refuse(page, slots, step)
        message = Message(
            id=message_id,
            key=key,
            sender=sequence.sender,
            to=subscriber.email,
            subject=subject,
            html=fill_html(page.html, slots),
            text=fill_text(page.text, slots),
            reply_to=reply_to,
            headers=(
                # RFC 2369 and RFC 8058: one address, and a POST to it unsubscribes
                ("List-Unsubscribe", f"<{unsubscribe}>"),
                ("List-Unsubscribe-Post", "List-Unsubscribe=One-Click"),
                ("X-Nurture-Id", message_id),
            ),
        )
        return Written(message, url if step.ask.kind in HOSTED else target)

    def _reply_to(self, step: Step, links: Links, message_id: str) -> str:
        """Where replies go: to us when they mean something here, else where the author wants them."""
        sequence = self._sequence
        heard = step.ask.kind == "reply" or any(one.kind == "replied" for one in (*sequence.goal, *sequence.stop))
        return (links.reply(message_id) if heard else "") or sequence.reply_to

    def page(
        self, step: Step, values: Mapping[str, object], slots: Slots, links: Links, message_id: str, url: str,
        pages_done: int = 0,
    ) -> Page:  # fmt: skip
        """The mail with slots for values. The first three slots are `UNSUBSCRIBE`, `PREHEADER` and `POSTAL`."""
        form = format_of(step.template)
        ask = _shown(step.ask, url, links, message_id, form, slots, values, self._sequence.language, pages_done)
        given: dict[str, object] = {
            **values, "ask": ask, "unsubscribe_url": slots[UNSUBSCRIBE], "preheader": slots[PREHEADER],
            "postal_address": slots[POSTAL],
        }  # fmt: skip
        friends = values.get("friends")
        if isinstance(friends, Friends):
            board = ShownBoard(friends.board, phrases(self._sequence.language).mail["you"], form, slots)
            given["leaderboard"] = lambda: board
        if isinstance(proof := values.get("proof"), Proof):
            given["proof"] = ShownProof(proof.quote, proof.name, proof.picture, form)
        if isinstance(badges := values.get("badges"), Badges):
            given["badges"] = badges.placed(links, message_id, slots, mjml=form == "mjml")
        if isinstance(progress := values.get("progress"), Progress):
            given["progress"] = replace(progress, mjml=form == "mjml")
        body = self._templates.page(step.template, given, slots)
        return self._press.page(
            body, form, self._sequence.language, self._sequence.title,
            slot(PREHEADER) if slots[PREHEADER] else "", slot(POSTAL) if slots[POSTAL] else "",
            why=f"{step.ask.kind}_footer" if step.ask.kind in (CONFIRM, HAND_OVER) else "",
        )  # fmt: skip

    def subject(self, step: Step, subscriber: Subscriber) -> Line:
        """The subject this person gets, ready to be filled in. Of several, each person always draws the same."""
        ticket = lot(subscriber.id, f"{self._sequence.name}/{step.name}/subject")
        return self._subject_at(step, int(ticket * len(step.subjects)))

    def _subject_at(self, step: Step, number: int) -> Line:
        known = self._subjects.get((step.name, number))
        if known is None:
            known = self._templates.line(step.subjects[number], f"the subject of {self._sequence.name}.{step.name}")
            self._subjects[step.name, number] = known
        return known

    def lines(self, step: Step) -> Iterator[tuple[str, Place, Callable[[], Line]]]:
        """The subjects and the preheader as they were written, where they stand in the file, and what compiles them."""
        for number, text in enumerate(step.subjects):
            place: Place = ("steps", step.name, "subject")
            one = partial(self._subject_at, step, number)
            yield text, (*place, number) if len(step.subjects) > 1 else place, one
        if step.preheader:
            yield step.preheader, ("steps", step.name, "preheader"), partial(self._preheader, step)

    def _preheader(self, step: Step) -> Line:
        known = self._preheaders.get(step.name)
        if known is None:
            known = self._templates.line(step.preheader, f"the preheader of {self._sequence.name}.{step.name}")
            self._preheaders[step.name] = known
        return known

    def _refuse(self, page: Page, slots: Slots, step: Step) -> None:
        """No mail without a way out, and no address that leads somewhere a value could have chosen to."""
        if slot(UNSUBSCRIBE) not in page.links and not leads(page, slots, {slots[UNSUBSCRIBE]}):
            raise RenderError(f"templates/{step.template}: no unsubscribe link is in this mail; print unsubscribe_url")
        if slots[POSTAL] and slot(POSTAL) not in page.text:
            raise RenderError(f"templates/{step.template}: no postal address is in this mail; print postal_address")
        for number in page.in_addresses:
            if not _SAFE.match(slots[number]):
                raise RenderError(
                    f"templates/{step.template}: '{slots[number][:60]}' stands where a web address must; "
                    "it has to begin with https://"
                )


def format_of(template: str) -> Format:
    ending = template.rpartition(".")[2]
    return "mjml" if ending == "mjml" else "html" if ending in ("html", "htm") else "md"


def leads(page: Page, slots: Slots, to: set[str]) -> bool:
    """Whether some link of the page leads to one of these."""
    return any(fill_text(link, slots) in to for link in page.links)


def target_of(ask: Ask, enrollment: Enrollment, hosts: frozenset[str]) -> str:
    """Where an ask leads, filled in from the start event. Raises RenderError for a host that is not allowed."""
    if "{{" not in ask.to:
        return ask.to

    def value(match: re.Match[str]) -> str:
        found = enrollment.data.get(match[1])
        if found is None:
            raise RenderError(f"start.{match[1]}, where this ask leads, is not known of this person")
        return str(found) if match.start() == 0 else quote(str(found), safe="")

    address = _EXPRESSION.sub(value, ask.to)
    own = urlsplit(_EXPRESSION.sub("", ask.to)).hostname
    if wrong_with(address):
        raise RenderError(f"{address[:80]!r}, where this ask leads, {wrong_with(address)}")
    host = urlsplit(address).hostname or ""
    if host != own and host not in hosts:
        raise RenderError(f"{host}, where this ask leads, is not among the allowed hosts (NURTURE_ALLOWED_HOSTS)")
    return address


def _shown(
    ask: Ask, url: str, links: Links, message_id: str, form: Format, slots: Slots, values: Mapping[str, object],
    language: str, done: int,
) -> ShownAsk:  # fmt: skip
    choices = tuple(
        Choice(key, words, links.choice(message_id, key)) for key, words in choices_of(ask, language, done).items()
    )
    label = ask.label or ask.words
    left = max(0, len(ask.pages) - done)
    question = ask.fields[0].words if ask.pages and choices else ""
    invitation = None
    friends = values.get("friends")
    if ask.kind == "refer" and isinstance(friends, Friends):
        said = phrases(language).mail
        sharing = f"mailto:?{urlencode({'body': said['share_text'].format(link=friends.link)}, quote_via=quote)}"
        invitation = Invitation(friends.link, sharing, said["your_link"], said["share_by_mail"])
    return ShownAsk(ask.kind, ask.words, label, url, ask.price, choices, form, slots, left, done, question, invitation)
