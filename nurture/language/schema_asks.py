"""The JSON Schema of an ask: the key that names its kind picks the form, so that one slip is one error."""

from __future__ import annotations

from nurture.language.asks import KINDS, MOST_FRIENDS, missing
from nurture.language.schema_words import NAME, Schema, choose, has, is_a, keyed, ref, say, text


def kind_words() -> dict[str, Schema]:
    return {
        "click": text("A click by a person. The words of the button. Size 1.", "Show me how it works"),
        "poll": text("One question, answered with one tap and confirmed on a page. Size 1.", "Home loan or auto loan?"),
        "download": text("A file in files/, fetched by a person. Size 2.", "checklist.pdf"),
        "reply": text("A question that is answered by writing back. Size 2.", "What do you sell?"),
        "event": say(ref("event"), "The product reports that it was done. Size 3.", "account_connected"),
        "refer": text(
            "An invitation: so many friends came by the person's own link. The words of the button. Size 4.",
            "Invite three friends",
        ),
        "buy": say(ref("product"), "The offer: this product is bought. Size 5.", "review"),
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
    words = kind_words()
    works = {kind: form for kind, form in KINDS.items() if not form.later}
    kinds = [
        (
            has(kind),
            keyed(
                {kind: words[kind], **{key: details[key] for key in (*form.keys, "size")}},
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


def answer_name() -> Schema:
    return {
        "pattern": rf"{NAME}|^-?\d+$",
        "patternErrorMessage": "an answer is a name, such as not_now, or a whole number",
    }
