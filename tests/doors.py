"""A web before which people stand: logged in with a role, as a program with a token, or as nobody."""

import re
from contextlib import ExitStack

import httpx
from stage import LINKS, Stage

from nurture.engine import access
from nurture.engine.deploy import Current
from nurture.engine.inbox import Inbox
from nurture.engine.passwords import NOBODY
from nurture.store import operators
from nurture.web.app import build
from nurture.web.serve import listen, serving
from nurture.web.site import Site

LADDER = """\
title: A ladder
start: joined
goal: {bought: review}
from: Ada <ada@example.com>
within: 3 days
steps:
  question:
    subject: Question
    template: body.md
    ask: {poll: Home or auto?, answers: {home: A home loan, auto: An auto loan}, save: loan}
    yes:
      - {if: "loan == 'home'", go: tour}
      - {go: offer, after: 1 day}
    no: end
  tour:
    subject: Tour
    template: body.md
    ask: {click: Show me, to: "https://example.com/tour"}
    yes: offer
    no: end
  offer:
    subject: Offer
    template: body.md
    ask: {buy: review, price: 99 GBP, to: "https://example.com/buy"}
    no: end
"""
BROWSER = {"Accept": "text/html", "User-Agent": "Mozilla/5.0 (X11)"}
PASSWORD = "a small promise is kept"
SETUP = "the-setup-link"
ADMIN_TOKEN = "the admin token"


class House(Stage):
    """A stage with the whole web before it, and people who may be let in."""

    def __init__(self, store, *, ladder=LADDER, accounts=None, rules=None, send=None, **site):
        super().__init__(store, {"ladder": ladder}, rules=rules, send=send)
        self.stack = ExitStack()
        self.inbox = Inbox(store)
        self.site = Site(
            store, Current(store, self.rules), LINKS, self.inbox, accounts or {}, lambda: self.now, ADMIN_TOKEN,
            setup=SETUP, **site,
        )  # fmt: skip
        listening = self.stack.enter_context(listen("127.0.0.1", 0))
        self.address = self.stack.enter_context(serving(build(self.site), listening))
        self.nobody = self.client()

    def client(self, **headers):
        client = httpx.Client(base_url=self.address, headers={**BROWSER, **headers}, timeout=30)
        return self.stack.enter_context(client)

    def account(self, role="admin", email=None, password=NOBODY):
        email = email or f"{role}@example.com"
        with self.store.write() as tx:
            operators.add(tx, email, role, password, self.now)
            return operators.by_email(tx, email)[0]

    def browser(self, role="admin", email=None, **headers):
        """A browser that is logged in, its session made as a login makes it."""
        number = access.log_in(self.store, self.account(role, email), self.now)
        client = self.client(**headers)
        client.cookies.set("nurture", number)
        return client

    def program(self, scope):
        token = access.make_token(self.store, scope, scope, access.LONGEST_TOKEN, by="test", now=self.now)
        return self.client(Authorization=f"Bearer {token}", Accept="application/json")

    def close(self):
        super().close()
        self.stack.close()
        self.inbox.close()


def csrf(client, path="/password"):
    """The secret in the forms of a page."""
    return re.search(r'name="csrf" value="([0-9a-f]+)"', client.get(path).text)[1]
