"""The JSON Schema of a sequence file, for editors: completion, hover texts and first errors while typing.

Draft 7, because that is what editors know. Where a value has several forms, the key that is present picks one
(`if`/`then`/`else`), so that one slip is one error. What needs the whole page (does this step exist?) is for `check`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nurture.language.asks import KINDS
from nurture.language.sequence import People
from nurture.language.steps import PRINCIPLES
from nurture.language.stories import ENDS
from nurture.language.values import RESERVED

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

Schema = dict[str, object]

TITLE = "A nurture sequence"

NAME = rf"^(?!({'|'.join(RESERVED)})$)[a-z][a-z0-9_]*$"
LENGTH = r"\d{1,9}\s*(s|seconds?|m|minutes?|h|hours?|d|days?|w|weeks?)"
CLOCK = r"([01]?\d|2[0-3]):[0-5]\d"
DAY = r"(mon|tues?|wed(nes)?|thu(rs)?|fri|sat(ur)?|sun)(day)?"
DATE = r"\d{4}-\d{2}-\d{2}"
MOMENT_NAME = r"(start\.)?[a-z][a-z0-9_]*"
MOMENT = rf"^({CLOCK}|{DAY} {CLOCK}|{DATE}([T ]{CLOCK})?( [A-Za-z]\S*)?|({LENGTH} (before|after) )?{MOMENT_NAME})$"
STORY_TIME = rf"^(day \d{{1,4}} {CLOCK}|{DAY} {CLOCK}|{DATE}([T ]{CLOCK})?)$"
ADDRESS = r"^([^<>]*<[^\s@<>]+@[^\s@<>]+\.[^\s@<>]+>|[^\s@<>]+@[^\s@<>]+\.[^\s@<>]+)$"
ARM_KEYS = ("if", "after", "at", "go", "split")


def schema(people: People | None = None) -> Schema:
    """The schema of a sequence file. With `people`, products, events, tags and attributes are the declared ones."""
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": TITLE,
        "description": "One file, one sequence. It reads from top to bottom as the mails arrive.",
        **_table(_top(), required=("start", "from", "steps")),
        "definitions": {**_words(people or People()), **_forms()},
    }


def _top() -> Mapping[str, Schema]:
    return {
        "title": _text("What this sequence is, for people."),
        "start": _say(_ref("start"), "What begins a pass: joined, {tag: X}, {event: X}, or the long form with when:."),
        "goal": _say(_ref("happenings"), "What ends a pass as a success, from anywhere. One, or a list meaning any."),
        "stop": _say(_ref("happenings"), "What ends a pass without success, from anywhere."),
        "from": _say(_ref("address"), "Who sends its mails: Ada Bright <ada@example.com>."),
        "reply_to": _say(_ref("address"), "Where replies go, if not to the sender."),
        "send": _say(_ref("rules"), "When its mails may leave: a stretch of the day, days, whose time zone, a gap."),
        "within": _say(_ref("duration"), "How long silence is before it is a no, for all asks that do not say."),
        "dates": {
            "description": "Days of the calendar that moments can name.",
            "type": "object",
            "propertyNames": _ref("name"),
            "additionalProperties": _pattern(
                rf"^{DATE}([T ]{CLOCK})?( [A-Za-z]\S*)?$", "a date: 2026-11-24 18:00 Europe/London"
            ),
        },
        "priority": {
            "description": "Which sequence goes first when several have a mail for one person. Higher first.",
            "type": "integer",
            "minimum": -1000,
            "maximum": 1000,
        },
        "steps": {
            "description": "The mails, in order. A branch leads to a later one, to end or to unsubscribe.",
            "type": "object",
            "minProperties": 1,
            "propertyNames": _ref("name"),
            "additionalProperties": _ref("step"),
        },
        "tests": {
            "description": "Stories: what someone does, and what they must get for it.",
            "type": "array",
            "items": _ref("story"),
        },
    }


def _words(people: People) -> Schema:
    """Forms of one word or line. Those that `people.yaml` declares become choices."""
    return {
        "text": {"type": ["string", "number", "boolean"]},
        "name": _pattern(NAME, "a name: small letters, digits and _, and no word of the language"),
        "duration": _pattern(rf"^{LENGTH}$", "a length of time: 20 minutes, 36 hours, 2 days, 1 week"),
        "moment": _pattern(
            MOMENT,
            "a moment: 9:00, tue 9:00, 2026-11-24 18:00 Europe/London, the name of a date, 3 days before renewal",
        ),
        "story_time": _pattern(STORY_TIME, "a time of the story: mon 12:00, day 3 9:00, 2026-11-24 9:00"),
        "address": _pattern(ADDRESS, "an address: Ada Bright <ada@example.com>"),
        "target": _pattern(
            r"^(\{\{.*\}\}|https?://)\S*", "a web address: https://example.com/tour; it may hold {{ start.NAME }}"
        ),
        "go": _pattern(
            rf"^(next|end|unsubscribe|{NAME[1:-1]})$", "a later step, next, end, or unsubscribe (off the list)"
        ),
        "share": {
            "description": "A whole percentage; the shares of a split add up to 100%.",
            "anyOf": [
                {"type": "integer", "minimum": 1, "maximum": 100},
                {"type": "string", "pattern": r"^\d{1,3}\s*%?$"},
            ],
        },
        "product": _declared(people.products, "a product of people.yaml"),
        "event": _declared(people.events, "an event of people.yaml"),
        "tag": _declared(people.tags, "a tag of people.yaml"),
        "attribute": _declared(people.attributes, "an attribute of people.yaml"),
        "condition": _text('A condition over declared names: kept >= 2, answers.question == "home", tags.vip.'),
    }


def _forms() -> Schema:
    """Forms with keys of their own."""
    return {
        "happening": _happening(),
        "happenings": _choose((_is("array"), _list(_ref("happening"))), otherwise=_ref("happening")),
        "start": _choose(
            (_is("array"), _list(_ref("start_happening"))),
            (_has("when"), _long_start()),
            otherwise=_ref("start_happening"),
        ),
        "start_happening": _happening(at=True),
        "rules": _table(
            {
                "between": _pattern(rf"^{CLOCK}\s*[-\u2013]\s*({CLOCK}|24:00)$", "a stretch of the day: 9:00-17:00"),
                "days": _say(
                    _choose((_is("array"), _list(_ref("text"))), otherwise=_ref("text")),
                    "weekdays, weekend, every day, tue, mon-thu, or a list.",
                ),
                "timezone": _text("theirs (the project's where it is not known), or a zone such as Europe/London."),
                "gap": _say(_ref("duration"), "The least time between two mails of this sequence to a person."),
            }
        ),
        "send": _choose((_is("string"), {"const": "now"}), otherwise=_ref("rules")),
        "step": _step(),
        "ask": _ask(),
        "split": _table(
            {"split": {"type": "object", "minProperties": 2, "propertyNames": _ref("go"),
                       "additionalProperties": _ref("share")}},
            required=("split",),
        ),
        "target_of_branch": _choose((_is("string"), _ref("go")), otherwise=_ref("split")),
        "arm": _arm(),
        "conditional_arm": _arm(condition=True),
        "branch": _choose(
            (_is("string"), _ref("go")),
            (_is("array"), _list(_ref("conditional_arm"))),
            (_has("split"), _ref("split")),
            otherwise=_ref("arm"),
        ),
        "branch_by_answer": _choose(
            (_is("object"), _choose((_has(*ARM_KEYS), _ref("branch")), otherwise=_answers())), otherwise=_ref("branch")
        ),
        "story": _story(),
    }  # fmt: skip


def _happening(*, at: bool = False) -> Schema:
    plain = ("joined", "replied", "bought", *(("manual",) if at else ()))
    table = {
        "bought": _say(_ref("product"), "This product was bought."),
        "tag": _say(_ref("tag"), "The person got this tag."),
        "event": _say(_ref("event"), "The product or website reported this event."),
        "kept": _pattern(r"^[a-z0-9][a-z0-9_-]*\.[a-z][a-z0-9_]*$", "an ask of another sequence: SEQUENCE.STEP"),
        "goal": _text("Another sequence reached its goal."),
    }
    if at:
        table["at"] = _say(_ref("moment"), "A moment starts it: a date, or the name of one.")
    one = _table(table) | {"minProperties": 1, "maxProperties": 1}
    return _choose((_is("string"), {"enum": list(plain)}), otherwise=one)


def _long_start() -> Schema:
    again = rf"^(never|always|(after )?{LENGTH})$"
    when = _choose((_is("array"), _list(_ref("start_happening"))), otherwise=_ref("start_happening"))
    return _table(
        {
            "when": _say(when, "What begins a pass: one happening, or a list meaning any."),
            "if": _say(_ref("condition"), "Who may begin."),
            "again": _pattern(again, "never (if left out), always, or after 180 days, from the end of the last pass"),
            "go": _say(_ref("target_of_branch"), "The first step, if not the first of the page; or a split."),
        },
        required=("when",),
    )


def _step() -> Schema:
    subject = _choose((_is("array"), _list(_ref("text"))), otherwise=_ref("text"))
    table = {
        "subject": _say(subject, "The subject line. A list is a test: equal shares, judged by kept asks."),
        "preheader": _text("The line that mail programs show after the subject."),
        "template": _text("A file in templates/: Markdown, MJML or HTML. STEP.md if left out."),
        "with": {"description": "Words for the template.", "type": "object"},
        "ask": _say(_ref("ask"), "The one small action this mail asks for; or an earlier step, to ask the same again."),
        "within": _say(_ref("duration"), "How long silence is before it is a no. It runs from when the mail has left."),
        "until": _say(_ref("moment"), "The moment when silence is a no; after it the mail is not sent at all."),
        "yes": _say({}, "Where a yes leads. Left out: next; end on the last step. For a poll also one way per answer."),
        "no": _say(_ref("branch"), "Where silence leads. Required: end is an answer."),
        "send": _say(_ref("send"), "now, as an answer to someone who waits; or rules that differ from the sequence's."),
        "principle": _choice(PRINCIPLES, "Why it should work, for reports."),
        "award": _say(_ref("name"), "A badge for keeping this ask."),
    }
    one_way = {"required": ["ask"], "properties": {"ask": {"type": "object", "not": {"required": ["poll"]}}}}
    return {
        **_table(table, required=("subject", "ask", "no")),
        "dependencies": {"until": {"not": {"required": ["within"]}}},
        "if": one_way,
        "then": {"properties": {"yes": _ref("branch")}},
        "else": {"properties": {"yes": _ref("branch_by_answer")}},
    }


def _kind_words() -> dict[str, Schema]:
    return {
        "click": _text("A click by a person. The words of the button. Size 1."),
        "poll": _text("One question, answered with one tap. Size 1."),
        "download": _text("A file in files/, fetched by a person. Size 2."),
        "event": _say(_ref("event"), "The product reports that it was done. Size 3."),
        "buy": _say(_ref("product"), "The offer: this product is bought. Size 5."),
    }


def _ask() -> Schema:
    details = {
        "to": _say(_ref("target"), "Where it leads."),
        "label": _text("The words of the button."),
        "size": {"description": "How much is asked, 1 to 5.", "type": "integer", "minimum": 1, "maximum": 5},
        "save": _say(_ref("attribute"), "Keep the answer as this attribute."),
        "price": _text("The price, as it is shown: 99 GBP."),
        "code": _say(_ref("text"), "Where the discount code comes from."),
        "expires": _say(_ref("duration"), "The deadline of the offer, from when the mail is written."),
        "answers": {
            "description": "The answers by name, each with its words: {home: A home loan, auto: An auto loan}.",
            "type": "object",
            "minProperties": 2,
            "propertyNames": _answer_name(),
            "additionalProperties": _ref("text"),
        },
    }
    words = _kind_words()
    works = {kind: form for kind, form in KINDS.items() if not form.later}
    kinds = [
        (
            _has(kind),
            _table(
                {kind: words[kind], **{key: details[key] for key in (*form.keys, "size")}},
                required=(kind, *form.required),
            ),
        )
        for kind, form in works.items()
    ]
    unknown: Schema = {"properties": words, "propertyNames": {"enum": list(works)}}
    return {
        "type": ["string", "object"],
        **_choose(
            (_is("string"), _ref("name")), *kinds, otherwise={**unknown, "type": "object", "minProperties": 1}
        ),
    }  # fmt: skip


def _answer_name() -> Schema:
    return {
        "pattern": rf"{NAME}|^-?\d+$",
        "patternErrorMessage": "an answer is a name, such as not_now, or a whole number",
    }


def _answers() -> Schema:
    return {
        "type": "object",
        "minProperties": 1,
        "propertyNames": _answer_name(),
        "additionalProperties": _ref("branch"),
    }


def _arm(*, condition: bool = False) -> Schema:
    table = {
        "after": _say(_ref("duration"), "Wait this long. In a yes from when it was done, in a no from its end."),
        "at": _say(_ref("moment"), "Wait for this moment. Skipped when it is over or not known."),
        "go": _say(_ref("target_of_branch"), "Where it leads; next if left out."),
    }
    if condition:
        table = {"if": _say(_ref("condition"), "Only if this holds. The last entry has no if."), **table}
    return {**_table(table), "minProperties": 1, "dependencies": {"at": {"not": {"required": ["after"]}}}}


def _story() -> Schema:
    names: Schema = {"type": "array", "items": _ref("name")}
    given = {
        "start": _say(_ref("story_time"), "When the pass begins: mon 10:00 of a fixed week, or a date."),
        "timezone": _text("The person's time zone."),
        "event": {"description": "The data of the event that starts it.", "type": "object"},
        "attributes": {"description": "What is known of the person.", "type": "object"},
        "tags": {"type": "array", "items": _ref("tag")},
        "arms": {"description": "Where every split leads that can.", "type": "array", "items": _ref("go")},
    }
    expect = {
        "path": _say(names, "Every mail, in order."),
        "never": _say(names, "Steps that are not mailed."),
        "at": {
            "description": "When a step's mail leaves.",
            "type": "object",
            "additionalProperties": _ref("story_time"),
        },
        "sent": {"description": "How many mails.", "type": "integer", "minimum": 0},
        "answers": {"description": "What was kept.", "type": "object", "additionalProperties": _ref("text")},
        "ends": _choice(ENDS, "How the pass ends."),
    }
    deed: Schema = {
        "description": "{STEP: yes, after: 2 hours} from its mail, or {event: X, at: day 4 20:00} from the start.",
        "type": "object",
        "minProperties": 1,
        "maxProperties": 3,
        "properties": {"after": _ref("duration"), "at": _ref("story_time"), "event": _ref("event"),
                       "bought": _ref("product"), "tag": _ref("tag")},
        "propertyNames": {"pattern": r"^[a-z][a-z0-9_]*$"},
        "additionalProperties": _ref("text"),
    }  # fmt: skip
    return _table(
        {
            "name": _text("What it shows, as a sentence."),
            "given": _table(given),
            "does": {
                "description": "What the person does. Silence is what is not written.",
                "type": "array",
                "items": deed,
            },
            "expect": _table(expect),
        }
    )


# --- the words of JSON Schema


def _table(properties: Mapping[str, object], required: Iterable[str] = ()) -> Schema:
    table: Schema = {"type": "object", "properties": dict(properties), "additionalProperties": False}
    return {**table, "required": list(required)} if required else table


def _list(items: Schema) -> Schema:
    return {"type": "array", "minItems": 1, "items": items}


def _choose(*cases: tuple[Schema, Schema], otherwise: Schema) -> Schema:
    """The form of the first case that applies."""
    chosen = otherwise
    for condition, form in reversed(cases):
        chosen = {"if": condition, "then": form, "else": chosen}
    return chosen


def _is(kind: str) -> Schema:
    return {"type": kind}


def _has(*keys: str) -> Schema:
    """An object with one of these keys."""
    if len(keys) == 1:
        return {"type": "object", "required": list(keys)}
    return {"type": "object", "anyOf": [{"required": [key]} for key in keys]}


def _ref(name: str) -> Schema:
    return {"$ref": f"#/definitions/{name}"}


def _say(form: Schema, description: str) -> Schema:
    """A form with words of its own. Draft 7 ignores what stands beside a `$ref`, so that goes inside."""
    return {"description": description, "allOf": [form]} if "$ref" in form else {"description": description, **form}


def _text(description: str) -> Schema:
    return {"description": description, "type": ["string", "number", "boolean"]}


def _pattern(pattern: str, how: str) -> Schema:
    """A text of this pattern. `patternErrorMessage` is what the YAML editors say when it does not match."""
    return {"description": how, "type": "string", "pattern": pattern, "patternErrorMessage": f"write {how}"}


def _choice(words: Iterable[str], description: str) -> Schema:
    return {"description": description, "enum": list(words)}


def _declared(names: Iterable[str], how: str) -> Schema:
    known = sorted(names)
    return _choice(known, how) if known else _pattern(r"^[a-z][a-z0-9_]*$", how)
