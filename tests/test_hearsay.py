"""Purchases and what programs tell by hook: counted once, in any order, and put aside with a reason when they cannot be."""

import json
from datetime import timedelta
from itertools import permutations
from pathlib import Path

import pytest
from stage import LINKS, MONDAY, Stage

from nurture.engine.receive import receive
from nurture.engine.rules import Rules
from nurture.store import hooks, people, suppressions

LADDER = """\
title: A ladder
start: joined
from: Ada <ada@example.com>
goal: {bought: course}
within: 3 days
steps:
  tour:
    subject: Tour
    template: body.md
    ask: {click: Show me, to: https://example.com/tour}
    no: end
"""
AFTER = """\
title: After the course
start: {bought: course}
from: Ada <ada@example.com>
within: 3 days
steps:
  thanks:
    subject: Thanks
    template: body.md
    ask: {click: Show me, to: https://example.com/tour}
    no: end
"""
RECORDED = {hook["name"]: hook["body"] for hook in json.loads(
    (Path(__file__).parent / "recorded/stripe.json").read_text())["hooks"]}  # fmt: skip
CHECKOUT, INVOICE, PAYMENT = (
    RECORDED[name]
    for name in ("a paid checkout", "the first invoice of a subscription", "a payment that names its product")
)


@pytest.fixture
def stage(store):
    rules = Rules(postal_address="1 Example Street", products={"price_1": "course", "plink_1": "curse"})
    made = Stage(store, {"ladder": LADDER, "after": AFTER}, rules=rules)
    made.subscribe("rosa@example.net")
    made.work()
    yield made
    made.close()


def stripe(stage, body, **changes):
    return stage.hook("stripe", json.dumps({**body, "created": int(stage.now.timestamp()), **changes}).encode())


def standard(stage, kind, number="msg_1", **data):
    body = {"type": kind, "timestamp": stage.now.isoformat(), "data": {"email": "rosa@example.net", **data}}
    return stage.hook("standard", json.dumps(body).encode(), {"webhook-id": number})


def bought(stage):
    return [event for event in stage.story("rosa@example.net")["events"] if event["kind"] == "bought"]


def failed(stage):
    with stage.store.read() as tx:
        return hooks.listing(tx, failed=True)


def test_a_purchase_at_stripe_reaches_the_goal_and_starts_what_follows(stage):
    assert stripe(stage, CHECKOUT).recorded == 1
    stage.work()
    assert stage.place("ladder", "rosa@example.net")["ended"] == "goal"
    assert stage.subjects("rosa@example.net") == ["Tour", "Thanks"]


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_three_reports_of_one_payment_in_any_order_are_one_purchase(stage, order):
    reports = [(CHECKOUT, 0), (INVOICE, 3), (PAYMENT, -40)]
    told = []
    for place in order:
        body, seconds = reports[place]
        told.append(stripe(stage, body, created=int(stage.now.timestamp()) + seconds))
    assert sorted(one.recorded for one in told) == [0, 0, 1]
    assert sum(one.repeated for one in told) == 2
    stage.work()
    assert len(bought(stage)) == 1
    assert stage.subjects("rosa@example.net") == ["Tour", "Thanks"]


def test_stripe_repeats_a_report_days_later_and_it_counts_once(stage):
    at = int(stage.now.timestamp())
    assert stripe(stage, CHECKOUT).recorded == 1
    stage.after(days=2)
    again = stripe(stage, CHECKOUT, created=at, pending_webhooks=0)
    assert (again.hooks, again.recorded, again.repeated) == (1, 0, 1)
    assert len(bought(stage)) == 1


def test_a_second_purchase_another_day_is_one(stage):
    stripe(stage, CHECKOUT)
    stage.after(days=2)
    assert stripe(stage, CHECKOUT, id="evt_another").recorded == 1
    assert len(bought(stage)) == 2


@pytest.mark.parametrize("name", [name for name in RECORDED if name in (
    "a checkout that is not paid yet", "a renewal", "the inside of a checkout", "a refund")])  # fmt: skip
def test_what_is_no_new_yes_changes_nothing_and_bothers_nobody(stage, name):
    told = stripe(stage, RECORDED[name])
    assert (told.hooks, told.recorded, told.quarantined) == (1, 0, 0)
    assert bought(stage) == failed(stage) == []


def test_a_refund_does_not_undo_a_yes(stage):
    stripe(stage, CHECKOUT)
    stripe(stage, RECORDED["a refund"])
    assert len(bought(stage)) == 1
    assert stage.place("ladder", "rosa@example.net")["ended"] == "goal"


def test_a_purchase_by_somebody_unknown_waits_until_they_are_known(stage):
    body = json.loads(json.dumps(CHECKOUT).replace("rosa@example.net", "new@example.net"))
    assert stripe(stage, body).quarantined == 1
    (kept,) = failed(stage)
    assert kept.error == (
        "nobody here has the address new@example.net; `nurture subscribe new@example.net`, then replay this"
    )
    stage.subscribe("new@example.net")
    with stage.store.write() as tx:
        assert hooks.replay(tx, kept.id)
    assert receive(stage.store, stage.deployed, LINKS, stage.now).recorded == 1
    assert failed(stage) == []
    with stage.store.read() as tx:
        assert set(people.by_email(tx, "new@example.net").bought) == {"course"}


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"metadata": {"nurture_product": "cours"}}, "people.yaml declares no product 'cours', did you mean 'course'?"),
        ({"metadata": {}, "payment_link": "plink_1"}, "people.yaml declares no product 'curse', did you mean 'course'?"),
        ({"metadata": {}, "payment_link": "plink_2"}, ("it names no product: put nurture_product into its metadata, or "
         "say in nurture.toml under [products] what one of these is: plink_2")),
        ({"metadata": {}}, "it names no product: put nurture_product into its metadata"),
        ({"customer_details": None}, ("checkout.session.completed cs_live_a1 names no person: it has no email; put "
         "nurture_email into its metadata")),
        ({"customer_details": {"email": "no address"}}, "'no address' is not an email address"),
        ({"metadata": 5}, "not readable as stripe writes"),
    ],
)  # fmt: skip
def test_a_purchase_that_cannot_be_applied_is_put_aside_and_says_why(stage, changed, said):
    body = {**CHECKOUT, "data": {"object": {**CHECKOUT["data"]["object"], **changed}}}
    assert stripe(stage, body).quarantined == 1
    (kept,) = failed(stage)
    assert kept.error.startswith(said)
    assert bought(stage) == []


def test_a_price_of_stripe_is_a_product_as_settings_say(stage):
    assert stripe(stage, INVOICE).recorded == 1
    assert len(bought(stage)) == 1


def test_an_own_service_tells_of_a_purchase_an_event_and_a_tag_once_each(stage):
    for _ in range(2):
        told = [
            standard(stage, "bought", "msg_1", product="review"), standard(stage, "cart_added", "msg_2", total=49),
            standard(stage, "tag", "msg_3", tag="vip"),
        ]  # fmt: skip
    assert [one.recorded for one in told] == [0, 0, 0]
    story = stage.story("rosa@example.net")
    assert sorted(event["kind"] for event in story["events"] if event["kind"] in ("bought", "event", "tag")) == [
        "bought", "event", "tag",
    ]  # fmt: skip
    assert story["tags"] == ["vip"]


def test_two_events_of_one_name_with_ids_of_their_own_are_two(stage):
    told = [standard(stage, "cart_added", number, total=49, item=number) for number in ("msg_1", "msg_2")]
    assert [one.recorded for one in told] == [1, 1]


def test_an_own_service_takes_a_person_off_the_list(stage):
    assert standard(stage, "unsubscribed", reason="by phone").recorded == 1
    assert stage.place("ladder", "rosa@example.net")["ended"] == "unsubscribed"
    with stage.store.read() as tx:
        assert people.by_email(tx, "rosa@example.net").status == "unsubscribed"
        assert suppressions.of(tx, ["rosa@example.net"])["rosa@example.net"].reason == "unsubscribed"


@pytest.mark.parametrize(
    ("kind", "data", "said"),
    [
        ("cart_add", {}, "people.yaml declares no event 'cart_add', did you mean 'cart_added'?"),
        ("cart_added", {"total": "much"}, "total: "),
        ("tag", {"tag": "vap"}, "people.yaml declares no tag 'vap', did you mean 'vip'?"),
        ("bought", {}, "it names no product"),
        ("tag", {"email": ""}, "'tag' names no person: its data needs an email"),
    ],
)
def test_what_an_own_service_says_wrong_is_put_aside_and_says_why(stage, kind, data, said):
    assert standard(stage, kind, **data).quarantined == 1
    (kept,) = failed(stage)
    assert kept.error.startswith(said)


@pytest.mark.parametrize("body", [b"{", b"[]", b'{"type": 5}', b'{"type": "bought"}', b'{"type": "bought", "data": 1}'])
@pytest.mark.parametrize("name", ["standard", "stripe"])
def test_what_cannot_be_read_is_put_aside_and_its_neighbours_count(stage, name, body):
    stage.hook(name, body, {"webhook-id": "msg_9"})
    assert stripe(stage, CHECKOUT).recorded == 1
    assert len(failed(stage)) == 1


def test_a_mail_server_of_ones_own_tells_that_a_mail_bounced(stage):
    mail = stage.mail("Tour", "rosa@example.net")
    assert standard(stage, "email.bounced", message=mail.id).recorded == 1
    assert stage.place("ladder", "rosa@example.net")["ended"] == "bounced"


def test_a_purchase_that_says_it_is_of_tomorrow_is_of_today(stage):
    stripe(stage, CHECKOUT, created=int((MONDAY + timedelta(days=1)).timestamp()))
    with stage.store.read() as tx:
        assert people.by_email(tx, "rosa@example.net").bought == {"course": stage.now}
