"""The demo's page: an inbox of everything that was sent, and beside it where everyone stands on the drawn ladder.

Only `nurture demo` serves it. The visitor has a seat of their own: their mail's asks are clickable, and what they do
goes through the same doors as everyone's.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import timedelta
from html import escape
from typing import TYPE_CHECKING

from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from nurture.engine import answering, enroll
from nurture.engine.demo import YOU, Crowd, FastTime
from nurture.errors import BadToken, NurtureError
from nurture.language.graph import svg
from nurture.language.kinds import CLICKED, OUTSIDE
from nurture.mail.message import thaw
from nurture.store import enrollments, events, messages, people
from nurture.web.site import MAIL_FRAMED, PAGES, in_thread

if TYPE_CHECKING:
    from sqlalchemy import Connection
    from starlette.requests import Request

    from nurture.engine.inbox import Inbox
    from nurture.engine.run import Engine
    from nurture.journey.enrollment import Subscriber

SHOWN = 80
FASTEST = 24 * 3600.0
MOST = 2.0**53
PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; connect-src 'self'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data:; frame-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
"""The drawn ladders carry their own style."""


@dataclass(frozen=True, slots=True)
class Show:
    """What the page needs: the engine at work, its fast time, its people."""

    engine: Engine
    inbox: Inbox
    crowd: Crowd
    time: FastTime


def routes(show: Show) -> list[Route]:
    """The demo's own pages; `/c/…` comes here before the real one, since the examples' shops do not exist."""
    return [
        Route("/", lambda _: RedirectResponse("/demo")),
        Route("/demo", lambda _: HTMLResponse(_page(show), headers={"Content-Security-Policy": PAGE_POLICY})),
        Route("/demo/demo.css", lambda _: Response(_file("demo.css"), media_type="text/css")),
        Route("/demo/demo.js", lambda _: Response(_file("demo.js"), media_type="text/javascript")),
        Route("/demo/state.json", in_thread(lambda request: JSONResponse(_state(show, request)))),
        Route("/demo/mail/{id}", in_thread(lambda request: _mail(show, request))),
        Route("/demo/mail/{id}/source.json", in_thread(lambda request: _source(show, request))),
        Route("/demo/speed", in_thread(lambda request: _speed(show, request)), methods=["POST"]),
        Route("/demo/place/{id}", in_thread(lambda request: _place(show, request)), methods=["GET", "POST"]),
        Route("/c/{token}", in_thread(lambda request: _click(show, request)), methods=["GET", "HEAD"]),
    ]


def _file(name: str) -> str:
    return (PAGES / name).read_text(encoding="utf-8")


def _page(show: Show) -> str:
    sequences = show.engine.current().ladders
    ladders = "".join(
        f'<section class="ladder-of" data-ladder="{escape(name)}" hidden>{svg(sequence)}</section>'
        for name, sequence in sequences.items()
    )
    tabs = "".join(
        f'<button type="button" role="tab" data-tab="{escape(name)}">{escape(name)}</button>' for name in sequences
    )
    return _file("demo.html").replace("{{ladders}}", ladders).replace("{{tabs}}", tabs)


# --- what the page asks for again and again


def _state(show: Show, request: Request) -> dict[str, object]:
    after = int(_number(request, "after", MOST))
    with show.engine.store.read() as tx:
        inside, endings = enrollments.inside(tx), enrollments.endings(tx)
        kept, asked = events.tally(tx, "kept"), messages.asked(tx)
        log = events.latest(tx, after, 60)
        names = people.by_ids(tx, sorted({row.subscriber for row in log if row.subscriber}))
        mine = people.by_email(tx, YOU)
        mails = _mails(tx, mine)
        places = enrollments.every_pass(tx, mine.id) if mine is not None else []
    known = {person.email: person.name for person in show.crowd.people} | {YOU: "You"}
    sequences = show.engine.current().ladders
    return {
        "now": show.time().isoformat(),
        "speed": show.time.speed,
        "people": len(show.crowd.people),
        "totals": {
            "mails": sum(sum(steps.values()) for steps in asked.values()),
            "kept": sum(sum(steps.values()) for steps in kept.values()),
            "goal": sum(ended.get("goal", 0) for ended in endings.values()),
        },
        "ladders": {
            name: {
                "here": inside.get(name, {}),
                "asked": asked.get(name, {}),
                "kept": kept.get(name, {}),
                "ended": endings.get(name, {}),
            }
            for name in sequences
        },
        "you": {place.sequence: {"step": place.step, "asked": place.asked, "ended": place.ended} for place in places},
        "mails": [
            {
                "id": row.id,
                "who": known.get(email, email),
                "email": email,
                "mine": email == YOU,
                "subject": row.subject,
                "sequence": row.sequence,
                "step": row.step,
                "kind": sequences[row.sequence].steps[row.step].ask.kind,
                "at": row.sent_at.isoformat(),
            }
            for row, email in mails
            if row.sent_at is not None and row.sequence in sequences and row.step in sequences[row.sequence].steps
        ],
        "log": [
            {
                "id": row.id,
                "at": row.at.isoformat(),
                "who": known.get(names[row.subscriber].email, "Someone"),
                "mine": names[row.subscriber].email == YOU,
                "sequence": row.sequence,
                **said,
            }
            for row in log
            if row.subscriber in names and (said := _said(row, sequences)) is not None
        ],
        "last": max((row.id for row in log), default=after),
    }


def _mails(tx: Connection, mine: Subscriber | None) -> list[tuple[messages.Row, str]]:
    """The latest of everyone, and all of the visitor's: who looks away for a minute finds theirs again."""
    found = messages.listing(tx, None, SHOWN)
    listed = {row.id for row, _ in found}
    own = messages.of_subscriber(tx, mine.id) if mine is not None else []
    return [*found, *((row, YOU) for row in reversed(own) if row.id not in listed)]


DID = {
    "buy": "took the offer", "download": "took the download", "watch": "watched the video", "form": "sent the form",
}  # fmt: skip


def _said(row: events.Row, sequences: object) -> dict[str, str] | None:
    """One entry of the log in a person's words; None for what only an engineer wants to read."""
    sequence = sequences.get(row.sequence)  # type: ignore[attr-defined]
    step = None if sequence is None else sequence.steps.get(row.step)
    match row.kind:
        case "kept" if step is not None:
            answer = row.detail.get("answer")
            words = step.ask.answers.get(answer, "")
            did = f"answered “{words}”" if words else DID.get(step.ask.kind, f"said yes to {step.name}")  # fmt: skip
            return {"tone": "yes", "words": did, "step": step.name}
        case "clicked" if row.human is False or row.judged_at is not None:
            machine = row.detail.get("method") == "HEAD" or "Trident/4.0" in str(row.detail.get("agent", ""))
            return (
                {"tone": "machine", "words": "’s link scanner clicked: nobody moves", "step": row.step}
                if machine
                else None
            )
        case "ended":
            tones = {"goal": ("goal", "reached the goal"), "unsubscribed": ("no", "unsubscribed")}
            for how, (tone, words) in tones.items():
                if how in row.reason or (how == "goal" and row.reason.startswith("bought")):
                    return {"tone": tone, "words": words, "step": row.step}
            return {"tone": "end", "words": "was left in peace", "step": row.step}
        case "waiting" if row.reason.startswith("no yes to"):
            return {
                "tone": "no",
                "words": f"was silent; {row.reason.partition(' → ')[2] or 'the end'} is next",
                "step": row.step,
            }
    return None


# --- one mail


def _mail(show: Show, request: Request) -> Response:
    with show.engine.store.read() as tx:
        frozen = messages.payload(tx, request.path_params["id"])
    if frozen is None:
        return HTMLResponse("<p>This mail is not here.</p>", 404)
    # without our own host, so that the page works under any name it is reached by (localhost, a forwarded port)
    html = thaw(frozen).html.replace(show.engine.links.hosted_url, "")
    html = re.sub(r"<head[^>]*>", r'\g<0><base target="ask">', html, count=1)
    return HTMLResponse(html, headers={"Content-Security-Policy": MAIL_FRAMED})


def _source(show: Show, request: Request) -> Response:
    number = request.path_params["id"]
    with show.engine.store.read() as tx:
        frozen, row = messages.payload(tx, number), messages.by_ids(tx, [number]).get(number)
    if frozen is None or row is None:
        return JSONResponse({}, 404)
    mail = thaw(frozen)
    headers = [("From", mail.sender), ("To", mail.to), ("Subject", mail.subject), *mail.headers]
    return JSONResponse({"text": mail.text, "headers": headers, "because": row.reason, "state": row.state.value})


def _speed(show: Show, request: Request) -> Response:
    if "skip" in request.query_params:
        show.time.skip(timedelta(hours=_number(request, "skip", 240.0)))
    if "per_second" in request.query_params:
        show.time.run_at(_number(request, "per_second", FASTEST))
    return JSONResponse({"speed": show.time.speed})


def _number(request: Request, name: str, most: float) -> float:
    """What the address says under this name, from 0 to `most`; 0 when it is no number."""
    try:
        return min(most, max(0.0, float(request.query_params.get(name, 0))))
    except ValueError:
        return 0.0


# --- where the examples' links would lead


def _click(show: Show, request: Request) -> Response:
    try:
        message = show.engine.links.read_click(request.path_params["token"])
    except BadToken:
        return HTMLResponse("<p>This link is not ours.</p>", 404)
    agent = request.headers.get("user-agent", "")
    answering.click(
        show.engine.store, show.inbox, message, method=request.method, ip="198.51.100.4", agent=agent, hint="",
        now=show.time(),
    )  # fmt: skip
    return RedirectResponse(f"/demo/place/{message}")


def _place(show: Show, request: Request) -> Response:
    number = request.path_params["id"]
    with show.engine.store.read() as tx:
        row = messages.by_ids(tx, [number]).get(number)
        person = people.by_ids(tx, [row.subscriber])[row.subscriber] if row is not None else None
    sequence = show.engine.current().ladders.get(row.sequence) if row is not None else None
    if row is None or person is None or sequence is None:
        return HTMLResponse("<p>This mail is not here.</p>", 404)
    ask = sequence.steps[row.step].ask
    if request.method == "POST":
        name, data = ("bought", {"product": ask.name}) if ask.kind == "buy" else (ask.name, dict[str, str]())
        try:
            enroll.report(show.engine.store, show.engine.current(), person.email, name, data, show.time())
        except NurtureError as error:
            return HTMLResponse(_small("That did not work", escape(str(error)), ""), 422)
        return HTMLResponse(_small("Done", "The shop has told Nurture. Look at the ladder.", ""))
    act = {"bought": f"Pretend to pay {ask.price}".strip(), "event": "Pretend to do it"}.get(OUTSIDE.get(ask.kind, ""))
    form = f'<form method="post"><button>{escape(act)}</button></form>' if act else ""
    note = (
        "Your click is on record. It counts once it has settled, so that a link scanner cannot walk anyone to the offer."
        if ask.kind in CLICKED
        else "Your click is on record. A click is no yes here: the shop or the product reports that."
    )
    return HTMLResponse(
        _small("Here your own page would open", f"<code>{escape(row.target)}</code></p><p>{note}", form)
    )


def _small(title: str, words: str, more: str) -> str:
    return _file("demo_place.html").replace("{{title}}", title).replace("{{words}}", words).replace("{{more}}", more)
