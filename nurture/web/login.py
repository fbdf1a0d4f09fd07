"""The way in: the first account by the setup link, logging in and out, another password."""

from __future__ import annotations

import math
from datetime import timedelta
from hmac import compare_digest
from typing import TYPE_CHECKING

from starlette.concurrency import run_in_threadpool
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from nurture.engine import access
from nurture.errors import Refused
from nurture.store import operators
from nurture.web.access import cookie_name, is_secure
from nurture.web.frame import Form, acts, form_of, show
from nurture.web.site import Site, in_thread, page, whose
from nurture.web.tries import Tries, near

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from starlette.requests import Request

    from nurture.store.operators import Operator

    TooOften = Callable[[Request, str], Response | None]

MINUTE = timedelta(minutes=1)
BY_ACCOUNT, BY_ADDRESS = 5, 10
"""Tries a minute. An address may be a whole office behind one router."""


def routes(site: Site) -> list[Route]:
    accounts, addresses = Tries(BY_ACCOUNT, MINUTE), Tries(BY_ADDRESS, MINUTE)

    def too_often(request: Request, email: str) -> Response | None:
        now = site.now()
        name = email.strip().lower()[:320]
        wait = max(addresses.wait(near(whose(request)[0]), now), accounts.wait(name, now))
        if not wait:
            return None
        seconds = math.ceil(wait.total_seconds())
        shown = _login_page(site, request, f"Too many tries. Try again in {seconds} seconds.", 429)
        shown.headers["Retry-After"] = str(seconds)
        return shown

    def log_in(request: Request, form: Form) -> Response:
        email, password = form.get("email", ""), form.get("password", "")
        refused = too_often(request, email)
        if refused is not None:
            return refused
        found = access.check(site.store, email, password)
        if found is None:
            access.failed(site.store, email, whose(request)[0], site.now())
            return _login_page(site, request, "This address and password do not belong together.", 401)
        accounts.forgive(email.strip().lower()[:320])
        return _logged_in(site, request, found, _inside(form.get("next", "")))

    def set_up(request: Request, form: Form) -> Response:
        if not _is_setup(site, request):
            return page("gone.html", 404)
        try:
            email = access.add_first(site.store, form.get("email", ""), form.get("password", ""), site.now())
        except Refused as error:
            return page("setup.html", 422, problem=str(error), email=form.get("email", ""))
        found = _account(site, email)
        return page("gone.html", 404) if found is None else _logged_in(site, request, found, "/")

    return [
        Route("/login", in_thread(lambda request: _login_page(site, request))),
        Route("/login", _posted(log_in), methods=["POST"]),
        Route("/setup/{token}", in_thread(lambda request: _setup_page(site, request))),
        Route("/setup/{token}", _posted(set_up), methods=["POST"]),
        acts("/logout", lambda request, _: _log_out(site, request)),
        Route("/password", in_thread(lambda request: show(request, "password.html", {"problem": ""}))),
        acts("/password", lambda request, form: _new_password(site, request, form, too_often)),
    ]


def _posted(handle: Callable[[Request, Form], Response]) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        form = await form_of(request)
        return await run_in_threadpool(handle, request, form)

    return endpoint


def _login_page(site: Site, request: Request, problem: str = "", status: int = 200) -> Response:
    with site.store.read() as tx:
        nobody = operators.count(tx) == 0
    going = _inside(request.query_params.get("next", ""))
    return page("login.html", status, problem=problem, nobody=nobody, going=going)


def _setup_page(site: Site, request: Request) -> Response:
    if not _is_setup(site, request):
        return page("gone.html", 404)
    return page("setup.html", problem="", email="")


def _is_setup(site: Site, request: Request) -> bool:
    """Whether this is the link that the terminal showed, and there is still no account."""
    given = request.path_params["token"]
    if not site.setup or not compare_digest(given.encode(), site.setup.encode()):
        return False
    with site.store.read() as tx:
        return operators.count(tx) == 0


def _account(site: Site, email: str) -> Operator | None:
    with site.store.read() as tx:
        found = operators.by_email(tx, email)
    return None if found is None else found[0]


def _logged_in(site: Site, request: Request, operator: Operator, going: str) -> Response:
    """A new session, never the one that the browser came with."""
    name = cookie_name(site, request)
    before = request.cookies.get(name, "")
    number = access.log_in(site.store, operator, site.now(), instead_of=access.digest(before))
    answer = RedirectResponse(going, 303)
    answer.set_cookie(
        name, number, max_age=int(access.LASTS.total_seconds()), path="/", secure=is_secure(site, request),
        httponly=True, samesite="lax",
    )  # fmt: skip
    return answer


def _log_out(site: Site, request: Request) -> Response:
    access.log_out(site.store, request.state.who, site.now())
    answer = RedirectResponse("/login", 303)
    answer.delete_cookie(cookie_name(site, request), secure=is_secure(site, request), httponly=True)
    return answer


def _new_password(site: Site, request: Request, form: Form, too_often: TooOften) -> Response:
    """Another password; all browsers are logged out, and this one in again."""
    who = request.state.who
    refused = too_often(request, who.name)
    if refused is not None:
        return refused
    if access.check(site.store, who.name, form.get("old", "")) is None:
        return show(request, "password.html", {"problem": "This is not the password you have now."}, 422)
    try:
        access.change_password(site.store, who.name, form.get("new", ""), by=who.name, now=site.now())
    except Refused as error:
        return show(request, "password.html", {"problem": str(error)}, 422)
    found = _account(site, who.name)
    return RedirectResponse("/login", 303) if found is None else _logged_in(site, request, found, "/")


def _inside(path: str) -> str:
    """A page of ours to go to after the login; never another host's."""
    sound = path.startswith("/") and not path.startswith(("//", "/\\", "/login", "/logout")) and "\\" not in path
    return path if sound else "/"
