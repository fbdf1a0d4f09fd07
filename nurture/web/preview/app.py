"""The preview's own small application: pages of one project's mails, for whoever sits at this machine."""

from __future__ import annotations

import asyncio
from base64 import b64encode
from collections.abc import AsyncIterator
from hashlib import sha256
from typing import TYPE_CHECKING
from urllib.parse import quote, urlencode
from zlib import crc32

from starlette.applications import Starlette
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response, StreamingResponse
from starlette.routing import Route

from nurture.language.graph import STYLE
from nurture.rehearsal.cast import ALL
from nurture.web.app import Headers
from nurture.web.preview import editor
from nurture.web.preview.mails import framed
from nurture.web.preview.player import leads, played, read_asked
from nurture.web.preview.seeing import Seen, faults_in, see
from nurture.web.preview.twins import played_as_data, seen_as_data
from nurture.web.site import MAIL_FRAMED, PAGES, in_thread, page

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.types import ASGIApp

    from nurture.web.preview.desk import Desk, Shown

OWN_NAMES = ["127.0.0.1", "localhost"]
"""Another name in `Host` is a page elsewhere that makes this machine's browser ask us (DNS rebinding)."""

_DRAWN = b64encode(sha256(STYLE.encode()).digest()).decode()
POLICY = (
    f"default-src 'none'; script-src 'self'; connect-src 'self'; style-src 'self' 'sha256-{_DRAWN}'; "
    "img-src 'self' data:; frame-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
"""The drawn ladder carries its own style, which is known by its hash."""

HEARTBEAT = 15
VIEWS = ("desktop", "phone", "dark", "text", "source", "headers")
ASSETS = {
    "demo.css": "text/css", "preview.css": "text/css", "preview.js": "text/javascript", "editor.js": "text/javascript",
}  # fmt: skip


class Listeners:
    """The browsers that want to hear of saves."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._closed = False

    def close(self) -> None:
        """Let every browser go, so that the server can stop."""
        self._closed = True
        self._desk.tell()

    async def stream(self, _request: Request) -> Response:
        return StreamingResponse(self._saves(), media_type="text/event-stream")

    async def _saves(self) -> AsyncIterator[str]:
        """Server-sent events: one now, so that a page that slept hears what it missed, then one for each save."""
        loop, woken = asyncio.get_running_loop(), asyncio.Event()

        def wake() -> None:
            loop.call_soon_threadsafe(woken.set)

        self._desk.heard.add(wake)
        try:
            while not self._closed:
                woken.clear()
                yield f"event: saved\ndata: {self._desk.number}\n\n"
                while not self._closed and not woken.is_set():
                    try:
                        await asyncio.wait_for(woken.wait(), HEARTBEAT)
                    except TimeoutError:
                        yield ": still here\n\n"
        finally:
            self._desk.heard.discard(wake)


def build(desk: Desk, listeners: Listeners, *, edit: bool) -> ASGIApp:
    """`edit`: the editor may write files."""
    app = Starlette(
        routes=[
            Route("/", in_thread(lambda _: _home(desk))),
            Route("/see/{sequence}", in_thread(lambda request: _first(desk, request))),
            Route("/see/{sequence}/{step}.json", in_thread(lambda request: _see_twin(desk, request))),
            Route("/see/{sequence}/{step}", in_thread(lambda request: _see(desk, request))),
            Route("/mail/{sequence}/{step}", in_thread(lambda request: _mail(desk, request))),
            Route("/play/{sequence}.json", in_thread(lambda request: _play_twin(desk, request))),
            Route("/play/{sequence}", in_thread(lambda request: _play(desk, request))),
            Route("/play/{sequence}/mail", in_thread(lambda request: _play_mail(desk, request))),
            *editor.routes(desk, edit=edit),
            Route("/saves", listeners.stream),
            Route("/pages/{name}", in_thread(_asset)),
        ]
    )
    return Headers(TrustedHostMiddleware(app, allowed_hosts=OWN_NAMES, www_redirect=False), POLICY, https=False)


def _asset(request: Request) -> Response:
    name = request.path_params["name"]
    if name not in ASSETS:
        return HTMLResponse("<p>There is no such file.</p>", 404)
    return Response((PAGES / name).read_text(encoding="utf-8"), media_type=ASSETS[name])


def _home(desk: Desk) -> Response:
    names = desk.names()
    return RedirectResponse(f"/see/{quote(names[0])}") if names else _nothing(desk, "There is no sequence to show yet.")


def _nothing(desk: Desk, words: str) -> Response:
    """A page that says so and has every fault, until a save mends it."""
    return page(
        "preview_nothing.html", 404, desk=desk, words=words, current="", problems=list(faults_in(desk.version)),
        assets="/pages/", home=lambda name: f"/see/{quote(name)}", static=False,
    )  # fmt: skip


def _found(desk: Desk, request: Request) -> tuple[Shown | None, str]:
    return desk.shown(request.path_params["sequence"]), request.path_params.get("step", "")


def _first(desk: Desk, request: Request) -> Response:
    shown, _ = _found(desk, request)
    if shown is None or not shown.sequence.steps:
        return _nothing(desk, "There is no sequence of this name, or it has no step that could be read.")
    first = next(iter(shown.sequence.steps))
    return RedirectResponse(f"/see/{quote(shown.sequence.name)}/{first}")


# --- looking at mails


def _seen(desk: Desk, request: Request) -> Seen | None:
    shown, step = _found(desk, request)
    if shown is None or step not in shown.sequence.steps:
        return None
    return see(desk, shown, step, request.query_params.get("person", ALL), request.query_params.get("language", ""))


def _see(desk: Desk, request: Request) -> Response:
    seen = _seen(desk, request)
    if seen is None:
        return _nothing(desk, "This step is not there any more.")
    view = request.query_params.get("view", VIEWS[0])
    return page("preview_see.html", desk=desk, seen=seen, **see_values(seen, view if view in VIEWS else VIEWS[0]))


def _see_twin(desk: Desk, request: Request) -> Response:
    seen = _seen(desk, request)
    return JSONResponse({"detail": "not found"}, 404) if seen is None else JSONResponse(seen_as_data(seen))


def see_values(seen: Seen, view: str) -> dict[str, object]:
    """What the page of a mail is drawn from, beside the mail: where its links lead on this server."""
    said = {"person": seen.role if seen.role != ALL else "", "language": seen.language}

    def link(step: str, **changes: str) -> str:
        pairs = {name: value for name, value in {**said, **changes}.items() if value}
        return f"/see/{quote(seen.shown.sequence.name)}/{step}{'?' + urlencode(pairs) if pairs else ''}"

    version = crc32(seen.message.html.encode()) if seen.message is not None else 0
    pairs = {name: value for name, value in {**said, "v": f"{version:x}"}.items() if value}

    def frame(*, dark: bool) -> str:
        asked = {**pairs, "dark": "1"} if dark else pairs
        return f"/mail/{quote(seen.shown.sequence.name)}/{seen.step.name}?{urlencode(asked)}"

    return {
        "current": seen.shown.sequence.name, "view": view, "views": VIEWS, "link": link, "frame": frame,
        "assets": "/pages/", "home": lambda name: f"/see/{quote(name)}", "static": False,
    }  # fmt: skip


def _mail(desk: Desk, request: Request) -> Response:
    seen = _seen(desk, request)
    if seen is None or seen.message is None:
        return HTMLResponse("<p>There is no mail to show.</p>", 404, headers={"Content-Security-Policy": MAIL_FRAMED})
    played_at = f"/play/{quote(seen.shown.sequence.name)}"
    html = framed(seen.message.html, lambda _: played_at, dark="dark" in request.query_params)
    return HTMLResponse(html, headers={"Content-Security-Policy": MAIL_FRAMED})


# --- playing


def _play(desk: Desk, request: Request) -> Response:
    shown, _ = _found(desk, request)
    if shown is None:
        return _nothing(desk, "There is no sequence of this name.")
    walked = played(desk, shown, read_asked(shown.sequence.name, request.query_params))
    version = crc32(walked.message.html.encode()) if walked.message is not None else 0
    query = walked.asked.query(mail=walked.number)
    frame = f"/play/{quote(shown.sequence.name)}/mail{query}&v={version:x}"
    return page(
        "preview_play.html", desk=desk, played=walked, frame=frame, current=shown.sequence.name, assets="/pages/",
        home=lambda name: f"/play/{quote(name)}", static=False,
    )  # fmt: skip


def _play_twin(desk: Desk, request: Request) -> Response:
    shown, _ = _found(desk, request)
    if shown is None:
        return JSONResponse({"detail": "not found"}, 404)
    return JSONResponse(played_as_data(played(desk, shown, read_asked(shown.sequence.name, request.query_params))))


def _play_mail(desk: Desk, request: Request) -> Response:
    shown, _ = _found(desk, request)
    walked = None if shown is None else played(desk, shown, read_asked(shown.sequence.name, request.query_params))
    if walked is None or walked.message is None or walked.step is None:
        return HTMLResponse("<p>There is no mail to show.</p>", 404, headers={"Content-Security-Policy": MAIL_FRAMED})
    asked, step = walked.asked, walked.step
    html = framed(walked.message.html, lambda door: leads(asked, step, door), dark="dark" in request.query_params)
    return HTMLResponse(html, headers={"Content-Security-Policy": MAIL_FRAMED})
