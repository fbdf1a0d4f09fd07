"""The pages on which asks are answered: poll, form, file, video, and any other that is confirmed. GET answers nothing."""

from __future__ import annotations

import math
import mimetypes
import re
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, parse_qsl, quote, urlencode, urlsplit, urlunsplit

from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from nurture.engine import answering, filling, thanking, watching
from nurture.engine.deploy import afresh
from nurture.errors import BadToken, Refused
from nurture.language.kinds import CONFIRM, HAND_OVER, HOSTED
from nurture.mail.phrases import phrases
from nurture.web import friends, handing, signups
from nurture.web.access import from_elsewhere
from nurture.web.site import Site, in_thread, page, with_form

if TYPE_CHECKING:
    from starlette.requests import Request

MOST_FORM = 100_000
"""Bytes that a page of a form may have: some long texts, in letters that take twelve bytes each on their way."""

FILMS = frozenset((".mp4", ".m4v", ".webm", ".ogv", ".ogg", ".mov", ".mp3", ".m4a"))
"""What a browser plays itself; any other address is a page elsewhere."""

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; media-src 'self'{host}; "
    "connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)
FIELD = "f."
"""How the names of a form's fields begin when they are posted."""

NOT_ELSEWHERE = frozenset({"poll", "form", "download", "refer", CONFIRM, HAND_OVER})
"""Kinds that are answered on our own pages alone."""

_RANGE = re.compile(r"bytes=(\d*)-(\d*)")


@dataclass(frozen=True, slots=True)
class Visit:
    """A page that was asked for: whose mail, what was tapped in it, and what it asks."""

    site: Site
    token: str
    message: str
    chosen: str
    asked: answering.Question


def routes(site: Site) -> list[Route]:
    return [
        Route("/q/{token}", in_thread(lambda request: _show(site, request)), methods=["GET", "HEAD"]),
        Route("/q/{token}", with_form(lambda request, form: _answer(site, request, form), MOST_FORM), methods=["POST"]),
        Route("/w/{token}", in_thread(lambda request: _film(site, request)), methods=["GET", "HEAD"]),
        Route("/w/{token}", with_form(lambda request, form: _reported(site, request, form)), methods=["POST"]),
    ]


def _visit(site: Site, request: Request) -> Visit | None:
    token = request.path_params["token"]
    try:
        message, chosen = site.links.read_page(token)
    except BadToken:
        return None
    asked = answering.question(site.store, site.current(), message)
    return None if asked is None or asked.kind not in HOSTED else Visit(site, token, message, chosen, asked)


def _show(site: Site, request: Request) -> Response:
    visit = _visit(site, request)
    if visit is None:
        return page("gone.html", 404)
    asked = visit.asked
    if asked.kind == "download":
        return _download_page(asked)
    if asked.kind == "confirm":
        return page("signed.html", asked=asked, language=asked.language)
    if asked.kind == HAND_OVER:
        return handing.show(site, visit.message, asked)
    if asked.kind == "refer":
        return friends.own_page(site, request, visit.message, asked)
    if asked.answered is not None and not (asked.changeable and "change" in request.query_params):
        return _thanks(site, asked)
    if asked.kind == "poll":
        chosen = visit.chosen if asked.answered is None else str(asked.answered)
        return page("poll.html", asked=asked, chosen=chosen, problem="", language=asked.language)
    if asked.kind == "form":
        wanted = request.query_params.get("page", "")
        number = int(wanted) - 1 if wanted.isascii() and wanted.isdigit() and len(wanted) < 4 else None
        return _form_page(filling.open_form(site.store, asked, wanted=number, chosen=visit.chosen))
    return _confirm_page(visit)


def _answer(site: Site, request: Request, form: str) -> Response:
    visit = _visit(site, request)
    if visit is None:
        return page("gone.html", 404)
    message, asked = visit.message, visit.asked
    if from_elsewhere(request):
        return page("elsewhere.html", 403, language=asked.language)
    if asked.kind == "confirm":
        return signups.confirm(site, request, message)
    if asked.kind == HAND_OVER:
        return handing.do(site, message, asked)
    if asked.kind == "refer":
        return friends.rename(site, request, message, asked, form)
    if asked.kind == "download":
        if asked.body is None:
            return _download_page(asked)
        afresh(site.current, lambda running: answering.answer(site.store, running, message, None, site.now()))
        return _file(asked, asked.body)
    if asked.answered is not None and not asked.changeable:
        return _thanks(site, asked)
    if asked.kind == "form":
        return _turn(visit, form)
    value: str | int | None = None
    if asked.kind == "poll":
        given = parse_qs(form).get("answer", [visit.chosen])[0]
        value = next((key for key in asked.answers if str(key) == given), given)
    try:
        kept = afresh(site.current, lambda running: answering.answer(site.store, running, message, value, site.now()))
    except Refused:
        problem = phrases(asked.language).page["choose"]
        return page("poll.html", 422, asked=asked, chosen="", problem=problem, language=asked.language)
    return _thanks(site, kept or asked)


def _thanks(site: Site, asked: answering.Question) -> Response:
    thanks = thanking.thanks(site.store, site.current(), asked)
    return page("thanks.html", asked=asked, thanks=thanks, language=asked.language)


# --- a form


def _turn(visit: Visit, posted: str) -> Response:
    site, asked = visit.site, visit.asked
    given = dict(parse_qsl(posted, keep_blank_values=True, max_num_fields=200, errors="replace"))
    number = int(given["page"]) - 1 if given.get("page", "").isdecimal() and len(given["page"]) < 4 else 0
    fields = {name.removeprefix(FIELD): value for name, value in given.items() if name.startswith(FIELD)}
    back = given.get("go") == "back"
    turned = afresh(
        site.current,
        lambda running: filling.turn(
            site.store, running, visit.message, asked, number, fields, back=back, now=site.now()
        ),
    )  # fmt: skip
    if not isinstance(turned, filling.Filling):
        return RedirectResponse(f"/q/{visit.token}", 303)
    if turned.problems:
        return _form_page(turned, 422)
    return RedirectResponse(f"/q/{visit.token}?page={turned.number + 1}", 303)


def _form_page(form: filling.Filling, status: int = 200) -> Response:
    return page("form.html", status, form=form, asked=form.asked, field_name=FIELD, language=form.asked.language)


# --- a video, or whatever else is confirmed


def _confirm_page(visit: Visit) -> Response:
    asked, links = visit.asked, visit.site.links
    token = links.done(visit.message)
    ask = asked.ask
    film, host = "", ""
    if asked.kind == "watch":
        if ask.name:
            film = f"/w/{token}" if asked.body is not None else ""
        elif PurePosixPath(urlsplit(ask.to).path).suffix.lower() in FILMS:
            film, host = ask.to, " {0.scheme}://{0.netloc}".format(urlsplit(ask.to))
    away = with_token(ask.to, token) if ask.to and not film else ""
    seen = watching.seen(visit.site.store, asked)
    answer = page(
        "confirm.html", asked=asked, film=film, away=away, report=f"/w/{token}", seen=seen, language=asked.language
    )
    answer.headers["Content-Security-Policy"] = POLICY.format(host=host)
    return answer


def with_token(address: str, token: str) -> str:
    """The address of a page elsewhere, with what it posts back to /w/ when the person did there what was asked."""
    parts = urlsplit(address)
    query = "&".join(filter(None, (parts.query, urlencode({"nurture": token}))))
    return urlunsplit(parts._replace(query=query))


def _reported(site: Site, request: Request, form: str) -> Response:
    """What a player says it played (`played` and `length`, in seconds), or a page elsewhere says was done."""
    found = _done(site, request)
    if found is None:
        return JSONResponse({"error": "this token is not one of ours, or what it is for is gone"}, 404)
    message, asked = found
    given = dict(parse_qsl(form, max_num_fields=10, errors="replace"))
    if "played" in given:
        played, length = _seconds(given["played"]), _seconds(given.get("length", ""))
        if asked.kind != "watch" or played is None or not length:
            return JSONResponse({"error": "write played and length in seconds"}, 422)
        progress = afresh(
            site.current,
            lambda running: watching.report(site.store, running, message, asked, played, length, site.now()),
        )
        return JSONResponse({"percent": progress.percent, "enough": progress.enough})
    if not asked.ask.to or PurePosixPath(urlsplit(asked.ask.to).path).suffix.lower() in FILMS:
        return JSONResponse({"error": "our own player says how much was played; nothing else does"}, 422)
    afresh(site.current, lambda running: answering.answer(site.store, running, message, None, site.now()))
    return JSONResponse({"percent": 100, "enough": True})


def _seconds(text: str) -> float | None:
    try:
        found = float(text)
    except ValueError:
        return None
    return found if math.isfinite(found) and 0 <= found <= 1e6 else None


def _done(site: Site, request: Request) -> tuple[str, answering.Question] | None:
    try:
        message = site.links.read_done(request.path_params["token"])
    except BadToken:
        return None
    asked = answering.question(site.store, site.current(), message)
    if asked is None or asked.kind not in HOSTED or asked.kind in NOT_ELSEWHERE:
        return None
    return message, asked


def _film(site: Site, request: Request) -> Response:
    """The video of the project's own folder; a part of it where one is asked for (RFC 9110, 14.2), as players do."""
    found = _done(site, request)
    if found is None or found[1].body is None:
        return page("gone.html", 404)
    body = found[1].body
    kind = mimetypes.guess_type(found[1].file)[0] or "application/octet-stream"
    headers = {"Accept-Ranges": "bytes", "Cache-Control": "private, max-age=3600"}
    part = _RANGE.fullmatch(request.headers.get("range", "").strip())
    if part is None or part[1] == part[2] == "":
        return Response(body, media_type=kind, headers=headers)
    last = len(body) - 1
    if part[1]:
        first, last = int(part[1]), min(int(part[2] or last), last)
    else:
        first = max(0, len(body) - int(part[2]))
    if first > last:
        return Response(status_code=416, headers={**headers, "Content-Range": f"bytes */{len(body)}"})
    headers["Content-Range"] = f"bytes {first}-{last}/{len(body)}"
    return Response(body[first : last + 1], 206, media_type=kind, headers=headers)


# --- a file


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
