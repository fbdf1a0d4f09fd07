"""Signatures that vendors published: SendGrid's over the last byte, and those of Standard Webhooks."""

from __future__ import annotations

import base64
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from test_signatures import ALL, NOW, SIGNATURE, TIMESTAMP, public, recorded

from nurture.errors import BadSignature
from nurture.providers import PROVIDERS
from nurture.providers.base import Account, Hook
from nurture.providers.resend import resend
from nurture.providers.sendgrid import sendgrid

# From sendgrid/sendgrid-python test/unit/test_eventwebhook.py, and svix/svix-webhooks (both MIT)

SENDGRID_KEY = "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE83T4O/n84iotIvIW4mdBgQ/7dAfSmpqIM8kF9mN1flpVKS3GRqe62gw+2fNNRaINXvVpiglSI8eNEc6wEA3F+g=="
SENDGRID_BODY = (
    b'[{"email":"hello@world.com","event":"dropped","reason":"Bounced Address",'
    b'"sg_event_id":"ZHJvcC0xMDk5NDkxOS1MUnpYbF9OSFN0T0doUTRrb2ZTbV9BLTA",'
    b'"sg_message_id":"LRzXl_NHStOGhQ4kofSm_A.filterdrecv-p3mdw1-756b745b58-kmzbl-18-5F5FC76C-9.0",'
    b'"smtp-id":"<LRzXl_NHStOGhQ4kofSm_A@ismtpd0039p1iad1.sendgrid.net>","timestamp":1600112492}]\r\n'
)
SENDGRID_HEADERS = {
    SIGNATURE: "MEUCIGHQVtGj+Y3LkG9fLcxf3qfI10QysgDWmMOVmxG0u6ZUAiEAyBiXDWzM+uOe5W0JuG+luQAbPIqHh89M15TluLtEZtM=",
    TIMESTAMP: "1600112502",
}
SVIX_SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
SVIX_BODY = b'{"test": 2432232314}'
SVIX_AT = datetime.fromtimestamp(1614265330, UTC)
SVIX_HEADERS = {
    "svix-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
    "svix-timestamp": "1614265330",
    "svix-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
}


def check_sendgrid(key=SENDGRID_KEY, body=SENDGRID_BODY, **headers):
    given = SENDGRID_HEADERS | {name.replace("_", "-"): value for name, value in headers.items()}
    sendgrid.verify(Hook(given, body), Account("sendgrid", hook_secrets=(key,)), NOW)


def check_svix(secret=SVIX_SECRET, body=SVIX_BODY, at=SVIX_AT, **headers):
    given = SVIX_HEADERS | {f"svix-{name}": value for name, value in headers.items()}
    resend.verify(Hook(given, body), Account("resend", hook_secrets=(secret,)), at)


def test_the_published_vector_of_sendgrid_holds_to_the_last_byte():
    assert len(SENDGRID_BODY) == 327
    check_sendgrid()
    with pytest.raises(BadSignature):
        check_sendgrid(body=SENDGRID_BODY.rstrip())


def test_a_hook_of_sendgrid_is_not_refused_for_its_age():
    check_sendgrid()  # signed in 2020, read in 2026: a repeat may be old, and is known by its event id


@pytest.mark.parametrize(
    "key",
    [
        "", "not base64!", "AAAA", SENDGRID_KEY[:-8], "ключ", "-----BEGIN PUBLIC KEY-----",
        public(ec.generate_private_key(ec.SECP384R1())), public(rsa.generate_private_key(65537, 2048)),
    ],
)  # fmt: skip
def test_a_public_key_that_is_none_refuses_every_hook(key):
    with pytest.raises(BadSignature):
        check_sendgrid(key=key)


@pytest.mark.parametrize("signature", ["", "%%%", "AAAA", "é", SENDGRID_HEADERS[SIGNATURE][:-1], "MEUCIGHQ\n"])
def test_a_signature_in_odd_base64_is_refused(signature):
    with pytest.raises(BadSignature):
        check_sendgrid(x_twilio_email_event_webhook_signature=signature)


def test_the_time_of_sendgrid_is_part_of_what_is_signed():
    with pytest.raises(BadSignature):
        check_sendgrid(x_twilio_email_event_webhook_timestamp="1600112503")


def test_the_published_vector_of_standard_webhooks_holds():
    check_svix()
    plain = {name.replace("svix-", "webhook-"): value for name, value in SVIX_HEADERS.items()}
    account = Account("any", hook_secrets=(SVIX_SECRET,))
    for headers in (plain, SVIX_HEADERS):
        PROVIDERS["standard"].verify(Hook(headers, SVIX_BODY), account, SVIX_AT)
    mixed = {**SVIX_HEADERS, "webhook-id": plain["webhook-id"]}
    for verify, headers in ((PROVIDERS["standard"].verify, mixed), (resend.verify, plain)):
        with pytest.raises(BadSignature):
            verify(Hook(headers, SVIX_BODY), account, SVIX_AT)


def test_a_secret_may_be_given_without_its_prefix_and_its_padding():
    check_svix(secret=SVIX_SECRET.removeprefix("whsec_"))
    secret = "whsec_" + base64.b64encode(b"twenty-five bytes, 25, 25").decode()
    told = next(param.values[1] for param in ALL if param.values[0] == "resend")
    one = recorded("resend", told | {"secret": secret})
    one.provider.verify(one.hook, replace(one.account, hook_secrets=(secret.rstrip("="),)), one.now)


@pytest.mark.parametrize(("seconds", "fresh"), [(299, True), (-299, True), (301, False), (-301, False), (10**6, False)])
def test_a_hook_of_standard_webhooks_is_fresh_for_five_minutes_either_way(seconds, fresh):
    at = SVIX_AT + timedelta(seconds=seconds)
    if fresh:
        check_svix(at=at)
        return
    with pytest.raises(BadSignature):
        check_svix(at=at)


@pytest.mark.parametrize("listed", ["v1,AAAA {}", "{} v1,AAAA", "v1a,xyz {}", "v2,? , ,, {}"])
def test_one_right_signature_among_several_is_enough(listed):
    check_svix(signature=listed.format(SVIX_HEADERS["svix-signature"]))


@pytest.mark.parametrize(
    "headers",
    [
        {"id": ""}, {"id": "msg_other"}, {"timestamp": ""}, {"timestamp": "soon"}, {"timestamp": "9" * 30},
        {"timestamp": "1614265331"}, {"timestamp": "1614265330.0"}, {"signature": ""}, {"signature": "v1"},
        {"signature": "v1,"}, {"signature": "g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="}, {"signature": "v1,é"},
        {"signature": "v2,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="},
    ],
)  # fmt: skip
def test_headers_of_standard_webhooks_that_do_not_fit_are_refused(headers):
    with pytest.raises(BadSignature):
        check_svix(**headers)


@pytest.mark.parametrize("secret", ["", "whsec_", "whsec_!", "whsec_é", "a"])
def test_a_secret_that_is_none_refuses_every_hook(secret):
    with pytest.raises(BadSignature):
        check_svix(secret=secret)


def test_a_body_that_is_no_text_is_refused():
    with pytest.raises(BadSignature):
        check_svix(body=b"\xff\xfe")
