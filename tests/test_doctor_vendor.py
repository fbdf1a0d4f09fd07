"""What the doctor hears from a provider beside whether it knows us: what spoils our mail there, and what time it is."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http.client import parse_headers

import dns.resolver
import httpx
import pytest
from stage import BODY, LINKS, MONDAY, PEOPLE
from test_doctor import LADDER
from test_providers import serving

from nurture.engine.deploy import build
from nurture.engine.doctor import reach, way_out
from nurture.engine.doctor.finding import Patient
from nurture.engine.rules import Rules
from nurture.mail.links import Links
from nurture.providers import PROVIDERS
from nurture.providers.base import Account

FILES = {"people.yaml": PEOPLE, "sequences/ladder.yaml": LADDER.encode(), "templates/body.md": BODY}
DEPLOYED = build(0, FILES, Rules())
OURS = "mail.shop.dev"


def patient(name, transport=None, **changes):
    account = Account(name, "key", domain="mg.shop.dev", region="eu-west-1", **changes)
    resolver = dns.resolver.Resolver(configure=False)
    return Patient(
        PROVIDERS[name], account, {name: account}, "", resolver, MONDAY, None, DEPLOYED, LINKS, transport=transport
    )  # fmt: skip


def heard(name, *answers, **changes):
    """What is found, and what was asked for; the answers come in turn."""
    asked, left = [], list(answers)
    transport = httpx.MockTransport(lambda request: asked.append(request) or left.pop(0))
    found = list(reach.vendor(patient(name, transport, **changes)))
    return [(one.level, one.says, one.mend) for one in found], [f"{one.method} {one.url}" for one in asked]


def listed(name, verified, domain=OURS, **more):
    """A list with one domain, in the words of each vendor."""
    return {
        "sendgrid": [{"id": 1, "domain": domain, "subdomain": "em1", "valid": verified}],
        "resend": {
            "object": "list", "has_more": False, **more,
            "data": [{"id": "d", "name": domain, "status": "verified" if verified else "pending", **more}],
        },
        "brevo": {"domains": [{"id": "1", "domain_name": domain, "authenticated": verified, "verified": True}], **more},
        "mailersend": {"data": [{"id": "d", "name": domain, "is_verified": verified}], "links": {"next": None}, **more},
        "sparkpost": {
            "results": [
                {"domain": domain, "status": {"ownership_verified": True, "dkim_status": "valid" if verified else "pending"}}
            ]
        },
        "mandrill": [{"domain": domain, "valid_signing": verified, "spf": {"valid": True}, "dkim": {"valid": True}}],
        "mailgun": {"domain": {"name": "mg.shop.dev", "state": "active" if verified else "unverified"}},
        "ses": {"IdentityType": "DOMAIN", "VerifiedForSendingStatus": verified},
    }[name]  # fmt: skip


ASKED = {
    "sendgrid": "GET https://api.sendgrid.com/v3/whitelabel/domains?limit=50",
    "resend": "GET https://api.resend.com/domains",
    "brevo": "GET https://api.brevo.com/v3/senders/domains",
    "mailersend": "GET https://api.mailersend.com/v1/domains?limit=100",
    "sparkpost": "GET https://api.sparkpost.com/api/v1/sending-domains",
    "mandrill": "POST https://mandrillapp.com/api/1.0/senders/domains",
    "mailgun": "GET https://api.mailgun.net/v4/domains/mg.shop.dev",
    "ses": f"GET https://email.eu-west-1.amazonaws.com/v2/email/identities/{OURS}",
}
OF_ALL = [name for name in ASKED if name not in ("mailgun", "ses")]
"""Who is asked for a list of all domains."""


@pytest.mark.parametrize("name", ASKED)
def test_a_vendor_that_does_not_count_our_domain_as_verified_is_heard(name):
    found, asked = heard(name, httpx.Response(200, json=listed(name, verified=False)))
    ours = "mg.shop.dev" if name == "mailgun" else OURS
    ((level, says, mend),) = found
    assert (level, says.partition(", so ")[0]) == ("warning", f"{name} does not count {ours} as verified")
    assert mend.startswith("https://")
    assert asked == [ASKED[name]]
    found, _ = heard(name, httpx.Response(200, json=listed(name, verified=True)))
    assert found == [("ok", f"{name} has nothing against mail from {OURS}", "")]


@pytest.mark.parametrize("name", OF_ALL)
def test_a_domain_that_is_on_no_list_is_not_known_there_and_a_parent_stands_for_its_parts(name):
    ((level, says, _),), _ = heard(name, httpx.Response(200, json=listed(name, verified=True, domain="other.dev")))
    assert (level, f"{name} does not know {OURS} as verified" in says) == ("warning", True)
    found, _ = heard(name, httpx.Response(200, json=listed(name, verified=True, domain="Shop.dev")))
    assert found[0][0] == "ok"
    ((level, _, _),), _ = heard(name, httpx.Response(200, json=listed(name, verified=True, domain="op.dev")))
    assert level == "warning", "no part of it"


@pytest.mark.parametrize(
    ("name", "more"),
    [("resend", {"has_more": True}), ("brevo", {"total_pages": 2}), ("mailersend", {"links": {"next": "https://…"}})],
)
def test_a_list_with_more_pages_says_nothing_of_what_is_not_on_this_one(name, more):
    found, _ = heard(name, httpx.Response(200, json=listed(name, verified=True, domain="other.dev", **more)))
    assert [level for level, _, _ in found] == ["ok"]


@pytest.mark.parametrize("name", [*ASKED, "postmark"])
def test_an_answer_that_tells_nothing_is_no_finding(name):
    for odd in (403, 404, 500):
        assert heard(name, httpx.Response(odd, json={"message": "no"}))[0] == []
    for odd in ("5", "null", "<html>", '{"data": 5}', "[1]", '{"domain": {}}'):
        assert heard(name, httpx.Response(200, text=odd))[0] == []
    broken = httpx.MockTransport(lambda request: (_ for _ in ()).throw(httpx.ConnectError("away")))
    assert list(reach.vendor(patient(name, broken))) == []
    assert list(reach.vendor(patient("smtp"))) == []


def test_tracking_of_resend_that_would_rewrite_our_links_is_found():
    tracked = listed("resend", verified=True, click_tracking=True, open_tracking=True)
    (clicks, opens), _ = heard("resend", httpx.Response(200, json=tracked))
    assert "leads the links of mail from mail.shop.dev through itself" in clicks[1]
    assert clicks[2] == "turn click tracking off for it: https://resend.com/domains"
    assert "adds a picture" in opens[1]


STREAMS = {
    "MessageStreams": [
        {"ID": "outbound", "MessageStreamType": "Transactional"},
        {"ID": "news", "SubscriptionManagementConfiguration": {"UnsubscribeHandlingType": "Postmark"}},
        {"ID": "own", "SubscriptionManagementConfiguration": {"UnsubscribeHandlingType": "Custom"}},
    ]
}


@pytest.mark.parametrize(
    ("stream", "level", "words"),
    [
        ("own", "ok", "nothing against"),
        ("news", "warning", "a way out of its own"),
        ("new", "warning", "no message stream new"),
    ],
)
def test_a_server_of_postmark_that_counts_opens_and_a_stream_that_spoils_our_way_out_are_found(stream, level, words):
    quiet = httpx.Response(200, json={"ID": 1, "TrackOpens": False, "TrackLinks": "HtmlAndText"})
    found, asked = heard("postmark", quiet, httpx.Response(200, json=STREAMS), stream=stream)
    assert [(one[0], words in one[1]) for one in found] == [(level, True)]
    assert asked == [f"GET https://api.postmarkapp.com/{what}" for what in ("server", "message-streams")]
    found, _ = heard("postmark", httpx.Response(200, json={"TrackOpens": True, "TrackLinks": "None"}))
    assert [(one[0], "adds a picture to every mail" in one[1]) for one in found] == [("warning", True)]


@pytest.mark.parametrize(("seconds", "levels"), [(0, []), (-5, []), (30, ["warning"]), (-90, ["fault"])])
def test_our_clock_is_compared_with_the_providers(seconds, levels):
    theirs = format_datetime(datetime.now(UTC) + timedelta(seconds=seconds), usegmt=True)
    answer = httpx.Response(200, headers={"Date": theirs}, json={"Servers": []})
    first, *clock = reach.key(patient("postmark", httpx.MockTransport(lambda _: answer)))
    assert (first.says, [one.level for one in clock]) == ("postmark knows us", levels)
    assert [one.says.partition(" is ")[0] for one in clock] == ["postmark's clock"] * len(levels)


def test_a_provider_that_does_not_document_one_click_is_pointed_out():
    found = list(way_out.check(patient("mailersend")))
    assert (found[0].level, "does not document that List-Unsubscribe-Post" in found[0].says) == ("warning", True)


@pytest.mark.parametrize(
    ("page", "click", "level", "words"),
    [(200, 200, "ok", "also to one click"), (410, 410, "ok", "also to one click"), (200, 403, "fault", "one click (a POST"),
     (200, 302, "fault", "answers 302"), (302, 200, "fault", "the unsubscribe page answers 302"),
     (200, 404, "fault", "does not know a link")],
)  # fmt: skip
def test_one_click_is_tried_as_a_mail_client_makes_it(page, click, level, words):
    asked = []

    def talk(line):
        method = line.rfile.readline().partition(b" ")[0]
        length = int(parse_headers(line.rfile)["content-length"] or 0)
        asked.append((method, line.rfile.read(length)))
        line.wfile.write(b"HTTP/1.1 %d X\r\nContent-Length: 0\r\n\r\n" % (page if method == b"GET" else click))

    with serving(talk) as port:
        own = f"http://127.0.0.1:{port}"
        links = Links(own, own, LINKS.signer)
        found = list(way_out.check(replace(patient("sendgrid"), base_url=own, links=links)))[-1]
    assert asked == [(b"GET", b""), (b"POST", b"List-Unsubscribe=One-Click")]
    assert (found.level, words in found.says) == (level, True)
