"""What others said, for whoever is like them: which words a person gets, and how they look in a mail.

Chosen without a memory, so that render, preview and the mail that leaves show the same: of what fits, that which fits
in most things; of several such, each person always gets the same.
"""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING

from nurture.journey.branching import lookup, lot
from nurture.journey.enrollment import Facts
from nurture.language.conditions import UNKNOWN

if TYPE_CHECKING:
    from nurture.journey.enrollment import Enrollment, Subscriber
    from nurture.language.sequence import Proof, Sequence
    from nurture.mail.ask import Format

BLOCK = '<table role="presentation" class="proof" width="100%" cellpadding="0" cellspacing="0" border="0" style="margin:0 0 18px">{row}</table>'
FACE = '<td width="68" valign="top"><img src="{url}" width="52" height="52" alt="" style="display:block;width:52px;height:52px;border-radius:26px"></td>'
WORDS = '<tr>{face}<td valign="top"><blockquote style="margin:0;padding:2px 0 2px 18px;border-left:3px solid #bfd8cd"><p style="margin:0 0 6px">{quote}</p><p style="margin:0;font-size:15px">&mdash; {name}</p></blockquote></td></tr>'
MJ_BLOCK = '<mj-text css-class="nv-proof">{table}</mj-text>'


def choose(sequence: Sequence, enrollment: Enrollment, subscriber: Subscriber) -> Proof | None:
    """The words that fit this person best; None where none are for them."""
    known = lookup(sequence, enrollment, Facts(subscriber))
    fits = [one for one in sequence.proof if all(_is(known(path), words) for path, words in one.wanted.items())]
    most = max((len(one.wanted) for one in fits), default=0)
    best = [one for one in fits if len(one.wanted) == most]
    return best[int(lot(subscriber.id, f"{sequence.name}/proof") * len(best))] if best else None


def _is(value: object, wanted: tuple[object, ...]) -> bool:
    return value is not UNKNOWN and (value in wanted or str(value) in wanted)


@dataclass(frozen=True, slots=True)
class ShownProof:
    """`{{ proof }}` in a template: a block. Its parts serve hand-made markup; `picture` is "" where there is none."""

    quote: str
    name: str
    picture: str
    format: Format

    def __html__(self) -> str:
        # no blank lines inside: one would end an HTML block in Markdown
        face = FACE.format(url=escape(self.picture)) if self.picture else ""
        quote = "<br>".join(escape(line.strip()) for line in self.quote.splitlines() if line.strip())
        table = BLOCK.format(row=WORDS.format(face=face, quote=quote, name=escape(self.name)))
        return MJ_BLOCK.format(table=table) if self.format == "mjml" else table

    def __str__(self) -> str:
        return self.quote
