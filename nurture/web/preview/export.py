"""The preview as files: a page for every mail and person, to be opened without a server or put beside a pull request."""

from __future__ import annotations

import shutil
from html import escape
from typing import TYPE_CHECKING

from nurture.errors import Refused
from nurture.rehearsal.cast import ALL
from nurture.web.preview.mails import framed
from nurture.web.preview.seeing import Seen, see
from nurture.web.site import PAGES, page

if TYPE_CHECKING:
    from pathlib import Path

    from nurture.web.preview.desk import Desk

SHOWN = ("desktop", "phone", "dark", "text", "source", "headers")
MARK = "nurture-preview.txt"
"""Lies in a folder that was written by us, and may be written again."""


def write_pages(desk: Desk, folder: Path) -> int:
    """Write every page; how many. Raises Refused for a folder that holds something else."""
    if folder.exists() and any(folder.iterdir()) and not (folder / MARK).exists():
        raise Refused(f"{folder} holds other files; name an empty folder, or one that a preview was written to")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / MARK).write_text("Written by nurture preview --export; it may be written over.\n", encoding="utf-8")
    for name in ("demo.css", "preview.css", "preview.js"):
        shutil.copyfile(PAGES / name, folder / name)
    number, first = 0, ""
    for name in desk.names():
        shown = desk.shown(name)
        if shown is None:
            continue
        (folder / name).mkdir(exist_ok=True)
        for step in shown.sequence.steps:
            seen = see(desk, shown, step)
            first = first or f"{name}/{_file(step, ALL)}"
            for role in seen.roles:
                _write(desk, folder, see(desk, shown, step, role.key) if role.key != ALL else seen)
                number += 1
    if not first:
        raise Refused("there is no mail to write yet; see `nurture check`")
    start = f'<!doctype html><meta charset="utf-8"><meta http-equiv="refresh" content="0;url={escape(first)}">'
    (folder / "index.html").write_text(f'{start}<a href="{escape(first)}">The mails</a>\n', encoding="utf-8")
    return number


def _file(step: str, role: str, ending: str = ".html") -> str:
    return f"{step}{'' if role == ALL else f'.{role}'}{ending}"


def _write(desk: Desk, folder: Path, seen: Seen) -> None:
    name = seen.shown.sequence.name

    def link(step: str, **changes: str) -> str:
        return _file(step, changes.get("person", seen.role))

    def home(sequence: str) -> str:
        shown = desk.shown(sequence)
        first = next(iter(shown.sequence.steps), "") if shown is not None else ""
        return f"../{sequence}/{_file(first, ALL)}"

    def frame(*, dark: bool) -> str:
        return _file(seen.step.name, seen.role, ".dark.mail.html" if dark else ".mail.html")

    drawn = page(
        "preview_see.html", desk=desk, seen=seen, current=name, view=SHOWN[0], views=SHOWN, link=link, home=home,
        frame=frame, assets="../", static=True,
    )  # fmt: skip
    (folder / name / link(seen.step.name)).write_bytes(bytes(drawn.body))
    if seen.message is not None:
        for dark in (False, True):
            html = framed(seen.message.html, lambda _: f"{seen.step.name}.html", dark=dark)
            (folder / name / frame(dark=dark)).write_text(html, encoding="utf-8")
