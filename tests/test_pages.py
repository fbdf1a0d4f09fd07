"""The pages for those who run the engine in a real browser: nothing in the console, nothing that moves, nothing that
keeps anyone out; in light and dark, on a phone and on a wide screen."""

import re
from datetime import timedelta
from html import unescape
from pathlib import Path

import pytest
import strangers
from doors import LADDER, PASSWORD, SETUP, House, csrf
from stage import LINKS
from starlette.routing import Route, compile_path
from test_badges import BODY
from test_badges import LADDER as BADGES
from test_referrals import INVITE, comes, link_of
from test_referrals import LADDER as BRING
from test_signup import FORMS

from nurture.cli.operating import settings_shown
from nurture.cli.project import At
from nurture.engine import access
from nurture.store import friends, people
from nurture.store.database import open_store
from nurture.web.app import application
from nurture.web.doors import ROWS

AXE = Path(__file__).parent.parent / ".node" / "node_modules" / "axe-core" / "axe.min.js"
ASKS = {
    "form": "form: about_you, label: Begin, pages: [{fields: [{choice: What for?, answers: {home: A home, auto: A car}, "
    f"save: loan}}, {{number: How many?, save: seats}}]}}, {{fields: [{{date: When?, save: renewal}}, {strangers.TYPED}]}}]",
    "tour": "watch: Watch the tour, to: files/tour.mp4, at_least: 50%",
    "film": "watch: Watch the film, to: 'https://videos.example.com/film'",
    "list": "download: list.pdf, label: Get the list",
}
FILES = {
    "files/tour.mp4": bytes(2048), "files/list.pdf": b"%PDF-1.4",
    "people.yaml": strangers.PEOPLE + FORMS.replace(b", start: ladder", b""), "templates/invite.md": INVITE,
    "templates/shown.md": BODY.encode(), "templates/offer.md": b"{{ offer.deadline }}\n\n{{ ask }}\n",
}  # fmt: skip
ONE = """\
start: {event: cart_added}
from: Ada <ada@example.com>
within: 3 days
steps:
  only: {subject: STEP, template: TEMPLATE, send: now, ask: {ASK}, no: end}
"""
OFFER = "buy: review, price: 99 GBP, to: 'https://shop.example.com', expires: 2 hours"
NOT_SEEN = {
    "/healthz", "/metrics", "/pages/{file}", "/hooks/{provider}", "/w/{token}", "/o/{token}.png", "/b/{look}.png", "/index", "/openapi",
    "/logout", "/people/find", "/people/export", "/people/{id}/act", "/people/{id}/erase", "/people/{id}/seen-to",
    "/people/{id}/export", "/people/{id}/friend",
    "/outbox/settle", "/outbox/{id}/shown", "/inbox/{id}/replay", "/access/accounts", "/access/accounts/remove", "/access/tokens",
    "/access/tokens/remove", "/api/subscribers", "/api/subscribers/{email}", "/api/subscribers/{email}/export",
    "/api/events", "/api/offers/{code}", "/api/offers/{code}/redeem",
}  # fmt: skip
"""Addresses for programs, of pictures, files and mails, and of what a form does."""

CSV = f"email,first_name,shoes\nnew@example.com,{strangers.script('cell')},41\n{strangers.script('bad')},Ned,2\n"
SCREENS = {
    "wide": {"viewport": {"width": 1440, "height": 900}, "color_scheme": "light"},
    "phone": {"viewport": {"width": 390, "height": 844}, "color_scheme": "dark"},
}
STILL = 0.02
"""How much a page may move while it loads."""

MOVED = """() => new Promise((done) => {
  let moved = 0;
  new PerformanceObserver((list) => { for (const one of list.getEntries()) moved += one.value; })
    .observe({ type: "layout-shift", buffered: true });
  requestAnimationFrame(() => requestAnimationFrame(() => done(moved)));
})"""

PUSHED = """() => {
  const heading = document.querySelector("h1");
  const before = heading.getBoundingClientRect().top;
  const rest = [...document.querySelectorAll("body *")]
    .filter((one) => heading.compareDocumentPosition(one) === Node.DOCUMENT_POSITION_FOLLOWING);
  const shown = rest.map((one) => one.style.display);
  for (const one of rest) one.style.display = "none";
  const after = heading.getBoundingClientRect().top;
  rest.forEach((one, at) => { one.style.display = shown[at]; });
  return after - before;
}"""
"""How far the heading stands from its place while what follows it has not come yet, as on a slow line."""


@pytest.fixture(scope="module")
def house(migrated, tmp_path_factory):
    path = tmp_path_factory.mktemp("pages") / "nurture.db"
    path.write_bytes(migrated.read_bytes())
    store = open_store(f"sqlite:///{path}")
    built = House(store, accounts=strangers.ACCOUNTS, settings=settings_shown(At(path.parent)))
    furnish(built)
    yield built
    built.close()
    store.close()


def furnish(built, ladder=LADDER):
    """Someone on every kind of page."""
    asks = {**ASKS, "course": OFFER, "reply": strangers.REPLY}
    built.deploy(
        {"ladder": ladder, "bring": BRING, "loans": BADGES.replace("TEMPLATE", "shown.md")}
        | {
            name: ONE.replace("ASK", ask)
            .replace("STEP", name)
            .replace("TEMPLATE", "offer.md" if "buy" in ask else "body.md")
            for name, ask in asks.items()
        },
        FILES,
    )
    for name in ("ann", "ben"):
        built.subscribe(f"{name}@example.com", first_name="<b>Ann</b>", tags=("vip",))
    for name in (*asks, "bring", "loans"):
        built.subscribe(f"{name}@example.com", sequence=name)
    built.work()
    own = link_of(built, "bring@example.com")
    comes(built, "friend@example.com", link=own, device=own, answers=False)  # the checks refuse this one
    strangers.come(built)
    built.answer(built.mail("Question"), "auto")
    built.answer(built.mail("Which?", "loans@example.com"), "home")
    built.inbox.keep("postmark", {"x": "y"}, b"<svg onload=alert(1)>", built.now)
    built.work()
    built.now += timedelta(hours=3)  # the offer is over
    with built.store.write() as tx:
        tx.exec_driver_sql("UPDATE message SET state = 'unknown' WHERE subscriber = 2")
    built.session = access.log_in(built.store, built.account("admin"), built.now)
    access.make_token(built.store, "shop", "read", access.LONGEST_TOKEN, by="admin@example.com", now=built.now)


def hand_in(house):
    """Hand in a list of people; gives the page that shows what it would do."""
    admin = house.client()
    admin.cookies.set("nurture", house.session)
    files = {"file": (f"{strangers.script('file')}.csv", CSV)}
    return admin.post("/people/import", data={"csrf": csrf(admin)}, files=files).headers["location"]


def addresses(house):
    """Every address that a person sees, by its row in the table of doors."""
    links = {
        mail.to.partition("@")[0]: found[1]
        for mail in house.delivered
        if (found := re.search(r"https://go\.example\.com(/[cq]/[^\s\"<)]+)", mail.text))
    }
    badges = re.findall(r"https://go\.example\.com(/b/[^\s\"<)]+)", house.delivered[-1].text)
    with house.store.read() as tx:
        inviting, friend = (people.by_email(tx, f"{name}@example.com").id for name in ("bring", "friend"))
        friendly = friends.of_people(tx, [inviting])[inviting, "bring"].id
    question = house.mail("Question", "ben@example.com")
    seen = {
        "/": ["/"], "/login": ["/login"], "/password": ["/password"], "/sequences": ["/sequences"],
        "/sequences/{name}": ["/sequences/ladder"],
        "/sequences/{name}/asked": ["/sequences/ladder/asked?step=question&said=yes"],
        "/people": ["/people"], "/people/import": ["/people/import"],
        "/people/import/{key}": [hand_in(house)], "/people/{id}": [f"/people/{inviting}", f"/people/{friend}"],
        "/outbox": ["/outbox", "/outbox?state=unknown"], "/outbox/{id}": [f"/outbox/{question.id}"],
        "/inbox": ["/inbox"], "/inbox/{id}": ["/inbox/1"],
        "/deploys": ["/deploys"], "/audit": ["/audit"], "/settings": ["/settings"], "/access": ["/access"],
        "/signup/{name}": ["/signup/news"], "/r/{token}": [f"/r/{friendly}"], "/leaderboard/{name}": ["/leaderboard/bring"],
        "/b/{token}": badges, "/docs": ["/docs"], "/c/{token}": [links["course"]], "/u/{token}": [_path(LINKS.unsubscribe(question.id))],
        "/q/{token}": [
            links["ann"], _path(LINKS.choice(question.id, "home")),
            *(links[name] for name in ASKS), links["bring"], f"{links['form']}?page=2",
        ],
    }  # fmt: skip
    missing = {row.path for row in ROWS if row.path not in NOT_SEEN} - set(seen) - {"/setup/{token}"}
    assert (missing, all(seen.values())) == (set(), True), "pages that nobody looks at here"
    return [one for some in seen.values() for one in some]


def _path(link):
    return link.removeprefix("https://go.example.com")


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


def faults_of(page, *rules):
    """What axe finds, in a line each; by these rules alone when some are named."""
    assert AXE.is_file(), "the pages' tests need axe: .ci/npm fetches it"
    if not page.evaluate("'axe' in window"):
        page.evaluate(AXE.read_text("utf-8"))
    found = page.evaluate(
        "(rules) => axe.run({ ...(rules.length && { runOnly: rules }), resultTypes: ['violations'] })"
        ".then((found) => found.violations)",
        list(rules),
    )
    return [f"{one['id']}: {node['html'][:120]}" for one in found for node in one["nodes"]]


def laid_out(page, answer, width):
    """What is wrong with how a page that has just come stands there."""
    found = [f"it moved by {moved}"] if (moved := page.evaluate(MOVED)) >= STILL else []
    if page.evaluate("document.documentElement.scrollWidth") > width:
        found.append("it is wider than the screen")
    if page.locator("h1").count() != 1:
        found.append("it has not one heading of its own")
    elif pushed := page.evaluate(PUSHED):
        found.append(f"what comes after the heading moves it by {pushed} px")
    return found + ([] if answer.status == 200 else [f"it answers {answer.status}"])


@pytest.mark.parametrize("half", (0, 1))
def test_every_page_is_calm_fits_and_keeps_nobody_out(browser, house, half):
    """It comes once for each screen; axe comes once, as it is brought to a page at more cost than it looks with."""
    page, faults = opened(browser, house, "wide")
    lights = {"light": "dark", "dark": "light"}
    wrong = {}
    for path in [*addresses(house), "/people/999"][half::2]:
        found = []
        for name in reversed(SCREENS):
            screen = SCREENS[name]
            page.set_viewport_size(screen["viewport"])
            page.emulate_media(color_scheme=screen["color_scheme"])
            answer = page.goto(house.address + path)
            if path != "/people/999":  # which is not there, and a browser itself reports a 404
                found += [f"{name}: {one}" for one in [*laid_out(page, answer, screen["viewport"]["width"]), *faults]]
            faults.clear()
        for name, screen in SCREENS.items():
            page.set_viewport_size(screen["viewport"])
            page.emulate_media(color_scheme=screen["color_scheme"])
            found += [f"{name}: {one}" for one in faults_of(page)]
            page.emulate_media(color_scheme=lights[screen["color_scheme"]])
            found += [f"{name}, in the other light: {one}" for one in faults_of(page, "color-contrast")]
        found += faults
        faults.clear()
        if found:
            wrong[path] = found
    page.context.close()
    assert not wrong, "\n".join(f"{path}: {one}" for path, found in wrong.items() for one in found)


def test_every_page_leads_to_its_twin_and_no_page_to_one_that_is_not_there(house):
    admin = house.client()
    admin.cookies.set("nurture", house.session)
    routes = [route.path for route in application(house.site).routes if isinstance(route, Route)]
    left = {compile_path(path)[0] for path in routes if path.endswith(".json")}
    for path in [*addresses(house), "/people/999"]:
        for link in re.findall(r'href="([^"]+\.json[^"]*)"', admin.get(path).text):
            twin = admin.get(unescape(link))
            assert twin.json().get("format", "nurture.").startswith("nurture."), (path, link)
            left = {one for one in left if not one.match(unescape(link).partition("?")[0])}
    assert left == set(), "twins that no page leads to"
    form = {"csrf": csrf(admin), "email": "a"}
    assert ".json" not in admin.post("/people/find", data=form).text  # what was typed stands in no address


def test_what_strangers_write_is_words_on_every_page(browser, house):
    page, faults = opened(browser, house, "wide")
    shown = set()
    for path in (*strangers.where(house), "/outbox", "/people", "/audit", hand_in(house)):
        assert page.goto(house.address + path).status == 200, path
        assert page.locator("svg[onload], script:not([src])").count() == 0, path
        shown |= strangers.fields_in(page.locator("body").inner_text())
    page.context.close()
    assert faults == [], "a script ran, or was kept from it by nothing but our policy"
    assert shown == strangers.SHOWN


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
