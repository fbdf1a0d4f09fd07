"""The JSON Schema of a sequence file, for editors: completion, hover texts and first errors while typing.

Draft 7, because that is what editors know. Where a value has several forms, the key that is present picks one
(`if`/`then`/`else`), so that one slip is one error. What needs the whole page (does this step exist?) is for `check`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nurture.language import schema_asks, schema_stories
from nurture.language.changes import WAITING
from nurture.language.proof import EVERYONE
from nurture.language.schema_words import (
    DRAFT,
    NAME,
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

if TYPE_CHECKING:
    from collections.abc import Mapping

TITLE = "A nurture sequence"

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
    definitions: dict[str, Schema] = {**_words(people or People()), **forms()}
    whole = {
        "$schema": DRAFT,
        "title": TITLE,
        "description": "One file, one sequence. It reads from top to bottom as the mails arrive.",
        **top(),
        "definitions": definitions,
    }
    return settled(whole, definitions)


def top() -> Schema:
    """The keys of a file."""
    return keyed(
        top_keys(),
        required={
            "start": "write what begins it, as in start: joined",
            "from": "write who sends its mails, as in from: Ada Bright <ada@example.com>",
            "steps": "write its mails, in order, under steps:",
        },
    )


def top_keys() -> Mapping[str, Schema]:
    return {
        "title": text("What this sequence is, for people. Left out: the file's name.", "From a free guide to a course"),
        "language": pattern(
            r"^[a-z]{2,3}([-_][A-Za-z]{2,4})?$", "the language of its words, en when left out: en, de, de-AT", "de"
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
        "challenge": {
            "description": "When friends count for the leaderboard. From and to are days or moments; either may be left out.",
            **keyed({"from": ref("moment"), "to": ref("moment")}),
            "examples": [{"from": "2026-12-01", "to": "2026-12-24"}],
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
        "proof": {
            "description": "What others said, for mails to show to people like them: {{ proof }}.",
            "type": "array",
            "items": ref("proof"),
            "examples": [[{"quote": "I sold in a week.", "name": "Lena Berg, teacher", "for": {"question": "home"}}]],
        },
        "badges": {
            "description": "What people get for the asks they keep, by name.",
            "type": "object",
            "propertyNames": ref("name"),
            "additionalProperties": ref("badge"),
            "examples": [{"keen": {"title": "Keen", "if": "kept >= 3"}}],
        },
        "changes": {
            "description": "What this edit means for the people inside, by step. Read by the one apply that needs it.",
            "type": "object",
            "propertyNames": ref("name"),
            "additionalProperties": ref("change"),
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
        "film": pattern(
            r"^((\{\{.*\}\}|https?://)\S*|[^\s:{}]+)$",
            "a web address, or the name of a video in files/: https://example.com/film, tour.mp4",
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


def forms() -> dict[str, Schema]:
    """Forms with keys of their own."""
    return {
        "happening": _happening(),
        "happenings": choose((is_a("array"), items(ref("happening"))), otherwise=ref("happening")),
        "start": choose(
            (is_a("array"), items(ref("start_happening"))),
            (has("when"), long_start()),
            otherwise=ref("start_happening"),
        ),
        "start_happening": _happening(at=True),
        "rules": keyed(
            {
                "between": pattern(rf"^{CLOCK}\s*[-\u2013]\s*({CLOCK}|24:00)$", "a stretch of the day: 9:00-17:00", "9:00-17:00"),
                "days": say(
                    choose((is_a("array"), items(ref("text"))), otherwise=ref("text")),
                    "On which days: weekdays, weekend, every day, tue, mon-thu, or a list.", "weekdays", default="every day",
                ),
                "timezone": text("Whose clock: theirs (the project's where it is not known), or a zone.", "theirs", "Europe/London", default="theirs"),
                "gap": say(ref("duration"), "The least time between two mails of this sequence to a person.", "1 day"),
            }
        ),
        "send": choose((is_a("string"), {"const": "now", "errorMessage": "write now, or rules such as {between: 9:00-17:00}"}), otherwise=ref("rules")),
        "step": _step(),
        "ask": schema_asks.ask(),
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
        "story": schema_stories.story(),
        "change": change(),
        "proof": proof(),
        "badge": badge(),
    }  # fmt: skip


def named_happenings() -> dict[str, Schema]:
    return {
        "bought": say(ref("product"), "This product was bought.", "review"),
        "tag": say(ref("tag"), "The person got this tag.", "vip"),
        "event": say(ref("event"), "The product or website reported this event.", "trial_started"),
        "kept": pattern(
            r"^[a-z0-9][a-z0-9_-]*\.[a-z][a-z0-9_]*$",
            "an ask of another sequence that was kept: SEQUENCE.STEP",
            "trial.connect",
        ),
        "goal": text("Another sequence reached its goal.", "trial"),
        "at": say(ref("moment"), "For start only: a moment, or the name of one.", "3 days before renewal"),
    }


def badge() -> Schema:
    return keyed(
        {
            "title": text("What it is called in mails.", "Keen"),
            "if": say(ref("condition"), "When it is given; looked at whenever an ask is kept.", "kept >= 3"),
        },
        required={"title": "this badge has no title; write title: and its words"},
    )


def proof() -> Schema:
    whom: Schema = {
        "type": "object",
        "minProperties": 1,
        "additionalProperties": choose((is_a("array"), items(ref("text"))), otherwise=ref("text")),
        "errorMessage": "write {STEP: ANSWER}, an attribute and its value, or everyone",
    }
    everyone: Schema = {"const": EVERYONE, "errorMessage": f"write {EVERYONE}, or {{STEP: ANSWER}}"}
    return keyed(
        {
            "quote": text("What they said.", "I sold in a week."),
            "name": text("Who said it.", "Lena Berg, teacher"),
            "picture": pattern(r"^https://\S+$", "a whole address: https://example.com/lena.jpg", "https://example.com/lena.jpg"),
            "date": pattern(rf"^{DATE}$", "when they said it; after two years check calls it stale: 2026-03-01", "2026-03-01"),
            "for": say(
                choose((is_a("string"), everyone), otherwise=whom),
                "For whom: answers and attributes that all must be so, a list meaning any; or everyone.",
                {"question": "home"}, {"plan": ["free", "pro"]}, EVERYONE,
            ),
        },
        required={
            "quote": "this proof quotes nobody; write quote: and the words",
            "name": "this proof does not say who said it; write name:",
        },
    )  # fmt: skip


def _happening(*, at: bool = False) -> Schema:
    plain = ("joined", "replied", "bought", *(("manual",) if at else ()))
    table = {key: form for key, form in named_happenings().items() if at or key != "at"}
    one = keyed(table) | {"minProperties": 1, "maxProperties": 1}
    how = f"write {', '.join(plain)}, or a happening with a name, as in {{tag: guide}}"
    return choose((is_a("string"), {"enum": list(plain), "errorMessage": how}), otherwise={**one, "errorMessage": how})


def long_start() -> Schema:
    again = rf"^(never|always|(after )?{LENGTH})$"
    when = choose((is_a("array"), items(ref("start_happening"))), otherwise=ref("start_happening"))
    return keyed(
        {
            "when": say(when, "What begins a pass: one happening, or a list meaning any.", {"event": "trial_started"}),
            "if": say(ref("condition"), "Who may begin.", "not bought.course"),
            "again": say(
                pattern(again, "never, always, or after 180 days"),
                "Whether who was here may come again, counted from the end of the last pass: never when left out, always, "
                "or after 180 days.",
                "after 180 days",
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
            "Write now in an answer to someone who waits; or rules that differ from the sequence's.",
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


def _answers() -> Schema:
    return {
        "type": "object",
        "minProperties": 1,
        "propertyNames": schema_asks.answer_name(),
        "additionalProperties": ref("branch"),
    }


def change() -> Schema:
    """What an edit means for the people at one step."""
    stays = {
        "was": say(ref("name"), "The name this step had before: its people, answers and mails come along.", "guide"),
        "waiting": choice(WAITING, "Who waits keeps the time they were given, or gets it computed again."),
    }
    target = pattern(rf"^(end|{NAME[1:-1]})$", "a step of this file, or end")
    gone = {"go": say(target, "Where the people of a step that is gone go.", "offer")}
    return {"type": "object", "minProperties": 1, **choose((has("go"), keyed(gone)), otherwise=keyed(stays))}


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
