"""What is particular to SES, Mailgun, Brevo and Mailjet: what leaves, what their answers prove, and their searches."""

import json
from contextlib import nullcontext
from datetime import UTC, datetime
from urllib.parse import parse_qs, urlencode

import httpx
import pytest
from test_providers import (
    GATE,
    KEY,
    LATER,
    MESSAGE,
    REFUSED,
    STRANGER,
    UNKNOWN,
    answered,
    content,
    known,
    posted,
    sorted_as,
)

from nurture.errors import BadSignature, Unavailable, Uncertain
from nurture.providers import HOOKS, PROVIDERS
from nurture.providers.base import Account, Hook
from nurture.providers.http import LONGEST_WAIT
from nurture.providers.sigv4 import authorization

HEADERS = dict(MESSAGE.headers)


def test_ses_gets_one_recipient_our_id_our_headers_and_no_tracking():
    request = posted("ses")
    body = json.loads(request.content)
    assert body["Destination"] == {"ToAddresses": [MESSAGE.to]}
    assert body["FromEmailAddress"] == "=?utf-8?q?M=C3=ADa_from_the_Shop?= <mia@shop.example.com>"
    assert body["ReplyToAddresses"] == ["=?utf-8?q?M=C3=ADa?= <help@shop.example.com>"]
    assert body["EmailTags"] == [{"Name": "nid", "Value": MESSAGE.id}]
    assert {one["Name"]: one["Value"] for one in body["Content"]["Simple"]["Headers"]} == HEADERS
    assert set(body["ConfigurationOverrides"]["Tracking"].values()) == {"DISABLED"}
    assert request.headers["authorization"].startswith(f"AWS4-HMAC-SHA256 Credential={KEY}/")
    assert "SignedHeaders=content-type;host;x-amz-date" in request.headers["authorization"]


def test_mailgun_gets_one_recipient_our_id_our_headers_and_no_tracking():
    request = posted("mailgun")
    fields = content(request)
    assert request.headers["authorization"] == "Basic YXBpOmtleV9hYmM="  # api:key_abc
    assert fields == {
        "from": MESSAGE.sender, "to": MESSAGE.to, "subject": MESSAGE.subject, "text": MESSAGE.text, "html": MESSAGE.html,
        "o:suppress-headers": "X-Mailgun-Variables", "o:tracking": "no", "o:tracking-clicks": "no", "o:tracking-opens": "no", "v:nid": MESSAGE.id,
        "h:Reply-To": MESSAGE.reply_to, **{f"h:{name}": value for name, value in HEADERS.items()},
    }  # fmt: skip


def test_brevo_gets_one_recipient_our_id_our_headers_and_a_key_that_a_retry_repeats():
    request = posted("brevo")
    body = json.loads(request.content)
    assert request.headers["api-key"] == KEY
    assert (body["sender"], body["to"]) == (
        {"email": "mia@shop.example.com", "name": "Mía from the Shop"},
        [{"email": MESSAGE.to}],
    )
    key = body["headers"].pop("idempotencyKey")
    assert body["headers"] == {**HEADERS, "X-Mailin-custom": MESSAGE.id}
    assert json.loads(posted("brevo").content)["headers"]["idempotencyKey"] == key


def test_mailjet_gets_one_recipient_our_id_our_headers_and_no_tracking():
    request = posted("mailjet")
    (mail,) = json.loads(request.content)["Messages"]
    assert (mail["To"], mail["CustomID"], mail["Headers"]) == ([{"Email": MESSAGE.to}], MESSAGE.id, HEADERS)
    assert (mail["TrackOpens"], mail["TrackClicks"]) == ("disabled", "disabled")
    assert posted("mailjet", key="public:secret").headers["authorization"] == "Basic cHVibGljOnNlY3JldA=="


# --- answers


def ses(kind, words="why", status=400, **more):
    return httpx.Response(status, json={"__type": kind, "message": words}, **more)


def mailjet(code, status=400, told=400):
    error = {"ErrorCode": code, "StatusCode": told, "ErrorMessage": "why", "ErrorRelatedTo": ["From"]}
    return httpx.Response(status, json={"Messages": [{"Status": "error", "Errors": [error]}]})


TYPE = {"headers": {"x-amzn-ErrorType": "SendingPausedException:http://internal.amazon.com/"}}
ANSWERS = [
    ("ses", ses("MessageRejected", "Address is on a list"), REFUSED),
    ("ses", ses("MessageRejected", "Email address is not verified. The following identities failed …"), STRANGER),
    ("ses", ses("com.amazonaws.sesv2#MailFromDomainNotVerifiedException"), STRANGER),
    ("ses", ses("AccountSuspendedException"), GATE), ("ses", httpx.Response(400, json={"message": "why"}, **TYPE), GATE),
    ("ses", ses("NotFoundException", status=404), GATE), ("ses", ses("BadRequestException"), REFUSED),
    ("ses", ses("TooManyRequestsException", "Maximum sending rate exceeded.", 429), LATER),
    ("ses", ses("LimitExceededException"), LATER), ("ses", ses("ThrottlingException"), LATER),
    ("ses", ses("SignatureDoesNotMatch", status=403), GATE), ("ses", ses("InternalFailure", status=500), UNKNOWN),
    ("mailgun", httpx.Response(200, text="Mailgun Magnificent API"), GATE),
    ("mailgun", httpx.Response(404, json={"message": "Domain not found: mg.example.com"}), GATE),
    ("mailgun", httpx.Response(400, json={"message": "to parameter is not a valid address."}), REFUSED),
    ("mailgun", httpx.Response(401, text="Forbidden"), GATE),
    ("mailersend", httpx.Response(422, json={"message": "why", "errors": {"from.email": ["… #MS42207"]}}), STRANGER),
    ("mailersend", httpx.Response(422, json={"message": "why", "errors": {"to": ["… #MS42208"]}}), REFUSED),
    ("brevo", httpx.Response(402, json={"code": "not_enough_credits", "message": "why"}), GATE),
    ("brevo", httpx.Response(400, json={"code": "invalid_parameter", "message": "why"}), REFUSED),
    ("brevo", httpx.Response(401, json={"code": "unauthorized", "message": "unrecognised IP address"}), GATE),
    ("mailjet", mailjet("mj-0013"), REFUSED), ("mailjet", mailjet("mj-0013", 200), REFUSED),
    ("mailjet", mailjet("send-0008", 400, 403), STRANGER), ("mailjet", mailjet("send-0008", 200, 403), STRANGER),
    ("mailjet", httpx.Response(401, json={"ErrorCode": "mj-0015", "ErrorMessage": "why", "StatusCode": 401}), GATE),
    ("mailjet", httpx.Response(400, json={"ErrorCode": "mj-0002", "ErrorMessage": "why", "StatusCode": 400}), REFUSED),
    ("mailjet", mailjet("mj-0013", 500), UNKNOWN),
    ("sendgrid", httpx.Response(403, json={"errors": [{"message": "why", "field": "from", "help": None}]}), STRANGER),
    ("sendgrid", httpx.Response(403, json={"errors": [{"message": "access forbidden", "field": None}]}), GATE),
    ("resend", httpx.Response(403, json={"message": "The a.example domain is not verified. Please, add it"}), STRANGER),
    ("resend", httpx.Response(403, json={"message": "API key is invalid"}), GATE),
    ("sparkpost", httpx.Response(400, json={"errors": [{"message": "Invalid domain", "code": "7001",
     "description": "Unconfigured Sending Domain <a.example>"}]}), STRANGER),
]  # fmt: skip


@pytest.mark.parametrize(("name", "response", "expected"), ANSWERS)
def test_an_answer_is_sorted_by_what_its_body_proves(name, response, expected):
    error = answered(name, response)
    assert sorted_as(error) == expected
    assert "why" in str(error) or "why" not in response.text


@pytest.mark.parametrize(
    ("name", "response", "seconds"),
    [
        ("ses", ses("TooManyRequestsException", "Daily message quota exceeded.", 429), LONGEST_WAIT),
        ("ses", ses("ThrottlingException", "Maximum sending rate exceeded."), 1),
        ("mailgun", httpx.Response(429, json={"message": "limit exceeded, try again after 120 seconds"}), 120),
        ("mailgun", httpx.Response(429, json={"message": "try again after 999999 seconds"}), LONGEST_WAIT),
        ("mailgun", httpx.Response(429, json={"message": "try again after Fri, 31 Dec 2100 23:59:59 GMT"}), LONGEST_WAIT),
        ("mailgun", httpx.Response(429, json={"message": "try again after a while"}), 1),
        ("brevo", httpx.Response(429, headers={"x-sib-ratelimit-reset": "42"}), 42),
        ("resend", httpx.Response(429, json={"name": "daily_quota_exceeded"}), LONGEST_WAIT),
        ("resend", httpx.Response(429, json={"name": "monthly_quota_exceeded"}), LONGEST_WAIT),
        ("resend", httpx.Response(429, json={"name": "rate_limit_exceeded"}, headers={"ratelimit-reset": "2"}), 2),
        ("mailersend", httpx.Response(429, json={"message": "rate limit #MS42903"}, headers={"retry-after": "50"}), 50),
        ("mailersend", httpx.Response(429, json={"message": "daily quota #MS42901"}, headers={"retry-after": "50"}), LONGEST_WAIT),
        ("mailersend", httpx.Response(429, json={"message": "#MS42901"}, headers={"x-apiquota-reset": "2100-01-01T00:00:00Z"}),
         LONGEST_WAIT),
    ],
)  # fmt: skip
def test_each_says_in_its_own_way_how_long_to_wait(name, response, seconds):
    assert answered(name, response).retry_after == seconds


@pytest.mark.parametrize("code", ["duplicate_parameter", "duplicate_request"])
def test_a_repeat_under_the_same_key_proves_at_brevo_that_the_first_was_taken(code):
    assert answered("brevo", httpx.Response(400, json={"code": code, "message": "…"})) == "taken before"


# --- searches

FOUND = {
    "mailjet": (
        "https://api.mailjet.com/v3/REST/message",
        httpx.Response(200, json={"Count": 1, "Data": [{"ID": 19421777835146490}], "Total": 1}),
        httpx.Response(200, json={"Count": 0, "Data": [], "Total": 0}),
        {"CustomID": [MESSAGE.id], "FromTS": ["1773302400"]},
        "19421777835146490",
    ),
    "postmark": (
        "https://api.postmarkapp.com/messages/outbound",
        httpx.Response(200, json={"TotalCount": 1, "Messages": [{"MessageID": "theirs"}]}),
        httpx.Response(200, json={"TotalCount": 0, "Messages": []}),
        {"count": ["1"], "offset": ["0"], "metadata_nid": [MESSAGE.id]},
        "theirs",
    ),
}
SINCE = datetime(2026, 3, 12, 9, tzinfo=UTC)


def search(name, response):
    seen = []
    transport = httpx.MockTransport(lambda request: seen.append(request) or response)
    return PROVIDERS[name].find(MESSAGE.id, SINCE, known(name), transport), seen[0]


@pytest.mark.parametrize("name", FOUND)
def test_a_mail_is_found_by_our_id(name):
    url, one, none, asked, theirs = FOUND[name]
    found, request = search(name, one)
    assert (found, request.method, str(request.url).partition("?")[0]) == (theirs, "GET", url)
    assert parse_qs(request.url.query.decode()) == asked
    assert search(name, none)[0] == ""


@pytest.mark.parametrize("name", FOUND)
def test_a_search_that_nobody_can_read_proves_nothing(name):
    for response in (httpx.Response(500), httpx.Response(401), httpx.Response(429), httpx.Response(404)):
        with pytest.raises(Unavailable):
            search(name, response)
    for odd in ({}, [], None, "ok", {"Data": [{}], "Messages": [{}]}):
        with pytest.raises(Uncertain):
            search(name, httpx.Response(200, json=odd))


# --- what proves a hook


def test_the_vector_of_mailgun_holds_for_its_reports_and_for_the_mail_that_it_hands_on():
    at, token = "1534108637", "651869375b9df3c98fc15c4889b102119add1235c38fc92824"
    right = "98821a883b329d135548f5fcedef196c915678642292d61654dfa3c85dd0a259"
    now = datetime.fromtimestamp(int(at), UTC)
    for name in ("mailgun", "mailgun-inbound"):
        for signature, believed in ((right, True), (right[:-1] + "0", False), (right.upper(), False)):
            given = {"timestamp": at, "token": token, "signature": signature}
            body = json.dumps({"signature": given}) if name == "mailgun" else urlencode(given)
            hook = Hook({"content-type": "application/x-www-form-urlencoded"}, body.encode())
            account = Account(name, hook_secrets=("key-test-signing-key",))
            with nullcontext() if believed else pytest.raises(BadSignature):
                HOOKS[name].verify(hook, account, now)


# --- SigV4: vectors of AWS's own test suite and of its guide; the last two are signed by botocore 1.44.8

SECRET = "AKIDEXAMPLE:wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
SUITE, IAM = "https://example.amazonaws.com/", "https://iam.amazonaws.com/?Action=ListUsers&Version=2010-05-08"
SES = "https://email.eu-west-1.amazonaws.com/v2/email/"
AT, LATER_ON = datetime(2015, 8, 30, 12, 36, tzinfo=UTC), datetime(2026, 3, 12, 9, tzinfo=UTC)
FORM, JSON = "application/x-www-form-urlencoded", "application/json"
VECTORS = [
    ("GET", SUITE, "", b"", "service", "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"),
    ("POST", SUITE, "", b"", "service", "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"),
    ("GET", f"{SUITE}?Param2=value2&Param1=value1", "", b"", "service",
     "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500"),
    ("POST", SUITE, FORM, b"Param1=value1", "service", "ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a"),
    ("GET", IAM, f"{FORM}; charset=utf-8", b"", "iam", "5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7"),
    ("POST", f"{SES}outbound-emails", JSON, b'{"a":"\xc3\xa9"}', "ses",
     "e4929de9239ce193b26a9ea56bbf821c85d921148f1ac778d1a146d0f6d79bf3"),
    ("GET", f"{SES}identities/mia%40shop.example.com?b=2&a=x%20y", "", b"", "ses",
     "6f65e70a6505c0fc94be31e0bc507e9fb9464a406dea5287d7c961b7a6c4f483"),
]  # fmt: skip


@pytest.mark.parametrize(("method", "url", "kind", "body", "service", "signature"), VECTORS)
def test_a_request_is_signed_as_aws_signs_it(method, url, kind, body, service, signature):
    request = httpx.Request(method, url, headers={"Content-Type": kind} if kind else {}, content=body)
    where, at = ("eu-west-1", LATER_ON) if service == "ses" else ("us-east-1", AT)
    assert authorization(request, SECRET, where, service, at)["Authorization"].endswith(f"Signature={signature}")
