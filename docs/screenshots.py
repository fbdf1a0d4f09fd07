"""The pictures of the docs, taken of what really runs: `python docs/screenshots.py` in the project's own environment."""

from __future__ import annotations

import random
import re
import shutil
import subprocess
import sys
import tempfile
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

from PIL import Image
from playwright.sync_api import sync_playwright

from nurture.engine import access
from nurture.engine.applying import deploy_if_safe
from nurture.engine.demo import Crowd, FastTime, crowd
from nurture.engine.deploy import Current, read_folder
from nurture.engine.inbox import Inbox
from nurture.engine.rules import Rules
from nurture.engine.run import Engine, running
from nurture.mail.links import Links, Signer
from nurture.providers import PROVIDERS
from nurture.providers.base import Account
from nurture.store import enrollments, events, listing, messages
from nurture.store.database import Store, open_store
from nurture.store.listing import Wanted
from nurture.web.app import build
from nurture.web.serve import address, listen, serving
from nurture.web.site import Site

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from playwright.sync_api import Browser, Page

DOCS = Path(__file__).parent
WINDOW = {"width": 1400, "height": 860}
COLOURS = 144
"""Enough for pages of ours; a picture is to load fast."""

PREVIEW: Mapping[str, str] = {
    "preview.png": "/see/home-loan/question",
    "play.png": "/play/home-loan?do=question:home&do=guide:yes,5%20hours",
    "edit.png": "/edit/sequences/home-loan.yaml",
}
DEMO_SPEED, KEPT = 14_400, 60
"""Seconds of the demo in one of ours, and promises that were kept by when its picture is taken."""

PATIENCE = 120_000
"""Milliseconds: a busy machine is slow, and the picture is the same."""

START = datetime(2026, 6, 1, 6, 0, tzinfo=UTC)
PEOPLE, SEED, DAYS, HOURS_A_SECOND = 300, 7, 12, 4
LATE = timedelta(hours=2)


def main() -> None:
    """Take every picture again."""
    program = next(filter(None, map(shutil.which, ("chromium-headless-shell", "chromium", "google-chrome"))), None)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        demo(browser)
        preview(browser)
        pages(browser)
        browser.close()


@contextmanager
def started(*words: str) -> Iterator[str]:
    """The address of what `nurture` serves with these words, for as long as it is looked at."""
    command = [sys.executable, "-m", "nurture", "-C", str(DOCS.parent), *words, "--no-browser", "--port", "0"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    try:
        found = re.search(r"http://[\d.:]+\d", process.stderr.readline())
        assert found, f"nurture {words[0]} did not start"
        yield found[0]
    finally:
        process.terminate()
        process.wait()


def demo(browser: Browser) -> None:
    """Some days into the demo, with the visitor's first mail open."""
    with started("demo") as home:
        page = browser.new_page(viewport=WINDOW)
        page.set_default_timeout(PATIENCE)
        page.goto(f"{home}/demo")
        page.locator(f"[data-speed='{DEMO_SPEED}']").click()
        page.wait_for_function(
            "least => Number(document.querySelector('[data-total=kept]').textContent) >= least", arg=KEPT
        )
        page.locator("[data-speed='0']").click()
        page.locator("#mails button", has_text="One quick question").last.click()
        page.frame_locator("#html").locator("a.choice").first.wait_for()
        page.mouse.move(0, 0)
        page.wait_for_timeout(1000)  # what arrives is pale for a moment
        take(page, "demo.png")


def preview(browser: Browser) -> None:
    with started("preview") as home:
        page = browser.new_page(viewport=WINDOW)
        for name, path in PREVIEW.items():
            page.goto(home + path)
            page.locator(".saves.live").wait_for()
            page.wait_for_load_state("networkidle")
            if name == "edit.png":
                begin_a_word(page)
            take(page, name)


def begin_a_word(page: Page) -> None:
    """In the editor, so that it offers what can stand there and says what is wrong until one takes it."""
    page.evaluate(
        "() => { const at = editing.value.indexOf('question_again'); editing.setSelectionRange(at, at + 14); }"
    )
    page.locator("#editing").press_sequentially("qu")
    page.locator("#completions li").first.wait_for()
    page.locator("#faults mark").first.wait_for()


def pages(browser: Browser) -> None:
    """The pages of an engine that the demo's people have been with for some days."""
    with tempfile.TemporaryDirectory(prefix="nurture-pictures-") as folder, ExitStack() as stack:
        store = open_store(f"sqlite:///{folder}/pictures.db")
        stack.callback(store.close)
        time = FastTime(START, HOURS_A_SECOND * 3600)
        deploy_if_safe(store, read_folder(DOCS.parent), START)
        listening = stack.enter_context(listen("127.0.0.1", 0))
        own = address(listening)
        links = Links(own, own, Signer(["a key for pictures only, long enough"]))
        rules = Rules(zone="Europe/London", postal_address="1 Example Street", timeout=timedelta(days=10))
        engine = Engine(
            store, Current(store, rules), links, PROVIDERS["outbox"], Account("outbox"),
            every=timedelta(milliseconds=200), senders=2, now=time,
        )  # fmt: skip
        inbox = Inbox(store)
        stack.callback(inbox.close)
        everyone = crowd(PEOPLE, random.Random(SEED))
        with running(engine, {"people": Crowd(engine, inbox, everyone, SEED).act}):
            while time() < START + timedelta(days=DAYS) and not engine.stop.wait(0.2):
                time.run_at(0 if behind(store, time() - LATE) else HOURS_A_SECOND * 3600)
            time.run_at(0)
            while behind(store, time()) and not engine.stop.wait(0.2):
                pass
        site = Site(store, engine.current, links, inbox, {}, time)
        where = stack.enter_context(serving(build(site), listening))
        password = "a picture of a page of ours"
        access.add_first(store, "ada@example.com", password, time())
        page = browser.new_page(viewport=WINDOW)
        page.goto(f"{where}/login")
        page.get_by_label("Email address").fill("ada@example.com")
        page.get_by_label("Password").fill(password)
        page.get_by_role("button", name="Log in").click()
        for name, path, what in pictures(someone(store, time())):
            page.goto(f"{where}{path}", wait_until="networkidle")
            page.get_by_text("Counting a long list").wait_for(state="detached")
            if what:
                page.locator(what).scroll_into_view_if_needed()
                page.locator(what).evaluate("one => window.scrollTo(0, one.offsetTop - 20)")
            take(page, name)


def behind(store: Store, moment: datetime) -> bool:
    """Whether something was due before this moment: on a slow machine time waits for the engine."""
    with store.read() as tx:
        dues = (enrollments.peek(tx), events.peek(tx), messages.next_due(tx))
    return any(due is not None and due < moment for due in dues)


def someone(store: Store, now: datetime) -> int:
    """Who has answered most of those who wait for a mail that is not due yet."""
    with store.read() as tx:
        everyone = [one.id for one in listing.people_after(tx, Wanted(), 0, PEOPLE)]
        places = [place for place, _ in enrollments.of_people(tx, everyone, lock=False)]
    waiting = [one for one in places if one.phase == "waiting" and one.due_at is not None and one.due_at > now]
    return max(waiting, key=lambda one: len(one.answers)).subscriber


def pictures(person: int) -> Iterator[tuple[str, str, str]]:
    """Name, address, and to what the page is scrolled."""
    yield "now.png", "/", ""
    yield "report.png", "/sequences/home-loan", ""
    yield "ladder.png", "/sequences/home-loan", "#ladder"
    yield "person.png", f"/people/{person}", ""


def take(page: Page, name: str) -> None:
    seen = Image.open(BytesIO(page.screenshot())).convert("RGB")
    seen.quantize(COLOURS, dither=Image.Dither.NONE).save(DOCS / name, optimize=True)
    print(f"{DOCS / name}  {(DOCS / name).stat().st_size // 1000} KB")


if __name__ == "__main__":
    main()
