"""A plan as a comment for a pull request."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nurture.cli.plan_text import headline, some, sums, to_write
from nurture.engine.becoming import GROUPS

if TYPE_CHECKING:
    from nurture.engine.becoming import StepPlan
    from nurture.engine.planning import Plan

HEAD = ("| step | change | before | waiting | asked | past | what becomes of them |", "|---|---|--:|--:|--:|--:|---|")


def as_markdown(found: Plan) -> str:
    if found.empty:
        return "**Nurture:** nothing to do; the files say what runs."
    lines = ["### What this edit does to the people inside"]
    for one in found.sequences:
        lines += ["", f"**{one.diff.name}**: {_plain('; '.join((headline(one), *one.diff.words)))}"]
        if one.steps:
            lines += ["", *HEAD, *(_row(step) for step in one.steps)]
    if found.other:
        lines += ["", f"Other files: {_plain(some(found.other))}"]
    if said := [*sums(found), *(str(problem) for problem in found.done)]:
        lines += ["", *(f"- {_plain(sentence)}" for sentence in said)]
    for refusal in found.refusals:
        lines += ["", f"> **Refused.** {refusal.sequence}: {_plain(refusal.words)}"]
    for where, what in to_write(found.refusals):
        lines += ["", f"{where}:", "", "```yaml" if where.endswith(".yaml") else "```", *what, "```"]
    return "\n".join(lines)


def _row(step: StepPlan) -> str:
    change = "; ".join(difference.words for difference in step.diff.differences)
    counts = " | ".join(f"{step.people.of(group):,}" for group in GROUPS)
    becomes = "<br>".join(
        f"{group}: {_plain('; '.join(step.becomes[group]))}" for group in GROUPS if group in step.becomes
    )
    return f"| `{step.diff.name or step.diff.was}` | {_plain(change)} | {counts} | {becomes} |"


def _plain(words: str) -> str:
    """A marketer's words, which must not become markup or end a cell."""
    for sign in "\\`*_|<>[]":
        words = words.replace(sign, f"\\{sign}")
    return words
