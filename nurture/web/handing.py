"""The page behind the button of a mail that hands a person what is theirs. GET says what will happen, POST does it once."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from starlette.responses import Response

from nurture.engine import handing
from nurture.engine.deploy import afresh
from nurture.web.site import Site, page

if TYPE_CHECKING:
    from nurture.engine.answering import Question

FILE = "what-is-known-of-me.json"


def show(site: Site, message: str, asked: Question) -> Response:
    return _page(asked, asked.ask.name) if handing.works(site.store, message, site.now()) else _page(asked, "used", 410)


def do(site: Site, message: str, asked: Question) -> Response:
    if asked.ask.name == "erase":
        gone = afresh(site.current, lambda running: handing.erase(site.store, running, message, site.now()))
        return _page(asked, "erased") if gone else _page(asked, "used", 410)
    found = afresh(site.current, lambda running: handing.copy(site.store, running, message, site.now()))
    if found is None:
        return _page(asked, "used", 410)
    headers = {"Content-Disposition": f'attachment; filename="{FILE}"', "Cache-Control": "no-store"}
    return Response(json.dumps(found, ensure_ascii=False, indent=2), media_type="application/json", headers=headers)


def _page(asked: Question, what: str, status: int = 200) -> Response:
    return page("handing.html", status, what=what, language=asked.language)
