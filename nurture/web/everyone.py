"""All people: a list to page through, to search by address, to narrow by tag, step and answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from starlette.responses import StreamingResponse

from nurture.engine import exporting
from nurture.engine.addresses import normalise
from nurture.errors import Refused
from nurture.store import audit, listing, people
from nurture.store.audit import Entry
from nurture.store.listing import Wanted
from nurture.web.frame import Form, acts, show, twins

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.routing import Route

    from nurture.journey.enrollment import Subscriber
    from nurture.web.site import Site

SHOWN = 50
BATCH = 1_000


def routes(site: Site) -> list[Route]:
    return [
        *twins("/people", "people.html", "nurture.people/1", lambda request: _list(site, request)),
        acts("/people/find", lambda request, form: _find(site, request, form)),
        acts("/people/export", lambda request, form: _export(site, request, form)),
    ]


def _list(site: Site, request: Request) -> dict[str, Any]:
    asked = _asked(request.query_params)
    wanted = _wanted(asked)
    found = [] if wanted is None else _people(site, wanted, _number(request, "after"))
    last = found[SHOWN - 1].id if len(found) > SHOWN else None
    chosen = {name: value for name, value in asked.items() if value}
    return _shown(site, found[:SHOWN], asked, f"?{urlencode({**chosen, 'after': last})}" if last else "")


def _asked(given: Mapping[str, str]) -> dict[str, str]:
    return {name: given.get(name, "").strip()[:200] for name in ("tag", "step", "answer")}


def _wanted(asked: Mapping[str, str]) -> Wanted | None:
    """Which people that is; None when it can be nobody: a step and an answer of two sequences."""
    sequence, _, step = asked["step"].partition(".")
    question, _, value = asked["answer"].partition("=")
    of, _, root = question.partition(".")
    return None if sequence and of and sequence != of else Wanted(asked["tag"], sequence or of, step, (root, value))


def _export(site: Site, request: Request, form: Form) -> Response:
    """The people of the list, all pages of it, as a file. Who took it is on the audit log."""
    asked = _asked(form)
    wanted = _wanted(asked)
    lines = map(exporting.line, () if wanted is None else _all(site, wanted))
    chosen = {name: value for name, value in asked.items() if value}
    with site.store.write() as tx:
        audit.record(tx, Entry(site.now(), request.state.who.name, "people exported", detail=chosen))
    if form.get("as") == "json":
        return _file(exporting.document(lines), "application/json", "people.json")
    columns = exporting.columns(site.current().project.people.attributes)
    return _file(exporting.as_csv(lines, columns), "text/csv; charset=utf-8", "people.csv")


def _all(site: Site, wanted: Wanted) -> Iterator[Subscriber]:
    last = 0
    with site.store.read() as tx:
        while found := listing.people_after(tx, wanted, last, BATCH):
            yield from found
            last = found[-1].id


def _file(pieces: Iterator[str], kind: str, name: str) -> Response:
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return StreamingResponse(pieces, media_type=kind, headers=headers)


def _people(site: Site, wanted: Wanted, after: int) -> list[Subscriber]:
    with site.store.read() as tx:
        return listing.people_after(tx, wanted, after, SHOWN + 1)


def _number(request: Request, name: str) -> int:
    text = request.query_params.get(name, "")
    return int(text) if text.isdigit() and len(text) < 16 else 0


def _find(site: Site, request: Request, form: Form) -> Response | str:
    """By address, which stands in no URL: those are kept in logs. A whole address leads to its person."""
    given = form.get("email", "").strip().lower()
    try:
        whole = normalise(given)
    except Refused:
        whole = ""
    with site.store.read() as tx:
        person = people.by_email(tx, whole) if whole else None
        found = listing.people_after(tx, Wanted(beginning=given), 0, SHOWN) if person is None and given else []
    if person is not None:
        return f"/people/{person.id}"
    nothing = {"tag": "", "step": "", "answer": ""}
    return show(request, "people.html", {**_shown(site, found, nothing, ""), "sought": given})


def _shown(site: Site, found: list[Subscriber], asked: dict[str, str], more: str) -> dict[str, Any]:
    sequences = site.current().ladders
    return {
        "people": [
            {
                "id": one.id, "email": one.email, "status": one.status, "tags": sorted(one.tags),
                "joined_at": None if one.joined_at is None else one.joined_at.isoformat(),
                "last_seen_at": None if one.last_seen_at is None else one.last_seen_at.isoformat(),
            }
            for one in found
        ],
        "asked": asked,
        "more": more,
        "sought": "",
        "tags": sorted(site.current().project.people.tags),
        "steps": [f"{name}.{step}" for name, sequence in sequences.items() for step in sequence.steps],
        "answers": [
            f"{name}.{step.root}={answer}"
            for name, sequence in sequences.items()
            for step in sequence.steps.values()
            if step.name == step.root
            for answer in step.ask.answers or ("yes",)
        ],
    }  # fmt: skip
