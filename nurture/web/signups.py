"""The sign-up form: as a page of ours, as a place where a form on any other site is sent, and its confirmation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING
from urllib.parse import parse_qs

from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from nurture.engine import signing
from nurture.engine.deploy import afresh
from nurture.errors import BadToken
from nurture.language.sequence import ENGLISH
from nurture.mail.links import STAMP
from nurture.mail.phrases import phrases
from nurture.web.devices import device_of, mark
from nurture.web.site import Site, in_thread, page, whose, with_form
from nurture.web.tries import Tries, near

if TYPE_CHECKING:
    from starlette.requests import Request

    from nurture.engine.deploy import Deployed
    from nurture.language.sequence import SignUp

FORMAT = "nurture.signup/1"
TRAP = "website"
"""A field that no person sees. What fills it in is no person."""

SOONEST, LATEST = timedelta(seconds=2), timedelta(days=1)
"""A person needs a moment for a form; and a form that was open for longer is to be sent once more."""

BY_CLIENT = 5
"""Forms that one address of the network may send in a minute. It may be a whole office behind one router."""

CAMPAIGN = ("utm_source", "utm_medium", "utm_campaign", "utm_content", "utm_term")
MOST_FIELDS = 60
LONGEST = 300
"""Characters that are kept of the page a form stood on, and of each word of a campaign."""


@dataclass(frozen=True, slots=True)
class Sent:
    """A form as it came in."""

    site: Site
    request: Request
    form: SignUp
    fields: Mapping[str, str]
    friend_of: str = ""
    heading: str = ""

    @property
    def wants_json(self) -> bool:
        return "application/json" in self.request.headers.get("accept", "")

    @property
    def language(self) -> str:
        return spoken(self.request)

    @property
    def page(self) -> str:
        """Where the form stood: as the form says, else as the browser does."""
        return (self.fields.get("page") or self.request.headers.get("referer", ""))[:LONGEST]

    def shown(self, status: int = 200, *, problem: str = "", field: str = "", meant: str = "") -> Response:
        """The form once more, with what was typed. It goes on knowing where it came from: its next sender is a page of ours."""
        known = {**self.fields, **campaign_of(self.request, self.fields), "page": self.page}
        return form_page(
            self.site, self.request, self.form, status, fields=known, problem=problem, field=field, meant=meant,
            friend_of=self.friend_of, heading=self.heading,
        )  # fmt: skip


def routes(site: Site) -> list[Route]:
    clients = Tries(BY_CLIENT, timedelta(minutes=1))

    def send(request: Request, body: str) -> Response:
        form = form_of(site.current(), request.path_params["name"])
        return page("gone.html", 404) if form is None else take(Sent(site, request, form, fields_of(body)), clients)

    return [
        Route("/signup/{name}", in_thread(lambda request: _show(site, request)), methods=["GET", "HEAD"]),
        Route("/signup/{name}", with_form(send), methods=["POST"]),
    ]


def form_of(deployed: Deployed, name: str) -> SignUp | None:
    return deployed.project.people.signups.get(name)


def fields_of(body: str) -> dict[str, str]:
    """The fields of a posted form, one value each. NUL cannot be stored and nobody types it."""
    try:
        found = parse_qs(body, max_num_fields=MOST_FIELDS)
    except ValueError:
        return {}
    return {name: values[-1].replace("\0", "") for name, values in found.items()}


def spoken(request: Request) -> str:
    """The language that the browser asks for, where we speak it."""
    return request.headers.get("accept-language", "")[:2].lower() or ENGLISH


def _show(site: Site, request: Request) -> Response:
    form = form_of(site.current(), request.path_params["name"])
    return page("gone.html", 404) if form is None else form_page(site, request, form)


def form_page(
    site: Site, request: Request, form: SignUp, status: int = 200, *, fields: Mapping[str, str] | None = None,
    problem: str = "", field: str = "", meant: str = "", friend_of: str = "", heading: str = "",
) -> Response:  # fmt: skip
    kinds = site.current().project.people.attributes
    given = fields if fields is not None else dict(campaign_of(request, {}))
    asks = [{"name": name, "label": label(name), "kind": kinds[name]} for name in form.asks]
    return page(
        "signup.html", status, form=form, asks=asks, given=given, stamp=stamp(site, form), trap=TRAP,
        problem=problem, field=field, meant=meant, heading=heading, language=spoken(request),
        campaign={name: given[name] for name in given if name.startswith("utm_")}, page=given.get("page", ""),
        action=f"/r/{friend_of}" if friend_of else f"/signup/{form.name}",
    )  # fmt: skip


def label(name: str) -> str:
    """An attribute as a form names it: `first_name` is `First name`."""
    return name.replace("_", " ").capitalize()


def stamp(site: Site, form: SignUp) -> str:
    """When this form was shown, signed, so that one can tell how long it took to fill in."""
    return site.links.signer.sign(STAMP, f"{form.name}:{int(site.now().timestamp())}")


def _took(sent: Sent) -> timedelta | None:
    """How long the form was looked at; None where its stamp is missing, another's or too old."""
    try:
        name, _, at = sent.site.links.signer.read(STAMP, sent.fields.get("stamp", "")).partition(":")
    except BadToken:
        return None
    took = timedelta(seconds=sent.site.now().timestamp() - int(at))
    return took if name == sent.form.name and took <= LATEST else None


def take(sent: Sent, clients: Tries) -> Response:
    """A form that was sent: looked at, and answered in the same way whether or not the address is known."""
    site, request, fields = sent.site, sent.request, sent.fields
    said = phrases(sent.language).page
    wait = clients.wait(near(whose(request)[0]), site.now())
    if wait:
        return _again(sent, 429, "often", {"Retry-After": str(max(1, round(wait.total_seconds())))})
    email = fields.get("email", "")
    try:
        address = signing.checked(sent.form, email, sure=fields.get("sure") == email)
        values = signing.values_of(site.current(), sent.form, {**fields, "language": sent.language})
    except signing.Fault as fault:
        return _faulty(sent, fault)
    if fields.get(TRAP):
        return _look(sent, address)  # a machine learns nothing from the answer
    took = _took(sent)
    if took is None or took < SOONEST:
        if sent.wants_json:
            told = {"format": FORMAT, "state": "once_more", "stamp": stamp(site, sent.form), "after": SOONEST.seconds}
            return JSONResponse({**told, "message": said["once_more"]}, 428)
        return sent.shown(200, problem=said["once_more"])
    ip, agent = whose(request)
    source = signing.Came(sent.page, campaign_of(request, fields), f"{ip} {agent}", sent.friend_of)
    afresh(
        site.current,
        lambda running: signing.sign_up(site.store, running, sent.form, address, values, source, site.now()),
    )
    return _look(sent, address)


def _faulty(sent: Sent, fault: signing.Fault) -> Response:
    said = phrases(sent.language).page[fault.reason].format(address=fault.meant)
    if sent.wants_json:
        told = {"format": FORMAT, "state": "fault", "field": fault.name, "fault": fault.reason, "message": said}
        return JSONResponse({**told, "meant": fault.meant or None}, 422)
    return sent.shown(422, problem=said, field=fault.name, meant=fault.meant)


def _again(sent: Sent, status: int, reason: str, headers: Mapping[str, str]) -> Response:
    said = phrases(sent.language).page[reason]
    if sent.wants_json:
        answer: Response = JSONResponse({"format": FORMAT, "state": reason, "message": said}, status)
    else:
        answer = sent.shown(status, problem=said)
    answer.headers.update(headers)
    return answer


def _look(sent: Sent, address: str) -> Response:
    state = "confirm" if sent.form.confirms else "done"
    if sent.wants_json:
        return JSONResponse({"format": FORMAT, "state": state, "email": address}, 202)
    if not sent.form.confirms:
        return _welcome(sent.form.title, sent.form.to, sent.language)
    return page("look.html", 202, address=address, language=sent.language)


def _welcome(title: str, to: str, language: str) -> Response:
    return RedirectResponse(to, 303) if to else page("welcome.html", title=title, language=language)


def confirm(site: Site, request: Request, message: str) -> Response:
    """The button on the page that the mail leads to. Only a POST confirms: link scanners open pages and press nothing."""
    ip, agent = whose(request)
    device = device_of(site, request)
    done = afresh(
        site.current,
        lambda running: signing.confirm(site.store, running, message, f"{ip} {agent}", device, site.now()),
    )
    if done is None:
        return page("gone.html", 404)
    answer = _welcome(done.title, done.to, done.language)
    if done.friend_of and not device:
        mark(site, request, answer)
    return answer


def campaign_of(request: Request, fields: Mapping[str, str]) -> dict[str, str]:
    """`utm_…` of the form, of the address it was sent to, or of the page it stood on."""
    before = fields_of(request.headers.get("referer", "")[:2000].partition("?")[2])
    found = {**before, **request.query_params, **fields}
    return {name: text[:LONGEST].replace("\0", "") for name, text in found.items() if name in CAMPAIGN}
