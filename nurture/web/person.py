"""One person: where they stand on the drawn ladder, everything that happened and why, what comes next; acts by hand."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nurture.engine.byhand import ACTS, by_hand
from nurture.engine.why import DECISIONS, why
from nurture.errors import Refused
from nurture.store import people
from nurture.web.frame import Data, Form, acts, ladder, twins

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.requests import Request
    from starlette.routing import Route

    from nurture.web.site import Site


def routes(site: Site) -> list[Route]:
    return [
        *twins(
            "/people/{id:int}", "person.html", "nurture.why/1", lambda request: _person(site, request), draw=_draw(site)
        ),
        acts("/people/{id:int}/act", lambda request, form: _act(site, request, form)),
    ]


def _person(site: Site, request: Request) -> dict[str, Any] | None:
    number = request.path_params["id"]
    with site.store.read() as tx:
        found = people.by_ids(tx, [number]).get(number)
    return None if found is None else why(site.store, site.current(), found.email, site.now())


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
