"""The example `challenge`, from outside: a browser, mails, and what a shop reports; from the form to the course."""

import re
from datetime import datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import pytest
from playwright.sync_api import expect
from test_inbound import OWN, come, posted
from test_offers import fill
from test_pages import faults_of
from test_web import TOKEN, Visited

from nurture.engine.sending import Sender
from nurture.providers.base import Account
from nurture.web.countdown import countdown

ROOT = Path(__file__).parents[1]
LADDERS = ("challenge", "first-evening")
PHONE = {"viewport": {"width": 390, "height": 844}}
CONFIRM = "Please confirm: Seven calm days with money"
WHY = "Day 1: what is this week for, {}?"
PLAYS = """() => new Promise((done) => {
  const film = document.querySelector('video');
  film.addEventListener('ended', done);
  film.playbackRate = 16;
  film.play();
})"""


class House(Visited):
    """The repository's own project with this ladder, and the one that its goal begins."""

    def __init__(self, store):
        folders = [ROOT / "files", *(ROOT / "templates" / name for name in LADDERS)]
        kept = [ROOT / "people.yaml", *(path for folder in folders for path in folder.iterdir())]
        files = {path.relative_to(ROOT).as_posix(): path.read_bytes() for path in kept}
        ladders = {name: (ROOT / f"sequences/{name}.yaml").read_text("utf-8") for name in LADDERS}
        super().__init__(store, ladders, templates=files)

    def start_sender(self, provider=None):
        return Sender(self.store, provider or self.provider, Account("outbox"), OWN, senders=2)

    def own(self, start, email="ann@example.com", number=0):
        """Where a button leads, in the latest mail whose subject begins so; on this server."""
        return self.links(start, email)[number]

    def latest(self, start, email="ann@example.com"):
        return next(m for m in reversed(self.delivered) if m.to == email and m.subject.startswith(start))

    def links(self, start, email="ann@example.com"):
        found = re.findall(r'href="https://go\.example\.com(/[qc]/[^"]+)"', self.latest(start, email).html)
        return list(dict.fromkeys(found))

    def tells(self, name, email="ann@example.com", **data):
        answer = self.web.post("/api/events", json={"name": name, "email": email, "data": data}, headers=TOKEN)
        assert answer.status_code in (200, 202), answer.text
        self.work()


@pytest.fixture
def house(store):
    fill(store, "WEEK-7F3K", "WEEK-9QZT", pool="course")
    house = House(store)
    yield house
    house.close()


def opened(browser, house, name, **how):
    """A browser of their own: two from one place would not both count as friends."""
    told = {"user_agent": f"Mozilla/5.0 {name}", "base_url": str(house.web.base_url), **PHONE, **how}
    page = browser.new_context(**told).new_page()
    page.set_default_timeout(5_000)
    return page


def good(page):
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), page.url
    assert faults_of(page) == [], page.url


def joins(page, house, name, at="/signup/challenge"):
    """Someone fills in the form, reads the mail that asks whether it was them, and says so."""
    email = f"{name.lower()}@example.com"
    page.goto(at)
    page.get_by_label("Your email address").fill(email)
    page.get_by_label("First name").fill(name)
    house.after(seconds=3)
    page.get_by_role("button", name="Begin the week").click()
    expect(page.get_by_role("heading")).to_have_text("Now look in your inbox.")
    house.work()
    page.goto(house.own(CONFIRM, email))
    page.get_by_role("button").click()
    expect(page.get_by_role("heading")).to_have_text("You are in.")
    house.work()


def answers(page, house, name, number=0):
    page.goto(house.own(WHY.format(name), f"{name.lower()}@example.com", number))
    expect(page.get_by_role("radio").nth(number)).to_be_checked()
    page.get_by_role("button").click()
    expect(page.get_by_role("heading")).to_have_text("Thank you.")
    house.work()


def watches(page, house):
    """The film is played to its end sixteen times as fast, which the server does not believe until it took its time."""
    page.evaluate(PLAYS)
    expect(page.locator("#seen")).to_contain_text("You have seen 0%")
    house.now += timedelta(seconds=30)
    page.evaluate("document.querySelector('video').play()")
    expect(page.locator("#seen")).to_have_text("Thank you, that counts.")
    house.work()


def test_from_the_form_to_the_course_with_three_friends(browser, house):
    ann = opened(browser, house, "Ann", color_scheme="dark", bypass_csp=True)
    joins(ann, house, "Ann")
    answers(ann, house, "Ann", 1)
    good(ann)

    house.until(house.now.replace(hour=7) + timedelta(days=1))
    assert "First word" in house.latest("Day 2").html
    ann.goto(house.own("Day 2"))
    watches(ann, house)
    house.after(days=1)
    ann.goto(house.own("Day 3"))
    with ann.expect_download() as taken:
        ann.get_by_role("button").or_(ann.get_by_role("link")).first.click()
    assert taken.value.suggested_filename == "three-numbers.pdf"
    house.after(days=1)
    headers, body = posted("postmark-inbound", house.latest("Day 4").reply_to, Date=format_datetime(house.now))
    come(house, "postmark-inbound", headers, body)
    house.work()

    house.after(days=1)
    assert "Four in a row" in house.latest("Day 5").html
    ann.goto(house.own("Day 5", number=1))
    expect(ann.get_by_role("radio", name="When the dishes are done")).to_be_checked()
    ann.get_by_role("button", name="Next").click()
    ann.get_by_label("How many pounds a week would you not miss?").fill("40")
    good(ann)
    ann.get_by_role("button", name="Send").click()
    expect(ann.get_by_role("heading")).to_have_text("Thank you.")
    house.after(days=1)
    assert "keep this for tonight" in house.latest("Day 6").text
    house.tells("leak_closed")

    house.after(days=1)
    invited = house.own("Day 7")
    ann.goto(invited)
    good(ann)
    ann.get_by_label("Your name on the leaderboard").fill("Ann of Leeds")
    ann.get_by_role("button").click()
    link = "/r/" + ann.get_by_label("Your own link").input_value().rpartition("/")[2]
    for name in ("Bob", "Cem", "Dan"):
        friend = opened(browser, house, name, java_script_enabled=False)
        joins(friend, house, name, link)
        answers(friend, house, name)
        if name == "Bob":
            house.after(days=1)
    mail = house.latest("Somebody came")
    assert "Good company" in mail.html and "Ann of Leeds (you)" in mail.text
    ann.goto(re.search(r"https://go\.example\.com(/b[^\"]+)\"", mail.html)[1])
    expect(ann.locator("main")).to_contain_text("A full table")
    good(ann)

    house.after(days=1)
    course = house.latest("Four weeks")
    assert "A holiday that is paid for" in course.text and "saw the sea in May" in course.text
    assert "a second seat" in course.text
    told = house.web.get("/api/offers/WEEK-7F3K", headers=TOKEN).json()
    assert "with the code WEEK-7F3K" in course.text
    ends = datetime.fromisoformat(told["deadline"])
    assert told["valid"] and f"{ends:%A} {ends.day} {ends:%B}, {ends:%H:%M}" in course.text
    picture = re.search(r"https://go\.example\.com(/o/[^\"]+\.png)", course.html)[1]
    assert house.web.get(picture).content == countdown(ends - house.now, "en")
    house.until(ends - timedelta(hours=12))
    last = house.latest("The challenge price ends")
    assert last.subject.endswith(f"{ends:%A} {ends.day} {ends:%B}, {ends:%H:%M}")
    assert house.web.get("/api/offers/WEEK-7F3K", headers=TOKEN).json() == told
    clicks = [re.search(r"https://go\.example\.com(/c/\S+)", mail.text)[1] for mail in (course, last)]
    for seconds, leads in ((1, "/course/join"), (0, "/course")):
        house.now = ends - timedelta(seconds=seconds)
        assert [house.web.get(click).headers["location"] for click in clicks] == [
            f"https://brightline.example{leads}"
        ] * 2
    house.now = ends - timedelta(seconds=1)
    assert [house.web.post("/api/offers/WEEK-7F3K/redeem", headers=TOKEN).status_code for _ in "ab"] == [200, 409]
    house.tells("bought", product="course")
    assert house.place("challenge")["ended"] == "goal"

    ann.goto(house.own("You are in", number=3))
    ann.get_by_role("button").click()
    expect(ann.locator("blockquote")).to_have_text("Thursday")
    house.after(days=7)
    assert "you said Thursday, so it is tonight" in house.latest("Tonight").text
