"""The web application of one process: hooks, links and pages, the API. Pages of the demo come in from outside."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from fastapi import FastAPI
from starlette.datastructures import MutableHeaders
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

import nurture
from nurture.errors import NurtureError
from nurture.store import deploys
from nurture.web import api, hooks, links
from nurture.web.site import PAGES, Site, in_thread, page

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

STRICT = (
    "default-src 'none'; style-src 'self'; img-src 'self' data:; form-action 'self'; base-uri 'none'; "
    "frame-ancestors {ancestors}"
)


def build(site: Site, first: Sequence[BaseRoute] = (), *, framed: bool = False) -> ASGIApp:
    """`first` are routes that go before ours. `framed`: our pages may stand in a frame of our own (the demo does that)."""
    app = FastAPI(title="Nurture", version=nurture.__version__, redoc_url=None)
    app.router.routes[:0] = first
    app.router.routes += [
        *hooks.routes(site),
        *links.routes(site),
        Route("/healthz", in_thread(lambda _: _health(site))),
        Route("/pages/page.css", in_thread(lambda _: _style())),
        Route("/", in_thread(lambda _: page("home.html"))),
    ]
    app.include_router(api.router(site))
    app.add_exception_handler(NurtureError, _trouble)
    return Headers(app, STRICT.format(ancestors="'self'" if framed else "'none'"))


def _style() -> Response:
    css = (PAGES / "page.css").read_text(encoding="utf-8")
    return Response(css, media_type="text/css", headers={"Cache-Control": "max-age=3600"})


def _health(site: Site) -> Response:
    try:
        with site.store.read() as tx:
            deployed = deploys.latest_id(tx)
    except NurtureError as error:
        return JSONResponse({"status": "down", "error": str(error)}, 503)
    return JSONResponse({"status": "ok", "version": nurture.__version__, "deploy": deployed})


async def _trouble(request: Request, error: Exception) -> Response:
    """The database cannot be used now, or nothing is deployed: say so, and let the caller come again."""
    if request.url.path.startswith(("/c/", "/q/", "/u/")):
        return page("gone.html", 503)
    return JSONResponse({"error": str(error)}, 503, headers={"Retry-After": "10"})


class Headers:
    """Security headers on every answer, unless the page has said something stricter or its own."""

    def __init__(self, app: ASGIApp, policy: str) -> None:
        self.app = app
        self.policy = policy

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        docs = scope["path"] in ("/docs", "/docs/oauth2-redirect")

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.setdefault("X-Content-Type-Options", "nosniff")
                headers.setdefault("Referrer-Policy", "no-referrer")
                headers.setdefault("Cache-Control", "no-store")
                if not docs:  # FastAPI's page of the API loads its script from a CDN
                    headers.setdefault("Content-Security-Policy", self.policy)
            await send(message)

        await self.app(scope, receive, with_headers)
