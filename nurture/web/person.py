"""One person: where they stand on the drawn ladder, everything that happened and why, what comes next; acts by hand."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from starlette.responses import JSONResponse

from nurture.engine.byhand import ACTS, by_hand
from nurture.engine.deploy import afresh
from nurture.engine.erasing import erase
from nurture.engine.exporting import taken
from nurture.engine.preferring import seen_to
from nurture.engine.referring import count_anyway
from nurture.engine.why import DECISIONS, why
from nurture.errors import Refused
from nurture.store import people
from nurture.web.frame import Data, Form, acts, ladder, missing, show, twins

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.routing import Route

    from nurture.web.site import Site


def routes(site: Site) -> list[Route]:
    return [
        *twins(
            "/people/{id:number}",
            "person.html",
            "nurture.why/1",
            lambda request: _person(site, request),
            draw=_draw(site),
        ),
        acts("/people/{id:number}/act", lambda request, form: _act(site, request, form)),
        acts("/people/{id:number}/seen-to", lambda request, form: _seen_to(site, request, form)),
        acts("/people/{id:number}/erase", lambda request, form: _erase(site, request, form)),
        acts("/people/{id:number}/export", lambda request, _: _export(site, request)),
        acts("/people/{id:number}/friend", lambda request, form: _count_friend(site, request, form)),
    ]


def _person(site: Site, request: Request) -> dict[str, Any] | None:
    number = request.path_params["id"]
    with site.store.read() as tx:
        found = people.by_ids(tx, [number]).get(number)
    return None if found is None else why(site.store, site.current(), found.email, site.now())


def _email(site: Site, request: Request) -> str | None:
    number = request.path_params["id"]
    with site.store.read() as tx:
        found = people.by_ids(tx, [number]).get(number)
    return None if found is None or found.status == people.ERASED else found.email


def _seen_to(site: Site, request: Request, form: Form) -> str:
    email, what, reason = _email(site, request), form.get("what", ""), form.get("reason", "")
    if email is None:
        raise Refused("this person was erased before")
    seen_to(site.store, email, what, reason=reason, by=request.state.who.name, now=site.now())
    return f"/people/{request.path_params['id']}"


def _erase(site: Site, request: Request, form: Form) -> Response | str:
    """It cannot be undone, so the address is typed once more."""
    email, reason = _email(site, request), form.get("reason", "")
    if email is None:
        raise Refused("this person was erased before")
    if not reason.strip():
        raise Refused("say why, for whoever wonders later")
    if form.get("email", "").strip().lower() != email:
        raise Refused("that is not their address; nothing was erased")
    by, now = request.state.who.name, site.now()
    done = afresh(site.current, lambda running: erase(site.store, running, email, now, by=by, reason=reason))
    return show(request, "erased.html", {"done": done})


def _export(site: Site, request: Request) -> Response:
    email = _email(site, request)
    found = None if email is None else taken(site.store, email, request.state.who.name, site.now())
    if found is None:
        return missing(request)
    named = f'attachment; filename="person-{request.path_params["id"]}.json"'
    return JSONResponse(found, headers={"Content-Disposition": named})


def _count_friend(site: Site, request: Request, form: Form) -> str:
    """Someone who looks like a friend that one made up is a friend in fact."""
    number, friend, reason = request.path_params["id"], form.get("friend", ""), form.get("reason", "").strip()
    if not reason:
        raise Refused("say why, for whoever wonders later")
    who = int(friend) if friend.isdecimal() and len(friend) < 19 else 0
    if not count_anyway(site.store, number, who, reason[:500], by=request.state.who.name, now=site.now()):
        raise Refused("no friend of theirs is kept from counting there")
    return f"/people/{number}"


def _draw(site: Site) -> Callable[[Data], Data]:
    def draw(data: Data) -> Data:
        """What only the page needs: the ladders, and which entries are decisions of ours."""
        sequences = site.current().sequences
        ladders = {
            place["id"]: ladder(
                sequences[place["sequence"]],
                here=[place["step"]] if place["step"] and not place["ended"] else [],
                path=[step for step in place["asked"] if step in sequences[place["sequence"]].steps],
            )
            for place in data["places"]
            if place["sequence"] in sequences
        }
        steps = {name: list(sequence.steps) for name, sequence in sequences.items()}
        return {"ladders": ladders, "steps": steps, "decisions": DECISIONS}

    return draw


def _act(site: Site, request: Request, form: Form) -> str:
    act, place, days = ACTS.get(form.get("act", "")), form.get("place", ""), form.get("days", "")
    if act is None or not place.isdigit():
        raise Refused(f"one can {', '.join(ACTS)}")
    number = request.path_params["id"]
    by_hand(
        site.store, site.current(), number, int(place), act, reason=form.get("reason", ""),
        by=request.state.who.name, now=site.now(), step=form.get("step", ""),
        days=int(days) if days.isdigit() and len(days) < 5 else 0,
    )  # fmt: skip
    return f"/people/{number}"
