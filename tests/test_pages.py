"""The pages for those who run the engine in a real browser: nothing in the console, nothing that moves, nothing that
keeps anyone out; in light and dark, on a phone and on a wide screen."""

from pathlib import Path

import pytest
from doors import PASSWORD, SETUP, House

from nurture.engine import access
from nurture.store.database import open_store

AXE = Path(__file__).parent.parent / ".node" / "node_modules" / "axe-core" / "axe.min.js"
PAGES = (
    "/", "/people", "/people/1", "/people/999", "/outbox", "/outbox?state=unknown", "/inbox", "/inbox/1", "/deploys",
    "/audit", "/settings", "/access", "/docs", "/password",
)  # fmt: skip
SCREENS = {
    "wide": {"viewport": {"width": 1440, "height": 900}, "color_scheme": "light"},
    "phone": {"viewport": {"width": 390, "height": 844}, "color_scheme": "dark"},
}
MOVED = """() => new Promise((done) => {
  let moved = 0;
  new PerformanceObserver((list) => { for (const one of list.getEntries()) moved += one.value; })
    .observe({ type: "layout-shift", buffered: true });
  requestAnimationFrame(() => requestAnimationFrame(() => done(moved)));
})"""


@pytest.fixture(scope="module")
def house(migrated, tmp_path_factory):
    path = tmp_path_factory.mktemp("pages") / "nurture.db"
    path.write_bytes(migrated.read_bytes())
    store = open_store(f"sqlite:///{path}")
    built = House(store)
    for name in ("ann", "ben"):
        built.subscribe(f"{name}@example.com", first_name="<b>Ann</b>", tags=("vip",))
    built.work()
    built.answer(built.mail("Question"), "auto")
    built.inbox.keep("postmark", {"x": "y"}, b"<svg onload=alert(1)>", built.now)
    built.work()
    with store.write() as tx:
        tx.exec_driver_sql("UPDATE message SET state = 'unknown' WHERE subscriber = 2")
    built.session = access.log_in(store, built.account("admin"), built.now)
    access.make_token(store, "shop", "read", access.LONGEST_TOKEN, by="admin@example.com", now=built.now)
    yield built
    built.close()
    store.close()


def opened(browser, house, screen, *, logged_in=True):
    context = browser.new_context(**SCREENS[screen])
    if logged_in:
        context.add_cookies([{"name": "nurture", "value": house.session, "url": house.address}])
    page = context.new_page()
    faults = []
    page.on("console", lambda said: faults.append(said.text) if said.type in ("error", "warning") else None)
    page.on("pageerror", lambda fault: faults.append(str(fault)))
    page.on("dialog", lambda dialog: faults.append(f"a dialog: {dialog.message}"))
    return page, faults


def faults_of(page):
    """What axe finds, in a line each."""
    assert AXE.is_file(), "the pages' tests need axe: .ci/editor fetches it"
    page.evaluate(AXE.read_text("utf-8"))
    found = page.evaluate("() => axe.run().then((found) => found.violations)")
    return [f"{one['id']}: {node['html'][:120]}" for one in found for node in one["nodes"]]


@pytest.mark.parametrize("screen", SCREENS)
def test_every_page_is_calm_fits_and_keeps_nobody_out(browser, house, screen):
    page, faults = opened(browser, house, screen)
    wrong = {}
    for path in PAGES:
        page.goto(house.address + path)
        found = faults_of(page)
        found += [f"it moved by {moved}"] if (moved := page.evaluate(MOVED)) else []
        if page.evaluate("document.documentElement.scrollWidth") > SCREENS[screen]["viewport"]["width"]:
            found.append("it is wider than the screen")
        if page.locator("h1").count() != 1:
            found.append("it has not one heading of its own")
        if path != "/people/999":  # the browser itself reports a 404
            found += faults
        faults.clear()
        if found:
            wrong[path] = found
    page.context.close()
    assert wrong == {}


@pytest.mark.parametrize("screen", SCREENS)
def test_the_way_in_is_calm_and_keeps_nobody_out(browser, house, screen):
    page, faults = opened(browser, house, screen, logged_in=False)
    page.goto(house.address)
    assert page.url.endswith("/login")
    assert faults_of(page) == []
    page.context.close()
    assert faults == []


def test_setting_up_looking_at_a_person_acting_and_leaving_by_hand(browser, migrated, tmp_path):
    path = tmp_path / "nurture.db"
    path.write_bytes(migrated.read_bytes())
    store = open_store(f"sqlite:///{path}")
    house = House(store)
    try:
        house.subscribe()
        house.work()
        house.answer(house.mail("Question"), "auto")
        page, faults = opened(browser, house, "wide", logged_in=False)
        page.goto(f"{house.address}/setup/{SETUP}")
        assert faults_of(page) == []
        page.get_by_label("Email address").fill("me@example.com")
        page.get_by_label("Password").fill(PASSWORD)
        page.get_by_role("button", name="Make the account").click()
        page.get_by_role("link", name="People").click()
        page.get_by_label("Address, or how it begins").fill("ann@example.com")
        page.get_by_role("button", name="Find").click()
        page.get_by_text("Do something about it").click()
        skip = page.locator("form", has=page.get_by_role("button", name="Skip the wait"))
        skip.get_by_label("Why").fill("she asked for it")
        skip.get_by_role("button").click()
        page.get_by_text("wait skipped by hand: she asked for it").first.wait_for()
        assert "/people/" in page.url
        house.work()
        assert house.subjects() == ["Question", "Offer"]
        page.get_by_role("button", name="Log out").click()
        page.get_by_role("heading", name="Log in").wait_for()
        page.goto(f"{house.address}/people")
        assert page.url.endswith("/login?next=/people")
        page.context.close()
        assert faults == []
    finally:
        house.close()
        store.close()
