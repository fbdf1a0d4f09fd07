"""The ladder report: of each ask, how many were asked, said yes, said nothing, and have time left.

Counted by passes: a person who goes through a sequence again is asked again. An answer belongs to its root step, so a
second mail that repeats an ask is the same ask.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from statistics import quantiles as cuts
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from nurture.language.sequence import AnswerKey, Sequence, Step

NOWHERE = ""
"""Where a pass ended that got no mail."""


class Pass(NamedTuple):
    """One person's way through a sequence, as far as it went. Times are microseconds since 1970.

    `asked` are the steps whose mail left, in order; `answers` are kept asks by root step: the value, when it was done,
    in answer to which mail.
    """

    id: int
    subscriber: int
    started_at: int
    phase: str
    step: str
    ended: str | None
    asked: tuple[str, ...] | list[str]
    answers: Mapping[str, tuple[AnswerKey, int, str]]


@dataclass(frozen=True, slots=True)
class Clicks:
    """Clicks on the ask of a step's mails, by who made them."""

    human: int = 0
    machine: int = 0

    @property
    def machine_share(self) -> float | None:
        together = self.human + self.machine
        return self.machine / together if together else None

    def __add__(self, other: Clicks) -> Clicks:
        return Clicks(self.human + other.human, self.machine + other.machine)


@dataclass(frozen=True, slots=True)
class Quartiles:
    """How long it took, in seconds: a quarter was as fast as `first`, half as fast as `median`."""

    first: float
    median: float
    third: float


@dataclass(frozen=True, slots=True)
class Mail:
    """One mail of an ask: to how many it went, and how many said yes in answer to it."""

    step: str
    sent: int
    yes: int


@dataclass(frozen=True, slots=True)
class Rung:
    """One ask. `asked` is `yes`, `no` and `waiting` together; a late yes makes a no into a yes.

    `went_on` are those who got the mail of a later ask after it, `left` how the passes ended that got no further.
    """

    step: str
    asked: int = 0
    yes: int = 0
    no: int = 0
    waiting: int = 0
    clicks: Clicks = Clicks()
    answers: Mapping[AnswerKey, int] = field(default_factory=dict)
    mails: tuple[Mail, ...] = ()
    time_to_yes: Quartiles | None = None
    went_on: int = 0
    left: Mapping[str, int] = field(default_factory=dict)

    @property
    def yes_rate(self) -> float | None:
        """The share of those whose answer is in: who has time left counts neither way."""
        decided = self.yes + self.no
        return self.yes / decided if decided else None

    @property
    def lost(self) -> int:
        """Passes that ended here without the goal."""
        return sum(number for how, number in self.left.items() if how != "goal")


@dataclass(frozen=True, slots=True)
class Ladder:
    """A sequence's report. `inside` are passes that have not ended, `standing` at which step those are now.

    `never_mailed` is how those ended that got no mail.
    """

    enrolled: int
    inside: int
    standing: Mapping[str, int]
    ended: Mapping[str, int]
    rungs: tuple[Rung, ...]
    never_mailed: Mapping[str, int]

    @property
    def goal(self) -> int:
        return self.ended.get("goal", 0)

    @property
    def dies_at(self) -> Rung | None:
        """The ask at which most passes end without the goal."""
        return max((rung for rung in self.rungs if rung.lost), key=lambda rung: rung.lost, default=None)


def ladder(
    sequence: Sequence,
    passes: Iterable[Pass],
    sent_at: Mapping[tuple[int, str], int],
    clicks: Mapping[str, Clicks],
) -> Ladder:
    """Count. `sent_at` is when the mail of (pass, step) left, `clicks` are those on each step's mail."""
    roots = {step.name: step.root for step in sequence.steps.values()}
    counting = {step.name: _Counting() for step in sequence.steps.values() if not step.repeats}
    ended: Counter[str] = Counter()
    never: Counter[str] = Counter()
    standing: Counter[str] = Counter()
    enrolled = 0
    for one in passes:
        enrolled += 1
        if one.ended is None:
            standing[one.step] += 1
        else:
            ended[one.ended] += 1
        climbed = [root for root in dict.fromkeys(roots.get(name, "") for name in one.asked) if root]
        if not climbed and one.ended is not None:
            never[one.ended] += 1
        for name in one.asked:
            if name in roots:
                counting[roots[name]].sent[name] += 1
        for place, root in enumerate(climbed, 1):
            _count(counting[root], one, root, roots, sent_at, is_last=place == len(climbed))
    rungs = tuple(_rung(sequence.steps[root], counted, sequence, clicks) for root, counted in counting.items())
    return Ladder(enrolled, standing.total(), dict(standing), dict(ended), rungs, dict(never))


class _Counting:
    """What is counted of one ask while the passes go by."""

    __slots__ = ("answers", "asked", "left", "seconds", "sent", "waiting", "went_on", "yes_by_mail")

    def __init__(self) -> None:
        self.asked = self.waiting = self.went_on = 0
        self.answers: Counter[AnswerKey] = Counter()
        self.sent: Counter[str] = Counter()
        self.yes_by_mail: Counter[str] = Counter()
        self.left: Counter[str] = Counter()
        self.seconds: list[float] = []


def _count(
    counted: _Counting, one: Pass, root: str, roots: Mapping[str, str], sent_at: Mapping[tuple[int, str], int],
    *, is_last: bool,
) -> None:  # fmt: skip
    counted.asked += 1
    answer = one.answers.get(root)
    if answer is not None:
        value, at, mail = answer
        counted.answers[value] += 1
        counted.yes_by_mail[mail] += 1
        left_at = sent_at.get((one.id, mail))
        if left_at is not None:
            counted.seconds.append(max(at - left_at, 0) / 1_000_000)
    elif _has_time(one, root, roots):
        counted.waiting += 1
    if not is_last:
        counted.went_on += 1
    elif one.ended is not None:
        counted.left[one.ended] += 1


def _has_time(one: Pass, root: str, roots: Mapping[str, str]) -> bool:
    """Whether an answer is still awaited: also between an ask and the mail that repeats it."""
    return one.ended is None and roots.get(one.step) == root


def answer_to(sequence: Sequence, one: Pass, root: str) -> tuple[str, AnswerKey | None] | None:
    """What this pass says to an ask: `yes` and the answer, `no`, or `waiting`; None when it was not asked."""
    roots = {step.name: step.root for step in sequence.steps.values()}
    if not any(roots.get(name) == root for name in one.asked):
        return None
    if root in one.answers:
        return "yes", one.answers[root][0]
    return ("waiting" if _has_time(one, root, roots) else "no"), None


def _rung(step: Step, counted: _Counting, sequence: Sequence, clicks: Mapping[str, Clicks]) -> Rung:
    mails = [one.name for one in sequence.steps.values() if one.root == step.name]
    yes = counted.answers.total()
    answers = {key: counted.answers[key] for key in step.ask.answers}
    return Rung(
        step.name,
        counted.asked,
        yes,
        counted.asked - yes - counted.waiting,
        counted.waiting,
        sum((clicks.get(name, Clicks()) for name in mails), Clicks()),
        answers,
        tuple(Mail(name, counted.sent[name], counted.yes_by_mail[name]) for name in mails),
        quartiles(counted.seconds),
        counted.went_on,
        dict(counted.left),
    )


def quartiles(seconds: list[float]) -> Quartiles | None:
    """None of nothing; of one, that one three times."""
    if len(seconds) < 2:
        return Quartiles(seconds[0], seconds[0], seconds[0]) if seconds else None
    return Quartiles(*cuts(seconds, n=4, method="inclusive"))
