"""The JSON Schema of a story under `tests:`."""

from __future__ import annotations

from nurture.language.schema_words import Schema, choice, choose, is_a, keyed, ref, say, text
from nurture.language.stories import ENDS


def story() -> Schema:
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
        "awards": say(names, "Every badge that was got.", ["keen"]),
        "ends": {**choice(ENDS, "How the pass ends."), "examples": ["finished"]},
    }
    deed: Schema = {
        "description": "{STEP: yes, after: 2 hours} from its mail (of a form also {STEP: {field: value}}), or {event: X, at: day 4 20:00} from the start.",
        "type": "object",
        "minProperties": 1,
        "maxProperties": 3,
        "properties": {"after": ref("duration"), "at": ref("story_time"), "event": ref("event"),
                       "bought": ref("product"), "tag": ref("tag")},
        "propertyNames": {"pattern": r"^[a-z][a-z0-9_]*$"},
        "additionalProperties": choose((is_a("object"), {"type": "object"}), otherwise=ref("text")),
    }  # fmt: skip
    return keyed(
        {
            "name": text("What it shows, as a sentence.", "silence is asked once more"),
            "given": {"description": "Who it is and when it begins.", **keyed(given)},
            "does": {
                "description": "What the person does. Silence is what is not written.",
                "type": "array",
                "items": deed,
            },
            "expect": {"description": "What must come of it.", **keyed(expect)},
        }
    )
