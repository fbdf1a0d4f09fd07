"""The page of a sequence: the numbers of the report, its twin, the people behind a bar, and pages that do not wait."""

import re
import shutil
import sys
from datetime import timedelta
from html import unescape
from threading import Event as Signal

import pytest
from doors import House
from stage import MONDAY
from test_pages import SCREENS, faults_of, opened
from test_report import ANN, BEN, CEM, HOLDOUT, four_people

from benchmarks.reports import NAME, fill
from nurture.engine import access
from nurture.engine.measuring import ALL
from nurture.engine.respondents import respondents
from nurture.store.database import open_store
from nurture.web.counting import FRESH, YIELDS, Counting

SCRIPT = "<script>alert(1)</script>"
SHIFTS = """new Promise(tell => {
  new PerformanceObserver(seen => tell(seen.getEntries().length)).observe({type: 'layout-shift', buffered: true});
  setTimeout(() => tell(0), 200);
})"""
RANGE = ("difference", "low", "high")
STRANGER = '"><img src=x onerror=alert(1)>'


@pytest.fixture(scope="module")
def house(migrated, tmp_path_factory):
    """Four people went through a ladder that keeps nobody out in fact, and a stranger gave themselves an odd name."""
    path = tmp_path_factory.mktemp("page") / "nurture.db"
    shutil.copy(migrated, path)
    store = open_store(f"sqlite:///{path}")
    built = House(store)
    ladder = HOLDOUT.replace("question: 50%, end: 50%", "question: 99%, end: 1%")
    built.deploy({"ladder": ladder.replace("title: A ladder", f"title: {SCRIPT}")})
    four_people(built)
    built.subscribe("odd@example.com", first_name=STRANGER)
    built.work()
    yield built
    built.close()
    store.close()


@pytest.fixture(scope="module")
def viewer(house):
    return house.browser("view")


def counted(viewer, path, **params):
    """A page with its numbers: the twin waits for them, and on a busy machine the page does not."""
    viewer.get(f"{path}.json", params=params)
    return viewer.get(path, params=params)


def numbers(page):
    """What the page says below each bar, by ask."""
    asks = re.findall(r"<h3>(\w+)</h3>.*?<p class=\"said\">(.*?)</p>", page, re.DOTALL)
    return {step: [int(n) for n in re.findall(r"(\d+) (?:asked|yes|waiting|no)<", said)] for step, said in asks}


def test_the_page_and_its_twin_say_the_same(viewer):
    page, twin = counted(viewer, "/sequences/ladder"), viewer.get("/sequences/ladder.json").json()
    assert twin["format"] == "nurture.report/1"
    assert numbers(page.text) == {
        step["step"]: [step[said] for said in ("asked", "yes", "waiting", "no")] for step in twin["steps"]
    }
    assert numbers(page.text)["question"] == [5, 3, 2, 0]
    went_on = [int(number) for number in re.findall(r"(\d+) went on to a later ask", page.text)]
    assert went_on == [step["went_on"] for step in twin["steps"][:-1]] == [2, 1]
    assert twin["lift"][0]["split"] == "question 99%, end 1%"
    assert "Nothing can be said yet" in page.text


def test_the_drawing_has_who_stands_where_and_how_many_took_each_way(viewer):
    page = counted(viewer, "/sequences/ladder").text
    assert re.search(r'data-count="offer"[^>]*>(\d*)<', page)[1] == ""  # Ann bought, nobody is at the offer
    ways = dict(re.findall(r'data-from="(\w+)" data-to="([\w-]+)">', page))
    taken = {
        (source, target): int(number)
        for source, target, number in re.findall(
            r'data-from="(\w+)" data-to="([\w-]+)">.*?class="taken"[^>]*>(\d+)<', page, re.DOTALL
        )
    }
    assert ways.keys() >= {"start", "question", "again", "tour", "offer"}
    assert taken["start", "question"] == 5
    assert taken["question", "again"] == 2  # Cem and Dia
    assert taken["question", "tour"] == 1  # Ann
    assert taken["question", "end-question-yes"] == 1  # Ben
    assert taken["again", "tour"] == 1  # Cem, after the second mail
    assert taken["offer", "goal-reached"] == 1  # Ann


def test_a_bar_leads_to_its_people(viewer):
    page = counted(viewer, "/sequences/ladder").text
    for said, people in (("yes", [CEM, BEN, ANN]), ("no", []), ("waiting", ["odd@example.com", "dia@example.com"])):
        assert f"/sequences/ladder/asked?step=question&said={said}" in page.replace("&amp;", "&")
        twin = viewer.get("/sequences/ladder/asked.json", params={"step": "question", "said": said}).json()
        assert [one["email"] for one in twin["people"]] == people
        shown = viewer.get("/sequences/ladder/asked", params={"step": "question", "said": said})
        assert all(email in shown.text for email in people)
    home = viewer.get("/sequences/ladder/asked.json", params={"step": "question", "said": "yes", "answer": "home"})
    assert [one["email"] for one in home.json()["people"]] == [CEM, ANN]


@pytest.mark.parametrize(("said", "people"), [("yes", [CEM, BEN, ANN]), ("no", [])])
def test_of_a_very_long_list_a_page_looks_at_some_and_the_next_goes_on_from_there(house, said, people):
    sequence, found, before, pages = house.deployed.sequences["ladder"], [], None, 0
    while before is not None or not pages:
        page = respondents(house.store, sequence, "question", said, period=ALL, before=before, most=1)
        found += [one["email"] for one in page["people"]]
        before, pages = page["next"], pages + 1
    assert found == people
    assert pages > 3


def test_a_period_and_groups_are_chosen_in_the_address(viewer, house):
    page = counted(viewer, "/sequences/ladder", days="7", by="loan")
    assert 'aria-current="page">7 days' in page.text
    assert "the period before" in page.text
    assert re.search(r'<th scope="row">auto</th><td class="number">2</td>', page.text)
    assert viewer.get("/sequences/ladder", params={"days": "x", "by": "shoes"}).status_code == 200
    assert (
        viewer.get("/sequences/ladder.json", params={"days": "7"})
        .json()["since"]
        .startswith(f"{house.now - timedelta(days=7):%Y-%m-%d}")
    )


def test_what_is_not_there_is_not_found(viewer, house):
    for path in (
        "/sequences/nothing", "/sequences/nothing.json", "/sequences/ladder/asked?step=nothing&said=yes",
        "/sequences/ladder/asked?step=again&said=yes", "/sequences/ladder/asked?step=question&said=perhaps",
    ):  # fmt: skip
        assert viewer.get(path).status_code == 404, path
    assert "ladder" in viewer.get("/sequences").text
    assert viewer.get("/sequences.json").json()["sequences"][0]["goal"] == 1
    assert house.nobody.get("/sequences/ladder", follow_redirects=False).status_code in (302, 303, 401)


def test_in_a_browser_nothing_is_wrong_and_no_stranger_runs_a_script(house, viewer, browser):
    faults = []
    counted(viewer, "/sequences/ladder", days="30", by="first_name")
    for width in (390, 1280):
        context = browser.new_context(viewport={"width": width, "height": 800})
        context.add_cookies(
            [{"name": cookie.name, "value": cookie.value, "url": house.address} for cookie in viewer.cookies.jar]
        )
        page = context.new_page()
        page.on("console", lambda said: faults.append(said.text))
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on("dialog", lambda dialog: faults.append(dialog.message))
        page.goto(f"{house.address}/sequences/ladder?days=30&by=first_name")
        assert page.locator("h1").inner_text().startswith(SCRIPT)
        assert page.get_by_text(STRANGER).count() == 1
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        assert page.evaluate(SHIFTS) == 0
        page.locator(".bar a.yes").first.click()
        assert page.locator("h1").inner_text() == "question: yes"
        assert page.get_by_text(ANN).count() == 1
    assert faults == []


# --- what two thousand people have shown

ARMS = "tour 50%, offer 50%"


@pytest.fixture(scope="module")
def grown(migrated, tmp_path_factory):
    """Two thousand imagined people, a tenth of them kept out; after the guide a lot chose between two ways."""
    path = tmp_path_factory.mktemp("grown") / "nurture.db"
    shutil.copy(migrated, path)
    store = open_store(f"sqlite:///{path}")
    built = House(store)
    fill(store, 2_000, 0)
    with store.write() as tx:
        tx.exec_driver_sql(
            "INSERT INTO event (at, received_at, kind, message, enrollment, subscriber, sequence, step, provider, url, reason, detail) "
            "SELECT at + 1, at + 1, 'bought', '', enrollment, subscriber, '', '', '', '', 'review', "
            """'{"product": "review", "amount": 50, "currency": "GBP"}' FROM event """
            "WHERE kind = 'drawn' AND reason = 'question' AND subscriber % 20 = 0"
        )
        tx.exec_driver_sql(
            "INSERT INTO event (at, received_at, kind, message, enrollment, subscriber, sequence, step, provider, url, reason, detail) "
            "SELECT at, at, 'drawn', '', enrollment, subscriber, sequence, 'guide', '', '', "
            "CASE WHEN subscriber % 2 = 0 THEN 'tour' ELSE 'offer' END, "
            f"""'{{"way": "yes", "split": "{ARMS}"}}' FROM event WHERE kind = 'kept' AND step = 'guide'"""
        )
    yield built
    built.close()
    store.close()


def words(html):
    """What a page says, without its markup."""
    return re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]+>", " ", html)).replace("\u00a0", " "))


def test_what_a_holdout_and_a_split_have_shown_stands_on_the_page_as_it_was_measured(grown):
    viewer = grown.browser("view")
    where = f"/sequences/{NAME}"
    said = words(counted(viewer, where, days="90", by="first_source").text)
    twin = viewer.get(f"{where}.json", params={"days": "90", "by": "first_source"}).json()
    control, arms = twin["lift"]
    assert (control["control"], arms["control"], arms["split"]) == (True, False, ARMS)
    assert control["against"][0]["goal_rate"]["shown"], "or the purchases here are too few to be seen"
    assert re.search(r"The ladder sells [\d.]+ to [\d.]+ points more than asking nothing; you can trust this\.", said)
    assert re.search(r"about [\d,]+ more people are needed", said)
    for pair in (control["against"][0], arms["against"][0]):
        assert pair["says"] in said
        goals, paid = pair["goal_rate"], pair["paid_each"]
        assert "{:+.1f} ({:+.1f} to {:+.1f} points)".format(*(100 * goals[one] for one in RANGE)) in said
        assert "{:+.2f} ({:+.2f} to {:+.2f} GBP)".format(*(paid[one] for one in RANGE)) in said
    for arm in (*control["arms"], *arms["arms"]):
        name = f"{arm['arm']} no mail" if arm["arm"] == "end" else arm["arm"]
        row = f"{name} {arm['people']:,} {arm['goals']:,} {arm['goal_rate']:.1%} {arm['paid']:,.2f} {arm['paid_each']:.2f}"
        assert row in said, row
    (named,) = [one for one in twin["consistency"]["principles"] if one["after_no"]["asked"]]
    rates = [f"{one['yes'] / one['asked']:.1%} of {one['asked']:,}" for one in (named["after_yes"], named["after_no"])]
    assert f"{named['principle']} {' '.join(rates)}" in said
    assert "{:+.1f} ({:+.1f} to {:+.1f} points)".format(*(100 * named[one] for one in RANGE)) in said
    assert {group["value"] for group in twin["groups"]} == {"ads", "friends", "search"}
    for group in twin["groups"]:
        rates = " ".join(f"{one['yes_rate']:.1%}" for one in group["steps"])
        assert f"{group['value']} {group['enrolled']:,} {group['goal_rate']:.1%} {rates}" in said
    assert f"{twin['before']['enrolled']:,} the period before" in said
    assert "of the clicks by machines" in said


def test_such_a_page_keeps_nobody_out_and_fits(grown, browser):
    grown.session = access.log_in(grown.store, grown.account("view", "looks@example.com"), grown.now)
    counted(grown.browser("view", "again@example.com"), f"/sequences/{NAME}", by="tag")
    for screen in SCREENS:
        page, faults = opened(browser, grown, screen)
        page.goto(f"{grown.address}/sequences/{NAME}?by=tag")
        assert page.get_by_role("heading", name="By tag").count() == 1
        if screen == "phone":
            assert faults_of(page) == []
            page.emulate_media(color_scheme="light")
            assert faults_of(page, "color-contrast") == []
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        page.context.close()
        assert faults == []


# --- pages do not wait for numbers


def test_while_a_long_list_is_counted_the_pages_keep_nobody_out_and_end_by_themselves(postgresql, browser):
    store = open_store(postgresql)
    house = House(store)
    try:
        house.subscribe()
        house.session = access.log_in(store, house.account("view"), house.now)
        pages = []
        with store.write() as tx:
            tx.exec_driver_sql("LOCK TABLE enrollment IN ACCESS EXCLUSIVE MODE")  # now no number can be had
            for path in ("/sequences", "/sequences/ladder"):
                page, faults = opened(browser, house, "phone")
                page.goto(f"{house.address}{path}")
                page.get_by_text("is counted for the first time").wait_for()
                page.get_by_role("link", name="Look again").click()
                assert faults_of(page) == []
                pages.append((page, faults))
        pages[0][0].get_by_role("cell", name="1", exact=True).wait_for()
        pages[1][0].get_by_role("heading", name="The asks").wait_for()
        for page, faults in pages:
            assert page.get_by_text("is counted for the first time").count() == 0
            page.context.close()
            assert faults == []
    finally:
        house.close()
        store.close()


def test_a_long_list_is_counted_beside_the_page_and_shown_when_it_is_there():
    counting, go = Counting(), Signal()

    def slow():
        go.wait(30)
        return {"enrolled": 1}

    assert counting.get("a", slow, MONDAY) is None
    go.set()
    assert counting.get("a", slow, MONDAY, wait=True) == {"enrolled": 1}
    assert counting.get("a", slow, MONDAY) == {"enrolled": 1}  # kept; slow() is not asked again


def test_old_numbers_are_shown_while_new_ones_are_counted():
    counting, go = Counting(), Signal()
    assert counting.get("a", lambda: {"enrolled": 1}, MONDAY, wait=True) == {"enrolled": 1}
    assert counting.get("a", lambda: {"enrolled": 2}, MONDAY + FRESH) == {"enrolled": 1}  # fresh enough

    def slow():
        go.wait(30)
        return {"enrolled": 2}

    later = MONDAY + timedelta(hours=1)
    assert counting.get("a", slow, later) == {"enrolled": 1}
    go.set()
    assert counting.get("a", slow, later, wait=True) == {"enrolled": 2}


def test_what_went_wrong_while_counting_is_said_and_tried_again():
    counting = Counting()

    def broken():
        raise RuntimeError("the database went away")

    with pytest.raises(RuntimeError, match="went away"):
        counting.get("a", broken, MONDAY, wait=True)
    assert counting.get("a", lambda: {"enrolled": 1}, MONDAY, wait=True) == {"enrolled": 1}


def test_threads_make_way_more_often_as_long_as_anyone_counts():
    usual = sys.getswitchinterval()
    first, second, go, go_on = Counting(), Counting(), Signal(), Signal()
    seen = []

    def slow(until):
        def count():
            seen.append(sys.getswitchinterval())
            until.wait(30)
            return {}

        return count

    assert first.get("a", slow(go), MONDAY) is None
    assert second.get("b", slow(go_on), MONDAY) is None
    go.set()
    assert first.get("a", slow(go), MONDAY, wait=True) == {}
    assert sys.getswitchinterval() == pytest.approx(YIELDS), "the other one still counts"
    go_on.set()
    assert second.get("b", slow(go_on), MONDAY, wait=True) == {}
    assert seen == [pytest.approx(YIELDS)] * len(seen)
    assert sys.getswitchinterval() == usual
