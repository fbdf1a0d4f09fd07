"""The schemas of the files beside a sequence: its words in another language, and `people.yaml`. And all as files."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from nurture.language import people
from nurture.language.forms import FIELD_KINDS
from nurture.language.schema import schema
from nurture.language.schema_asks import answer_name
from nurture.language.schema_words import DRAFT, NAME, Schema, choose, is_a, items, keyed, ref, say, settled, text
from nurture.language.translation import ASK_WORDS

if TYPE_CHECKING:
    from collections.abc import Mapping

ANSWER = {"type": ["string", "number"], "errorMessage": "write the words of the answer"}


def answer_words() -> Schema:
    return {
        "description": "The answers by the names they have in the main file, each with its words.",
        "type": "object",
        "propertyNames": answer_name(),
        "additionalProperties": ANSWER,
        "examples": [{"home": "Ein Hauskredit", "auto": "Ein Autokredit"}],
    }


def language_schema() -> Schema:
    """The schema of `home-loan.de.yaml`. Which words are missing depends on the main file, so `check` says it."""
    page = keyed(
        {
            "title": text("What stands above the page.", "Über Sie"),
            "fields": items(
                keyed({**{kind: text("The words of the field.") for kind in FIELD_KINDS}, "answers": answer_words()})
            ),
        }
    )
    words: Mapping[str, Schema] = {
        "click": text("The words of the button, for a click.", "Zeigen Sie es mir"),
        "poll": text("The question of a poll.", "Haus oder Auto?"),
        "reply": text("The question that is answered by writing back.", "Was verkaufen Sie?"),
        "refer": text("The words of the button, for an invitation.", "Freunde einladen"),
        "answers": answer_words(),
        "watch": text("The words of the button, for a video.", "Rundgang ansehen"),
        "pages": {
            "description": "The pages of a form, in the same order, each field with its words and no save.",
            "examples": [[{"title": "Über Sie", "fields": [{"text": "Was verkaufen Sie?"}]}]],
            **items(page),
        },
        "label": text(
            "The words of the button, for a download, a reply, a form, an event or an offer.", "Checkliste holen"
        ),
        "price": text("The price as it is shown. Left out: that of the main file.", "99 £"),
    }
    others = {key for keys in ASK_WORDS.values() for key in keys} - set(words)
    words = {**words, **{key: text("The words of an ask of this kind.") for key in others}}
    subject = choose((is_a("array"), {"type": "array", "items": text("A subject.")}), otherwise=text("A subject."))
    step = keyed(
        {
            "subject": say(
                subject, "The subject line; as many as the main file tests, in the same order.", "Eine Frage"
            ),
            "preheader": text("The line that mail programs show after the subject.", "Ein Tipp genügt."),
            "with": {"description": "Words for the template, by name.", "type": "object"},
            "ask": say(ref("ask"), "The words of the ask. What decides stays in the main file.", {"label": "Holen"}),
        }
    )
    proof = keyed(
        {
            "quote": text("Their words.", "Zehn Minuten, und wir sparen 80 im Monat."),
            "name": text("Who said it. Left out: as in the main file.", "Lena Berg, Leeds"),
        },
        required={"quote": "write their words under quote:"},
    )
    badge = keyed({"title": text("What the badge is called.", "Dabei")}, required={"title": "write its title"})
    definitions: dict[str, Schema] = {"step": step, "ask": keyed(words), "proof": proof, "badge": badge}
    whole: Schema = {
        "$schema": DRAFT,
        "title": "A nurture sequence in another language",
        "description": "The words of the sequence beside it, and nothing that decides.",
        **keyed(
            {
                "title": text("What this sequence is, for people.", "Von einer Frage zur Beratung"),
                "steps": {
                    "description": "The steps of the main file, each with its words.",
                    "type": "object",
                    "propertyNames": {"pattern": NAME, "patternErrorMessage": "write the name of a step"},
                    "additionalProperties": ref("step"),
                },
                "proof": {
                    "description": "What others said, in the same order as in the main file.",
                    "examples": [[{"quote": "Zehn Minuten, und wir sparen 80 im Monat."}]],
                    **items(ref("proof")),
                },
                "badges": {
                    "description": "The badges of the main file, each with its title.",
                    "type": "object",
                    "propertyNames": {"pattern": NAME, "patternErrorMessage": "write the name of a badge"},
                    "additionalProperties": ref("badge"),
                    "examples": [{"keen": {"title": "Dabei"}}],
                },
            },
            required={"steps": "write the words of each step under steps:"},
        ),
        "definitions": definitions,
    }
    return settled(whole, definitions)


def signup_schema(name: Schema) -> Schema:
    """One form."""
    several: Schema = choose(
        (is_a("array"), {"type": "array", "items": {"type": "string"}}), otherwise={"type": "string"}
    )
    return keyed(
        {
            "title": text("What one signs up for: the heading of the form, and what its mail asks about.", "One mail a week"),
            "ask": {
                "description": "The attributes it asks for beside the address.",
                "type": "array", "items": name, "examples": [["first_name"]],
            },
            "consent": text("What one agrees to. It is kept with the sign-up as it was shown.", "Yes, one mail a week."),
            "button": text("The words of the button.", "Sign me up"),
            "start": say(several, "Sequences that begin then, beside those that start at `joined`.", "home-loan"),
            "to": say({"type": "string"}, "Where one goes then. Left out: a page of ours.", "https://example.com/welcome"),
            "confirm": {
                "description": "Whether a mail asks first whether it was them (double opt-in).",
                "enum": ["yes", "no"], "default": "yes", "examples": ["no"],
            },
            "from": text("Who sends that mail. Left out: who sends the first sequence.", "Ada <ada@example.com>"),
            "roles": {
                "description": "Addresses that several people read, such as info@.",
                "enum": ["allow", "refuse"], "default": "allow", "examples": ["refuse"],
            },
            "disposable": {
                "description": "Throw-away addresses, by a list of their domains.",
                "enum": ["refuse", "allow"], "default": "refuse", "examples": ["allow"],
            },
        },
        required={"title": "write what one gets, as in title: One useful mail a week"},
    )  # fmt: skip


def people_schema() -> Schema:
    """The schema of `people.yaml`."""
    kind = choose(
        (is_a("array"), {"type": "array", "minItems": 1, "items": {"type": ["string", "number", "boolean"]}}),
        otherwise={
            "enum": list(people.KINDS), "errorMessage": f"write {', '.join(people.KINDS)}, or a list of words",
        },
    )  # fmt: skip
    name: Schema = {
        "pattern": r"^[a-z][a-z0-9_]*$",
        "patternErrorMessage": "a name has small letters, digits and _",
    }
    given_names: Schema = {"type": "array", "items": {"type": "string", **name}}
    fields: Schema = {"type": "object", "propertyNames": name, "additionalProperties": ref("kind")}
    definitions: dict[str, Schema] = {
        "signup": signup_schema(name),
        "kind": {
            "description": "text, number, date, yearly (a day of the year), yes_no, or a list of words.",
            **kind,
            "examples": [*people.KINDS, ["free", "pro"]],
        },
    }
    events = choose(
        (is_a("array"), given_names),
        otherwise={
            "type": "object", "propertyNames": name,
            "additionalProperties": choose((is_a("null"), {}), otherwise=fields),
        },
    )  # fmt: skip
    whole: Schema = {
        "$schema": DRAFT,
        "title": "What we know of people",
        "description": "Declared once; sequences, templates, imports and the API may use these names and no others.",
        **keyed(
            {
                "attributes": {
                    **fields,
                    "description": "What is known of a person, each with its kind of value.",
                    "examples": [{"first_name": "text", "seats": "number", "plan": ["free", "pro"]}],
                },
                "events": say(
                    events, "What the product or website reports, each with the kinds of its data.",
                    {"trial_started": {"trial_ends": "date"}},
                ),
                "products": {**given_names, "description": "What can be bought.", "examples": [["review"]]},
                "signups": {
                    "description": "Forms by which people put themselves on the list, each by its name.",
                    "type": "object", "propertyNames": name, "additionalProperties": ref("signup"),
                    "examples": [{"news": {"title": "One mail a week", "ask": ["first_name"]}}],
                },
                "tags": {**given_names, "description": "Tags a person can have.", "examples": [["vip"]]},
            }
        ),
        "definitions": definitions,
    }  # fmt: skip
    return settled(whole, definitions)


SCHEMAS = {"sequence": schema, "language": language_schema, "people": people_schema}
"""By the word that `nurture schema` takes."""


def schema_file(kind: str) -> str:
    """The text of `sequence.schema.json`, `language.schema.json` or `people.schema.json`, which headers name."""
    return json.dumps(SCHEMAS[kind](), indent=2, ensure_ascii=False) + "\n"
