"""Offers keep their word: one deadline for each person, the same in mail, link, picture and API. On both databases."""

import logging
import re
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from stage import LINKS, MONDAY, PEOPLE, Stage
from test_web import TOKEN, Visited

from nurture.engine import offering
from nurture.engine.tick import tick
from nurture.language.project import read_project
from nurture.mail.checks import check
from nurture.mail.page import Press
from nurture.mail.templates import Templates
from nurture.store import codes, messages, offers
from nurture.web.countdown import countdown, parts

LADDER = """\
title: The course
start: joined
from: Ada <ada@example.com>
within: 3 days
steps:
  offer:
    subject: Until {{ offer.deadline }}
    template: offer.md
    send: now
    ask: {buy: course, to: https://shop.example/course, code: CODE, expires: 48 hours}
    within: 1 day
    no: last_call
  last_call:
    subject: Last call until {{ offer.deadline }}
    template: offer.md
    send: now
    ask: offer
    no: end
"""
OFFER = b'Code {{ offer.code }} until {{ offer.deadline }}.\n\n{{ ask }}\n\n<img src="{{ offer.countdown }}" alt="">\n'
GERMAN = """\
steps:
  offer: {subject: "Bis {{ offer.deadline }}", ask: {label: Den Kurs nehmen}}
  last_call: {subject: "Noch einmal bis {{ offer.deadline }}"}
"""
TEMPLATES = {"templates/offer.md": OFFER}
SHOP = "https://shop.example/course"


def ladder(code="{pool: spring}", **more):
    text = LADDER.replace("CODE", code)
    return text.replace("expires: 48 hours", ", ".join(["expires: 48 hours", *(f"{k}: {v}" for k, v in more.items())]))


def fill(store, *given, pool="spring"):
    with store.write() as tx:
        return codes.add(tx, pool, given, MONDAY)


def iso(moment):
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}"


@pytest.fixture
def shop(store):
    fill(store, "A-1", "A-2", "A-3")
    visited = Visited(store, {"course": ladder()}, TEMPLATES)
    yield visited
    visited.close()


class Of:
    """What one person's mail leads to."""

    def __init__(self, stage, email, number=0):
        self.stage = stage
        self.mail = [mail for mail in stage.delivered if mail.to == email][number]
        self.code = re.search(r"Code (\S+) until", self.mail.text)[1]
        self.path = re.search(r"https://go\.example\.com(/c/\S+)", self.mail.text)[1]
        self.picture = re.search(r"https://go\.example\.com(/o/[^\"]+\.png)", self.mail.html)[1]

    def link(self):
        return self.stage.web.get(self.path)

    def drawn(self):
        answer = self.stage.web.get(self.picture)
        assert answer.headers["content-type"] == "image/png"
        assert answer.headers["cache-control"] == "no-store"
        return answer.content

    def asked(self):
        return self.stage.web.get(f"/api/offers/{self.code}", headers=TOKEN).json()


def test_two_people_two_deadlines_each_honoured_to_the_second_everywhere(shop):
    shop.now = MONDAY + timedelta(seconds=20)  # not on a minute: rounded up, in the person's favour
    shop.subscribe("ann@example.com")
    shop.work()
    shop.after(hours=5)
    shop.subscribe("bob@example.com", timezone="America/New_York")
    shop.work()
    ann, bob = Of(shop, "ann@example.com"), Of(shop, "bob@example.com")
    ends = {ann: MONDAY + timedelta(hours=48, minutes=1), bob: MONDAY + timedelta(hours=53, minutes=1)}
    assert "until Wednesday 3 June, 10:01." in ann.mail.text
    assert "until Wednesday 3 June, 11:01." in bob.mail.text  # 15:01 UTC, in New York
    assert (ann.code, bob.code) == ("A-1", "A-2")
    for person, end in ends.items():
        shop.until(end - timedelta(seconds=1))
        asked = person.asked()
        assert (asked["valid"], asked["deadline"], asked["product"]) == (True, iso(end), "course")
        assert person.link().headers["location"] == SHOP
        assert person.drawn() == countdown(timedelta(seconds=1), "en")
        shop.now = end
        assert person.asked()["valid"] is False
        gone = person.link()
        assert gone.status_code == 200
        assert "location" not in gone.headers
        assert "This offer has ended" in gone.text
        assert person.drawn() == countdown(timedelta(0), "en") != countdown(timedelta(seconds=1), "en")
        refused = shop.web.post(f"/api/offers/{person.code}/redeem", headers=TOKEN)
        assert (refused.status_code, "good until" in refused.text) == (410, True)


def test_nothing_that_happens_moves_a_deadline(shop):
    shop.subscribe()
    shop.work()
    before = Of(shop, "ann@example.com").asked()
    shop.after(days=1)  # the mail that asks again
    again = Of(shop, "ann@example.com", 1)
    assert again.code == "A-1"
    assert again.mail.subject == "Last call until Wednesday 3 June, 10:00"
    shop.subscribe(timezone="Asia/Tokyo")  # a person who moves, and signs up once more
    for _ in range(3):
        assert again.link().headers["location"] == SHOP  # a link that is followed again and again
        assert shop.web.post("/api/events", json={"name": "cart_added", "email": "ann@example.com"}, headers=TOKEN)
    shop.work()
    shop.now = MONDAY - timedelta(days=3)  # a clock that was put back
    shop.work()
    shop.deploy({"course": ladder().replace("48 hours", "90 days")}, TEMPLATES)  # an author who changes their mind
    shop.until(MONDAY + timedelta(days=2))
    assert again.asked() == {**before, "valid": False}
    assert "This offer has ended" in again.link().text
    assert "This offer has ended" in Of(shop, "ann@example.com", 0).link().text


def test_a_code_is_redeemed_once(shop):
    shop.subscribe()
    shop.work()
    with ThreadPoolExecutor(8) as many:
        tries = list(many.map(lambda _: shop.web.post("/api/offers/A-1/redeem", headers=TOKEN), range(8)))
    assert sorted(one.status_code for one in tries) == [200] + [409] * 7
    done = next(one.json() for one in tries if one.status_code == 200)
    assert done == {
        "format": "nurture.offer/1", "code": "A-1", "product": "course", "valid": False,
        "deadline": iso(MONDAY + timedelta(days=2)), "redeemed": iso(MONDAY),
    }  # fmt: skip
    assert shop.story()["offers"][0]["redeemed"] == iso(MONDAY)
    shop.until(MONDAY + timedelta(days=3))
    assert Of(shop, "ann@example.com").link().headers["location"] == SHOP  # they took it, and missed nothing


def test_who_bought_missed_nothing(shop):
    shop.subscribe()
    shop.work()
    shop.report("bought", product="course")
    shop.until(MONDAY + timedelta(days=3))
    assert Of(shop, "ann@example.com").link().headers["location"] == SHOP


def test_the_api_wants_a_token_and_a_code_that_somebody_has(shop):
    for ask in (
        lambda **k: shop.web.get("/api/offers/A-1", **k),
        lambda **k: shop.web.post("/api/offers/A-1/redeem", **k),
    ):
        assert ask().status_code == 401
        assert ask(headers=TOKEN).status_code == 404  # it lies in the pool, and nobody has it
    assert shop.web.get("/o/forged.png").status_code == 404
    assert shop.web.get(LINKS.countdown("nobody's").removeprefix("https://go.example.com")).status_code == 404


def test_a_code_for_all_says_whose_is_meant_by_the_address(store):
    shop = Visited(store, {"course": ladder("spring", missed="https://shop.example/full-price")}, TEMPLATES)
    shop.subscribe("ann@example.com")
    shop.work()
    shop.after(hours=1)
    shop.subscribe("bob@example.com")
    shop.work()
    asked = shop.web.get("/api/offers/spring", headers=TOKEN)
    assert (asked.status_code, "2 people have the code spring" in asked.text) == (422, True)
    shop.until(MONDAY + timedelta(hours=48))
    valid = [
        shop.web.get("/api/offers/spring", params={"email": f"{who}@example.com"}, headers=TOKEN).json()["valid"]
        for who in ("Ann", "Bob")
    ]
    assert valid == [False, True]
    assert Of(shop, "ann@example.com").link().headers["location"] == "https://shop.example/full-price"
    assert Of(shop, "bob@example.com").link().headers["location"] == SHOP
    shop.close()


def test_a_code_for_all_is_used_up_by_one_and_still_good_for_another(store):
    shop = Visited(store, {"course": ladder("spring")}, TEMPLATES)
    for who in ("ann", "bob"):
        shop.subscribe(f"{who}@example.com")
    shop.work()

    def of(who, act=""):
        ask = shop.web.post if act else shop.web.get
        return ask(f"/api/offers/spring{act}", params={"email": f"{who}@example.com"}, headers=TOKEN)

    assert shop.web.post("/api/offers/spring/redeem", headers=TOKEN).status_code == 422
    assert [of("ann", "/redeem").status_code for _ in "12"] == [200, 409]
    assert (of("ann").json()["valid"], of("bob").json()["valid"]) == (False, True)
    assert (of("bob", "/redeem").status_code, of("bob").json()["redeemed"]) == (200, iso(MONDAY))
    shop.close()


def test_the_page_speaks_the_persons_language_on_their_clock(store):
    templates = TEMPLATES | {"templates/offer.de.md": OFFER}
    shop = Visited(store, {"course": ladder("spring"), "course.de": GERMAN}, templates)
    shop.subscribe(language="de", timezone="Europe/Berlin")
    shop.work()
    shop.until(MONDAY + timedelta(days=2))
    page = Of(shop, "ann@example.com").link().text
    assert '<html lang="de">' in page
    assert "Dieses Angebot ist vorbei" in page
    assert "Es galt bis Mittwoch, 3. Juni, 12:00 Uhr." in page
    shop.close()


def test_an_empty_pool_holds_the_mail_and_loses_nobody(store, caplog):
    stage = Stage(store, {"course": ladder()}, templates=TEMPLATES)
    fill(store, "A-1")
    for name in ("ann", "bob"):
        stage.subscribe(f"{name}@example.com")
    stage.work()
    assert [mail.to for mail in stage.delivered] == ["ann@example.com"]
    waiting = stage.place("course", "bob@example.com")
    assert (waiting["phase"], waiting["step"]) == ("waiting", "offer")
    kinds = [event["kind"] for event in stage.story("bob@example.com")["events"]]
    assert "asked" not in kinds
    assert "granted" not in kinds
    for _ in range(7 * 60):  # only who decides looks for a code, once a minute
        stage.now += offering.LOOK_AGAIN
        tick(store, stage.deployed, stage.now)
    events = stage.story("bob@example.com")["events"]
    reasons = [event["reason"] for event in events if "held" in event["reason"]]
    assert reasons == ["offer is held: the pool spring has no code left; nurture codes import spring FILE.csv"]
    assert "1 mail waits for a code: the pool spring is empty" in caplog.text
    fill(store, "A-2")
    stage.after(minutes=1)
    late = Of(stage, "bob@example.com")
    assert late.code == "A-2"
    assert "until Wednesday 3 June, 17:01" in late.mail.text  # from when it was written, not from when it was due
    stage.close()


def test_a_pool_that_runs_low_is_told_of(store, caplog):
    caplog.set_level(logging.WARNING)
    fill(store, *(f"A-{n}" for n in range(20)))
    stage = Stage(store, {"course": ladder()}, templates=TEMPLATES)
    stage.subscribe()
    stage.work()
    assert "the pool spring has 19 codes left; nurture codes import spring FILE.csv" in caplog.text
    stage.close()


def test_no_code_goes_to_two_under_concurrency(store):
    fill(store, *(f"A-{n}" for n in range(150)))

    def take(worker):
        got = []
        for n in range(10):
            with store.write() as tx:
                got += codes.take(tx, "spring", [f"{worker}-{n}-{k}" for k in range(5)]).values()
        return got

    with ThreadPoolExecutor(4) as many:
        taken = [code for got in many.map(take, range(4)) for code in got]
    assert len(taken) == len(set(taken)) == 150
    with store.read() as tx:
        assert codes.stocks(tx)["spring"] == codes.Stock(0, 150)


def test_an_offer_is_made_once_in_a_pass(store):
    stage = Stage(store, {"course": ladder("spring")}, templates=TEMPLATES)
    stage.subscribe()
    stage.work()
    with store.write() as tx:
        (made,) = offers.of_code(tx, "spring", None)
        offers.add(tx, [offers.Offer("other", made.enrollment, made.subscriber, "course", "offer", "course", "summer",
                                     made.deadline + timedelta(days=9), stage.now)])  # fmt: skip
        assert offers.of_subscriber(tx, made.subscriber) == [made]
        (row,) = messages.of_subscriber(tx, made.subscriber)
        assert offers.of_message(tx, row.id) == made
    stage.close()


def test_an_offer_without_an_end_never_closes_and_prints_no_deadline(store):
    endless = LADDER.replace("code: CODE, expires: 48 hours", "code: spring").replace("{{ offer.deadline }}", "soon")
    templates = {"templates/offer.md": b"Code {{ offer.code }} until you like.\n\n{{ ask }}\n"}
    shop = Visited(store, {"course": endless}, templates)
    shop.subscribe()
    shop.work()
    shop.after(days=400)
    path = re.search(r"https://go\.example\.com(/c/\S+)", shop.delivered[0].text)[1]
    assert shop.web.get(path).headers["location"] == SHOP
    asked = shop.web.get("/api/offers/spring", headers=TOKEN).json()
    assert (asked["valid"], asked["deadline"]) == (True, None)
    shop.close()


def test_check_refuses_to_print_a_deadline_that_is_not_kept():
    project = read_project(
        {"people.yaml": PEOPLE, "sequences/course.yaml": LADDER.replace("code: CODE, expires: 48 hours", "code: a").encode(),
         "templates/offer.md": OFFER}
    )  # fmt: skip
    found = check(project.sequences["course"], Press(Templates(project.templates)), project.people)
    assert any("never ends, so it has no deadline to print" in problem.message for problem in found)


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("code: {pol: spring}", "did you mean 'pool'?"),
        ("code: {pool: Spring Sale}", "cannot name a pool"),
        ("code: {}", "one of a pool for each"),
        ("missed: shop.example", "is not a web address"),
        ("missed: 'https://a.example/{{ start.x }}'", "start.x"),
        ("missed: 'https://a.example/{{ email }}'", "one address for everyone"),
    ],
)
def test_what_cannot_be_meant_is_said(written, said):
    text = LADDER.replace("code: CODE", written)
    problems = read_project({"people.yaml": PEOPLE, "sequences/course.yaml": text.encode()}).problems
    assert any(said in problem.message for problem in problems), problems


def test_the_picture_rounds_up_so_that_nothing_is_over_before_it_is():
    assert parts(timedelta(days=3)) == ((3, "day"), (0, "hour"), (0, "minute"))
    assert parts(timedelta(hours=1, seconds=1)) == ((0, "day"), (1, "hour"), (1, "minute"))
    assert parts(timedelta(microseconds=1)) == ((0, "day"), (0, "hour"), (1, "minute"))


def test_codes_come_from_a_file_and_again_from_the_same(tmp_path, nurture):
    (tmp_path / "nurture.toml").write_text("")
    file = tmp_path / "codes.csv"
    file.write_text("name;code\nx;SPRING-1\ny;SPRING-2\nz;has space\n\nx;SPRING-1\n", encoding="utf-8-sig")
    code, out, err = nurture("codes", "import", "spring", str(file))
    assert (code, out) == (1, "spring: 2 codes added, 1 was there already; 2 left.\n")
    assert f"{file}:4: 'has space' cannot be a code" in err
    file.write_text("SPRING-2\nSPRING-3\n")
    code, out, err = nurture("codes", "import", "spring", str(file))
    assert (code, out) == (0, "spring: 1 code added, 1 was there already; 3 left.\n")
    code, out, err = nurture("codes", "import", "autumn", str(file))
    assert (out, err) == (
        "autumn: 0 codes added, 2 were there already; 0 left.\n", "2 of them are in another pool, and stay there.\n"
    )  # fmt: skip
    assert (
        nurture("codes", "list")[1]
        == "spring        3 left        0 taken  running out: nurture codes import spring FILE.csv\n"
    )
    assert '"left": 3' in nurture("codes", "list", "--json")[1]
    assert nurture("codes", "import", "No Name", str(file))[0] == 2
