"""What people ask for on their own page: a pause, fewer mails, nothing of a sequence. It holds, and it can be taken back."""

import re
from datetime import timedelta

import pytest
from doors import House
from stage import LINKS, MONDAY
from test_pages import SCREENS, faults_of, opened

from nurture.engine.preferring import page, prefer
from nurture.engine.why import why
from nurture.errors import Refused

DONE = "Done."


@pytest.fixture
def stage(store):
    built = House(store)
    built.subscribe()
    built.work()
    yield built
    built.close()


@pytest.fixture
def subscribed(house):
    house.subscribe()
    house.work()
    return house


def preferred(stage, what, says):
    """Choose this on the page, where it is offered; what the page says then."""
    link = LINKS.unsubscribe(stage.delivered[0].id).removeprefix("https://go.example.com")
    assert f'name="want" value="{what}"' in stage.nobody.get(link).text
    assert says in stage.nobody.post(link, data={"want": what}).text
    assert says == DONE or says in stage.nobody.get(link).text, "and so it stands there"


def test_a_pause_holds_what_comes_next_and_a_yes_is_mailed_when_it_is_over(stage):
    preferred(stage, "week", "No mail comes before Monday 8 June, 10:00.")
    stage.answer(stage.mail("Question"), "home")
    stage.after(days=6, hours=23)
    assert stage.subjects() == ["Question"]
    assert stage.story()["preferences"]["paused_until"] == "2026-06-08T10:00:00Z"
    told = why(stage.store, stage.deployed, "ann@example.com", stage.now)["places"][0]["next"]["why_not_sooner"]
    assert any("paused by themselves until 08 Jun 2026 10:00 UTC" in one for one in told)
    stage.after(hours=2)
    assert stage.subjects() == ["Question", "Tour"]


def test_a_pause_that_is_ended_early_lets_go_what_only_it_held(stage):
    preferred(stage, "month", "No mail comes before Wednesday 1 July, 10:00.")
    stage.answer(stage.mail("Question"), "home")
    stage.after(days=29)
    assert stage.subjects() == ["Question"]
    preferred(stage, "on", DONE)
    stage.work()
    assert stage.subjects() == ["Question", "Tour"]


def test_a_month_that_becomes_a_week_ends_after_the_week(stage):
    preferred(stage, "month", "1 July")
    stage.answer(stage.mail("Question"), "home")
    stage.work()
    preferred(stage, "week", "8 June")
    stage.until(MONDAY + timedelta(days=7, minutes=1))
    assert stage.subjects() == ["Question", "Tour"]


def test_what_is_planned_already_does_not_leave_in_a_pause(stage):
    stage.answer(stage.mail("Question"), "home")
    stage._tick()  # planned, and not handed over
    stage.sender.turn(stage.deployed, stage.now)  # written, and in the sender's hands
    preferred(stage, "week", "8 June")
    stage.after(days=6)
    assert stage.subjects() == ["Question"]
    stage.after(days=2)
    assert stage.subjects() == ["Question", "Tour"]


def test_fewer_is_one_mail_in_a_week(stage):
    preferred(stage, "fewer", "You get at most one mail a week.")
    stage.answer(stage.mail("Question"), "home")
    stage.after(days=6)
    assert stage.subjects() == ["Question"]
    stage.after(days=1, minutes=1)
    assert stage.subjects() == ["Question", "Tour"]
    preferred(stage, "usual", DONE)
    assert stage.story()["preferences"]["days_apart"] is None
    stage.click(stage.mail("Tour"))
    stage.after(minutes=2)
    assert stage.subjects() == ["Question", "Tour", "Offer"], "as usual, they follow each other"


def test_nothing_of_a_sequence_ends_it_and_it_does_not_begin_again(stage):
    preferred(stage, "without", DONE)
    assert stage.place("ladder")["ended"] == "removed"
    stage.after(days=30)
    assert stage.subjects() == ["Question"]
    assert stage.subscribe(sequence="ladder").enrolled == ()
    assert stage.story()["status"] == "active"


def test_stop_is_the_last_of_it(stage):
    stage.answer(stage.mail("Question"), "home")
    link = LINKS.unsubscribe(stage.delivered[0].id).removeprefix("https://go.example.com")
    assert '<form method="post"><button type="submit">Unsubscribe' in stage.nobody.get(link).text
    assert "You are off the list." in stage.nobody.post(link).text
    stage.after(days=30)
    assert stage.subjects() == ["Question"]
    assert "You are off the list." in stage.nobody.get(link).text
    assert 'value="week"' not in stage.nobody.get(link).text


def test_nobody_asks_for_what_is_not_there_and_no_mail_of_nobody_asks(stage):
    with pytest.raises(Refused):
        prefer(stage.store, stage.deployed, stage.delivered[0].id, "everything", stage.now)
    assert not prefer(stage.store, stage.deployed, "nothing", "week", stage.now)
    assert page(stage.store, stage.deployed, "nothing", stage.now) is None


def test_the_page_shows_and_only_a_post_does(subscribed):
    house = subscribed
    mail = house.delivered[0]
    link = LINKS.unsubscribe(mail.id).removeprefix("https://go.example.com")
    assert f"{LINKS.unsubscribe(mail.id)}?pause=week" in mail.html
    shown = house.nobody.get(f"{link}?pause=week").text
    assert 'value="week" required checked' in shown
    assert house.story()["preferences"]["paused_until"] is None
    assert "No mail comes before Monday 8 June, 10:00." in house.nobody.post(link, data={"want": "week"}).text
    assert "Send me mail again" in house.nobody.get(link).text
    assert house.nobody.post(link, data={"want": "nonsense"}).status_code == 200
    assert house.story()["status"] == "active"
    house.work()
    assert "which does nothing by itself" in str(house.story()["events"])
    assert "paused by themselves until" in house.browser("view").get("/people/1").text
    assert house.nobody.post(link, data={"List-Unsubscribe": "One-Click"}).status_code == 200
    assert house.story()["status"] == "unsubscribed"
    assert "You are off the list." in house.nobody.get(link).text


def calm(page, screen):
    assert faults_of(page) == []
    assert page.locator("h1").count() == 1
    assert page.evaluate("document.documentElement.scrollWidth") <= SCREENS[screen]["viewport"]["width"]


def test_each_wish_by_keyboard_and_the_page_stays_calm(browser, subscribed):
    house = subscribed
    link = house.address + LINKS.unsubscribe(house.delivered[0].id).removeprefix("https://go.example.com")
    page, faults = opened(browser, house, "phone", logged_in=False)

    def press(button, choice=""):
        if choice:
            page.get_by_role("radio", name=choice).focus()
            page.keyboard.press("Space")
        page.get_by_role("button", name=button).focus()
        page.keyboard.press("Enter")

    page.goto(link)
    calm(page, "phone")
    for button, choice, says in [
        ("Save my choice", "No mail for a month", "No mail comes before Wednesday 1 July"),
        ("Save my choice", "At most one mail a week", "You get at most one mail a week."),
        ("Send me mail again", "", "Done."),
        ("As much as before", "", "Done."),
        ("Save my choice", "Nothing more of", "Done."),
        ("Send me a copy of it", "", "Your copy is behind the button in it"),
        ("Erase it", "", "erases what we know of you"),
    ]:
        press(button, choice)
        page.wait_for_selector(f"text={says}")
        calm(page, "phone")
    house.work()
    for mail in house.delivered[1:]:
        page.goto(
            re.search(r"https://go\.example\.com/q/[^\s<)]+", mail.text)[0].replace(LINKS.base_url, house.address)
        )
        calm(page, "phone")
    page.goto(link)
    press("Unsubscribe")
    page.wait_for_selector("text=You are off the list.")
    calm(page, "phone")
    page.goto(link)
    calm(page, "phone")
    page.context.close()
    assert faults == []


def test_a_chosen_pause_on_a_wide_screen_and_without_a_script(browser, subscribed):
    house = subscribed
    link = house.address + LINKS.unsubscribe(house.delivered[0].id).removeprefix("https://go.example.com")
    page, faults = opened(browser, house, "wide", logged_in=False)
    for path in (link, f"{link}?pause=week"):
        page.goto(path)
        calm(page, "wide")
    page.context.close()
    assert faults == []
    plain = browser.new_context(java_script_enabled=False).new_page()
    plain.goto(f"{link}?pause=week")
    plain.keyboard.press("Tab")  # the chosen pause
    plain.keyboard.press("Tab")
    plain.keyboard.press("Enter")
    plain.wait_for_selector("text=No mail comes before")
    plain.context.close()
