"""Each row of the table of doors, asked by everybody in every way; and what is said with each answer."""

from contextlib import contextmanager
from datetime import timedelta
from urllib.parse import quote

import httpx
import pytest
from doors import ADMIN_TOKEN, SETUP, House, csrf
from sqlalchemy import text
from stage import MONDAY
from starlette.routing import Route

from nurture.engine import access
from nurture.providers.base import Account
from nurture.store.database import open_store
from nurture.web.app import STRICT, application, build
from nurture.web.doors import ROWS
from nurture.web.serve import listen, serving
from nurture.web.site import MAIL_ALONE
from nurture.web.tries import MOST_NAMES, Tries, near

SECRETS = ("a-key-of-postmark", "a-secret-of-its-hooks", ADMIN_TOKEN, SETUP, "a key for tests only")
ROLES = ("view", "edit", "admin")
FILLED = {
    "{token}": "x", "{name}": "ladder", "{look}": "1", "{provider}": "postmark", "{file}": "page.css", "{id}": "1",
    "{key}": "x", "{email}": "ann@example.com", "{code}": "A-1",
}  # fmt: skip


@pytest.fixture(scope="module")
def house(migrated, tmp_path_factory):
    path = tmp_path_factory.mktemp("doors") / "nurture.db"
    path.write_bytes(migrated.read_bytes())
    store = open_store(f"sqlite:///{path}")
    built = House(store, accounts={"postmark": Account("postmark", SECRETS[0], hook_secrets=(f"user:{SECRETS[1]}",))})
    built.subscribe(first_name="Ann", tags=("vip",))
    built.work()
    yield built
    built.close()
    store.close()


@pytest.fixture(scope="module")
def inside(house):
    """A browser for each role, and the secret of its forms; a fresh one whenever it is asked, as one door logs out."""
    made = {role: house.account(role) for role in ROLES}

    def fresh(role):
        client = house.client()
        client.cookies.set("nurture", access.log_in(house.store, made[role], house.now))
        return client, {"x-csrf-token": csrf(client)}

    known = {role: fresh(role) for role in ROLES}
    return lambda role, path="": fresh(role) if path == "/logout" else known[role]


def filled(path):
    for name, value in FILLED.items():
        path = path.replace(name, value)
    return path


def sound(answer):
    """Whether all is said that is to be said with this answer, whatever it is."""
    said = answer.headers
    policy = said["content-security-policy"]
    strict = STRICT.format(ancestors="'none'")
    if "/pages/again.js" in answer.text:  # a page that waits for something asks this server, and nothing else does
        strict += "; connect-src 'self'"
    assert policy in (strict, MAIL_ALONE), answer.url
    assert (said["x-content-type-options"], said["referrer-policy"]) == ("nosniff", "same-origin"), answer.url
    assert ("permissions-policy" in said, "cache-control" in said, "server" in said) == (True, True, False), answer.url
    assert answer.status_code < 500, (answer.url, answer.text)
    assert not [secret for secret in SECRETS if secret in answer.text], answer.url
    return answer


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.path)
def test_a_door_opens_to_whom_the_table_says_and_to_nobody_else(house, inside, row):
    path = filled(row.path)
    for method, need in (("GET", row.look), ("POST", row.act)):
        outside = sound(house.nobody.request(method, path))
        if need is None:
            assert outside.status_code == 405
            continue
        if need in ("anyone", "door"):
            assert outside.status_code in (
                (200, 401) if path in ("/login", "/hooks/postmark") else (200, 404, 405, 422)
            )
            continue
        assert outside.status_code in ((303, 401) if method == "GET" else (401,))
        least = ROLES.index(need)
        for role in ROLES[max(0, least - 1) : least + 1]:  # who may just not, and who just may
            client, secret = inside(role, path)
            if method == "POST":
                assert sound(client.request(method, path)).status_code == 403, "without the secret of our own forms"
            answer = sound(client.request(method, path, headers=secret if method == "POST" else {}))
            assert (answer.status_code == 403) is (role != need), (method, role)
            assert (answer.status_code != 401, "needs the role" in answer.text) == (True, role != need)


def test_what_is_refused_before_any_door_says_the_same(house):
    for answer, status in (
        (house.nobody.get("/nowhere"), 404), (house.nobody.get("/.env"), 404),
        (house.nobody.request("DELETE", "/people"), 405), (house.nobody.request("TRACE", "/"), 405),
        (house.nobody.request("PUT", "/settings"), 405), (house.nobody.get("/", headers={"Host": "evil.test"}), 421),
        (house.nobody.post("/login", content=bytes(70_000)), 413),
        (house.nobody.post("/signup/ladder", content=bytes(70_000)), 413),
        (house.nobody.post("/login", headers={"Origin": "https://evil.test"}), 403),
    ):  # fmt: skip
        assert sound(answer).status_code == status, answer.url


def test_an_address_that_leads_nowhere_says_so_in_words(house):
    said = house.nobody.get("/nowhere", headers={"Accept": "text/html"}).text
    assert "There is nothing at this address." in said
    assert "not possible" not in said


def test_what_one_types_is_set_apart_on_the_page_of_the_api(house, inside):
    said = inside("view")[0].get("/docs").text
    assert "<code>email</code> to say whose" in said
    assert "`" not in said


def test_nothing_that_writes_files_is_served_here(house):
    """A template is edited in `nurture preview --edit`, on one's own machine; here there is no such address."""
    words = ("edit", "save", "template", "draft", "file", "look", "source")
    paths = [route.path for route in application(house.site).routes if isinstance(route, Route)]
    assert [path for path in paths for word in words if f"/{word}" in path] == []
    for path in ("/edit", "/saves", "/see/ladder/question", "/play/ladder"):
        assert house.nobody.get(path, headers={"Authorization": f"Bearer {ADMIN_TOKEN}"}).status_code == 404


# --- what is asked for

ASKED = {
    "/people": ("tag", "step", "answer", "after"), "/outbox": ("state", "before"), "/inbox": ("failed", "before"),
    "/audit": ("before",), "/sequences": ("days",), "/sequences/ladder": ("by", "days"),
    "/sequences/ladder/asked": ("step", "said", "by", "value", "days", "after"), "/login": ("next",),
    "/q/x": ("page", "change"), "/u/x": ("pause",), "/signup/ladder": ("utm_source",),
}  # fmt: skip
INJECTED = (
    "'", '"', "' OR '1'='1", "' OR 1=1 --", "1; DROP TABLE subscriber; --", "' UNION SELECT digest FROM session --",
    "%27%20OR%201=1", "\\", "\\'; --", "%", "_", "a'||'b", "$1", ":email", "?", "\x00", "\ud7ff", "1e999", "-1",
    "99999999999999999999", "ladder.question' --", "question=x' OR '1'='1", "0x41", "/**/", "[]", "{}",
)  # fmt: skip


def test_no_question_is_read_as_sql(house, inside):
    client, _ = inside("admin")
    for path, names in ASKED.items():
        for first in range(0, len(INJECTED), 3):
            given = [INJECTED[(first + 5 * number) % len(INJECTED)] for number in range(len(names))]
            answer = sound(client.get(path, params=dict(zip(names, given, strict=True))))
            assert "ann@example.com" not in answer.text or path == "/outbox", given
    for given in (*INJECTED, "9" * 19, "9" * 5_000):
        for path in ("/people/{}", "/outbox/{}", "/inbox/{}"):
            assert sound(client.get(path.format(quote(given, safe="")))).status_code == 404, given
    with house.store.read() as tx:
        assert tx.execute(text("SELECT count(*) FROM subscriber")).scalar() == 1


# --- how often


@contextmanager
def served(house, *proxies):
    """The same application with no memory of anybody, behind these proxies."""
    with (
        listen("127.0.0.1", 0) as listening,
        serving(build(house.site), listening, proxies) as address,
        httpx.Client(base_url=address, headers={"Accept": "text/html"}) as client,
    ):
        yield client


def guess(client, number, seen=""):
    """Try a wrong token; `seen` is what the request says of whose it is."""
    return client.get("/index.json", headers={"Authorization": f"Bearer {number}", "X-Forwarded-For": seen})


def test_wrong_tokens_are_counted_whoever_one_says_one_is_and_a_right_one_is_not(house):
    right = house.program("read").headers["authorization"]
    with served(house) as client:
        said = [guess(client, number, f"198.51.100.{number}") for number in range(31)]
        assert [one.status_code for one in said] == [401] * 30 + [429]
        assert said[-1].headers["retry-after"] == "60"
        assert client.get("/index.json", headers={"Authorization": right}).status_code == 200


def test_behind_our_own_proxy_it_is_the_address_that_the_proxy_saw(house):
    with served(house, "127.0.0.1") as client:
        for number in range(30):  # whatever was sent along, the proxy adds what it saw
            assert guess(client, number, f"203.0.113.{number}, 198.51.100.7").status_code == 401
        assert [guess(client, 0, f"198.51.100.{last}").status_code for last in (7, 8)] == [429, 401]
    with served(house, "192.0.2.1") as client:  # another proxy's word counts, not this one's
        assert [guess(client, 0, f"198.51.100.{number}").status_code for number in range(31)][-1] == 429


def test_who_has_many_addresses_is_still_one():
    assert near("2001:db8:1:2:3:4:5:6") == near("2001:db8:1:2::9") != near("2001:db8:1:3::9")
    assert (near("198.51.100.7"), near("a unix socket")) == ("198.51.100.7", "a unix socket")
    tries = Tries(1, timedelta(minutes=1))
    for number in range(MOST_NAMES + 5):
        tries.wait(str(number), MONDAY)
    assert tries.wait(str(MOST_NAMES), MONDAY)
    assert not tries.wait("0", MONDAY), "who came first was pushed out: what is kept has an end"
