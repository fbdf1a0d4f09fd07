"""Reports of providers: read the raw bytes once, verify, keep, answer. What they mean is found out later."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from nurture.errors import BadSignature, StoreError, Unavailable
from nurture.providers.base import Hook

if TYPE_CHECKING:
    from starlette.requests import Request

    from nurture.web.site import Site

log = logging.getLogger("nurture.hooks")

PATIENCE = 20.0
"""Seconds in which a report has to arrive whole."""


def routes(site: Site) -> list[Route]:
    async def hook(request: Request) -> Response:
        return await _hook(site, request)

    async def there(request: Request) -> Response:
        # vendors look whether an address is there before they use it: Mandrill with HEAD
        name = request.path_params["provider"]
        return Response() if name in site.reporters else _no(404, f"there are no hooks of '{name[:40]}'")

    return [
        Route("/hooks/{provider}", hook, methods=["POST"]),
        Route("/hooks/{provider}", there, methods=["GET", "HEAD"]),
    ]


async def _hook(site: Site, request: Request) -> Response:
    name = request.path_params["provider"]
    provider = site.reporters.get(name)
    if provider is None or provider.verify is None:
        return _no(404, f"there are no hooks of '{name[:40]}'")
    account = site.accounts.get(name)
    if account is None or not account.hook_secrets:
        variable = f"NURTURE_PROVIDERS__{name.upper().replace('-', '_')}__HOOK_SECRET"
        log.warning("a report of %s was refused: set %s", name, variable, extra={"provider": name})
        site.refusals.add(name, f"no secret is set for its reports: {variable}", site.now())
        return _no(401, f"no hook secret is set for {name}")
    try:
        body = await asyncio.wait_for(_body(request, provider.most), PATIENCE)
    except TimeoutError:
        return _no(408, "the report did not arrive in time")
    except ClientDisconnect:
        return _no(400, "the report broke off")
    if body is None:
        return _no(413, f"a report has {provider.most:,} bytes at most")
    headers = {key.lower(): value for key, value in request.headers.items()}
    raw = Hook(headers, body, _known_as(site, request))
    now = site.now()
    try:
        if provider.greet is None:
            provider.verify(raw, account, now)
        else:  # these may ask the network
            await run_in_threadpool(provider.verify, raw, account, now)
            await run_in_threadpool(provider.greet, raw)
    except Unavailable as error:
        log.warning("a report of %s waits: %s", name, error, extra={"provider": name})
        return _no(provider.busy, "it cannot be checked now", {"Retry-After": "10"})
    except BadSignature as error:
        log.warning("a report of %s was refused: %s", name, error, extra={"provider": name})
        site.refusals.add(name, str(error)[:200], now)
        challenge = {"WWW-Authenticate": error.challenge} if error.challenge else {}
        return _no(401, str(error), challenge)
    kept = {key: value for key, value in headers.items() if key not in ("authorization", "cookie")}
    try:
        # the answer leaves after the commit: what was answered with 200 is on disk
        await asyncio.wrap_future(site.inbox.submit(name, kept, body, now, provider.once(raw)))
    except StoreError as error:
        return _no(provider.busy, str(error), {"Retry-After": "10"})
    return JSONResponse({"ok": True})


def _known_as(site: Site, request: Request) -> str:
    """The address that the sender was given: a proxy may have changed the one that arrived."""
    query = request.url.query
    return f"{site.links.hosted_url}{request.url.path}{query and '?'}{query}"


async def _body(request: Request, most: int) -> bytes | None:
    """The raw bytes; None when there are too many."""
    pieces, size = [], 0
    async for piece in request.stream():
        size += len(piece)
        if size > most:
            return None
        pieces.append(piece)
    return b"".join(pieces)


def _no(status: int, why: str, headers: dict[str, str] | None = None) -> Response:
    return JSONResponse({"error": why}, status, headers=headers)
