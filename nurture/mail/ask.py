"""How the one ask of a mail looks: a button, or the answers of a poll; and the parts of it for hand-made markup."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Literal

from nurture.mail.phrases import phrases

if TYPE_CHECKING:
    from nurture.language.sequence import AnswerKey, Ask
    from nurture.mail.slots import Slots

Format = Literal["md", "html", "mjml"]

BUTTON = (
    '<table role="presentation" class="ask" cellpadding="0" cellspacing="0" border="0"><tr><td>'
    '<a class="button" href="{url}">{label}</a></td></tr></table>'
)
CHOICES = (
    '<table role="presentation" class="ask" width="100%" cellpadding="0" cellspacing="0" border="0">{rows}</table>'
)
CHOICE = '<tr><td style="padding:0 0 10px"><a class="choice" href="{url}">{label}</a></td></tr>'
QUESTION = '<tr><td style="padding:0 0 10px"><strong>{words}</strong></td></tr>'
MJ_QUESTION = '<mj-text font-weight="bold">{words}</mj-text>'
MJ_BUTTON = '<mj-button css-class="nv-button" href="{url}">{label}</mj-button>'
MJ_CHOICE = (
    '<mj-button css-class="nv-button nv-choice" href="{url}" background-color="#f4f7f5" color="#0f5a43" '
    'border="1px solid #bfd8cd" width="100%" padding="5px 25px">{label}</mj-button>'
)


INVITATION = (
    '<p class="soft">{words}<br><a href="plain:{link}">{link}</a><br><a href="plain:{sharing}">{by_mail}</a></p>'
)
MJ_INVITATION = (
    '<mj-text>{words}<br/><a href="plain:{link}">{link}</a><br/><a href="plain:{sharing}">{by_mail}</a></mj-text>'
)


@dataclass(frozen=True, slots=True)
class Invitation:
    """What a person passes on to friends: their link, and a mail that is begun already. `plain:`, so no second ask."""

    link: str
    sharing: str
    words: str
    by_mail: str


@dataclass(frozen=True, slots=True)
class Choice:
    """One answer of a poll: its key, its words, and the address that chooses it."""

    key: AnswerKey
    label: str
    url: str


@dataclass(frozen=True, slots=True)
class ShownAsk:
    """`{{ ask }}` in a template. `url` is where it leads; any number of links to it is one ask.

    Of a form, `left` is how many pages are left and `done` how many were sent; its choices answer its first `question`.
    """

    kind: str
    words: str
    label: str
    url: str
    price: str
    choices: tuple[Choice, ...]
    format: Format
    slots: Slots
    left: int = 0
    done: int = 0
    question: str = ""
    invitation: Invitation | None = None

    def __html__(self) -> str:
        # no blank lines inside: one would end an HTML block in Markdown
        mjml = self.format == "mjml"
        if not self.choices:
            return self._filled(MJ_BUTTON if mjml else BUTTON, self.url, self.label) + self._invitation()
        question = (MJ_QUESTION if mjml else QUESTION).format(words=escape(self.question)) if self.question else ""
        rows = question + "".join(
            self._filled(MJ_CHOICE if mjml else CHOICE, choice.url, choice.label) for choice in self.choices
        )
        return rows if mjml else CHOICES.format(rows=rows)

    def _invitation(self) -> str:
        one = self.invitation
        if one is None:
            return ""
        markup = MJ_INVITATION if self.format == "mjml" else INVITATION
        link, sharing = self.slots.keep(one.link), self.slots.keep(one.sharing)
        return markup.format(words=escape(one.words), link=link, sharing=sharing, by_mail=escape(one.by_mail))

    def __str__(self) -> str:
        return self.words

    def _filled(self, markup: str, url: str, label: str) -> str:
        return markup.format(url=self.slots.keep(url), label=escape(label))


def choices_of(ask: Ask, language: str, done: int = 0) -> dict[AnswerKey, str]:
    """What can be answered from the mail with one click: a poll, or the first question of a form not yet begun."""
    if not ask.pages:
        return labels(ask.answers)
    first = ask.fields[0]
    if done or first.kind not in ("choice", "yes_no"):
        return {}
    if first.kind == "yes_no":
        said = phrases(language).page
        return {"yes": said["yes"], "no": said["no"]}
    return labels(first.answers)


def labels(answers: Mapping[AnswerKey, str]) -> dict[AnswerKey, str]:
    """The words of each answer, its key where it has none."""
    return {key: words or str(key) for key, words in answers.items()}
