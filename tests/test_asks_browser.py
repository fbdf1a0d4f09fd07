"""The pages of a form and of a video in a real browser: a phone, dark and light, with and without JavaScript, keys only."""

import io
import re
import wave
from datetime import timedelta

import pytest
from playwright.sync_api import expect
from test_forms import LADDER, TEMPLATES
from test_offers import fill
from test_pages import faults_of
from test_watching import LADDER as TOUR
from test_web import Visited

from nurture.engine.show import person

PHONE = {"viewport": {"width": 375, "height": 720}}


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
