"""The links in mails: a click, the page of an ask, the way out. GET shows and never answers, branches or unsubscribes."""

from __future__ import annotations

import mimetypes
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, quote

from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from nurture.engine import answering, redeeming
from nurture.engine.deploy import afresh
from nurture.errors import BadToken, Refused
from nurture.journey.verdict import UNSUBSCRIBE_PAGE
from nurture.mail.phrases import phrases
from nurture.web import friends, signups
from nurture.web.countdown import countdown
from nurture.web.site import Site, hint, in_thread, page, whose, with_form

if TYPE_CHECKING:
    from starlette.requests import Request


def routes(site: Site) -> list[Route]:
    return [
        Route("/c/{token}", in_thread(lambda request: _click(site, request)), methods=["GET", "HEAD"]),
        Route("/q/{token}", in_thread(lambda request: _show(site, request)), methods=["GET", "HEAD"]),
        Route("/q/{token}", with_form(lambda request, form: _answer(site, request, form)), methods=["POST"]),
        Route("/o/{token}.png", in_thread(lambda request: _countdown(site, request)), methods=["GET", "HEAD"]),
        Route("/u/{token}", in_thread(lambda request: _way_out(site, request)), methods=["GET", "HEAD"]),
        Route("/u/{token}", with_form(lambda request, _: _unsubscribe(site, request)), methods=["POST"]),
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


def _asked(site: Site, request: Request) -> tuple[str, str, answering.Question] | None:
    try:
        message, chosen = site.links.read_page(request.path_params["token"])
    except BadToken:
        return None
    asked = answering.question(site.store, site.current(), message)
    return (
        None
        if asked is None or asked.kind not in ("poll", "download", "confirm", "refer")
        else (message, chosen, asked)
    )


def _show(site: Site, request: Request) -> Response:
    found = _asked(site, request)
    if found is None:
        return page("gone.html", 404)
    message, chosen, asked = found
    if asked.kind == "download":
        return _download_page(asked)
    if asked.kind == "confirm":
        return page("confirm.html", asked=asked, language=asked.language)
    if asked.kind == "refer":
        return friends.own_page(site, request, message, asked)
    if asked.answered is not None:
        return page("thanks.html", asked=asked, language=asked.language)
    return page("poll.html", asked=asked, chosen=chosen, problem="", language=asked.language)


def _answer(site: Site, request: Request, form: str) -> Response:
    found = _asked(site, request)
    if found is None:
        return page("gone.html", 404)
    message, chosen, asked = found
    if asked.kind == "confirm":
        return signups.confirm(site, request, message)
    if asked.kind == "refer":
        return friends.rename(site, request, message, asked, form)
    if asked.kind == "download":
        if asked.body is None:
            return _download_page(asked)
        afresh(site.current, lambda running: answering.answer(site.store, running, message, None, site.now()))
        return _file(asked, asked.body)
    if asked.answered is not None:
        return page("thanks.html", asked=asked, language=asked.language)
    given = parse_qs(form).get("answer", [chosen])[0]
    value = next((key for key in asked.answers if str(key) == given), given)
    try:
        kept = afresh(site.current, lambda running: answering.answer(site.store, running, message, value, site.now()))
        asked = kept or asked
    except Refused:
        problem = phrases(asked.language).page["choose"]
        return page("poll.html", 422, asked=asked, chosen="", problem=problem, language=asked.language)
    return page("thanks.html", asked=asked, language=asked.language)


def _download_page(asked: answering.Question) -> Response:
    size = _size(len(asked.body)) if asked.body is not None else ""
    name = asked.file.rpartition("/")[2]
    status = 404 if asked.body is None else 200
    return page("download.html", status, asked=asked, name=name, size=size, language=asked.language)


def _size(number: int) -> str:
    return f"{number / 1e6:.1f} MB" if number >= 1e6 else f"{max(1, round(number / 1e3))} KB"


def _file(asked: answering.Question, body: bytes) -> Response:
    name = asked.file.rpartition("/")[2]
    kind = mimetypes.guess_type(name)[0] or "application/octet-stream"
    # RFC 6266: names beyond ASCII are percent-encoded UTF-8
    return Response(
        body, media_type=kind, headers={"Content-Disposition": f"attachment; filename*=UTF-8''{quote(name, safe='')}"}
    )


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
    return page("unsubscribe.html", done=False, language=_language(site, message))


def _unsubscribe(site: Site, request: Request) -> Response:
    """RFC 8058: a POST does it at once, without a login, a question or a redirect; a repeat is fine."""
    try:
        message = site.links.read_unsubscribe(request.path_params["token"])
    except BadToken:
        return page("gone.html", 404)
    if not afresh(site.current, lambda running: answering.unsubscribe(site.store, running, message, site.now())):
        return page("gone.html", 404)
    return page("unsubscribe.html", done=True, language=_language(site, message))


def _language(site: Site, message: str) -> str:
    return answering.language_of(site.store, site.current(), message)
