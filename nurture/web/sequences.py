"""The page of a sequence: the drawn ladder with numbers on it, the report, lift, and the people behind a bar."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from nurture.engine.measuring import ALL, Period, groups_of, report
from nurture.engine.respondents import respondents
from nurture.errors import Refused
from nurture.language.chart import GOAL
from nurture.store import enrollments
from nurture.web.counting import Counting
from nurture.web.frame import ladder, twins

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.routing import Route

    from nurture.language.sequence import Sequence
    from nurture.web.site import Site

PERIODS = (("", "all time"), ("7", "7 days"), ("30", "30 days"), ("90", "90 days"))

MEANS = {
    "source": "Where the first form they sent was found: the utm_source of its link, else a friend’s link, else the site it "
    "stood on, else its name. None: no form, but a list, a program or the command line.",
    "tag": "Who has two tags counts under both.",
}
"""What the two groups are that no attribute is."""

NOTHING = {"inside": 0, "ended": 0, "goal": 0}


def routes(site: Site) -> list[Route]:
    counting = Counting()
    return [
        *twins(
            "/sequences",
            "sequences.html",
            "nurture.sequences/1",
            lambda request: _every(site, counting, request),
            draw=lambda data: {"again": not data["counted"]},
        ),
        *twins("/sequences/{name}/asked", "asked.html", "nurture.asked/1", lambda request: _asked(site, request)),
        *twins("/sequences/{name}", "sequence.html", "nurture.report/1", lambda request: _one(site, counting, request)),
    ]


def _every(site: Site, counting: Counting, request: Request) -> dict[str, Any]:
    sequences = site.current().ladders
    counted = counting.get("every", lambda: _numbers(site), site.now(), wait=request.url.path.endswith(".json"))
    numbers = counted or {}
    return {
        "counted": counted is not None,
        "sequences": [
            {"name": name, "title": sequence.title, "steps": len(sequence.steps), **numbers.get(name, NOTHING)}
            for name, sequence in sequences.items()
        ],
    }


def _numbers(site: Site) -> dict[str, Any]:
    with site.store.read() as tx:
        inside, endings = enrollments.inside(tx), enrollments.endings(tx)
    return {
        name: {
            "inside": sum(inside.get(name, {}).values()),
            "ended": sum(endings.get(name, {}).values()),
            "goal": endings.get(name, {}).get("goal", 0),
        }
        for name in {*inside, *endings}
    }


def _one(site: Site, counting: Counting, request: Request) -> dict[str, Any] | None:
    deployed = site.current()
    sequence = deployed.sequences.get(request.path_params["name"])
    if sequence is None:
        return None
    now = site.now()
    days, by = _days(request), request.query_params.get("by", "")
    groups = groups_of(deployed)
    if by not in groups:
        by = ""
    period = Period(now - timedelta(days=int(days))) if days else ALL
    is_twin = request.url.path.endswith(".json")
    found = counting.get(
        (sequence.name, days, by, deployed.id),
        lambda: report(site.store, deployed, sequence.name, now, period=period, by=by, with_lift=True),
        now,
        wait=is_twin,
    )
    if is_twin:
        return found
    return {
        "sequence": sequence.name,
        "title": sequence.title,
        "periods": [(value, words, value == days) for value, words in PERIODS],
        "days": days,
        "by": by,
        "groups_of": groups,
        "by_means": "" if by in deployed.project.people.attributes else MEANS.get(by, ""),
        "drawn": _drawn(sequence, found),
        "goal_is_known": bool(sequence.goal),
        "report": found,
        "again": found is None,
    }


def _days(request: Request) -> str:
    days = request.query_params.get("days", "")
    return days if days in {value for value, _ in PERIODS} else ""


def _drawn(sequence: Sequence, found: dict[str, Any] | None) -> object:
    if found is None:
        return ladder(sequence)
    flows = {(way["from"], way["to"], way["way"]): way["passes"] for way in found["ways"]}
    return ladder(sequence, counts={**found["standing"], GOAL: found["goal"]}, flows=flows)


def _asked(site: Site, request: Request) -> dict[str, Any] | None:
    sequence = site.current().sequences.get(request.path_params["name"])
    if sequence is None:
        return None
    asked, days = request.query_params, _days(request)
    period = Period(site.now() - timedelta(days=int(days))) if days else ALL
    before = asked.get("before", "")
    try:
        found = respondents(
            site.store, sequence, asked.get("step", ""), asked.get("said", ""), answer=asked.get("answer", ""),
            period=period, before=int(before) if before.isdecimal() and len(before) < 19 else None,
        )  # fmt: skip
    except Refused:
        return None
    return {**found, "days": days}
