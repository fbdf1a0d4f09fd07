"""Reading the steps. All asks are read before any branch, so that conditions know every step and repeats their root."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

from nurture.language import words
from nurture.language.asks import PLACEHOLDER, read_ask
from nurture.language.branches import read_branch
from nurture.language.kinds import OUTSIDE
from nurture.language.sending import read_send
from nurture.language.sequence import Arm, Ask, Branch, Duration, Exit, Goto, Split, Step
from nurture.language.values import allow, excused, line_of, name_of, one_of, parsed, table_of
from nurture.language.yaml import Items, Scalar, Table, plain

if TYPE_CHECKING:
    from collections.abc import Mapping

    from nurture.language.page import Page
    from nurture.language.sequence import Go, Happening, Moment, SendRules

STEP_KEYS = (
    "subject", "preheader", "template", "with", "ask", "within", "until", "yes", "no", "send", "principle", "award",
)  # fmt: skip
PRINCIPLES = (
    "consistency", "foot_in_the_door", "reciprocity", "dissonance", "social_proof", "gamification",
)  # fmt: skip


class AskOf(NamedTuple):
    """A step's ask and the step it belongs to: itself, or the earlier one that it asks again."""

    ask: Ask
    root: str


def read_asks(steps: Table, page: Page, start: Mapping[str, object]) -> dict[str, AskOf]:
    found: dict[str, AskOf] = {}
    for key, body in steps:
        name = name_of(key, page.faults, "step")
        node = body.get("ask") if isinstance(body, Table) else None
        if isinstance(node, Scalar):
            found[name] = _repeat(node, name, found, page)
        elif isinstance(node, Table):
            found[name] = AskOf(read_ask(node, page.people, tuple(start), page.faults), name)
        else:
            found[name] = AskOf(PLACEHOLDER, name)
            if node is not None:
                page.faults.add("E103", node.mark, "a mail has one ask, not a list of them; make a step of each")
    return found


def _repeat(node: Scalar, name: str, before: Mapping[str, AskOf], page: Page) -> AskOf:
    asked = node.text.strip()
    if asked in before:
        earlier = before[asked]
        if earlier.root != asked:
            what = f"'{asked}' asks {earlier.root} again itself; write ask: {earlier.root}"
            page.faults.add("E209", node.mark, what)
        return AskOf(earlier.ask, earlier.root)
    if asked in page.positions:
        what = "itself" if asked == name else f"'{asked}', which comes later,"
        page.faults.add("E209", node.mark, f"'{name}' cannot ask {what} again; name a step above it")
    elif not asked:
        page.faults.add("E102", node.mark, f"'{name}' asks nothing; write ask: {{click: WORDS, to: https://…}}")
    else:
        hint = (
            page.faults.hint(asked, before)
            or "; to ask something new write a kind, as in {click: WORDS, to: https://…}"
        )
        page.faults.add("E201", node.mark, f"there is no step '{asked}' above to ask again{hint}")
    return AskOf(PLACEHOLDER, name)


def read_steps(
    steps: Table, asks: Mapping[str, AskOf], page: Page, *, send: SendRules, within: Duration | None,
    has_within: bool, ends: tuple[Happening, ...],
) -> dict[str, Step]:  # fmt: skip
    """All steps in order. `within` is the sequence's; `ends` are its goal and stop, which go before a yes."""
    found: dict[str, Step] = {}
    for position, (key, body) in enumerate(steps):
        name = key.text
        ask, root = asks[name]
        table = table_of(body, page.faults, f"the step '{name}'") or Table(key.mark)
        if isinstance(body, Table):
            _check_keys(table, key, page)
        else:
            page.guess(position)
        first = found[root] if root != name else None
        patience, until = _patience(table, key, ask, first, page, within, has_within)
        found[name] = Step(
            name=name,
            position=position,
            subjects=_subjects(table, page),
            template=_line(table, "template", page) or f"{name}.md",
            ask=ask,
            root=root,
            yes=_yes(table, key, position, ask, first, page, ends),
            no=_no(table, key, position, page) if isinstance(body, Table) else _end(),
            within=patience,
            until=until,
            send=read_send(table.values["send"], send, page.faults) if "send" in table.keys else send,
            preheader=_line(table, "preheader", page),
            extra=_extra(table, page),
            principle=one_of(node, PRINCIPLES, page.faults, "principle") if (node := table.get("principle")) else "",
            award=name_of(award, page.faults, "badge") if isinstance(award := table.get("award"), Scalar) else "",
        )
        if page.is_guessed(position):
            page.guess_all(position, body)
    return found


def _check_keys(table: Table, key: Scalar, page: Page) -> None:
    allow(table, STEP_KEYS, page.faults)
    if "subject" not in table.keys and not excused(table, "subject", STEP_KEYS):
        page.faults.add("E102", key.mark, f"'{key.text}' has no subject; write subject: and its words")
    if "ask" not in table.keys and not excused(table, "ask", STEP_KEYS):
        what = (
            f"'{key.text}' asks nothing, and a mail that asks nothing teaches people not to answer; "
            "giving something? let them take it: ask: {download: FILE}"
        )
        page.faults.add("E102", key.mark, what)


def _line(table: Table, name: str, page: Page) -> str:
    node = table.get(name)
    return "" if node is None else line_of(node, page.faults, name)


def _subjects(table: Table, page: Page) -> tuple[str, ...]:
    node = table.get("subject")
    if node is None:
        return ("",)
    if not isinstance(node, Items):
        return (line_of(node, page.faults, "subject"),)
    if not node.items:
        page.faults.add("E103", node.mark, "this list of subjects is empty; write one subject, or two to test them")
    return tuple(line_of(item, page.faults, "subject") for item in node.items) or ("",)


def _extra(table: Table, page: Page) -> Mapping[str, object]:
    node = table.get("with")
    if node is None or (extra := table_of(node, page.faults, "with")) is None:
        return MappingProxyType({})
    return MappingProxyType({str(name): value for name, value in plain(extra).items()})  # type: ignore[attr-defined]


def _patience(
    table: Table, key: Scalar, ask: Ask, first: Step | None, page: Page, default: Duration | None, has_default: bool
) -> tuple[Duration | None, Moment | None]:
    """How long silence is. `expires` is the ask's `within`, unless that is shorter."""
    within, until = table.get("within"), table.get("until")
    expires = None if ask.kind == "form" else ask.expires  # which begins once the form is sent
    if within is not None and until is not None:
        page.faults.add("E103", table.keys["until"].mark, "`within` and `until` exclude each other; keep one of them")
    if until is not None:
        return None, page.moment(until)
    if within is not None:
        own = parsed(within, words.duration, page.faults, "within")
        return (_shorter(own, expires) if first is None else own), None
    if first is not None:
        return first.within, first.until
    if expires is not None:
        return expires, None
    if not has_default and not excused(table, "within", STEP_KEYS) and not excused(table, "until", STEP_KEYS):
        what = f"'{key.text}' does not say when silence is a no; write within: 3 days, here or for the whole sequence"
        page.faults.add("E102", key.mark, what)
    return default, None


def _shorter(own: Duration | None, expires: Duration | None) -> Duration | None:
    if own is None or expires is None:
        return own or expires
    return min(own, expires, key=lambda length: length.days * 86400 + length.seconds)


def _yes(
    table: Table, key: Scalar, position: int, ask: Ask, first: Step | None, page: Page, ends: tuple[Happening, ...]
) -> Branch:
    node = table.get("yes")
    taken = _taken_by(ask, ends)
    if node is not None:
        page.took_next = False
        unknown = ask is PLACEHOLDER or (ask.kind == "poll" and not ask.answers)
        branch = read_branch(node, position, None if unknown else ask.answers, page)
        if page.took_next:
            page.nexts[key.text] = page.next_of(position)
        if taken:
            what = f"this yes can never happen: `{taken}` ends the sequence first; leave yes out"
            page.faults.add("E210", table.keys["yes"].mark, what)
        return branch
    if taken:
        return _end()
    if first is not None:
        return _inherited(first, key, position, page)
    if excused(table, "yes", STEP_KEYS):
        page.guess(position)
        return _end()
    page.fallen[key.text] = key.mark
    return Branch(arms=(Arm(page.next_of(position)),))


def _taken_by(ask: Ask, ends: tuple[Happening, ...]) -> str:
    """The goal or stop that the yes to this ask is, "" for none."""
    kind = OUTSIDE.get(ask.kind)
    for end in ends:
        if end.kind == kind and end.name in ("", ask.name):
            return f"{end.kind}: {end.name}" if end.name else end.kind
    return ""


def _inherited(first: Step, key: Scalar, position: int, page: Page) -> Branch:
    """The yes of the step that is asked again, as it leads from here."""
    below = _first_below(first, position, page)
    written = page.fallen.get(first.name)
    complained: list[str] = []

    def from_here(go: Go) -> Go:
        if isinstance(go, Split):
            targets = tuple((from_here(target), share) for target, share in go.shares)
            return Split(targets)  # type: ignore[arg-type]
        if isinstance(go, Exit):
            return go
        if written is not None or go == page.nexts.get(first.name):
            return below
        if page.positions[go.step] <= position:
            complained.append(go.step)
            return Exit("end")
        return go

    def arms_from_here(arms: tuple[Arm, ...]) -> tuple[Arm, ...]:
        return tuple(Arm(from_here(arm.go), arm.condition, arm.after, arm.at) for arm in arms)

    branch = Branch(
        arms=arms_from_here(first.yes.arms),
        by_answer=MappingProxyType({answer: arms_from_here(arms) for answer, arms in first.yes.by_answer.items()}),
    )
    if complained:
        what = f"the yes of '{first.name}' leads to '{complained[0]}', which is above '{key.text}'; write a yes here"
        page.faults.add("E202", key.mark, what)
    return branch


def _first_below(first: Step, position: int, page: Page) -> Goto | Exit:
    for name in page.order[position + 1 :]:
        if name != first.name and page.names.repeats.get(name) != first.name:
            return Goto(name)
    return Exit("end")


def _no(table: Table, key: Scalar, position: int, page: Page) -> Branch:
    node = table.get("no")
    if node is not None:
        return read_branch(node, position, {}, page)
    page.guess(position)
    if not excused(table, "no", STEP_KEYS):
        page.faults.add("E206", key.mark, f"'{key.text}' does not say what silence means; write no: end, or a step")
    return _end()


def _end() -> Branch:
    return Branch(arms=(Arm(Exit("end")),))
