"""Who may come in: accounts of those who run the engine, their browsers, tokens of programs. Each act is on the audit log."""

from __future__ import annotations

import hmac
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from typing import TYPE_CHECKING, Literal

from nurture.engine.addresses import normalise
from nurture.engine.passwords import hashed, matches, refuse_weak
from nurture.errors import Refused
from nurture.store import audit, operators
from nurture.store.audit import Entry
from nurture.store.operators import Token

if TYPE_CHECKING:
    from nurture.store.database import Store
    from nurture.store.operators import Operator

Role = Literal["view", "edit", "admin"]
Scope = Literal["read", "write"]
ROLES: tuple[Role, ...] = ("view", "edit", "admin")
SCOPES: dict[str, Role] = {"read": "view", "write": "edit"}
"""What a token of each scope may do, as a role."""

LASTS = timedelta(hours=12)
"""How long a login is good, however busy the browser is."""

PREFIX = "nur_"
"""Before every token, for scanners that look for secrets."""

LONGEST_TOKEN = timedelta(days=366)


@dataclass(frozen=True, slots=True)
class Who:
    """Whoever asks for something: a person at a browser or a program. `session` and `csrf` are a browser's own."""

    name: str
    role: Role
    session: str = ""
    csrf: str = ""

    def may(self, role: str) -> bool:
        """Whether this role is theirs or below it; anything that is no role is refused."""
        return role in ROLES[: ROLES.index(self.role) + 1]


# --- accounts


def add(store: Store, email: str, role: Role, password: str, *, by: str, now: datetime) -> str:
    """Make an account; returns its normalised address. Raises Refused."""
    address = normalise(email)
    refuse_weak(password, address)
    kept = hashed(password)
    with store.write() as tx:
        if not operators.add(tx, address, role, kept, now):
            raise Refused(f"{address} has an account already")
        audit.record(tx, Entry(now, by, "account added", address, detail={"role": role}))
    return address


def add_first(store: Store, email: str, password: str, now: datetime) -> str:
    """Make the first account, an admin, by the setup link. Raises Refused, also when there is one already."""
    address = normalise(email)
    refuse_weak(password, address)
    kept = hashed(password)
    with store.write() as tx:
        if not operators.add_first(tx, address, kept, now):
            raise Refused("there is an account already; log in with it")
        audit.record(tx, Entry(now, address, "account added", address, "the setup link", {"role": "admin"}))
    return address


def remove(store: Store, email: str, *, by: str, now: datetime) -> str:
    """Take an account away, and log its browsers out. Raises Refused; the last admin stays."""
    with store.write() as tx:
        operator, _ = _known(operators.by_email(tx, normalise(email)), email)
        if operator.role == "admin" and operators.count(tx, "admin") == 1:
            raise Refused(f"{operator.email} is the last admin; make another first")
        operators.remove(tx, operator.id)
        audit.record(tx, Entry(now, by, "account removed", operator.email))
    return operator.email


def change_password(store: Store, email: str, password: str, *, by: str, now: datetime) -> str:
    """Give an account another password; every browser of it is logged out. Raises Refused."""
    address = normalise(email)
    refuse_weak(password, address)
    kept = hashed(password)
    with store.write() as tx:
        operator, _ = _known(operators.by_email(tx, address), email)
        operators.set_password(tx, operator.id, kept)
        audit.record(tx, Entry(now, by, "password changed", operator.email))
    return operator.email


def _known(found: tuple[Operator, str] | None, email: str) -> tuple[Operator, str]:
    if found is None:
        raise Refused(f"{email} has no account; `nurture user list` shows them")
    return found


# --- browsers


def check(store: Store, email: str, password: str) -> Operator | None:
    """Whose password this is. Whether the address has an account shows neither in the answer nor in its time."""
    try:
        address = normalise(email)
    except Refused:
        address = ""
    with store.read() as tx:
        found = operators.by_email(tx, address)
    right = matches(password, None if found is None else found[1])
    return found[0] if found is not None and right else None


def log_in(store: Store, operator: Operator, now: datetime, *, instead_of: str = "") -> str:
    """A new session; returns its id, which is kept nowhere. `instead_of` is the digest of the one it replaces."""
    number = secrets.token_urlsafe(32)
    with store.write() as tx:
        operators.close_session(tx, instead_of)
        operators.open_session(tx, digest(number), operator.id, now, now + LASTS)
        audit.record(tx, Entry(now, operator.email, "logged in"))
    return number


def log_out(store: Store, who: Who, now: datetime) -> None:
    with store.write() as tx:
        operators.close_session(tx, who.session)
        audit.record(tx, Entry(now, who.name, "logged out"))


def failed(store: Store, email: str, ip: str, now: datetime) -> None:
    """A login that was refused is on record; what was typed may be a password in the wrong field, so only known names."""
    try:
        address = normalise(email)
    except Refused:
        address = ""
    with store.write() as tx:
        name = address if address and operators.by_email(tx, address) is not None else "someone"
        audit.record(tx, Entry(now, name, "login refused", detail={"ip": ip}))


def by_session(store: Store, number: str, now: datetime) -> Who | None:
    """Who sits at the browser with this session; None when it is not logged in (any more)."""
    kept = digest(number)
    with store.read() as tx:
        found = operators.of_session(tx, kept, now)
    if found is None:
        return None
    csrf = hmac.digest(number.encode(), b"csrf", "sha256").hex()
    return Who(found.email, _role(found.role), kept, csrf)


# --- programs


def make_token(store: Store, name: str, scope: Scope, lasts: timedelta, *, by: str, now: datetime) -> str:
    """A new token; returns it, and it is never shown again. Raises Refused."""
    if not name.strip() or len(name) > 80:
        raise Refused("a token has a name of 1 to 80 characters, so that one knows later whose it is")
    if not timedelta(0) < lasts <= LONGEST_TOKEN:
        raise Refused(f"a token lasts 1 to {LONGEST_TOKEN.days} days")
    token = PREFIX + secrets.token_urlsafe(32)
    made = Token(0, name.strip(), scope, by, now, now + lasts)
    with store.write() as tx:
        if not operators.add_token(tx, made, digest(token)):
            raise Refused(f"there is a token '{made.name}' already")
        audit.record(tx, Entry(now, by, "token added", made.name, detail={"scope": scope, "days": lasts.days}))
    return token


def remove_token(store: Store, name: str, *, by: str, now: datetime) -> None:
    """Take a token back. Raises Refused when there is none of this name."""
    with store.write() as tx:
        if not operators.remove_token(tx, name):
            raise Refused(f"there is no token '{name}'; `nurture token list` shows them")
        audit.record(tx, Entry(now, by, "token removed", name))


def by_token(store: Store, token: str, now: datetime) -> Who | None:
    """Which program this is; None for a token that is unknown or over."""
    if not token.startswith(PREFIX):
        return None
    with store.read() as tx:
        found = operators.of_token(tx, digest(token), now)
    return None if found is None else Who(f"token {found.name}", SCOPES[found.scope])


def digest(secret: str) -> str:
    """What is kept of a random secret of 256 bits: nothing has to slow its guessing down."""
    return sha256(secret.encode()).hexdigest()


def _role(text: str) -> Role:
    return next((role for role in ROLES if role == text), "view")
