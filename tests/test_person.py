"""One person: what happened and why, what comes next and why not sooner, and what can be done about it by hand."""

import json
import re
from datetime import timedelta

import pytest
from doors import LADDER, csrf
from stage import MONDAY, PEOPLE, Stage
from test_badges import LADDER as BADGES
from test_referrals import INVITE, WELCOME, comes
from test_referrals import LADDER as BRING
from test_signup import FORMS

from nurture.engine.byhand import by_hand
from nurture.engine.why import why
from nurture.errors import Refused
from nurture.store import answers, audit, pauses, people

SCRIPT = "<svg onload=alert(1)>"


@pytest.fixture
def stage(store):
    built = Stage(store, {"ladder": LADDER})
    built.subscribe()
    built.work()
    yield built
    built.close()


def told(stage, email="ann@example.com"):
    return why(stage.store, stage.deployed, email, stage.now)


def coming(stage):
    return told(stage)["places"][0]["next"]


def number_of(stage, email="ann@example.com"):
    with stage.store.read() as tx:
        return people.by_email(tx, email).id


def act(stage, what, reason="she asked for it", **more):
    place = told(stage)["places"][0]["id"]
    by_hand(
        stage.store, stage.deployed, number_of(stage), place, what, reason=reason, by="ada@example.com", now=stage.now,
        **more,
    )  # fmt: skip


# --- why


def test_while_an_answer_is_awaited_it_says_what_silence_and_a_yes_lead_to(stage):
    following = coming(stage)
    assert following["what"] == "silence counts as a no, and leads to end"
    assert following["at"] == "2026-06-04T10:00:00Z"
    assert "a yes to question leads to tour" in following["unless"]
    assert following["why_not_sooner"] == [
        "question left 01 Jun 2026 10:00 UTC and gives 3 days to answer, until 04 Jun 2026 10:00 UTC"
    ]


def test_a_decision_keeps_its_condition_with_the_values_of_that_moment(stage):
    stage.answer(stage.mail("Question"), "auto")
    stage.subscribe(loan="home")  # known otherwise later: the decision's own values stay
    reasons = [one["reason"] for one in told(stage)["events"] if one["kind"] == "waiting"]
    assert reasons[-1] == "question was answered auto, loan == 'home' (loan is \"auto\") is false → offer"
    following = coming(stage)
    assert following["what"].startswith("the mail offer")
    assert following["why_not_sooner"] == ["the wait ends 02 Jun 2026 10:00 UTC"]


def test_what_holds_the_mail_is_said(stage):
    with stage.store.write() as tx:
        pauses.pause(tx, "ladder", "the offer is sold out", stage.now)
    stage.answer(stage.mail("Question"), "home")
    stage.work()
    assert any("the offer is sold out" in reason for reason in coming(stage)["why_not_sooner"])


def test_after_the_end_nothing_comes_and_it_says_why(stage):
    stage.unsubscribe(stage.mail("Question"))
    assert coming(stage)["what"].startswith("nothing: it ended as unsubscribed")
    assert why(stage.store, stage.deployed, "nobody@example.com", stage.now) is None


# --- by hand


def test_a_wait_that_is_skipped_ends_with_the_next_turn(stage):
    stage.answer(stage.mail("Question"), "auto")
    act(stage, "skip")
    stage.work()
    assert stage.subjects() == ["Question", "Offer"]
    reasons = [one["reason"] for one in told(stage)["events"] if one["kind"] == "moved"]
    assert reasons == ["wait skipped by hand: she asked for it"]


def test_putting_off_holds_the_no_as_well(stage):
    act(stage, "pause", days=10)
    stage.after(days=9)
    assert stage.place("ladder")["ended"] is None
    stage.after(days=2)
    assert stage.place("ladder")["ended"] == "finished"


def test_moving_leads_to_a_step_that_was_not_mailed(stage):
    with pytest.raises(Refused, match="question was mailed to them"):
        act(stage, "move", step="question")
    with pytest.raises(Refused, match="did you mean 'offer'"):
        act(stage, "move", step="ofer")
    act(stage, "move", step="offer")
    stage.work()
    assert stage.subjects() == ["Question", "Offer"]


def test_ending_by_hand_cancels_what_has_not_left(stage):
    stage.answer(stage.mail("Question"), "auto")
    act(stage, "end")
    stage.after(days=5)
    assert (stage.place("ladder")["ended"], stage.subjects()) == ("removed", ["Question"])
    with pytest.raises(Refused, match="this pass is over"):
        act(stage, "skip")


def test_every_act_needs_a_reason_and_stands_on_the_audit_log_without_a_name(stage):
    with pytest.raises(Refused, match="say why"):
        act(stage, "skip", reason=" ")
    act(stage, "pause", days=1)
    with stage.store.read() as tx:
        (entry,) = audit.listing(tx, 9)
    assert (entry.who, entry.action, entry.reason) == ("ada@example.com", "person put off", "she asked for it")
    assert "ann@example.com" not in f"{entry}"


# --- the pages


def test_the_page_shows_the_lit_path_the_reasons_and_what_comes_next(house):
    house.subscribe()
    house.work()
    house.answer(house.mail("Question"), "auto")
    client = house.browser("edit")
    page = client.get(f"/people/{number_of(house)}").text
    assert 'class="step walked" data-step="question"' in page
    assert 'class="step offer here" data-step="offer"' in page
    assert "Why not sooner" in page
    assert "<style" not in page
    twin = client.get(f"/people/{number_of(house)}.json").json()
    assert twin["format"] == "nurture.why/1"
    assert client.get("/people/99").status_code == 404
    form = {"csrf": csrf(client), "place": str(twin["places"][0]["id"]), "act": "skip", "reason": ""}
    refused = client.post(f"/people/{number_of(house)}/act", data=form)
    assert (refused.status_code, "say why" in refused.text) == (422, True)
    assert client.post(f"/people/{number_of(house)}/act", data={**form, "reason": "on the phone"}).status_code == 303
    house.work()
    assert house.subjects() == ["Question", "Offer"]


def test_who_may_only_look_sees_no_forms_and_their_acts_are_refused(house):
    house.subscribe()
    house.work()
    client = house.browser("view")
    path = f"/people/{number_of(house)}"
    assert "Do something about it" not in client.get(path).text
    assert client.post(f"{path}/act", data={"csrf": csrf(client)}).status_code == 403


@pytest.fixture
def friendly(house):
    """Ann invites two: Bob, and whoever has Bob's browser. Both came by a form, and Bob ticked a box in a mail as well."""
    files = {"people.yaml": PEOPLE + FORMS.replace(b", start: ladder", b""), "templates/invite.md": INVITE}
    badges = BADGES.replace("TEMPLATE", "body.md")
    house.deploy({"bring": BRING, "welcome": WELCOME, "loans": badges}, files)
    house.subscribe(sequence="bring")
    house.work()
    for email in ("bob@example.com", "eve@example.com"):
        comes(house, email, device="of bob")
    house.subscribe("bob@example.com", sequence="loans")
    house.work()
    house.answer(house.mail("Which?", "bob@example.com"), "home")
    bob = number_of(house, "bob@example.com")
    with house.store.write() as tx:
        box = ("call", "yes", f"You may call me {SCRIPT}", "yes", "en", 1)
        answers.keep(tx, [answers.Said(1, bob, "loans", "which", *box, house.now)])
    return house


def test_the_page_says_where_someone_came_from_what_they_agreed_to_and_which_badges_they_have(friendly):
    page = friendly.browser("view").get(f"/people/{number_of(friendly, 'bob@example.com')}").text
    (rows,) = re.findall(r'aria-label="Consent">.*?<tbody>(.*?)</tbody>', page, re.DOTALL)
    form, box = [re.sub(r"<[^>]+>", "", row) for row in rows.split("</tr>")[:2]]
    for said in (
        "the form news",
        "Yes, one mail a week.",
        "yes, confirmed 01 Jun 2026",
        "https://blog.example/post",
        "utm_source blog",
    ):
        assert said in form, said
    assert "loans.which" in box and "You may call me &lt;svg" in box
    assert re.search(r"By the link of <a [^>]*>ann@example.com</a> in bring; as their friend counts since", page)
    assert re.search(r"Home or auto\?</td><td>Home</td>", page)
    assert re.findall(r'<span class="tag yes">([^<]+)</span> <span class="soft"><time', page) == [
        "Curious &lt;1&gt;",
        "At home",
    ]
    ann = friendly.browser("view", "other@example.com").get(f"/people/{number_of(friendly)}").text
    assert "They sent no form of ours" in ann
    assert "does not count: the same browser as another friend" in ann
    assert "Count this friend" not in ann  # who may only look


def test_a_friend_whom_the_checks_refused_is_counted_by_hand_with_a_reason(friendly):
    edit, ann, eve = friendly.browser("edit"), number_of(friendly), number_of(friendly, "eve@example.com")
    assert "Count this friend" in edit.get(f"/people/{ann}").text
    form = {"csrf": csrf(edit), "friend": eve, "reason": "two sisters, one tablet"}
    assert friendly.subjects() == ["Invite"]
    for wrong in (
        {"reason": " "},
        {"friend": "x"},
        {"friend": ann},
        {"friend": number_of(friendly, "bob@example.com")},
    ):
        assert edit.post(f"/people/{ann}/friend", data={**form, **wrong}).status_code == 422
    assert edit.post(f"/people/{eve}/friend", data=form).status_code == 422  # not a friend of theirs
    assert edit.post(f"/people/{ann}/friend", data=form).status_code == 303
    friendly.work()
    assert friendly.subjects() == ["Invite", "More"]
    assert "does not count" not in edit.get(f"/people/{ann}").text
    with friendly.store.read() as tx:
        (entry, *_) = audit.listing(tx, 9)
    assert (entry.who, entry.action, entry.target, entry.reason, entry.detail) == (
        "edit@example.com", "friend counted", f"person {ann}, bring", "two sisters, one tablet",
        {"friend": eve, "was": "the same browser as another friend"},
    )  # fmt: skip
    assert edit.post(f"/people/{ann}/friend", data=form).status_code == 422  # they count already


def test_what_strangers_fill_in_is_shown_as_text_on_every_page(house):
    house.subscribe("bob@example.com", first_name=SCRIPT)
    house.subscribe()
    house.work()
    house.click(house.mail("Question"), agent=SCRIPT)
    house.inbox.keep("postmark", {"x": SCRIPT}, SCRIPT.encode(), house.now)
    house.after(minutes=5)
    with house.store.write() as tx:
        pauses.pause(tx, "", SCRIPT, house.now)
        audit.record(tx, audit.Entry(house.now, SCRIPT, SCRIPT, SCRIPT, SCRIPT, {"x": SCRIPT}))
    client = house.browser("admin", "admin@example.com")
    found = 0
    for path in (
        "/",
        "/people",
        "/people/1",
        "/people/2",
        "/outbox",
        "/inbox",
        "/inbox/1",
        "/audit",
        "/access",
        "/deploys",
    ):
        page = client.get(path)
        assert page.status_code in (200, 404), path
        assert "<svg onload" not in page.text, path
        found += page.text.count("&lt;svg onload")
    assert found >= 8


def test_people_are_found_by_address_tag_step_and_answer_a_page_at_a_time(house):
    for name in ("ann", "ben", "cleo"):
        house.subscribe(f"{name}@example.com", tags=("vip",) if name == "ben" else ())
    house.work()
    house.answer(house.mail("Question", "cleo@example.com"), "home")
    client = house.browser("view")

    def listed(query):
        return [one["email"].partition("@")[0] for one in client.get(f"/people.json?{query}").json()["people"]]

    assert listed("") == ["ann", "ben", "cleo"]
    assert listed("after=1") == ["ben", "cleo"]
    assert listed("tag=vip") == ["ben"]
    assert listed("step=ladder.question") == ["ann", "ben"]
    assert listed("answer=ladder.question%3Dhome") == ["cleo"]
    assert listed("tag=%25") == []
    found = client.post("/people/find", data={"csrf": csrf(client), "email": " Ben@Example.com"})
    assert found.headers["location"] == f"/people/{number_of(house, 'ben@example.com')}"
    begun = client.post("/people/find", data={"csrf": csrf(client), "email": "cl"})
    assert "cleo@example.com" in begun.text
    assert "ann@example.com" not in begun.text


def test_fifty_people_a_page_and_each_once(house):
    with house.store.write() as tx:
        people.save(tx, [people.Newcomer(f"p{n:03}@example.com") for n in range(120)], MONDAY)
    client, seen, path = house.browser("view"), [], ""
    for _ in range(3):
        page = client.get(f"/people.json{path}").json()
        seen += [one["email"] for one in page["people"]]
        path = page["more"]
    assert path == ""
    assert seen == [f"p{n:03}@example.com" for n in range(120)]


# --- the other pages, as far as they tell what is so


def test_the_first_page_says_what_needs_someone_first(house):
    house.subscribe()
    house.work()
    client = house.program("read")
    now = client.get("/index.json").json()
    assert (now["needs"], now["people"], now["inside"], now["today"]["mails"]) == ([], 1, 1, 1)
    house.answer(house.mail("Question"), "auto")
    with house.store.write() as tx:
        pauses.pause(tx, "ladder", "sold out", house.now)
    house.now += timedelta(days=2)
    now = client.get("/index.json").json()
    assert [one["what"] for one in now["needs"]] == [
        "The engine is behind since 02 Jun 10:00 UTC.", "Mail of ladder is held.",
    ]  # fmt: skip
    assert (now["yes_rate"], now["offers"]) == (100, 1)


def test_a_report_that_cannot_be_read_is_seen_and_replayed(house):
    house.inbox.keep("postmark", {}, b"\xff no json", house.now)
    house.work()
    client = house.browser("edit")
    (kept,) = client.get("/inbox.json?failed").json()["hooks"]
    assert kept["state"] == "quarantined"
    assert "no json" in client.get(f"/inbox/{kept['id']}").text
    assert client.post(f"/inbox/{kept['id']}/replay", data={"csrf": csrf(client)}).status_code == 303
    assert client.get(f"/inbox/{kept['id']}.json").json()["state"] == "waiting"
    with house.store.read() as tx:
        assert "webhook replayed" in [one.action for one in audit.listing(tx, 9)]


def test_a_message_in_doubt_says_how_it_is_settled_and_is_settled_by_hand_with_a_reason(house):
    from nurture.store import evidence

    house.subscribe()
    house.work()
    mail = house.mail("Question")
    with house.store.write() as tx:
        tx.exec_driver_sql(f"UPDATE message SET state = 'unknown', uncertain = 1 WHERE id = '{mail.id}'")
        assert evidence.any_unsettled(tx, house.now)
    client = house.browser("edit")
    shown = client.get("/outbox.json?state=unknown").json()
    assert [one["id"] for one in shown["messages"]] == [mail.id]
    assert shown["settled"] == "Without evidence for 24 hours it is given up, so that nobody gets a mail twice."
    course = {
        "how": "delivery", "words": "reports of it are awaited, then the setting `delivery` decides",
        "at": "2026-06-02T10:00:00Z",
    }  # fmt: skip
    assert shown["messages"][0]["settling"] == course == client.get(f"/outbox/{mail.id}.json").json()["settling"]
    assert f'<a href="/outbox/{mail.id}#settle">Settle it by hand</a>' in client.get("/outbox?state=unknown").text
    assert '<form id="settle"' in client.get(f"/outbox/{mail.id}").text
    for page in (client.get("/outbox"), client.get(f"/outbox/{mail.id}")):
        assert re.search(r"eports of it are awaited, .*?, <time[^>]*>02 Jun 2026 10:00</time> UTC", page.text)
    form = {"csrf": csrf(client), "id": mail.id, "as": "sent"}
    assert client.post("/outbox/settle", data=form).status_code == 422
    assert client.post("/outbox/settle", data={**form, "reason": "Ann has it"}).status_code == 303
    assert client.get("/outbox.json?state=unknown").json()["messages"] == []
    settled = client.get(f"/outbox/{mail.id}.json").json()
    assert settled["settling"] is None
    assert settled["reason"].startswith("settled by hand: sent, by edit@example.com at ")
    assert settled["reason"].endswith(", because Ann has it")
    with house.store.read() as tx:
        (entry, *_) = audit.listing(tx, 9)
    assert (entry.who, entry.action, entry.target, entry.reason) == (
        "edit@example.com",
        "message settled: sent",
        mail.id,
        "Ann has it",
    )


def test_the_twin_of_a_person_is_json_that_programs_can_read(house):
    house.subscribe()
    house.work()
    program = house.program("read")
    assert json.loads(program.get(f"/people/{number_of(house)}.json").text)["email"] == "ann@example.com"
