"""A copy of what is known of a person, and their erasure, by themselves: through a mail to their own address, once."""

import json
import re
from datetime import timedelta

import pytest
from doors import LADDER, csrf
from stage import Stage

from nurture.engine import handing
from nurture.engine.exporting import everything
from nurture.engine.preferring import page, prefer
from nurture.store import audit, people

COPY, ERASE = "Your copy of what we know of you", "Shall we erase what we know of you?"


@pytest.fixture
def stage(store):
    built = Stage(store, {"ladder": LADDER})
    built.subscribe()
    built.work()
    yield built
    built.close()


@pytest.fixture
def subscribed(house):
    house.subscribe()
    house.work()
    return house


def wish(stage, what, mail=None):
    mail = mail or stage.delivered[0]
    assert prefer(stage.store, stage.deployed, mail.id, what, stage.now)
    stage.work()
    return page(stage.store, stage.deployed, mail.id, stage.now)


def link(mail, kind="q"):
    return re.search(rf"https://go\.example\.com(/{kind}/[^\s\"<)]+)", mail.text)[1]


def test_a_copy_goes_through_a_mail_to_their_own_address_once_and_for_a_day(stage):
    shown = wish(stage, "copy")
    assert (shown.mailed, shown.waits) == ({"copy"}, frozenset())
    assert stage.story()["preferences"]["asks"] == [], "nobody else has to see to it"
    mail = stage.mail(COPY)
    assert "You get this because it was asked for on the page behind our mails." in mail.text
    assert handing.works(stage.store, mail.id, stage.now)
    assert not handing.works(stage.store, stage.delivered[0].id, stage.now)
    document = handing.copy(stage.store, stage.deployed, mail.id, stage.now)
    assert document == everything(stage.store, "ann@example.com")
    assert {one["subject"] for one in document["messages"]} == {"Question", COPY}
    assert handing.copy(stage.store, stage.deployed, mail.id, stage.now) is None
    assert "took a copy of what is known of them" in str(stage.story()["events"])
    stage.after(hours=2)
    wish(stage, "copy")
    second = stage.delivered[-1]
    stage.after(hours=23, minutes=59)
    assert handing.works(stage.store, second.id, stage.now)
    stage.now += timedelta(minutes=1)  # and nobody has looked whose time is over
    assert not handing.works(stage.store, second.id, stage.now)
    assert stage.place("ladder")["ended"] is None


def test_nobody_s_inbox_is_filled_and_of_several_the_last_one_works(stage):
    wish(stage, "erase")
    wish(stage, "erase")
    first = stage.mail(ERASE)
    assert stage.subjects() == ["Question", ERASE]
    for _ in range(3):
        stage.after(hours=1, minutes=1)
        wish(stage, "erase")
    assert stage.subjects().count(ERASE) == handing.MOST
    assert not handing.works(stage.store, first.id, stage.now)
    assert not handing.erase(stage.store, stage.deployed, first.id, stage.now)
    last = stage.delivered[-1]
    assert handing.erase(stage.store, stage.deployed, last.id, stage.now)
    assert not handing.erase(stage.store, stage.deployed, last.id, stage.now)
    assert everything(stage.store, "ann@example.com") is None
    with stage.store.read() as tx:
        entry = audit.listing(tx, 1)[0]
    assert (entry.who, entry.action) == ("themselves", "person erased")


def test_who_left_or_paused_gets_it_and_whose_mail_may_not_go_out_waits_for_somebody(stage):
    wish(stage, "week")
    assert prefer(stage.store, stage.deployed, stage.delivered[0].id, "copy", stage.now)
    stage.unsubscribe(stage.delivered[0])  # before it has left
    wish(stage, "erase")
    assert stage.story()["status"] == "unsubscribed"
    assert sorted(stage.subjects()) == ["Question", ERASE, COPY]
    assert handing.copy(stage.store, stage.deployed, stage.mail(COPY).id, stage.now) is not None
    assert handing.erase(stage.store, stage.deployed, stage.mail(ERASE).id, stage.now)
    stage.subscribe("ben@example.com")
    stage.work()
    bens = stage.mail("Question", "ben@example.com")
    with stage.store.write() as tx:
        people.stop(tx, [people.by_email(tx, "ben@example.com").id], "complained")
    shown = wish(stage, "copy", bens)
    assert (shown.mailed, shown.waits) == (frozenset(), {"copy"})
    assert stage.subjects("ben@example.com") == ["Question"]
    assert stage.story("ben@example.com")["preferences"]["asks"] == ["copy"]


def test_a_sender_that_dies_sends_it_once_and_it_is_in_their_language(stage):
    stage.subscribe(language="de-AT")
    assert prefer(stage.store, stage.deployed, stage.delivered[0].id, "copy", stage.now)
    stage._tick()
    stage.sender.turn(stage.deployed, stage.now)  # claimed and written, by a process that is gone
    stage.sender.close()
    stage.sender = stage.start_sender()
    stage.after(minutes=30)
    german = "Ihre Kopie dessen, was wir von Ihnen wissen"
    assert stage.subjects() == ["Question", german]
    assert "Meine Kopie holen" in stage.delivered[-1].html


def test_only_a_post_behind_the_mail_hands_over_and_who_runs_the_engine_never_sees_its_key(subscribed):
    house = subscribed
    away = link(house.delivered[0], "u")
    assert "A mail has gone to your own address." in house.nobody.post(away, data={"want": "copy"}).text
    house.work()
    mail = house.mail(COPY)
    before = house.story()
    for look in (house.nobody.get, house.nobody.head):
        assert look(link(mail)).status_code == 200
    assert house.nobody.post(link(mail), headers={"Origin": "https://evil.example"}).status_code == 403
    assert house.story() == before
    key = link(mail).removeprefix("/q/")
    look = house.browser("view")
    assert "Your copy of what we know of you" in look.get("/people/1").text
    assert key not in look.get("/people/1").text + look.get(f"/outbox/{mail.id}.json").text
    assert key not in json.dumps(everything(house.store, "ann@example.com"))
    taken = house.nobody.post(link(mail))
    assert taken.headers["content-disposition"] == 'attachment; filename="what-is-known-of-me.json"'
    assert taken.json() == json.loads(json.dumps(everything(house.store, "ann@example.com")))
    for used in (house.nobody.get(link(mail)), house.nobody.post(link(mail))):
        assert (used.status_code, "has been used" in used.text) == (410, True)
    house.nobody.post(away, data={"want": "erase"})
    house.work()
    last = house.mail(ERASE)
    assert "Erase it for good" in house.nobody.get(link(last)).text
    assert "It is erased." in house.nobody.post(link(last)).text
    assert house.nobody.post(link(last)).status_code == 404
    assert house.nobody.get(away).status_code == 410
    assert "asked" not in house.browser("view").get("/").text.partition("What needs you")[2][:400]


def test_what_waits_for_somebody_ends_when_they_say_what_came_of_it(subscribed, nurture, tmp_path):
    (tmp_path / "nurture.toml").write_text(f'database_url = "{subscribed.store.url}"\n')
    house = subscribed
    with house.store.write() as tx:
        people.stop(tx, [1], "bounced")
    editor, away = house.browser("edit"), link(house.delivered[0], "u")
    for what in ("copy", "erase"):
        assert "so a person sees to it" in house.nobody.post(away, data={"want": what}).text
    assert "ann@example.com asked to be erased." in editor.get("/").text
    form = {"csrf": csrf(editor), "what": "erase", "reason": "it was not she"}
    assert house.browser("view").post("/people/1/seen-to", data=form).status_code == 403
    assert editor.post("/people/1/seen-to", data={**form, "reason": " "}).status_code == 422
    assert editor.post("/people/1/seen-to", data=form).status_code == 303
    assert "asked for a copy of what is known of them." in editor.get("/").text
    assert nurture("export", "--sent", "by post")[0] == 2
    assert "without the address" in nurture("export", "--email", "ann@example.com", "--sent", "to ann@example.com")[2]
    assert nurture("export", "--email", "ann@example.com", "--sent", "by post")[0] == 0
    assert "nothing of the kind" in nurture("export", "--email", "ann@example.com", "--sent", "by post")[2]
    assert "ann@example.com asked" not in editor.get("/").text
    assert "erased; seen to by hand: it was not she" in editor.get("/people/1").text
    assert "Send me a copy" in house.nobody.get(away).text, "and may ask again"


def test_the_way_to_ones_own_copy_and_out_without_a_script(browser, subscribed):
    house = subscribed
    context = browser.new_context(java_script_enabled=False, accept_downloads=True)
    shown = context.new_page()
    shown.goto(house.address + link(house.delivered[0], "u"))
    shown.get_by_role("button", name="Send me a copy of it").press("Enter")
    shown.wait_for_selector("text=Your copy is behind the button in it")
    house.work()
    shown.goto(house.address + link(house.mail(COPY)))
    with shown.expect_download() as taken:
        shown.get_by_role("button", name="Download my copy").press("Enter")
    assert json.loads(taken.value.path().read_text("utf-8"))["email"] == "ann@example.com"
    shown.goto(house.address + link(house.delivered[0], "u"))
    shown.get_by_role("button", name="Erase it").press("Enter")
    shown.wait_for_selector("text=erases what we know of you")
    house.work()
    shown.goto(house.address + link(house.mail(ERASE)))
    shown.get_by_role("button", name="Erase it for good").press("Enter")
    shown.wait_for_selector("text=It is erased.")
    assert everything(house.store, "ann@example.com") is None
    context.close()


def test_a_project_writes_the_mail_in_its_own_words(stage):
    own = b"Dear {{ first_name or 'friend' }}. {{ confirm.how }}\n\n{{ ask }}\n"
    stage.deploy({"ladder": LADDER}, {"templates/privacy/hand_over.md": own})
    wish(stage, "copy")
    mail = stage.mail(COPY)
    assert "Dear friend. It is behind this button: once" in mail.text
    assert handing.works(stage.store, mail.id, stage.now)
