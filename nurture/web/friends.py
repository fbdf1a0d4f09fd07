"""Invitations: where a friend comes in, the own page of whoever invites, and the leaderboard."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING
from urllib.parse import quote, urlencode

from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from nurture.engine import inviting
from nurture.mail.phrases import phrases
from nurture.web.counting import Counting
from nurture.web.devices import device_of, mark
from nurture.web.signups import BY_CLIENT, Sent, fields_of, form_page, spoken, take
from nurture.web.site import Site, in_thread, page, with_form
from nurture.web.tries import Tries

if TYPE_CHECKING:
    from starlette.requests import Request

    from nurture.engine.answering import Question


def routes(site: Site) -> list[Route]:
    clients = Tries(BY_CLIENT, timedelta(minutes=1))
    counted = Counting()

    def send(request: Request, body: str) -> Response:
        found = inviting.landing(site.store, site.current(), request.path_params["token"])
        if found is None:
            return page("gone.html", 404)
        return take(Sent(site, request, found.form, fields_of(body), found.link, _heading(request, found)), clients)

    return [
        Route("/r/{token}", in_thread(lambda request: _land(site, request)), methods=["GET", "HEAD"]),
        Route("/r/{token}", with_form(send), methods=["POST"]),
        Route(
            "/leaderboard/{name}", in_thread(lambda request: _board(site, counted, request)), methods=["GET", "HEAD"]
        ),
    ]


def _land(site: Site, request: Request) -> Response:
    found = inviting.landing(site.store, site.current(), request.path_params["token"])
    if found is None:
        return page("gone.html", 404)
    return form_page(site, request, found.form, friend_of=found.link, heading=_heading(request, found))


def _heading(request: Request, found: inviting.Landing) -> str:
    said = phrases(spoken(request)).page
    return said["invited_by"].format(name=found.by or said["a_friend"])


def own_page(site: Site, request: Request, message: str, asked: Question) -> Response:
    found = inviting.inviting(site.store, site.current(), message)
    if found is None:
        return page("gone.html", 404)
    said = phrases(asked.language).page
    link = site.links.invitation(found.link)
    body = urlencode({"body": said["share_text"].format(link=link)}, quote_via=quote)
    answer = page(
        "inviting.html", found=found, asked=asked, link=link, sharing=f"mailto:?{body}", language=asked.language,
        kept="kept" in request.query_params,
    )  # fmt: skip
    if device_of(site, request) != found.link:
        mark(site, request, answer, found.link)
    return answer


def rename(site: Site, request: Request, message: str, asked: Question, form: str) -> Response:
    """The name that the leaderboard may show."""
    del asked
    found = inviting.inviting(site.store, site.current(), message)
    if found is None:
        return page("gone.html", 404)
    inviting.rename(site.store, found.link, fields_of(form).get("name", ""))
    return RedirectResponse(f"{request.url.path}?kept=1", 303)


def _board(site: Site, counted: Counting, request: Request) -> Response:
    """Counted at most every few seconds, however many look."""
    asked = request.path_params["name"]
    name, as_json = asked.removesuffix(".json"), asked.endswith(".json")
    deployed = site.current()

    def count() -> dict[str, object]:
        found = inviting.board(site.store, deployed, name)
        return {"board": found}

    known = deployed.project.sequences.get(name)
    if known is None or all(step.ask.kind != "refer" for step in known.steps.values()):
        return JSONResponse({"detail": "not found"}, 404) if as_json else page("gone.html", 404)
    found = counted.get((deployed.id, name), count, site.now())
    if found is None:
        found = counted.get((deployed.id, name), count, site.now(), wait=True)
    assert found is not None
    if as_json:
        return JSONResponse(found["board"].document)
    return page("leaderboard.html", board=found["board"], language=found["board"].language)
