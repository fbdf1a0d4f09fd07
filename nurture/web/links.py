"""The links in mails: a click, the way out. GET shows and never answers, branches or unsubscribes."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import parse_qs

from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from nurture.engine import answering, preferring, redeeming
from nurture.engine.deploy import afresh
from nurture.errors import BadToken, Refused
from nurture.journey.timing import zone
from nurture.journey.verdict import UNSUBSCRIBE_PAGE
from nurture.mail.phrases import in_words
from nurture.web.countdown import countdown
from nurture.web.site import Site, hint, in_thread, page, whose, with_form

if TYPE_CHECKING:
    from starlette.requests import Request


def routes(site: Site) -> list[Route]:
    return [
        Route("/c/{token}", in_thread(lambda request: _click(site, request)), methods=["GET", "HEAD"]),
        Route("/o/{token}.png", in_thread(lambda request: _countdown(site, request)), methods=["GET", "HEAD"]),
        Route("/u/{token}", in_thread(lambda request: _way_out(site, request)), methods=["GET", "HEAD"]),
        Route("/u/{token}", with_form(lambda request, form: _preferred(site, request, form)), methods=["POST"]),
    ]


def _click(site: Site, request: Request) -> Response:
    try:
        message = site.links.read_click(request.path_params["token"])
    except BadToken:
        return page("gone.html", 404)
    ip, agent = whose(request)
    target = answering.click(
        site.store, site.inbox, message, method=request.method, ip=ip, agent=agent, hint=hint(request), now=site.now()
    )
    if target is None:
        return page("gone.html", 404)
    missed = redeeming.missed(site.store, site.current(), message, site.now())
    if missed is None:
        return RedirectResponse(target, 302)
    if missed.target:
        return RedirectResponse(missed.target, 302)
    # 200, though the offer is gone: some mail apps and proxies put a page of their own in the place of an error's
    return page("missed.html", deadline=missed.deadline, language=missed.language, sender=missed.sender)


def _countdown(site: Site, request: Request) -> Response:
    try:
        offer = site.links.read_countdown(request.path_params["token"])
    except BadToken:
        return Response(status_code=404)
    found = redeeming.countdown(site.store, offer, site.now())
    if found is None:
        return Response(status_code=404)
    return Response(countdown(found.left, found.language), media_type="image/png")


def _way_out(site: Site, request: Request) -> Response:
    try:
        message = site.links.read_unsubscribe(request.path_params["token"])
    except BadToken:
        return page("gone.html", 404)
    ip, agent = whose(request)
    # a look at this page unsubscribes nobody; it is a sign that a machine opens every link
    answering.click(
        site.store, site.inbox, message, method=request.method, ip=ip, agent=agent, hint=hint(request),
        now=site.now(), url=UNSUBSCRIBE_PAGE,
    )  # fmt: skip
    return _preferences(site, message, chosen=request.query_params.get("pause", ""))


def _preferences(site: Site, message: str, *, chosen: str = "", said: str = "") -> Response:
    found = preferring.page(site.store, site.current(), message, site.now())
    if found is None:  # we signed it, so it is no wrong address: `nurture doctor` tells the two apart
        return page("gone.html", 410)
    until = found.preferences.paused_until
    paused = "" if until is None else in_words(until, zone(found.zone), found.language)
    return page(
        "preferences.html", it=found, chosen=chosen if chosen in preferring.PAUSES else "", said=said, paused=paused,
        language=found.language,
    )  # fmt: skip


def _preferred(site: Site, request: Request, form: str) -> Response:
    """What they chose on the page; any other POST unsubscribes, as RFC 8058 has it."""
    fields = parse_qs(form)
    if "want" not in fields:
        return _unsubscribe(site, request)
    try:
        message = site.links.read_unsubscribe(request.path_params["token"])
    except BadToken:
        return page("gone.html", 404)
    wanted = fields["want"][0]
    try:
        done = afresh(site.current, lambda running: preferring.prefer(site.store, running, message, wanted, site.now()))
    except Refused:
        return _preferences(site, message)
    return _preferences(site, message, said=wanted) if done else page("gone.html", 404)


def _unsubscribe(site: Site, request: Request) -> Response:
    """RFC 8058: a POST does it at once, without a login, a question or a redirect; a repeat is fine."""
    try:
        message = site.links.read_unsubscribe(request.path_params["token"])
    except BadToken:
        return page("gone.html", 404)
    if not afresh(site.current, lambda running: answering.unsubscribe(site.store, running, message, site.now())):
        return page("gone.html", 410)  # as above
    return page("unsubscribe.html", language=_language(site, message))


def _language(site: Site, message: str) -> str:
    return answering.language_of(site.store, site.current(), message)
