"""The first page: what needs someone, how far today's mails are from their most, what was paid."""

import re
from contextlib import contextmanager
from datetime import timedelta

import pytest
from doors import LADDER, House
from stage import PEOPLE
from test_listening import listeners

from nurture.cli.operating import settings_shown
from nurture.cli.project import At
from nurture.engine import signing
from nurture.engine.rules import Rules
from nurture.engine.signing import Came
from nurture.errors import Unavailable
from nurture.journey.fuses import Fuse
from nurture.providers.base import Account
from nurture.store import codes, deploys, hooks, notices, traffic
from nurture.store.database import open_store

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
        assert re.search(r"14[89]<small>GBP, 2 purchases", page)
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


def test_mail_that_a_provider_does_not_take_says_why_on_the_first_page(store, shown):
    faults = [
        Unavailable("the domain is not verified there", sender=True),
        Unavailable("cannot be reached: no such host"),
    ]

    def send(message):
        if not faults:
            return f"outbox-{message.id}"
        raise faults[0]

    with opened(store, accounts={"outbox": Account("outbox")}, send=send) as house:
        for name in ("ann", "ben"):
            house.subscribe(f"{name}@example.com")
        house.work()
        assert needs(shown(house)) == [
            "2 mails not taken: outbox takes no mail from ada@example.com: the domain is not verified there"
        ]
        for state, said in (("claimed", 0), ("planned", 1)):  # what is claimed is being tried
            with store.write() as tx:
                tx.exec_driver_sql(f"UPDATE message SET state = '{state}'")
            assert len(needs(shown(house))) == said
        faults.pop(0)
        house.now += timedelta(minutes=6)
        house.work()
        assert needs(shown(house)) == ["2 mails not taken: cannot be reached: no such host"]
        assert "not taken: cannot be reached" in house.browser("view").get("/").text
        faults.clear()
        house.now += timedelta(minutes=6)
        house.work()
        assert needs(shown(house)) == []


def test_a_pool_of_codes_that_runs_low_needs_someone(store, shown):
    with opened(store, ladder=POOL) as house:
        assert needs(shown(house)) == ["The pool spring has no code left."]
        with store.write() as tx:
            codes.add(tx, "spring", [f"CODE{number}" for number in range(30)], house.now)
        assert needs(shown(house)) == []


def test_what_does_not_mend_itself_stands_first_each_with_the_page_where_it_is_done(migrated, tmp_path):
    path = tmp_path / "nurture.db"
    path.write_bytes(migrated.read_bytes())
    store = open_store(f"sqlite:///{path}")
    rules = Rules(postal_address="1 Example Street", fuse=Fuse(hourly=2), listeners=listeners("crm"))
    with opened(store, accounts={"postmark": POSTMARK}, rules=rules) as house:
        for name in ("ann", "ben"):
            house.subscribe(f"{name}@example.com")
        house.work()
        house.subscribe("cem@example.com")
        house.work()  # one too many in this hour
        house.inbox.keep("sendgrid", {}, b"\xff no json", house.now)
        house.work()
        with store.write() as tx:
            for number, state in ((1, "unknown"), (2, "failed")):
                tx.exec_driver_sql(f"UPDATE message SET state = '{state}' WHERE subscriber = {number}")
            notices.keep(tx, [notices.Notice("e1", "crm", "kept", 1, "{}", house.now)], house.now)
            tx.exec_driver_sql("UPDATE notice SET state = 'failed'")
            traffic.count(tx, "postmark", 60, house.now)
        assert house.nobody.post("/hooks/postmark", json={}).status_code == 401
        house.now += timedelta(minutes=11)
        viewer = house.browser("admin")
        assert needs(viewer.get("/index.json").json())[0].startswith("1 mail:")  # what is held is not late
        house.inbox.keep("sendgrid", {}, b"[]", house.now)
        house.subscribe("dan@example.com")
        house.now += timedelta(minutes=11)
        found, page = viewer.get("/index.json").json()["needs"], viewer.get("/").text
        assert [(one["what"], one["at"]) for one in found] == [
            ("The engine is behind since 01 Jun 10:11 UTC.", "/outbox"),
            ("Reports of providers wait.", "/inbox"),
            ("1 mail: nobody knows whether it left.", "/outbox?state=unknown"),
            ("1 mail refused for good.", "/outbox?state=failed"),
            ("1 report that could not be read.", "/inbox?failed"),
            ("crm did not hear 1 event.", "/settings"),
            ("Mail of every sequence is held.", "/outbox?state=planned"),
            ("postmark took 60 mails today and reports nothing.", "/inbox"),
        ]
        said = {one["what"]: one["so"] for one in found}
        fuse = said["Mail of every sequence is held."]
        assert "more than 2 mails were to leave within an hour (NURTURE_FUSE_HOURLY)" in fuse
        assert "1 report to its address refused" in said["postmark took 60 mails today and reports nothing."]
        assert page.index("What needs you") < page.index(found[0]["what"]) < page.index(found[-1]["what"])
        assert page.index(found[-1]["what"]) < page.index("How it goes")
        assert "Does <code>nurture run</code> run?" in page
        for one in found:
            assert f'<li><a href="{one["at"]}">{one["what"]}</a>' in page
            assert viewer.get(one["at"]).status_code == 200
        refused = viewer.get("/inbox.json").json()["refused"]
        assert [(one["provider"], one["times"]) for one in refused] == [("postmark", 1)]
        assert "1 to /hooks/postmark refused since this process started, the last <time" in viewer.get("/inbox").text
        assert 'nurture_hooks_refused_total{provider="postmark"} 1.0' in house.nobody.get("/metrics").text
    store.close()


def test_the_settings_say_where_each_was_said_and_no_secret(migrated, tmp_path):
    secrets = ("a-key-of-32-letters-or-a-few-more", "postmark-key", "user:hook-pass", "whsec_bGlzdGVuZXI=", "db-pass")
    (tmp_path / "nurture.toml").write_text('gap = "2 days"\n')
    (tmp_path / ".env").write_text(
        f"NURTURE_SECRET_KEY={secrets[0]}\nNURTURE_PROVIDERS__POSTMARK__KEY={secrets[1]}\n"
        f"NURTURE_PROVIDERS__POSTMARK__HOOK_SECRET={secrets[2]}\nNURTURE_LISTENERS__CRM__URL=https://crm.example/\n"
        f"NURTURE_LISTENERS__CRM__SECRET={secrets[3]}\nNURTURE_DATABASE_URL=postgresql://ada:{secrets[4]}@db/nurture\n"
    )
    path = tmp_path / "house.db"
    path.write_bytes(migrated.read_bytes())
    store = open_store(f"sqlite:///{path}")
    with opened(store, settings=settings_shown(At(tmp_path))) as house:
        admin = house.browser("admin")
        rows = {one["name"]: (one["value"], one["source"]) for one in admin.get("/settings.json").json()["settings"]}
        page = admin.get("/settings").text
        for name, value, source in (
            ("GAP", "2 days", "nurture.toml"), ("SECRET_KEY", "1 set", ".env"), ("PROVIDERS", "postmark", ".env"),
            ("LISTENERS", "crm", ".env"), ("DATABASE_URL", "postgresql://ada:***@db/nurture", ".env"),
            ("SETTLE", "30 seconds", "default"),
        ):  # fmt: skip
            assert rows[f"NURTURE_{name}"] == (value, source)
            assert f"<code>NURTURE_{name}</code></td><td>{value}</td><td>{source}</td>" in page
        assert [one for one in secrets if one in page or one in str(rows)] == []
        assert house.browser("edit").get("/settings").status_code == 403
    store.close()


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
