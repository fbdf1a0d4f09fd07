"""What a person has done so far, made visible in a mail: badges they got, and how far they have come.

Tables and colours of their own, since mail programs show nothing else alike.
"""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nurture.journey.enrollment import Enrollment
    from nurture.language.sequence import Sequence

ROW = '<table role="presentation" class="badges" cellpadding="0" cellspacing="0" border="0" style="margin:0 0 18px;border-collapse:separate">{rows}</table>'
BADGE = '<tr><td style="padding:0 0 8px"><span style="display:inline-block;padding:5px 14px;border-radius:16px;background:#eaf3ee;color:#0f5a43;border:1px solid #bfd8cd;font-size:14px;font-weight:600;line-height:1.4">&#9733; {title}</span></td></tr>'
BAR = '<table role="presentation" class="progress" width="100%" cellpadding="0" cellspacing="0" border="0" style="margin:0 0 6px;border-collapse:separate" data-only="html"><tr>{cells}</tr></table><p style="margin:0 0 18px;font-size:14px">{kept} / {steps}</p>'
CELL = '<td height="8" style="height:8px;line-height:8px;font-size:1px;background:{colour};border-radius:4px;border-right:2px solid transparent">&nbsp;</td>'
DONE, OPEN = "#0f7a5a", "#c9d6cf"
MJ = '<mj-text css-class="nv-effort">{block}</mj-text>'


@dataclass(frozen=True, slots=True)
class Badges:
    """`{{ badges }}`: those a person got in this pass, in order. `titles` for hand-made markup; empty counts as false."""

    titles: tuple[str, ...]
    mjml: bool = False

    def __bool__(self) -> bool:
        return bool(self.titles)

    def __html__(self) -> str:
        block = ROW.format(rows="".join(BADGE.format(title=escape(title)) for title in self.titles))
        return "" if not self.titles else MJ.format(block=block) if self.mjml else block

    def __str__(self) -> str:
        return ", ".join(self.titles)


@dataclass(frozen=True, slots=True)
class Progress:
    """`{{ progress }}`: a bar of all asks, those that are kept filled; `kept` of `steps` in words."""

    kept: int
    steps: int
    mjml: bool = False

    def __html__(self) -> str:
        cells = "".join(CELL.format(colour=DONE if number < self.kept else OPEN) for number in range(self.steps))
        block = BAR.format(cells=cells, kept=self.kept, steps=self.steps)
        return MJ.format(block=block) if self.mjml else block

    def __str__(self) -> str:
        return f"{self.kept} / {self.steps}"


def effort(sequence: Sequence, enrollment: Enrollment) -> tuple[Badges, Progress]:
    """What stands in mails of a person's badges and of how far they have come."""
    titles = tuple(sequence.badges[name].title for name in enrollment.awards if name in sequence.badges)
    asks = sum(not step.repeats for step in sequence.steps.values())
    return Badges(titles), Progress(min(len(enrollment.answers), asks), asks)
