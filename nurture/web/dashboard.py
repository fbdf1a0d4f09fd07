"""The first page: what is going on now."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nurture.store import enrollments, people
from nurture.web.frame import twins

if TYPE_CHECKING:
    from starlette.routing import Route

    from nurture.web.site import Site


def routes(site: Site) -> list[Route]:
    return twins("/", "dashboard.html", "nurture.now/1", lambda _: _now(site))


def _now(site: Site) -> dict[str, Any]:
    with site.store.read() as tx:
        inside = enrollments.inside(tx)
        return {"people": people.count(tx), "inside": sum(sum(steps.values()) for steps in inside.values())}
