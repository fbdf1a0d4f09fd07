"""The JSON Schema of an ask: the key that names its kind picks the form, so that one slip is one error."""

from __future__ import annotations

from nurture.language.asks import MOST_FRIENDS, missing
from nurture.language.forms import FIELD_KINDS
from nurture.language.kinds import KINDS
from nurture.language.schema_words import NAME, Schema, choice, choose, has, is_a, items, keyed, ref, say, text

CARRIED = {"event": "event", "product": "product", "name": "name"}
"""What a kind's own key holds, where that is not just text."""


def kind_words() -> dict[str, Schema]:
    return {
        kind: say(ref(CARRIED[form.carries]), f"{form.says} Size {form.size}.", form.example)
        if form.carries in CARRIED
        else text(f"{form.says} Size {form.size}.", form.example)
        for kind, form in KINDS.items()
        if not form.later
    }


def ask_details() -> dict[str, Schema]:
    """The keys of an ask beside the one that names its kind."""
    return {
        "to": say(ref("target"), "Where it leads.", "https://example.com/tour"),
        "label": text("The words of the button.", "Get the checklist"),
        "size": {
            "description": "How much is asked, where it is not what is usual for the kind.",
            "type": "integer",
            "minimum": 1,
            "maximum": 5,
            "examples": [2],
            "errorMessage": "write a size from 1 to 5",
        },
        "save": say(ref("attribute"), "Keep the answer as this attribute.", "loan"),
        "price": text("The price, as it is shown.", "99 GBP"),
        "code": say(
            choose(
                (
                    is_a("object"),
                    keyed({"pool": ref("name")}, {"pool": "write the name of the pool, as in {pool: spring}"}),
                ),
                otherwise=ref("text"),
            ),
            "The discount code: one for all, or for each person one of a pool (`nurture codes import`).",
            "spring",
            {"pool": "spring"},
        ),
        "expires": say(ref("duration"), "The deadline of the offer, from when the mail is written.", "72 hours"),
        "friends": {
            "description": "How many friends it takes. One counts when they have confirmed and done something themselves.",
            "type": "integer",
            "minimum": 1,
            "maximum": MOST_FRIENDS,
            "examples": [3],
            "errorMessage": f"friends is a whole number from 1 to {MOST_FRIENDS}",
        },
        "signup": text("The form that friends come by, of people.yaml. Left out: the first one there.", "news"),
        "missed": say(
            ref("target"),
            "Where the link leads when the deadline is over. Left out: a page of ours that says so.",
            "https://example.com/course",
        ),
        "at_least": {
            "description": "How much of the video has to be played.",
            "default": "60%",
            "type": "string",
            "pattern": r"^\d{1,3}\s*%$",
            "examples": ["80%"],
            "errorMessage": "write a percentage, such as 60%",
        },
        "results": {
            **choice(("shown", "hidden"), "Show to who answered how others did, once 20 have answered."),
            "examples": ["shown"],
        },
        "pages": {
            "description": "The pages of a form, each with a title and fields.",
            "examples": [[{"title": "About you", "fields": [{"text": "What do you sell?", "save": "trade"}]}]],
            **items(form_page()),
        },
        "answers": {
            "description": "The answers by name, each with its words. Two or more.",
            "examples": [{"home": "A home loan", "auto": "An auto loan"}],
            "type": "object",
            "minProperties": 2,
            "propertyNames": answer_name(),
            "additionalProperties": ref("text"),
        },
    }


def ask() -> Schema:
    details = ask_details()
    apart = {
        "watch": {"to": say(ref("film"), "The video: a page, or a file in files/ that our own page plays.", "tour.mp4")}
    }
    words = kind_words()
    works = {kind: form for kind, form in KINDS.items() if not form.later}
    kinds = [
        (
            has(kind),
            keyed(
                {kind: words[kind], **{key: details[key] for key in (*form.keys, "size")}, **apart.get(kind, {})},
                required={key: missing(kind, key) for key in form.required},
            ),
        )
        for kind, form in works.items()
    ]
    how = f"an ask begins with its kind: {', '.join(works)}"
    unknown: Schema = {"properties": words, "propertyNames": {"enum": list(works), "errorMessage": how}}
    return {
        "type": ["string", "object"],
        **choose(
            (is_a("string"), ref("name")), *kinds, otherwise={**unknown, "type": "object", "minProperties": 1}
        ),
    }  # fmt: skip


def form_page() -> Schema:
    return keyed(
        {"title": text("What stands above the page.", "About you"), "fields": items(field())},
        required={"fields": "write the fields of this page, each like {text: What do you sell?, save: trade}"},
    )


FIELD_WORDS = {
    "text": "Text, typed.", "number": "A number.", "date": "A day.", "yes_no": "Yes or no.",
    "choice": "One of several answers.", "consent": "A box to tick; the words beside it are kept with the tick.",
}  # fmt: skip


def field() -> Schema:
    """One question of a form: the key that names its kind picks the form."""
    other: dict[str, Schema] = {
        "save": say(ref("attribute"), "Keep the answer as this attribute.", "trade"),
        "optional": {**choice(("yes", "no"), "Whether it may be left empty."), "examples": ["yes"]},
    }
    kinds = []
    for kind in FIELD_KINDS:
        needed = {"save": "write save: and the attribute that keeps it"}
        own = {kind: text(FIELD_WORDS[kind], "What do you sell?"), **other}
        if kind == "choice":
            own["answers"] = {
                "description": "The answers by name, each with its words.", "type": "object", "minProperties": 2,
                "propertyNames": answer_name(), "additionalProperties": ref("text"),
                "examples": [{"home": "A home loan", "auto": "An auto loan"}],
            }  # fmt: skip
            needed["answers"] = "write answers: {home: A home, auto: A car}"
        kinds.append((has(kind), keyed(own, required=needed)))
    how = f"a field begins with its kind: {', '.join(FIELD_KINDS)}"
    return choose(*kinds, otherwise={"type": "object", "required": ["text"], "errorMessage": how})


def answer_name() -> Schema:
    return {
        "pattern": rf"{NAME}|^-?\d+$",
        "patternErrorMessage": "an answer is a name, such as not_now, or a whole number",
    }
