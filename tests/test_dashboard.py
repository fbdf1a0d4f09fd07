"""The first page: what needs someone, how far today's mails are from their most, what was paid."""

from contextlib import contextmanager
from datetime import timedelta

import pytest
from doors import LADDER, House
from stage import PEOPLE

from nurture.engine import signing
from nurture.engine.signing import Came
from nurture.providers.base import Account
from nurture.store import codes, deploys, hooks, traffic

POOL = LADDER.replace("price: 99 GBP,", "price: 99 GBP, code: {pool: spring},")
POSTMARK = Account("postmark", key="a key", hook_secrets=("user:password",), daily=200, growing=0.2)


@contextmanager
def opened(store, **how):
    house = House(store, **how)
    try:
        yield house
    finally:
        house.close()


@pytest.fixture
def shown(store):
    def now(house):
        return house.browser("view").get("/index.json").json()

    return now


def needs(document):
    return [one["what"] for one in document["needs"]]


def test_what_was_paid_is_shown_by_currency(store, shown):
    with opened(store) as house:
        assert shown(house)["revenue"] == []
        for name, data in (
            ("a@example.com", {}), ("b@example.com", {"amount": "49.50", "currency": "gbp"}),
            ("c@example.com", {"amount": 10, "currency": "EUR"}),
        ):  # fmt: skip
            house.subscribe(name)
            house.report("bought", email=name, product="review", **data)
        assert shown(house)["revenue"] == [
            {"currency": "GBP", "paid": 148.5, "purchases": 2},
            {"currency": "EUR", "paid": 10.0, "purchases": 1},
        ]
        page = house.browser("view").get("/").text
        assert "148 GBP" in page or "149 GBP" in page
        house.now += timedelta(days=8)
        assert shown(house)["revenue"] == []


def test_todays_mails_stand_beside_the_most_of_the_day(store, shown):
    with opened(store, accounts={"postmark": POSTMARK}) as house:
        with store.write() as tx:
            traffic.count(tx, "postmark", 60, house.now - timedelta(days=1))
            traffic.count(tx, "postmark", 30, house.now)
        assert shown(house)["caps"] == [{"provider": "postmark", "begun": 30, "most": 240}]
        assert "postmark 30 of 240" in house.browser("view").get("/").text


def test_a_provider_that_takes_mail_and_reports_nothing_needs_someone(store, shown):
    with opened(store, accounts={"postmark": POSTMARK}) as house:
        assert needs(shown(house)) == []
        with store.write() as tx:
            traffic.count(tx, "postmark", 60, house.now)
        assert needs(shown(house)) == ["postmark took 60 mails today and reports nothing."]
        with store.write() as tx:
            hooks.keep(tx, [hooks.Arrived("postmark", {}, b"{}", house.now)])
        assert needs(shown(house)) == []
        house.now += timedelta(hours=7)
        with store.write() as tx:
            traffic.count(tx, "postmark", 60, house.now)
        assert "postmark took" in needs(shown(house))[-1]


def test_a_pool_of_codes_that_runs_low_needs_someone(store, shown):
    with opened(store, ladder=POOL) as house:
        assert needs(shown(house)) == ["The pool spring has 0 codes left."]
        with store.write() as tx:
            codes.add(tx, "spring", [f"CODE{number}" for number in range(30)], house.now)
        assert needs(shown(house)) == []


def test_sign_ups_are_not_among_the_ladders(store, shown):
    with opened(store) as house:
        form = b"\nsignups: {news: {title: One mail a week, from: Ada <ada@example.com>}}\n"
        house.deploy({"ladder": LADDER}, {"people.yaml": PEOPLE + form})
        known = house.deployed.project.people.signups["news"]
        signing.sign_up(store, house.deployed, known, "eve@example.com", {}, Came(), house.now)
        house.work()
        assert house.place("signup:news", "eve@example.com")["ended"] is None
        found = shown(house)
        assert ([one["name"] for one in found["sequences"]], found["inside"]) == (["ladder"], 0)
        viewer = house.browser("view")
        assert [one["name"] for one in viewer.get("/sequences.json").json()["sequences"]] == ["ladder"]
        assert not any("signup" in step for step in viewer.get("/people.json").json()["steps"])
        assert viewer.get("/sequences/signup:news.json").json()["sequence"] == "signup:news"  # its report has its name
        assert 'data-step="confirm"' in viewer.get("/sequences/signup:news").text


def test_a_deploy_is_told_in_words(store):
    with opened(store) as house:
        with store.write() as tx:
            files = deploys.latest(tx)[1]
            moves = [["ladder", "question", "which", "renamed", 2], ["ladder", "offer", "", "ended", 1]]
            deploys.save(tx, files, house.now, who="eve", plan={"moves": moves, "digest": "abc"})
        told = house.browser("view").get("/deploys").text
        assert "ladder: 2 people at question stand at which, its new name<br>ladder: the passes of 1 person" in told
        assert "nobody’s place was touched" in told
        assert "digest" not in told
