"""The web application of one process: hooks, links and pages, the API. Pages of the demo come in from outside."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from fastapi import FastAPI
from fastapi.exception_handlers import http_exception_handler
from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

import nurture
from nurture.engine.presence import clock_is_missing
from nurture.engine.show import held
from nurture.errors import NurtureError
from nurture.language.graph import STYLE
from nurture.store import deploys
from nurture.web import (
    api,
    asking,
    badges,
    dashboard,
    described,
    everyone,
    friends,
    hooks,
    importing,
    links,
    login,
    manage,
    metrics,
    operations,
    person,
    sequences,
    signups,
)
from nurture.web.access import Access, wants_page
from nurture.web.doors import ROWS, Doors
from nurture.web.frame import missing
from nurture.web.site import PAGES, Site, in_thread, page

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

STRICT = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; form-action 'self'; "
    "frame-ancestors {ancestors}; base-uri 'none'"
)
TYPES = {".css": "text/css", ".js": "text/javascript"}


def build(site: Site, first: Sequence[BaseRoute] = (), *, framed: bool = False) -> ASGIApp:
    """`first` are routes that go before ours and are open to all. `framed`: our pages may stand in a frame of our own.

    The demo uses both.
    """
    app = application(site, first)
    public = [route.path for route in first if isinstance(route, Route)]
    return Headers(
        Access(app, site, Doors(ROWS, public)), STRICT.format(ancestors="'self'" if framed else "'none'"),
        https=site.base_url.startswith("https://"),
    )  # fmt: skip


def application(site: Site, first: Sequence[BaseRoute] = ()) -> FastAPI:
    """All routes, without the doors before them."""
    app = FastAPI(title="Nurture", version=nurture.__version__, docs_url=None, redoc_url=None)
    app.router.routes[:0] = first
    app.router.routes += [
        *hooks.routes(site),
        *links.routes(site),
        *signups.routes(site),
        *friends.routes(site),
        *asking.routes(site),
        *badges.routes(site),
        *metrics.routes(site),
        Route("/healthz", in_thread(lambda request: _health(site, request))),
        Route("/pages/{file}", in_thread(_file)),
        *login.routes(site),
        *dashboard.routes(site),
        *sequences.routes(site),
        *everyone.routes(site),
        *importing.routes(site),
        *person.routes(site),
        *operations.routes(site),
        *manage.routes(site),
    ]
    app.include_router(api.router(site))
    app.router.routes += described.routes(app)
    app.add_exception_handler(NurtureError, _trouble)
    app.add_exception_handler(404, _nothing_there)
    return app


def _file(request: Request) -> Response:
    """A stylesheet or script of our pages."""
    name = request.path_params["file"]
    kind = TYPES.get(Path(name).suffix)
    path = PAGES / Path(name).name
    if name != "graph.css" and (kind is None or not path.is_file()):
        return page("gone.html", 404)
    text = STYLE if name == "graph.css" else path.read_text(encoding="utf-8")
    return Response(text, media_type=kind, headers={"Cache-Control": "max-age=3600"})


def _health(site: Site, request: Request) -> Response:
    """Well or not: that is all a stranger is told."""
    try:
        with site.store.read() as tx:
            deployed = deploys.latest_id(tx)
        missing = clock_is_missing(site.store, site.now())
        waiting = held(site.store)
    except NurtureError:
        return JSONResponse({"status": "down", "error": "the database cannot be used"}, 503)
    if missing:
        return JSONResponse({"status": "down", "error": "no clock was seen for a minute: nothing falls due"}, 503)
    if not metrics.may_see_figures(site, request):
        return JSONResponse({"status": "ok"})
    return JSONResponse({"status": "ok", "version": nurture.__version__, "deploy": deployed, "held": waiting})


async def _nothing_there(request: Request, error: Exception) -> Response:
    """A page for who looks at pages; the API tells of its own."""
    if wants_page(request) and hasattr(request.state, "who"):
        return missing(request)
    assert isinstance(error, HTTPException)
    return await http_exception_handler(request, error)


async def _trouble(request: Request, error: Exception) -> Response:
    """The database cannot be used now, or nothing is deployed: say so, and let the caller come again."""
    public = ("/c/", "/q/", "/w/", "/o/", "/b/", "/u/", "/r/", "/signup/", "/leaderboard/")
    if request.url.path.startswith(public):
        return page("gone.html", 503)
    return JSONResponse({"error": str(error)}, 503, headers={"Retry-After": "10"})


class Headers:
    """Security headers on every answer, unless the page has said something stricter or its own.

    A page that looks at itself again, as `frame.show` marks it, may ask this server; no other page asks anything.
    """

    def __init__(self, app: ASGIApp, policy: str, *, https: bool) -> None:
        self.app = app
        self.policy = policy
        self.https = https

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.setdefault("X-Content-Type-Options", "nosniff")
                # not `no-referrer`: browsers then say `Origin: null` of our own forms (Fetch standard, 3.2)
                headers.setdefault("Referrer-Policy", "same-origin")
                if self.https:
                    headers.setdefault("Strict-Transport-Security", "max-age=31536000")
                headers.setdefault("Permissions-Policy", "camera=(), geolocation=(), microphone=()")
                headers.setdefault("Cache-Control", "no-store")
                asks = "; connect-src 'self'" if scope.get("state", {}).get("again") else ""
                headers.setdefault("Content-Security-Policy", f"{self.policy}{asks}")
            await send(message)

        with suppress(ClientDisconnect):  # who asked is gone: there is nobody to tell, and nothing to mend
            await self.app(scope, receive, with_headers)
