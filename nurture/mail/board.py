"""`{{ leaderboard() }}` in a mail: the first five, and the place of whoever reads it."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nurture.journey.enrollment import Ranked
    from nurture.mail.ask import Format
    from nurture.mail.slots import Slots

# no blank lines inside: one would end an HTML block in Markdown
TABLE = '<table width="100%" cellpadding="6" cellspacing="0" border="0" style="margin:0 0 18px">{rows}</table>'
ROW = '<tr><td width="12%">{place}.</td><td>{who}</td><td width="15%" align="right">{friends}</td></tr>'
OWN = (
    '<tr><td width="12%"><b>{place}.</b></td><td><b>{who} ({you})</b></td>'
    '<td width="15%" align="right"><b>{friends}</b></td></tr>'
)
MJ_TABLE = "<mj-table>{rows}</mj-table>"


@dataclass(frozen=True, slots=True)
class ShownBoard:
    """`you` is how a mail addresses its reader."""

    lines: tuple[Ranked, ...]
    you: str
    format: Format
    slots: Slots

    def __html__(self) -> str:
        rows = "".join(
            (OWN if one.own else ROW).format(
                place=self.slots.keep(one.place), who=self.slots.keep(one.who), friends=self.slots.keep(one.friends),
                you=escape(self.you),
            )
            for one in self.lines
        )  # fmt: skip
        if not rows:
            return ""
        return (MJ_TABLE if self.format == "mjml" else TABLE).format(rows=rows)
