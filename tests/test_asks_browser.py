"""The pages of asks in a real browser: a phone and a desk, dark and light, with and without JavaScript, keys only."""

import io
import re
import shutil
import wave
from datetime import timedelta
from pathlib import Path

import pytest
from elsewhere import elsewhere
from playwright.sync_api import expect
from stage import MONDAY, PEOPLE
from test_forms import LADDER, TEMPLATES
from test_offers import LADDER as OFFER
from test_offers import TEMPLATES as OFFERED
from test_offers import fill
from test_pages import faults_of
from test_watching import LADDER as TOUR
from test_web import Visited

from nurture.engine.show import person
from nurture.store.database import open_store

PHONE = {"viewport": {"width": 375, "height": 720}}
DESK = {"viewport": {"width": 1440, "height": 900}}
PATIENCE = 30_000  # milliseconds
WALK = """\
title: A walk
start: manual
from: Ada <ada@example.com>
within: 1 day
badges: {begun: {title: Begun}, done: {title: All of it, if: kept >= 9}}
steps:
  question:
    subject: Question
    template: body.md
    send: now
    award: begun
    ask: {poll: Home or auto?, answers: {home: A home loan, auto: An auto loan}}
    yes: {after: 1 day, go: file}
    no: end
  file: {subject: File, template: badges.md, send: now, ask: {download: list.pdf, label: Get the list}, no: end}
  film: {subject: Film, template: body.md, send: now, ask: {watch: Watch it, to: "https://films.example/film"}, no: end}
  survey:
    subject: Survey
    template: body.md
    send: now
    ask:
      form: survey
      code: {pool: spring}
      pages: [{fields: [{choice: What for?, answers: {home: A home, auto: A car}, save: loan}, {number: How many?, save: seats}]}]
    no: end
  bring: {subject: Bring, template: body.md, send: now, ask: {refer: Invite two friends, friends: 2}, no: offer}
  offer:
    subject: Offer
    template: body.md
    send: now
    ask: {buy: review, price: 99 GBP, to: "https://shop.example/", expires: 2 hours}
    no: end
"""
WALKED = {
    "files/list.pdf": b"%PDF-1.4",
    "templates/badges.md": b"{{ ask }}\n\n{{ badges }}\n",
    "people.yaml": PEOPLE + b"signups: {news: {title: One mail a week, ask: [first_name], start: walk}}\n",
}

PLAYS = """([from, to]) => new Promise((done) => {
  const film = document.querySelector('video');
  film.addEventListener('timeupdate', () => { if (film.currentTime >= to || film.ended) done(); });
  film.currentTime = from;
  film.play();
})"""


def silence(seconds):
    """A sound that a video element plays, as a file."""
    file = io.BytesIO()
    with wave.open(file, "wb") as made:
        made.setparams((1, 1, 8000, 0, "NONE", ""))
        made.writeframes(b"\x80" * 8000 * seconds)
    return file.getvalue()


def opened(browser, stage, **how):
    context = browser.new_context(base_url=str(stage.web.base_url), **{**PHONE, **how})
    page = context.new_page()
    faults = []
    page.on("console", lambda said: faults.append(said.text) if said.type in ("error", "warning") else None)
    page.on("pageerror", lambda fault: faults.append(str(fault)))
    return page, faults


def link_of(stage, number=0):
    return re.findall(r"https://go\.example\.com(/q/[^\s\"<)]+)", stage.delivered[0].text)[number]


def fits(page):
    return page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")


@pytest.fixture
def walk(migrated, tmp_path):
    """Every page of a ladder, on one database: what a page looks like no database decides."""
    shutil.copy(migrated, tmp_path / "walk.db")
    store = open_store(f"sqlite:///{tmp_path}/walk.db")
    fill(store, "A-1")
    stage = Visited(store, {"walk": WALK}, WALKED)
    yield stage
    stage.close()
    store.close()


class Keys:
    """A page that is reached, looked at and used with a keyboard alone; each state that was looked at has a picture.

    `mirror` is where axe looks at what stands there, as axe needs scripts and the page may have none.
    """

    def __init__(self, page, mirror, pictures):
        self.page, self.mirror, self.pictures = page, mirror, pictures
        page.set_default_timeout(PATIENCE)
        mirror.goto("/signup/news")

    def sees(self, heading):
        expect(self.page.locator("h1")).to_have_text(heading, timeout=PATIENCE)
        self.page.screenshot(path=self.pictures / f"{heading[:20]}.png", full_page=True)
        self.mirror.set_content(self.page.content())
        assert (faults_of(self.mirror), fits(self.page)) == ([], True), heading

    def press(self, role, name, key="Enter"):
        wanted = self.page.get_by_role(role, name=name)
        for _ in range(20):
            if wanted.evaluate("one => one === document.activeElement"):
                break
            self.page.keyboard.press("Tab")
        else:
            raise AssertionError(f"Tab does not reach the {role} {name}")
        assert self.page.evaluate("document.activeElement.matches(':focus-visible')"), "nobody sees where they are"
        self.page.keyboard.press(key)


def test_a_form_on_a_phone_with_keys_alone_and_on_another_device_without_javascript(browser, store, tmp_path):
    fill(store, "A-1")
    stage = Visited(store, {"survey": LADDER}, TEMPLATES)
    stage.subscribe()
    stage.work()
    page, faults = opened(browser, stage, color_scheme="dark")
    page.goto(link_of(stage, 1))
    assert (faults_of(page), fits(page)) == ([], True)
    page.screenshot(path=tmp_path / "form-1-dark.png")
    expect(page.get_by_role("radio", name="A <b>car</b>")).to_be_checked()
    page.get_by_role("radio", name="A <b>car</b>").focus()
    page.keyboard.press("ArrowUp")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="About you")).to_be_visible()
    page.get_by_label("How many of you are there?").fill("some")
    page.keyboard.press("Enter")
    expect(page.get_by_text("Please write a number")).to_be_visible()
    expect(page.get_by_label("How many of you are there?")).to_have_value("some")
    assert faults_of(page) == []
    page.screenshot(path=tmp_path / "form-2-wrong-dark.png")
    page.get_by_label("How many of you are there?").fill("4")
    page.get_by_role("button", name="Next").click()
    expect(page.get_by_text("Page 3 of 3")).to_be_visible()
    assert [one for one in faults if "422" not in one] == []

    page, faults = opened(browser, stage, color_scheme="light", java_script_enabled=False)
    page.goto(link_of(stage, 0))
    expect(page.get_by_text("Page 3 of 3")).to_be_visible()
    page.get_by_role("button", name="Back").click()
    expect(page.get_by_label("How many of you are there?")).to_have_value("4")
    page.screenshot(path=tmp_path / "form-2-light.png")
    page.get_by_role("button", name="Next").click()
    page.get_by_label("When does it renew?").fill("2026-12-24")
    page.get_by_label("You may call me about this.").check()
    page.screenshot(path=tmp_path / "form-3-light.png")
    page.get_by_role("button", name="Send").click()
    expect(page.get_by_text("A-1")).to_be_visible()
    page.screenshot(path=tmp_path / "form-thanks-light.png")
    assert (faults, fits(page)) == ([], True)
    known = person(store, "ann@example.com")
    assert {name: known["attributes"].get(name) for name in ("loan", "seats", "may_call")} == {
        "loan": "home", "seats": 4, "may_call": True,
    }  # fmt: skip
    stage.close()


@pytest.mark.parametrize("script", [True, False])
def test_a_video_on_a_phone(browser, store, tmp_path, script):
    tour = TOUR.replace("WHERE", "tour.wav").replace("50%", "40%")
    stage = Visited(store, {"tour": tour}, {"files/tour.wav": silence(4)})
    stage.subscribe()
    stage.work()
    page, faults = opened(browser, stage, java_script_enabled=script)
    page.goto(link_of(stage))
    page.screenshot(path=tmp_path / f"watch-{script}.png")
    if script:
        assert (faults_of(page), fits(page)) == ([], True)
        assert page.get_by_role("button", name="I have watched it").count() == 0
        page.evaluate(PLAYS, [3.8, 4])
        expect(page.locator("#seen")).to_contain_text("You have seen 0%")
        assert person(store, "ann@example.com")["answers"] == []
        page.evaluate(PLAYS, [0, 2.2])
        # the stage's clock stands still, and what was played took its time
        stage.now += timedelta(seconds=3)
        page.evaluate("document.querySelector('video').pause()")
        expect(page.locator("#seen")).to_have_text("Thank you, that counts.")
        page.screenshot(path=tmp_path / "watch-enough.png")
    else:
        page.get_by_role("button", name="I have watched it").click()
        expect(page.get_by_text("It is noted.")).to_be_visible()
    assert [answer["answer"] for answer in person(store, "ann@example.com")["answers"]] == ["yes"]
    assert faults == []
    stage.close()


@pytest.mark.parametrize(
    "how",
    [{**PHONE, "color_scheme": "dark", "java_script_enabled": False}, {**DESK, "color_scheme": "light"}],
    ids=["phone", "desk"],
)
def test_every_page_of_a_ladder_with_keys_alone(browser, walk, tmp_path, how):
    (page, _), (mirror, _) = opened(browser, walk, **how), opened(browser, walk, **how | {"java_script_enabled": True})
    keys = Keys(page, mirror, tmp_path)

    def goes(kind, subject):
        mail = next(mail for mail in walk.delivered if mail.subject.startswith(subject))
        page.goto(re.search(rf"https://go\.example\.com(/{kind}/[^\s\"<)]+)", mail.text)[1])

    page.goto("/signup/news")
    page.keyboard.press("Tab")
    page.keyboard.type("ann@gmxx.de")
    walk.after(seconds=3)
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_contain_text("Did you mean")
    keys.sees("One mail a week")
    walk.after(seconds=3)
    keys.press("button", "Yes, use")
    keys.sees("Now look in your inbox.")
    walk.work()
    goes("q", "Please confirm")
    keys.sees("Was that you?")
    keys.press("button", "Yes")
    keys.sees("You are in.")
    walk.work()

    goes("q", "Question")
    page.evaluate("document.querySelector('input').value = 'boat'")  # as of a page from before an edit
    keys.press("radio", "A home loan")
    expect(page.get_by_role("alert")).to_have_text("Please choose one of these answers.")
    keys.sees("Home or auto?")
    keys.press("radio", "A home loan", "ArrowDown")
    page.keyboard.press("Enter")
    keys.sees("Thank you.")
    keys.press("link", "Change my answer")
    expect(page.get_by_role("radio", name="An auto loan")).to_be_checked()
    keys.press("radio", "An auto loan", "ArrowUp")
    page.keyboard.press("Enter")
    expect(page.locator("blockquote")).to_have_text("A home loan")

    walk.after(days=1, minutes=1)
    goes("b", "File")
    keys.sees("Your badges")
    goes("q", "File")
    keys.sees("Get the list")
    with page.expect_download() as taken:
        keys.press("button", "Download")
    assert taken.value.suggested_filename == "list.pdf"
    walk.work()
    goes("q", "Film")
    keys.sees("Watch it")
    keys.press("button", "I have watched it")
    keys.sees("Thank you.")
    walk.work()
    goes("q", "Survey")
    keys.press("radio", "A home")
    expect(page.locator(".problem").last).to_contain_text("Please fill this in")
    keys.sees("Begin")
    keys.press("textbox", "How many?", "4")
    keys.press("button", "Send")
    expect(page.locator("code")).to_have_text("A-1")
    keys.sees("Thank you.")
    walk.work()

    goes("q", "Bring")
    keys.sees("Invite two friends")
    keys.press("textbox", "Your name on the leaderboard", "Z")
    page.keyboard.press("Enter")
    expect(page.get_by_role("status")).to_be_visible()
    keys.press("link", "Leaderboard")
    keys.sees("Leaderboard")
    walk.after(days=1, hours=3)
    walk.after(hours=3)
    goes("c", "Offer")
    keys.sees("This offer has ended")

    goes("u", "Offer")
    keys.press("button", "Unsubscribe")
    keys.sees("You are off the list.")
    form = f'<form method="post" action="{walk.web.base_url.join(link_of(walk))}"><button>Go</button></form>'
    with elsewhere({"/evil.html": form.encode()}) as site:
        page.goto(f"{site}/evil.html")
        keys.press("button", "Go")
    keys.sees("This was not sent from our own page.")
    for _ in range(5):
        walk.web.post("/signup/news", data={"email": "nobody"})
    page.goto("/signup/news")
    page.keyboard.press("Tab")
    page.keyboard.type("bob@example.com")
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_be_visible()
    keys.sees("One mail a week")
    walk.work()
    assert [answer["answer"] for answer in person(walk.store, "ann@gmx.de")["answers"]] == [
        "yes",
        "home",
        "yes",
        "yes",
        "yes",
    ]


def test_another_origin_posts_to_no_page(walk):
    evil = {"Origin": "https://evil.example"}
    walk.subscribe("ann@example.com", sequence="walk")
    walk.work()
    steps = {
        "question": {"answer": "home"},
        "file": {},
        "film": {},
        "survey": {"page": 1, "f.loan": "auto", "f.seats": 1},
    }
    for step, fields in steps.items():
        path = re.findall(r"https://go\.example\.com(/q/[^\s\"<)]+)", walk.mail(step.capitalize()).text)[0]
        assert walk.web.post(path, data=fields, headers=evil).status_code == 403, step
        assert step not in {answer["step"] for answer in walk.story()["answers"]}
        walk.web.post(path, data=fields)
        walk.after(days=1, minutes=1) if step == "question" else walk.work()
    path = re.findall(r"https://go\.example\.com(/q/[^\s\"<)]+)", walk.mail("Bring").text)[0]
    assert walk.web.post(path, data={"name": "Mallory"}, headers=evil).status_code == 403
    assert "Mallory" not in walk.web.get(path).text


def test_a_player_of_somebody_else_says_that_it_was_played(browser, store):
    page_told = re.search(
        r"```html\n(<script>\nconst token.*?)```", Path("docs/asks.md").read_text("utf-8"), re.DOTALL
    )[1]
    player = '<audio controls src="short.wav"></audio><script>const player = document.querySelector("audio");</script>'
    files = {"/short.wav": silence(1)}
    with elsewhere(files) as site:
        stage = Visited(store, {"tour": TOUR.replace("WHERE", f"{site}/player.html")})
        files["/player.html"] = (
            player + page_told.replace("https://go.example.com", str(stage.web.base_url).rstrip("/"))
        ).encode()
        stage.subscribe()
        stage.work()
        page, _ = opened(browser, stage)
        page.goto(link_of(stage))
        with page.context.expect_page() as popped:
            page.locator("a.button").click()
        there = popped.value
        there.wait_for_load_state()
        with there.expect_request_finished(lambda one: "/w/" in one.url):
            there.evaluate("Object.assign(document.querySelector('audio'), {muted: true, playbackRate: 8}).play()")
        stage.work()
        assert [mail.subject for mail in stage.delivered] == ["A tour of two minutes", "What did you think?"]
        stage.close()


def test_a_click_on_an_offer_leads_to_the_shop_until_its_second(browser, store):
    pages = {"shop": "The course", "over": "Full price"}
    shown = '<title>A shop</title><link rel="icon" href="data:,"><h1>{}</h1>'
    with elsewhere({f"/{name}.html": shown.format(heading).encode() for name, heading in pages.items()}) as site:
        offer = OFFER.replace("CODE", "spring").replace("https://shop.example/course", f"{site}/shop.html")
        late = offer.replace("expires: 48 hours", f"expires: 48 hours, missed: '{site}/over.html'")
        stage = Visited(store, {"course": offer, "late": late.replace("start: joined", "start: manual")}, OFFERED)
        stage.subscribe()
        stage.subscribe("bob@example.com", sequence="late")
        stage.work()
        page, faults = opened(browser, stage)
        for seconds, ours, theirs in ((1, "The course", "The course"), (0, "This offer has ended", "Full price")):
            stage.now = MONDAY + timedelta(days=2, seconds=-seconds)
            for who, heading in (("ann", ours), ("bob", theirs)):
                mail = next(mail for mail in stage.delivered if mail.to == f"{who}@example.com")
                page.goto(re.search(r"https://go\.example\.com(/c/\S+)", mail.text)[1])
                expect(page.locator("h1")).to_have_text(heading)
        assert (faults, fits(page)) == ([], True)
        stage.close()
