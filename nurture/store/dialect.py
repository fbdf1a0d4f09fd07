"""The few places where the two databases are spoken to differently."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any, TypeVar

from sqlalchemy import bindparam
from sqlalchemy.dialects import postgresql, sqlite

if TYPE_CHECKING:
    from sqlalchemy import BindParameter, Connection, Select, Table

T = TypeVar("T")

MOST = 900
"""Values in one IN list: below the thousand variables that old SQLite builds allow."""


def insert(tx: Connection, table: Table) -> postgresql.Insert:
    """An INSERT that knows ON CONFLICT; both dialects spell it alike."""
    if tx.dialect.name == "sqlite":
        return sqlite.insert(table)  # type: ignore[return-value]
    return postgresql.insert(table)


def locked(tx: Connection, query: Select[Any], *, of: Sequence[Table], skip: bool) -> Select[Any]:
    """Lock the rows that are read. On SQLite the writing transaction has locked everything already."""
    if tx.dialect.name == "sqlite":
        return query
    return query.with_for_update(of=list(of), skip_locked=skip)


def among(name: str) -> BindParameter[Any]:
    """Values of an IN list that are given when the statement is executed.

    What every turn asks is a constant of its module: SQLAlchemy takes longer to build such a statement, and to find it
    among those that it has compiled, than SQLite takes to answer it.
    """
    return bindparam(name, expanding=True)


def locked_once(tx: Connection, query: Select[Any], *of: Table, skip: bool) -> Select[Any]:
    """As `locked`, of a query that is a constant of its module: built with its lock once, and kept."""
    return query if tx.dialect.name == "sqlite" else _with_lock(query, *of, skip=skip)


@cache
def _with_lock(query: Select[Any], *of: Table, skip: bool) -> Select[Any]:
    return query.with_for_update(of=list(of), skip_locked=skip)


def chunks(values: Sequence[T]) -> Iterator[Sequence[T]]:
    """The values in lists that fit one statement."""
    for start in range(0, len(values), MOST):
        yield values[start : start + MOST]
