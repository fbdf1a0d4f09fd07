"""The badges a person has, and those that are still to be had: a page by the link in their mail, a picture for each."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.responses import Response
from starlette.routing import Route

from nurture.engine.awarding import badges
from nurture.errors import BadToken
from nurture.mail.effort import LOOKS
from nurture.web.medal import medal
from nurture.web.site import Site, in_thread, page

if TYPE_CHECKING:
    from starlette.requests import Request

FOREVER = "public, max-age=31536000, immutable"
"""One address is always the same picture."""


def routes(site: Site) -> list[Route]:
    return [
        Route("/b/{look:number}.png", in_thread(_medal), methods=["GET", "HEAD"]),
        Route("/b/{token}", in_thread(lambda request: _shelf(site, request)), methods=["GET", "HEAD"]),
    ]


def _medal(request: Request) -> Response:
    look = request.path_params["look"]
    if not 0 <= look < LOOKS:
        return Response(status_code=404)
    return Response(medal(look), media_type="image/png", headers={"Cache-Control": FOREVER})


def _shelf(site: Site, request: Request) -> Response:
    try:
        message = site.links.read_badges(request.path_params["token"])
    except BadToken:
        return page("gone.html", 404)
    shelf = badges(site.store, site.current(), message)
    return page("gone.html", 404) if shelf is None else page("badges.html", shelf=shelf, language=shelf.language)
