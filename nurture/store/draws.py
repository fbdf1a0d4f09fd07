"""Prize draws: which logs were closed, and the one seed that each was drawn from with."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import func, select, update

from nurture.store import offer_tables
from nurture.store.dialect import insert, locked

if TYPE_CHECKING:
    from sqlalchemy import Connection

table = offer_tables.draw
c = table.c


@dataclass(frozen=True, slots=True)
class Draw:
    """A closed log. `ask` is as it was named, `root` the step whose ask it is; `seed` is "" until it was drawn from."""

    hash: str
    ask: str
    sequence: str
    root: str
    entries: int
    closed_at: datetime
    seed: str = ""
    winners: tuple[str, ...] = ()
    drawn_at: datetime | None = None


COLUMNS = (c.hash, c.ask, c.sequence, c.root, c.entries, c.closed_at, c.seed, c.winners, c.drawn_at)


def close(tx: Connection, draw: Draw) -> bool:
    """Put a closed log on record; False when the very same one was closed before."""
    row: dict[str, Any] = {
        "hash": draw.hash, "ask": draw.ask, "sequence": draw.sequence, "root": draw.root, "entries": draw.entries,
        "closed_at": draw.closed_at, "seed": "", "winners": [], "drawn_at": None,
    }  # fmt: skip
    adding = insert(tx, table).on_conflict_do_nothing(index_elements=["hash"]).returning(c.hash)
    return tx.execute(adding, row).first() is not None


def closed(tx: Connection, ask: str) -> int:
    """How many logs of this ask were closed."""
    return int(tx.execute(select(func.count()).where(c.ask == ask)).scalar_one())


def lock(tx: Connection, fixed: str) -> Draw | None:
    """The log with this hash, which nobody else draws from before this transaction ends."""
    row = tx.execute(locked(tx, select(*COLUMNS).where(c.hash == fixed), of=[table], skip=False)).first()
    return None if row is None else _draw(row)


def drawn(tx: Connection, fixed: str, seed: str, winners: list[str], at: datetime) -> None:
    tx.execute(update(table).where(c.hash == fixed).values(seed=seed, winners=winners, drawn_at=at))


def every(tx: Connection) -> list[Draw]:
    """All that were closed, the first first."""
    return [_draw(row) for row in tx.execute(select(*COLUMNS).order_by(c.closed_at, c.hash))]


def _draw(row: Any) -> Draw:  # noqa: ANN401 - a row
    hash_, ask, sequence, root, entries, closed_at, seed, winners, drawn_at = row
    return Draw(hash_, ask, sequence, root, entries, closed_at, seed, tuple(winners), drawn_at)
