"""Links and lines that somebody has tampered with: tokens, where an ask may lead, what may stand in a header."""

import base64
import random

import pytest
from stage import MONDAY

from nurture.errors import BadToken, RenderError
from nurture.journey.enrollment import Enrollment
from nurture.language.sequence import Ask
from nurture.language.targets import wrong_with
from nurture.mail.links import PURPOSES, Links, Signer
from nurture.mail.render import target_of
from nurture.mail.templates import Templates

OWN, OTHER = Signer(["a key for tests only, long enough"]), Signer(["another key for tests, long enough"])
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_."


def tampered(token, dice):
    """The token with one thing changed, as a person, a mail program or an attacker changes it."""
    at = dice.randrange(len(token))
    letter = dice.choice(LETTERS)
    return dice.choice(
        (
            token[:at] + letter + token[at + 1 :], token[:at] + letter + token[at:], token[:at] + token[at + 1 :], token[:at],
            token[at:], token + letter, token + "=", token.swapcase(), token.lower(), token + "\n", f" {token}", token * 2,
            ".".join(reversed(token.rsplit(".", 1))), token[:-1] + letter, token.replace(".", ".."), token + "\u0000", token + "é",
        )
    )  # fmt: skip


def test_no_tampered_token_is_read_as_anything():
    dice = random.Random(7)
    for number in range(3_000):
        purpose = PURPOSES[number % len(PURPOSES)]
        token = OWN.sign(purpose, f"{dice.getrandbits(100):x}")
        other = tampered(token, dice)
        if other == token:
            continue
        with pytest.raises(BadToken):
            OWN.read(purpose, other)


def test_each_last_letter_but_the_right_one_is_refused():
    """Base64 of 32 bytes leaves two bits over: four letters stand for the same seal, and one of them is ours."""
    token = OWN.sign("click", "m1")
    same = base64.urlsafe_b64decode(token.rpartition(".")[2] + "=")
    variants = [token[:-1] + letter for letter in LETTERS[:64] if letter != token[-1]]
    assert any(base64.urlsafe_b64decode(one.rpartition(".")[2] + "=") == same for one in variants)
    for one in variants:
        with pytest.raises(BadToken):
            OWN.read("click", one)


def test_a_token_is_good_for_its_purpose_and_its_installation_alone():
    for purpose in PURPOSES:
        token = OWN.sign(purpose, "m1")
        assert OWN.read(purpose, token) == "m1"
        for wrong, signer in [(one, OWN) for one in PURPOSES if one != purpose] + [(purpose, OTHER)]:
            with pytest.raises(BadToken):
                signer.read(wrong, token)


def test_a_reply_goes_to_the_mail_it_was_sealed_for_and_to_no_other():
    links, dice = Links("", "https://go.example.com", OWN, "reply.example.com"), random.Random(7)
    address = links.reply("19e82a048b85ea56f75e3447af")
    assert links.read_reply(address.upper()) == "19e82a048b85ea56f75e3447af"
    local = address.partition("@")[0]
    for _ in range(2_000):
        other = tampered(local, dice)
        if other.lower() != local:
            assert links.read_reply(f"{other}@reply.example.com") == "", other
    assert links.read_reply(f"{local}@reply.example.com.evil.example") == ""


# --- where an ask may lead

GOOD = (
    "https://good.example", "http://good.example/", "HTTPS://GOOD.example/a?b=c&d=%20#e", "https://good.example:8443/x",
    "https://bücher.example/ä", "https://xn--bcher-kva.example", "https://good.example/@ann", "https://good.example/a%5Cb",
    "https://[2001:db8::1]/", "https://good.example/?to=https://evil.example",
)  # fmt: skip
BAD = (
    "", "javascript:alert(1)", "JavaScript:alert(1)", " javascript:alert(1)", "java\nscript:alert(1)", "\x01javascript:alert(1)",
    "javascript://good.example/%0aalert(1)", "data:text/html,<script>alert(1)</script>", "vbscript:x", "file:///etc/passwd",
    "blob:https://good.example/x", "about:blank", "ftp://good.example", "ws://good.example", "mailto:a@good.example", "tel:+1",
    "//evil.example", "///evil.example", "/local", "good.example", "www.good.example/x", "https:", "https://", "https:///x",
    "https:/good.example", "https:good.example", "http:\\\\evil.example", "https:\\evil.example", "\\\\evil.example",
    "https://evil.example\\@good.example", "https://evil.example\\.good.example", "https://good.example\\@evil.example",
    "https://user@good.example", "https://user:password@good.example", "https://:@good.example", "https://good.example@evil.example",
    "https://good.example:80@evil.example", "https://good.example%40evil.example@x.example", "https://@good.example",
    "https://good.example/a b", "https://good.example/\ta", "https://good.example/\r\nBcc: all@x", "https://good.example\n",
    "https://good.example/\x00", "https://good.example/\x7f", "https://good.example/\x1b[0m", "https://good.example/\u2028",
    "https://good.example/\u202egpj.exe", "https://good.example/\u00a0", "https://good.example/\ufeff", "https://[::1",
    "https://good.example:port/", "https://good\t.example", "https://good.\nexample",
)  # fmt: skip


@pytest.mark.parametrize("address", GOOD)
def test_a_web_address_is_one(address):
    assert wrong_with(address) == ""


@pytest.mark.parametrize("address", BAD)
def test_what_a_browser_could_take_elsewhere_is_no_address(address):
    assert wrong_with(address)
    with pytest.raises(RenderError) as refused:
        lead("{{ start.url }}", address)
    assert str(refused.value).isprintable(), "one line, whatever is in it"


def lead(to, url):
    """Where an ask leads that takes its address, or a part of it, from the event that it began with."""
    began = Enrollment(1, 1, "ladder", 1, MONDAY, data={"url": url})
    return target_of(Ask("click", "Look", 1, to=to), began, frozenset({"good.example"}))


def test_an_address_from_an_event_leads_to_hosts_that_are_allowed_and_to_no_other():
    assert lead("{{ start.url }}", "https://good.example/x?y#z") == "https://good.example/x?y#z"
    for host in ("evil.example", "good.example.evil.example", "sub.good.example", "evil-good.example", "good.example."):
        with pytest.raises(RenderError, match="not among the allowed hosts"):
            lead("{{ start.url }}", f"https://{host}/")


@pytest.mark.parametrize(
    "part", ["@evil.example", "/../x", "?a&b#c", "\r\nX: y", ".evil.example", "\\evil", "//evil.example"]
)
def test_a_part_of_an_address_stays_a_part_of_it(part):
    led = lead("https://good.example/to/{{ start.url }}", part)
    assert led.startswith("https://good.example/to/")
    assert not set(led.removeprefix("https://good.example/to/")) & set("@/?#&\r\n\\:")


# --- what may stand in a line of a head

LINES = ("\r\n", "\n", "\r", "\0", "\x0b", "\x0c", "\x1b", "\x1c", "\x85", "\u2028", "\u2029", "\x7f", "\ud800")


@pytest.mark.parametrize("what", ["the subject", "the preheader"])
def test_a_value_cannot_begin_a_header_of_its_own(what):
    line = Templates({}).line("Hello {{ first_name }}", what)
    for end in LINES:
        for value in (
            f"Ann{end}Bcc: all@example.com",
            f"{end}Bcc: all@example.com",
            f"Ann{end}",
            f"Ann{end}{end}<html>",
        ):
            with pytest.raises(RenderError, match="has a line break or control character") as refused:
                line({"first_name": value})
            assert str(refused.value).isprintable()


@pytest.mark.parametrize("name", ["Zoë", "علی\u200cرضا", "👨\u200d👩\u200d👧", "חיים", "e\u0301" * 50])
def test_every_name_may_stand_in_a_subject(name):
    assert Templates({}).line("Hello {{ first_name }}", "the subject")({"first_name": name}) == f"Hello {name}"
