"""Reports that are broken, early, foreign, replayed or too many; people who get no more mail. On both databases."""

import json
import re
import shutil
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from stage import LINKS, MONDAY, Stage

from nurture.engine import stopping
from nurture.engine.inbox import OVERHEAD, Inbox
from nurture.engine.judging import judge_again
from nurture.engine.receive import DROPPED, receive
from nurture.engine.tick import tick
from nurture.errors import Rejected, StoreError, Uncertain
from nurture.journey.bounces import worn_out
from nurture.journey.events import Event, Kind
from nurture.journey.verdict import judge
from nurture.store import events, hooks, strays, suppressions, tables, tallies
from nurture.store.database import open_store

LADDER = """\
start: joined
from: Ada <ada@example.com>
within: 3 days
steps:
  tour:
    subject: Tour
    template: body.md
    ask: {click: Show me, to: https://example.com/tour}
    yes: more
    no: end
  more:
    subject: More
    template: body.md
    ask: {click: Once more, to: https://example.com/more}
    no: end
"""
FIRST = datetime(1970, 1, 1, tzinfo=UTC)


@pytest.fixture
def stage(store):
    made = Stage(store, {"ladder": LADDER})
    yield made
    made.close()


def report(mail, kind, at, **more):
    return {"email": "x@example.com", "timestamp": int(at.timestamp()), "event": kind, "nid": mail.id, **more}


def come(stage, *reports):
    return stage.hook("sendgrid", json.dumps(list(reports)).encode())


def looked(store, look):
    with store.read() as tx:
        return look(tx)


# --- what cannot be read


def test_one_broken_report_does_not_stop_its_neighbours_and_is_read_again_after_it_was_mended(stage):
    for number in range(99):
        stage.subscribe(f"person{number}@example.com")
    stage.work()
    batch = [report(mail, "delivered", stage.now) for mail in stage.delivered]
    batch.insert(50, {"event": "delivered", "timestamp": "yesterday"})
    done = come(stage, *batch)
    assert (done.recorded, done.quarantined) == (99, 1)
    (failed,) = looked(stage.store, lambda tx: hooks.listing(tx, failed=True))
    assert json.loads(failed.body) == {"event": "delivered", "timestamp": "yesterday"}
    for _ in range(2):  # it is still broken, and still not lost
        with stage.store.write() as tx:
            assert hooks.replay_failed(tx) == 1
        again = receive(stage.store, stage.deployed, LINKS, stage.now)
        assert (again.quarantined, again.recorded) == (1, 0)
        assert len(looked(stage.store, lambda tx: hooks.listing(tx, failed=True))) == 1
    # what an upgrade of the program does for it: from now on it can be read
    mended = json.dumps(report(stage.delivered[0], "open", stage.now)).encode()
    with stage.store.write() as tx:
        tx.execute(hooks.table.update().where(hooks.c.id == failed.id).values(body=mended))
        hooks.replay_failed(tx)
    again = receive(stage.store, stage.deployed, LINKS, stage.now)
    assert (again.quarantined, again.recorded) == (0, 1)
    assert looked(stage.store, lambda tx: hooks.listing(tx, failed=True)) == []


def test_a_signed_body_that_is_replayed_later_or_with_other_headers_changes_nothing(stage):
    stage.subscribe()
    stage.work()
    body = json.dumps([report(stage.delivered[0], "unsubscribe", stage.now)]).encode()
    assert stage.hook("sendgrid", body, {"x-one": "1"}).recorded == 1
    stopping.unsuppress(stage.store, "ann@example.com", "she asked for it again", stage.now)
    stage.now += timedelta(days=40)
    assert stage.hook("sendgrid", body, {"x-other": "2"}).hooks == 0
    spaced = body.replace(b",", b", ")  # other bytes that mean the same are known by their meaning
    assert stage.hook("sendgrid", spaced).recorded == 0
    assert stage.story()["status"] == "active"


def test_a_token_that_may_be_used_once_is_not_used_for_another_report(store):
    inbox = Inbox(store)
    try:
        inbox.submit("mailgun", {}, b"{1}", MONDAY, "token").result()
        inbox.submit("mailgun", {}, b"{1}", MONDAY, "token").result()  # a retry, which is no attack
        inbox.submit("mailgun", {}, b"{2}", MONDAY, "token").result()  # which is one, and changes nothing
        inbox.submit("mailgun", {}, b"{2}", MONDAY, "another").result()
        inbox.submit("other", {}, b"{3}", MONDAY, "token").result()
    finally:
        inbox.close()
    with store.read() as tx:
        assert hooks.count(tx) == 3


def test_what_waits_is_bounded_and_none_of_it_is_lost(store):
    inbox = Inbox(store, most_waiting=10 * (OVERHEAD + 100))
    with store.write():  # SQLite's one writer is busy, so that what comes now has to wait there
        taken, refused = [], 0
        for number in range(30):
            try:
                taken.append(inbox.submit("sendgrid", {}, b"%100d" % number, MONDAY))
            except StoreError:
                refused += 1
    for one in taken:
        one.result()
    inbox.close()
    with store.read() as tx:
        assert hooks.count(tx) == len(taken)
    if store.dialect == "sqlite":
        assert (len(taken), refused) == (10, 20)
    late = Inbox(store, most_waiting=2 * (OVERHEAD + 100))
    for number in range(30, 60):  # what has been written makes room again
        late.submit("sendgrid", {}, b"%100d" % number, MONDAY).result()
    late.close()


# --- mail that is not known


def test_a_report_that_comes_before_its_mail_is_known_waits_for_it(stage):
    stage.subscribe()
    stage.work()
    mail = stage.delivered[0]
    with stage.store.write() as tx:
        tx.execute(tables.message.update().values(provider="sendgrid", provider_id=""))
    early = {**report(mail, "delivered", stage.now), "sg_message_id": "early.recvd"}
    del early["nid"]
    assert come(stage, early).dropped == 0
    assert looked(stage.store, strays.count) == {"sendgrid": 1}
    assert stage.states() == {"tour": "sent"}
    with stage.store.write() as tx:
        tx.execute(tables.message.update().values(provider_id="early"))
    stage.now += timedelta(minutes=1)
    assert receive(stage.store, stage.deployed, LINKS, stage.now).recorded == 1
    assert stage.states() == {"tour": "delivered"}
    assert looked(stage.store, strays.count) == {}


def test_other_peoples_mail_on_the_account_is_dropped_after_a_week_and_counted(stage):
    stage.subscribe()
    stage.work()
    theirs = {"email": "b@example.com", "timestamp": 1, "event": "delivered", "sg_message_id": "theirs.recvd"}
    assert come(stage, theirs, {**theirs, "nid": "unknown"}).dropped == 1, "an id of ours is known before it leaves"
    assert come(stage, {**theirs, "sg_event_id": "again"}).dropped == 0
    looks = 0
    while looked(stage.store, strays.count):
        stage.now += timedelta(hours=6)
        looks += receive(stage.store, stage.deployed, LINKS, stage.now).dropped
        assert stage.now < MONDAY + timedelta(days=8)
    assert stage.now >= MONDAY + timedelta(days=7)
    assert looked(stage.store, lambda tx: tallies.every(tx, DROPPED)) == {"sendgrid": 1 + looks}
    assert all(one < other for one, other in pairwise(strays.LOOKS))


# --- a report on a mail that was not believed to have left


@pytest.mark.parametrize(
    ("believed", "fault", "due"),
    [
        ("unknown", Uncertain("no answer"), "2026-06-04T10:00:00Z"),  # three days after it was tried
        ("abandoned", Uncertain("no answer"), "2026-06-05T11:00:00Z"),  # after it was given up: they went on then
        ("failed", Rejected("no such mailbox"), "2026-06-04T10:00:00Z"),
        ("cancelled", None, None),  # barred before it could leave
    ],
)
def test_a_report_is_believed_whatever_was_believed_of_the_mail_and_moves_on_who_waited_for_it(
    migrated, tmp_path, believed, fault, due
):  # fmt: skip
    shutil.copy(migrated, tmp_path / "nurture.db")
    store = open_store(f"sqlite:///{tmp_path}/nurture.db")

    def send(message):
        raise fault

    stage = Stage(store, {"ladder": LADDER}, send=send)
    people = ("ann@example.com", "bob@example.com")
    for email in people:
        stage.subscribe(email)
    tick(store, stage.deployed, stage.now)
    if fault is None:
        for email in people:
            stopping.suppress(store, stage.deployed, email, "a slip", stage.now)
    stage.work()
    stage.after(hours=25 if believed == "abandoned" else 0)
    mails = [stage.story(email)["messages"][0] for email in people]
    assert [mail["state"] for mail in mails] == [believed] * 2
    kinds = zip(mails, ("delivered", "bounce"), strict=True)
    told = [{"timestamp": int(stage.now.timestamp()), "event": kind, "nid": mail["id"]} for mail, kind in kinds]
    assert come(stage, *told).recorded == 2
    ann, bob = (stage.story(email) for email in people)
    assert [one["messages"][0]["state"] for one in (ann, bob)] == ["delivered", "bounced"]
    left = None if fault is None else "2026-06-01T10:00:00Z"
    assert [one["messages"][0]["sent_at"] for one in (ann, bob)] == [left] * 2, "when it was tried, if it ever was"
    assert ann["enrollments"][0]["due_at"] == due
    assert (bob["status"], bob["enrollments"][0]["ended"]) == ("bounced", "bounced")
    stage.after(days=4)
    assert stage.place("ladder")["ended"] == ("finished" if fault else "unsubscribed")
    assert len(stage.story()["messages"]) == 1
    stage.close()
    store.close()


# --- who gets no more mail


def test_an_operator_bars_an_address_and_lets_it_in_again(stage):
    stage.subscribe()
    stage.work()
    done = stopping.suppress(stage.store, stage.deployed, " Ann@Example.com", "she called", stage.now)
    assert (done.email, done.known, done.before) == ("ann@example.com", True, None)
    stage.after(days=30)
    assert stage.subjects() == ["Tour"]
    story = stage.story()
    assert story["suppressed"] == {"reason": "manual", "because": "she called", "since": "2026-06-01T10:00:00Z"}
    assert stage.subscribe().suppressed == "manual"
    assert stopping.suppress(stage.store, stage.deployed, "ann@example.com", "again", stage.now).before is not None
    stopping.unsuppress(stage.store, "ann@example.com", "she wrote", stage.now)
    assert stage.story()["suppressed"] is None
    assert not stage.subscribe().suppressed
    assert [(one["kind"], one["reason"]) for one in stage.story()["events"] if "suppressed" in one["kind"]] == [
        ("suppressed", "she called"), ("suppressed", "again"), ("unsuppressed", "she wrote (it was barred: manual)"),
    ]  # fmt: skip


def test_an_address_that_nobody_has_yet_is_barred_before_it_comes(stage):
    assert not stopping.suppress(stage.store, stage.deployed, "bob@example.com", "a competitor", stage.now).known
    assert stage.subscribe("bob@example.com").suppressed == "manual"
    ((digest, barred),) = looked(stage.store, suppressions.every)
    assert (barred.reason, barred.because) == ("manual", "a competitor")
    assert "bob" not in digest
    assert stopping.unsuppress(stage.store, "carl@example.com", "a slip", stage.now).before is None


def test_the_strongest_reason_stays_in_any_order(stage):
    stage.subscribe()
    stage.work()
    mail = stage.delivered[0]
    come(stage, report(mail, "bounce", stage.now + timedelta(seconds=5)))
    assert (stage.story()["status"], stage.place("ladder")["ended"]) == ("bounced", "bounced")
    come(stage, report(mail, "spamreport", stage.now + timedelta(seconds=9)), report(mail, "unsubscribe", stage.now))
    assert (stage.story()["status"], stage.place("ladder")["ended"]) == ("complained", "complained")
    assert stage.story()["suppressed"] == {"reason": "complained", "because": "", "since": "2026-06-01T10:00:00Z"}


def bounce(message, day, kind=Kind.SOFT_BOUNCED):
    return Event(kind, MONDAY + timedelta(days=day), message=message)


SOFT = [bounce(str(number), 2 * number) for number in range(5)]


@pytest.mark.parametrize(
    ("reports", "dead"),
    [
        (SOFT, True),
        (list(reversed(SOFT)), True),
        (SOFT[:4], False),
        ([bounce(str(number), number) for number in range(5)], False),  # within four days
        ([bounce("1", number) for number in range(20)], False),  # one mail that was tried for weeks
        ([*SOFT, bounce("x", 5, Kind.DELIVERED)], False),
        ([*SOFT, bounce("x", 5, Kind.CLICKED)], False),
        ([*SOFT, bounce("x", 5, Kind.OPENED)], True),
        ([*SOFT, bounce("x", 8, Kind.DELIVERED)], False),  # at the same moment: in doubt it lives
        ([*SOFT, bounce("x", -1, Kind.DELIVERED)], True),
        ([], False),
    ],
)
def test_soft_bounces_add_up(reports, dead):
    assert bool(worn_out(reports)) is dead


STEPS = "".join(
    f"""\
  m{number}:
    subject: Mail {number}
    template: body.md
    ask: {{click: Show me, to: https://example.com/{number}}}
    within: 2 days
    no: {f"m{number + 1}" if number < 7 else "end"}
"""
    for number in range(8)
)


@pytest.mark.parametrize("arrives", [False, True])
def test_a_mailbox_that_refuses_mail_after_mail_gets_no_more(store, arrives):
    stage = Stage(store, {"ladder": f"start: joined\nfrom: Ada <ada@example.com>\nwithin: 2 days\nsteps:\n{STEPS}"})
    stage.subscribe()
    for number in range(8):
        stage.work()
        if len(stage.delivered) > number:
            kind = "delivered" if arrives and number == 2 else "bounce"
            come(stage, report(stage.delivered[number], kind, stage.now, type="blocked", reason="full"))
        stage.after(days=2)
    stage.close()
    story = stage.story()
    assert len(stage.delivered) == (8 if arrives else 5)
    if arrives:
        # five in a row again by the end: two, one that arrived, five
        assert story["suppressed"]["because"] == "5 mails in a row were refused from 2026-06-07 to 2026-06-15"
    else:
        assert story["suppressed"]["reason"] == "soft"
        assert stage.place("ladder")["ended"] == "bounced"
        assert story["status"] == "bounced"


# --- verdicts again


def test_a_person_behind_a_gateway_is_found_after_its_machine(stage):
    stage.subscribe()
    stage.work()
    mail = stage.delivered[0]
    assert stage.click(mail, method="HEAD", ip="198.51.100.1") == "https://example.com/tour", "a machine is served too"
    assert stage.click(mail, agent="urldefense scanner") == "https://example.com/tour"
    stage.after(minutes=1)
    assert stage.subjects() == ["Tour"]
    stage.after(hours=2)
    stage.click(mail)
    stage.after(minutes=1)
    assert stage.subjects() == ["Tour", "More"]
    assert looked(stage.store, events.verdicts) == {True: 1, False: 2}


def test_one_address_that_clicks_for_people_at_ten_domains_is_a_gateway(stage):
    gate, firefox = "40.94.0.7", "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
    people = [f"ann@{number}.example.com" for number in range(10)]
    for person in people:
        stage.subscribe(person)
    stage.work()
    stage.now += timedelta(minutes=5)
    for person in people:
        stage.click(stage.mail("Tour", person), ip=gate, agent=firefox)
        stage.now += timedelta(seconds=2)
    stage.click(stage.mail("Tour", people[0]), ip="198.51.100.7", agent=firefox)  # from home
    stage.after(minutes=1)
    assert [person for person in people if "More" in stage.subjects(person)] == people[:1]
    found = looked(stage.store, lambda tx: events.clicks(tx, 0, FIRST, 20))
    reason = "one address clicked for people at 10 domains within 10 minutes"
    assert [(one.human, one.reason) for one in found[:10]] == [(False, reason)] * 10


def test_a_confirmation_counts_amid_the_burst_of_a_gateway_with_the_same_network_and_agent(house):
    """A person behind a link gateway arrives through it, and may arrive while it works."""
    house.subscribe()
    house.work()
    mail = house.mail("Question")
    links = re.findall(r"https://go\.example\.com(/[qu]/\S+)", mail.text)
    assert len(links) >= 3, "two answers and the way out"
    for link in links:
        house.nobody.get(link)
    same = {"ip": "127.0.0.1", "useragent": house.nobody.headers["user-agent"]}
    come(house, *[report(mail, "click", house.now, url=f"https://go.example.com{link}", **same) for link in links])
    assert house.nobody.post(links[0], data={"answer": "home"}).status_code == 200
    house.after(minutes=1)
    assert house.subjects() == ["Question", "Tour"]
    burst = [events.as_event(row) for row in looked(house.store, lambda tx: events.of_messages(tx, [mail.id]))]
    burst = [one for one in burst if one.kind is Kind.CLICKED]
    assert {judge(burst, one, None).human for one in burst} == {False}, "and all of them are a machine's"


def test_clicks_are_judged_again_by_the_rules_of_today(stage):
    stage.subscribe()
    stage.subscribe("bob@example.com")
    stage.work()
    stage.click(stage.mail("Tour"))
    stage.click(stage.mail("Tour", "bob@example.com"), method="HEAD")
    stage.after(minutes=1)
    assert stage.subjects() == ["Tour", "More"]
    assert stage.subjects("bob@example.com") == ["Tour"]
    again = judge_again(stage.store, stage.deployed, FIRST, stage.now, apply=False)
    assert (again.looked_at, again.changed) == (2, [])
    with stage.store.write() as tx:  # what older rules had found: both the other way
        rows = events.clicks(tx, 0, FIRST, 10)
        events.judge(tx, [(row.id, not row.human, "by older rules") for row in rows])
    again = judge_again(stage.store, stage.deployed, FIRST, stage.now, apply=False)
    assert (dict(again.turned), again.moved) == ({"human": 1, "machine": 1}, 0)
    assert [row.reason for row in looked(stage.store, lambda tx: events.clicks(tx, 0, FIRST, 10))] == [
        "by older rules"
    ] * 2
    with stage.store.write() as tx:  # and it was bob whom they had lost
        events.judge(tx, [(row.id, False, "by older rules") for row in rows])
    stage.now += timedelta(hours=1)
    again = judge_again(stage.store, stage.deployed, FIRST, stage.now, apply=True)
    assert dict(again.turned) == {"human": 1}
    assert judge_again(stage.store, stage.deployed, FIRST, stage.now, apply=True).changed == []
    stage.work()
    assert stage.subjects() == ["Tour", "More"], "a yes that is known takes nobody anywhere twice"


def test_a_click_that_turns_out_human_is_a_late_yes(stage):
    stage.subscribe()
    stage.work()
    stage.click(stage.mail("Tour"))
    receive(stage.store, stage.deployed, LINKS, stage.now)
    with stage.store.write() as tx:
        (row,) = events.to_judge(tx, stage.now + timedelta(minutes=1), 10)
        events.judge(tx, [(row.id, False, "by older rules")])
    stage.after(hours=1)
    assert stage.subjects() == ["Tour"]
    again = judge_again(stage.store, stage.deployed, MONDAY - timedelta(days=1), stage.now, apply=True)
    assert (dict(again.turned), again.moved) == ({"human": 1}, 1)
    stage.work()
    assert stage.subjects() == ["Tour", "More"]
    assert judge_again(stage.store, stage.deployed, stage.now, stage.now, apply=False).looked_at == 0
