"""What people ask for on their own page: a pause, fewer mails, nothing of a sequence. It holds, and it can be taken back."""

from datetime import timedelta

import pytest
from doors import LADDER, House
from stage import LINKS, MONDAY, Stage
from test_pages import SCREENS, faults_of, opened

from nurture.engine.preferring import page, prefer
from nurture.engine.why import why
from nurture.errors import Refused
from nurture.store.database import open_store


@pytest.fixture
def stage(store):
    built = Stage(store, {"ladder": LADDER})
    built.subscribe()
    built.work()
    yield built
    built.close()


@pytest.fixture
def house(migrated, tmp_path):
    path = tmp_path / "nurture.db"
    path.write_bytes(migrated.read_bytes())
    store = open_store(f"sqlite:///{path}")
    built = House(store)
    built.subscribe()
    built.work()
    built.session = ""
    yield built
    built.close()
    store.close()


def preferred(stage, what, mail=None):
    mail = mail or stage.delivered[0]
    assert prefer(stage.store, stage.deployed, mail.id, what, stage.now)


def test_a_pause_holds_what_comes_next_and_a_yes_is_mailed_when_it_is_over(stage):
    preferred(stage, "week")
    stage.answer(stage.mail("Question"), "home")
    stage.after(days=6, hours=23)
    assert stage.subjects() == ["Question"]
    assert stage.story()["preferences"]["paused_until"] == "2026-06-08T10:00:00Z"
    told = why(stage.store, stage.deployed, "ann@example.com", stage.now)["places"][0]["next"]["why_not_sooner"]
    assert any("paused by themselves until 08 Jun 2026 10:00 UTC" in one for one in told)
    stage.after(hours=2)
    assert stage.subjects() == ["Question", "Tour"]


def test_a_pause_that_is_ended_early_lets_go_what_only_it_held(stage):
    preferred(stage, "month")
    stage.answer(stage.mail("Question"), "home")
    stage.after(days=1)
    preferred(stage, "on")
    stage.work()
    assert stage.subjects() == ["Question", "Tour"]


def test_a_month_that_becomes_a_week_ends_after_the_week(stage):
    preferred(stage, "month")
    stage.answer(stage.mail("Question"), "home")
    stage.work()
    preferred(stage, "week")
    stage.until(MONDAY + timedelta(days=7, minutes=1))
    assert stage.subjects() == ["Question", "Tour"]


def test_what_is_planned_already_does_not_leave_in_a_pause(stage):
    stage.answer(stage.mail("Question"), "home")
    stage._tick()  # planned, and not handed over
    stage.sender.turn(stage.deployed, stage.now)  # written, and in the sender's hands
    preferred(stage, "week")
    stage.after(days=6)
    assert stage.subjects() == ["Question"]
    stage.after(days=2)
    assert stage.subjects() == ["Question", "Tour"]


def test_fewer_is_one_mail_in_a_week(stage):
    preferred(stage, "fewer")
    stage.answer(stage.mail("Question"), "home")
    stage.after(days=6)
    assert stage.subjects() == ["Question"]
    stage.after(days=1, minutes=1)
    assert stage.subjects() == ["Question", "Tour"]
    preferred(stage, "usual")
    assert stage.story()["preferences"]["days_apart"] is None


def test_nothing_of_a_sequence_ends_it_and_it_does_not_begin_again(stage):
    preferred(stage, "without")
    assert stage.place("ladder")["ended"] == "removed"
    stage.after(days=30)
    assert stage.subjects() == ["Question"]
    assert stage.subscribe(sequence="ladder").enrolled == ()
    assert stage.story()["status"] == "active"


def test_nobody_asks_for_what_is_not_there_and_no_mail_of_nobody_asks(stage):
    with pytest.raises(Refused):
        prefer(stage.store, stage.deployed, stage.delivered[0].id, "everything", stage.now)
    assert not prefer(stage.store, stage.deployed, "nothing", "week", stage.now)
    assert page(stage.store, stage.deployed, "nothing", stage.now) is None


def test_the_page_shows_and_only_a_post_does(house):
    mail = house.delivered[0]
    link = LINKS.unsubscribe(mail.id).removeprefix("https://go.example.com")
    assert f"{LINKS.unsubscribe(mail.id)}?pause=week" in mail.html
    shown = house.nobody.get(f"{link}?pause=week").text
    assert 'value="week" required checked' in shown
    assert house.story()["preferences"]["paused_until"] is None
    assert "No mail comes before Monday 8 June, 10:00." in house.nobody.post(link, data={"want": "week"}).text
    assert "Go on now" in house.nobody.get(link).text
    assert house.nobody.post(link, data={"want": "nonsense"}).status_code == 200
    assert house.story()["status"] == "active"
    house.work()
    assert "which does nothing by itself" in str(house.story()["events"])
    assert "paused by themselves until" in house.browser("view").get("/people/1").text
    assert house.nobody.post(link, data={"List-Unsubscribe": "One-Click"}).status_code == 200
    assert house.story()["status"] == "unsubscribed"
    assert "You are off the list." in house.nobody.get(link).text


@pytest.mark.parametrize("screen", SCREENS)
def test_the_page_is_calm_and_works_by_keyboard_without_a_script(browser, house, screen):
    link = house.address + LINKS.unsubscribe(house.delivered[0].id).removeprefix("https://go.example.com")
    page, faults = opened(browser, house, screen, logged_in=False)
    for path in (link, f"{link}?pause=week"):
        page.goto(path)
        assert faults_of(page) == []
        assert page.locator("h1").count() == 1
        assert page.evaluate("document.documentElement.scrollWidth") <= SCREENS[screen]["viewport"]["width"]
    page.context.close()
    assert faults == []
    plain = browser.new_context(java_script_enabled=False).new_page()
    plain.goto(f"{link}?pause=week")
    plain.keyboard.press("Tab")  # the chosen pause
    plain.keyboard.press("Tab")
    plain.keyboard.press("Enter")
    plain.wait_for_selector("text=No mail comes before")
    plain.context.close()
