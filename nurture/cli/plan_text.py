"""A plan on a terminal: step by step, who stands where and what becomes of them, then the sums."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nurture.cli import say
from nurture.engine.becoming import GROUPS
from nurture.engine.deeds import moved, so_many

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from nurture.engine.becoming import Group, StepPlan
    from nurture.engine.planning import Plan, SequencePlan
    from nurture.engine.refusals import Refusal

SIGNS = {"inserted": ("+", "green"), "removed": ("-", "red"), "renamed": ("~", "cyan")}
CHANGED = ("~", "yellow")
WHERE: dict[Group, str] = {
    "before": "before it", "waiting": "waiting for it", "asked": "asked by it", "past": "past it",
}  # fmt: skip
WIDEST = max(map(len, WHERE.values()))


def show(found: Plan) -> None:
    """All of it on stdout; what a refused plan needs comes last, next to the prompt."""
    line = say.out.print
    for problem in found.done:
        say.say(str(problem))
    if found.empty:
        line("Nothing to do: the files say what runs.")
        return
    for one in found.sequences:
        line(one.diff.name, style="bold", end="", markup=False)
        line(f"  {headline(one)}", style="dim", markup=False)
        for words in one.diff.words:
            line(f"  {words}", markup=False)
        for step in one.steps:
            _show_step(step)
        line()
    if found.other:
        line(f"other files: {some(found.other)}", style="dim", markup=False)
        line()
    for sentence in sums(found):
        line(sentence, markup=False)
    for refusal in found.refusals:
        line("refused ", style="bold red", end="")
        line(f"{refusal.sequence}: {refusal.words}", markup=False)
    for where, what in to_write(found.refusals):
        line(f"\n{where}:\n", markup=False)
        line("\n".join(f"    {one}" for one in what), style="bold", markup=False)


def _show_step(step: StepPlan) -> None:
    line = say.out.print
    first, *more = step.diff.differences
    sign, tone = SIGNS.get(first.kind, CHANGED)
    name = step.diff.name or step.diff.was
    line(f"\n  {sign} {name}", style=tone, end="", markup=False)
    line(f"  {first.words}", markup=False)
    for difference in more:
        line(f"    {' ' * len(name)}  {difference.words}", markup=False)
    there = [group for group in GROUPS if step.people.of(group)]
    width = max((len(f"{step.people.of(group):,}") for group in there), default=0)
    for group in there:
        line(f"      {step.people.of(group):>{width},} {WHERE[group]:{WIDEST}}  ", end="", markup=False)
        line(f"\n{' ' * (width + WIDEST + 9)}".join(step.becomes[group]), style="dim", markup=False)
    if not there:
        line("      nobody is inside", style="dim", markup=False)


def headline(one: SequencePlan) -> str:
    if one.diff.before is None:
        return "is new"
    inside = f"{so_many(one.inside)} inside"
    return f"its file is gone; {inside}" if one.diff.after is None else inside


def sums(found: Plan) -> list[str]:
    """Who is moved, and which mails follow; of a plan that is refused there are none."""
    if found.refusals:
        return []
    said = [moved(move) for move in found.moves]
    if found.mails_now or found.mails_soon:
        return [*said, f"Mails this causes: {found.mails_now:,} now, {found.mails_soon:,} more within a day."]
    return [*said, "Mails this causes: none within a day."]


def to_write(refusals: Iterable[Refusal]) -> list[tuple[str, list[str]]]:
    """What would make a refused plan go through: for each place, the lines to write there."""
    found: dict[str, list[str]] = {}
    for refusal in refusals:
        first, *rules = refusal.write.splitlines() or [""]
        if not rules and first:
            found.setdefault("Say it in the command", []).append(first)
        elif rules:
            known = found.setdefault(f"Write in sequences/{refusal.sequence}.yaml", [first])
            known += [rule for rule in rules if rule not in known]
    return list(found.items())


def some(names: Sequence[str]) -> str:
    return ", ".join(names[:8]) + (f" and {len(names) - 8} more" if len(names) > 8 else "")
