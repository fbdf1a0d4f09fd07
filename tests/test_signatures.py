"""Hooks: every recorded one is believed with its proof, refused without it, and read into the events it tells of."""

from __future__ import annotations

import base64
import hmac
import json
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from importlib import import_module
from pathlib import Path
from urllib.parse import parse_qsl, urlencode

import pytest
from amazon import ID, TOPIC, Place, signed
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from nurture.errors import BadSignature
from nurture.journey.events import Event, Kind
from nurture.providers import PROVIDERS
from nurture.providers.base import Account, Hook, Provider, Told
from nurture.providers.mailersend import KINDS as MAILERSEND
from nurture.providers.mandrill import KINDS as MANDRILL
from nurture.providers.postmark import BOUNCES, postmark
from nurture.providers.resend import resend
from nurture.providers.sendgrid import KINDS as SENDGRID_EVENTS
from nurture.providers.sendgrid import sendgrid
from nurture.providers.ses import KINDS as SES_EVENTS
from nurture.providers.signatures import CHALLENGE
from nurture.providers.sns import Sns
from nurture.providers.sparkpost import KINDS as SPARKPOST
from nurture.providers.standard import REPORTED

NOW = datetime(2026, 3, 12, 9, tzinfo=UTC)
FOLDER = Path(__file__).parent / "recorded"
SIGNATURE, TIMESTAMP = "x-twilio-email-event-webhook-signature", "x-twilio-email-event-webhook-timestamp"


# --- what the vendors do when they send a hook


def by_password(secret: str, body: bytes, headers: dict[str, str], now: datetime) -> tuple[str, dict[str, str]]:
    return secret, {"authorization": "Basic " + base64.b64encode(secret.encode()).decode()}


def by_ecdsa(secret: str, body: bytes, headers: dict[str, str], now: datetime) -> tuple[str, dict[str, str]]:
    key = ec.derive_private_key(int(secret, 16), ec.SECP256R1())
    at = str(int(now.timestamp()))
    signature = key.sign(at.encode() + body, ec.ECDSA(hashes.SHA256()))
    return public(key), {SIGNATURE: base64.b64encode(signature).decode(), TIMESTAMP: at}


def by_hmac(secret: str, body: bytes, headers: dict[str, str], now: datetime) -> tuple[str, dict[str, str]]:
    at = str(int(now.timestamp()))
    key = base64.b64decode(secret.removeprefix("whsec_"))
    (named,) = [name for name in headers if name in ("svix-id", "webhook-id")]
    signature = hmac.digest(key, f"{headers[named]}.{at}.".encode() + body, "sha256")
    prefix = named.removesuffix("id")
    return secret, {f"{prefix}timestamp": at, f"{prefix}signature": "v1," + base64.b64encode(signature).decode()}


def by_hmac_of_the_body(secret: str, body: bytes, headers: dict[str, str], now: datetime) -> tuple[str, dict[str, str]]:
    return secret, {"signature": hmac.digest(secret.encode(), body, "sha256").hex()}


def by_hmac_of_the_form(secret: str, body: bytes, headers: dict[str, str], now: datetime) -> tuple[str, dict[str, str]]:
    signed = "https://go.example.com/hooks/mandrill" + "".join(map("".join, sorted(parse_qsl(body.decode()))))
    return secret, {
        "x-mandrill-signature": base64.b64encode(hmac.digest(secret.encode(), signed.encode(), "sha1")).decode()
    }


def by_stripe(secret: str, body: bytes, headers: dict[str, str], now: datetime) -> tuple[str, dict[str, str]]:
    at = str(int(now.timestamp()))
    signature = hmac.digest(secret.encode(), at.encode() + b"." + body, "sha256").hex()
    return secret, {
        "stripe-signature": f"t={at},v1={signature},v0=6ffbb59b2300aae63f272406069a9788598b792a944a07aba816edb039989a39"
    }


SIGN_A_TIME = ("ses", "mailgun", "resend", "standard", "stripe")


def public(key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey) -> str:
    return base64.b64encode(key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).decode()


def by_body(secret: str, body: bytes, headers: dict[str, str], now: datetime) -> tuple[str, dict[str, str]]:
    return secret, {}


def with_token(secret: str, told: dict, now: datetime, mark: str) -> dict:
    """Mailgun puts its proof beside the report."""
    at, token = str(int(now.timestamp())), "651869375b9df3c98fc15c4889b102119add1235c38fc92824" + mark
    signature = hmac.digest(secret.encode(), (at + token).encode(), "sha256").hex()
    return {"signature": {"timestamp": at, "token": token, "signature": signature}, **told}


WRAP = {"mailgun": with_token, "ses": lambda _, told, now, mark: signed(told, now, MessageId=ID + mark)}
"""Where the proof is a part of the body."""

SIGN = {
    "postmark": by_password, "sendgrid": by_ecdsa, "resend": by_hmac, "brevo": by_password, "mailjet": by_password,
    "mailgun": by_body, "ses": by_body,
    "mailersend": by_hmac_of_the_body,
    "sparkpost": by_password, "mandrill": by_hmac_of_the_form, "standard": by_hmac, "stripe": by_stripe,
}  # fmt: skip
ANOTHER = {
    "postmark": "postmark:another",
    "sendgrid": public(ec.derive_private_key(77, ec.SECP256R1())),
    "brevo": "brevo:another",
    "mailjet": "mailjet:another",
    "mailgun": "another key",
    "ses": TOPIC.replace("123456789012", "210987654321"),
    "resend": "whsec_" + base64.b64encode(b"another secret of 24 byte").decode(),
    "mailersend": "ANOTHER_SIGNING_SECRET",
    "sparkpost": "spark:another",
    "mandrill": "ANOTHER_KEY",
    "standard": "whsec_" + base64.b64encode(b"another secret of 24 byte").decode(),
    "stripe": "whsec_another",
}


@dataclass
class Recorded:
    """A hook as it was recorded, with the proof that its vendor would add."""

    provider: Provider
    hook: Hook
    account: Account
    now: datetime
    expect: list[dict[str, str]]


def recorded(name: str, told: dict, again: int = 0) -> Recorded:
    """The hook as it is posted; `again` times before, each in other bytes and under another mark of its vendor's own."""
    now = datetime.fromisoformat(told["now"])
    posted = WRAP[name](told["secret"], told["body"], now, str(again or "")) if name in WRAP else told["body"]
    body = json.dumps(posted, indent=again or None).encode() + (b"\r\n" if name == "sendgrid" else b"")
    body = urlencode({"mandrill_events": body}).encode() if name == "mandrill" else body
    secret, proof = SIGN[name](told["secret"], body, told["headers"], now)
    hook = Hook({**told["headers"], **proof}, body, told.get("url", ""))
    provider = replace(PROVIDERS["ses"], verify=Sns(Place()).verify) if name == "ses" else PROVIDERS[name]
    return Recorded(provider, hook, Account(name, hook_secrets=(secret,)), now, told["expect"])


ALL = [
    pytest.param(path.stem.partition("-")[0], told, id=f"{path.stem}: {told['name']}")
    for path in sorted(FOLDER.glob("*.json"))
    for told in json.loads(path.read_text())["hooks"]
]


# --- every recorded hook


@pytest.mark.parametrize(("name", "told"), ALL)
def test_a_recorded_hook_is_believed_and_tells_what_happened(name, told):
    one = recorded(name, told)
    one.provider.verify(one.hook, one.account, one.now)
    events = [read(one.provider, item, one.hook) for item in one.provider.items(one.hook)]
    assert len(events) == len(one.expect)
    for event, expected in zip(events, one.expect, strict=True):
        if expected is None:
            assert event is None
            continue
        wanted = dict(expected)
        if "at" in wanted:
            assert event.at == datetime.fromisoformat(wanted.pop("at"))
        assert event.at.utcoffset() == timedelta(0)
        assert {field: str(getattr(event, field)) for field in wanted} == wanted
        said = ("id", "message", "recipient", "url", "ip", "agent", "email", "name")
        assert "None" not in {getattr(event, field, "") for field in said}


def read(provider: Provider, item: object, hook: Hook) -> Event | Told | None:
    """What a report says of a mail, or of a person."""
    of_a_mail = provider.event(item, hook) if provider.event else None
    of_a_person = provider.told(item, hook) if provider.told else None
    assert of_a_mail is None or of_a_person is None
    return of_a_mail or of_a_person


@pytest.mark.parametrize(("name", "told"), ALL)
def test_a_recorded_hook_is_refused_without_its_proof(name, told):
    one = recorded(name, told)
    wrong = replace(one.account, hook_secrets=(ANOTHER[name],))
    bare = Hook({}, one.hook.body)
    refused = [(wrong, one.hook), (replace(one.account, hook_secrets=()), one.hook)]
    refused += (
        [(one.account, replace(bare, body=json.dumps(told["body"]).encode()))]
        if name in WRAP
        else [(one.account, bare)]
    )
    if one.provider.abilities.covers.startswith("the body"):  # else who knows the password or a token may say anything
        refused.append((one.account, replace(one.hook, body=one.hook.body.replace(b"example", b"elsewhere") + b"]")))
        refused += [
            (one.account, replace(one.hook, headers={k: v for k, v in one.hook.headers.items() if k != missing}))
            for missing in one.hook.headers
            if missing.startswith(("svix-", "webhook-", "x-twilio", "signature", "x-mandrill", "stripe-"))
        ]
    for account, hook in refused:
        with pytest.raises(BadSignature):
            one.provider.verify(hook, account, one.now)


@pytest.mark.parametrize(("name", "told"), [one for one in ALL if one.values[0] in SIGN_A_TIME])
def test_a_recorded_hook_of_long_ago_or_of_a_time_to_come_is_refused(name, told):
    one = recorded(name, told)
    for at in (one.now + timedelta(hours=13), one.now - timedelta(minutes=6)):
        with pytest.raises(BadSignature):
            one.provider.verify(one.hook, one.account, at)


@pytest.mark.parametrize("name", SIGN)
def test_a_secret_can_be_replaced_while_hooks_signed_with_the_old_one_still_come(name):
    told = next(param.values[1] for param in ALL if param.values[0] == name)
    one = recorded(name, told)
    (known,) = one.account.hook_secrets
    for secrets in [(ANOTHER[name], known), (known, ANOTHER[name])]:
        one.provider.verify(one.hook, replace(one.account, hook_secrets=secrets), one.now)


def test_there_is_a_recorded_hook_for_every_word_of_the_vendors():
    told = [param.values for param in ALL]
    types = {one["body"]["type"] for name, one in told if name == "resend"}
    assert types >= {
        f"email.{word}" for word in "sent delivered delivery_delayed bounced complained opened clicked".split()
    }
    assert types >= {"email.failed", "email.suppressed"}
    assert {item["event"] for name, one in told if name == "sendgrid" for item in one["body"]} >= set(SENDGRID_EVENTS)
    for vendor, key in (("mailgun", "event-data"), ("brevo", ""), ("mailjet", "")):
        reports = [one["body"] for name, one in told if name == vendor]
        words = {(r[key] if key else r)["event"] for r in reports if isinstance(r, dict)}
        assert words >= set(import_module(f"nurture.providers.{vendor}").KINDS)
    assert {one["body"].get("eventType") for name, one in told if name == "ses"} >= set(SES_EVENTS)
    assert {one["body"]["type"] for name, one in told if name == "mailersend"} >= {
        f"activity.{kind}" for kind in MAILERSEND
    }
    sparkpost = [item["msys"] for name, one in told if name == "sparkpost" for item in one["body"]]
    assert {kind["type"] for item in sparkpost for kind in item.values()} >= {*SPARKPOST, "bounce", "out_of_band"}
    mandrill = [item for name, one in told if name == "mandrill" for item in one["body"]]
    assert {item.get("event") for item in mandrill} >= set(MANDRILL)
    types = {one["body"]["type"] for name, one in told if name == "standard"}
    assert types >= {f"email.{kind}" for kind in REPORTED} | {"bought", "tag", "unsubscribed"}
    records = {one["body"]["RecordType"] for name, one in told if name == "postmark"}
    assert records == {"Delivery", "Bounce", "SpamComplaint", "Open", "Click", "SubscriptionChange"}


@pytest.mark.parametrize(("kind", "expected"), BOUNCES.items())
def test_every_bounce_type_of_postmark_has_its_meaning(kind, expected):
    item = {"RecordType": "Bounce", "Type": kind, "BouncedAt": "2026-03-12T08:59:12Z", "Email": "rosa@example.net"}
    assert postmark.event(item, Hook({}, b"")).kind is expected
    # an opinion of a machine or a full mailbox must not end all of a person's mail
    assert (expected is Kind.BOUNCED) == (kind in ("HardBounce", "BadEmailAddress"))


@pytest.mark.parametrize(
    ("provider", "item"),
    [
        (postmark, {"RecordType": "Bounce", "Type": "HardBounce"}),
        (postmark, {"RecordType": "Delivery", "DeliveredAt": "yesterday"}),
        (postmark, {"Subject": "an inbound mail"}),
        (postmark, "Delivery"),
        (sendgrid, {"event": "open"}),
        (sendgrid, {"event": "open", "timestamp": 10**17}),
        (sendgrid, {"event": "open", "timestamp": 10**25}),
        (sendgrid, {"event": "open", "timestamp": "soon"}),
        (sendgrid, {"event": ["open"], "timestamp": 1}),
        (sendgrid, None),
        (resend, {"type": "email.sent"}),
        (resend, {"type": "email.sent", "created_at": "0001-01-01T00:00:00+10:00", "data": {}}),
        (resend, {"type": "email.sent", "created_at": 5, "data": {}}),
        (resend, []),
        *[(PROVIDERS["ses"], item) for item in (None, {}, {"Type": "Notification", "Message": "{"})],
        (PROVIDERS["ses"], {"Type": "Notification", "Message": '{"eventType": "Send", "mail": {}}'}),
        *[(PROVIDERS["mailgun"], item) for item in (None, {}, {"event-data": {"event": "opened", "timestamp": "nan"}})],
        *[(PROVIDERS["brevo"], item) for item in (None, {}, {"event": "click"}, {"event": 1, "ts_epoch": 1})],
        (PROVIDERS["brevo"], {"event": "click", "ts_epoch": 10**300}),
        *[(PROVIDERS["mailjet"], item) for item in (None, {}, {"event": "open"}, {"event": "open", "time": "soon"})],
        *[(PROVIDERS["mailersend"], item) for item in (None, {}, {"type": "activity.sent"}, {"type": 1})],
        (PROVIDERS["mailersend"], {"type": "activity.sent", "data": {"created_at": "soon", "email": {}}}),
        *[(PROVIDERS["sparkpost"], item) for item in (None, {}, {"msys": []}, {"msys": {"a": {"type": "open"}}})],
        (PROVIDERS["sparkpost"], {"msys": {"a": {"type": "open", "timestamp": 10**17}}}),
        *[(PROVIDERS["mandrill"], item) for item in (None, {"event": "send"}, {"event": "send", "ts": 10**17})],
        *[(PROVIDERS["standard"], item) for item in (None, {}, {"type": "email.sent", "data": {}})],
        (PROVIDERS["standard"], {"type": "email.sent", "data": {"message": "m"}, "timestamp": 5}),
    ],
)
def test_a_report_that_cannot_be_read_fails_in_a_way_that_the_engine_sets_aside(provider, item):
    with pytest.raises((ValueError, LookupError, TypeError, AttributeError, OverflowError)):
        provider.event(item, Hook({}, b""))


@pytest.mark.parametrize("body", [b"", b"{", b'{"event": "open"}', b"\xff\xfe", b"[" * 100_000])
def test_a_body_that_is_no_list_of_sendgrid_is_set_aside_whole(body):
    with pytest.raises((ValueError, TypeError, RecursionError)):
        list(sendgrid.items(Hook({}, body)))


# --- passwords, and none


@pytest.mark.parametrize(
    "header",
    ["", "Basic", "Basic ", "Basic !!!", "Basic é", "Bearer bWlhOmE=", "Basic bWlhOmE", "Basic bWlhOmI=", "bWlhOmE="],
)
def test_a_wrong_password_is_refused_and_asked_for_again(header):
    with pytest.raises(BadSignature) as refused:
        postmark.verify(Hook({"authorization": header}, b"{}"), Account("postmark", hook_secrets=("mia:a",)), NOW)
    assert refused.value.challenge == CHALLENGE


def test_the_scheme_of_a_password_is_read_in_any_case_and_the_password_in_any_script():
    for scheme in ("Basic", "basic", "BASIC"):
        given = f"{scheme} {base64.b64encode('mia:žluťoučký:kůň'.encode()).decode()}"
        account = Account("postmark", hook_secrets=("mia:žluťoučký:kůň",))
        postmark.verify(Hook({"authorization": given}, b"{}"), account, NOW)


@pytest.mark.parametrize("secrets", [(), ("",), ("", "")])
def test_an_account_without_a_secret_believes_nobody_and_says_what_to_set(secrets):
    for header in ("", "Basic ", "Basic Og=="):
        with pytest.raises(BadSignature, match="NURTURE_PROVIDERS__POSTMARK__HOOK_SECRET"):
            postmark.verify(Hook({"authorization": header}, b"{}"), Account("postmark", hook_secrets=secrets), NOW)
