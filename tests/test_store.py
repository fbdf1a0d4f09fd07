"""One suite for both databases: every promise of the tables and of the questions that are asked of them."""

import threading
from datetime import UTC, datetime, timedelta

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import insert, select, text
from sqlalchemy.exc import IntegrityError

from nurture.errors import StoreError
from nurture.journey.enrollment import Answer, Enrollment
from nurture.journey.events import Kind
from nurture.journey.ledger import LEFT, State, after
from nurture.providers.standard import REPORTED
from nurture.store import (
    attempts,
    deploys,
    enrollments,
    events,
    evidence,
    hooks,
    messages,
    pauses,
    people,
    reports,
    tables,
)
from nurture.store.database import open_store

NOW = datetime(2026, 6, 1, 10, tzinfo=UTC)
LEASE = timedelta(seconds=60)


def person(store, email="ann@example.com"):
    with store.write() as tx:
        (saved,) = people.save(tx, [people.Newcomer(email, {}, frozenset())], NOW)
    return saved.id


def place(store, who, **values):
    with store.write() as tx:
        given = {"phase": "waiting", "step": "one", "due_at": NOW, **values}
        (added,) = enrollments.add(tx, [Enrollment(0, who, "ladder", 1, NOW, **given)])
    return added


def planned(store, count=1):
    """So many messages that are due, each of a person of their own who stands at its step."""
    ids = []
    for number in range(count):
        who = person(store, f"p{number}@example.com")
        at = place(store, who, phase="asked")
        with store.write() as tx:
            plan = messages.Plan(f"m{number:03}", at.id, who, "ladder", "one", NOW + timedelta(seconds=number))
            ids += messages.plan(tx, [plan], NOW)
    return ids


def claim(store, now=NOW + timedelta(minutes=5), limit=100, owner="me"):
    with store.write() as tx:
        return attempts.claim(tx, now, lease=LEASE, owner=owner, limit=limit, paused=())


def begin(store, claimed, now=NOW + timedelta(minutes=5)):
    rows = [attempts.Begin(one.id, one.token, b"bytes", "outbox", "key", "Hello", "") for one in claimed]
    with store.write() as tx:
        return attempts.begin(tx, rows, now, now + timedelta(seconds=25))


def states(store):
    with store.read() as tx:
        return messages.states(tx)


# --- the tables


def _ours(name, kind, _parents):
    return kind != "table" or not name.startswith("procrastinate_")


def test_the_migrations_make_exactly_the_tables(store):
    with store.read() as tx:
        found = compare_metadata(
            MigrationContext.configure(tx, opts={"compare_type": True, "include_name": _ours}), tables.metadata
        )
    assert found == []


def test_opening_again_changes_nothing_and_keeps_everything(url):
    store = open_store(url)
    person(store)
    store.close()
    store = open_store(url, upgrade=False)
    with store.read() as tx:
        assert people.by_email(tx, "ann@example.com") is not None
    store.close()


def test_a_transaction_is_all_or_nothing(store):
    with pytest.raises(ZeroDivisionError), store.write() as tx:
        people.save(tx, [people.Newcomer("ann@example.com", {}, frozenset())], NOW)
        raise ZeroDivisionError
    with store.read() as tx:
        assert people.by_email(tx, "ann@example.com") is None


def test_the_database_itself_refuses_a_second_mail_of_a_step(store):
    planned(store)
    with store.read() as tx:
        row = dict(tx.execute(select(tables.message)).mappings().one())
    with pytest.raises(IntegrityError), store.write() as tx:
        tx.execute(insert(tables.message), [{**row, "id": "another"}])


def test_a_full_disk_is_one_line_and_loses_nothing(tmp_path):
    store = open_store(f"sqlite:///{tmp_path}/full.db")
    person(store)
    with store.write() as tx:
        pages = tx.exec_driver_sql("PRAGMA page_count").scalar()
        tx.exec_driver_sql(f"PRAGMA max_page_count = {pages + 2}")  # SQLite's own word for a full disk
    with pytest.raises(StoreError, match=r"the disk that holds .*full\.db is full"), store.write() as tx:
        people.save(tx, [people.Newcomer(f"p{n}@example.com", {}, frozenset()) for n in range(2000)], NOW)
    with store.read() as tx:
        assert people.by_email(tx, "ann@example.com") is not None
        assert people.by_email(tx, "p0@example.com") is None
    store.close()


def test_only_one_engine_owns_a_sqlite_file(tmp_path):
    store = open_store(f"sqlite:///{tmp_path}/one.db")
    other = open_store(f"sqlite:///{tmp_path}/one.db")
    with store.own("nurture run", "9:00"):
        with (
            pytest.raises(StoreError, match=r"another engine \(process \d+, nurture run, since 9:00\)"),
            other.own("x"),
        ):
            pass
        person(other)  # commands may write beside it
    with other.own("x"):
        pass
    store.close()
    other.close()


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("sqlite:///nowhere/at/all.db", "there is no folder"),
        ("sqlite://", "the database must be a file"),
        ("mysql://localhost/x", "is not a database we know"),
        ("postgresql://nobody@127.0.0.1:1/x", "cannot be reached"),
        ("what?", "cannot be read"),
    ],
)
def test_a_database_that_cannot_be_used_is_one_line(url, sentence):
    with pytest.raises(StoreError, match=sentence) as caught:
        open_store(url)
    assert "\n" not in str(caught.value)


# --- no pass reads those who only wait

HOT = {
    "who is due": (lambda tx: enrollments.due(tx, NOW, 500), "ix_enrollment_due"),
    "when the next is due": (enrollments.peek, "ix_enrollment_due"),
    "when the next mail is due": (messages.next_due, "ix_message_due"),
    "which mails are due": (
        lambda tx: attempts.claim(tx, NOW, lease=LEASE, owner="me", limit=9, paused=()),
        "ix_message_due",
    ),
    # both of its indexes hold little but what is asked for; an empty database may choose either
    "unknown attempts": (lambda tx: evidence.unknown(tx, NOW, 9), ("ix_message_unsettled", "ix_message_trouble")),
    "overdue attempts": (lambda tx: evidence.any_unsettled(tx, NOW), "ix_message_unsettled"),
    "clicks to judge": (lambda tx: events.to_judge(tx, NOW, 500), "ix_event_judge"),
    "when the next click is judged": (events.peek, "ix_event_judge"),
    "hooks to apply": (hooks.any_waiting, "ix_hook_waiting"),
    "messages of a hook": (lambda tx: messages.by_provider_ids(tx, "x", ["y"]), "ix_message_provider_id"),
    "what was reported of a message": (lambda tx: events.of_messages(tx, ["m"]), "ix_event_message"),
    "clicks for a report": (lambda tx: reports.clicks(tx, "s", None, None), "ix_event_clicked"),
    "clicks from an address": (lambda tx: events.clicks_from(tx, ["40.94.0.7"], NOW, NOW, 9), "ix_event_from"),
    "what was drawn": (lambda tx: list(reports.draws(tx, "s")), "ix_event_told"),
    "who bought": (lambda tx: list(reports.happened(tx, "bought", "review")), "ix_event_told"),
    "purchases": (lambda tx: list(reports.purchases(tx)), "ix_event_told"),
}


@pytest.mark.parametrize("question", HOT)
def test_hot_questions_are_answered_by_their_index(store, question):
    ask, index = HOT[question]
    asked = []

    def listen(connection, cursor, statement, parameters, context, many):
        asked.append((statement, parameters))

    from sqlalchemy import event as hearing

    engine = store._reader
    hearing.listen(engine, "before_cursor_execute", listen)
    with store.read() as tx:
        ask(tx)
        hearing.remove(engine, "before_cursor_execute", listen)
        plans = []
        for statement, parameters in asked:
            if store.dialect == "postgresql":
                tx.exec_driver_sql("SET enable_seqscan = off")
                plans += tx.exec_driver_sql(f"EXPLAIN {statement}", parameters).scalars()
            else:
                plans += [row[3] for row in tx.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)]
    wanted = (index,) if isinstance(index, str) else index
    assert any(name in line for line in plans for name in wanted), plans


# --- people


def test_what_is_known_of_a_person_is_added_to_and_never_taken_away(store):
    with store.write() as tx:
        people.save(tx, [people.Newcomer("ann@example.com", {"first_name": "Ann"}, frozenset({"vip"}))], NOW)
        (again,) = people.save(tx, [people.Newcomer("ann@example.com", {"seats": 3}, frozenset({"guide"}))], NOW)
        found = people.by_email(tx, "ann@example.com")
    assert not again.is_new
    assert found.attributes == {"first_name": "Ann", "seats": 3}
    assert found.tags == {"vip", "guide"}
    assert found.joined_at == NOW


def test_a_place_comes_back_as_it_was_saved(store):
    who = person(store)
    saved = place(
        store, who, data={"total": 3, "word": "ü"}, asked=("one",), answers={"one": Answer("home", NOW, "one")},
        done={"bought:x": NOW}, offers={"offer": NOW + timedelta(days=2, microseconds=1)}, last_mail_at=NOW,
        judging_until=NOW, waits_for="tue 9:00", fixed=True, led_by="one", because="it is so",
    )  # fmt: skip
    with store.read() as tx:
        ((found, _),) = enrollments.by_ids(tx, [saved.id])
    assert found == saved


def test_kept_asks_are_counted_by_mail_and_answer(store):
    said = {"ann": ("home", "question"), "bob": ("home", "question_again"), "cyd": ("home", "question"), "dan": None}
    for name, answer in said.items():
        answers = {} if answer is None else {"question": Answer(answer[0], NOW, answer[1])}
        place(store, person(store, f"{name}@example.com"), answers=answers)
    with store.read() as tx:
        counted = enrollments.kept(tx, "ladder")
        assert {step: dict(found) for step, found in counted.items()} == {
            "question": {"home": 2},
            "question_again": {"home": 1},
        }
        assert not enrollments.kept(tx, "another")


def test_a_pass_begins_once(store):
    who = person(store)
    place(store, who)
    with store.write() as tx:
        assert enrollments.add(tx, [Enrollment(0, who, "ladder", 1, NOW)]) == []
        assert enrollments.add(tx, [Enrollment(0, who, "ladder", 2, NOW, phase="waiting", step="one")]) == []


# --- the life of a message


def test_a_claim_is_one_workers_until_its_lease_is_over(store):
    planned(store, 3)
    first = claim(store, limit=2)
    assert [one.id for one in first] == ["m000", "m001"]
    assert [one.id for one in claim(store, owner="other")] == ["m002"]
    assert claim(store, owner="other") == []
    late = claim(store, now=NOW + timedelta(minutes=5) + LEASE, owner="other")
    assert [one.token for one in late] == [2, 2, 2]
    assert begin(store, first) == set(), "a lost claim lets nothing go"


def test_two_workers_never_claim_the_same_message(store):
    planned(store, 60)
    taken, barrier = [], threading.Barrier(4)

    def work(owner):
        barrier.wait()
        while mine := claim(store, limit=7, owner=owner):
            taken.extend(one.id for one in mine)

    workers = [threading.Thread(target=work, args=(f"w{n}",)) for n in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert sorted(taken) == [f"m{n:03}" for n in range(60)]


def test_the_bytes_are_frozen_before_the_first_attempt_and_never_again(store):
    planned(store)
    claimed = claim(store)
    assert begin(store, claimed) == {"m000"}
    with store.write() as tx:
        evidence.stuck(tx, NOW + timedelta(hours=1))
        evidence.settle(tx, [("m000", State.PLANNED, "again", NOW)])
    (again,) = claim(store, now=NOW + timedelta(hours=1))
    assert again.frozen == b"bytes"
    with store.write() as tx:
        other = attempts.Begin(again.id, again.token, b"other bytes", "outbox", "key", "", "")
        attempts.begin(tx, [other], NOW + timedelta(hours=1), NOW + timedelta(hours=2))
    with store.read() as tx:
        assert messages.payload(tx, "m000") == b"bytes"


@pytest.mark.parametrize("change", ["unsubscribed", "ended", "moved on"])
def test_nothing_begins_for_a_person_who_left_or_moved_on(store, change):
    planned(store)
    claimed = claim(store)
    with store.write() as tx:
        tx.execute(
            text({
                "unsubscribed": "update subscriber set status = 'unsubscribed'",
                "ended": "update enrollment set phase = 'ended', due_at = null",
                "moved on": "update enrollment set step = 'two'",
            }[change])
        )  # fmt: skip
    assert begin(store, claimed) == set()
    assert states(store) == {State.CANCELLED: 1}


def test_a_pause_holds_what_is_claimed_already_and_loses_nothing(store):
    planned(store)
    claimed = claim(store)
    with store.write() as tx:
        pauses.pause(tx, "ladder", "", NOW)
    assert begin(store, claimed) == set()
    assert states(store) == {State.PLANNED: 1}
    with store.write() as tx:
        assert pauses.resume(tx, "ladder")
    assert begin(store, claim(store, now=NOW + timedelta(minutes=6)), NOW + timedelta(minutes=6)) == {"m000"}


def test_an_attempt_without_an_answer_is_unknown_and_never_claimed_again(store):
    planned(store)
    begin(store, claim(store))
    later = NOW + timedelta(hours=1)
    assert claim(store, now=later) == []
    with store.write() as tx:
        assert evidence.any_unsettled(tx, later)
        assert evidence.stuck(tx, later) == ["m000"]
    assert states(store) == {State.UNKNOWN: 1}
    assert claim(store, now=later) == []


def test_that_a_mail_left_is_believed_from_anyone_and_that_it_did_not_only_from_its_owner(store):
    planned(store)
    (claimed,) = claim(store)
    begin(store, [claimed])
    with store.write() as tx:
        evidence.stuck(tx, NOW + timedelta(hours=1))
        refused = attempts.Outcome("m000", claimed.token, State.FAILED, NOW, reason="refused")
        assert attempts.finish(tx, [refused]) == []
        sent = attempts.Outcome("m000", claimed.token, State.SENT, NOW, "provider-1")
        (row,) = attempts.finish(tx, [sent])
    assert (row.state, row.provider_id) == (State.SENT, "provider-1")


def test_reports_in_any_order_come_to_one_state():
    kinds = [Kind.SENT, Kind.DELIVERED, Kind.OPENED, Kind.CLICKED, Kind.COMPLAINED]
    for first in kinds:
        for second in kinds:
            one = after(after(after(State.SENDING, first), second), Kind.DELIVERED)
            other = after(after(after(State.SENDING, Kind.DELIVERED), second), first)
            assert one is other


def test_whatever_is_reported_of_a_mail_proves_that_it_left():
    for kind in (*REPORTED, Kind.REPLIED):
        for before in (State.UNKNOWN, State.ABANDONED, State.SENDING, State.FAILED):
            assert after(before, kind) in LEFT, (before, kind)
    assert after(State.UNKNOWN, Kind.UNKNOWN) is State.UNKNOWN


# --- reports and versions


def test_a_report_is_recorded_once(store):
    row = events.Recorded("clicked", NOW, NOW, key="k")
    with store.write() as tx:
        assert events.record(tx, [row]) == ["k"]
        assert events.record(tx, [row]) == []


def test_the_same_bytes_on_a_hook_are_kept_once_and_replayed_on_demand(store):
    arrived = hooks.Arrived("postmark", {"a": "b"}, b"\x00\xff raw", NOW)
    with store.write() as tx:
        assert hooks.keep(tx, [arrived, arrived]) == 1
        assert hooks.keep(tx, [arrived]) == 0
        (waiting,) = hooks.waiting(tx, 10)
        assert (waiting.body, waiting.headers) == (b"\x00\xff raw", {"a": "b"})
        hooks.applied(tx, [waiting.id])
        assert hooks.waiting(tx, 10) == []
        assert hooks.replay(tx, waiting.id)
        assert not hooks.replay(tx, 999)
        assert len(hooks.waiting(tx, 10)) == 1


def test_a_version_comes_back_byte_by_byte(store):
    files = {"sequences/a.yaml": b"a", "templates/a.md": b"a", "files/x.pdf": bytes(range(256))}
    with store.write() as tx:
        number = deploys.save(tx, files, NOW)
    with store.read() as tx:
        assert deploys.latest(tx) == (number, files)
