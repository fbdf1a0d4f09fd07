"""Where a person came from: the forms they sent, by whose link they came, and who came by theirs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nurture.store import friends, people, signups

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from sqlalchemy import Connection

    Iso = Callable[[datetime | None], str | None]


def origins(tx: Connection, subscriber: int, iso: Iso) -> dict[str, object]:
    """Three keys of `nurture.subscriber/1`: `signups`, `friend_of` and `friends`."""
    came = friends.of_friend(tx, subscriber)
    links = friends.of_people(tx, [subscriber]).values()
    return {
        "signups": [_signup(one, iso) for one in signups.of_person(tx, subscriber)],
        "friend_of": None if came is None else _brought(tx, came, iso),
        "friends": [
            {
                "sequence": link.sequence,
                "link": f"/r/{link.id}",
                "name": link.name,
                "who": [
                    {"id": one.subscriber, "email": one.email, **_state(one, iso)}
                    for one in friends.of_link(tx, link.id)
                ],
            }
            for link in links
        ],
    }


def _signup(one: signups.SignedUp, iso: Iso) -> dict[str, object]:
    return {
        "form": one.form,
        "at": iso(one.at),
        "confirmed_at": iso(one.confirmed_at),
        "consent": one.consent,
        "source": {name: text for name, text in one.source.items() if name != "address"},
        "role": one.source.get("address") == "role",
        "client": one.client,
    }


def _brought(tx: Connection, came: friends.Friend, iso: Iso) -> dict[str, object]:
    link = friends.by_id(tx, came.referral)
    assert link is not None, "a link that brought someone is kept"
    owner = people.by_ids(tx, [link.subscriber])[link.subscriber]
    return {"id": owner.id, "email": owner.email, "sequence": link.sequence, **_state(came, iso)}


def _state(one: friends.Friend, iso: Iso) -> dict[str, object]:
    return {
        "confirmed_at": iso(one.confirmed_at),
        "engaged_at": iso(one.engaged_at),
        "counted_at": iso(one.counted_at),
        "refused": one.refused or None,
    }
