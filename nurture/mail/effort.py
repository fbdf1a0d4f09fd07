"""What a person has done so far, made visible in a mail: badges they got, and how far they have come.

Tables and colours of their own, since mail programs show nothing else alike.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from html import escape
from typing import TYPE_CHECKING

from nurture.journey.branching import lot
from nurture.mail.slots import Slots

if TYPE_CHECKING:
    from nurture.journey.enrollment import Enrollment
    from nurture.language.sequence import Sequence
    from nurture.mail.links import Links

LOOKS = 96
"""How many badges can be told apart by their picture."""

# one link around all of them, so that the text part has their page's address once
ROW = '<table role="presentation" class="badges" cellpadding="0" cellspacing="0" border="0" style="margin:0 0 18px;border-collapse:separate"><tr><td>{badges}</td></tr></table>'
LINK = '<a href="{url}" style="color:inherit;text-decoration:none">{badges}</a>'
BADGE = '<span style="display:inline-block;margin:0 8px 8px 0;padding:4px 16px 4px 4px;border-radius:24px;background:#eaf3ee;color:#0f5a43;border:1px solid #bfd8cd;font-size:15px;font-weight:600;line-height:36px"><img src="{picture}" width="36" height="36" alt="&#9733;" style="display:inline-block;width:36px;height:36px;margin:0 8px 0 0;border:0;border-radius:18px;vertical-align:middle;line-height:36px;text-align:center"> {title}</span>'
BAR = '<table role="presentation" class="progress" width="100%" cellpadding="0" cellspacing="0" border="0" style="margin:0 0 6px;border-collapse:separate" data-only="html"><tr>{cells}</tr></table><p style="margin:0 0 18px;font-size:14px">{kept} / {steps}</p>'
CELL = '<td height="8" style="height:8px;line-height:8px;font-size:1px;background:{colour};border-radius:4px;border-right:2px solid transparent">&nbsp;</td>'
DONE, OPEN = "#0f7a5a", "#c9d6cf"
MJ = '<mj-text css-class="nv-effort">{block}</mj-text>'


def look_of(sequence: str, badge: str) -> int:
    """Which picture a badge has: always the same, whatever stands beside it on the page."""
    return int(lot(0, f"{sequence}/{badge}/medal") * LOOKS)


@dataclass(frozen=True, slots=True)
class Badges:
    """`{{ badges }}`: those a person got, in order. `titles` for hand-made markup; empty counts as false.

    `url` is the page that shows them all, and `pictures` are theirs, once it is known which mail they stand in.
    """

    titles: tuple[str, ...]
    looks: tuple[int, ...] = ()
    url: str = ""
    pictures: tuple[str, ...] = ()
    slots: Slots = field(default_factory=Slots, repr=False, compare=False)
    mjml: bool = False

    def placed(self, links: Links, message: str, slots: Slots, *, mjml: bool) -> Badges:
        """As they stand in this mail."""
        pictures = tuple(links.medal(look) for look in self.looks)
        return Badges(self.titles, self.looks, links.badges(message), pictures, slots, mjml)

    def __bool__(self) -> bool:
        return bool(self.titles)

    def __html__(self) -> str:
        if not self.titles:
            return ""
        each = zip(self.titles, self.pictures, strict=True)
        shown = " ".join(BADGE.format(title=escape(title), picture=escape(picture)) for title, picture in each)
        # the address is a person's own, and the markup around it everybody's
        block = ROW.format(badges=LINK.format(url=self.slots.keep(self.url), badges=shown))
        return MJ.format(block=block) if self.mjml else block

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
    names = [name for name in enrollment.awards if name in sequence.badges]
    titles = tuple(sequence.badges[name].title for name in names)
    asks = sum(not step.repeats for step in sequence.steps.values())
    return Badges(titles, tuple(look_of(sequence.name, name) for name in names)), Progress(
        min(len(enrollment.answers), asks), asks
    )
