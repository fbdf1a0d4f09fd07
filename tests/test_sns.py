"""SNS: only topics of ours are believed, only Amazon is asked, and a subscription is confirmed once it proved itself."""

import json
import shutil
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256

import httpx
import pytest
from amazon import CONFIRM, PEM, TOPIC, Place, canonical, certificate, signed
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from doors import House
from sqlalchemy import event
from stage import LINKS
from waiting import until

from nurture.engine.inbox import OVERHEAD
from nurture.engine.receive import receive
from nurture.errors import BadSignature, Unavailable
from nurture.providers.base import Account, Hook
from nurture.providers.ses import ses
from nurture.providers.sns import Sns
from nurture.store import hooks
from nurture.store.database import open_store

NOW = datetime(2026, 3, 12, 9, tzinfo=UTC)
ACCOUNT = Account("ses", hook_secrets=(TOPIC,))
CONFIRMATION = {"Type": "SubscriptionConfirmation", "Token": "tok123", "SubscribeURL": CONFIRM}


def hook(told, **headers):
    return Hook({name.replace("_", "-"): value for name, value in headers.items()}, json.dumps(told).encode())


def verified(told, place=None, now=NOW, account=ACCOUNT, **headers):
    place = place or Place()
    Sns(place).verify(hook(told, **headers), account, now)
    return place.asked


@pytest.mark.parametrize("version", ["1", "2"])
@pytest.mark.parametrize(
    "fields",
    [{}, {"Subject": "Amazon SES Email Event Notification"}, CONFIRMATION,
     {**CONFIRMATION, "Type": "UnsubscribeConfirmation"}],
)  # fmt: skip
def test_every_kind_of_message_is_believed_in_both_versions_of_the_signature(version, fields):
    assert verified(signed("hello", NOW, version=version, **fields)) == [PEM]


def test_the_certificate_is_fetched_once():
    place = Place()
    sns = Sns(place)
    for number in range(3):
        sns.verify(hook(signed("hello", NOW, MessageId=str(number))), ACCOUNT, NOW)
    assert place.asked == [PEM]


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"Message": '{"eventType":"Delivery"}'}, "ca8cac88484854cebac92a6c150b7577f2d3ef80520238be52d2f4bae39f0c56"),
        ({"Message": '{"eventType":"Delivery"}', "Subject": "Amazon SES Email Event Notification"},
         "634f4a06d4d090e55e9bc945b0cefeeda6cc2a4e448e841efeec1c077024ad54"),
        ({"Type": "SubscriptionConfirmation", "Message": "hello", "Token": "tok123",
          "SubscribeURL": "https://sns.us-east-1.amazonaws.com/?Action=ConfirmSubscription&Token=tok123"},
         "f0c01b9ecee882e5a88cc9e8c511cf7deaaa10a8180c6b807b1131574a0423fe"),
    ],
)  # fmt: skip
def test_what_the_tests_sign_is_what_amazon_documents(fields, expected):
    told = {"Type": "Notification", "MessageId": "11111111-2222-3333-4444-555555555555",
            "Timestamp": "2026-01-02T03:04:05.678Z", "TopicArn": "arn:aws:sns:us-east-1:123456789012:ses-events", **fields}  # fmt: skip
    assert sha256(canonical(told).encode()).hexdigest() == expected


@pytest.mark.parametrize("name", ["Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type", "Signature"])
def test_a_field_that_was_changed_or_left_out_is_refused(name):
    told = signed("hello", NOW, Subject="a subject")
    changed = {"Type": "UnsubscribeConfirmation", "Timestamp": "2026-03-12T09:00:01.678Z"}.get(name, told[name][:-2])
    for other in (
        {**told, name: changed},
        {key: value for key, value in told.items() if key != name},
        {**told, name: 1},
    ):
        with pytest.raises(BadSignature):
            verified(other)


@pytest.mark.parametrize("name", ["Subject", "SubscribeURL", "Token"])
def test_a_field_that_was_added_is_refused_or_means_nothing(name):
    told = {**signed("hello", NOW), name: "https://evil.example"}
    if name == "Subject":
        with pytest.raises(BadSignature):
            verified(told)
        return
    verified(told)
    place = Place()
    Sns(place).greet(hook(told))
    assert place.asked == []


@pytest.mark.parametrize(
    "url",
    [
        "http://sns.eu-west-1.amazonaws.com/x.pem", "https://sns.eu-west-1.amazonaws.com.evil.com/x.pem",
        "https://evil.com/sns.eu-west-1.amazonaws.com/x.pem", "https://sns.eu-west-1.amazonaws.com@evil.com/x.pem",
        "https://sns.eu-west-1.amazonaws.com:8443/x.pem", "https://s3.amazonaws.com/sns/x.pem",
        "https://sns.eu-west-1.amazonaws.com/x.txt", "https://sns.us-east-1.amazonaws.com/x.pem",
        "https://sns.eu-west-1.amazonaws.com\\@evil.com/x.pem", "https://sns.eu-west-1.amazonaws.com/x.pem\n",
        "https://sns.eu-west-1.amazonaws.com/?Action=x&y=.pem", "https://sns.eu-west-1.amazonaws.com.cn/x.pem",
        "https://snsxeu-west-1.amazonaws.com/x.pem", "//sns.eu-west-1.amazonaws.com/x.pem", "", "file:///etc/x.pem",
        "https://SNS.eu-west-1.amazonaws.com/x.pem", "https://169.254.169.254/x.pem", "https://[::1/x.pem",
    ],
)  # fmt: skip
def test_a_certificate_is_fetched_from_the_topics_own_sns_and_nowhere_else(url):
    place = Place()
    with pytest.raises(BadSignature):
        verified(signed("hello", NOW, SigningCertURL=url), place)
    assert place.asked == []


@pytest.mark.parametrize(
    "topic",
    ["arn:aws:sns:eu-west-1:999999999999:ses-events", TOPIC + "x", "", "evil.com", f"{TOPIC}\n", TOPIC.upper()],
)
def test_a_message_of_another_topic_is_refused_before_anyone_is_asked(topic):
    place = Place()
    with pytest.raises(BadSignature):
        verified(signed("hello", NOW, TopicArn=topic), place)
    assert place.asked == []


@pytest.mark.parametrize("topic", ["evil.com", "arn:aws:sns:eu-west-1.evil.com/:123456789012:x", "user:password"])
def test_a_setting_that_is_no_topic_believes_nobody(topic):
    place = Place()
    with pytest.raises(BadSignature):
        verified(signed("hello", NOW, TopicArn=topic), place, account=Account("ses", hook_secrets=(topic,)))
    assert place.asked == []


@pytest.mark.parametrize(("minutes", "fresh"), [(64, True), (66, False), (-4, True), (-6, False), (10**5, False)])
def test_a_message_is_believed_for_the_hour_in_which_it_is_repeated(minutes, fresh):
    told = signed("hello", NOW)
    if fresh:
        verified(told, now=NOW + timedelta(minutes=minutes))
        return
    with pytest.raises(BadSignature):
        verified(told, now=NOW + timedelta(minutes=minutes))


@pytest.mark.parametrize("stamp", ["", "soon", "2026-03-12T09:00:00", "1773306000", "99999-01-01T00:00:00Z"])
def test_a_time_that_is_none_is_refused(stamp):
    with pytest.raises(BadSignature):
        verified(signed("hello", NOW, Timestamp=stamp))


@pytest.mark.parametrize("version", ["", "0", "3", "none"])
def test_a_version_nobody_knows_is_refused(version):
    with pytest.raises(BadSignature):
        verified({**signed("hello", NOW), "SignatureVersion": version})


def test_the_kind_that_the_header_says_must_be_that_of_the_body():
    verified(signed("hello", NOW), x_amz_sns_message_type="Notification")
    with pytest.raises(BadSignature):
        verified(signed("hello", NOW), x_amz_sns_message_type="SubscriptionConfirmation")


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b"null", b'{"Type": []}', b'{"Type": "Else"}', b"[" * 100_000, b"\xff"]
)
def test_a_body_that_is_no_message_is_refused(body):
    with pytest.raises(BadSignature):
        Sns(Place()).verify(Hook({}, body), ACCOUNT, NOW)


def test_another_key_and_a_certificate_of_another_time_are_refused():
    with pytest.raises(BadSignature):
        verified(signed("hello", NOW, by=rsa.generate_private_key(65537, 2048)))
    elliptic = certificate(of=ec.generate_private_key(ec.SECP256R1()))
    for pem in (certificate(days=30), certificate(NOW + timedelta(days=1)), elliptic, b"no certificate", b""):
        with pytest.raises(BadSignature):
            verified(signed("hello", NOW), Place(**{PEM: httpx.Response(200, content=pem)}))


@pytest.mark.parametrize(
    "answer",
    [httpx.Response(503), httpx.Response(404), httpx.ConnectError("no route"), httpx.ReadTimeout("slow"),
     httpx.Response(302, headers={"Location": "http://169.254.169.254/"})],
)  # fmt: skip
def test_when_amazon_cannot_be_asked_the_message_is_to_come_again(answer):
    place = Place(**{PEM: answer, CONFIRM: answer})
    with pytest.raises(Unavailable):
        verified(signed("hello", NOW), place)
    with pytest.raises(Unavailable):
        Sns(place).greet(hook(signed("hello", NOW, **CONFIRMATION)))
    assert place.asked == [PEM, CONFIRM]  # redirects are not followed


def test_a_subscription_is_confirmed_where_it_says_and_nothing_else_is():
    place = Place()
    sns = Sns(place)
    sns.greet(hook(signed("hello", NOW, **CONFIRMATION)))
    assert place.asked == [CONFIRM]
    sns.greet(hook(signed("hello", NOW, **{**CONFIRMATION, "Type": "UnsubscribeConfirmation"})))
    sns.greet(hook(signed("hello", NOW)))
    assert place.asked == [CONFIRM]
    assert ses.event(signed("hello", NOW, **CONFIRMATION), Hook({}, b"")) is None


@pytest.mark.parametrize(
    "url",
    [
        CONFIRM.replace("https", "http"), CONFIRM.replace("eu-west-1", "us-east-1", 1),
        CONFIRM.replace("sns.eu-west-1.amazonaws.com", "evil.com"), CONFIRM.replace("com/", "com@evil.com/"),
        CONFIRM.replace("com/", "com:8443/"), CONFIRM.replace("ConfirmSubscription", "Publish"),
        CONFIRM.replace("ses-events", "other"), f"{CONFIRM}&Action=DeleteTopic", "http://169.254.169.254/latest/meta-data",
        CONFIRM.replace("com/", "com/\n"), "",
    ],
)  # fmt: skip
def test_a_confirmation_leads_to_the_topics_own_sns_and_nowhere_else(url):
    place = Place()
    with pytest.raises(BadSignature):
        Sns(place).greet(hook(signed("hello", NOW, **{**CONFIRMATION, "SubscribeURL": url})))
    assert place.asked == []


# --- by the way of every hook


@pytest.fixture
def door(migrated, tmp_path):
    """Where SNS posts to, with Amazon's own side small and at hand; gives (house, place)."""
    shutil.copy(migrated, tmp_path / "house.db")
    store, place = open_store(f"sqlite:///{tmp_path}/house.db"), Place()
    sns = Sns(place)
    reporters = {"ses": replace(ses, verify=sns.verify, greet=sns.greet)}
    house = House(store, accounts={"ses": ACCOUNT}, reporters=reporters)
    yield house, place
    house.close()
    store.close()


def test_a_subscription_is_confirmed_by_its_own_hook_and_what_cannot_be_confirmed_comes_again(door):
    house, place = door
    told = signed("hello", house.now, **CONFIRMATION)
    assert house.nobody.post("/hooks/ses", json={**told, "Token": "forged"}).status_code == 401
    assert place.asked == [PEM], "nothing is confirmed that is not signed"
    place.answers[CONFIRM] = httpx.Response(503)
    assert house.nobody.post("/hooks/ses", json=told).status_code == 503, "SNS posts it again"
    assert receive(house.store, house.deployed, LINKS, house.now).hooks == 0
    place.answers[CONFIRM] = httpx.Response(200)
    assert house.nobody.post("/hooks/ses", json=told).status_code == 200
    assert place.asked == [PEM, CONFIRM, CONFIRM]
    assert house.nobody.post("/hooks/ses", json=signed("hello", house.now, TopicArn=TOPIC + "x")).status_code == 401
    done = receive(house.store, house.deployed, LINKS, house.now)
    assert (done.hooks, done.quarantined) == (1, 0), "there is nothing to be made of it"


def test_hooks_that_come_while_the_one_writer_is_busy_share_a_commit_and_are_answered_after_it(door):
    house, _ = door
    commits = []
    heard = commits.append
    told = [signed({"number": number}, house.now, MessageId=f"message-{number}") for number in range(12)]
    come = [json.dumps(one).encode() for one in told]
    whole = sum(len(body) + OVERHEAD for body in come)
    with ThreadPoolExecutor(len(come)) as posting:
        with house.store.write():
            answers = [posting.submit(house.nobody.post, "/hooks/ses", content=body) for body in come]
            until(lambda: house.inbox._waiting == whole, "they did not all arrive")
            assert not any(answer.done() for answer in answers)
            event.listen(house.store._writer, "commit", heard)
        assert [answer.result().status_code for answer in answers] == [200] * len(come)
    event.remove(house.store._writer, "commit", heard)
    assert len(commits) <= 3, "what held the writer, whoever came first, and all the others"
    with house.store.read() as tx:
        assert hooks.count(tx) == len(come)
