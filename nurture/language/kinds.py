"""The kinds of ask, one table: what each is made of, and how its yes comes. Others may add to it by an entry point.

A kind decides nothing by itself. It names one of the ways a yes can come that the engine knows, so that whatever is
written here works in checks, stories, forecasts, pages and reports alike.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from importlib.metadata import entry_points
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal

from nurture.language.words import NAME

if TYPE_CHECKING:
    from collections.abc import Mapping

log = logging.getLogger("nurture.asks")

GROUP = "nurture.asks"
"""The entry point under which a distribution offers a kind: `book = "its_package:BOOK"`, which is an AskForm."""

Yes = Literal["click", "page", "reply", "event", "friends", "bought"]
"""How a yes comes: a human click, a confirmation on a page of ours, a reply, friends who came, what the product or the
shop reports."""

Carries = Literal["words", "file", "event", "product", "name"]


@dataclass(frozen=True, slots=True)
class AskForm:
    """What an ask of one kind is made of, beside the key that names it. `later` kinds are known but do not work yet.

    `carries` is what the naming key holds. `words` are the keys a language file translates, the needed ones first.
    `says` and `example` are for the reference and the editor, `label` is the button's where none is written, `icon` is
    drawn in the chart, in 18 by 18.
    """

    size: int
    yes: Yes = "page"
    keys: tuple[str, ...] = ()
    required: tuple[str, ...] = ()
    carries: Carries = "words"
    words: tuple[str, ...] = ()
    says: str = ""
    example: str = ""
    label: str = "Continue"
    icon: str = ""
    later: bool = False


BUILT_IN: Mapping[str, AskForm] = MappingProxyType(
    {
        "click": AskForm(
            1, "click", ("to",), ("to",), words=("click",),
            says="A click by a person. The words of the button.", example="Show me how it works",
            icon='<path d="M4 3l11 4.5-4.8 1.7L8.5 14z"/>',
        ),
        "poll": AskForm(
            1, "page", ("answers", "save", "results"), ("answers",), words=("poll", "answers"),
            says="One question, answered with one tap and confirmed on a page.", example="Home loan or auto loan?",
            icon='<path d="M4 15V9M9 15V3M14 15v-4"/>',
        ),
        "download": AskForm(
            2, "page", ("label",), carries="file", words=("label",),
            says="A file in files/, fetched by a person.", example="checklist.pdf",
            icon='<path d="M9 2.5v8.5M5.5 7.8L9 11.3l3.5-3.5M3.5 15h11"/>',
        ),
        "watch": AskForm(
            2, "page", ("to", "at_least"), ("to",), words=("watch",),
            says="A video, so much of it really played. The words of the button.", example="Watch the tour",
            icon='<circle cx="9" cy="9" r="6.5"/><path d="M7.5 6.3v5.4L12 9z"/>',
        ),
        "reply": AskForm(
            2, "reply", ("label",), words=("reply", "label"),
            says="A question that is answered by writing back.", example="What do you sell?", label="Reply",
            icon='<path d="M7 4L3 8l4 4M3 8h6.5a5 5 0 0 1 5 5v1.5"/>',
        ),
        "form": AskForm(
            3, "page", ("label", "pages", "code", "expires"), ("pages",), carries="name", words=("label", "pages"),
            says="Questions on one page or several; sending the last is the yes. A name for the form.",
            example="loan_check", label="Begin",
            icon='<rect x="3.5" y="2.5" width="11" height="13" rx="2"/><path d="M6.5 6.5h5M6.5 9.5h5M6.5 12.5h2.5"/>',
        ),
        "event": AskForm(
            3, "event", ("label", "to"), ("to",), carries="event", words=("label",),
            says="The product reports that it was done.", example="account_connected",
            icon='<path d="M10 2L4.5 10H9l-1 6 5.5-8H9z"/>',
        ),
        "refer": AskForm(
            4, "friends", ("friends", "signup", "label"), ("friends",), words=("refer",),
            says="An invitation: so many friends came by the person's own link. The words of the button.",
            example="Invite three friends", label="Invite friends",
            icon='<circle cx="6.5" cy="6" r="2.7"/><path d="M2 15c0-3 2-4.5 4.5-4.5S11 12 11 15M13.5 5v5M11 7.5h5"/>',
        ),
        "buy": AskForm(
            5, "bought", ("label", "price", "to", "code", "expires", "missed"), ("to",), carries="product",
            words=("label", "price"), says="The offer: this product is bought.", example="review",
            icon='<path d="M3.5 6h11l-1 9.5h-9zM6.3 8V5a2.7 2.7 0 0 1 5.4 0v3"/>',
        ),
    }
)  # fmt: skip

OTHERS_KEYS = ("to", "label")
"""Keys that a kind from elsewhere may have: where its page leads, and the words of its button."""


def _complaint(name: str, form: object) -> str:
    """Why this is not a kind that can be taken in, "" for one that can."""
    if not isinstance(form, AskForm):
        return "is not a nurture.language.kinds.AskForm"
    if not NAME.fullmatch(name) or name in BUILT_IN or name in (*OTHERS_KEYS, "size"):
        return "has a name that is taken, or none of small letters, digits and _"
    if not set(form.keys) <= set(OTHERS_KEYS):
        return f"has other keys than {' and '.join(OTHERS_KEYS)}"
    if not set(form.required) <= set(form.keys) or not 1 <= form.size <= 5:
        return "requires a key it does not have, or has no size from 1 to 5"
    if form.yes not in ("click", "page") or form.carries != "words":
        return "takes its yes in a way that is not 'click' or 'page', or carries something else than words"
    if form.yes == "click" and "to" not in form.required:
        return "is a click that leads nowhere; require 'to'"
    return ""


def _all_kinds() -> Mapping[str, AskForm]:
    found = dict(BUILT_IN)
    for point in sorted(entry_points(group=GROUP), key=lambda point: point.name):
        try:
            form = point.load()
        except Exception as error:  # noqa: BLE001 - a distribution that cannot be loaded must not stop all else
            log.error("the ask %r of %s cannot be loaded: %s", point.name, point.value, error)  # noqa: TRY400 - one line is enough
            continue
        if complaint := _complaint(point.name, form):
            log.error("the ask '%s' of %s %s", point.name, point.value, complaint)
            continue
        words = tuple(dict.fromkeys((point.name, *(("label",) if "label" in form.keys else ()))))
        found[point.name] = form if form.words else _with_words(form, words)
    return MappingProxyType(found)


def _with_words(form: AskForm, words: tuple[str, ...]) -> AskForm:
    return AskForm(
        form.size, form.yes, form.keys, form.required, form.carries, words, form.says or "An ask of another kind.",
        form.example or "Yes, I will", form.label, form.icon,
    )  # fmt: skip


KINDS: Mapping[str, AskForm] = _all_kinds()
CONFIRM = "confirm"
"""The ask of the mail that follows a sign-up: whether it was them. No author writes it, so the table has none."""

HAND_OVER = "hand_over"
"""The ask of the mail that hands a person what is theirs. No author writes it either."""

ICONS: Mapping[str, str] = MappingProxyType(
    {kind: form.icon for kind, form in KINDS.items()}
    | dict.fromkeys((CONFIRM, HAND_OVER), '<path d="M3.5 9.5l3.7 3.7 7.3-8"/>')
)
"""What stands for each ask that a mail can have, in the chart."""

HOSTED = frozenset(kind for kind, form in KINDS.items() if form.yes in ("page", "friends")) | {CONFIRM, HAND_OVER}
"""Kinds of ask whose link leads to a page of ours rather than to the author's own address."""

CLICKED = frozenset(kind for kind, form in KINDS.items() if form.yes == "click")
OUTSIDE: Mapping[str, str] = MappingProxyType(
    {kind: form.yes for kind, form in KINDS.items() if form.yes in ("event", "bought")}
)
"""Kinds whose yes is a happening that someone else reports, each with the happening."""
