"""The doctor: each finding says what is wrong and what mends it, and one look that fails stops no other."""

import base64
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import dns.resolver
import dns.rrset
import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from stage import LINKS, MONDAY, Stage
from test_smtp import Post

from nurture.engine.deploy import Current
from nurture.engine.doctor import machine, names, reach, way_out
from nurture.engine.doctor.examine import examine
from nurture.engine.doctor.finding import Patient, ok
from nurture.engine.inbox import Inbox
from nurture.engine.tick import tick
from nurture.errors import Uncertain
from nurture.mail.links import Links, Signer
from nurture.providers import PROVIDERS
from nurture.providers.base import Account
from nurture.store import hooks, workers
from nurture.store.workers import Worker
from nurture.web.app import build
from nurture.web.serve import listen, serving
from nurture.web.site import Site

LADDER = """\
title: A ladder
start: joined
from: Ada <ada@mail.shop.dev>
within: 3 days
steps:
  tour:
    subject: Tour
    template: body.md
    ask: {click: Show me, to: https://example.com/tour}
    no: end
"""


@contextmanager
def name_server(records: dict[str, list[str]], broken: tuple[str, ...] = ()) -> Iterator[dns.resolver.Resolver]:
    """A resolver whose only name server is ours. Names that are `broken` make it fail."""

    class Handler(socketserver.BaseRequestHandler):
        def handle(self):
            data, socket = self.request
            asked = dns.message.from_wire(data)
            name = asked.question[0].name.to_text(omit_final_dot=True)
            answer = dns.message.make_response(asked)
            if name in broken:
                answer.set_rcode(dns.rcode.SERVFAIL)
            elif name in records:
                strings = [
                    " ".join(f'"{text[at : at + 200]}"' for at in range(0, len(text), 200)) for text in records[name]
                ]
                answer.answer.append(dns.rrset.from_text(asked.question[0].name, 60, "IN", "TXT", *strings))
            else:
                answer.set_rcode(dns.rcode.NXDOMAIN)
            socket.sendto(answer.to_wire(), self.client_address)

    with socketserver.ThreadingUDPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        resolver = dns.resolver.Resolver(configure=False)
        resolver.nameservers, resolver.port = ["127.0.0.1"], server.server_address[1]
        try:
            yield resolver
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture
def stage(store):
    made = Stage(store, {"ladder": LADDER})
    yield made
    made.close()


def patient(stage, provider="sendgrid", **changes):
    account = Account(
        provider, "key", hook_secrets=("whsec_secret",), domain="mg.example.com", region="eu-west-1"
    )  # fmt: skip
    known = Patient(
        PROVIDERS[provider], account, {provider: account}, "", dns.resolver.Resolver(configure=False), stage.now,
        stage.store, stage.deployed, LINKS,
    )  # fmt: skip
    return replace(known, **changes)


def told(findings):
    return [(one.check, one.level, one.says) for one in findings]


def levels(findings):
    return {one.check: one.level for one in findings}


# --- DNS


def public(bits):
    key = rsa.generate_private_key(65537, bits).public_key()
    return base64.b64encode(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).decode()


KEY = f"v=DKIM1; k=rsa; p={public(2048)}"
GOOD = {
    "mail.shop.dev": ["v=spf1 include:sendgrid.net ~all", "another-proof=1"],
    "sendgrid.net": ["v=spf1 ip4:192.0.2.0/24 -all"],
    "s1._domainkey.mail.shop.dev": [KEY],
    "_dmarc.shop.dev": ["v=DMARC1; p=none; rua=mailto:dmarc@shop.dev"],
}


def looked_up(stage, records, broken=(), **changes):
    with name_server(records, broken) as resolver:
        return list(names.check(patient(stage, resolver=resolver, **changes)))


def test_a_domain_with_all_three_records_is_fine_and_a_parents_dmarc_counts(stage):
    assert told(looked_up(stage, GOOD)) == [
        ("spf", "ok", "mail.shop.dev has one SPF record: v=spf1 include:sendgrid.net ~all"),
        ("dkim", "ok", "s1._domainkey.mail.shop.dev holds a key of 2048 bits"),
        ("dmarc", "ok", "_dmarc.shop.dev says p=none"),
    ]


def test_a_bare_domain_is_told_the_records_that_mend_it(stage):
    spf, dkim, dmarc = looked_up(stage, {})
    assert (spf.level, spf.mend) == ("warning", 'mail.shop.dev. TXT "v=spf1 include:sendgrid.net ~all"')
    assert (dkim.level, "NURTURE_DKIM_SELECTORS" in dkim.mend) == ("warning", True)
    assert dmarc.level == "fault"
    assert dmarc.mend == '_dmarc.mail.shop.dev. TXT "v=DMARC1; p=none; rua=mailto:dmarc@mail.shop.dev"'


@pytest.mark.parametrize(
    ("changed", "check", "level", "words"),
    [
        ({"mail.shop.dev": ["v=spf1 -all", "v=spf1 ~all"]}, "spf", "fault", "has 2 SPF records"),
        ({"mail.shop.dev": ["v=spf1 +all"]}, "spf", "fault", "lets everyone"),
        ({"mail.shop.dev": ["v=spf1 mx -all"]}, "spf", "warning", "does not include sendgrid"),
        ({"mail.shop.dev": ["v=spf1 " + " ".join(f"include:{n}.dev" for n in range(11)) + " -all"]}, "spf", "fault", "more than 10"),
        ({"mail.shop.dev": ["v=spf1 include:sendgrid.net -all"], "sendgrid.net": ["v=spf1 include:sendgrid.net a mx -all"]},
         "spf", "ok", "one SPF record"),
        ({"s1._domainkey.mail.shop.dev": ["v=DKIM1; p="]}, "dkim", "fault", "withdrawn"),
        ({"s1._domainkey.mail.shop.dev": ["v=DKIM1; p=AAAA"]}, "dkim", "fault", "cannot be read"),
        ({"s1._domainkey.mail.shop.dev": [f"p={public(1024)}"]}, "dkim", "ok", "of 1024 bits"),
        ({"s1._domainkey.mail.shop.dev": ["v=DKIM1; k=ed25519; p=" + "A" * 43 + "="]}, "dkim", "ok", "holds a key"),
        ({"_dmarc.mail.shop.dev": ["v=DMARC1; p=none", "v=DMARC1; p=reject"]}, "dmarc", "fault", "has 2 DMARC"),
        ({"_dmarc.mail.shop.dev": ["v=DMARC1; rua=mailto:a@b.dev"]}, "dmarc", "fault", "no policy"),
        ({"_dmarc.mail.shop.dev": ["v=DMARC1; p=reject"]}, "dmarc", "ok", "_dmarc.mail.shop.dev says p=reject"),
    ],
)  # fmt: skip
def test_a_record_that_is_wrong_is_named(stage, changed, check, level, words):
    found = next(one for one in looked_up(stage, {**GOOD, **changed}) if one.check == check)
    assert (found.level, words in found.says) == (level, True)
    assert bool(found.mend) == (level != "ok")


def test_a_key_that_settings_name_must_be_there(stage):
    found = looked_up(stage, {**GOOD, "own._domainkey.mail.shop.dev": [KEY]}, selectors=("own", "old"))
    assert [(one.level, one.says) for one in found if one.check == "dkim"] == [
        ("ok", "own._domainkey.mail.shop.dev holds a key of 2048 bits"),
        ("fault", "there is no DKIM key at old._domainkey.mail.shop.dev"),
    ]


def test_a_name_server_that_fails_stops_no_other_question(stage):
    found = looked_up(stage, GOOD, broken=("mail.shop.dev",))
    assert levels(found) == {"spf": "warning", "dkim": "ok", "dmarc": "ok"}


@pytest.mark.parametrize(("sender", "level"), [("example.com", "fault"), ("a.test", "fault")])
def test_a_domain_of_examples_is_not_looked_up(stage, sender, level):
    stage.deploy({"ladder": LADDER.replace("mail.shop.dev", sender)})
    (found,) = names.check(patient(stage))
    assert (found.level, sender in found.says) == (level, True)


# --- keys

ASKED = {
    "postmark": ("GET", "https://api.postmarkapp.com/server"),
    "sendgrid": ("GET", "https://api.sendgrid.com/v3/scopes"),
    "resend": ("GET", "https://api.resend.com/domains"),
    "mailersend": ("GET", "https://api.mailersend.com/v1/api-quota"),
    "sparkpost": ("GET", "https://api.sparkpost.com/api/v1/account"),
    "mandrill": ("POST", "https://mandrillapp.com/api/1.0/users/ping2"),
    "ses": ("GET", "https://email.eu-west-1.amazonaws.com/v2/email/account"),
    "mailgun": ("POST", "https://api.mailgun.net/v3/mg.example.com/messages"),
    "brevo": ("GET", "https://api.brevo.com/v3/account"),
    "mailjet": ("GET", "https://api.mailjet.com/v3/REST/sender?Limit=1"),
}
KNOWN = '{"scopes": ["mail.send"], "PING": "PONG!"}'
GOOD_ANSWER = {"mailgun": 400}
"""Where an answer that is no success shows that we are known: Mailgun refuses a mail without a recipient."""


def key_of(stage, name, answer):
    seen = []
    transport = httpx.MockTransport(lambda request: seen.append(request) or answer)
    (found,) = reach.key(patient(stage, name, transport=transport))
    return found, seen


@pytest.mark.parametrize("name", ASKED)
def test_a_key_is_tried_by_a_harmless_call(stage, name):
    found, (asked,) = key_of(stage, name, httpx.Response(GOOD_ANSWER.get(name, 200), text=KNOWN))
    assert (found.level, found.says) == ("ok", f"{name} knows us")
    assert (asked.method, str(asked.url)) == ASKED[name]
    shown = str(asked.headers.values()) + asked.content.decode()
    assert any(proof in shown for proof in ("key", "YXBpOmtleQ==", "a2V5Og==", "Credential=key/"))
    found, _ = key_of(stage, name, httpx.Response(401, text="no such key"))
    assert (found.level, f"NURTURE_PROVIDERS__{name.upper()}__KEY" in found.mend) == ("fault", True)
    found, _ = key_of(stage, name, httpx.Response(503, text="later"))
    assert found.level == "warning"


def test_a_key_that_may_only_send_works_and_one_that_may_not_send_does_not(stage):
    for name, status, text, level in [
        ("resend", 401, '{"name": "restricted_api_key"}', "ok"), ("mailersend", 403, "no permission", "ok"),
        ("sparkpost", 403, "Forbidden", "ok"), ("sendgrid", 200, '{"scopes": ["stats.read"]}', "warning"),
        ("ses", 403, '{"__type": "AccessDeniedException", "Message": "may not ses:GetAccount"}', "ok"),
        ("ses", 403, '{"message": "The security token included in the request is invalid."}', "fault"),
        ("ses", 200, '{"SendingEnabled": false, "EnforcementStatus": "SHUTDOWN"}', "warning"),
        ("mailgun", 200, "Mailgun Magnificent API", "warning"), ("mailgun", 404, "domain not found", "warning"),
    ]:  # fmt: skip
        assert key_of(stage, name, httpx.Response(status, text=text))[0].level == level


def test_a_key_that_is_missing_or_cannot_be_written_is_said_and_never_shown(stage):
    (found,) = reach.key(patient(stage, account=Account("sendgrid")))
    assert (found.level, found.mend) == ("fault", "set NURTURE_PROVIDERS__SENDGRID__KEY")
    (found,) = reach.key(patient(stage, account=Account("sendgrid", "ключ", "http://127.0.0.1:9")))
    assert (found.level, "ключ" in str(found)) == ("fault", False)


def test_every_provider_of_which_we_have_a_key_is_asked(stage):
    accounts = {"resend": Account("resend", "key"), "postmark": Account("postmark"), "stripe": Account("stripe", "k")}
    transport = httpx.MockTransport(lambda _: httpx.Response(200, text=KNOWN))
    found = list(reach.key(patient(stage, accounts=accounts, transport=transport)))
    assert [one.says for one in found] == ["sendgrid knows us", "resend knows us"]


def test_a_mail_server_is_asked_too(stage):
    (found,) = reach.key(patient(stage, "smtp", account=Account("smtp", url="smtp://127.0.0.1:1")))
    assert (found.level, "127.0.0.1:1 cannot be reached" in found.says) == ("warning", True)
    post = Post()
    post.start()
    (found,) = reach.key(patient(stage, "smtp", account=Account("smtp", url=f"smtp://127.0.0.1:{post.port}")))
    post.stop()
    assert told([found]) == [("key", "ok", "smtp knows us")]


# --- what others reach


@contextmanager
def serving_hooks(stage, secrets=("user:password",)):
    inbox = Inbox(stage.store)
    listening = listen("127.0.0.1", 0)
    host, port = listening.getsockname()
    own = f"http://{host}:{port}"
    links = Links(own, own, LINKS.signer)
    accounts = {"postmark": Account("postmark", hook_secrets=secrets)}
    site = Site(stage.store, Current(stage.store, stage.rules), links, inbox, accounts, lambda: stage.now)
    with serving(build(site), listening):
        yield own, links
    inbox.close()


def test_hooks_are_reached_and_refuse_what_has_no_proof(stage):
    with serving_hooks(stage) as (own, _):
        account = Account("postmark", hook_secrets=("user:password",))
        known = patient(stage, "postmark", base_url=own, accounts={"postmark": account})
        assert told(reach.hooks(known)) == [
            ("hooks", "ok", f"{own}/hooks/postmark is reached and refuses what has no proof")
        ]
        (found,) = reach.hooks(replace(known, base_url=f"{own}/elsewhere"))
        assert (found.level, "answers 404 and 404" in found.says) == ("fault", True)
    with stage.store.read() as tx:
        assert hooks.count(tx) == 0
    (found,) = reach.hooks(known)
    assert (found.level, "cannot be reached" in found.says) == ("fault", True)


def test_hooks_of_a_process_that_does_not_know_the_secret_yet_are_a_fault(stage):
    with serving_hooks(stage, secrets=()) as (own, _):
        account = Account("postmark", hook_secrets=("user:password",))
        (found,) = reach.hooks(patient(stage, "postmark", base_url=own, accounts={"postmark": account}))
    assert (found.level, found.mend) == ("fault", "start `nurture run` anew")


@pytest.mark.parametrize(("status", "words"), [(200, "believes"), (302, "leads elsewhere")])
def test_what_stands_in_our_place_is_found_out(stage, status, words):
    class Impostor(socketserver.StreamRequestHandler):
        def handle(self):
            while self.rfile.readline().strip():
                pass
            self.rfile.read(2)
            self.wfile.write(
                b"HTTP/1.1 %d X\r\nLocation: /x\r\nContent-Length: 0\r\nConnection: close\r\n\r\n" % status
            )

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Impostor) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        own = f"http://127.0.0.1:{server.server_address[1]}"
        (found,) = reach.hooks(patient(stage, "resend", base_url=own))
        server.shutdown()
        thread.join()
    assert (found.level, words in found.says) == ("fault", True)


def test_without_a_base_url_or_a_secret_it_is_said_what_is_missing(stage):
    assert [one.mend for one in reach.hooks(patient(stage))] == ["set NURTURE_BASE_URL"]
    bare = Account("sendgrid", "key")
    (found,) = reach.hooks(patient(stage, account=bare, accounts={"sendgrid": bare}))
    assert (found.level, found.mend) == ("warning", "set NURTURE_PROVIDERS__SENDGRID__HOOK_SECRET")


def test_the_way_out_is_looked_at_from_outside_and_takes_nobody_off_the_list(stage):
    with serving_hooks(stage) as (own, links):
        found = list(way_out.check(patient(stage, base_url=own, links=links)))
        assert told(found) == [
            ("way out", "warning", "mail clients use one-click unsubscribe over https only"),
            ("way out", "ok", "a mail carries both headers, and its unsubscribe page answers, also to one click"),
        ]
        other = Links(own, own, Signer(["another key, and long enough too"]))
        found = list(way_out.check(patient(stage, base_url=own, links=other)))
        assert (found[-1].level, "NURTURE_SECRET_KEY" in found[-1].mend) == ("fault", True)
    assert list(way_out.check(patient(stage)))[-1].mend == "set NURTURE_BASE_URL"
    with stage.store.read() as tx:
        assert hooks.count(tx) == 0


def test_a_provider_with_its_own_way_out_is_pointed_out(stage):
    found = list(way_out.check(patient(stage, "sparkpost")))
    assert "writes its own List-Unsubscribe" in found[0].says


# --- the machine


def test_a_fresh_database_is_fine(stage):
    assert levels(machine.database(patient(stage)))["database"] in ("ok", "warning")  # warning: an old SQLite here
    assert levels(machine.clock(patient(stage))) == {"clock": "ok"}
    assert levels(machine.queues(patient(stage))) == {"queues": "ok"}


@pytest.mark.parametrize(
    ("version", "level"),
    [((3, 6, 23), "ok"), ((3, 7, 0), "warning"), ((3, 40, 1), "warning"), ((3, 51, 2), "warning"), ((3, 51, 3), "ok")],
)
def test_versions_of_sqlite_with_the_wal_reset_bug_are_named(version, level):
    assert [one.level for one in machine.sqlite_version(version)] == [level]


def test_the_file_system_of_a_path_is_read_from_the_table_of_mounts():
    mounts = "/dev/sda1 / ext4 rw 0 0\nserver:/x /srv nfs4 rw 0 0\ntmpfs /srv/fast tmpfs rw 0 0\nother\n"
    kinds = [machine.file_system(Path(path), mounts) for path in ("/a", "/srv/a", "/srv/fast/a", "/srvx/a")]
    assert kinds == ["ext4", "nfs4", "tmpfs", "ext4"]
    assert machine.file_system(Path("/a"), "") == ""


@pytest.mark.parametrize(("seconds", "level"), [(0, "ok"), (1.9, "ok"), (-30, "warning"), (61, "fault")])
def test_a_clock_that_is_off_is_said(seconds, level):
    found = machine.skew(timedelta(seconds=seconds), "the database's", "set it")
    assert (found.level, found.mend) == (level, "" if level == "ok" else "set it")


def test_what_has_waited_too_long_is_a_fault_and_what_nobody_knows_a_warning(stage):
    stage.subscribe()
    inbox = Inbox(stage.store)
    inbox.keep("resend", {}, b"{", stage.now)
    inbox.close()
    later = stage.now + timedelta(hours=3)

    def stalls(message):
        raise Uncertain("no answer")

    def waited(what, now):
        return ("queues", "fault", f"the oldest {what} that is due has waited {now}")

    assert told(machine.queues(patient(stage, now=later))) == [
        waited("person's next step", "3 hours"), waited("webhook", "3 hours"),
    ]  # fmt: skip
    tick(stage.store, stage.deployed, stage.now)
    assert told(machine.queues(patient(stage, now=later))) == [waited("mail", "3 hours"), waited("webhook", "3 hours")]
    stage.sender.close()
    stage.sender = stage.start_sender(replace(stage.provider, connect=lambda _: stalls))
    stage.work()
    soon, unknown, failed = machine.queues(patient(stage, now=stage.now + timedelta(minutes=5)))
    assert (soon.level, unknown.level, failed.level) == ("ok", "warning", "warning")
    assert (unknown.says, unknown.mend) == (
        "of 1 mail nobody knows whether it left",
        "nurture messages --state unknown",
    )
    assert failed.mend == "nurture hooks --failed"


def test_a_look_that_fails_is_a_finding_and_the_next_one_is_taken(stage):
    def broken(_):
        yield ok("first", "before")
        raise RuntimeError("out of order\nand more")

    found = examine(patient(stage), {"broken": broken, "sound": lambda _: [ok("sound", "well")]})
    assert told(found) == [
        ("first", "ok", "before"), ("broken", "fault", "could not be looked at: RuntimeError: out of order"),
        ("sound", "ok", "well"),
    ]  # fmt: skip


def test_who_is_at_work_and_whose_clock_is_missed(stage):
    def seen(number, runs, at):
        with stage.store.write() as tx:
            workers.seen(tx, Worker(number, "mill", 7, "1.0", runs, MONDAY, at))

    assert told(machine.at_work(patient(stage))) == []
    seen("w1", ("clock",), MONDAY - timedelta(hours=3))
    seen("w2", ("web", "worker"), MONDAY)
    assert told(machine.at_work(patient(stage, now=MONDAY))) == [
        ("at work", "warning", "the clock on mill (process 7) was not seen for 3 hours"),
        ("at work", "fault", "no process has a clock, so nothing falls due"),
        ("at work", "ok", "1 process(es): web and worker on mill"),
    ]
    seen("w1", ("clock",), MONDAY)
    assert levels(machine.at_work(patient(stage, now=MONDAY))) == {"at work": "ok"}
