"""Sending: what leaves is what each vendor's documentation asks for, and every answer is sorted by what it proves."""

import gc
import json
import logging
import socketserver
import threading
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email import message_from_bytes
from email.policy import default
from email.utils import format_datetime
from http.client import parse_headers
from pathlib import Path

import httpx
import pytest
from jsonschema import Draft202012Validator

from nurture.errors import DeliveryError, Rejected, Unavailable, Uncertain
from nurture.mail.message import Message, thaw
from nurture.providers import PROVIDERS
from nurture.providers.base import Account, Hook
from nurture.providers.http import LONGEST_WAIT, Line

MESSAGE = Message(
    id="m7Qk2cZ1pXw4", key="m1-0123456789abcdef0123456789abcdef", sender="Mía from the Shop <mia@shop.example.com>",
    to="rosa@example.net", subject="Žofie, one small step — 2 minutes", html="<p>Grüße</p>\n<p>.a dot</p>",
    text="Grüße\n.a dot\n.\nthe end", reply_to="Mía <help@shop.example.com>",
    headers=(("List-Unsubscribe", f"<https://shop.example.com/u/{'x' * 300}>"),
             ("List-Unsubscribe-Post", "List-Unsubscribe=One-Click"), ("X-Nurture-Id", "m7Qk2cZ1pXw4")),
)  # fmt: skip
HEADERS = dict(MESSAGE.headers)
CONTRACTS = Path(__file__).parent / "contracts"
URLS = {
    "postmark": "https://api.postmarkapp.com/email",
    "sendgrid": "https://api.sendgrid.com/v3/mail/send",
    "resend": "https://api.resend.com/emails",
    "ses": "https://email.eu-west-1.amazonaws.com/v2/email/outbound-emails",
    "mailgun": "https://api.mailgun.net/v3/mg.example.com/messages",
    "brevo": "https://api.brevo.com/v3/smtp/email",
    "mailjet": "https://api.mailjet.com/v3.1/send",
    "mailersend": "https://api.mailersend.com/v1/email",
    "sparkpost": "https://api.sparkpost.com/api/v1/transmissions",
    "mandrill": "https://mandrillapp.com/api/1.0/messages/send",
}
HTTP = tuple(URLS)
OBJECT = {"ErrorCode": 0, **dict.fromkeys(["MessageID", "MessageId", "messageId", "id"], "theirs"),
          "Messages": [{"Status": "success", "To": [{"MessageID": "theirs"}]}],
          "results": {"id": "theirs", "total_accepted_recipients": 1}}  # fmt: skip
TAKEN = dict.fromkeys(HTTP, json.dumps(OBJECT).encode()) | {
    "mandrill": b'[{"_id":"theirs","status":"sent"}]'
}  # a good answer of each
WHOLE = {
    name: b"HTTP/1.1 200 OK\r\nX-Message-Id: theirs\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)
    for name, body in TAKEN.items()
}
KEY = "key_abc"


def known(name, key=KEY, url=""):
    """An account with all that this provider needs."""
    return Account(name, key, url, domain="mg.example.com", region="eu-west-1")


def posted(name, message=MESSAGE, url="", key=KEY):
    """What a provider posts for a message."""
    seen = []
    answer = httpx.Response(200, headers={"X-Message-Id": "theirs"}, content=TAKEN[name])
    transport = httpx.MockTransport(lambda request: seen.append(request) or answer)
    assert PROVIDERS[name].connect(known(name, key, url), transport)(message) == "theirs"
    return seen[0]


def request_of(provider, account, messages=None):
    """What is asked for one mail, or in one call for many."""
    seen = []
    transport = httpx.MockTransport(lambda request: seen.append(request) or httpx.Response(503))
    with pytest.raises(Uncertain):
        provider.connect_many(account, transport)(messages) if messages else provider.connect(account, transport)(
            MESSAGE
        )
    return seen[0]


def schema(name):
    read = json.loads((CONTRACTS / f"{name}.json").read_text())
    return Draft202012Validator(read, format_checker=Draft202012Validator.FORMAT_CHECKER)


def outcome(send, message=MESSAGE):
    """What becomes of a mail: the provider's id, or the error."""
    try:
        return send(message)
    except DeliveryError as error:
        return error


def answered(name, response):
    return outcome(PROVIDERS[name].connect(known(name), httpx.MockTransport(lambda _: response)))


def content(request):
    """What was posted: JSON, or the fields of a form, each once."""
    if not request.headers["content-type"].startswith("multipart/form-data"):
        assert request.headers["content-type"] == "application/json"
        return json.loads(request.content)
    head = f"Content-Type: {request.headers['content-type']}\r\n\r\n".encode()
    parts = [*message_from_bytes(head + request.content, policy=default).iter_parts()]
    fields = [(p.get_param("name", header="content-disposition"), p.get_payload(decode=True).decode()) for p in parts]
    assert len(fields) == len(dict(fields))
    return dict(fields)


def sorted_as(error):
    """Its kind, and whom it is about: the gate for all mail, the one sender, or neither."""
    return type(error), "sender" if getattr(error, "sender", False) else getattr(error, "gate", None)


# --- what leaves


@pytest.mark.parametrize("message", [MESSAGE, replace(MESSAGE, reply_to="", sender="mia@shop.example.com")])
@pytest.mark.parametrize("name", HTTP)
def test_a_request_is_what_the_vendor_documents(name, message):
    request = posted(name, message)
    schema(name).validate(content(request))
    assert (request.method, str(request.url)) == ("POST", URLS[name])
    assert request.headers["user-agent"].startswith("nurture/")  # Resend refuses requests without one


def test_postmark_gets_one_recipient_our_id_our_headers_no_tracking_and_the_stream_that_was_named():
    request = posted("postmark")
    assert (request.headers["x-postmark-server-token"], request.headers["accept"]) == (KEY, "application/json")
    assert json.loads(request.content) == {
        "From": MESSAGE.sender, "To": MESSAGE.to, "ReplyTo": MESSAGE.reply_to, "Subject": MESSAGE.subject,
        "HtmlBody": MESSAGE.html, "TextBody": MESSAGE.text, "Metadata": {"nid": MESSAGE.id},
        "Headers": [{"Name": name, "Value": value} for name, value in MESSAGE.headers],
        "TrackOpens": False, "TrackLinks": "None",
    }  # fmt: skip
    named = request_of(PROVIDERS["postmark"], replace(known("postmark"), stream="nurture"))
    schema("postmark").validate(content(named))
    assert content(named) == {**content(request), "MessageStream": "nurture"}


def test_sendgrid_gets_one_recipient_our_id_our_headers_and_no_tracking():
    assert answered("sendgrid", httpx.Response(202, headers={"X-Message-Id": "theirs"})) == "theirs"
    request = posted("sendgrid")
    body = json.loads(request.content)
    assert request.headers["authorization"] == f"Bearer {KEY}"
    assert body["personalizations"] == [
        {"to": [{"email": MESSAGE.to}], "subject": MESSAGE.subject, "headers": dict(MESSAGE.headers),
         "custom_args": {"nid": MESSAGE.id}}
    ]  # fmt: skip
    assert body["from"] == {"email": "mia@shop.example.com", "name": "Mía from the Shop"}
    assert body["reply_to"] == {"email": "help@shop.example.com", "name": "Mía"}
    assert [part["value"] for part in body["content"]] == [MESSAGE.text, MESSAGE.html]
    assert [setting["enable"] for setting in body["tracking_settings"].values()] == [False] * 3
    assert set(body["tracking_settings"]) == {"click_tracking", "open_tracking", "subscription_tracking"}


def test_resend_gets_one_recipient_our_id_our_headers_and_a_key_that_a_retry_repeats():
    request = posted("resend")
    assert request.headers["authorization"] == f"Bearer {KEY}"
    assert request.headers["idempotency-key"] == MESSAGE.key
    assert json.loads(request.content) == {
        "from": MESSAGE.sender, "to": [MESSAGE.to], "reply_to": MESSAGE.reply_to, "subject": MESSAGE.subject,
        "html": MESSAGE.html, "text": MESSAGE.text, "headers": dict(MESSAGE.headers),
        "tags": [{"name": "nid", "value": MESSAGE.id}],
    }  # fmt: skip
    again = posted("resend", thaw(MESSAGE.freeze()))
    assert (again.content, again.headers) == (request.content, request.headers)


@pytest.mark.parametrize("name", HTTP)
def test_our_way_out_leaves_with_the_mail_or_the_provider_is_known_to_write_its_own(name):
    said = posted(name).content.decode()
    assert HEADERS["List-Unsubscribe"].strip("<>") in said
    # MailerSend has a field for the address alone, and SparkPost replaces whatever it is given
    assert ("List-Unsubscribe=One-Click" in said) == (name != "mailersend")
    assert PROVIDERS[name].abilities.own_way_out == (name == "sparkpost")
    assert ('"transactional":false' in said.replace(" ", "")) == (name == "sparkpost"), "else it writes none at all"


@pytest.mark.parametrize("name", HTTP)
def test_an_address_of_ours_replaces_the_vendors_scheme_host_and_port_and_never_its_path(name):
    ours = httpx.URL(URLS[name]).copy_with(scheme="http", host="127.0.0.1", port=8025)
    assert posted(name, url="http://127.0.0.1:8025").url == ours


@pytest.mark.parametrize("key", ["re_abc\n", "ключ", "a\x00b"])
@pytest.mark.parametrize("name", HTTP)
def test_a_key_that_cannot_be_written_in_a_header_closes_the_gate_and_costs_no_mail(name, key):
    with serving(lambda _: None) as port:
        send = PROVIDERS[name].connect(known(name, key, f"http://127.0.0.1:{port}"))
        assert sorted_as(error := outcome(send)) == GATE
    assert key not in str(error)


def test_the_outbox_keeps_every_mail_and_gives_it_an_id():
    assert PROVIDERS["outbox"].connect(Account("outbox"))(MESSAGE) == f"outbox-{MESSAGE.id}"


# --- what an answer proves

HTML = "<html><body>Welcome to the hotel's network</body></html>"
GATE, LATER, STRANGER = (Unavailable, True), (Unavailable, False), (Unavailable, "sender")
REFUSED, UNKNOWN = (Rejected, None), (Uncertain, None)
ANSWERS = [
    *((status, {"text": HTML}, UNKNOWN) for status in (200, 201, 202, 204)),
    *((200, {"json": odd}, UNKNOWN) for odd in ({}, [], None, "ok", {"id": None}, {"ErrorCode": 0, "MessageID": ""})),
    *((status, {"json": {"message": "no"}}, REFUSED) for status in (400, 404, 405, 410, 413, 415, 422)),
    *((status, {"text": HTML}, REFUSED) for status in (400, 422)),
    *((status, {"text": "no"}, GATE) for status in (401, 403)),
    *((status, {"headers": {"Location": "https://elsewhere.example"}}, GATE) for status in (301, 302, 303, 307, 308)),
    *((status, {}, GATE) for status in (300, 304)),
    *((status, {"text": HTML}, UNKNOWN) for status in (408, 500, 502, 503, 504, 529, 599)),
    (429, {"text": "too many requests"}, LATER),
]


@pytest.mark.parametrize(("status", "content", "expected"), ANSWERS)
@pytest.mark.parametrize("name", HTTP)
def test_an_answer_is_sorted_by_what_it_proves(name, status, content, expected):
    error = answered(name, httpx.Response(status, **content))
    assert sorted_as(error) == expected
    assert len(str(error)) < 400


@pytest.mark.parametrize(
    ("code", "kind", "gate"),
    [(300, Rejected, None), (406, Rejected, None), (10, Unavailable, True), (400, Unavailable, "sender"),
     (401, Unavailable, "sender"), (405, Unavailable, True), (412, Unavailable, True), (1235, Unavailable, True),
     (100, Unavailable, False), (429, Unavailable, False)],
)  # fmt: skip
def test_a_422_of_postmark_means_what_its_own_code_says(code, kind, gate):
    error = answered("postmark", httpx.Response(422, json={"ErrorCode": code, "Message": "why"}))
    assert sorted_as(error) == (kind, gate)


def test_a_409_of_resend_waits_for_the_first_request_or_stops_when_the_bytes_were_others():
    at_work = answered("resend", httpx.Response(409, json={"name": "concurrent_idempotent_requests", "message": "…"}))
    assert (sorted_as(at_work), at_work.retry_after) == (LATER, 5.0)
    others = answered("resend", httpx.Response(409, json={"name": "invalid_idempotent_request", "message": "…"}))
    assert sorted_as(others) == GATE


@pytest.mark.parametrize(
    ("said", "seconds"),
    [("7", 7), ("0.5", 0.5), (None, 1), ("", 1), ("0", 1), ("-5", 1), ("soon", 1), ("nan", 1), ("inf", LONGEST_WAIT),
     ("1e400", LONGEST_WAIT), ("999999999", LONGEST_WAIT), ("Wed, 21 Oct 2015 07:28:00 GMT", 1),
     ("Fri, 31 Dec 9999 23:59:59 GMT", LONGEST_WAIT), ("Fri, 99 Dec 99999 23:59:59 GMT", 1)],
)  # fmt: skip
@pytest.mark.parametrize("name", HTTP)
def test_retry_after_is_believed_within_an_hour(name, said, seconds):
    error = answered(name, httpx.Response(429, headers={} if said is None else {"Retry-After": said}))
    assert error.retry_after == seconds


@pytest.mark.parametrize(
    ("header", "said"),
    [("Retry-After", "mail"), ("Retry-After", "seconds"), ("ratelimit-reset", "seconds"), ("X-RateLimit-Reset", "unix"),
     ("X-RateLimit-Reset", "iso"), ("x-sib-ratelimit-reset", "seconds")],
)  # fmt: skip
def test_when_to_come_again_is_said_in_several_headers_and_in_several_ways(header, said):
    at = datetime.now(UTC) + timedelta(minutes=2)
    moment = {
        "mail": format_datetime(at, usegmt=True),
        "seconds": "119",
        "unix": str(int(at.timestamp())),
        "iso": f"{at:%FT%TZ}",
    }
    answer = httpx.Response(429, headers={"Retry-After": "0", header: moment[said]})
    assert 110 < answered("sendgrid", answer).retry_after <= 120


# --- many in one call

BATCHES = {
    "postmark": (
        "https://api.postmarkapp.com/email/batch",
        {"x-postmark-server-token": KEY, "accept": "application/json"},
    ),
    "resend": ("https://api.resend.com/emails/batch", {"authorization": f"Bearer {KEY}"}),
}
SECOND = replace(MESSAGE, id="another", key="m2-0123", to="jan@example.net", reply_to="")


@pytest.mark.parametrize("name", BATCHES)
def test_a_call_for_many_is_what_the_vendor_documents_and_each_of_its_mails_is_as_alone(name):
    provider, (url, headers) = PROVIDERS[name], BATCHES[name]
    asked = request_of(provider, known(name), [MESSAGE, SECOND])
    assert (asked.method, str(asked.url)) == ("POST", url)
    assert {header: asked.headers[header] for header in headers} == headers
    for body in content(asked):
        schema(name).validate(body)
    assert content(asked) == [content(posted(name, message)) for message in (MESSAGE, SECOND)]


def test_a_call_for_many_at_resend_has_a_key_of_its_own_that_a_retry_repeats():
    resend = PROVIDERS["resend"]
    first, again, turned = (
        request_of(resend, known("resend"), mails).headers["idempotency-key"]
        for mails in ([MESSAGE, SECOND], [MESSAGE, SECOND], [SECOND, MESSAGE])
    )
    assert first == again != turned
    assert MESSAGE.key not in first


def test_only_who_is_sent_many_in_one_call_says_how_many_that_are():
    many = {name for name, provider in PROVIDERS.items() if provider.connect_many is not None}
    assert many == {name for name, provider in PROVIDERS.items() if provider.abilities.batch > 1} == set(BATCHES)


@pytest.mark.parametrize(
    ("name", "status", "answer", "expected"),
    [("postmark", 422, {"ErrorCode": 412, "Message": "why"}, GATE), ("postmark", 422, {"ErrorCode": 402, "Message": "why"}, REFUSED),
     ("resend", 409, {"name": "concurrent_idempotent_requests"}, LATER), ("resend", 422, {"name": "validation_error"}, REFUSED),
     ("resend", 429, {"name": "daily_quota_exceeded"}, LATER)],
)  # fmt: skip
def test_an_answer_to_a_call_for_many_is_sorted_as_one_to_a_mail(name, status, answer, expected):
    transport = httpx.MockTransport(lambda _: httpx.Response(status, json=answer))
    with pytest.raises(DeliveryError) as raised:
        PROVIDERS[name].connect_many(known(name), transport)([MESSAGE, SECOND])
    assert sorted_as(raised.value) == expected


# --- what a broken connection proves: real sockets


@contextmanager
def serving(talk):
    """A server on a port of its own; `talk` has each connection in turn."""
    handler = type("Handler", (socketserver.StreamRequestHandler,), {"handle": talk})
    with socketserver.TCPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()
            thread.join()


def heard(line):
    """The body of one whole request."""
    line.rfile.readline()
    return line.rfile.read(int(parse_headers(line.rfile)["content-length"] or 0))


def over(name, port, timeout=10.0):
    with Line(timeout) as line:
        return outcome(PROVIDERS[name].connect(known(name, url=f"http://127.0.0.1:{port}"), line))


@pytest.mark.parametrize("name", [*HTTP, "smtp"])
def test_nobody_listens_so_nothing_left(name):
    with serving(heard) as port:
        pass
    send = PROVIDERS[name].connect(known(name, url=f"{'smtp' if name == 'smtp' else 'http'}://127.0.0.1:{port}"))
    assert sorted_as(outcome(send)) == LATER


@pytest.mark.parametrize(("part", "expected"), [(0, UNKNOWN), (1, UNKNOWN), (40, UNKNOWN), (-1, UNKNOWN), (None, None)])
@pytest.mark.parametrize("name", HTTP)
def test_a_connection_that_drops_before_the_whole_answer_leaves_the_mail_in_doubt(name, part, expected):
    with serving(lambda line: (heard(line), line.wfile.write(WHOLE[name][:part]))) as port:
        found = over(name, port)
    assert found == "theirs" if expected is None else sorted_as(found) == expected


@pytest.mark.parametrize("part", [0, 20, 45])
@pytest.mark.parametrize("name", HTTP)
def test_a_server_that_drips_its_answer_cannot_outlive_the_deadline(name, part):
    enough = threading.Event()

    def drip(line):
        heard(line)
        line.wfile.write(WHOLE[name][:part])
        for _ in range(500):  # every byte in time, all of them never
            if not enough.wait(0.02):
                line.wfile.write(b"X")

    with serving(drip) as port:
        error = over(name, port, timeout=0.2)
        enough.set()
    assert sorted_as(error) == UNKNOWN
    assert "ReadTimeout" in str(error)


def test_an_answer_of_endless_size_is_cut():
    flood = b"HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\n\r\n" + b" " * 1_100_000
    with serving(lambda line: (heard(line), line.wfile.write(flood))) as port:
        assert sorted_as(over("resend", port)) == UNKNOWN


def test_one_connection_is_kept_and_opened_anew_when_the_server_closed_it_and_closed_with_its_thread():
    lines, hung_up, left = [], threading.Event(), threading.Event()

    def talk(line):
        while heard(line):
            lines.append(line)
            line.wfile.write(WHOLE["resend"])
            if len(lines) == 2:
                line.server.shutdown_request(line.request)
                return hung_up.set()
        return left.set()

    with serving(talk) as port:
        send = PROVIDERS["resend"].connect(Account("resend", KEY, f"http://127.0.0.1:{port}"))
        assert [send(MESSAGE), send(MESSAGE)] == ["theirs"] * 2
        assert hung_up.wait(10)
        assert [send(MESSAGE), send(MESSAGE)] == ["theirs"] * 2
        del send
        gc.collect()
        assert left.wait(10)
    assert lines[0] is lines[1] is not lines[2] is lines[3]


def test_what_sendgrid_says_of_the_account_is_logged_and_is_of_nobodys_mail(caplog):
    told = {
        "event": "account_status_change",
        "sg_event_id": "MjEx",
        "timestamp": 1773305999,
        "type": "compliance_suspend",
    }
    with caplog.at_level(logging.WARNING, "nurture.hooks"):
        assert PROVIDERS["sendgrid"].event(told, Hook({}, b"")) is None
    assert caplog.messages == ["SendGrid reports of the account: compliance_suspend"]
