"""A list of people handed in on the page: what it would do is shown first, and only a yes to that writes."""

import json
from datetime import timedelta
from io import StringIO

import pytest
from doors import House, csrf
from test_pages import faults_of, opened
from waiting import until

from nurture.engine import access
from nurture.engine.erasing import erase
from nurture.engine.importing import Sheet
from nurture.errors import Refused
from nurture.language.sequence import People
from nurture.store import audit, people
from nurture.store.database import open_store
from nurture.web.doors import MOST_FILE

LIST = """\
email;First_Name;seats;renewal;tags;lone;hat
ann@example.com;Ann;3;2026-12-01;vip;home;41
bob;Bob;1;;;;
cyd@example.com;Cyd;many;;;;
eve@example.com;<script>alert(1)</script>;;;;;
ann@example.com;Ann again;;;;;
dan@example.com;Dan;4;;vip, gide;;
known@example.com;Kim;;;;;
left@example.com;Lee;;;;;
gone@example.com;Gus;;;;;
"""


@pytest.fixture
def house(store):
    built = House(store)
    yield built
    built.close()


def hand_in(client, content, name="people.csv", **fields):
    fields = {"csrf": csrf(client), **fields}
    return client.post("/people/import", data=fields, files={"file": (name, content, "text/csv")})


def say_yes(client, answer, **fields):
    """Say yes to what was shown, and wait until it is in."""
    where = answer.headers["location"]
    assert client.post(where, data={"csrf": csrf(client), **fields}).status_code == 303
    until(lambda: client.get(f"{where}.json").json()["state"] != "running", "it does not end")
    return client.get(f"{where}.json").json()


def everyone(house):
    with house.store.read() as tx:
        return {person.email: dict(person.attributes) for person in people.every(tx)}


def told(house):
    with house.store.read() as tx:
        return [(one.who, one.action, dict(one.detail)) for one in audit.listing(tx, 9) if "import" in one.action]


@pytest.mark.parametrize(
    ("head", "columns"),
    [
        ("Email,First Name,TAGS", ["email", "first_name", "tags"]),
        ("E-mail,first-name,Shoe Size", ["email", "first_name"]),
        ("Email Address,E-mail,email", ["email"]),
        ("E-Mail Address", ["email"]),
    ],
)
def test_columns_are_known_as_spreadsheets_call_them(head, columns):
    known = People(attributes={"first_name": "text", "seats": "number"})
    sheet = Sheet(StringIO(f"{head}\nann@example.com\n"), "people.csv", known)
    assert list(sheet.columns.values()) == columns


def test_two_columns_of_one_attribute_are_refused():
    known = People(attributes={"first_name": "text"})
    with pytest.raises(Refused, match="two columns 'first_name'"):
        Sheet(StringIO("email,First Name,first_name\n"), "people.csv", known)


def test_what_it_would_do_is_shown_and_nothing_is_written_before_a_yes(house):
    house.subscribe("known@example.com", first_name="Kim")
    house.subscribe("left@example.com")
    house.subscribe("gone@example.com")
    with house.store.write() as tx:
        people.stop(tx, [people.by_email(tx, "left@example.com").id], "unsubscribed")
    erase(house.store, house.deployed, "gone@example.com", house.now, by="test", reason="")
    before = everyone(house)
    edit = house.browser("edit")
    answer = hand_in(edit, LIST)
    where = answer.headers["location"]
    shown = edit.get(f"{where}.json").json()
    assert shown["state"] == "waiting"
    assert shown["foreseen"] == {"new": 2, "known": 1, "taught": 0, "suppressed": 1, "erased": 1, "refused": 4}
    assert shown["examples"][0] == {
        "line": 2, "email": "ann@example.com", "tags": ["vip"],
        "attributes": {"first_name": "Ann", "seats": 3, "renewal": "2026-12-01"},
    }  # fmt: skip
    assert shown["left_out"] == [
        "column 'lone' is left out: people.yaml declares no such attribute, did you mean 'loan'?",
        "column 'hat' is left out: people.yaml declares no such attribute",
    ]
    assert [one["line"] for one in shown["bad"]] == [3, 4, 6, 7]
    assert "did you mean 'guide'?" in shown["bad"][3]["reason"]
    page = edit.get(where).text
    assert "&lt;script&gt;alert(1)" in page
    assert "<script>alert" not in page
    assert (everyone(house), told(house)) == (before, [])

    done = say_yes(edit, answer)
    assert (done["state"], done["done"]) == ("done", {"new": 2, "updated": 1, "suppressed": 2, "enrolled": 0})
    assert everyone(house)["ann@example.com"]["seats"] == 3
    assert "gone@example.com" not in everyone(house)
    house.work()
    assert (house.subjects(), house.subjects("known@example.com")) == ([], ["Question"])
    (who, action, detail), (_, begun, _) = told(house)
    assert (who, action, begun) == ("edit@example.com", "people imported", "import begun")
    assert {name: detail[name] for name in ("new", "updated", "suppressed", "refused", "sequence")} == {
        "new": 2, "updated": 1, "suppressed": 2, "refused": 4, "sequence": "",
    }  # fmt: skip
    assert "example.com" not in json.dumps(detail)


def test_they_begin_a_sequence_only_when_it_is_chosen_and_a_second_yes_does_nothing(house):
    edit = house.browser("edit")
    answer = hand_in(edit, "email\nann@example.com\nben@example.com\n")
    refused = edit.post(answer.headers["location"], data={"csrf": csrf(edit), "enroll": "lader"})
    assert refused.status_code == 422
    assert "did you mean &#39;ladder&#39;?" in refused.text
    assert say_yes(edit, answer, enroll="ladder")["done"]["enrolled"] == 2
    assert say_yes(edit, answer, enroll="ladder")["done"]["enrolled"] == 2
    assert len(told(house)) == 2
    house.work()
    assert {mail.to for mail in house.delivered} == {"ann@example.com", "ben@example.com"}


@pytest.fixture
def door(migrated, tmp_path):
    """On SQLite: questions to the web alone."""
    path = tmp_path / "nurture.db"
    path.write_bytes(migrated.read_bytes())
    store = open_store(f"sqlite:///{path}")
    built = House(store)
    yield built
    built.close()
    store.close()


def test_it_needs_the_role_a_form_of_ours_and_a_file_that_fits(door):
    view, edit = door.browser("view"), door.browser("edit")
    assert view.get("/people/import").status_code == 403
    assert hand_in(view, "email\nann@example.com\n").status_code == 403
    assert "Bring in a list" not in view.get("/people").text
    assert hand_in(edit, "email\nann@example.com\n", csrf="0" * 64).status_code == 403
    there = {**edit.headers, "Sec-Fetch-Site": "cross-site"}
    assert edit.post("/people/import", files={"file": ("a.csv", "email\n")}, headers=there).status_code == 403
    assert hand_in(edit, b"x" * (MOST_FILE + 70_000)).status_code == 413
    assert "10 MB" in hand_in(edit, b"x" * (MOST_FILE + 1)).text
    for content, said in (("", "is empty"), ("name\nAnn\n", "no column"), (b"PK\x03\x04\x00\xff", "no column")):
        refused = hand_in(edit, content)
        assert (refused.status_code, said in refused.text) == (422, True)
    assert edit.post("/people/import", data={"csrf": csrf(edit)}).status_code == 422
    odd = {"Content-Type": "multipart/form-data", "X-CSRF-Token": csrf(edit)}
    assert edit.post("/people/import", content=b"--x\r\nnothing", headers=odd).status_code == 422


def test_a_file_is_its_owners_and_kept_for_an_hour_at_most(door):
    edit, other = door.browser("edit"), door.browser("edit", "other@example.com")
    where = hand_in(edit, "email\nann@example.com\n").headers["location"]
    assert [one.get(where).status_code for one in (edit, other)] == [200, 404]
    assert other.post(where, data={"csrf": csrf(other)}).status_code == 422
    assert edit.post(where, data={"csrf": csrf(edit), "do": "drop"}).headers["location"] == "/people/import"
    assert edit.get(where).status_code == 404
    where = hand_in(edit, "email\nann@example.com\n").headers["location"]
    door.now += timedelta(minutes=61)
    late = edit.post(where, data={"csrf": csrf(edit)})
    assert (late.status_code, "hand it in again" in late.text) == (422, True)
    assert everyone(door) == {}


def test_a_browser_brings_in_a_long_list_and_others_are_answered_meanwhile(door, browser):
    door.session = access.log_in(door.store, door.account("admin"), door.now)
    edit = door.browser("edit")
    page, faults = opened(browser, door, "phone")
    page.goto(f"{door.address}/people/import")
    rows = "".join(f"person{number}@example.com,Ann\n" for number in range(4_000))
    page.get_by_label("The file").set_input_files(
        {"name": "people.csv", "mimeType": "text/csv", "buffer": f"email,first_name\n{rows}".encode()}
    )
    page.get_by_role("button", name="See what it would do").click()
    page.get_by_role("button", name="Bring them in").click()
    assert page.locator("h1").inner_text() == "Bringing them in"
    assert edit.get("/people").status_code == door.nobody.get("/healthz").status_code == 200
    assert faults_of(page) == []
    page.get_by_role("heading", name="They are in").wait_for()  # by itself
    assert "New\n4,000" in page.locator("dl").inner_text()
    page.context.close()
    assert faults == []
    assert len(everyone(door)) == 4_000
