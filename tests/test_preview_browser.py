"""The preview in a real browser: a save is on the page within a second, what was typed stays, the ladder is played by hand."""

import re
import shutil
import signal
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import expect
from test_pages import MOVED, SCREENS, STILL, faults_of

ROOT = Path(__file__).parent.parent
PATIENCE = 20_000  # milliseconds
expect.set_options(timeout=PATIENCE)
LIVE = re.compile("live")


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    folder = tmp_path_factory.mktemp("preview") / "project"
    for name in ("sequences", "templates", "files"):
        shutil.copytree(ROOT / name, folder / name)
    for name in ("people.yaml", "nurture.toml"):
        shutil.copy(ROOT / name, folder)
    return folder


@pytest.fixture(scope="module")
def preview(project):
    words = ["-C", str(project), "preview", "--edit", "--no-browser", "--port", "0"]
    process = subprocess.Popen([sys.executable, "-m", "nurture", *words], stderr=subprocess.PIPE, text=True)
    try:
        yield re.search(r"http://\S+?(?=\.\s)", process.stderr.readline())[0]
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
        assert process.stderr.read() == ""
    finally:
        process.kill()
        process.wait()
        process.stderr.close()


@contextmanager
def opened(browser, address, expected=None, **context):
    """A page at this address. Afterwards: its console said nothing but what is expected, and all it loaded was ours."""
    window = browser.new_context(**{"viewport": {"width": 1440, "height": 900}, **context})
    page, faults, asked = window.new_page(), [], []
    page.on("console", lambda said: faults.append(said.text) if said.type in ("error", "warning") else None)
    page.on("pageerror", lambda fault: faults.append(str(fault)))
    page.on("request", lambda request: asked.append(request.url))
    page.set_default_timeout(PATIENCE)
    page.goto(address)
    yield page
    home = "/".join(address.split("/")[:3])
    assert [fault for fault in faults if expected is None or expected not in fault] == []
    assert [url for url in asked if not url.startswith((home, "data:"))] == []
    window.close()


@pytest.fixture
def changed(project):
    """Write a file for one test."""
    before = {}

    def change(path, old, new):
        text = (project / path).read_text()
        before.setdefault(path, text)
        assert old in text
        (project / path).write_text(text.replace(old, new))

    yield change
    for path, text in before.items():
        (project / path).write_text(text)


def test_a_save_is_on_the_page_by_itself_and_nothing_is_lost(browser, preview, changed):
    small = {"width": 1440, "height": 500}
    with opened(browser, f"{preview}/play/home-loan?do=question:home", viewport=small) as page:
        mail = page.frame_locator("#html")
        expect(page.locator("#saves")).to_have_class(LIVE)
        expect(mail.get_by_text("Good.")).to_be_visible()
        mail.locator("body").evaluate("() => scrollTo(0, 90)")
        page.locator("#hour").fill("17:")
        page.locator("#day").select_option("fri")
        page.locator(".ladder-side").evaluate("side => side.scrollTo(0, 120)")
        changed("templates/home-loan/guide.mjml", "Good.", "Very good.")
        expect(mail.get_by_text("Very good.")).to_be_visible()
        assert mail.locator("body").evaluate("() => scrollY") == 90
        assert page.locator("#hour").input_value() == "17:"
        assert page.locator("#day").input_value() == "fri"
        assert page.locator(".ladder-side").evaluate("side => side.scrollTop") == 120


def test_the_chosen_view_and_an_open_tool_stay_over_a_save(browser, preview, changed):
    with opened(browser, f"{preview}/see/home-loan/question") as page:
        frame, mail = page.locator("#html"), page.frame_locator("#html").locator("body")
        wide, light = frame.bounding_box()["width"], mail.evaluate("body => getComputedStyle(body).backgroundColor")
        page.get_by_role("tab", name="phone").click()
        assert frame.bounding_box()["width"] == 390 < wide
        page.get_by_role("tab", name="dark").click()
        expect(mail).not_to_have_css("background-color", light)
        page.get_by_role("tab", name="text", exact=True).click()
        page.locator(".check", has_text="Links").locator("summary").click()
        expect(page.locator("#saves")).to_have_class(LIVE)
        changed("templates/home-loan/question.md", "Thank you", "Many thanks")
        expect(page.locator("#text")).to_contain_text("Many thanks")
        expect(page.locator("#text")).to_be_visible()
        expect(page.locator(".check", has_text="Links").locator("dl")).to_be_visible()
        page.locator("#steps a", has_text="offer").click()
        expect(page.locator("#text")).to_contain_text("You told me")
        assert "view=text" in page.url


def test_faults_are_shown_as_they_are_saved_and_go_when_they_are_mended(browser, preview, changed, project):
    with opened(browser, f"{preview}/see/home-loan/question") as page:
        expect(page.locator("#saves")).to_have_class(LIVE)
        changed("sequences/home-loan.yaml", "no: question_again", "no: question_agin")
        expect(page.locator("#faults")).to_contain_text("sequences/home-loan.yaml:21:9")
        expect(page.locator("#faults mark")).to_have_text("question_agin")
        expect(page.frame_locator("#html").get_by_role("link", name="A home loan")).to_be_visible()
        page.locator("#faults .where a").click()
        expect(page.locator("#editing")).to_be_focused()
        assert page.evaluate("editing.value.slice(editing.selectionStart).startsWith('question_agin')")
        changed("sequences/home-loan.yaml", "no: question_agin", "no: question_again")
        expect(page.locator("#faults")).to_contain_text("No faults")


def test_the_ladder_is_played_to_the_offer_and_to_the_purchase(browser, preview):
    with opened(browser, f"{preview}/play/home-loan") as page:
        subject, mail = page.locator("#subject"), page.frame_locator("#html")
        expect(subject).to_have_text("One quick question, Ann")
        mail.get_by_role("link", name="A home loan").click()
        expect(subject).to_have_text("Your two-minute checklist")
        expect(page.locator("#because")).to_contain_text("question was answered home")
        mail.get_by_role("link", name="Get the checklist").click()
        expect(subject).to_have_text("Shall we look at your numbers together?")
        expect(page.locator("g.step.here")).to_have_attribute("data-step", "offer")
        mail.get_by_role("link", name="Book my review").click()
        expect(page.locator("#place")).to_contain_text("the shop reports the purchase")
        page.locator("#place").get_by_role("link", name="Buy review").click()
        expect(page.locator("#next")).to_contain_text("It is over: goal")
        expect(page.locator("g.goal")).to_have_class(re.compile("here"))
        page.locator("#undo").click()
        expect(page.locator("#next")).to_contain_text("Silence until")
        page.go_back()
        expect(page.locator("#next")).to_contain_text("It is over: goal")
        expect(page.locator("#story")).to_contain_text("ends: goal")


def test_the_ladder_is_played_to_the_polite_end_and_a_walk_is_a_link(browser, preview):
    with opened(browser, f"{preview}/play/home-loan?person=little") as page:
        expect(page.locator("#subject")).to_have_text("One quick question, friend")
        page.get_by_role("link", name="A scanner clicks").click()
        expect(page.locator("#timeline")).to_contain_text("counts for nothing")
        page.get_by_role("link", name="Ignore it").click()
        expect(page.locator("#subject")).to_have_text("Still looking?")
        page.get_by_role("link", name="Jump a day").click()
        expect(page.locator("#timeline")).to_contain_text("a day passes")
        page.get_by_role("link", name="Ignore it").click()
        expect(page.locator("#next")).to_contain_text("It is over: finished")
        address, said = page.url, page.locator("#timeline").inner_text()
    with opened(browser, address) as page:
        assert page.locator("#timeline").inner_text() == said


def test_a_mail_unsubscribes_by_its_own_link(browser, preview):
    with opened(browser, f"{preview}/play/home-loan") as page:
        page.frame_locator("#html").get_by_role("link", name="Unsubscribe").click()
        expect(page.locator("#next")).to_contain_text("It is over: unsubscribed")


def test_the_editor_says_what_is_wrong_offers_what_can_stand_and_saves(browser, preview, changed, project):
    path = "sequences/home-loan.yaml"
    changed(path, "no: question_again", "no: question_again")
    with opened(browser, f"{preview}/edit/{path}") as page:
        area = page.locator("#editing")
        area.focus()
        page.evaluate(
            "() => { const at = editing.value.indexOf('question_again'); editing.setSelectionRange(at, at + 14); }"
        )
        page.keyboard.type("qu", delay=20)
        expect(page.locator("#completions li").first).to_have_text("question_again")
        expect(page.locator("#numbers b")).to_have_text("21")
        page.keyboard.press("ArrowDown")
        assert page.locator(f"#{area.get_attribute('aria-activedescendant')}").text_content() == "quotes"
        page.keyboard.press("Tab")
        expect(page.locator("#faults")).to_contain_text("question_again")  # now nothing leads there: unreachable
        assert "no: quotes" in area.input_value()
        page.keyboard.press("Control+z")
        assert "no: qu\n" in area.input_value()
        page.keyboard.press("ArrowRight")
        page.keyboard.type("o")
        expect(page.locator("#completions")).to_be_visible()
        page.keyboard.type("t")
        page.keyboard.press("Tab")  # the list knows of one letter less
        assert "no: quotes" in area.input_value()
        expect(page.locator("#completions")).to_be_hidden()
        page.keyboard.press("Backspace")
        expect(page.locator("#completions")).to_be_visible()
        page.keyboard.press("Escape")
        page.keyboard.press("Tab")
        expect(area).not_to_be_focused()  # the keyboard is not held
        area.focus()
        page.keyboard.type("s")
        page.evaluate(
            "() => { const at = editing.value.indexOf('Are you looking'); editing.setSelectionRange(at, at + 3); }"
        )
        page.keyboard.type("While")
        expect(page.locator("#ladders")).to_contain_text("While you looking")
        assert "no: question_again" in (project / path).read_text()
        page.get_by_role("button", name="Save").click()
        expect(page.locator("#saved")).to_have_text("saved")
        assert "no: quotes" in (project / path).read_text()


def test_what_is_typed_in_the_editor_stays_when_the_file_is_saved_elsewhere(browser, preview, changed):
    path = "templates/home-loan/tour.md"
    with opened(browser, f"{preview}/edit/{path}", expected="409 (Conflict)") as page:
        area = page.locator("#editing")
        expect(page.locator("#saves")).to_have_class(LIVE)
        changed(path, "{{ ask }}", "From elsewhere. {{ ask }}")
        expect(area).to_have_value(re.compile("From elsewhere"))
        area.press("Control+Home")
        page.keyboard.type("Mine. ")
        changed(path, "From elsewhere.", "Again from elsewhere.")
        expect(page.locator("#saved")).to_have_text(re.compile("changed elsewhere as well"))
        assert area.input_value().startswith("Mine. ")
        page.get_by_role("button", name="Save").click()
        expect(page.locator("#saved")).to_have_text(re.compile("copy your text"))
        page.evaluate("saved = editing.value")  # leave without a question


PAGES = (
    "see/home-loan/offer", "see/challenge/why?view=text", "see/home-loan/guide?view=headers", "play/free-guide?do=guide:yes",
    "play/home-loan?do=question:home&do=guide:yes&place=1", "edit/sequences/trial.yaml",
)  # fmt: skip


@pytest.mark.parametrize("screen", SCREENS)
def test_every_page_is_calm_fits_and_keeps_nobody_out(browser, preview, changed, screen):
    """What is broken is looked at too: a page without faults shows no list of them."""
    changed("templates/home-loan/offer.mjml", "{{ ask }}", "")
    own, wrong = SCREENS[screen], {}
    with opened(browser, preview, **own) as page:
        for path in PAGES:
            page.emulate_media(color_scheme=own["color_scheme"])
            page.goto(f"{preview}/{path}")
            found = [*faults_of(page), *([f"it moved by {moved}"] if (moved := page.evaluate(MOVED)) >= STILL else [])]
            page.emulate_media(color_scheme="dark" if own["color_scheme"] == "light" else "light")
            found += [f"in the other light, {one}" for one in faults_of(page, "color-contrast")]
            if page.evaluate("document.documentElement.scrollWidth") > own["viewport"]["width"]:
                found.append("it is wider than the screen")
            if found:
                wrong[path] = found
    assert wrong == {}


def test_a_dark_inbox_shows_no_light_strip_around_a_mail(browser, preview):
    """The spacers of the MJML layout stayed light in the dark."""
    for step in ("guide", "question"):
        with opened(browser, f"{preview}/mail/home-loan/{step}?dark=1", expected="404") as page:  # it has no icon
            light = page.evaluate(
                "() => [...document.querySelectorAll('body, body *')].filter(one => one.offsetHeight > 0).map("
                "one => getComputedStyle(one).backgroundColor).filter("
                "colour => colour.match(/\\d+/g).slice(0, 3).every(part => part > 200) && !colour.endsWith(', 0)'))"
            )
            assert light == [], step


def test_exported_pages_work_from_the_disk(browser, project, tmp_path):
    some = shutil.copytree(project, tmp_path / "project")
    for path in (some / "sequences").iterdir():
        if not path.name.startswith(("free-guide", "home-loan")):
            path.unlink()
    words = ["-C", str(some), "preview", "--export", str(tmp_path / "out")]
    subprocess.run([sys.executable, "-m", "nurture", *words], check=True, capture_output=True)
    window = browser.new_context()
    page, faults = window.new_page(), []
    page.on("pageerror", lambda fault: faults.append(str(fault)))
    page.goto((tmp_path / "out/index.html").as_uri())
    page.get_by_role("link", name="free-guide").click()
    page.locator("#steps a", has_text="worry").click()
    expect(page.frame_locator("#html").get_by_role("link", name="Saving never gets started")).to_be_visible()
    page.get_by_role("tab", name="source").click()
    expect(page.locator("#source")).to_contain_text("<!DOCTYPE html>")
    page.get_by_role("link", name="home-loan").click()
    expect(page.locator("#subject")).to_have_text("One quick question, Ann")
    assert faults == []
    window.close()
