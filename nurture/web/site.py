"""What every page and endpoint of one process works with, and how a page is drawn."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.concurrency import run_in_threadpool
from starlette.convertors import IntegerConvertor, register_url_convertor
from starlette.responses import HTMLResponse, Response

from nurture.language.sequence import ENGLISH
from nurture.mail.phrases import phrases
from nurture.providers import HOOKS
from nurture.web.refusals import Refusals

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from starlette.requests import Request

    from nurture.engine.deploy import Current
    from nurture.engine.inbox import Inbox
    from nurture.mail.links import Links
    from nurture.providers.base import Account, Provider
    from nurture.store.database import Store

MOST_FORM = 20_000
"""Bytes that a posted form may have."""

PAGES = Path(__file__).with_name("pages")

_MAIL = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src 'self' data: http: https:; font-src http: https: data:; "
    "base-uri 'none'; form-action 'none'"
)
MAIL_FRAMED = f"{_MAIL}; frame-ancestors 'self'"
MAIL_ALONE = f"{_MAIL}; frame-ancestors 'none'; sandbox"
"""What a page that is a mail may do. Its pictures come from anywhere; nothing in it runs; alone, it is of no origin."""


class Number(IntegerConvertor):
    """`{id:number}` of an address: one that a database can hold. Any other is the number of nothing."""

    regex = "[0-9]{1,18}"


register_url_convertor("number", Number())


@dataclass(frozen=True, slots=True)
class Site:
    """`accounts` are how hooks are verified, by provider. `admin_token` is a token that may do all; "" is none.

    `base_url` and `names` are what this server is called. `setup` is the secret of the link that makes the first
    account; "" offers none. `settings` are to be shown: name, value, where from, what it means. `now` gives UTC.
    `reporters` are whose hooks are taken, by the last part of their address; `refusals` those that proved nothing.
    """

    store: Store
    current: Current
    links: Links
    inbox: Inbox
    accounts: Mapping[str, Account]
    now: Callable[[], datetime]
    admin_token: str = field(default="", repr=False)
    base_url: str = ""
    names: frozenset[str] = frozenset()
    setup: str = field(default="", repr=False)
    settings: tuple[tuple[str, str, str, str], ...] = ()
    reporters: Mapping[str, Provider] = field(default_factory=lambda: HOOKS, repr=False)
    refusals: Refusals = field(default_factory=Refusals)


@cache
def _environment() -> Environment:
    return Environment(loader=FileSystemLoader(PAGES), autoescape=True, undefined=StrictUndefined)


def page(template: str, status: int = 200, /, **values: object) -> HTMLResponse:
    """A page of `web/pages/`, its own sentences in the `language` of the values."""
    known: dict[str, object] = {"language": ENGLISH, "sender": "", **values}
    known["say"] = phrases(str(known["language"])).page
    return HTMLResponse(_environment().get_template(template).render(known), status)


def in_thread(handle: Callable[[Request], Response]) -> Callable[[Request], Awaitable[Response]]:
    """A plain function as an endpoint: the web is the only room with another colour, and it hands over at once."""

    async def endpoint(request: Request) -> Response:
        return await run_in_threadpool(handle, request)

    return endpoint


def with_form(
    handle: Callable[[Request, str], Response], most: int = MOST_FORM
) -> Callable[[Request], Awaitable[Response]]:
    """A plain function that is also given what was posted, unless that is more than it may be."""

    async def endpoint(request: Request) -> Response:
        body = b""
        async for piece in request.stream():
            body += piece
            if len(body) > most:
                return page("gone.html", 413)
        form = body.decode("utf-8", "replace")
        return await run_in_threadpool(handle, request, form)

    return endpoint


def whose(request: Request) -> tuple[str, str]:
    """The address and agent of whoever asks."""
    return (request.client.host if request.client else ""), request.headers.get("user-agent", "")[:500]


def hint(request: Request) -> str:
    """What a request says of itself when no person made it yet: prefetch and prerender (Fetch standard, `Sec-Purpose`)."""
    said = f"{request.headers.get('sec-purpose', '')} {request.headers.get('purpose', '')}".lower()
    return "prefetch" if "prefetch" in said or "prerender" in said or "preview" in said else ""
