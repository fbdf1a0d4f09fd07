"""What whoever runs the engine looks at: the outbox, the inbox of webhooks, deploys, the audit log, settings."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from starlette.responses import HTMLResponse
from starlette.routing import Route

from nurture.engine import show as plain
from nurture.engine.deeds import deeds
from nurture.engine.mailed import mailed
from nurture.engine.settling import resolve
from nurture.errors import Refused
from nurture.journey.ledger import State
from nurture.store import audit, deploys, hooks, listing
from nurture.store.audit import Entry
from nurture.web.frame import Form, acts, missing, twins
from nurture.web.site import MAIL_ALONE, in_thread

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from nurture.engine.rules import Rules
    from nurture.web.site import Site

SHOWN = 50
VERDICTS = {"sent": "it went out", "resend": "send it again", "drop": "give it up"}
SETTLED = {
    "at_most_once": "Without evidence for {awaiting} it is given up, so that nobody gets a mail twice.",
    "at_least_once": "Without evidence for {awaiting} it is sent again.",
    "hold": "It waits until somebody settles it.",
}
"""How an unknown message is settled, by the setting `delivery`."""


def routes(site: Site) -> list[Route]:
    return [
        *twins("/outbox", "outbox.html", "nurture.outbox/1", lambda request: _outbox(site, request)),
        acts("/outbox/settle", lambda request, form: _settle(site, request, form)),
        *twins("/outbox/{id}", "mail.html", "nurture.message/1", lambda request: _mail(site, request)),
        Route("/outbox/{id}/shown", in_thread(lambda request: _shown(site, request))),
        *twins("/inbox", "inbox.html", "nurture.inbox/1", lambda request: _inbox(site, request)),
        *twins("/inbox/{id:number}", "hook.html", "nurture.hook/1", lambda request: _hook(site, request)),
        acts("/inbox/{id:number}/replay", lambda request, _: _replay(site, request)),
        *twins("/deploys", "deploys.html", "nurture.deploys/1", lambda _: _deploys(site)),
        *twins("/audit", "audit.html", "nurture.audit/1", lambda request: _audit(site, request)),
        *twins("/settings", "settings.html", "nurture.settings/1", lambda _: {"settings": _settings(site)}),
    ]


# --- the outbox


def _outbox(site: Site, request: Request) -> dict[str, Any]:
    wanted, before = request.query_params.get("state", ""), request.query_params.get("before", "")[:40]
    state = next((state for state in State if state.value == wanted), None)
    with site.store.read() as tx:
        found = listing.mail_before(tx, state, before, SHOWN + 1)
        troubles = listing.troubles(tx)
    rules = site.current().rules
    more = (
        f"?state={'' if state is None else state.value}&before={found[SHOWN - 1][0].id}" if len(found) > SHOWN else ""
    )
    return {
        "state": "" if state is None else state.value,
        "states": [state.value for state in State],
        "troubles": {state.value: number for state, number in troubles.items()},
        "messages": [
            {
                **plain.message(row),
                "email": email,
                "person": number,
                "settling": plain.settling(row, rules, site.now()),
            }
            for row, email, number in found[:SHOWN]
        ],
        "more": more,
        "settled": _by_setting(rules),
    }


def _mail(site: Site, request: Request) -> dict[str, Any] | None:
    rules = site.current().rules
    found = mailed(site.store, rules, request.path_params["id"], site.now())
    return None if found is None else {**found, "settled": _by_setting(rules)}


def _shown(site: Site, request: Request) -> Response:
    """The mail as its person saw it."""
    found = mailed(site.store, site.current().rules, request.path_params["id"], site.now())
    if found is None or found["html"] is None:
        return missing(request)
    return HTMLResponse(found["html"], headers={"Content-Security-Policy": MAIL_ALONE})


def _by_setting(rules: Rules) -> str:
    return SETTLED[rules.delivery].format(awaiting=_span(rules.awaiting.total_seconds()))


def _span(seconds: float) -> str:
    return f"{seconds / 3600:g} hours" if seconds >= 3600 else f"{seconds / 60:g} minutes"


def _settle(site: Site, request: Request, form: Form) -> str:
    number, verdict, reason = form.get("id", ""), form.get("as", ""), form.get("reason", "").strip()
    if verdict not in VERDICTS:
        raise Refused(f"a message is settled as {', '.join(VERDICTS)}")
    if not reason:
        raise Refused("say why, for whoever wonders later")
    by = request.state.who.name
    if not resolve(site.store, site.current(), number, verdict, site.now(), who=by, because=reason[:500]):
        raise Refused("this message is not unknown any more")
    return "/outbox?state=unknown"


# --- the inbox of webhooks


def _inbox(site: Site, request: Request) -> dict[str, Any]:
    failed, before = "failed" in request.query_params, request.query_params.get("before", "")
    with site.store.read() as tx:
        found = listing.hooks_before(
            tx, failed=failed, before=int(before) if before.isdigit() and len(before) < 16 else None, limit=SHOWN + 1
        )
        waits, bad = hooks.oldest(tx), listing.failed_hooks(tx)
    more = f"?{'failed&' if failed else ''}before={found[SHOWN - 1].id}" if len(found) > SHOWN else ""
    return {
        "failed": failed,
        "quarantined": bad,
        "refused": [
            {"provider": name, "times": one.times, "at": one.at.isoformat(), "why": one.why}
            for name, one in sorted(site.refusals.every().items())
        ],
        "oldest_waiting": None if waits is None else waits.isoformat(),
        "hooks": [_told(row) for row in found[:SHOWN]],
        "more": more,
    }


def _told(row: hooks.Row) -> dict[str, Any]:
    return {
        "id": row.id, "provider": row.provider, "received_at": row.received_at.isoformat(), "state": row.state,
        "error": row.error, "bytes": len(row.body),
    }  # fmt: skip


def _hook(site: Site, request: Request) -> dict[str, Any] | None:
    with site.store.read() as tx:
        row = listing.hook(tx, request.path_params["id"])
    if row is None:
        return None
    return {**_told(row), "headers": dict(row.headers), "body": row.body[:200_000].decode("utf-8", "replace")}


def _replay(site: Site, request: Request) -> str:
    number = request.path_params["id"]
    with site.store.write() as tx:
        if not hooks.replay(tx, number):
            raise Refused("this report is gone")
        audit.record(tx, Entry(site.now(), request.state.who.name, "webhook replayed", str(number)))
    return f"/inbox/{number}"


# --- what was done here, and how it is set


def _deploys(site: Site) -> dict[str, Any]:
    with site.store.read() as tx:
        rows = deploys.listing(tx, SHOWN)
    return {
        "deploys": [
            {**asdict(row), "at": row.at.isoformat(), "plan": dict(row.plan), "deeds": deeds(row)} for row in rows
        ]
    }


def _audit(site: Site, request: Request) -> dict[str, Any]:
    before = request.query_params.get("before", "")
    with site.store.read() as tx:
        found = audit.listing(tx, SHOWN + 1, int(before) if before.isdigit() and len(before) < 16 else None)
    entries = [{**asdict(one), "at": one.at.isoformat(), "detail": dict(one.detail)} for one in found[:SHOWN]]
    return {"entries": entries, "more": f"?before={found[SHOWN - 1].id}" if len(found) > SHOWN else ""}


def _settings(site: Site) -> list[dict[str, str]]:
    return [
        {"name": name, "value": value, "source": source, "means": means} for name, value, source, means in site.settings
    ]
