"""The frame of all pages for those who run the engine: the menu, who is logged in, and a `.json` twin of every page.

A page is a function from a request to plain data. The page draws that data, the twin is that data; neither knows more
than the other.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from functools import cache
from typing import TYPE_CHECKING, Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from starlette.concurrency import run_in_threadpool
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from nurture.errors import Refused
from nurture.language.graph import STYLE, svg
from nurture.store.listing import GONE_WRONG
from nurture.web.doors import MOST_FORM, ROWS
from nurture.web.forms import read_form
from nurture.web.site import PAGES

if TYPE_CHECKING:
    from starlette.requests import Request

    from nurture.engine.access import Who
    from nurture.language.sequence import Sequence
    from nurture.web.forms import Posted

Data = Mapping[str, Any]
Form = Mapping[str, str]


def twins(
    path: str, template: str, form: str, data: Callable[[Request], Data | None], *,
    draw: Callable[[Data], Data] = lambda _: {},
) -> list[Route]:  # fmt: skip
    """A page and its twin, `path` + `.json`. `form` names the twin's shape, like `nurture.people/1`.

    `data` returns None where there is nothing at this address; it runs in a thread. `draw` adds pictures of the data,
    which the twin does without.
    """
    twin = "/index.json" if path == "/" else f"{path}.json"

    def drawn(request: Request) -> Response:
        found = data(request)
        if found is None:
            return missing(request)
        query = f"?{request.url.query}" if request.url.query else ""
        at = "/index" if path == "/" else request.url.path
        return show(request, template, {"twin": f"{at}.json{query}", **found, **draw(found)})

    async def html(request: Request) -> Response:
        return await run_in_threadpool(drawn, request)

    async def document(request: Request) -> Response:
        found = await run_in_threadpool(data, request)
        return JSONResponse({"detail": "not found"}, 404) if found is None else JSONResponse({"format": form, **found})

    # the twin goes first: `/people/{name}` would take `/people/ann.json` as well
    return [Route(twin, document), Route(path, html)]


def acts(path: str, act: Callable[[Request, Form], Response | str]) -> Route:
    """What a form of ours does, in a thread; a text that it returns is where to go then. What is refused is said."""
    return takes(path, lambda request, posted: act(request, posted.fields))


def takes(path: str, act: Callable[[Request, Posted], Response | str], most: int = MOST_FORM) -> Route:
    """The same for a form that hands in files."""

    async def endpoint(request: Request) -> Response:
        kind, body = request.headers.get("content-type", ""), bytearray()
        async for piece in request.stream():
            body += piece
            if len(body) > most:
                return show(request, "refused_act.html", {"why": f"{most:,} bytes are the most that is read"}, 413)
        try:
            done = await run_in_threadpool(lambda: act(request, read_form(kind, bytes(body))))
        except Refused as error:
            return show(request, "refused_act.html", {"why": str(error)}, 422)
        return RedirectResponse(done, 303) if isinstance(done, str) else done

    return Route(path, endpoint, methods=["POST"])


async def form_of(request: Request) -> Form:
    """The fields of a posted form."""
    return read_form(request.headers.get("content-type", ""), await request.body()).fields


def show(request: Request, template: str, data: Data, status: int = 200) -> HTMLResponse:
    """A page in the frame. One whose data has `again` is not done yet: it looks at itself until it is, and may ask us."""
    who: Who = request.state.who
    path = request.url.path
    menu = [
        (row.path, row.title, path == row.path or (row.path != "/" and path.startswith(f"{row.path}/")))
        for row in ROWS
        if row.title and who.may(row.look)
    ]
    here = f"{path}?{request.url.query}" if request.url.query else path
    known = {"who": who, "menu": menu, "twin": "", "path": path, "here": here, "again": False, **data}
    request.state.again = known["again"]
    return HTMLResponse(pages().get_template(template).render(known), status)


def missing(request: Request) -> HTMLResponse:
    return show(request, "missing.html", {}, 404)


def ladder(sequence: Sequence, **lit: Any) -> Markup:  # noqa: ANN401 - as `svg` takes them
    """The drawn ladder for a page of ours: its style comes from `/pages/graph.css`, since our pages allow none inside."""
    return Markup(svg(sequence, **lit).replace(f"<style>{STYLE}</style>", ""))  # noqa: S704 - `svg` escapes


@cache
def pages() -> Environment:
    """The templates of our pages; every value is escaped, and one that is missing is a fault."""
    made = Environment(loader=FileSystemLoader(PAGES), autoescape=True, undefined=StrictUndefined)
    made.globals["gone_wrong"] = frozenset(state.value for state in GONE_WRONG)
    made.filters |= {"moment": _moment, "number": lambda value: f"{value:,}"}
    return made


def _moment(value: str | datetime | None) -> Markup | str:
    """A moment as one reads it, with the exact one behind it."""
    if not value:
        return "–"
    at = datetime.fromisoformat(value) if isinstance(value, str) else value
    return Markup('<time datetime="{}">{}</time>').format(at.isoformat(), f"{at:%d %b %Y %H:%M}")
