"""Every fault that `nurture check` knows, one table: what it means, why it matters, a wrong and a right example.

Each example is a whole project, so that the tests can check it; people are shown the part that matters.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

FILE = "sequences/example.yaml"
_STEP = re.compile(r"^  ([a-z_]+):$", re.MULTILINE)
_HEAD = """\
start: joined
from: Ada Bright <ada@example.com>
within: 3 days

steps:
"""
_TOUR = """\
  tour:
    subject: See how it works
    ask: {click: Show me the tour, to: https://example.com/tour}
    yes: end
    no: end
"""
_ASKED = """\
  question:
    subject: One quick question
    ask:
      poll: Are you looking for a home loan or an auto loan?
      answers: {home: A home loan, auto: An auto loan}
    yes: tour
    no: %s

"""
_SAID = """\
proof:
  - quote: I had three quotes the same day.
    name: Tom Reed, York
    for: everyone
"""
_PROVEN = f"{_HEAD}{_TOUR}\n{_SAID}"
_MAIL = "Hello,\n\n{{ ask }}\n"
_PEOPLE = """\
attributes: {first_name: text}
events: {trial_started: {}, planner_made: {}}
products: [course]
tags: [vip]
"""


@dataclass(frozen=True, slots=True)
class Example:
    """A project, and the part of one of its files that one has to see."""

    path: str
    shown: str
    files: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Code:
    """One kind of fault. `once_deployed`: it is one only when this very version runs already."""

    code: str
    title: str
    means: str
    why: str
    wrong: Example
    right: Example
    once_deployed: bool = False


def _project(sequence: str, shown: str, path: str = FILE, **other: str) -> Example:
    """The sequence, a plain mail for each of its steps, and other files by their path."""
    mails = {f"templates/{step}.md": _MAIL for step in _STEP.findall(sequence)}
    files = {"people.yaml": _PEOPLE, FILE: sequence, **mails, **other}
    return Example(path, shown, MappingProxyType(files))


def _top(shown: str) -> Example:
    """The keys above the steps."""
    return _project(f"{shown}\nsteps:\n{_TOUR}", shown)


def _steps(shown: str, below: str = "", above: str = "", **other: str) -> Example:
    """Steps, with others around them that need not be seen."""
    return _project(f"{_HEAD}{above}{shown}{below}", shown, **other)


def _mail(shown: str, name: str = "tour.md", no: str = "end") -> Example:
    """The mail of the step `tour`, which follows a question."""
    tour = _TOUR if name == "tour.md" else _TOUR.replace("    ask:", f"    template: {name}\n    ask:")
    path = f"templates/{name}"
    return _project(f"{_HEAD}{_ASKED % no}{tour}", shown, path, **{path: shown})


def _german(shown: str) -> Example:
    """The tour in a second language."""
    path = "sequences/example.de.yaml"
    text = f"steps:\n{shown}"
    return _project(_HEAD + _TOUR, text, path, **{path: text, "templates/tour.de.md": "Hallo,\n\n{{ ask }}\n"})


def _first(ask: str, rest: str = "    yes: end\n    no: end\n") -> str:
    return f"  hello:\n    subject: Hello\n    ask: {ask}\n{rest}"


_CLICK = "{click: Come and see, to: https://example.com/see}"
_BUY = "{buy: course, to: https://example.com/buy}"


def _two(yes: str, no: str = "    no: end\n") -> str:
    """A first step with these branches. What is below it, most examples need not show."""
    return _first(_CLICK, yes + no)


def _offered(yes: str) -> Example:
    """A sequence whose goal is the purchase that it asks for."""
    offer = f"""\
  offer:
    subject: The course
    ask: {{buy: course, size: 3, to: https://example.com/buy}}
{yes}    no: end
"""
    goal = "goal: {bought: course}\n"
    return _project(goal + _HEAD + _two("    yes: offer\n") + "\n" + offer, f"{goal}…\n{offer}")


def _long(text: str) -> Example:
    """A mail whose middle need not be read."""
    mail = _mail(f"Hello,\n\n{{{{ ask }}}}\n\n{text}\n")
    return Example(mail.path, mail.shown if len(text) < 100 else f"{mail.shown[:100]} …\n", mail.files)


_ALL = (
    # --- the notation
    Code(
        "E101", "unknown key",
        "A key that the language does not have at this place. Mostly it is a misspelling, and the key that was meant is named.",
        "A key that is passed over in silence would be a rule that you believe in and nobody follows.",
        _steps("  tour:\n    subjekt: See how it works\n" + _TOUR.split("\n", 2)[2]),
        _steps(_TOUR),
    ),
    Code(
        "E102", "missing key",
        "Something that every sequence, step or ask has to say is not said.",
        "There is no value that would be right for everyone, so nothing is guessed.",
        _top("start: joined\nwithin: 3 days\n"),
        _top("start: joined\nfrom: Ada Bright <ada@example.com>\nwithin: 3 days\n"),
    ),
    Code(
        "E103", "wrong value",
        "A value of the wrong kind, or one that cannot be: a duration without a unit, an address that is none, a name with capitals.",
        "What cannot be understood is refused now, and not at night when a mail is due.",
        _top("start: joined\nfrom: Ada Bright <ada@example.com>\nwithin: 3\n"),
        _top("start: joined\nfrom: Ada Bright <ada@example.com>\nwithin: 3 days\n"),
    ),
    Code(
        "E104", "duplicate key",
        "The same key is written twice in one place.",
        "One of the two would win without a word, and it may be the one you did not mean.",
        _steps(_TOUR.replace("    ask", "    subject: Another subject\n    ask", 1)),
        _steps(_TOUR),
    ),
    Code(
        "E105", "not YAML",
        "The file cannot be read as YAML: an open bracket, a tab for indentation, a colon in plain text, an encoding other than UTF-8, "
        "or a file too large or too deep to be meant.",
        "Nothing below the spot can be read, so mend this one first and check again.",
        _steps(_TOUR.replace("See how it works", "See this: how it works")),
        _steps(_TOUR.replace("See how it works", '"See this: how it works"')),
    ),
    Code(
        "E106", "key without a value in { }",
        "Between braces a comma ends a value, so what follows the comma was read as a key of its own.",
        "Half of your words would be missing in the mail. Put quotes around text with a comma.",
        _steps(_first("{click: Yes, show me, to: https://example.com/see}")),
        _steps(_first('{click: "Yes, show me", to: https://example.com/see}')),
    ),
    # --- the plan
    Code(
        "E201", "unknown step",
        "A branch leads to a step that is not in this file, or an ask repeats one that is not above it.",
        "People would fall out of the sequence there.",
        _steps(_two("    yes: tuor\n"), below="\n" + _TOUR),
        _steps(_two("    yes: tour\n"), below="\n" + _TOUR),
    ),
    Code(
        "E202", "leads backwards",
        "A branch leads to a step above it, or to itself. To ask again, write a new mail whose ask is the name of the step.",
        "Only forward means that every sequence ends, and that nobody gets the same mail twice.",
        _steps(_two("    yes: end\n", "    no: hello\n")),
        _steps(_two("    yes: end\n", "    no: again\n") + "\n  again:\n    subject: Once more\n    ask: hello\n    no: end\n"),
    ),
    Code(
        "E203", "unreachable step",
        "No branch leads to this step, so nobody will ever get its mail.",
        "A mail that is written and never sent is mostly a branch that was forgotten.",
        _steps(_two("    yes: end\n") + "\n" + _TOUR),
        _steps(_two("    yes: tour\n") + "\n" + _TOUR),
    ),
    Code(
        "E204", "an answer has no branch",
        "The yes of a poll leads by answer, and one of the answers is not among them.",
        "Whoever gives that answer would wait for ever.",
        _steps((_ASKED % "end").replace("yes: tour", "yes: {home: tour}"), below=_TOUR),
        _steps((_ASKED % "end").replace("yes: tour", "yes: {home: tour, auto: end}"), below=_TOUR),
    ),
    Code(
        "E205", "bad condition or unknown name",
        "A condition that cannot be read, or a name that is declared nowhere. Conditions know and, or, not, comparisons, numbers and text; "
        "names are declared in people.yaml or are steps of this file.",
        "A misspelt name is never true, so a branch would be dead and nobody would notice.",
        _steps(_two("    yes:\n      - {if: ketp >= 1, go: tour}\n      - {go: end}\n"), below="\n" + _TOUR),
        _steps(_two("    yes:\n      - {if: kept >= 1, go: tour}\n      - {go: end}\n"), below="\n" + _TOUR),
    ),
    Code(
        "E206", "no `no`",
        "The step does not say what silence means. `end` is an answer.",
        "Most people say nothing. What happens to them is half of the sequence.",
        _steps(_first(_CLICK, "    yes: end\n")),
        _steps(_first(_CLICK, "    yes: end\n    no: end\n")),
    ),
    Code(
        "E207", "moments or splits that cannot hold",
        "A split whose shares do not add up to 100%, a list of branches whose last entry may not hold, a name that is no date.",
        "Some people would have no way out.",
        _steps(_two("    yes: {split: {tour: 60%, end: 50%}}\n"), below="\n" + _TOUR),
        _steps(_two("    yes: {split: {tour: 60%, end: 40%}}\n"), below="\n" + _TOUR),
    ),
    Code(
        "E208", "a left-out `yes` would be a guess",
        "A step without a yes goes on to the step below it. Here that step is where another branch leads, so it is not clear that both are meant.",
        "A step moved or put in between would change where people go without a word.",
        _steps(_first(_CLICK, "    no: tour\n") + "\n" + _TOUR),
        _steps(_first(_CLICK, "    yes: tour\n    no: tour\n") + "\n" + _TOUR),
    ),
    Code(
        "E209", "bad repeat",
        "`ask: STEP` asks for the same thing again, and names a step that comes later, itself, or one that is a repeat already.",
        "The answer belongs to the first mail that asked; there has to be one.",
        _steps(_two("    yes: end\n", "    no: again\n") + "\n  again:\n    subject: Once more\n    ask: again\n    yes: end\n    no: end\n"),
        _steps(_two("    yes: end\n", "    no: again\n") + "\n  again:\n    subject: Once more\n    ask: hello\n    no: end\n"),
    ),
    Code(
        "E210", "this yes can never happen",
        "The yes to this ask is the goal or the stop of the sequence, and both end it before its yes is taken.",
        "What stands in that branch would never happen.",
        _offered("    yes: end\n"),
        _offered(""),
    ),
    # --- the mails
    Code(
        "E301", "no such template",
        "The template that a step names, or its own name with .md, .mjml or .html, is not in templates/ nor in the folder of the sequence there.",
        "There would be no mail to send.",
        _steps(_TOUR.replace("    ask:", "    template: tuor.md\n    ask:")),
        _steps(_TOUR.replace("    ask:", "    template: tour.md\n    ask:")),
    ),
    Code(
        "E302", "template fails",
        "The mail was written to imagined people, and the template failed: a name that is declared nowhere, an open block, a filter that there is not, broken MJML.",
        "It would fail for real people as well, and they would get nothing.",
        _mail("Hello {{ frist_name }},\n\n{{ ask }}\n"),
        _mail('Hello {{ first_name or "friend" }},\n\n{{ ask }}\n'),
    ),
    Code(
        "E303", "the ask is not in the mail",
        "The mail does not show its ask: neither {{ ask }} nor a link to {{ ask.url }} is in it, for everyone or for some.",
        "People cannot say yes, and their silence would count as a no.",
        _mail("Hello,\n\nhave a look at our tour.\n"),
        _mail("Hello,\n\nhave a look at our tour.\n\n{{ ask }}\n"),
    ),
    Code(
        "E304", "a second ask competes with the one",
        "The mail was written and its links were counted. One of them leads somewhere else than the ask.",
        "One mail, one ask: a second link takes answers away from the first, and a click on it says nothing. Make it a step of its own, "
        "or write plain: before an address that asks for nothing; it is not tracked then.",
        _mail("Hello,\n\n{{ ask }}\n\nOr read [our blog](https://example.com/blog).\n"),
        _mail('Hello,\n\n{{ ask }}\n\nWho we are: <a href="plain:https://example.com/imprint">our imprint</a>.\n'),
    ),
    Code(
        "E305", "quotes an answer that some path to this step never collected",
        'The mail prints said("question") or answers.question, and some people get here without having answered: by a no, for instance.',
        "Their mail cannot be written. Say something else to them, or lead them elsewhere.",
        _mail('You said “{{ said("question") }}”.\n\n{{ ask }}\n', no="tour"),
        _mail('{% if answers.question %}\nYou said “{{ said("question") }}”.\n{% endif %}\n\n{{ ask }}\n', no="tour"),
    ),
    Code(
        "E306", "unknown MJML tag",
        "A tag that MJML does not have.",
        "MJML leaves out what it does not know, with all that stands in it.",
        _mail("<mj-section>\n  <mj-column>\n    {{ ask }}\n    <mj-txt>Hello</mj-txt>\n  </mj-column>\n</mj-section>\n", "tour.mjml"),
        _mail("<mj-section>\n  <mj-column>\n    {{ ask }}\n    <mj-text>Hello</mj-text>\n  </mj-column>\n</mj-section>\n", "tour.mjml"),
    ),
    Code(
        "E307", "no way to unsubscribe",
        "The mail, which brings a layout of its own, has no link to {{ unsubscribe_url }}.",
        "The law asks for it, and so do all large mailbox providers. A mail without it is not sent.",
        _mail("<!doctype html>\n<html><body>\n{{ ask }}\n<p>{{ postal_address }}</p>\n</body></html>\n", "tour.html"),
        _mail(
            '<!doctype html>\n<html><body>\n{{ ask }}\n<p>{{ postal_address }}</p>\n<a href="{{ unsubscribe_url }}">No more of these</a>\n</body></html>\n',
            "tour.html",
        ),
    ),
    Code(
        "E308", "no fallback for what can be unknown",
        "A template, subject or preheader prints something that we do not know of everybody who gets here.",
        'Their mail cannot be written. Write what it says instead: {{ first_name or "friend" }}, or put it into {% if first_name %}.',
        _mail("Hello {{ first_name }},\n\n{{ ask }}\n"),
        _mail('Hello {{ first_name or "friend" }},\n\n{{ ask }}\n'),
    ),
    Code(
        "E309", "words missing in a language",
        "A file such as example.de.yaml says the words of a sequence in another language, and some of them are not there.",
        "Whoever speaks that language would get a mail that is half in another.",
        _german("  tour:\n    ask: {click: Zeig mir die Tour}\n"),
        _german("  tour:\n    subject: So geht es\n    ask: {click: Zeig mir die Tour}\n"),
    ),
    # --- the ladder
    Code(
        "W401", "the first ask is bigger than 2",
        "The first mail asks for something large. Sizes run from 1, a click, to 5, a purchase; `size:` in an ask overrides.",
        "A small promise that was kept makes the next one natural. Whoever is asked for much by a stranger says no.",
        _steps(_first("{event: planner_made, to: https://example.com/planner}")),
        _steps(_first(_CLICK)),
    ),
    Code(
        "W402", "the ladder jumps by more than 2 sizes",
        "Some people get to this ask who never kept one that is less than three sizes smaller.",
        "People climb by steps. Put an ask of the size between before this one, or lead there only those who kept one.",
        _steps(_two("    yes: offer\n") + f"\n  offer:\n    subject: The course\n    ask: {_BUY}\n    yes: end\n    no: end\n"),
        _steps(
            _two("    yes: planner\n")
            + "\n  planner:\n    subject: Make your plan\n    ask: {event: planner_made, to: https://example.com/planner}\n    yes: offer\n    no: end\n"
            + f"\n  offer:\n    subject: The course\n    ask: {_BUY}\n    yes: end\n    no: end\n"
        ),
    ),
    Code(
        "W403", "an offer before anything was kept",
        "Some path leads to an offer without a single yes.",
        "An offer to someone who never said yes is an advertisement. Lead silence to a smaller ask, or to the end.",
        _steps(_two("    yes: end\n", "    no: offer\n") + f"\n  offer:\n    subject: The course\n    ask: {_BUY}\n    yes: end\n    no: end\n"),
        _steps(_two("    yes: end\n", "    no: again\n") + "\n  again:\n    subject: Once more\n    ask: hello\n    no: end\n"),
    ),
    Code(
        "W404", "subject over 60 characters",
        "The subject, written to an imagined person, is longer than most inboxes show.",
        "A phone shows about 40 characters and a wide screen about 60. What comes after is not read.",
        _steps(_TOUR.replace("See how it works", "See in four minutes how all of it works, from the first page to the last")),
        _steps(_TOUR),
    ),
    Code(
        "W405", "over 102 KB, so Gmail clips it",
        "The HTML of the mail is larger than 102 KB.",
        "Gmail cuts it off there. The ask, the unsubscribe link or both may be gone, and the mail cannot be counted.",
        _long("a very long paragraph, again and again; " * 2_700),
        _long("a short paragraph."),
    ),
    Code(
        "W406", "scarcity words without an enforced deadline",
        "The mail says that time or places run out, and the ask has no deadline that the engine keeps.",
        "Urgency that is not true is noticed once and not forgotten. Give the ask `expires:`, or the step `until:`, or leave the words out.",
        _mail("This is your last chance to see it.\n\n{{ ask }}\n"),
        _mail("Whenever it suits you.\n\n{{ ask }}\n"),
    ),
    Code(
        "W407", "silence answered with a bigger ask",
        "The no of a step leads to an ask that is bigger than the one nobody answered.",
        "Whoever does not take a small step does not take a large one. Ask for the same again, for less, or leave them in peace.",
        _steps(_two("    yes: end\n", "    no: planner\n") + "\n  planner:\n    subject: Make your plan\n    ask: {event: planner_made, to: https://example.com/planner}\n    yes: end\n    no: end\n"),
        _steps(_two("    yes: end\n", "    no: again\n") + "\n  again:\n    subject: Once more\n    ask: hello\n    no: end\n"),
    ),
    Code(
        "W408", "silence leads below a step that a late answer would want",
        "The no of a step leads further down than its yes. Whoever answers late stands below the step that the answer leads to, "
        "and people are only led forward: the answer counts, and its mail is never sent.",
        "Late answers are common. Move the step that the yes leads to below the one that silence leads to.",
        _steps(_two("    yes: tour\n", "    no: other\n") + "\n" + _TOUR + "\n  other:\n    subject: Something else\n    ask: {click: Show me that, to: https://example.com/that}\n    yes: end\n    no: end\n"),
        _steps(_two("    yes: tour\n", "    no: other\n") + "\n  other:\n    subject: Something else\n    ask: {click: Show me that, to: https://example.com/that}\n    yes: end\n    no: end\n\n" + _TOUR),
    ),
    Code(
        "W409", "proof is stale or unused",
        "No mail of the sequence shows its proof, or an entry does not say for whom it is, or was said more than two years ago.",
        "What nobody sees persuades nobody, and words of someone unlike the reader, or that nobody would say any more, persuade less than none.",
        _project(_PROVEN, _SAID),
        _project(_PROVEN, "{{ proof }}", "templates/tour.md", **{"templates/tour.md": "Hello,\n\n{{ proof }}\n\n{{ ask }}\n"}),
    ),
    Code(
        "W410", "a rule under changes: is done",
        "The version that runs was made by this rule already, so it will never be read again. `nurture plan` and `nurture apply` say so.",
        "What is left standing looks as if it were still to come, and the next who edits the file wonders.",
        _steps(_two("    yes: end\n") + "changes:\n  hello: {was: greeting}\n"),
        _steps(_two("    yes: end\n")),
        once_deployed=True,
    ),
    Code(
        "W411", "a download file is missing",
        "An ask offers a file for download that is not in files/.",
        "People who say yes would find nothing.",
        _steps(_first("{download: gudie.pdf}"), **{"files/guide.pdf": ""}),
        _steps(_first("{download: guide.pdf}"), **{"files/guide.pdf": ""}),
    ),
)  # fmt: skip

CODES: Mapping[str, Code] = MappingProxyType({one.code: one for one in _ALL})
