"""Every page in a real browser, with a hundred thousand people and a million events in the database.

    .venv/bin/python -m benchmarks.pages [--database sqlite|postgresql|URL] [--people 100000]

Fills a fresh database, serves it, and opens each address of `nurture/web/doors.py` in Chromium as an admin. Of each it
prints the first visit and the worst of five more, from the request to the first byte. Each is also looked at on a wide
screen and a phone, in light and dark. Exits 1 when a page is slower than 300 ms, moves while it loads, says anything on
the console, breaks its own policy, or has a fault that axe finds.
"""

import argparse
import shutil
import sys
import tempfile
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import Thread
from time import perf_counter

import httpx
from playwright.sync_api import sync_playwright

from benchmarks.crowd import FIRST, fill
from benchmarks.machines import ROOT, postgres

sys.path.insert(0, str(ROOT / "tests"))

from doors import LADDER, House
from strangers import ACCOUNTS
from test_pages import (
    MOVED,
    PUSHED,
    SCREENS,
    STILL,
    addresses,
    faults_of,
    furnish,
    opened,
)

from nurture.store.database import open_store

LIMIT = 300
"""Milliseconds from the request to the first byte."""

VISITS = 5
SPLIT = LADDER.replace("no: end", "no: {split: {tour: 50%, end: 50%}}", 1)
WAITED = """() => { const [one] = performance.getEntriesByType("navigation"); return one.responseStart - one.requestStart; }"""
BROKEN = """addEventListener("securitypolicyviolation",
  (one) => console.error(`the policy forbids ${one.violatedDirective} ${one.blockedURI}`))"""
NO_TWIN = (
    "/login",
    "/password",
    "/docs",
    "/people/import",
    "/c/",
    "/q/",
    "/u/",
    "/r/",
    "/b/",
    "/signup/",
    "/leaderboard/",
)
COUNTING = "[role=status]:has-text('Counting')"


@dataclass
class Seen:
    """Milliseconds to the first byte of each visit, and what is wrong with the page."""

    first: float = 0.0
    again: list[float] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)


def more(person):
    """Addresses that only a long list makes interesting, and those which say the same for programs."""
    states = ("planned", "claimed", "sending", "sent", "delivered", "failed", "cancelled")
    yield from (f"/outbox?state={state}" for state in states)
    yield from (
        "/inbox?failed",
        f"/people/{person}",
        f"/people?after={person}",
        "/people?tag=vip",
        "/people?tag=nobody",
    )
    yield from (
        "/people?step=ladder.question",
        "/people?answer=ladder.question%3Dhome",
        "/people?answer=ladder.tour%3Dyes",
    )
    for said in ("no", "waiting", "yes&answer=home", "yes&answer=auto", "no&days=7"):
        yield f"/sequences/ladder/asked?step=question&said={said}"
    yield from ("/sequences/ladder?days=30", "/sequences/ladder?by=loan", "/sequences/ladder?by=tag&days=90")


def twin(path):
    at, _, query = path.partition("?")
    return f"{'/index' if at == '/' else at}.json{'?' if query else ''}{query}"


def is_report(path):
    return path.startswith("/sequences") and "/asked" not in path


def visit(page, seen, address):
    answer = page.goto(address)
    if answer.status != 200:
        seen.faults.append(f"it answers {answer.status}")
    return page.evaluate(WAITED)


def ask(page, home, path):
    """A first visit and those after it, of what is no page: the same for programs, a mail."""
    seen = Seen()
    seen.first = visit(page, seen, home + path)
    seen.again += [visit(page, seen, home + path) for _ in range(VISITS)]
    return seen


def measure(page, home, path):
    """The same of a page, and what of it moved."""
    seen = Seen()
    seen.first = visit(page, seen, home + path)
    counted = perf_counter()
    if page.locator(COUNTING).count():
        if page.evaluate(PUSHED):
            seen.faults.append("its heading moves while it counts")
        page.locator(COUNTING).wait_for(state="detached", timeout=120_000)  # it looks again by itself
    counted = perf_counter() - counted
    for _ in range(VISITS):
        seen.again.append(visit(page, seen, home + path))
        if (moved := page.evaluate(MOVED)) >= STILL:
            seen.faults.append(f"it moves by {moved:.3f}")
    return seen, counted


def look(page, screen):
    """What axe finds, in light and dark."""
    own, other = ("light", "dark") if SCREENS[screen]["color_scheme"] == "light" else ("dark", "light")
    page.emulate_media(color_scheme=other)
    found = [f"{screen}, {other}: {one}" for one in faults_of(page, "color-contrast")]
    page.emulate_media(color_scheme=own)
    found += [f"{screen}, {own}: {one}" for one in faults_of(page)]
    width = SCREENS[screen]["viewport"]["width"]
    if page.evaluate("document.documentElement.scrollWidth") > width:
        found.append(f"{screen}: it is wider than {width} px")
    return found


def find(page, home):
    """The list of those whose address begins so: a form, as addresses stand in no URL."""
    seen = Seen()
    for turn in range(VISITS + 1):
        page.goto(f"{home}/people")
        page.get_by_label("Address, or how it begins").fill("person99")
        with page.expect_navigation():
            page.get_by_role("button", name="Find").click()
        waited = page.evaluate(WAITED)
        if turn:
            seen.again.append(waited)
        else:
            seen.first = waited
    seen.faults += look(page, "wide")
    return seen


@contextmanager
def counting(house):
    """Meanwhile a report is counted, again and again."""
    going = True

    def count():
        with httpx.Client(base_url=house.address, cookies={"nurture": house.session}, timeout=120) as web:
            while going:
                web.get("/sequences/ladder.json")

    thread = Thread(target=count)
    thread.start()
    try:
        yield
    finally:
        going = False
        thread.join()


def every(browser, house, people, only):
    """Each page with what was seen of it."""
    home, person = house.address, FIRST + people // 2
    paths = [path for path in (*addresses(house), *more(person)) if only in path]
    pages = {screen: opened(browser, house, screen) for screen in SCREENS}
    for page, _ in pages.values():
        page.add_init_script(BROKEN)
    wide, said = pages["wide"]
    for path in paths:
        seen, counted = measure(wide, home, path)
        seen.faults += look(wide, "wide")
        phone, said_there = pages["phone"]
        seen.again.append(visit(phone, seen, home + path))
        seen.faults += [f"on a phone it moves by {moved:.3f}"] if (moved := phone.evaluate(MOVED)) >= STILL else []
        seen.faults += look(phone, "phone") + said + said_there
        said.clear()
        said_there.clear()
        yield path, seen
        if counted > 1:
            print(f"{'':18}its numbers were there after {counted:.1f} s")
    yield "/people/find (a form)", find(wide, home)
    yield "/outbox/{id}/shown", ask(wide, home, f"/outbox/{house.mail('Question', 'ben@example.com').id}/shown")
    for path in paths:
        if not path.startswith(NO_TWIN) and not is_report(path):
            yield twin(path), ask(wide, home, twin(path))
    with counting(house):
        for path in ("/", "/people", "/outbox", f"/people/{person}", "/sequences/ladder", "/sequences/ladder?days=30"):
            yield f"{path} (while a report is counted)", measure(wide, home, path)[0]


@contextmanager
def database(named):
    if named == "postgresql":
        with postgres() as url:
            yield url
    elif named == "sqlite":
        with tempfile.TemporaryDirectory(prefix="nurture-pages-") as folder:
            yield f"sqlite:///{Path(folder)}/pages.db"
    else:
        yield named


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--people", type=int, default=100_000)
    parser.add_argument("--database", default="sqlite", help="sqlite, postgresql, or the URL of an empty database")
    parser.add_argument("--only", default="", help="the pages whose address has this in it")
    options = parser.parse_args()
    with ExitStack() as stack:
        store = open_store(stack.enter_context(database(options.database)))
        stack.callback(store.close)
        house = House(store, ladder=SPLIT, accounts=ACCOUNTS)
        stack.callback(house.close)
        furnish(house, SPLIT)
        began = perf_counter()
        fill(store, options.people, house.deployed.sequences["ladder"], house.now)
        print(
            f"{store.dialect}: {options.people:,} people, {options.people * 10:,} events ({perf_counter() - began:.0f} s)"
        )
        chromium = next(filter(None, map(shutil.which, ("chromium-headless-shell", "chromium", "google-chrome"))), None)
        playwright = stack.enter_context(sync_playwright())
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        stack.callback(browser.close)
        print("first visit   worst of the next")
        broken, worst = 0, ("", 0.0)
        for path, seen in every(browser, house, options.people, options.only):
            slowest = max(seen.again)
            worst = max(worst, (path, slowest), key=lambda one: one[1])
            faults = [*seen.faults, *([f"it took {slowest:.0f} ms"] if slowest > LIMIT else [])]
            broken += bool(faults)
            print(f"{seen.first:8.0f} ms {slowest:8.0f} ms   {path}", flush=True)
            for fault in dict.fromkeys(faults):
                print(f"{'':18}{fault}")
        print(f"the slowest: {worst[0]}, {worst[1]:.0f} ms; pages with a fault: {broken}")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
