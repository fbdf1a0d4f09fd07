"""The web, as browsers, mail clients, scanners, providers and programs meet it. On both databases."""

import base64
import hmac
import json
import re
from contextlib import ExitStack
from datetime import timedelta

import httpx
import pytest
from amazon import TOPIC, signed
from stage import LINKS, Stage

from nurture.engine.deploy import Current
from nurture.engine.inbox import Inbox
from nurture.engine.receive import receive
from nurture.providers.base import Account
from nurture.store import hooks, workers
from nurture.store.workers import Worker
from nurture.web.app import build
from nurture.web.serve import listen, serving
from nurture.web.site import Site

LADDER = """\
title: A ladder
start: joined
from: Ada <ada@example.com>
within: 3 days
steps:
  question:
    subject: Question
    template: body.md
    ask:
      poll: Home or auto?
      answers: {home: A home loan, auto: "<b>An</b> auto loan"}
    yes: file
    no: end
  file:
    subject: File
    template: body.md
    ask: {download: "sheet ä.pdf"}
    yes: tour
    no: end
  tour:
    subject: Tour
    template: body.md
    ask: {click: Show me, to: https://example.com/tour?a=1&b=2}
    no: end
"""
LOGIN = {"Authorization": f"Basic {base64.b64encode(b'user:password').decode()}"}
BROWSER = "Mozilla/5.0 (Macintosh; Intel Mac OS X 14_5) AppleWebKit/605.1.15"
TOKEN = {"Authorization": "Bearer token"}


class Visited(Stage):
    """A stage with a web before it."""

    def __init__(self, store, sequences=None, templates=None, **how):
        sheet = {"files/sheet ä.pdf": b"%PDF-1.7 a sheet"}
        super().__init__(store, sequences or {"ladder": LADDER}, templates=templates or sheet, **how)
        self.inbox = Inbox(store)
        site = Site(
            store, Current(store, self.rules), LINKS, self.inbox,
            {"postmark": Account("postmark", hook_secrets=("user:password",)), "resend": Account("resend"),
             "mailgun": Account("mailgun", hook_secrets=("key",)), "brevo": Account("brevo", hook_secrets=("user:password",)),
             "ses": Account("ses", hook_secrets=(TOPIC,))},
            lambda: self.now, "token",
        )  # fmt: skip
        self.stack = ExitStack()
        listening = self.stack.enter_context(listen("127.0.0.1", 0))
        address = self.stack.enter_context(serving(build(site), listening))
        self.web = self.stack.enter_context(httpx.Client(base_url=address, headers={"User-Agent": BROWSER}))

    def close(self):
        self.stack.close()
        self.inbox.close()
        super().close()

    def link(self, subject, path, number=0):
        return re.findall(rf"https://go\.example\.com(/{path}/\S+)", self.mail(subject).text)[number]

    def kinds(self):
        receive(self.store, self.deployed, LINKS, self.now)
        return [event["kind"] for event in self.story()["events"]]


@pytest.fixture
def visited(store):
    made = Visited(store)
    made.subscribe()
    made.work()
    yield made
    made.close()


def test_a_link_of_the_mail_chooses_and_only_a_post_answers(visited):
    home = visited.link("Question", "q", 0)
    shown = visited.web.get(home)
    assert shown.status_code == 200
    assert re.search(r'value="home" required checked', shown.text)
    assert "&lt;b&gt;An&lt;/b&gt; auto loan" in shown.text, "what an author wrote is text, not markup"
    visited.web.head(home)
    assert visited.story()["answers"] == []
    thanks = visited.web.post(home, data={"answer": "auto"})
    assert "Thank you" in thanks.text
    assert [answer["answer"] for answer in visited.story()["answers"]] == ["auto"]
    assert "Thank you" in visited.web.get(home).text
    assert "Change my answer" in thanks.text
    assert re.search(r'value="auto" required checked', visited.web.get(f"{home}?change=1").text)
    visited.web.post(home, data={"answer": "home"})
    assert [answer["answer"] for answer in visited.story()["answers"]] == ["home"], "it can be changed for now"
    visited.work()  # the mail that follows leaves
    assert "stays as it is" in visited.web.post(home, data={"answer": "auto"}).text
    assert "Change my answer" not in visited.web.get(f"{home}?change=1").text
    assert [answer["answer"] for answer in visited.story()["answers"]] == ["home"]


def test_a_post_without_a_form_takes_the_answer_of_the_link(visited):
    visited.web.post(visited.link("Question", "q", 1))
    assert [answer["answer"] for answer in visited.story()["answers"]] == ["auto"]


def test_an_answer_that_was_not_offered_is_asked_for_again(visited):
    again = visited.web.post(visited.link("Question", "q"), data={"answer": "boat"})
    assert again.status_code == 422
    assert "Please choose one of these answers." in again.text
    assert visited.story()["answers"] == []


def test_a_download_is_fetched_by_a_post(visited):
    visited.web.post(visited.link("Question", "q"), data={"answer": "home"})
    visited.work()
    page = visited.link("File", "q")
    assert "sheet ä.pdf" in visited.web.get(page).text
    assert len(visited.story()["answers"]) == 1
    file = visited.web.post(page)
    assert file.content == b"%PDF-1.7 a sheet"
    assert file.headers["content-disposition"] == "attachment; filename*=UTF-8''sheet%20%C3%A4.pdf"
    assert [answer["step"] for answer in visited.story()["answers"]] == ["question", "file"]


def to_the_tour(visited):
    visited.web.post(visited.link("Question", "q"), data={"answer": "home"})
    visited.work()
    visited.web.post(visited.link("File", "q"))
    visited.work()
    return visited.link("Tour", "c")


def test_a_click_is_recorded_and_leads_to_the_stored_target_only(visited):
    link = to_the_tour(visited)
    went = visited.web.get(f"{link}?to=https://evil.example")
    assert (went.status_code, went.headers["location"]) == (302, "https://example.com/tour?a=1&b=2")
    assert "clicked" in visited.kinds()


def test_head_and_prefetch_are_redirected_and_count_as_machines(visited):
    link = to_the_tour(visited)
    assert visited.web.head(link).status_code == 302
    assert visited.web.get(link, headers={"Sec-Purpose": "prefetch;prerender"}).status_code == 302
    visited.after(minutes=2)
    reasons = {one["reason"] for one in visited.story()["events"] if one["kind"] == "clicked"}
    assert reasons == {"asked with HEAD, as no reader does", "marked as a machine: prefetch"}
    assert [answer["step"] for answer in visited.story()["answers"]] == ["question", "file"]


def test_a_scanner_that_opens_every_link_walks_nobody_to_the_offer(visited):
    link = to_the_tour(visited)
    visited.after(minutes=5)
    visited.web.get(link)
    visited.web.get(visited.link("Tour", "u"))
    visited.after(minutes=2)
    reasons = {one["reason"] for one in visited.story()["events"] if one["kind"] == "clicked" and one["reason"]}
    assert reasons == {
        "the unsubscribe link was fetched as well, within a minute",
        "looked at the page of the way out, which does nothing by itself",
    }
    assert visited.story()["status"] == "active"


@pytest.mark.parametrize("path", ["/c/", "/q/", "/u/"])
@pytest.mark.parametrize("token", ["x", "abc.def", "a" * 3000, "%00", "..%2f.."])
def test_a_cut_or_forged_token_shows_a_page_that_helps(visited, path, token):
    shown = visited.web.get(path + token)
    assert shown.status_code == 404
    if token != "..%2f..":
        assert "This link does not work." in shown.text
    assert visited.web.post(path + token).status_code in (404, 405)


def test_a_token_for_one_purpose_is_worth_nothing_for_another(visited):
    click = to_the_tour(visited).removeprefix("/c/")
    assert visited.web.post(f"/u/{click}").status_code == 404
    assert visited.web.get(f"/q/{click}").status_code == 404
    assert visited.story()["status"] == "active"


def test_the_way_out_is_one_post_and_a_look_does_nothing(visited):
    way_out = visited.link("Question", "u")
    assert "No more mail?" in visited.web.get(way_out).text
    assert visited.story()["status"] == "active"
    header = dict(visited.mail("Question").headers)["List-Unsubscribe"]
    path = header.strip("<>").removeprefix("https://go.example.com")
    for _ in range(2):  # RFC 8058: mail clients repeat it
        done = visited.web.post(path, data={"List-Unsubscribe": "One-Click"})
        assert done.status_code == 200
    assert visited.story()["status"] == "unsubscribed"
    assert [place["ended"] for place in visited.story()["enrollments"]] == ["unsubscribed"]


def test_a_hook_must_prove_from_whom_it_is(visited):
    refused = visited.web.post("/hooks/postmark", json={"RecordType": "Delivery"})
    assert refused.status_code == 401
    assert refused.headers["www-authenticate"].startswith("Basic")
    assert visited.web.post("/hooks/resend", json={}).status_code == 401
    assert visited.web.post("/hooks/sendgrid", json=[]).status_code == 401
    assert visited.web.post("/hooks/nobody", json={}).status_code == 404
    assert visited.web.post("/hooks/outbox", json={}).status_code == 404
    assert visited.web.head("/hooks/postmark").status_code == 200, "Mandrill looks with HEAD before it posts"
    assert visited.web.get("/hooks/nobody").status_code == 404
    assert visited.web.post("/hooks/postmark-inbound", json={}, headers=LOGIN).status_code == 401, "it has its own"
    visited.inbox.close()
    closed = visited.web.post("/hooks/postmark", json={"RecordType": "Delivery"}, headers=LOGIN)
    assert (closed.status_code, closed.headers["retry-after"]) == (503, "10"), "what is not on disk has no 2xx"


def test_a_hook_is_kept_before_it_is_answered_and_read_afterwards(visited):
    mail = visited.mail("Question")
    report = {
        "RecordType": "Delivery", "MessageID": "p1", "Recipient": "ann@example.com", "Metadata": {"nid": mail.id},
        "DeliveredAt": "2026-06-01T10:00:05Z",
    }  # fmt: skip
    assert visited.web.post("/hooks/postmark", json=report, headers=LOGIN).status_code == 200
    assert visited.web.post("/hooks/postmark", content=b"\xff not json", headers=LOGIN).status_code == 200
    assert "delivered" in visited.kinds()
    assert visited.states()["question"] == "delivered"


def test_a_hook_that_is_too_large_is_refused(visited):
    assert visited.web.post("/hooks/postmark", content=b"x" * 5_000_001, headers=LOGIN).status_code == 413


def test_the_api_is_for_those_who_have_the_token(visited):
    new = {"email": "Bob@Example.com", "attributes": {"first_name": "Bob"}}
    assert visited.web.post("/api/subscribers", json=new).status_code == 401
    wrong = {"Authorization": "Bearer tokeN"}
    assert visited.web.post("/api/subscribers", json=new, headers=wrong).status_code == 401
    made = visited.web.post("/api/subscribers", json=new, headers=TOKEN)
    assert made.status_code == 201
    assert made.json() == {"email": "bob@example.com", "new": True, "enrolled": ["ladder"], "suppressed": ""}
    assert visited.web.post("/api/subscribers", json=new, headers=TOKEN).status_code == 200


def test_the_api_says_what_is_wrong(visited):
    for path, body, status, sentence in (
        ("/api/subscribers", {"email": "bob"}, 422, "'bob' is not an email address"),
        ("/api/subscribers", {"email": "a@b.com", "atributes": {}}, 422, "atributes"),
        ("/api/events", {"name": "cart_aded", "email": "ann@example.com"}, 422, "did you mean 'cart_added'?"),
        ("/api/events", {"name": "replied", "email": "no@example.com"}, 404, "nobody has the address"),
        ("/api/events", {"name": "cart_added", "email": "ann@example.com", "data": {"total": "much"}}, 422, "total:"),
    ):
        said = visited.web.post(path, json=body, headers=TOKEN)
        assert said.status_code == status
        assert sentence in json.dumps(said.json(), ensure_ascii=False)


@pytest.mark.parametrize("body", ['{"email": "a@b.com", "attributes": {"first_name": "\\ud800"}}', '{"email": "a\\u0000@b.com"}',
                                  '{"email": "a@b.com", "attributes": {"first_name": "a\\u0000b"}}'])  # fmt: skip
def test_text_that_no_database_holds_is_refused_in_words(visited, body):
    said = visited.web.post("/api/subscribers", content=body, headers={**TOKEN, "Content-Type": "application/json"})
    assert said.status_code == 422
    assert "detail" in said.json()


def test_the_api_tells_a_persons_story_and_describes_itself(visited):
    done = visited.web.post("/api/events", json={"name": "replied", "email": "ann@example.com"}, headers=TOKEN)
    assert (done.status_code, done.json()) == (202, {"email": "ann@example.com", "moved": []})
    story = visited.web.get("/api/subscribers/ann@example.com", headers=TOKEN).json()
    assert story["format"] == "nurture.subscriber/1"
    assert "/api/subscribers" in visited.web.get("/openapi.json", headers=TOKEN).json()["paths"]


def test_health_and_headers(visited):
    health = visited.web.get("/healthz")
    assert {"status", "version", "deploy", "held"} == set(health.json())
    assert visited.web.get("/healthz", headers={"X-Forwarded-For": "198.51.100.3"}).json() == {"status": "ok"}
    page = visited.web.get("/")
    assert "frame-ancestors 'none'" in page.headers["content-security-policy"]
    assert page.headers["x-content-type-options"] == "nosniff"
    assert visited.web.get("/pages/page.css").status_code == 200


def test_a_token_of_mailgun_is_good_for_one_hook(visited):
    at, token = str(int(visited.now.timestamp())), "token"
    signature = hmac.digest(b"key", (at + token).encode(), "sha256").hex()
    proof = {"signature": {"timestamp": at, "token": token, "signature": signature}}
    for event in ("delivered", "complained", "unsubscribed"):  # the second and third are forged with a seen token
        body = proof | {"event-data": {"event": event, "timestamp": int(at)}}
        assert visited.web.post("/hooks/mailgun", json=body).status_code == 200
    with visited.store.read() as tx:
        (kept,) = [row for row in hooks.listing(tx, failed=False) if row.provider == "mailgun"]
    assert b"delivered" in kept.body


def test_a_message_of_sns_that_is_not_from_our_topic_is_refused_and_nobody_is_asked(visited):
    told = signed("hello", visited.now, TopicArn=TOPIC + "x", SigningCertURL="http://127.0.0.1:9/x.pem")
    assert visited.web.post("/hooks/ses", json=told).status_code == 401
    told = signed("hello", visited.now, SigningCertURL="http://127.0.0.1:9/x.pem")
    assert visited.web.post("/hooks/ses", json=told).status_code == 401


def test_while_nothing_can_be_kept_each_provider_is_told_to_come_again_in_its_own_way(visited):
    visited.inbox.close()
    for name, status in (("postmark", 503), ("brevo", 429)):
        assert visited.web.post(f"/hooks/{name}", json={}, headers=LOGIN).status_code == status


def test_the_metrics_say_how_late_each_queue_is_and_who_is_at_work(visited):
    seen_at = visited.now - timedelta(seconds=3)
    one = Worker("w1", "mill", 7, "1.0", ("clock", "worker"), seen_at, seen_at)
    with visited.store.write() as tx:
        workers.seen(tx, one)
    visited.subscribe("eve@example.com")
    visited.now += timedelta(seconds=40)
    said = visited.web.get("/metrics")
    assert said.headers["content-type"].startswith("text/plain")
    lines = said.text.splitlines()
    assert 'nurture_late_seconds{queue="enrollment"} 40.0' in lines
    assert 'nurture_late_seconds{queue="message"} 0.0' in lines
    assert "nurture_messages_unknown 0.0" in lines
    assert 'nurture_worker_seen_seconds{host="mill",process="7",runs="clock+worker",version="1.0"} 43.0' in lines


def test_the_metrics_are_for_this_machine_or_for_the_token(visited):
    proxied = {"X-Forwarded-For": "198.51.100.3"}
    assert visited.web.get("/metrics", headers=proxied).status_code == 401
    assert visited.web.get("/metrics", headers={**proxied, "Authorization": "Bearer tokeN"}).status_code == 401
    assert visited.web.get("/metrics", headers={**proxied, **TOKEN}).status_code == 200


def test_health_is_bad_when_no_clock_was_seen_for_a_minute(visited):
    for number, runs in (("w1", ("web",)), ("w2", ("clock",))):
        with visited.store.write() as tx:
            workers.seen(tx, Worker(number, "mill", 7, "1.0", runs, visited.now, visited.now))
        health = visited.web.get("/healthz")
        assert health.status_code == (503 if number == "w1" else 200)
    visited.now += timedelta(seconds=61)
    health = visited.web.get("/healthz")
    assert (health.status_code, health.json()["error"]) == (503, "no clock was seen for a minute: nothing falls due")
