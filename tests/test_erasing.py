"""Erasing a person: nothing of theirs is left anywhere, what was counted stays, and nothing brings them back."""

import csv
import json
import re
from io import StringIO

import pytest
from doors import LADDER, csrf
from sqlalchemy import text
from stage import LINKS, MONDAY, Stage

from nurture.cli.main import run
from nurture.engine.enroll import Row, import_batch
from nurture.engine.erasing import about, erase
from nurture.engine.exporting import everything
from nurture.engine.inbox import Inbox
from nurture.engine.receive import receive
from nurture.errors import Refused, Unavailable
from nurture.store import answers, audit, enrollments, hooks, messages, notices, people, suppressions
from nurture.store.tables import metadata

EMAIL = "annemarie.fox@example.com"
NAME = "Annemarie-Zwiebelfisch"
AGENT = "Quetzal-Browser/7"


@pytest.fixture
def stage(store):
    built = Stage(store, {"ladder": LADDER})
    yield built
    built.close()


def gone(stage, email=EMAIL, **more):
    return erase(stage.store, stage.deployed, email, stage.now, by="ada@example.com", **more)


def lived(stage):
    """Ann does all that leaves a trace: answers, clicks, buys, is complained about by a bounce; others live beside her."""
    stage.subscribe("bob@example.com", first_name="Bob")
    stage.subscribe(EMAIL, first_name=NAME, tags=["vip"])
    stage.work()
    mail = stage.mail("Question", EMAIL)
    stage.click(mail, agent=AGENT)
    stage.work()
    stage.answer(mail, "home")
    stage.after(minutes=5)
    stage.report("cart_added", EMAIL, total=3, note=f"for {NAME}")
    stage.report("bought", EMAIL, product="review", amount=99, currency="GBP", buyer=NAME)
    told(stage, [{"Email": EMAIL, "MessageID": "p-1", "Metadata": {"nid": mail.id}}])
    typed(stage)
    return mail


def typed(stage):
    """What a form leaves, done and half done, and what waits for a listener."""
    with stage.store.write() as tx:
        place = enrollments.every_pass(tx, people.by_email(tx, EMAIL).id)[0]
        own = answers.Said(
            place.id, place.subscriber, "ladder", "question", "worry", NAME, f"Well, {NAME}?", NAME, "en", 1, stage.now
        )  # fmt: skip
        answers.keep(tx, [own])
        answers.put_draft(tx, place.id, "question", answers.Draft(1, {"worry": NAME}), stage.now)
        notices.keep(tx, [notices.Notice("e1", "crm", "kept", place.subscriber, EMAIL, stage.now)], stage.now)


def told(stage, bodies):
    for one in bodies:
        body = {"RecordType": "Bounce", "Type": "SoftBounce", "Description": f"{EMAIL} is full", **one}
        stage.hook("postmark", json.dumps({**body, "BouncedAt": stage.now.isoformat()}).encode())


def everything_kept(store) -> bytes:
    """Every byte of the file, or every value of every row."""
    if store.path is not None:
        files = [store.path, store.path.with_name(store.path.name + "-wal")]
        return b"".join(file.read_bytes() for file in files if file.exists())
    with store.read() as tx:
        rows = [tuple(row) for table in metadata.sorted_tables for row in tx.execute(text(f'SELECT * FROM "{table}"'))]
    return "\n".join(
        value.tobytes().decode("utf-8", "replace") if isinstance(value, memoryview)
        else value.decode("utf-8", "replace") if isinstance(value, bytes)
        else str(value)
        for row in rows for value in row
    ).encode()  # fmt: skip


def test_nothing_that_names_them_is_left_and_what_was_counted_stays(stage):
    lived(stage)
    before = everything_kept(stage.store)
    assert EMAIL.encode() in before
    assert NAME.encode() in before
    with stage.store.read() as tx:
        mailed, answered = messages.asked(tx), json.dumps(counted(tx))
    done = gone(stage, reason="she asked")
    assert (done.passes, done.mails) == (1, 2)
    after = everything_kept(stage.store)
    for words in (EMAIL, "annemarie", NAME, AGENT, "203.0.113.7", "is full"):
        assert words.encode().lower() not in after.lower(), words
    with stage.store.read() as tx:
        assert messages.asked(tx) == mailed
        assert json.dumps(counted(tx)) == answered
        assert audit.first_broken(tx) is None
        (entry,) = audit.listing(tx, 10)
    assert (entry.action, entry.reason, entry.target) == ("person erased", "she asked", f"number {done.id}")
    assert stage.story("bob@example.com")["attributes"] == {"first_name": "Bob"}


def test_a_report_that_comes_while_the_others_are_looked_through_is_emptied_too(store):
    from nurture.store import erasing

    def came(*bodies):
        with store.write() as tx:
            hooks.keep(tx, [hooks.Arrived("postmark", {}, body, MONDAY) for body in bodies])

    came(*(str(number).encode() for number in range(1500)), f"to {EMAIL}".encode(), b"to bob@example.com")
    with store.read() as tx:
        seen = erasing.naming(tx, EMAIL, [])
    assert len(seen.numbers) == 1
    came(b"again to " + EMAIL.upper().encode(), b"again to bob@example.com")
    with store.write() as tx:
        waiting = [row.id for row in hooks.waiting(tx, 2000)]
        hooks.applied(tx, waiting)
        assert erasing.traces(tx, EMAIL, [], seen) == 2
        bodies = {row.body for row in hooks.listing(tx, failed=False)}
    assert {b"", b"to bob@example.com", b"again to bob@example.com"} <= bodies
    assert not [body for body in bodies if EMAIL.encode() in body.lower()]


def counted(tx):
    from nurture.store import reports

    bought = [(product, detail) for _, _, product, detail in reports.purchases(tx)]
    return [
        enrollments.kept(tx, "ladder"),
        answers.shares(tx, "ladder", "question"),
        [(p, d["amount"], d["currency"]) for p, d in bought],
    ]


def test_a_late_report_is_recorded_as_erased_and_leaves_nothing(stage):
    mail = lived(stage)
    done = gone(stage)
    stage.click(mail, agent=AGENT)
    told(stage, [{"Email": EMAIL, "MessageID": "p-2", "Metadata": {"nid": mail.id}}])
    shop(stage, {"type": "bought", "data": {"email": EMAIL, "product": "review"}})
    stage.after(days=1)
    with stage.store.read() as tx:
        assert hooks.listing(tx, failed=True) == []
        last = tx.execute(text("SELECT reason FROM event WHERE key IS NOT NULL ORDER BY id DESC LIMIT 1")).scalar()
        strays = tx.execute(text("SELECT count(*) FROM stray")).scalar()
        left = tx.execute(text(f"SELECT status FROM subscriber WHERE id = {done.id}")).scalar()
    assert (last, strays, left) == ("erased", 0, "erased")
    stage.store.leave_no_traces(EMAIL)  # the log of a SQLite file holds what was written last
    kept = everything_kept(stage.store)
    assert AGENT.encode() not in kept
    assert EMAIL.encode() not in kept


def shop(stage, said):
    inbox = Inbox(stage.store)
    inbox.keep(
        "standard", {"webhook-id": "m1"}, json.dumps({"timestamp": stage.now.isoformat(), **said}).encode(), stage.now
    )
    inbox.close()
    return receive(stage.store, stage.deployed, LINKS, stage.now)


def test_a_report_that_was_not_read_yet_is_read_and_then_emptied(stage):
    mail = lived(stage)
    inbox = Inbox(stage.store)
    inbox.click(mail.id, method="GET", ip="203.0.113.7", agent=AGENT, hint="", now=stage.now)
    inbox.close()
    gone(stage)
    stage.after(minutes=5)
    stage.store.leave_no_traces(AGENT)
    assert AGENT.encode() not in everything_kept(stage.store)
    with stage.store.read() as tx:
        assert hooks.states(tx).get("nurture", {}).keys() == {"applied"}


def test_no_import_and_no_sign_up_brings_them_back(stage):
    mail = lived(stage)
    stage.unsubscribe(mail)
    gone(stage)
    assert stage.subscribe(EMAIL).suppressed == "unsubscribed"
    done = import_batch(stage.store, stage.deployed, [Row(2, EMAIL)], enroll="ladder", now=stage.now)
    assert (done.new, done.suppressed, done.enrolled) == (0, 1, 0)
    assert not stage.report("cart_added", EMAIL, total=1).known


def test_who_was_on_the_list_stays_off_it_until_an_operator_says_otherwise(stage):
    lived(stage)
    gone(stage)
    assert stage.subscribe(EMAIL).suppressed == "erased"
    with stage.store.write() as tx:
        suppressions.lift(tx, EMAIL)
    assert stage.subscribe(EMAIL).is_new
    assert gone(stage) is not None
    assert gone(stage) is None


def test_a_mail_on_its_way_is_settled_without_them_and_none_leaves_after(store):
    sent = []

    def takes_its_time(message):
        sent.append(message)
        if len(sent) == 1:
            erase(store, stage.deployed, EMAIL, stage.now, by="test")
            raise Unavailable(f"{EMAIL}: come again")
        return "x"

    stage = Stage(store, {"ladder": LADDER}, send=takes_its_time)
    stage.subscribe(EMAIL, first_name=NAME)
    stage.after(days=30)
    with store.read() as tx:
        (row,) = [row for row, _ in messages.listing(tx, None)]
        assert messages.payload(tx, row.id) is None
    assert len(sent) == 1
    assert (row.state, row.reason, row.subject) == ("abandoned", "erased", "")
    assert EMAIL.encode() not in everything_kept(store)
    stage.close()


def test_what_was_written_and_not_begun_is_not_begun(stage):
    stage.subscribe(EMAIL, first_name=NAME)
    stage._tick()
    stage.sender.turn(stage.deployed, stage.now)  # claimed and written, and in the sender's hands
    gone(stage)
    stage.after(days=10)
    assert stage.subjects(EMAIL) == []
    assert stage.states() == {"question": "cancelled"}


def test_words_that_an_operator_wrote_of_them_go_and_the_audit_log_stays_sound(stage):
    from nurture.engine.byhand import by_hand

    lived(stage)
    found = everything(stage.store, EMAIL)
    stage.subscribe("carol@example.com")
    number = about(stage.store, EMAIL).id
    with stage.store.read() as tx:
        place = tx.execute(text(f"SELECT id FROM enrollment WHERE subscriber = {number}")).scalar()
    assert found["enrollments"][0]["ended"] == "goal"
    with pytest.raises(Refused):
        by_hand(stage.store, stage.deployed, number, place, "skip", reason=NAME, by="ada", now=stage.now)
    with stage.store.write() as tx:
        audit.record(tx, audit.Entry(stage.now, "ada", "person ended", f"person {number}, ladder", f"{NAME} rang"))
        audit.record(tx, audit.Entry(stage.now, "ada", "person ended", f"person {number}0, ladder", "another"))
    gone(stage)
    with stage.store.read() as tx:
        assert [one.reason for one in audit.listing(tx, 9)] == ["", "another", ""]
        assert audit.first_broken(tx) is None
    assert NAME.encode() not in everything_kept(stage.store)


def test_a_reason_that_names_them_is_refused(stage):
    lived(stage)
    with pytest.raises(Refused, match="without the address"):
        gone(stage, reason=f"{EMAIL} asked for it")
    assert about(stage.store, EMAIL) is not None


# --- by operators and programs


def exported(store):
    with store.read() as tx:
        return [(one.who, one.action, one.target) for one in audit.listing(tx, 9) if "exported" in one.action]


def test_an_operator_erases_on_the_page_with_the_address_typed_again_and_a_reason(house):
    lived(house)
    number = about(house.store, EMAIL).id
    view = house.browser("view")
    assert not {"Erase this person", "/export"} & set(
        re.findall("Erase this person|/export", view.get(f"/people/{number}").text)
    )
    assert view.post(f"/people/{number}/export", data={"csrf": csrf(view)}).status_code == 403
    ada = house.browser("edit")
    taken = ada.post(f"/people/{number}/export", data={"csrf": csrf(ada)})
    assert (taken.json()["format"], f"person-{number}.json" in taken.headers["content-disposition"]) == (
        "nurture.person/1",
        True,
    )
    assert exported(house.store) == [("edit@example.com", "person exported", f"person {number}")]
    form = {"csrf": csrf(ada), "email": "bob@example.com", "reason": "she asked"}
    assert ada.post(f"/people/{number}/erase", data=form).status_code == 422
    done = ada.post(f"/people/{number}/erase", data={**form, "email": EMAIL})
    assert done.status_code == 200
    assert about(house.store, EMAIL) is None
    assert EMAIL not in ada.get("/people").text
    assert ada.post(f"/people/{number}/export", data=form).status_code == 404
    assert ada.get(f"/people/{number}").status_code == 200


def test_a_program_exports_and_erases(house):
    lived(house)
    assert house.program("read").delete(f"/api/subscribers/{EMAIL}").status_code == 403
    program = house.program("write")
    kept = program.get(f"/api/subscribers/{EMAIL}/export").json()
    assert kept["format"] == "nurture.person/1"
    number = about(house.store, EMAIL).id
    assert exported(house.store) == [("token write", "person exported", f"person {number}")]
    assert program.delete(f"/api/subscribers/{EMAIL}").json()["mails"] == 2
    assert program.delete(f"/api/subscribers/{EMAIL}").status_code == 404


def test_everything_known_of_a_person_is_in_their_document(stage):
    lived(stage)
    kept = everything(stage.store, EMAIL)
    assert kept["attributes"]["first_name"] == NAME
    assert kept["bought"] == {"review": kept["last_seen_at"]}
    assert f"Hello {NAME}" in kept["messages"][0]["text"]
    assert kept["answers"][0]["answer"] == "home"
    assert any(one["detail"].get("agent") == AGENT for one in kept["events"])
    assert json.loads(json.dumps(kept)) == kept


def test_a_list_is_taken_from_the_page_as_it_is_filtered_and_no_cell_is_a_formula(house):
    formulas = [
        "=1+1",
        "+1",
        "-1",
        "@SUM(A1)",
        "\t=1",
        "\r=1",
        "=cmd|' /C calc'!A0",
        '=HYPERLINK("https://evil.example")',
    ]
    for number, formula in enumerate(formulas):
        house.subscribe(f"b{number}@example.com", first_name=formula, tags=["vip"])
    house.subscribe("carol@example.com", first_name="Carol = Ann, -1")
    assert house.browser("view").post("/people/export", data={"as": "csv"}).status_code == 403
    ada = house.browser("edit")
    form = {"csrf": csrf(ada), "tag": "vip", "step": "", "answer": ""}
    table = ada.post("/people/export", data={**form, "as": "csv"})
    assert table.headers["content-disposition"] == 'attachment; filename="people.csv"'
    given = [row["first_name"] for row in csv.DictReader(StringIO(table.text, newline=""))]
    assert given == [f"'{formula.strip()}" for formula in formulas]
    document = ada.post("/people/export", data={**form, "tag": "", "as": "json"}).json()
    assert [one["attributes"]["first_name"] for one in document["people"]] == [
        *(one.strip() for one in formulas),
        "Carol = Ann, -1",
    ]
    with house.store.read() as tx:
        assert [one.action for one in audit.listing(tx, 2)] == ["people exported", "people exported"]


def test_the_command_line_exports_and_erases(tmp_path, capfd):
    def nurture(*words):
        code = run(["-C", str(tmp_path / "shop"), *words])
        out, err = capfd.readouterr()
        return code, out, err

    assert run(["init", str(tmp_path / "shop")]) == 0
    assert nurture("subscribe", EMAIL)[0] == 0
    assert json.loads(nurture("export")[1])["people"][0]["email"] == EMAIL
    assert nurture("export", "--csv")[1].splitlines()[1].startswith(EMAIL)
    assert json.loads(nurture("export", "--email", EMAIL)[1])["format"] == "nurture.person/1"
    log = nurture("audit")[1]
    assert [log.count(action) for action in ("people exported", "person exported")] == [2, 1]
    assert "say it with --yes" in nurture("erase", EMAIL)[2]
    code, out, err = nurture("erase", EMAIL, "--yes", "--json")
    assert (code, json.loads(out)["format"]) == (0, "nurture.erased/1")
    assert "Stays:" in err
    assert nurture("erase", EMAIL, "--yes")[0] == 1
    assert json.loads(nurture("export")[1])["people"] == []
    assert "erased" in nurture("show", EMAIL)[2]


def test_a_document_of_webhooks_holds_all_of_them(stage):
    with stage.store.write() as tx:
        hooks.keep(tx, [hooks.Arrived("postmark", {}, str(n).encode(), stage.now) for n in range(250)])
        assert len(hooks.listing(tx, failed=False)) == 250
