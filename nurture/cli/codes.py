"""Commands about codes: fill a pool, see how full each is."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nurture.cli import say
from nurture.cli.people import AsJson, Now
from nurture.cli.project import At, moment
from nurture.errors import Refused
from nurture.language.words import NAME

if TYPE_CHECKING:
    from collections.abc import Iterator

LONGEST = 100
"""Signs of a code: people type them."""


def register(app: typer.Typer) -> None:
    codes = typer.Typer(no_args_is_help=True, help="Discount codes, in pools that offers take them from.")
    codes.command("import")(import_codes)
    codes.command("list")(list_codes)
    app.add_typer(codes, name="codes")


def import_codes(
    context: typer.Context,
    pool: Annotated[str, typer.Argument(metavar="NAME", help="the pool, as in code: {pool: NAME}")],
    file: Annotated[Path, typer.Argument(metavar="FILE.csv", help="a code a line, or a column named code")],
    now: Now = None,
) -> int:
    """Put codes into a pool. A code that is in a pool already stays there, so a file may be brought in again."""
    from nurture.store import codes

    if not NAME.fullmatch(pool):
        raise Refused(f"'{pool}' cannot name a pool: use small letters, digits and _")
    good: list[tuple[int, str]] = []
    bad: list[tuple[int, str]] = []
    for line, code in _codes(file):
        (bad if _complaint(code) else good).append((line, code))
    at: At = context.obj
    with at.store() as store, store.write() as tx:
        new = codes.add(tx, pool, [code for _, code in good], moment(now))
        left = codes.left(tx, pool)
    print(f"{pool}: {new} codes added, {len(good) - new} were there already; {left} left.")
    for line, code in bad:
        say.say(f"{file}:{line}: {_complaint(code)}")
    return 1 if bad else 0


def _codes(file: Path) -> Iterator[tuple[int, str]]:
    try:
        text = file.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise Refused(f"{file} is not UTF-8 text; save it as CSV UTF-8") from None
    head = text.partition("\n")[0]
    reader = csv.reader(text.splitlines(), delimiter=";" if head.count(";") > head.count(",") else ",")
    column = 0
    for row in reader:
        cells = [cell.strip() for cell in row]
        if reader.line_num == 1 and "code" in (named := [cell.lower() for cell in cells]):
            column = named.index("code")
        elif any(cells):
            yield reader.line_num, cells[column] if column < len(cells) else ""


def _complaint(code: str) -> str:
    if not code:
        return "there is no code in this line"
    if len(code) > LONGEST:
        return f"'{code[:20]}…' has more than {LONGEST} signs"
    if not code.isprintable() or any(sign.isspace() or sign in "/?#" for sign in code):
        return f"'{code}' cannot be a code: it may hold no space, no / ? #, and nothing that cannot be seen"
    return ""


def list_codes(context: typer.Context, *, as_json: AsJson = False) -> None:
    """How many codes each pool has left."""
    from nurture.engine.offering import LOW, fill
    from nurture.store import codes

    at: At = context.obj
    with at.store() as store, store.read() as tx:
        stocks = codes.stocks(tx)
    if as_json:
        pools = [
            {"pool": pool, "left": stock.left, "taken": stock.taken, "low": stock.left < LOW}
            for pool, stock in stocks.items()
        ]
        say.data({"format": "nurture.codes/1", "pools": pools})
        return
    width = max((len(pool) for pool in stocks), default=0)
    for pool, stock in stocks.items():
        line = f"{pool:<{width}}  {stock.left:>7} left  {stock.taken:>7} taken"
        print(f"{line}  running out: {fill(pool)}" if stock.left < LOW else line)
    if not stocks:
        say.say("There are no codes yet; `nurture codes import NAME FILE.csv` brings some.")
