"""One mail as it was written: on its page, as a document, on the command line. Nothing in it acts for its person."""

import json
import re

import pytest

from nurture.engine.erasing import erase
from nurture.engine.mailed import without_keys
from nurture.journey.ledger import State
from nurture.mail.links import Links, Signer
from nurture.mail.message import Message
from nurture.store import messages


@pytest.fixture
def mailed(house):
    house.subscribe("ann@example.com", first_name="Ann <script>alert(1)</script>")
    house.work()
    return house, house.delivered[0]


def tokens(mail):
    everything = " ".join([mail.text, mail.html, mail.reply_to, *(value for _, value in mail.headers)])
    return set(re.findall(r"/[cquwb]/([^\s\"<>)]+)", everything))


def test_its_words_and_links_are_shown_without_the_keys(mailed):
    house, mail = mailed
    look = house.browser("view")
    page = look.get(f"/outbox/{mail.id}")
    assert f'href="/outbox/{mail.id}"' in look.get("/outbox").text
    assert "A home loan" in page.text
    assert "https://go.example.com/q/…" in page.text
    found = look.get(f"/outbox/{mail.id}.json").json()
    assert (found["format"], found["email"], found["from"]) == ("nurture.message/1", "ann@example.com", mail.sender)
    assert {"A home loan", "An auto loan"} <= {link["words"] for link in found["links"]}
    assert len(tokens(mail)) >= 3
    for shown in (page.text, json.dumps(found), look.get(f"/outbox/{mail.id}/shown").text):
        assert [token for token in tokens(mail) if token in shown] == []
    assert look.get("/outbox/none").status_code == look.get("/outbox/none/shown").status_code == 404


def test_it_is_shown_as_it_looks_and_nothing_in_it_runs(mailed):
    house, mail = mailed
    shown = house.browser("view").get(f"/outbox/{mail.id}/shown")
    assert shown.headers["content-security-policy"].startswith("default-src 'none'")
    assert shown.headers["content-security-policy"].endswith("; sandbox")
    assert "Ann &lt;script&gt;" in shown.text
    assert "<script>alert" not in shown.text
    assert house.nobody.get(f"/outbox/{mail.id}/shown").status_code in (303, 401)


def test_the_way_to_reply_is_no_key_either():
    links = Links("", "https://go.example.com", Signer(["a key for tests"]), "in.example.com")
    address = links.reply("0123abc")
    mail = Message("0123abc", "", "Ada <ada@example.com>", "ann@example.com", "?", f'<a href="mailto:{address}">Reply</a>',
                   f"mailto:{address}", address, (("Reply-To", address),))  # fmt: skip
    hidden = without_keys(mail)
    assert (hidden.reply_to, hidden.text) == ("reply+…@in.example.com", "mailto:reply+…@in.example.com")
    assert address not in hidden.html + str(hidden.headers)


def test_a_mail_that_is_not_written_yet_says_so(house):
    house.subscribe()
    house._tick()
    with house.store.read() as tx:
        ((row, _),) = messages.listing(tx, State.PLANNED)
    look = house.browser("view")
    assert "It is written when it leaves" in look.get(f"/outbox/{row.id}").text
    assert look.get(f"/outbox/{row.id}.json").json()["text"] is None
    assert look.get(f"/outbox/{row.id}/shown").status_code == 404


def test_of_an_erased_person_no_words_are_left(mailed):
    house, mail = mailed
    erase(house.store, house.deployed, "ann@example.com", house.now, by="test")
    look = house.browser("view")
    assert "its person was erased" in look.get(f"/outbox/{mail.id}").text
    found = look.get(f"/outbox/{mail.id}.json").json()
    assert (found["text"], found["html"], found["subject"], found["links"]) == (None, None, "", [])
    assert "ann@example.com" not in str(found)


def test_the_command_shows_one_mail(mailed, nurture, tmp_path):
    house, mail = mailed
    (tmp_path / "nurture.toml").write_text(f'database_url = "{house.store.url}"\n')
    code, out, _ = nurture("messages", mail.id)
    assert code == 0
    assert out.splitlines()[0].startswith("sent  ladder.question  left Mon 01 Jun 2026")
    assert "Subject: Question" in out
    assert "[A home loan] https://go.example.com/q/…" in out
    assert json.loads(nurture("messages", mail.id, "--json")[1])["id"] == mail.id
    with house.store.write() as tx:
        tx.exec_driver_sql("UPDATE message SET state = 'unknown'")
    course = "reports of it are awaited, then the setting `delivery` decides (Tue 02 Jun 2026 10:00:00 UTC)"
    assert course in nurture("messages", "--state", "unknown")[2]
    assert f"Nobody knows whether it left: {course}." in nurture("messages", mail.id)[1]
    with house.store.write() as tx:
        messages.drop_words(tx, [mail.id])
    assert "Its words were deleted" in nurture("messages", mail.id)[2]
    assert "Its words were deleted" in house.browser("view").get(f"/outbox/{mail.id}").text
    assert nurture("messages", "none") == (1, "", "There is no message none; `nurture messages` lists them.\n")
