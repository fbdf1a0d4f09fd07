"""The page on which an admin gives and takes access: accounts of people, tokens of programs."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from nurture.engine import access
from nurture.engine.access import ROLES, SCOPES
from nurture.errors import Refused
from nurture.store import operators
from nurture.web.frame import Form, acts, show, twins

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.routing import Route

    from nurture.web.site import Site

PATH = "/access"


def routes(site: Site) -> list[Route]:
    return [
        *twins(PATH, "access.html", "nurture.access/1", lambda _: _who_may(site)),
        acts("/access/accounts", lambda request, form: _add(site, request, form)),
        acts("/access/accounts/remove", lambda request, form: _remove(site, request, form)),
        acts("/access/tokens", lambda request, form: _make_token(site, request, form)),
        acts("/access/tokens/remove", lambda request, form: _remove_token(site, request, form)),
    ]


def _who_may(site: Site) -> dict[str, Any]:
    with site.store.read() as tx:
        accounts, tokens = operators.every(tx), operators.tokens(tx)
    return {
        "accounts": [
            {"email": one.email, "role": one.role, "created_at": one.created_at.isoformat()} for one in accounts
        ],
        "tokens": [
            {
                "name": one.name, "scope": one.scope, "created_by": one.created_by,
                "created_at": one.created_at.isoformat(), "expires_at": one.expires_at.isoformat(),
            }
            for one in tokens
        ],
        "token": "",
        "token_name": "",
    }  # fmt: skip


def _add(site: Site, request: Request, form: Form) -> str:
    role = next((role for role in ROLES if role == form.get("role")), None)
    if role is None:
        raise Refused(f"a role is one of {', '.join(ROLES)}")
    by = request.state.who.name
    access.add(site.store, form.get("email", ""), role, form.get("password", ""), by=by, now=site.now())
    return PATH


def _remove(site: Site, request: Request, form: Form) -> str:
    access.remove(site.store, form.get("email", ""), by=request.state.who.name, now=site.now())
    return PATH


def _make_token(site: Site, request: Request, form: Form) -> Response:
    """The one page that shows a token, in answer to the form: it is never at an address."""
    name, scope, days = form.get("name", ""), form.get("scope", ""), form.get("days", "")
    if scope not in SCOPES or not days.isdigit():
        raise Refused("a token may read or write, for a number of days")
    lasts = timedelta(days=min(int(days), 10_000))
    token = access.make_token(
        site.store, name, "write" if scope == "write" else "read", lasts, by=request.state.who.name, now=site.now()
    )
    return show(
        request, "access.html", {**_who_may(site), "token": token, "token_name": name.strip(), "twin": "/access.json"}
    )


def _remove_token(site: Site, request: Request, form: Form) -> str:
    access.remove_token(site.store, form.get("name", ""), by=request.state.who.name, now=site.now())
    return PATH
