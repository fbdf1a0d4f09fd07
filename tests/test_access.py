"""Who may come in, and what they may do there: each line of the security checklist that concerns pages and access."""

import json
import sqlite3
from contextlib import contextmanager
from datetime import timedelta

import pytest
from doors import ADMIN_TOKEN, PASSWORD, SETUP, House, csrf
from sqlalchemy import text
from stage import MONDAY
from starlette.routing import Route

from nurture.engine import access, passwords
from nurture.errors import Refused, StoreError
from nurture.store import audit, operators
from nurture.web.app import application
from nurture.web.doors import ROWS, Doors
from nurture.web.tries import Tries

PAGES = [row.path for row in ROWS if row.title]


@contextmanager
def opened(store, **site):
    built = House(store, **site)
    try:
        yield built
    finally:
        built.close()


# --- the table of routes


def test_every_route_is_in_the_table_and_what_is_not_is_refused(house):
    app = application(house.site)
    doors = Doors(ROWS)
    routes = [(route.path, route.methods) for route in app.routes if isinstance(route, Route)]
    routes += [(path, {name.upper() for name in said}) for path, said in app.openapi()["paths"].items()]
    assert len(routes) > 25
    for path, methods in routes:
        for method in methods:
            plain = path.replace(":number}", "}").replace(":path}", "}")
            asked = plain.replace("{", "").replace("}", "")
            assert doors.need(method, asked) is not None, (method, path)
    assert house.nobody.get("/not-in-the-table").status_code == 404


@pytest.mark.parametrize("path", ["/", "/api/subscribers/ann@example.com", "/openapi.json", "/index.json"])
def test_pages_and_api_need_a_login_on_loopback_as_well(house, path):
    answer = house.nobody.get(path, headers={"Accept": "*/*"})
    assert answer.status_code == 401
    assert "Bearer" in answer.headers["www-authenticate"]
    to_login = house.nobody.get(path)
    assert to_login.status_code in (303, 401)
    assert to_login.headers.get("location", "/login").startswith("/login")


def test_roles_are_what_the_table_says(house):
    view, edit, admin = (house.browser(role) for role in ("view", "edit", "admin"))
    assert [one.get("/access").status_code for one in (view, edit, admin)] == [403, 403, 200]
    assert [one.get("/").status_code for one in (view, edit, admin)] == [200, 200, 200]
    new = {"email": "bob@example.com"}
    posted = [one.post("/api/subscribers", json=new, headers={"x-csrf-token": csrf(one)}) for one in (view, edit)]
    assert [one.status_code for one in posted] == [403, 201]
    assert "this needs the role edit" in posted[0].text


def test_the_menu_shows_only_what_one_may_see(house):
    assert 'href="/access"' in house.browser("admin").get("/").text
    assert 'href="/access"' not in house.browser("view").get("/").text


# --- the first account


def test_there_is_no_account_until_the_link_on_the_terminal_is_used_and_it_works_once(house):
    assert "Nurture is not set up yet" in house.nobody.get("/", follow_redirects=True).text
    assert house.nobody.get("/setup/guessed").status_code == 404
    assert house.nobody.get(f"/setup/{SETUP}").status_code == 200
    weak = house.nobody.post(f"/setup/{SETUP}", data={"email": "me@example.com", "password": "short"})
    assert (weak.status_code, "12 to 256 characters" in weak.text) == (422, True)
    made = house.nobody.post(f"/setup/{SETUP}", data={"email": "Me@example.com", "password": PASSWORD})
    assert made.status_code == 303
    assert house.nobody.get("/access").status_code == 200
    other = house.client()
    assert other.get(f"/setup/{SETUP}").status_code == 404
    assert other.post(f"/setup/{SETUP}", data={"email": "b@example.com", "password": PASSWORD}).status_code == 404
    with house.store.read() as tx:
        assert [(one.email, one.role) for one in operators.every(tx)] == [("me@example.com", "admin")]


# --- logging in


def test_a_login_gives_a_new_session_that_ends_after_twelve_hours(house):
    house.account("view", password=passwords.hashed(PASSWORD))
    client = house.client()
    client.cookies.set("nurture", "chosen by someone else")
    done = client.post("/login", data={"email": "view@example.com", "password": PASSWORD, "next": "/password"})
    assert (done.status_code, done.headers["location"]) == (303, "/password")
    cookie = done.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=lax" in cookie
    assert "chosen by someone else" not in cookie
    number = cookie.partition("nurture=")[2].partition(";")[0]
    fresh = house.client(Cookie=f"nurture={number}")
    house.now += timedelta(hours=11, minutes=59)
    assert fresh.get("/").status_code == 200
    house.now += timedelta(minutes=2)
    assert fresh.get("/").status_code == 303
    with house.store.read() as tx:
        kept = tx.execute(text("SELECT digest FROM session")).scalars().all()
    assert number not in kept


def test_a_second_login_ends_the_session_it_replaces(house):
    operator = house.account("view")
    first = access.log_in(house.store, operator, house.now)
    access.log_in(house.store, operator, house.now, instead_of=access.digest(first))
    assert access.by_session(house.store, first, house.now) is None


@pytest.mark.parametrize(
    "going", ["https://evil.example", "//evil.example", "/\\evil.example", "javascript:alert(1)", ""]
)
def test_a_login_leads_to_a_page_of_ours_only(house, going):
    assert 'name="next" value="/"' in _login_of_one(house).get("/login", params={"next": going}).text


def _login_of_one(house):
    house.account()
    return house.nobody


def test_https_gives_a_cookie_that_no_other_host_can_set(store):
    with opened(store, base_url="https://mail.example.com") as house:
        house.account("view", password=passwords.hashed(PASSWORD))
        outside = house.client(Host="mail.example.com", Origin="https://mail.example.com")
        done = outside.post("/login", data={"email": "view@example.com", "password": PASSWORD})
        cookie = done.headers["set-cookie"]
        assert cookie.startswith("__Host-nurture=")
        assert "Secure" in cookie
        assert "Path=/" in cookie
        assert "Domain" not in cookie
        assert "max-age" in outside.get("/login").headers["strict-transport-security"]


def test_the_answer_to_a_wrong_login_tells_nothing_of_who_has_an_account(house):
    house.account("view", password=passwords.hashed(PASSWORD))
    wrong = house.nobody.post("/login", data={"email": "view@example.com", "password": "not the password"})
    unknown = house.nobody.post("/login", data={"email": "nobody@example.com", "password": "not the password"})
    assert (wrong.status_code, wrong.text) == (unknown.status_code, unknown.text) == (401, wrong.text)
    assert passwords.matches("anything", None) is False  # the same work is done where there is nothing to compare


def test_the_sixth_try_within_a_minute_waits(house):
    house.account("view")
    data = {"email": "view@example.com", "password": "guess"}
    answers = [house.nobody.post("/login", data=data) for _ in range(6)]
    assert [one.status_code for one in answers] == [401] * 5 + [429]
    assert answers[-1].headers["retry-after"] == "60"
    spoofed = house.nobody.post("/login", data=data, headers={"X-Forwarded-For": "198.51.100.1"})
    assert spoofed.status_code == 429
    for _ in range(3):
        house.nobody.post("/login", data=data)
    other = house.nobody.post("/login", data={**data, "email": "edit@example.com"})
    assert other.status_code == 429, "ten tries of one address, whosever account it is"
    house.now += timedelta(seconds=61)
    assert house.nobody.post("/login", data=data).status_code == 401


def test_tries_are_counted_by_name_and_forgotten_in_time():
    tries, now = Tries(2, timedelta(minutes=1)), MONDAY
    assert [bool(tries.wait("a", now)) for _ in range(3)] == [False, False, True]
    assert not tries.wait("b", now)
    assert tries.wait("a", now + timedelta(seconds=20)) == timedelta(seconds=40)
    tries.forgive("a")
    assert not tries.wait("a", now)


def test_another_password_logs_every_other_browser_out(house):
    house.account("view", password=passwords.hashed(PASSWORD))
    with house.store.read() as tx:
        operator = operators.by_email(tx, "view@example.com")[0]
    here, there = (house.client(Cookie=f"nurture={access.log_in(house.store, operator, house.now)}") for _ in "12")
    new = {"csrf": csrf(here), "old": PASSWORD, "new": "another small promise"}
    assert here.post("/password", data={**new, "old": "wrong"}).status_code == 422
    done = here.post("/password", data=new)
    assert done.status_code == 303
    assert there.get("/").status_code == 303
    again = house.client(Cookie=done.headers["set-cookie"].partition(";")[0])
    assert again.get("/").status_code == 200
    assert access.check(house.store, "view@example.com", PASSWORD) is None


def test_logging_out_ends_the_session(house):
    client = house.browser("view")
    assert client.post("/logout", data={"csrf": csrf(client)}).headers["location"] == "/login"
    assert client.get("/").status_code == 303


# --- requests that a page elsewhere makes


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Origin": "null"},
    ],
)
def test_a_form_of_another_site_is_refused_though_the_cookie_came_along(house, headers):
    client = house.browser("admin")
    form = {"csrf": csrf(client), "name": "shop", "scope": "read", "days": "9"}
    assert client.post("/access/tokens", data=form, headers=headers).status_code == 403
    assert client.post("/access/tokens", data=form, headers={"Sec-Fetch-Site": "same-origin"}).status_code == 200


@pytest.mark.parametrize("given", ["", "0" * 64, None])
def test_a_form_without_the_sessions_own_secret_is_refused(house, given):
    client = house.browser("admin")
    form = {"name": "shop", "scope": "read", "days": "9"} | ({} if given is None else {"csrf": given})
    assert client.post("/access/tokens", data=form).status_code == 403
    other = house.browser("admin", "b@example.com")
    assert client.post("/access/tokens", data={**form, "csrf": csrf(other)}).status_code == 403


def test_a_form_that_is_too_large_is_refused(house):
    assert house.browser("admin").post("/access/tokens", data={"name": "x" * 70_000}).status_code == 413
    assert house.nobody.post("/login", data={"password": "x" * 70_000}).status_code == 413
    person = {"email": "ann@example.com", "attributes": {"first_name": "x" * 1_000_000}}
    said = house.program("write").post("/api/subscribers", json=person)
    assert (said.status_code, said.json()) == (413, {"detail": "1,000,000 bytes are the most that may be sent here"})
    assert house.program("read").get("/api/subscribers/ann@example.com").status_code == 404


def test_what_is_not_there_is_said_as_it_was_asked_for(house):
    look = house.browser("view")
    for path in ("/people/xyz", "/people/7", "/inbox/x", "/outbox/none", "/sequences/none"):
        said = look.get(path)
        assert (said.status_code, "text/html" in said.headers["content-type"]) == (404, True), path
    assert house.program("read").get("/people/xyz").json() == {"detail": "Not Found"}


@pytest.mark.parametrize(
    "host", ["evil.test", "evil.test:8000", "localhost.evil.test", "127.0.0.1.evil.test", "10.0.0.7"]
)
def test_a_name_that_is_not_ours_is_refused(house, host):
    for path in ("/", "/login", "/api/subscribers/ann@example.com"):
        answer = house.nobody.get(path, headers={"Host": host, "Authorization": f"Bearer {ADMIN_TOKEN}"})
        assert answer.status_code == 421
    assert house.nobody.get("/healthz", headers={"Host": host}).status_code == 200


def test_our_own_names_are_those_of_loopback_the_base_url_and_the_settings(store):
    with opened(store, base_url="https://mail.example.com", names=frozenset({"inner.example.com"})) as house:
        for host in ("localhost:1", "127.0.0.1", "[::1]:80", "demo.localhost", "mail.example.com", "inner.example.com"):
            assert house.nobody.get("/login", headers={"Host": host}).status_code == 200


# --- tokens of programs


def test_a_token_is_shown_once_kept_as_a_digest_and_does_what_its_scope_says(house):
    admin = house.browser("admin")
    form = {"csrf": csrf(admin), "name": "shop", "scope": "read", "days": "30"}
    shown = admin.post("/access/tokens", data=form).text
    token = shown.partition("<code>")[2].partition("</code>")[0]
    assert token.startswith("nur_")
    assert len(token) >= 4 + 43  # 256 bits
    assert token not in admin.get("/access").text
    dump = "\n".join(sqlite3.connect(house.store.path).iterdump())
    assert "shop" in dump
    assert token not in dump
    program = house.client(Authorization=f"Bearer {token}")
    assert program.get("/api/subscribers/ann@example.com").status_code == 404
    assert program.post("/api/subscribers", json={"email": "bob@example.com"}).status_code == 403
    house.now += timedelta(days=31)
    assert program.get("/api/subscribers/ann@example.com").status_code == 401


def test_a_token_that_may_write_is_not_an_admin_and_can_be_taken_back(house):
    program = house.program("write")
    assert program.post("/api/subscribers", json={"email": "bob@example.com"}).status_code == 201
    assert program.get("/access.json").status_code == 403
    access.remove_token(house.store, "write", by="test", now=house.now)
    assert program.get("/index.json").status_code == 401


def test_the_admin_token_opens_every_door_and_a_wrong_one_none(house):
    right = house.client(Authorization=f"Bearer {ADMIN_TOKEN}")
    assert right.get("/access.json").json()["format"] == "nurture.access/1"
    for wrong in (f"Bearer {ADMIN_TOKEN}x", "Bearer", f"Basic {ADMIN_TOKEN}", f"bearer{ADMIN_TOKEN}"):
        assert house.client(Authorization=wrong).get("/index.json").status_code == 401


# --- what is said with every answer


def test_every_page_forbids_what_it_does_not_need(house):
    client = house.browser("admin")
    for path in ("/", "/login", "/healthz", "/access.json"):  # test_every_door asks all
        headers = client.get(path).headers
        assert headers["content-security-policy"] == (
            "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; form-action 'self'; "
            "frame-ancestors 'none'; base-uri 'none'"
        )
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] in ("no-referrer", "same-origin")
        assert headers["cache-control"] == "no-store"
        assert "permissions-policy" in headers
        assert "server" not in headers


def test_every_page_has_a_twin_that_says_what_it_is(house):
    client = house.browser("admin")
    for path in PAGES:
        twin = "/index.json" if path == "/" else f"{path}.json"
        assert client.get(twin).json()["format"].startswith("nurture."), path
        assert f'href="{twin}"' in client.get(path).text


# --- what the store promises, on both databases


def test_the_audit_log_is_only_added_to_and_shows_a_change_behind_our_back(store):
    now = MONDAY
    access.add(store, "a@example.com", "admin", PASSWORD, by="test", now=now)
    token = access.make_token(store, "shop", "read", timedelta(days=1), by="a@example.com", now=now)
    access.remove_token(store, "shop", by="a@example.com", now=now)
    with store.read() as tx:
        log = audit.listing(tx, 10)
        assert audit.first_broken(tx) is None
    assert [(one.who, one.action, one.target) for one in reversed(log)] == [
        ("test", "account added", "a@example.com"),
        ("a@example.com", "token added", "shop"),
        ("a@example.com", "token removed", "shop"),
    ]
    assert token not in json.dumps([dict(one.detail) for one in log])
    for change in ("UPDATE audit SET who = 'x'", "DELETE FROM audit"):
        with pytest.raises((StoreError, Exception), match="only added to"), store.write() as tx:
            tx.execute(text(change))
    with store.write() as tx:
        if store.dialect == "sqlite":
            tx.execute(text("DROP TRIGGER audit_no_update"))
        else:
            tx.execute(text("ALTER TABLE audit DISABLE TRIGGER audit_no_change"))
        tx.execute(text("UPDATE audit SET who = 'x' WHERE action = 'token added'"))
    with store.read() as tx:
        assert audit.first_broken(tx) == 2


def test_accounts_on_both_databases(store):
    now = MONDAY
    assert access.add_first(store, "First@example.com", PASSWORD, now) == "first@example.com"
    with pytest.raises(Refused, match="there is an account already"):
        access.add_first(store, "second@example.com", PASSWORD, now)
    access.add(store, "view@example.com", "view", PASSWORD, by="test", now=now)
    with pytest.raises(Refused, match="has an account already"):
        access.add(store, "view@example.com", "view", PASSWORD, by="test", now=now)
    with pytest.raises(Refused, match="is the last admin"):
        access.remove(store, "first@example.com", by="test", now=now)
    found = access.check(store, " VIEW@example.com", PASSWORD)
    number = access.log_in(store, found, now)
    assert access.by_session(store, number, now).name == "view@example.com"
    access.remove(store, "view@example.com", by="test", now=now)
    assert access.by_session(store, number, now) is None
    with store.read() as tx:
        assert PASSWORD not in str(tx.execute(text("SELECT * FROM operator")).all())


@pytest.mark.parametrize("weak", ["short", "a" * 20, "x" * 300, "ann.smith ann.smith"])
def test_a_password_that_would_be_guessed_is_refused(weak):
    with pytest.raises(Refused):
        passwords.refuse_weak(weak, "ann.smith@example.com")
