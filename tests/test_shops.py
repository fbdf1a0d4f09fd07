"""Codes that a shop is asked for: signed, one for each person, and never a mail without one. On both databases."""

import json
import re
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock, Thread

import httpx
import pytest
from stage import MONDAY, Stage
from standardwebhooks.webhooks import Webhook
from test_doctor import patient
from test_forms import LADDER as SURVEY
from test_forms import TEMPLATES as SURVEY_TEMPLATES
from test_forms import fill_in, pages
from test_offers import TEMPLATES, ladder
from test_web import Visited

from nurture.engine.doctor import pools
from nurture.engine.rules import Rules
from nurture.engine.shopping import shop
from nurture.engine.stopping import suppress
from nurture.errors import Unavailable
from nurture.providers.shop import Shop, ask
from nurture.store import codes, offers, wishes

SECRET = "whsec_" + "c2VjcmV0IG9mIGEgc2hvcCB0aGF0IGlzIGxvbmc="
URL = "https://shop.example/codes"
SHOPS = {"spring": Shop(URL, (SECRET,))}


class Till:
    """A shop as one should be: it makes one code for an id, however often it is asked. `says` goes before that."""

    def __init__(self):
        self.made: dict[str, str] = {}
        self.asked: list[httpx.Request] = []
        self.says: httpx.Response | Exception | None = None
        self.lock = Lock()

    def __call__(self, request: httpx.Request) -> httpx.Response:
        with self.lock:
            self.asked.append(request)
            number = request.headers["webhook-id"]
            code = self.made.setdefault(number, f"S-{len(self.made) + 1}")
        if isinstance(self.says, Exception):
            raise self.says
        return self.says or httpx.Response(201, json={"code": code})


class Market(Stage):
    """A stage with a shop beside it."""

    def __init__(self, store, till, *, shops=SHOPS):
        self.till = till
        self.ask = partial(ask, transport=httpx.MockTransport(till))
        rules = Rules(postal_address="1 Example Street", shops=shops)
        super().__init__(store, {"course": ladder()}, rules=rules, templates=TEMPLATES)

    def shop(self):
        return shop(self.store, self.rules.shops, self.now, self.ask)

    def minute(self, number=1):
        """The engine and the shop at work for so many minutes, both looking every ten seconds."""
        for _ in range(number * 6):
            self.work()
            self.now += timedelta(seconds=10)
            self.shop()
        self.work()

    def codes(self):
        return {mail.to: re.search(r"Code (\S+) until", mail.text)[1] for mail in self.delivered}


@pytest.fixture
def till():
    return Till()


@pytest.fixture
def market(store, till):
    stage = Market(store, till)
    yield stage
    stage.close()


def test_each_person_gets_a_code_of_the_shop_and_the_deadline_runs_from_then(market, till):
    for name in ("ann", "bob"):
        market.subscribe(f"{name}@example.com")
    market.work()
    assert market.delivered == []
    assert market.place("course")["because"] == "offer is held: the shop is asked for a code of spring"
    assert market.shop().given == 2
    market.after(seconds=5)
    assert sorted(market.codes().values()) == ["S-1", "S-2"]
    with market.store.read() as tx:
        (made,) = offers.of_code(tx, market.codes()["ann@example.com"], "ann@example.com")
    assert made.deadline == MONDAY + timedelta(hours=48, minutes=1)  # rounded up to a minute, from when it was written
    market.after(days=1)
    market.shop()
    assert len(market.delivered) == 4  # the mail that asks again makes the same offer, and asks for no other code
    assert len(till.asked) == 2


def test_what_is_asked_is_signed_and_names_the_person(market, till):
    market.subscribe()
    market.work()
    market.shop()
    (request,) = till.asked
    assert (
        Webhook(SECRET).sign(request.headers["webhook-id"], MONDAY, request.content.decode())
        == (request.headers["webhook-signature"])
    )
    assert json.loads(request.content) == {
        "type": "code.wanted", "timestamp": "2026-06-01T10:00:00Z",
        "data": {"id": request.headers["webhook-id"], "pool": "spring", "product": "course", "email": "ann@example.com"},
    }  # fmt: skip


def test_the_code_a_form_thanks_with_comes_from_the_shop_too(store, till):
    made = Visited(store, {"survey": SURVEY}, SURVEY_TEMPLATES)
    made.rules = Rules(postal_address="1 Example Street", shops=SHOPS)
    made.deploy({"survey": SURVEY}, SURVEY_TEMPLATES)
    made.subscribe()
    made.work()
    fill_in(made, pages(made)[0])
    made.work()
    assert len(made.delivered) == 1
    till.says = httpx.Response(503)
    for seconds in (10, 10, 60, 120, 240):
        shop(store, SHOPS, made.now, partial(ask, transport=httpx.MockTransport(till)))
        till.says = till.says if seconds == 10 else None
        made.after(seconds=seconds)
    assert [mail.subject for mail in made.delivered[1:]] == ["A big one, S-1"]
    assert "S-1" in made.web.get(pages(made)[0]).text
    assert list(till.made.values()) == ["S-1"]
    made.close()


@pytest.mark.parametrize(
    ("says", "told"),
    [
        (httpx.ConnectError("refused"), "cannot be reached: refused"),
        (httpx.ReadTimeout("no whole answer in time"), "cannot be reached: no whole answer in time"),
        (httpx.Response(503), "answered 503"),
        (httpx.Response(302, headers={"location": "https://elsewhere.example"}), "answered 302"),
        (httpx.Response(200, text="<html>"), 'answered 200 without {"code": "…"}'),
        (httpx.Response(200, json={"code": 7}), 'answered 200 without {"code": "…"}'),
        (httpx.Response(200, json={"code": ""}), "answered what cannot be a code: there is no code"),
        (httpx.Response(200, json={"code": "A B"}), "answered what cannot be a code: 'A B' cannot be a code"),
    ],
)
def test_while_the_shop_gives_none_the_mail_waits_and_says_why(market, till, says, told):
    market.subscribe()
    till.says = says
    market.minute(2)
    assert market.delivered == []
    assert told in market.place("course")["because"]
    kinds = [event["kind"] for event in market.story()["events"]]
    assert "granted" not in kinds
    assert len({request.headers["webhook-id"] for request in till.asked}) == 1
    assert len({request.content for request in till.asked}) == 1  # a repeat is the same to the byte
    assert 1 < len(till.asked) <= 3  # at once, after 30 seconds, after a minute more: not as often as we look
    with market.store.read() as tx:
        assert (wishes.lines(tx)["spring"].people, told in wishes.lines(tx)["spring"].error) == (1, True)
    (found,) = pools.check(patient(market))
    assert (found.level, told in found.says) == ("fault", True)
    till.says = None
    market.minute(3)
    assert market.codes() == {"ann@example.com": "S-1"}
    with market.store.read() as tx:
        assert wishes.lines(tx) == {}


def test_a_shop_that_fails_is_asked_ever_more_seldom_and_gives_in_the_end(market, till):
    market.subscribe()
    till.says = httpx.Response(503)
    market.minute(10)
    assert 3 <= len(till.asked) <= 6  # 30 seconds, a minute, two, four: not as often as we look
    assert len({request.headers["webhook-id"] for request in till.asked}) == 1
    till.says = None
    market.minute(15)
    assert market.codes() == {"ann@example.com": "S-1"}
    with market.store.read() as tx:
        assert wishes.lines(tx) == {}


def test_a_shop_that_says_when_is_asked_then(market, till):
    market.subscribe()
    till.says = httpx.Response(429, headers={"retry-after": "300"})
    market.minute(4)
    assert len(till.asked) == 1


def test_an_answer_that_was_lost_costs_no_second_code(market, till):
    market.subscribe()
    market.work()

    def lost(*words):
        market.ask(*words)
        raise Unavailable("cannot be reached: the line broke")

    assert shop(market.store, SHOPS, market.now, lost).given == 0
    market.minute(2)
    assert market.codes() == {"ann@example.com": "S-1"}
    assert list(till.made.values()) == ["S-1"]


def test_a_code_that_somebody_has_goes_to_nobody_else(market, till):
    till.says = httpx.Response(200, json={"code": "SAME"})
    for name in ("ann", "bob"):
        market.subscribe(f"{name}@example.com")
    market.minute(3)
    assert list(market.codes().values()) == ["SAME"]
    with market.store.read() as tx:
        assert wishes.lines(tx)["spring"].error == "gave a code that somebody has already"
    till.says = None
    market.minute(10)
    assert len(set(market.codes().values())) == 2


def test_many_workers_ask_once_for_each(market, till):
    for number in range(40):
        market.subscribe(f"p{number}@example.com")
    market.work()

    def worker(_):
        while market.shop().more:
            pass

    with ThreadPoolExecutor(4) as many:
        list(many.map(worker, range(4)))
    market.minute()
    assert len(till.asked) == len(till.made) == 40
    assert sorted(market.codes().values()) == sorted(till.made.values())


def test_for_who_has_left_nothing_is_asked(market, till):
    market.subscribe("ann@example.com")
    market.subscribe("bob@example.com")
    market.work()
    suppress(market.store, market.deployed, "ann@example.com", "asked on the telephone", market.now)
    market.minute()
    assert list(market.codes()) == ["bob@example.com"]
    assert [json.loads(one.content)["data"]["email"] for one in till.asked] == ["bob@example.com"]


def test_a_shop_that_is_taken_out_of_the_settings_leaves_nobody_waiting(market, till):
    market.subscribe()
    till.says = httpx.Response(503)
    market.minute()
    with market.store.write() as tx:
        codes.add(tx, "spring", ["FILE-1"], market.now)
    market.rules = Rules(postal_address="1 Example Street")
    market.deploy({"course": ladder()}, TEMPLATES)
    market.after(hours=2)
    assert market.codes() == {"ann@example.com": "FILE-1"}
    with market.store.read() as tx:
        assert wishes.next_due(tx) is None


def test_a_real_shop_is_asked_over_the_wire():
    seen = []

    class Counter(BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["content-length"]))
            headers = {name.lower(): value for name, value in self.headers.items()}
            seen.append(
                (Webhook(SECRET).sign(headers["webhook-id"], MONDAY, body.decode()), headers["webhook-signature"])
            )
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b'{"code": "WIRE-1"}')

        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Counter) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        there = Shop(f"http://127.0.0.1:{server.server_port}/codes", (SECRET,))
        try:
            assert ask(there, "w1", {"pool": "spring"}, MONDAY, MONDAY) == "WIRE-1"
        finally:
            server.shutdown()
            thread.join()
    assert seen[0][0] == seen[0][1]
    with pytest.raises(Unavailable, match="cannot be reached"):
        ask(there, "w1", {"pool": "spring"}, MONDAY, MONDAY)


@pytest.mark.parametrize(
    "host", ["10.0.0.7", "192.168.1.1", "[fd00::1]", "169.254.169.254", "[::ffff:10.0.0.7]", "0.0.0.0"]
)
def test_a_shop_is_nowhere_inside_unless_that_is_allowed(host):
    there = f"https://{host}:9/codes"
    with pytest.raises(Unavailable, match=r"inside a private network|nobody's to post to"):
        ask(Shop(there, (SECRET,)), "w1", {"pool": "spring"}, MONDAY, MONDAY)


def test_the_commands_about_codes_know_the_shop(tmp_path, nurture):
    def with_shop(*words, **settings):
        lines = (f"NURTURE_CODES__SPRING__{name}={value}\n" for name, value in settings.items())
        (tmp_path / ".env").write_text("".join(lines))
        return nurture(*words)

    (tmp_path / "nurture.toml").write_text("")
    (tmp_path / "codes.csv").write_text("A-1\n")
    listed = with_shop("codes", "list", URL=URL, SECRET=SECRET)
    assert listed == (0, "spring        0 from the shop\n", "")
    code, _, err = with_shop("codes", "import", "spring", str(tmp_path / "codes.csv"), URL=URL, SECRET=SECRET)
    assert (code, "spring asks the shop for its codes" in err) == (2, True)
    for more, said in (
        ({"URL": URL}, "NURTURE_CODES__SPRING__SECRET is not set"),
        ({"URL": URL, "SECRET": "word"}, "NURTURE_CODES__SPRING__SECRET cannot be read"),
        ({"URL": "http://shop.example", "SECRET": SECRET}, "NURTURE_CODES__SPRING__URL is not encrypted"),
    ):
        code, _, err = with_shop("codes", "list", **more)
        assert (code, said in err) == (2, True), err
