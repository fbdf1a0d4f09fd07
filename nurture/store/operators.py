"""Questions about who may come in: accounts, browsers that are logged in, tokens of programs."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from sqlalchemy import delete, func, select, update

from nurture.store import access_tables
from nurture.store.dialect import insert

if TYPE_CHECKING:
    from sqlalchemy import Connection

table, session, api_token = access_tables.operator, access_tables.session, access_tables.api_token
COLUMNS = (table.c.id, table.c.email, table.c.role, table.c.created_at)


@dataclass(frozen=True, slots=True)
class Operator:
    """Someone who runs the engine. `role` is view, edit or admin."""

    id: int
    email: str
    role: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Token:
    """A program's key, without the key. `scope` is read or write."""

    id: int
    name: str
    scope: str
    created_by: str
    created_at: datetime
    expires_at: datetime


# --- accounts


def add(tx: Connection, email: str, role: str, password: str, now: datetime) -> bool:
    """Add an account; False when the address has one."""
    row = {"email": email, "role": role, "password": password, "created_at": now}
    adding = insert(tx, table).on_conflict_do_nothing(index_elements=["email"]).returning(table.c.id)
    return tx.execute(adding, row).first() is not None


def add_first(tx: Connection, email: str, password: str, now: datetime) -> bool:
    """Add the first account, an admin; False when there is one already. Two at once make one."""
    if tx.dialect.name == "postgresql":
        tx.exec_driver_sql("LOCK TABLE operator IN EXCLUSIVE MODE")
    return count(tx) == 0 and add(tx, email, "admin", password, now)


def every(tx: Connection) -> list[Operator]:
    return [Operator(*row) for row in tx.execute(select(*COLUMNS).order_by(table.c.email))]


def count(tx: Connection, role: str | None = None) -> int:
    query = select(func.count()).select_from(table)
    query = query if role is None else query.where(table.c.role == role)
    return int(tx.execute(query).scalar_one())


def by_email(tx: Connection, email: str) -> tuple[Operator, str] | None:
    """The account of this address and its password's hash."""
    row = tx.execute(select(*COLUMNS, table.c.password).where(table.c.email == email)).first()
    return None if row is None else (Operator(*row[:-1]), row[-1])


def remove(tx: Connection, number: int) -> None:
    tx.execute(delete(session).where(session.c.operator == number))
    tx.execute(delete(table).where(table.c.id == number))


def set_password(tx: Connection, number: int, password: str) -> None:
    """Give an account another password; every browser of it is logged out."""
    tx.execute(update(table).where(table.c.id == number).values(password=password))
    tx.execute(delete(session).where(session.c.operator == number))


# --- browsers that are logged in


def open_session(tx: Connection, digest: str, number: int, now: datetime, until: datetime) -> None:
    tx.execute(delete(session).where(session.c.expires_at <= now))
    tx.execute(session.insert(), {"digest": digest, "operator": number, "created_at": now, "expires_at": until})


def close_session(tx: Connection, digest: str) -> None:
    tx.execute(delete(session).where(session.c.digest == digest))


def of_session(tx: Connection, digest: str, now: datetime) -> Operator | None:
    """Whose browser this is; None when it is not logged in any more."""
    query = select(*COLUMNS).join(session, session.c.operator == table.c.id)
    row = tx.execute(query.where(session.c.digest == digest).where(session.c.expires_at > now)).first()
    return None if row is None else Operator(*row)


# --- tokens of programs

TOKEN = (
    api_token.c.id, api_token.c.name, api_token.c.scope, api_token.c.created_by, api_token.c.created_at,
    api_token.c.expires_at,
)  # fmt: skip


def add_token(tx: Connection, token: Token, digest: str) -> bool:
    """Add a token; False when the name is taken."""
    row = {
        "name": token.name, "digest": digest, "scope": token.scope, "created_by": token.created_by,
        "created_at": token.created_at, "expires_at": token.expires_at,
    }  # fmt: skip
    adding = insert(tx, api_token).on_conflict_do_nothing(index_elements=["name"]).returning(api_token.c.id)
    return tx.execute(adding, row).first() is not None


def tokens(tx: Connection) -> list[Token]:
    return [Token(*row) for row in tx.execute(select(*TOKEN).order_by(api_token.c.name))]


def of_token(tx: Connection, digest: str, now: datetime) -> Token | None:
    query = select(*TOKEN).where(api_token.c.digest == digest).where(api_token.c.expires_at > now)
    row = tx.execute(query).first()
    return None if row is None else Token(*row)


def remove_token(tx: Connection, name: str) -> bool:
    """Take a token back; False when there is none of this name."""
    return bool(tx.execute(delete(api_token).where(api_token.c.name == name)).rowcount)
