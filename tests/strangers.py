"""People who write a script wherever a stranger may write anything, each in the way it really comes in."""

import json
import re
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import stage as stage_
from stage import LINKS

from nurture.engine.receive import receive
from nurture.errors import Rejected
from nurture.providers.base import Abilities, Account, Provider
from nurture.store import hooks, messages, people

ACCOUNTS = {name: Account(name, hook_secrets=("user:password",)) for name in ("postmark", "postmark-inbound")}
LOGIN = ("user", "password")
OWN = replace(LINKS, reply_domain="reply.example.com")
RECORDED = Path(__file__).parent / "recorded" / "inbound" / "postmark-inbound.json"
REPLY = "reply: What do you sell?"
TYPED = "{text: What do you sell?, save: trade, optional: yes}"
NAMES = ("mallory", "typist", "writer", "bouncer", "rejected")
PEOPLE = stage_.PEOPLE.replace(b"{first_name: text", b"{first_name: text, trade: text")
SHOWN = {
    "name", "typed", "reply", "subject", "bounce", "details", "rejection", "cell", "bad", "file", "page", "referrer",
    "utm_source", "utm_campaign",
}  # fmt: skip
"""What some page shows. The rest is kept, and shown on none: the agent of a browser, what was typed at a login."""


def script(field):
    """What a stranger writes into this field: it ends an attribute and a tag, runs, and is no template."""
    return f"'\"></td><svg onload=alert('{field}')><script>alert('{field}')</script>{{{{7*7}}}}"


def fields_in(text):
    """The fields whose script can be read here, as words."""
    return set(re.findall(r"<svg onload=alert\('(\w+)'\)>", text))


def come(house):
    """Everything strangers do."""
    _sign_up(house)
    _type(house)
    _write_back(house)
    _bounce(house)
    _are_rejected(house)
    house.nobody.post("/login", data={"email": script("login"), "password": "guess"})


def where(house):
    """What may show what they wrote, beside the lists: the pages of each of them, of their mail and of what came in."""
    with house.store.read() as tx:
        everyone = [people.by_email(tx, f"{name}@example.com").id for name in NAMES]
        mail = [row.id for row, to in messages.listing(tx, None, 1_000) if to == "rejected@example.com"]
        came = [row.id for row in hooks.listing(tx, failed=False)]
    return [
        *(f"/people/{number}" for number in everyone), *(f"/outbox/{number}" for number in mail),
        *(f"/inbox/{number}" for number in came),
    ]  # fmt: skip


def _sign_up(house):
    """By the form on our page, from a page and a browser of their own making."""
    shown = house.nobody.get("/signup/news").text
    stamp = re.search(r'name="stamp" value="([^"]+)"', shown)[1]
    house.now += timedelta(seconds=3)
    agent = {"User-Agent": script("agent"), "Referer": f"https://blog.example/?utm_term={script('referrer')}"}
    campaign = {f"utm_{name}": script(f"utm_{name}") for name in ("source", "campaign")}
    fields = {"email": "mallory@example.com", "first_name": script("name"), "page": script("page"), **campaign}
    assert house.nobody.post("/signup/news", data={"stamp": stamp, **fields}, headers=agent).status_code == 202
    house.work()
    path = _link(house, "mallory@example.com", "/q/")
    assert house.nobody.post(path, headers=agent).status_code == 200
    house.work()


def _type(house):
    """An answer in words of their own, in a form."""
    house.subscribe("typist@example.com", sequence="form")
    house.work()
    path = _link(house, "typist@example.com", "/q/")
    house.nobody.post(path, data={"page": 1, "go": "on", "f.loan": "home", "f.seats": "2"})
    house.nobody.post(path, data={"page": 2, "go": "on", "f.renewal": "2026-12-24", "f.trade": script("typed")})
    house.work()


def _write_back(house):
    kept = house.sender
    house.sender = stage_.Sender(house.store, house.provider, Account("outbox"), OWN, senders=1)
    house.subscribe("writer@example.com", sequence="reply")
    house.work()
    house.sender.close()
    house.sender = kept
    mail = next(mail for mail in house.delivered if mail.to == "writer@example.com")
    body = json.loads(RECORDED.read_text().replace("REPLY", mail.reply_to))["body"]
    body |= {"StrippedTextReply": script("reply"), "TextBody": script("reply"), "Subject": script("subject")}
    assert house.nobody.post("/hooks/postmark-inbound", json=body, auth=LOGIN).status_code == 200
    assert receive(house.store, house.deployed, OWN, house.now).recorded == 1
    house.work()


def _bounce(house):
    house.subscribe("bouncer@example.com", sequence="film")
    house.work()
    mail = next(mail for mail in house.delivered if mail.to == "bouncer@example.com")
    house.nobody.get(_link(house, "bouncer@example.com", "/q/"), headers={"User-Agent": script("agent")})
    body = {
        "RecordType": "Bounce", "Type": "HardBounce", "ID": 7, "MessageID": f"outbox-{mail.id}",
        "Email": mail.to, "Metadata": {"nid": mail.id}, "BouncedAt": f"{house.now:%Y-%m-%dT%H:%M:%SZ}",
        "Description": script("bounce"), "Details": script("details"),
    }  # fmt: skip
    assert house.nobody.post("/hooks/postmark", json=body, auth=LOGIN).status_code == 200
    house.work()
    assert house.story(mail.to)["status"] != "active"


def _are_rejected(house):
    def refuse(_message):
        raise Rejected(script("rejection"))

    kept = house.sender
    house.sender = house.start_sender(Provider("outbox", lambda _: refuse, abilities=Abilities()))
    house.subscribe("rejected@example.com", sequence="film")
    house.work()
    house.sender.close()
    house.sender = kept


def _link(house, email, path):
    mail = next(mail for mail in reversed(house.delivered) if mail.to == email)
    return re.search(rf"https://go\.example\.com({path}[^\s\"<)]+)", mail.text)[1]
