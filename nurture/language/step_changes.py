"""How one step differs from what it was: what it asks, what it says, when it comes, where it leads; in words."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal

from nurture.language.sequence import Exit, Goto, Split

if TYPE_CHECKING:
    from nurture.language.sequence import Arm, Ask, Branch, Go, Sequence, Step

Kind = Literal["renamed", "removed", "inserted", "moved", "retimed", "asks", "leads", "rules", "words"]
"""How a step changed. Only words touch nobody's place: they reach every mail that is not written yet."""

TIMES: frozenset[Kind] = frozenset({"retimed", "rules"})
"""What `waiting: retime` counts again: other waits, or other hours in which the mail may leave."""


@dataclass(frozen=True, slots=True)
class Difference:
    kind: Kind
    words: str


def asks(old: Ask, new: Ask) -> list[Difference]:
    if (old.kind, old.name) != (new.kind, new.name):
        return [Difference("asks", f"asks for {_what(new)} instead of {_what(old)}")]
    found = []
    if gone := [str(key) for key in old.answers if key not in new.answers]:
        found.append(Difference("asks", f"no longer offers the answer {', '.join(gone)}"))
    if fresh := [str(key) for key in new.answers if key not in old.answers]:
        found.append(Difference("asks", f"offers the new answer {', '.join(fresh)}"))
    if old.save != new.save:
        found.append(Difference("asks", f"keeps the answer as {new.save}" if new.save else "keeps the answer no more"))
    if gone := [field.save for field in old.fields if field.save not in {one.save for one in new.fields}]:
        found.append(Difference("asks", f"no longer asks for {', '.join(gone)}; half-done forms keep what was typed"))
    if fresh := [field.save for field in new.fields if field.save not in {one.save for one in old.fields}]:
        found.append(Difference("asks", f"asks for {', '.join(fresh)} as well; half-done forms keep what was typed"))
    if old.at_least != new.at_least:
        found.append(Difference("asks", f"asks for {new.at_least}% of the video, was {old.at_least}%"))
    if (old.code, old.pool, old.expires) != (new.code, new.pool, new.expires):
        found.append(Difference("asks", "has another code or deadline"))
    return found


def _what(ask: Ask) -> str:
    return f"{ask.kind} {ask.name}".strip()


def wording(
    before: Sequence, after: Sequence, old: str, new: str, templates: Mapping[str, str], new_templates: Mapping[str, str]
) -> Iterator[Difference]:  # fmt: skip
    """In the file's own language, and in those that both versions have."""
    if _wording(before.steps[old], templates) != _wording(after.steps[new], new_templates):
        yield Difference("words", "other words")
    for code in sorted({*before.languages} & {*after.languages}):
        mine, theirs = before.languages[code].steps.get(old), after.languages[code].steps.get(new)
        if mine and theirs and _wording(mine, templates) != _wording(theirs, new_templates):
            yield Difference("words", f"other words in '{code}'")


def _wording(step: Step, templates: Mapping[str, str]) -> tuple[object, ...]:
    ask = step.ask
    return (
        step.subjects, step.preheader, step.extra, templates.get(step.template, ""), step.principle, step.award,
        ask.words, ask.label, ask.to, ask.price, ask.size, ask.missed, *ask.answers.values(), ask.results,
        *(words for page in ask.pages for words in (page.title, *(field.words for field in page.fields))),
        *(field.answers[key] for field in ask.fields for key in field.answers),
    )  # fmt: skip


# --- times, and ways


def times(before: Sequence, after: Sequence, old: str, new: str, now: Mapping[str, str]) -> Iterator[str]:
    mine, theirs = before.steps[old], after.steps[new]
    if (mine.within, mine.until) != (theirs.within, theirs.until):
        yield f"gives {_patience(theirs)} to answer, was {_patience(mine)}"
    earlier, later = _waits(_arrivals(before, old)), _waits(_arrivals(after, new))
    known = {(now.get(source, ""), way): waits for (source, way), waits in earlier.items()}
    for (source, way), waits in later.items():
        had = known.get((source, way), waits)
        if had != waits:
            fresh, gone = [one for one in waits if one not in had], [one for one in had if one not in waits]
            told, was = (fresh, gone) if fresh and gone else (waits, had)
            yield f"comes {' or '.join(told)} {way} {source}, was {' or '.join(was)}"


def _patience(step: Step) -> str:
    return f"until {step.until.text}" if step.until is not None else str(step.within or "no time")


def _arrivals(sequence: Sequence, name: str) -> Iterator[tuple[str, str, str]]:
    """From which step, by which way and after how long people come to this one."""
    for source in sequence.steps.values():
        for way, branch in (("after a yes to", source.yes), ("after no yes to", source.no)):
            for arm in branch.every_arm():
                if name in _targets(arm.go):
                    yield source.name, way, _wait(arm)


def _waits(arrivals: Iterable[tuple[str, str, str]]) -> dict[tuple[str, str], list[str]]:
    """Each wait once, in the order of the page: several entries of one branch may lead to the same step."""
    found: dict[tuple[str, str], list[str]] = {}
    for source, way, wait in arrivals:
        waits = found.setdefault((source, way), [])
        if wait not in waits:
            waits.append(wait)
    return found


def _wait(arm: Arm) -> str:
    if arm.at is not None:
        return f"at {arm.at.text}"
    return "at once" if arm.after is None else str(arm.after)


def _targets(go: Go) -> tuple[str, ...]:
    match go:
        case Goto(step):
            return (step,)
        case Exit(how):
            return (how,)
        case Split(shares):
            return tuple(target for share, _ in shares for target in _targets(share))


def leads(old: Step, new: Step, now: Mapping[str, str]) -> Iterator[Difference]:
    for way, mine, theirs in (("yes", old.yes, new.yes), ("no", old.no, new.no)):
        if _timeless(mine, now) != _timeless(theirs, MappingProxyType({})):
            yield Difference("leads", f"its {way} leads to {_ways(theirs)}, was {_ways(mine)}")


def _timeless(branch: Branch, now: Mapping[str, str]) -> object:
    """A branch without its waits, its steps by the names they have now."""

    def arms(listed: tuple[Arm, ...]) -> list[object]:
        return [
            (
                "" if arm.condition is None else _renamed_in(arm.condition.source, now),
                [(now.get(target, target), share) for target, share in _shares(arm.go)],
            )
            for arm in listed
        ]

    return arms(branch.arms), {answer: arms(listed) for answer, listed in branch.by_answer.items()}


def _shares(go: Go) -> list[tuple[str, int]]:
    shares = go.shares if isinstance(go, Split) else ((go, 100),)
    return [(name, share) for target, share in shares for name in _targets(target)]


def _renamed_in(condition: str, now: Mapping[str, str]) -> str:
    return re.sub(r"\banswers\.(\w+)", lambda found: f"answers.{now.get(found[1], found[1])}", condition)


def _ways(branch: Branch) -> str:
    targets = dict.fromkeys(target for arm in branch.every_arm() for target in _targets(arm.go))
    return " or ".join(targets) or "nothing"
