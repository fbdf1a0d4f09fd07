"""Mail that people write back: whose it is, what it says, who did not write it, and what follows. On both databases."""

import base64
import hmac
import json
import time
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlencode

import pytest
import stage as stage_
from stage import LINKS, MONDAY, Stage

from nurture.engine.deploy import problems_of
from nurture.engine.inbox import Inbox
from nurture.engine.receive import receive
from nurture.errors import BadSignature
from nurture.journey.events import Kind
from nurture.language.project import read_project
from nurture.mail.links import Links, Signer
from nurture.providers import HOOKS, INBOUND
from nurture.providers.base import Account, Hook
from nurture.providers.inbound import Mail, not_a_person, own_words
from nurture.rehearsal.stories import tell

LADDER = """\
title: A ladder
start: joined
from: Ada <ada@example.com>
within: 3 days
steps:
  question:
    subject: Question
    template: body.md
    ask: {reply: What do you sell?}
    yes: thanks
    no: again
  again:
    subject: Again
    template: body.md
    ask: question
    no: end
  thanks:
    subject: Thanks
    template: thanks.md
    ask: {click: Show me, to: https://example.com/tour}
    no: end
tests:
  - name: who writes back is thanked
    does: [{question: yes, after: 2 hours}]
    expect: {path: [question, thanks]}
"""
ELSEWHERE = """\
title: Elsewhere
start: replied
from: Ada <ada@example.com>
within: 3 days
steps:
  hello:
    subject: Hello
    template: body.md
    ask: {click: Show me, to: https://example.com/hello}
    no: end
"""
THANKS = b"You wrote: {{ said('question') }}\n\n{{ ask }}\n"
RECORDED = Path(__file__).parent / "recorded" / "inbound"
OWN = replace(LINKS, reply_domain="reply.example.com")
LOGIN = {"authorization": "Basic " + base64.b64encode(b"user:password").decode()}


@pytest.fixture
def stage(store):
    made = Stage(store, {"ladder": LADDER, "elsewhere": ELSEWHERE}, templates={"templates/thanks.md": THANKS})
    made.sender.close()
    made.links = OWN
    made.sender = stage_.Sender(store, made.provider, Account("outbox"), OWN, senders=2)
    yield made
    made.close()


def posted(provider, address, **changes):
    """The vendor's recorded hook as it is posted: (headers, body)."""
    kept = json.loads((RECORDED / f"{provider}.json").read_text().replace("REPLY", address))
    if provider == "postmark-inbound":
        return {"content-type": "application/json", **LOGIN}, json.dumps({**kept["body"], **changes}).encode()
    form = {**kept["form"], **changes}
    if provider == "mailgun-inbound":
        signed = (form["timestamp"] + form["token"]).encode()
        form["signature"] = hmac.new(b"key-3ax6xnjp29jd6fds4gc373sgvjxteol0", signed, "sha256").hexdigest()
        return {"content-type": "application/x-www-form-urlencoded"}, urlencode(form).encode()
    parts = "".join(
        f'--xYzZY\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n' for name, value in form.items()
    )
    photo = '--xYzZY\r\nContent-Disposition: form-data; name="a"; filename="a.png"\r\n\r\n\x00\x01\r\n'
    headers = {"content-type": "multipart/form-data; boundary=xYzZY", **LOGIN}
    return headers, (parts + photo + "--xYzZY--\r\n").encode()


BOUNDARY = "4ZxQ0V3hFbz9s.1780311481/mx.example.net"


def returned(shape, number, changed=(), kind="multipart/report"):
    """A mail server's report as each vendor hands it on: (provider, headers, body)."""
    text = (RECORDED / "bounce.json").read_text().replace("ID@", f"{number}@").replace("Id: ID", f"Id: {number}")
    for before, after in changed:
        assert before in text
        text = text.replace(before, after)
    kept = json.loads(text)
    parts = [(one["type"], "\r\n".join(one["lines"])) for one in kept["parts"]]
    pieces = "".join(f"\r\n--{BOUNDARY}\r\nContent-Type: {kind}\r\n\r\n{text}\r\n" for kind, text in parts)
    raw = "\r\n".join(kept["mail"]).replace("multipart/report", kind) + f"{pieces}\r\n--{BOUNDARY}--\r\n"
    if shape == "postmark-inbound":
        files = [
            {"Name": "", "ContentType": kind, "Content": base64.b64encode(text.encode()).decode()}
            for kind, text in parts
        ]
        from_full = {"Email": kept["sender"]}
        headers, body = posted(shape, kept["to"], Attachments=files, FromFull=from_full, StrippedTextReply="")
        return shape, headers, body
    envelope = json.dumps({"to": [kept["to"]], "from": ""})
    if shape == "sendgrid-inbound, raw":
        return (
            "sendgrid-inbound",
            {"content-type": FORM, **LOGIN},
            urlencode({"email": raw, "envelope": envelope}).encode(),
        )
    if shape == "mailgun-inbound, raw":
        form = {"body-mime": raw, "recipient": kept["to"], "sender": kept["sender"]}
        return "mailgun-inbound", {"content-type": FORM}, urlencode(form).encode()
    fields = {"headers": "\n".join(kept["mail"][:10]), "envelope": envelope, "text": "I'm sorry"}
    form = "".join(
        f'--x\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n' for name, value in fields.items()
    )
    for place, (of, part) in enumerate(parts):
        disposition = f'form-data; name="attachment{place}"; filename="part{place}"'
        form += f"--x\r\nContent-Disposition: {disposition}\r\nContent-Type: {of}\r\n\r\n{part}\r\n"
    return (
        "sendgrid-inbound",
        {"content-type": "multipart/form-data; boundary=x", **LOGIN},
        (form + "--x--\r\n").encode(),
    )


FORM = "application/x-www-form-urlencoded"
SHAPES = ["postmark-inbound", "sendgrid-inbound", "sendgrid-inbound, raw", "mailgun-inbound, raw"]
NUMBER = "0123456789abcdef0123456789"


def read(provider, headers, body):
    hook = Hook(headers, body)
    (item,) = HOOKS[provider].items(hook)
    return HOOKS[provider].event(item, hook)


@pytest.mark.parametrize("shape", SHAPES)
def test_a_mail_servers_bounce_is_read_however_it_is_handed_on(shape):
    event = read(*returned(shape, NUMBER))
    assert (event.kind, event.message) == (Kind.BOUNCED, NUMBER)
    assert event.reason == (
        "5.1.1 smtp; 550 5.1.1 <rosa@example.net>: Recipient address rejected: User unknown in virtual mailbox table"
    )


STATUS, SMTP = "Status: 5.1.1", "550 5.1.1"


@pytest.mark.parametrize(
    ("changed", "kind"),
    [
        ([(STATUS, "Status: 5.0.0")], Kind.BOUNCED),  # what the last server said is more than a status of nothing
        ([(STATUS, "Status: 5.2.2"), (SMTP, "552 5.2.2")], Kind.SOFT_BOUNCED),
        ([(STATUS, "Status: 5.7.1"), (SMTP, "550 5.7.1")], Kind.SOFT_BOUNCED),
        ([(STATUS, "Status: 4.4.7"), (SMTP, "451 4.4.7")], Kind.SOFT_BOUNCED),
        ([("Action: failed", "Action: delayed"), (STATUS, "Status: 4.4.1")], Kind.DEFERRED),
        ([("Action: failed", "Action: delivered"), (STATUS, "Status: 2.0.0")], Kind.DELIVERED),
        ([("Action: failed", "Action: relayed")], Kind.AUTORESPONDED),
        ([("X-Nurture-Id: ", "X-Other: ")], Kind.BOUNCED),  # our Message-ID names it, too
        ([("X-Nurture-Id: ", "X-Other: "), ("Message-ID: ", "X-Another: ")], Kind.AUTORESPONDED),
        ([("delivery-status", "feedback-report"), ("Action: failed", "Feedback-Type: abuse")], Kind.COMPLAINED),
        ([("delivery-status", "feedback-report"), ("Action: failed", "Feedback-Type: not-spam")], Kind.AUTORESPONDED),
    ],
)  # fmt: skip
def test_a_report_means_what_its_own_fields_say(changed, kind):
    assert read(*returned("mailgun-inbound, raw", NUMBER, changed)).kind is kind


def test_a_person_who_quotes_a_report_is_no_mail_server():
    assert read(*returned("mailgun-inbound, raw", NUMBER, kind="multipart/mixed")).kind is Kind.AUTORESPONDED
    human = [("Auto-Submitted", "X-Was"), ("MAILER-DAEMON", "ann"), ("Return-Path: <>", "Return-Path: <a@b.c>")]
    assert read(*returned("mailgun-inbound, raw", NUMBER, human, kind="multipart/mixed")).kind is Kind.REPLIED


def test_a_bounce_that_comes_by_mail_ends_what_its_person_gets(stage):
    stage.subscribe()
    stage.work()
    stage.after(hours=1)
    provider, headers, body = returned("mailgun-inbound, raw", stage.mail("Question").id)
    assert come(stage, provider, headers, body).recorded == 1
    stage.work()
    assert stage.story()["messages"][0]["state"] == "bounced"
    assert stage.place("ladder")["ended"] == "bounced"


def come(stage, provider, headers, body):
    inbox = Inbox(stage.store)
    inbox.keep(provider, headers, body, stage.now)
    inbox.close()
    return receive(stage.store, stage.deployed, OWN, stage.now)


@pytest.mark.parametrize("provider", sorted(INBOUND))
def test_a_reply_is_the_yes_and_its_words_are_the_answer(stage, provider):
    stage.subscribe()
    stage.work()
    mail = stage.mail("Question")
    assert mail.reply_to.endswith("@reply.example.com")
    assert len(mail.reply_to.partition("@")[0]) <= 64, "RFC 5321 allows no more"
    assert f"mailto:{mail.reply_to}" in mail.text
    stage.after(hours=1)
    headers, body = posted(provider, mail.reply_to.upper())
    assert come(stage, provider, headers, body).recorded == 1
    assert come(stage, provider, headers, body).recorded == 0, "a repeat is known"
    stage.work()
    answers = {(one["step"]): one["answer"] for one in stage.story()["answers"]}
    assert answers["question"].startswith("Selling, mostly.")
    assert ">" not in answers["question"]
    assert "wrote:" not in answers["question"]
    assert sorted(stage.subjects()) == ["Hello", "Question", "Thanks"], "`start: replied` heard of it as well"


def test_a_reply_is_quoted_in_their_own_words_which_are_no_markup(stage):
    stage.subscribe()
    stage.work()
    stage.after(hours=1)
    wrote = "<b>Cakes</b> & {{ email }},\nmostly [here](https://evil.example)."
    headers, body = posted("postmark-inbound", stage.mail("Question").reply_to, TextBody=wrote, StrippedTextReply=wrote)
    come(stage, "postmark-inbound", headers, body)
    stage.work()
    mail = stage.mail("Thanks")
    assert "You wrote: &lt;b&gt;Cakes&lt;/b&gt; &amp; {{ email }}, mostly [here](https://evil.example)." in mail.html
    assert "You wrote: <b>Cakes</b> & {{ email }}, mostly" in mail.text


def test_an_out_of_office_is_recorded_and_never_a_yes(stage):
    stage.subscribe()
    stage.work()
    stage.after(hours=1)
    machine = [{"Name": "Auto-Submitted", "Value": "auto-replied"}]
    headers, body = posted("postmark-inbound", stage.mail("Question").reply_to, Headers=machine)
    assert come(stage, "postmark-inbound", headers, body).recorded == 1
    stage.work()
    assert stage.subjects() == ["Question"]
    (told,) = [one for one in stage.story()["events"] if one["kind"] == "autoresponded"]
    assert told["reason"] == "it says Auto-Submitted: auto-replied (RFC 3834)"


def test_a_reply_to_nobody_we_know_is_dropped_and_a_broken_one_is_kept(stage):
    stage.subscribe()
    stage.work()
    headers, body = posted("postmark-inbound", "reply+0123-0123456789abcdef@reply.example.com")
    assert come(stage, "postmark-inbound", headers, body).dropped == 1
    assert come(stage, "sendgrid-inbound", {"content-type": "text/plain"}, b"\xff").quarantined == 1
    assert come(stage, "mailgun-inbound", {"content-type": "application/x-www-form-urlencoded"}, b"a=b").quarantined


def test_a_reply_without_the_address_is_known_by_what_it_answers(stage):
    """Many programs answer to From and drop Reply-To, and some providers leave our Message-ID as it is (SMTP does)."""
    stage.subscribe()
    stage.work()
    number = stage.mail("Question").id
    answered = [{"Name": "In-Reply-To", "Value": f"<{number}.1a2b@example.com>"}]
    headers, body = posted("postmark-inbound", "ada@example.com", Headers=answered)
    stage.after(hours=1)
    assert come(stage, "postmark-inbound", headers, body).recorded == 1
    stage.work()
    assert "Thanks" in stage.subjects()


def test_a_writers_clock_may_say_anything(stage):
    stage.subscribe()
    stage.work()
    stage.after(hours=1)
    address = stage.mail("Question").reply_to
    headers, body = posted("postmark-inbound", address, Date="Fri, 1 Jan 1999 00:00:00 +0000")
    come(stage, "postmark-inbound", headers, body)
    (told,) = [one for one in stage.story()["events"] if one["kind"] == "replied"]
    assert told["at"] == "2026-06-01T11:00:00Z"


@pytest.mark.parametrize("provider", sorted(INBOUND))
def test_mail_that_is_not_from_the_provider_is_refused(provider):
    secret = "key-3ax6xnjp29jd6fds4gc373sgvjxteol0" if provider == "mailgun-inbound" else "user:password"
    headers, body = posted(provider, "a@reply.example.com")
    bare = f"set NURTURE_PROVIDERS__{provider.upper().replace('-', '_')}__HOOK_SECRET"
    account, soon = Account(provider, hook_secrets=("old", secret)), MONDAY + timedelta(hours=1)
    HOOKS[provider].verify(Hook(headers, body), account, soon)
    for other, why in (Account(provider, hook_secrets=("wrong",)), "signature"), (Account(provider), bare):
        with pytest.raises(BadSignature, match=why):
            HOOKS[provider].verify(Hook(headers, body), other, soon)
    with pytest.raises(BadSignature):
        HOOKS[provider].verify(Hook({}, b"\xff"), account, soon)
    for at in (soon + timedelta(hours=13), soon - timedelta(minutes=8)) if provider == "mailgun-inbound" else ():
        with pytest.raises(BadSignature, match="too old"):
            HOOKS[provider].verify(Hook(headers, body), account, at)


@pytest.mark.parametrize(
    ("header", "value"),
    [
        ("auto-submitted", "auto-generated; owner-email=x"), ("precedence", "bulk"), ("x-autoreply", "yes"),
        ("x-autorespond", "Re: Question"), ("x-auto-response-suppress", "All"), ("return-path", "<>"),
        ("list-id", "<list.example.com>"), ("x-nurture-id", "0123"),
        ("content-type", "multipart/report; report-type=delivery-status"),
    ],
)  # fmt: skip
def test_machines_that_write_are_known(header, value):
    assert not_a_person(Mail({header: (value,)}, "ann@example.com", (), "")) != ""


def test_people_are_not_taken_for_machines():
    assert not_a_person(Mail({"auto-submitted": ("no",)}, "ann@example.com", (), "")) == ""
    assert not_a_person(Mail({"content-type": ("text/plain",)}, "ann@example.com", (), "")) == ""
    assert not_a_person(Mail({}, "MAILER-DAEMON@example.com", (), "")) != ""


@pytest.mark.parametrize(
    ("text", "own"),
    [
        ("Yes.\n\nOn Mon, Jun 1, 2026 at 10:00 AM Ada <ada@example.com> wrote:\n> Hi", "Yes."),
        ("Ja!\n\nAm Mo., 1. Juni 2026 um 10:00 Uhr schrieb Ada\n<ada@example.com>:\n\n> Hallo", "Ja!"),
        ("Oui\n\nLe lun. 1 juin 2026 à 10:00, Ada <ada@example.com> a écrit :\n> Bonjour", "Oui"),
        ("ok\n\n-----Original Message-----\nFrom: Ada <a@b.c>", "ok"),
        ("ok\n\n________________________________\nVon: Ada", "ok"),
        ("ok\nFrom: Ada <ada@example.com>\nSent: Monday", "ok"),
        ("One\n\nTwo: three\n-- \nAnn", "One\n\nTwo: three"),
        ("> quoted only", ""),
        ("Call me at 10:30:\n555 1234", "Call me at 10:30:\n555 1234"),
    ],
)
def test_what_is_quoted_is_left_out(text, own):
    assert own_words(text) == own


@pytest.mark.parametrize("text", ["\n" * 100_000, "> " * 50_000, "On \n" * 30_000, "a" * 100_000, " \n" * 50_000])
def test_no_mail_takes_long_to_read(text):
    before = time.process_time()
    own_words(text)
    assert time.process_time() - before < 1


def test_a_replys_address_is_sealed_and_keys_rotate():
    old = Links("", "", Signer(["an old key, long enough"]), "reply.example.com")
    new = Links("", "", Signer(["a new key, long enough", "an old key, long enough"]), "reply.example.com")
    address = old.reply("0123abc")
    assert new.read_reply(address) == new.read_reply(address.upper()) == "0123abc"
    for changed in (address.replace("0123", "0124"), address.replace("reply.example", "evil.example"), "ann@x.org", ""):
        assert new.read_reply(changed) == ""
    assert LINKS.reply("0123abc") == "", "replies go to the author where no domain is set"


def test_a_mail_that_asks_for_a_reply_passes_its_checks_and_stories():
    templates = {"templates/body.md": stage_.BODY, "templates/thanks.md": THANKS}
    project = read_project({"people.yaml": stage_.PEOPLE, "sequences/ladder.yaml": LADDER.encode(), **templates})
    assert [str(problem) for problem in problems_of(project) if problem.severity == "error"] == []
    assert [told.differences for told in tell(project.sequences["ladder"])] == [()]


def test_a_machine_and_a_reply_are_of_their_own_kind():
    headers, body = posted("sendgrid-inbound", "a@reply.example.com")
    hook = Hook(headers, body)
    (item,) = HOOKS["sendgrid-inbound"].items(hook)
    assert HOOKS["sendgrid-inbound"].event(item, hook).kind is Kind.REPLIED
