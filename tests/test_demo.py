"""The demo in a real browser: a newcomer opens their mail, answers its question, and sees where the answer leads."""

import re
import signal
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import expect
from test_pages import MOVED, SCREENS, STILL, faults_of

ROOT = Path(__file__).parent.parent
PATIENCE = 30_000  # milliseconds


@pytest.fixture(scope="module")
def demo():
    words = [sys.executable, "-m", "nurture", "-C", str(ROOT), "demo", "--no-browser", "--port", "0"]
    process = subprocess.Popen(words, stderr=subprocess.PIPE, text=True)
    try:
        yield re.search(r"http://\S+/demo", process.stderr.readline())[0]
        process.send_signal(signal.SIGTERM)
        said = process.stderr.read()
        assert process.wait(30) == 0
        assert said == ""
    finally:
        process.kill()
        process.wait()
        process.stderr.close()


@pytest.fixture
def page(browser, demo):
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    shown = context.new_page()
    faults = []
    shown.on("console", lambda said: faults.append(said.text) if said.type == "error" else None)
    shown.on("pageerror", lambda fault: faults.append(str(fault)))
    shown.set_default_timeout(PATIENCE)
    shown.goto(demo)
    yield shown
    assert faults == []
    context.close()


def test_a_newcomer_answers_a_mail_and_the_next_one_comes(page):
    first = page.locator("#mails li", has_text="One quick question, Sam")
    first.click()
    expect(page.locator("#because")).to_contain_text("Why now")
    page.frame_locator("#html").locator("a.choice", has_text="A home loan").click()
    asked = page.frame_locator("#ask")
    expect(asked.locator("input[value=home]")).to_be_checked(timeout=PATIENCE)
    asked.get_by_role("button").click()
    expect(asked.locator("h1")).to_have_text("Thank you.", timeout=PATIENCE)
    expect(page.locator("#mails li", has_text="Your two-minute checklist")).to_be_visible(timeout=PATIENCE)
    expect(page.locator("#log")).to_contain_text("You answered “A home loan”", timeout=PATIENCE)


def test_everyone_is_on_the_drawn_ladder_and_it_moves(page):
    page.locator("[data-speed='43200']").click()
    count = page.locator("[data-total=kept]")
    expect(count).not_to_have_text("0", timeout=PATIENCE)
    expect(page.locator("[data-total=goal]")).not_to_have_text("0", timeout=PATIENCE * 2)
    expect(page.locator("[data-total=mails]")).to_have_text(re.compile(r"\d{3}"), timeout=PATIENCE)
    expect(page.locator("#mails li", has_text="One quick question, Sam")).to_be_visible()  # however many came since
    for name in ("challenge", "first-evening", "free-guide", "home-loan", "trial"):
        page.locator(f"[data-tab={name}]").click()
        expect(page.locator(f"[data-ladder={name}] svg")).to_be_visible()


def test_a_mail_is_readable_as_html_as_text_and_by_its_headers(page):
    page.get_by_role("button", name="Everyone’s").click()
    page.locator("#mails li").first.click()
    expect(page.frame_locator("#html").locator("body")).to_contain_text("Unsubscribe with one click")
    page.locator("[data-part=text]").click()
    expect(page.locator("#text")).to_contain_text("Unsubscribe with one click: http")
    page.locator("[data-part=headers]").click()
    expect(page.locator("#headers")).to_contain_text("List-Unsubscribe=One-Click")


def test_nothing_is_loaded_from_elsewhere(browser, demo):
    context = browser.new_context()
    shown = context.new_page()
    asked = []
    shown.on("request", lambda request: asked.append(request.url))
    shown.goto(demo)
    shown.locator("#clock").wait_for()
    home = demo.removesuffix("/demo")
    assert [url for url in asked if not url.startswith((home, "data:"))] == []
    context.close()


def test_what_is_no_number_in_an_address_is_none(demo):
    for said in ("x", "nan", "-1", "9" * 400):
        assert httpx.get(f"{demo}/state.json?after={said}").status_code == 200
        assert httpx.post(f"{demo}/speed?skip={'x' if said.isdigit() else said}").status_code == 200


@pytest.mark.parametrize("screen", SCREENS)
def test_it_is_calm_fits_and_keeps_nobody_out(browser, demo, screen):
    context = browser.new_context(**SCREENS[screen], reduced_motion="reduce")  # what arrives is pale for a moment
    shown = context.new_page()
    shown.goto(demo)
    shown.locator("#mails button").first.wait_for()
    assert shown.evaluate(MOVED) < STILL
    shown.get_by_role("button", name="Everyone’s").click()
    shown.locator("#mails button").first.press("Enter")
    expect(shown.locator("#because")).not_to_be_empty(timeout=PATIENCE)
    assert faults_of(shown) == []
    shown.emulate_media(color_scheme="dark" if SCREENS[screen]["color_scheme"] == "light" else "light")
    assert faults_of(shown, "color-contrast") == []
    assert shown.evaluate("document.documentElement.scrollWidth") <= SCREENS[screen]["viewport"]["width"]
    context.close()
