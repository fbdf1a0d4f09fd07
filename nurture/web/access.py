"""Before every request: is this address in the table, is this our name, who asks, and did one of our pages ask?

A browser is known by its session, a program by its token; the table of `doors` says what each may do. What a browser
changes must come from a page of ours, which two independent things prove: what the browser says of the request's
origin, and a secret in the form (OWASP, Cross-Site Request Forgery Prevention).
"""

from __future__ import annotations

import math
from datetime import timedelta
from hmac import compare_digest
from ipaddress import ip_address
from typing import TYPE_CHECKING
from urllib.parse import quote, urlsplit

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response

from nurture.engine import access
from nurture.engine.access import Who
from nurture.errors import NurtureError
from nurture.web.forms import read_form
from nurture.web.site import Site, page, whose
from nurture.web.tries import Tries, near

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from nurture.web.doors import Doors

SAFE = ("GET", "HEAD")
CSRF_FIELD, CSRF_HEADER = "csrf", "x-csrf-token"
WRONG = 30
"""Wrong tokens from one address in a minute. A right one is asked as often as it likes: a shop brings its people in."""


class Access:
    """The application behind its doors."""

    def __init__(self, app: ASGIApp, site: Site, doors: Doors) -> None:
        self.app = app
        self._site = site
        self._doors = doors
        self._wrong = Tries(WRONG, timedelta(minutes=1))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        need = self._doors.need(scope["method"], scope["path"])
        if need == "anyone":
            await self.app(scope, receive, send)
            return
        request = Request(scope, receive)
        body: list[Message] = []
        refused = await self._refused(request, need, body)
        if refused is not None:
            await refused(scope, receive, send)
            return
        await self.app(scope, _again(body, receive), send)

    async def _refused(self, request: Request, need: str | None, body: list[Message]) -> Response | None:
        """The answer to a request that may not pass; None when it may. What was read of its body goes to `body`."""
        if need is None:
            known = self._doors.row(request.url.path) is not None
            return _no(request, 405, "this is only to be looked at") if known else _no(request, 404, "not found")
        if not answers_to(self._site, request.headers.get("host", "")):
            return _no(request, 421, "this server has another name; NURTURE_BASE_URL or NURTURE_ALLOWED_NAMES says it")
        unsafe = request.method not in SAFE
        if need == "door":
            return await self._unfit(request, body) if unsafe else None
        try:
            who = await run_in_threadpool(who_asks, self._site, request)
        except NurtureError as error:
            return JSONResponse({"detail": str(error)}, 503, {"Retry-After": "10"})
        if who is None:
            return self._too_often(request) or _log_in_first(request)
        if unsafe:
            unfit = await self._unfit(request, body, by_page=bool(who.session))
            if unfit is not None:
                return unfit
            if who.session and not compare_digest((await _csrf(request, body)).encode(), who.csrf.encode()):
                return _no(request, 403, "this page is from an earlier login; load it again")
        if not who.may(need):
            return _no(request, 403, f"this needs the role {need}, and {who.name} has {who.role}")
        request.state.who = who
        return None

    def _too_often(self, request: Request) -> Response | None:
        """Whether this address has tried too many tokens."""
        if "authorization" not in request.headers:
            return None
        wait = self._wrong.wait(near(whose(request)[0]), self._site.now())
        said = {"Retry-After": str(math.ceil(wait.total_seconds()))}
        return JSONResponse({"detail": "too many wrong tokens"}, 429, said) if wait else None

    async def _unfit(self, request: Request, body: list[Message], *, by_page: bool = True) -> Response | None:
        """Why what is sent here may not be: not from a page of ours, or longer than anything that belongs here."""
        if by_page and from_elsewhere(request):
            return _no(request, 403, "this form was not ours")
        row = self._doors.row(request.url.path)
        assert row is not None
        if not await _read(request, body, row.most):
            return _no(request, 413, f"{row.most:,} bytes are the most that may be sent here")
        return None


# --- who asks


def cookie_name(site: Site, request: Request) -> str:
    """The session's cookie. Under our https name only a cookie that no other host and no plain page could have set."""
    return "__Host-nurture" if is_secure(site, request) else "nurture"


def is_secure(site: Site, request: Request) -> bool:
    own = urlsplit(site.base_url)
    return request.url.scheme == "https" or (own.scheme == "https" and request.headers.get("host") == own.netloc)


def who_asks(site: Site, request: Request) -> Who | None:
    scheme, _, given = request.headers.get("authorization", "").partition(" ")
    if scheme:
        token = given.strip() if scheme.lower() == "bearer" else ""
        if site.admin_token and compare_digest(token.encode(), site.admin_token.encode()):
            return Who("NURTURE_ADMIN_TOKEN", "admin")
        return access.by_token(site.store, token, site.now())
    session = request.cookies.get(cookie_name(site, request), "")
    return access.by_session(site.store, session, site.now()) if session else None


def _log_in_first(request: Request) -> Response:
    path = request.url.path
    if request.method == "GET" and wants_page(request) and "authorization" not in request.headers:
        return RedirectResponse("/login" if path == "/" else f"/login?next={quote(path)}", 303)
    said = "send the header Authorization: Bearer TOKEN"
    return JSONResponse({"detail": said}, 401, {"WWW-Authenticate": "Bearer"})


# --- is this us


def answers_to(site: Site, host: str) -> bool:
    """Whether this is a name of ours: a page elsewhere can have its own name lead to us (DNS rebinding)."""
    name = urlsplit(f"//{host}").hostname or ""
    if name == "localhost" or name.endswith(".localhost") or name in site.names:
        return True
    try:
        return ip_address(name).is_loopback
    except ValueError:
        return name != "" and name == urlsplit(site.base_url).hostname


def from_elsewhere(request: Request) -> bool:
    """Whether a page that is not ours made this request, by what the browser says of it (Fetch Metadata, Origin)."""
    fetched = request.headers.get("sec-fetch-site")
    if fetched is not None:
        return fetched not in ("same-origin", "none")
    origin = request.headers.get("origin")
    return origin is not None and urlsplit(origin).netloc != request.headers.get("host")


async def _read(request: Request, body: list[Message], most: int) -> bool:
    """Read the body, to be read once more; False when it is longer than anything that belongs here."""
    size, more = 0, True
    while more:
        message = await request.receive()
        body.append(message)
        size += len(message.get("body", b""))
        more = message["type"] == "http.request" and message.get("more_body", False)
        if size > most:
            return False
    return True


async def _csrf(request: Request, body: list[Message]) -> str:
    """The secret that our page put into its form or header."""
    in_header = request.headers.get(CSRF_HEADER)
    if in_header is not None:
        return in_header
    whole = b"".join(message.get("body", b"") for message in body)
    posted = await run_in_threadpool(read_form, request.headers.get("content-type", ""), whole)
    return posted.fields.get(CSRF_FIELD, "")


def _again(body: list[Message], receive: Receive) -> Receive:
    """A body that was read, to be read once more."""
    waiting = list(body)

    async def replay() -> Message:
        return waiting.pop(0) if waiting else await receive()

    return replay


def wants_page(request: Request) -> bool:
    """Whether a browser asks for something to look at, rather than a program for data."""
    path = request.url.path
    return "text/html" in request.headers.get("accept", "") and not path.startswith("/api") and path[-5:] != ".json"


def _no(request: Request, status: int, why: str) -> Response:
    if wants_page(request):
        return page("refused.html", status, why=why, nothing_here=status == 404)
    return JSONResponse({"detail": why}, status)
