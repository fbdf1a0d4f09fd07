"""The JSON Schema of a sequence file, for editors: completion, hover texts and first errors while typing.

Draft 7, because that is what editors know. Where a value has several forms, the key that is present picks one
(`if`/`then`/`else`), so that one slip is one error. What needs the whole page (does this step exist?) is for `check`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nurture.language.asks import KINDS, missing
from nurture.language.schema_words import (
    DRAFT,
    Schema,
    choice,
    choose,
    declared,
    has,
    is_a,
    items,
    keyed,
    pattern,
    ref,
    say,
    settled,
    text,
)  # fmt: skip
from nurture.language.sequence import People
from nurture.language.steps import PRINCIPLES
from nurture.language.stories import ENDS
from nurture.language.values import RESERVED

if TYPE_CHECKING:
    from collections.abc import Mapping

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
    definitions: dict[str, Schema] = {**_words(people or People()), **_forms()}
    whole = {
        "$schema": DRAFT,
        "title": TITLE,
        "description": "One file, one sequence. It reads from top to bottom as the mails arrive.",
        **keyed(
            _top(),
            required={
                "start": "write what begins it, as in start: joined",
                "from": "write who sends its mails, as in from: Ada Bright <ada@example.com>",
                "steps": "write its mails, in order, under steps:",
            },
        ),
        "definitions": definitions,
    }
    return settled(whole, definitions)


def _top() -> Mapping[str, Schema]:
    return {
        "title": text("What this sequence is, for people. Left out: the file's name.", "From a free guide to a course"),
        "language": pattern(
            r"^[a-z]{2,3}([-_][A-Za-z]{2,4})?$", "the language its words are in, en when left out: en, de, de-AT", "de"
        ),
        "start": say(
            ref("start"),
            "What begins a pass: a happening, a list meaning any, or the long form with when:.",
            "joined",
            {"tag": "guide"},
            {"when": {"event": "trial_started"}, "again": "after 180 days"},
        ),
        "goal": say(
            ref("happenings"),
            "What ends a pass as a success, from anywhere. One, or a list meaning any.",
            {"bought": "review"},
            [{"bought": "review"}, {"tag": "customer"}],
        ),
        "stop": say(
            ref("happenings"),
            "What ends a pass without success, from anywhere. One, or a list meaning any.",
            "replied",
        ),
        "from": say(ref("address"), "Who sends its mails.", "Ada Bright <ada@example.com>"),
        "reply_to": say(ref("address"), "Where replies go, if not to the sender.", "Help <help@example.com>"),
        "send": say(
            ref("rules"),
            "When its mails may leave: a stretch of the day, days, whose time zone, a gap.",
            {"between": "9:00-17:00", "days": "weekdays", "timezone": "theirs", "gap": "1 day"},
        ),
        "within": say(
            ref("duration"), "How long silence is before it is a no, for all asks that do not say.", "3 days"
        ),
        "dates": {
            "description": "Days of the calendar that moments can name.",
            "type": "object",
            "propertyNames": ref("name"),
            "additionalProperties": pattern(
                rf"^{DATE}([T ]{CLOCK})?( [A-Za-z]\S*)?$", "a date: 2026-11-24 18:00 Europe/London"
            ),
            "examples": [{"launch": "2026-11-24 18:00 Europe/London"}],
        },
        "priority": {
            "description": "Which sequence goes first when several have a mail for one person. Higher first.",
            "type": "integer",
            "minimum": -1000,
            "maximum": 1000,
            "default": 0,
            "examples": [10],
            "errorMessage": "write a whole number from -1000 to 1000",
        },
        "steps": {
            "description": "The mails, in order. A branch leads to a later one, to end or to unsubscribe.",
            "type": "object",
            "minProperties": 1,
            "propertyNames": ref("name"),
            "additionalProperties": ref("step"),
        },
        "tests": {
            "description": "Stories: what someone does, and what they must get for it.",
            "type": "array",
            "items": ref("story"),
        },
    }


def _words(people: People) -> dict[str, Schema]:
    """Forms of one word or line. Those that `people.yaml` declares become choices."""
    return {
        "text": {"type": ["string", "number", "boolean"], "errorMessage": "write one text here"},
        "name": pattern(NAME, "a name: small letters, digits and _, and no word of the language"),
        "duration": pattern(rf"^{LENGTH}$", "a length of time: 20 minutes, 36 hours, 2 days, 1 week"),
        "moment": pattern(
            MOMENT,
            "a moment: 9:00, tue 9:00, 2026-11-24 18:00 Europe/London, the name of a date, 3 days before renewal",
        ),
        "story_time": pattern(STORY_TIME, "a time of the story: mon 12:00, day 3 9:00, 2026-11-24 9:00"),
        "address": pattern(ADDRESS, "an address: Ada Bright <ada@example.com>"),
        "target": pattern(
            r"^(\{\{.*\}\}|https?://)\S*", "a web address: https://example.com/tour; it may hold {{ start.NAME }}"
        ),
        # without a description, for an editor would show it in place of what the key with a branch says of itself
        "go": {
            "type": "string",
            "pattern": rf"^(next|end|unsubscribe|{NAME[1:-1]})$",
            "patternErrorMessage": "write a later step, next, end, or unsubscribe (off the list)",
        },
        "share": {
            "description": "A whole percentage; the shares of a split add up to 100%.",
            "anyOf": [
                {"type": "integer", "minimum": 1, "maximum": 100},
                {"type": "string", "pattern": r"^\d{1,3}\s*%?$"},
            ],
        },
        "product": declared(people.products, "a product of people.yaml"),
        "event": declared(people.events, "an event of people.yaml"),
        "tag": declared(people.tags, "a tag of people.yaml"),
        "attribute": declared(people.attributes, "an attribute of people.yaml"),
        "condition": text('A condition over declared names: kept >= 2, answers.question == "home", tags.vip.'),
    }


def _forms() -> dict[str, Schema]:
    """Forms with keys of their own."""
    return {
        "happening": _happening(),
        "happenings": choose((is_a("array"), items(ref("happening"))), otherwise=ref("happening")),
        "start": choose(
            (is_a("array"), items(ref("start_happening"))),
            (has("when"), _long_start()),
            otherwise=ref("start_happening"),
        ),
        "start_happening": _happening(at=True),
        "rules": keyed(
            {
                "between": pattern(rf"^{CLOCK}\s*[-\u2013]\s*({CLOCK}|24:00)$", "a stretch of the day: 9:00-17:00", "9:00-17:00"),
                "days": say(
                    choose((is_a("array"), items(ref("text"))), otherwise=ref("text")),
                    "weekdays, weekend, every day, tue, mon-thu, or a list.", "weekdays", default="every day",
                ),
                "timezone": text("theirs (the project's where it is not known), or a zone.", "theirs", "Europe/London", default="theirs"),
                "gap": say(ref("duration"), "The least time between two mails of this sequence to a person.", "1 day"),
            }
        ),
        "send": choose((is_a("string"), {"const": "now", "errorMessage": "write now, or rules such as {between: 9:00-17:00}"}), otherwise=ref("rules")),
        "step": _step(),
        "ask": _ask(),
        "split": keyed(
            {"split": {"type": "object", "minProperties": 2, "propertyNames": ref("go"),
                       "additionalProperties": ref("share")}},
            required={"split": "write the shares, as in split: {offer: 90%, end: 10%}"},
        ),
        "target_of_branch": choose((is_a("string"), ref("go")), otherwise=ref("split")),
        "arm": _arm(),
        "conditional_arm": _arm(condition=True),
        "branch": choose(
            (is_a("string"), ref("go")),
            (is_a("array"), items(ref("conditional_arm"))),
            (has("split"), ref("split")),
            otherwise=ref("arm"),
        ),
        "branch_by_answer": choose(
            (is_a("object"), choose((has(*ARM_KEYS), ref("branch")), otherwise=_answers())), otherwise=ref("branch")
        ),
        "story": _story(),
    }  # fmt: skip


def _happening(*, at: bool = False) -> Schema:
    plain = ("joined", "replied", "bought", *(("manual",) if at else ()))
    table = {
        "bought": say(ref("product"), "This product was bought.", "review"),
        "tag": say(ref("tag"), "The person got this tag.", "vip"),
        "event": say(ref("event"), "The product or website reported this event.", "trial_started"),
        "kept": pattern(
            r"^[a-z0-9][a-z0-9_-]*\.[a-z][a-z0-9_]*$",
            "an ask of another sequence that was kept: SEQUENCE.STEP",
            "trial.connect",
        ),
        "goal": text("Another sequence reached its goal.", "trial"),
    }
    if at:
        table["at"] = say(ref("moment"), "A moment starts it: a date, or the name of one.", "3 days before renewal")
    one = keyed(table) | {"minProperties": 1, "maxProperties": 1}
    how = f"write {', '.join(plain)}, or a happening with a name, as in {{tag: guide}}"
    return choose((is_a("string"), {"enum": list(plain), "errorMessage": how}), otherwise={**one, "errorMessage": how})


def _long_start() -> Schema:
    again = rf"^(never|always|(after )?{LENGTH})$"
    when = choose((is_a("array"), items(ref("start_happening"))), otherwise=ref("start_happening"))
    return keyed(
        {
            "when": say(when, "What begins a pass: one happening, or a list meaning any.", {"event": "trial_started"}),
            "if": say(ref("condition"), "Who may begin.", "not bought.course"),
            "again": pattern(
                again, "never (if left out), always, or after 180 days, from the end of the last pass", "after 180 days"
            ),
            "go": say(ref("target_of_branch"), "The first step, if not the first of the page; or a split.", "offer"),
        },
        required={"when": "write what begins a pass, as in when: joined"},
    )


def _step() -> Schema:
    subject = choose((is_a("array"), items(ref("text"))), otherwise=ref("text"))
    table = {
        "subject": say(
            subject,
            "The subject line. A list is a test: equal shares, each person keeps theirs, judged by kept asks.",
            "See how a review works",
            ["One question", "May I ask one thing?"],
        ),
        "preheader": text("The line that mail programs show after the subject.", "One tap, and you are done."),
        "template": text(
            "A file in templates/SEQUENCE/ or templates/: Markdown, MJML or HTML. Left out: the step's name.", "tour.md"
        ),
        "with": {
            "description": "Words for the template, by name.",
            "type": "object",
            "examples": [{"greeting": "Hello"}],
        },
        "ask": say(
            ref("ask"),
            "The one small action this mail asks for; or an earlier step, to ask the same again.",
            {"click": "Show me", "to": "https://example.com/tour"},
            "question",
        ),
        "within": say(
            ref("duration"), "How long silence is before it is a no. It runs from when the mail has left.", "3 days"
        ),
        "until": say(
            ref("moment"),
            "Instead of within: when silence is a no. After it the mail is not sent at all.",
            "2026-11-24 18:00 Europe/London",
        ),
        "yes": say(
            {},
            "Where a yes leads, for a poll also one way per answer. Left out: next, and end on the last step.",
            "offer",
            {"after": "1 day", "go": "offer"},
            [{"if": "kept >= 2", "go": "offer"}, {"go": "end"}],
        ),
        "no": say(
            ref("branch"),
            "Where silence leads. Required, for end is an answer.",
            "end",
            {"after": "4 days", "go": "offer"},
        ),
        "send": say(
            ref("send"),
            "now, as an answer to someone who waits; or rules that differ from the sequence's.",
            "now",
            {"between": "8:00-20:00"},
        ),
        "principle": {**choice(PRINCIPLES, "Why it should work, for reports."), "examples": ["consistency"]},
        "award": say(ref("name"), "A badge for keeping this ask.", "first_step"),
    }
    one_way = {"required": ["ask"], "properties": {"ask": {"type": "object", "not": {"required": ["poll"]}}}}
    return {
        **keyed(
            table,
            required={
                "subject": "this step has no subject; write subject: and its words",
                "ask": "this step asks nothing; giving something? let them take it: ask: {download: FILE}",
                "no": "this step does not say what silence means; write no: end, or a step",
            },
        ),
        "dependencies": {"until": {"not": {"required": ["within"]}}},
        "if": one_way,
        "then": {"properties": {"yes": ref("branch")}},
        "else": {"properties": {"yes": ref("branch_by_answer")}},
    }


def _kind_words() -> dict[str, Schema]:
    return {
        "click": text("A click by a person. The words of the button. Size 1.", "Show me how it works"),
        "poll": text("One question, answered with one tap and confirmed on a page. Size 1.", "Home loan or auto loan?"),
        "download": text("A file in files/, fetched by a person. Size 2.", "checklist.pdf"),
        "event": say(ref("event"), "The product reports that it was done. Size 3.", "account_connected"),
        "buy": say(ref("product"), "The offer: this product is bought. Size 5.", "review"),
    }


def _ask() -> Schema:
    details = {
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
        "code": say(ref("text"), "The discount code, or where it comes from.", "spring"),
        "expires": say(ref("duration"), "The deadline of the offer, from when the mail is written.", "72 hours"),
        "answers": {
            "description": "The answers by name, each with its words. Two or more.",
            "examples": [{"home": "A home loan", "auto": "An auto loan"}],
            "type": "object",
            "minProperties": 2,
            "propertyNames": answer_name(),
            "additionalProperties": ref("text"),
        },
    }
    words = _kind_words()
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


def _answers() -> Schema:
    return {
        "type": "object",
        "minProperties": 1,
        "propertyNames": answer_name(),
        "additionalProperties": ref("branch"),
    }


def _arm(*, condition: bool = False) -> Schema:
    table = {
        "after": say(
            ref("duration"), "Wait this long: in a yes from when it was done, in a no from the end of within.", "1 day"
        ),
        "at": say(
            ref("moment"), "Wait for this moment. The entry is skipped when it is over or not known.", "tue 9:00"
        ),
        "go": say(ref("target_of_branch"), "Where it leads. Left out: next.", "offer"),
    }
    if condition:
        table = {
            "if": say(ref("condition"), "Only if this holds. The last entry of a list has no if.", "kept >= 2"),
            **table,
        }
    return {**keyed(table), "minProperties": 1, "dependencies": {"at": {"not": {"required": ["after"]}}}}


def _story() -> Schema:
    names: Schema = {"type": "array", "items": ref("name")}
    given = {
        "start": say(ref("story_time"), "When the pass begins, in a fixed week or on a date.", "mon 10:00"),
        "timezone": text("The person's time zone.", "Europe/Berlin"),
        "event": {
            "description": "The data of the event that starts it.",
            "type": "object",
            "examples": [{"total": 12}],
        },
        "attributes": {
            "description": "What is known of the person.",
            "type": "object",
            "examples": [{"first_name": "Ann"}],
        },
        "tags": {"description": "Tags the person has.", "type": "array", "items": ref("tag"), "examples": [["guide"]]},
        "arms": {
            "description": "Where every split leads that can.",
            "examples": [["offer"]],
            "type": "array",
            "items": ref("go"),
        },
    }
    expect = {
        "path": say(names, "Every mail, in order.", ["question", "guide"]),
        "never": say(names, "Steps that are not mailed.", ["offer"]),
        "at": {
            "description": "When a step's mail leaves.",
            "examples": [{"guide": "day 2 9:00"}],
            "type": "object",
            "additionalProperties": ref("story_time"),
        },
        "sent": {"description": "How many mails.", "type": "integer", "minimum": 0, "examples": [3]},
        "answers": {
            "description": "What was kept, and how it was answered.",
            "type": "object",
            "examples": [{"question": "home"}],
            "additionalProperties": ref("text"),
        },
        "ends": {**choice(ENDS, "How the pass ends."), "examples": ["finished"]},
    }
    deed: Schema = {
        "description": "{STEP: yes, after: 2 hours} from its mail, or {event: X, at: day 4 20:00} from the start.",
        "type": "object",
        "minProperties": 1,
        "maxProperties": 3,
        "properties": {"after": ref("duration"), "at": ref("story_time"), "event": ref("event"),
                       "bought": ref("product"), "tag": ref("tag")},
        "propertyNames": {"pattern": r"^[a-z][a-z0-9_]*$"},
        "additionalProperties": ref("text"),
    }  # fmt: skip
    return keyed(
        {
            "name": text("What it shows, as a sentence.", "silence is asked once more"),
            "given": keyed(given),
            "does": {
                "description": "What the person does. Silence is what is not written.",
                "type": "array",
                "items": deed,
            },
            "expect": keyed(expect),
        }
    )
