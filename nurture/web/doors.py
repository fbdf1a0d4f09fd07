"""Who may do what at which address: one table, and what is not in it is refused.

`look` is for GET and HEAD, `act` for all other methods. A page and its `.json` twin are one row. ANYONE is the public:
links in mails, reports of providers. DOOR is the way in itself: anyone, but only under our own name and from our own
pages. A row with a `title` stands in the menu of every page.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from starlette.routing import compile_path

Need = Literal["anyone", "door", "view", "edit", "admin"]

MOST_FORM = 64_000
"""Bytes that a form of our own pages may have."""

MOST_CALL = 1_000_000
"""Bytes that a program may post: one person or one event, and all that is known of it."""

MOST_FILE = 10_000_000
"""Bytes of a file that is handed in: a list of some 200,000 people."""


@dataclass(frozen=True, slots=True)
class Row:
    """One address. `act` None: nothing but looking is possible there. `most` are the bytes that may be posted."""

    path: str
    look: Need
    act: Need | None = None
    title: str = ""
    most: int = MOST_FORM


ROWS: tuple[Row, ...] = (
    Row("/c/{token}", "anyone", "anyone"),
    Row("/q/{token}", "anyone", "anyone"),
    Row("/w/{token}", "anyone", "anyone"),
    Row("/o/{token}.png", "anyone"),
    Row("/b/{look}.png", "anyone"),
    Row("/b/{token}", "anyone"),
    Row("/u/{token}", "anyone", "anyone"),
    Row("/signup/{name}", "anyone", "anyone"),
    Row("/r/{token}", "anyone", "anyone"),
    Row("/leaderboard/{name}", "anyone"),
    Row("/hooks/{provider}", "anyone", "anyone"),
    Row("/healthz", "anyone"),
    Row("/metrics", "anyone"),  # it looks itself: this machine needs no token
    Row("/pages/{file}", "anyone"),
    Row("/login", "door", "door"),
    Row("/setup/{token}", "door", "door"),
    Row("/logout", "view", "view"),
    Row("/password", "view", "view"),
    Row("/", "view", title="Now"),
    Row("/index", "view"),
    Row("/sequences", "view", title="Sequences"),
    Row("/sequences/{name}", "view"),
    Row("/sequences/{name}/asked", "view"),
    Row("/people", "view", title="People"),
    Row("/people/find", "view", "view"),
    Row("/people/export", "edit", "edit"),
    Row("/people/import", "edit", "edit", most=MOST_FILE + MOST_FORM),
    Row("/people/import/{key}", "edit", "edit"),
    Row("/people/{id}", "view"),
    Row("/people/{id}/act", "edit", "edit"),
    Row("/people/{id}/seen-to", "edit", "edit"),
    Row("/people/{id}/erase", "edit", "edit"),
    Row("/people/{id}/export", "edit", "edit"),
    Row("/people/{id}/friend", "edit", "edit"),
    Row("/outbox", "view", title="Outbox"),
    Row("/outbox/settle", "edit", "edit"),
    Row("/outbox/{id}", "view"),
    Row("/outbox/{id}/shown", "view"),
    Row("/inbox", "view", title="Webhooks"),
    Row("/inbox/{id}", "view"),
    Row("/inbox/{id}/replay", "edit", "edit"),
    Row("/deploys", "view", title="Deploys"),
    Row("/audit", "admin", title="Audit"),
    Row("/settings", "admin", title="Settings"),
    Row("/access", "admin", title="Access"),
    Row("/access/accounts", "admin", "admin"),
    Row("/access/accounts/remove", "admin", "admin"),
    Row("/access/tokens", "admin", "admin"),
    Row("/access/tokens/remove", "admin", "admin"),
    Row("/openapi", "view"),
    Row("/docs", "view", title="API"),
    Row("/api/subscribers", "view", "edit", most=MOST_CALL),
    Row("/api/subscribers/{email}", "view", "edit"),
    Row("/api/subscribers/{email}/export", "view"),
    Row("/api/events", "view", "edit", most=MOST_CALL),
    Row("/api/offers/{code}", "view"),
    Row("/api/offers/{code}/redeem", "view", "edit"),
)


class Doors:
    """The table, ready to be asked. `public` are addresses that whoever builds the application vouches for."""

    def __init__(self, rows: Iterable[Row], public: Iterable[str] = ()) -> None:
        every = [*(Row(path, "anyone", "anyone") for path in public), *rows]
        self._rows = [(compile_path(row.path)[0], row) for row in every]

    def row(self, path: str) -> Row | None:
        """The first row whose address this is; None when there is none, and then nobody may."""
        for asked in dict.fromkeys((path, path.removesuffix(".json"))):
            for pattern, row in self._rows:
                if pattern.match(asked):
                    return row
        return None

    def need(self, method: str, path: str) -> Need | None:
        """What is needed for this request; None when nobody may make it."""
        row = self.row(path)
        if row is None:
            return None
        return row.look if method in ("GET", "HEAD") else row.act
