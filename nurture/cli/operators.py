"""Commands about who may come in: accounts, tokens of programs, the audit log; and what a public address needs."""

from __future__ import annotations

import getpass
import sys
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from nurture.cli import say
from nurture.cli.people import AsJson
from nurture.cli.project import At
from nurture.errors import Refused, SettingsError

if TYPE_CHECKING:
    from nurture.settings import Settings
    from nurture.store.database import Store

Email = Annotated[str, typer.Argument(metavar="EMAIL")]
Role = Annotated[Literal["view", "edit", "admin"], typer.Option(help="view looks, edit acts, admin gives access")]
STRONG = 32
"""Characters of a secret that nobody guesses: 192 bits of base64."""


def register(app: typer.Typer) -> None:
    users = typer.Typer(no_args_is_help=True, help="Who may log in to the pages.")
    users.command("add")(add)
    users.command("list")(users_list)
    users.command("remove")(remove)
    users.command("password")(password)
    app.add_typer(users, name="user")
    tokens = typer.Typer(no_args_is_help=True, help="Programs that may use the API.")
    tokens.command("add")(token_add)
    tokens.command("list")(tokens_list)
    tokens.command("remove")(token_remove)
    app.add_typer(tokens, name="token")
    app.command("audit")(audit)


# --- accounts


def add(context: typer.Context, email: Email, role: Role = "admin") -> None:
    """Make an account. The password is asked for, or read from a pipe."""
    from nurture.engine import access

    at: At = context.obj
    with at.store() as store:
        made = access.add(store, email, role, _password(), by=_me(), now=_now())
    print(f"{made} may log in, with the role {role}.")


def users_list(context: typer.Context, *, as_json: AsJson = False) -> None:
    """Everyone who has an account."""
    from nurture.store import operators

    at: At = context.obj
    with at.store() as store, store.read() as tx:
        found = operators.every(tx)
    if as_json:
        users = [{"email": one.email, "role": one.role, "created_at": one.created_at.isoformat()} for one in found]
        say.data({"format": "nurture.users/1", "users": users})
        return
    for one in found:
        print(f"{one.email}  {one.role}  since {say.clock(one.created_at.isoformat())}")
    if not found:
        say.say("Nobody has an account; `nurture user add EMAIL` makes one.")


def remove(context: typer.Context, email: Email) -> None:
    """Take an account away, and log its browsers out."""
    from nurture.engine import access

    at: At = context.obj
    with at.store() as store:
        gone = access.remove(store, email, by=_me(), now=_now())
    print(f"{gone} may not log in any more.")


def password(context: typer.Context, email: Email) -> None:
    """Give an account another password, and log its browsers out. It is asked for, or read from a pipe."""
    from nurture.engine import access

    at: At = context.obj
    with at.store() as store:
        done = access.change_password(store, email, _password(), by=_me(), now=_now())
    print(f"{done} has another password; every browser of it is logged out.")


def _password() -> str:
    """Never from an argument, which every process on the machine can read."""
    if not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\n")
    given = getpass.getpass("Password: ", sys.stderr)
    if getpass.getpass("Once more: ", sys.stderr) != given:
        raise Refused("the two passwords differ")
    return given


# --- tokens of programs


def token_add(
    context: typer.Context,
    name: Annotated[str, typer.Argument(metavar="NAME", help="whose it is, like `shop`")],
    scope: Annotated[Literal["read", "write"], typer.Option(help="what it may do")] = "read",
    days: Annotated[int, typer.Option(min=1, max=366, help="how long it lasts")] = 90,
) -> None:
    """Make a token. It is shown once."""
    from nurture.engine import access

    at: At = context.obj
    with at.store() as store:
        token = access.make_token(store, name, scope, timedelta(days=days), by=_me(), now=_now())
    say.say(f"The token {name} may {scope} for {days} days. It is not shown again:")
    print(token)


def tokens_list(context: typer.Context, *, as_json: AsJson = False) -> None:
    """All tokens, without the secret itself."""
    from nurture.store import operators

    at: At = context.obj
    with at.store() as store, store.read() as tx:
        found = operators.tokens(tx)
    if as_json:
        tokens = [
            {
                "name": one.name, "scope": one.scope, "created_by": one.created_by,
                "expires_at": one.expires_at.isoformat(),
            }
            for one in found
        ]  # fmt: skip
        say.data({"format": "nurture.tokens/1", "tokens": tokens})
        return
    for one in found:
        print(f"{one.name}  {one.scope}  by {one.created_by}  until {say.clock(one.expires_at.isoformat())}")
    if not found:
        say.say("There are no tokens; `nurture token add NAME` makes one.")


def token_remove(context: typer.Context, name: Annotated[str, typer.Argument(metavar="NAME")]) -> None:
    """Take a token back; it is worth nothing from now on."""
    from nurture.engine import access

    at: At = context.obj
    with at.store() as store:
        access.remove_token(store, name, by=_me(), now=_now())
    print(f"The token {name} is taken back.")


# --- the audit log


def audit(
    context: typer.Context,
    limit: Annotated[int, typer.Option(min=1, help="how many")] = 50,
    *,
    verify: Annotated[bool, typer.Option("--verify", help="look whether anything was changed behind our back")] = False,
    as_json: AsJson = False,
) -> int:
    """Who did what, when and why; newest first."""
    from nurture.store import audit as log

    at: At = context.obj
    with at.store() as store, store.read() as tx:
        broken = log.first_broken(tx) if verify else None
        found = log.listing(tx, limit)
    if verify:
        print("The audit log is as it was written." if broken is None else f"Entry {broken} was changed afterwards.")
        return 0 if broken is None else 1
    if as_json:
        entries = [
            {
                "id": one.id, "at": one.at.isoformat(), "who": one.who, "action": one.action, "target": one.target,
                "reason": one.reason, "detail": dict(one.detail),
            }
            for one in found
        ]  # fmt: skip
        say.data({"format": "nurture.audit/1", "entries": entries})
        return 0
    for one in found:
        print("  ".join(filter(None, (say.clock(one.at.isoformat()), one.who, one.action, one.target, one.reason))))
    if not found:
        say.say("Nobody has done anything yet.")
    return 0


# --- what a public address needs


def nobody(store: Store) -> bool:
    from nurture.store import operators

    with store.read() as tx:
        return operators.count(tx) == 0


def refuse_to_be_public(settings: Settings, store: Store) -> None:
    """Raises SettingsError unless only this machine can reach the server, or it is fit to be reached by others."""
    if _only_here(settings.host):
        return
    missing = []
    if not settings.admin_token.get_secret_value() and nobody(store):
        missing.append("someone who may come in: `nurture user add EMAIL`, or NURTURE_ADMIN_TOKEN")
    if not settings.base_url.startswith("https://"):
        missing.append("NURTURE_BASE_URL with https, so that no password travels in the open")
    keys = [key.get_secret_value() for key in settings.secret_key]
    if not keys or any(len(key) < STRONG or len(set(key)) < 10 for key in keys):
        missing.append(f"NURTURE_SECRET_KEY of {STRONG} random characters or more")
    if missing:
        raise SettingsError(f"to listen at {settings.host}, where others can reach it, it needs {'; '.join(missing)}")


def _only_here(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _me() -> str:
    """Who uses the command line, by the machine's own word."""
    try:
        return f"{getpass.getuser()} (command line)"
    except (OSError, KeyError):
        return "command line"


def _now() -> datetime:
    return datetime.now(UTC)
