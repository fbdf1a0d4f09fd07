"""Words that press for time. They are fair where the engine keeps the deadline, and nowhere else."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nurture.language.sequence import Step

_SOON = r"(today|tonight|tomorrow|at midnight|soon|in \d+ (minutes?|hours?|days?))"
_WORDS = re.compile(
    r"\b("
    r"(only|just) today|today only|(last|final|only) chance|time is running out|running out of time"
    rf"|(expires?|ends?) {_SOON}"
    r"|(?<!no )(?<!not )(?<!a )(?<!don't )(?<!don’t )(?<!never )hurry"
    r"|(only|just) \d+ (\w+ )?left|\d+ (spots?|seats?|places?|copies) left"
    r"|while (stocks?|supplies) lasts?|limited time|before it('s|’s| is) too late"
    r")\b",
    re.IGNORECASE,
)


def scarce(text: str, step: Step) -> str | None:
    """The first words that say that time or places run out, where the step has no deadline that is kept."""
    if step.ends:
        return None
    match = _WORDS.search(text)
    return match.group() if match else None


def pressing(words: str, step: Step) -> str:
    """What is wrong with them, and how to mend it."""
    how = "give the ask expires: 48 hours" if step.ask.kind == "buy" else "give the step until: and a moment"
    return f"'{words}' presses for time, and '{step.name}' has no deadline that is kept; {how}, or leave the words out"
