"""Signing up and inviting friends as browsers, scanners and scripts meet it: from the form to the branch taken."""

import re
import shutil

import pytest
from stage import PEOPLE
from test_pages import faults_of
from test_referrals import INVITE, LADDER, WELCOME
from test_signup import FORMS
from test_web import Visited

from nurture.engine import inviting
from nurture.store.database import open_store

CONFIRM = "Please confirm: One mail a week"
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
JSON = {"Accept": "application/json"}
SCREENS = (
    {"viewport": {"width": 1440, "height": 900}, "color_scheme": "light"},
    {"viewport": {"width": 390, "height": 844}, "color_scheme": "dark"},
)


class House(Visited):
    def __init__(self, store):
        known = FORMS.replace(b", start: ladder", b"").replace(
            b"One mail a week, ask", b"One mail a week, start: bring, ask"
        )
        files = {"people.yaml": PEOPLE + known, "templates/invite.md": INVITE}
        super().__init__(store, {"bring": LADDER, "welcome": WELCOME}, templates=files)

    def stamp(self, path="/signup/news"):
        found = re.search(r'name="stamp" value="([^"]+)"', self.web.get(path).text)[1]
        self.after(seconds=3)
        return found

    def post(self, path="/signup/news", headers=FORM, **fields):
        return self.web.post(path, data={"stamp": self.stamp(), **fields}, headers=headers)

    def own(self, subject, email="ann@example.com"):
        """Where the button of a mail leads, on this server."""
        found = re.search(r"https://go\.example\.com(/q/[^\"\s)>]+)", self.mail(subject, email).html)[1]
        return f"{self.web.base_url}{found}".replace("//q", "/q")


@pytest.fixture
def house(store):
    house = House(store)
    yield house
    house.close()


@pytest.fixture
def home(migrated, tmp_path):
    """A house for a browser, on one database: what differs between the two is seen without one, in seconds."""
    shutil.copy(migrated, tmp_path / "home.db")
    store = open_store(f"sqlite:///{tmp_path}/home.db")
    house = House(store)
    yield house
    house.close()
    store.close()


def fits(page):
    """Nothing stands over the edge, and nobody is kept out."""
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), page.url
    assert faults_of(page) == [], page.url


def arrives(page, heading):
    page.get_by_role("heading", name=heading).wait_for(timeout=5_000)


def joins(browser, house, email, *, at="/signup/news", screen=0, script=False):
    """Somebody signs up in a browser of their own and confirms; gives back their page."""
    context = browser.new_context(
        **SCREENS[screen], user_agent=f"Mozilla/5.0 {email}", java_script_enabled=script, bypass_csp=script
    )
    page = context.new_page()
    page.goto(f"{house.web.base_url}{at}")
    if script:
        fits(page)
    page.keyboard.press("Tab")
    page.keyboard.type(email)
    house.after(seconds=3)
    page.keyboard.press("Enter")
    arrives(page, "Now look into your inbox")
    if script:
        fits(page)
    house.work()
    page.goto(house.own(CONFIRM, email))
    if script:
        fits(page)
    page.get_by_role("button").click()
    arrives(page, "You are in")
    house.work()
    return page


def test_from_a_form_to_a_friend_who_counts(browser, home):
    ann = joins(browser, home, "ann@example.com", screen=1, script=True)
    assert sorted(home.subjects()) == ["Hello", "Invite", CONFIRM]
    ann.goto(home.own("Invite"))
    fits(ann)
    ann.get_by_label("Your name on the leaderboard").fill("Ann <b>Bright</b>")
    ann.get_by_role("button").click()
    ann.get_by_text("Kept.").wait_for(timeout=5_000)
    link = "/r/" + ann.get_by_label("Your own link").input_value().rpartition("/")[2]

    for number, friend in enumerate(("bob@example.com", "cem@example.com")):
        page = joins(browser, home, friend, at=link, script=number == 0)
        page.goto(home.own("Hello", friend))
        page.get_by_role("radio").first.check()
        page.get_by_role("button").click()
        arrives(page, "Thank you")
        home.work()
    assert "More" in home.subjects()

    ann.reload()
    fits(ann)
    assert "All 2 friends are in" in ann.content()
    ann.goto(f"{home.web.base_url}/leaderboard/bring")
    fits(ann)
    assert [cell.inner_text() for cell in ann.locator("tbody td").all()] == ["1", "Ann <b>Bright</b>", "2"]
    ann.goto(f"{home.web.base_url}{link}")
    assert "Ann <b>Bright</b> thought of you." in ann.inner_text("main")


def test_a_friend_in_the_browser_of_whoever_invites_does_not_count(browser, home):
    ann = joins(browser, home, "ann@example.com")
    ann.goto(home.own("Invite"))
    link = "/r/" + ann.get_by_label("Your own link").input_value().rpartition("/")[2]
    ann.goto(f"{home.web.base_url}{link}")
    ann.get_by_label("Your email address").fill("eve@example.net")
    home.after(seconds=3)
    ann.keyboard.press("Enter")
    arrives(ann, "Now look into your inbox")
    home.work()
    ann.goto(home.own(CONFIRM, "eve@example.net"))
    ann.get_by_role("button").click()
    arrives(ann, "You are in")
    home.work()
    ann.goto(home.own("Invite"))
    assert "does not count: the same browser as the person whose link it is" in ann.content()


def test_a_scanner_that_opens_every_link_does_nothing(house):
    assert house.post(email="ann@example.com").status_code == 202
    house.work()
    for _ in range(3):
        assert house.web.get(house.own(CONFIRM)).status_code == 200
        assert house.web.head(house.own(CONFIRM)).status_code == 200
    house.after(days=1)
    assert (house.subjects(), house.story()["status"]) == ([CONFIRM], "unconfirmed")


def test_the_answer_is_the_same_for_known_and_unknown_and_barred_addresses(house):
    house.subscribe("known@example.com")
    house.subscribe("left@example.com")
    house.work()
    house.unsubscribe(house.mail("Hello", "left@example.com"))
    told = set()
    for name in ("known", "new", "left"):
        answer = house.post(email=f"{name}@example.com", headers={**FORM, **JSON})
        told.add((answer.status_code, answer.text.replace(name, "")))
    assert told == {(202, '{"format":"nurture.signup/1","state":"confirm","email":"@example.com"}')}


def test_a_form_of_another_site_needs_one_more_press_and_a_program_a_stamp(house):
    elsewhere = {**FORM, "Origin": "https://blog.example", "Referer": "https://blog.example/a?utm_source=x"}
    answer = house.web.post("/signup/news", data={"email": "ann@example.com", "first_name": "Ann"}, headers=elsewhere)
    assert (answer.status_code, "press the button" in answer.text) == (200, True)
    assert 'value="ann@example.com"' in answer.text and 'value="Ann"' in answer.text
    told = house.web.post("/signup/news", data={"email": "ann@example.com"}, headers={**FORM, **JSON})
    assert (told.status_code, told.json()["state"]) == (428, "once_more")
    house.after(seconds=3)
    fields = {"email": "ann@example.com", "stamp": told.json()["stamp"]}
    assert house.web.post("/signup/news", data=fields, headers={**FORM, **JSON}).status_code == 202
    house.work()
    assert house.subjects() == [CONFIRM]


def test_what_a_form_cannot_be(house):
    for fields, said in (
        ({"email": "ann@gmial.com"}, "Did you mean ann@gmail.com?"),
        ({"email": "ann@mailinator.com"}, "throw-away"),
        ({"email": "<script>alert(1)</script>"}, "not an email address"),
        ({"email": "ann@example.com", "loan": "=cmd|' /C calc'!A0"}, "look at this answer"),
    ):
        answer = house.post(**fields)
        assert (answer.status_code, said in answer.text) == (422, True), answer.text
        assert "<script>alert" not in answer.text
        house.after(minutes=1)
    assert house.web.post("/signup/none", data={"email": "ann@example.com"}).status_code == 404
    assert house.web.post("/signup/news", content=b"email=" + b"a" * 1_000_000, headers=FORM).status_code == 413
    assert (
        house.web.post("/signup/news", content="&".join(f"a{n}=1" for n in range(500)), headers=FORM).status_code == 422
    )
    assert house.post(email="ann@example.com", website="x").status_code == 202  # the trap
    house.work()
    assert house.delivered == []


def test_hostile_values_are_kept_as_they_are_and_shown_as_text(house):
    name = "<script>alert(1)</script> =1+1 🎈 \u202eevil"
    assert house.post(email="ann@example.com", first_name=name).status_code == 202
    house.work()
    assert house.web.post(house.own(CONFIRM)).status_code == 200
    house.work()
    assert house.story()["attributes"]["first_name"] == name
    assert all("<script>" not in mail.html for mail in house.delivered)


def test_a_hundred_at_once_send_few_mails_and_a_replayed_stamp_grants_nothing_twice(house):
    stamp = house.stamp()
    fields = [{"email": f"ann{number % 3}@example.com", "stamp": stamp} for number in range(100)]
    told = [house.web.post("/signup/news", data=one, headers=FORM).status_code for one in fields]
    assert sorted(set(told)) == [202, 429] and told.count(202) == 5
    house.work()
    assert sorted(mail.to for mail in house.delivered) == [f"ann{number}@example.com" for number in range(3)]
    assert house.web.post("/signup/open", data=fields[0], headers=FORM).status_code == 429
    house.after(minutes=2)
    assert (
        "press the button" in house.web.post("/signup/open", data=fields[0], headers=FORM).text
    )  # another form's stamp


def test_a_name_for_the_board_is_one_line_of_what_can_be_seen(house):
    house.post(email="ann@example.com")
    house.work()
    house.web.post(house.own(CONFIRM))
    house.work()
    own = house.own("Invite")
    assert (
        house.web.post(own, data={"name": "<img src=x onerror=alert(1)>\r\n\u202e🎈" + "x" * 9_000}).status_code == 303
    )
    shown = house.web.get(own).text
    assert "&lt;img src=x onerror=alert(1)&gt; 🎈" in shown and "<img" not in shown
    assert house.web.get("/leaderboard/bring").status_code == 200
    assert house.web.get("/leaderboard/bring.json").json()["lines"] == []
    assert house.web.get("/leaderboard/welcome").status_code == 404
    assert house.web.get("/r/nothing").status_code == 404
    assert inviting.LONGEST_NAME == 40
