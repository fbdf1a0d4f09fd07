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
from nurture.language.problems import counted
from nurture.language.words import NAME

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nurture.store.wishes import Line


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
    at: At = context.obj
    if pool in at.rules.shops:
        raise Refused(f"{pool} asks the shop for its codes (NURTURE_CODES__{pool.upper()}__URL), so none of a file")
    good: list[tuple[int, str]] = []
    bad: list[tuple[int, str]] = []
    for line, code in _codes(file):
        (bad if codes.complaint(code) else good).append((line, code))
    with at.store() as store, store.write() as tx:
        new = codes.add(tx, pool, [code for _, code in good], moment(now))
        left = codes.left(tx, pool)
        elsewhere = codes.elsewhere(tx, pool, [code for _, code in good])
    old = len(good) - new
    print(f"{pool}: {counted(new, 'code')} added, {old} {'was' if old == 1 else 'were'} there already; {left} left.")
    if elsewhere:
        say.say(f"{elsewhere} of them {'is' if elsewhere == 1 else 'are'} in another pool, and stay there.")
    for line, code in bad:
        say.say(f"{file}:{line}: {codes.complaint(code)}")
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


def list_codes(context: typer.Context, *, as_json: AsJson = False) -> None:
    """How many codes each pool has left."""
    from nurture.engine.offering import LOW, fill
    from nurture.store import codes, wishes

    at: At = context.obj
    shops = at.rules.shops
    with at.store() as store, store.read() as tx:
        stocks = {pool: codes.Stock(0, 0) for pool in shops} | codes.stocks(tx)
        lines = wishes.lines(tx)
    if as_json:
        pools = [
            {
                "pool": pool, "left": stock.left, "taken": stock.taken, "low": pool not in shops and stock.left < LOW,
                "shop": pool in shops, "waiting": lines[pool].people if pool in lines else 0,
                "error": lines[pool].error if pool in lines else "",
            }
            for pool, stock in sorted(stocks.items())
        ]  # fmt: skip
        say.data({"format": "nurture.codes/1", "pools": pools})
        return
    width = max((len(pool) for pool in stocks), default=0)
    for pool, stock in sorted(stocks.items()):
        if pool in shops:
            print(f"{pool:<{width}}  {stock.taken:>7} from the shop{_waits(lines.get(pool))}")
            continue
        line = f"{pool:<{width}}  {stock.left:>7} left  {stock.taken:>7} taken"
        print(f"{line}  running out: {fill(pool)}" if stock.left < LOW else line)
    if not stocks:
        say.say("There are no codes yet; `nurture codes import NAME FILE.csv` brings some.")


def _waits(line: Line | None) -> str:
    if line is None:
        return ""
    since = f"{line.people} waiting since {line.since:%Y-%m-%d %H:%M} UTC"
    return f"  {since}: the shop {line.error}" if line.error else f"  {since}"
