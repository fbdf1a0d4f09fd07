"""Friends who come by a person's link: which of them count, and that the person's ladder hears of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nurture.engine import domains
from nurture.engine.deploy import deciding
from nurture.engine.moving import carry
from nurture.journey.events import Event, Kind
from nurture.store import audit, enrollments, friends, people, signups, suppressions, wakeups
from nurture.store.audit import Entry

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy import Connection

    from nurture.engine.deploy import Deployed
    from nurture.journey.enrollment import Subscriber
    from nurture.store.database import Store

BATCH = 100


def digest(tx: Connection, what: str) -> str:
    """An address of the network or the mark of a browser, so that it is known again and not what it was."""
    return next(iter(suppressions.digests(tx, [f"client {what}"])))[:24] if what else ""


def confirmed(tx: Connection, person: Subscriber, link: str, client: str, device: str, now: datetime) -> None:
    """Someone new has confirmed. By whose link they came is kept, and why they do not count where they do not.

    `device` is the mark of their browser; it is the link itself where that browser is its owner's.
    """
    referral = friends.by_id(tx, link) if link else None
    if referral is None:
        return
    friend = friends.Friend(person.id, link, now, person.email, client=digest(tx, client), device=digest(tx, device))
    owner = people.by_ids(tx, [referral.subscriber])[referral.subscriber]
    why = _not_a_friend(tx, friend, owner, link, device)
    friends.add(tx, friends.Friend(person.id, link, now, refused=why, client=friend.client, device=friend.device))


def _not_a_friend(tx: Connection, friend: friends.Friend, owner: Subscriber, link: str, device: str) -> str:
    mailbox = domains.plain(friend.email)
    if mailbox == domains.plain(owner.email):
        return "the same mailbox as the person whose link it is"
    if device == link:
        return "the same browser as the person whose link it is"
    if friend.client and any(one.client == friend.client for one in signups.of_person(tx, owner.id)):
        return "the same network and kind of browser as the person whose link it is"
    others = friends.of_link(tx, link)
    if any(domains.plain(one.email) == mailbox for one in others):
        return "the same mailbox as another friend"
    if friend.device and any(one.device == friend.device for one in others):
        return "the same browser as another friend"
    if friend.client and any(one.client == friend.client for one in others):
        return "the same network and kind of browser as another friend"
    return ""


def count_anyway(store: Store, owner: int, friend: int, reason: str, *, by: str, now: datetime) -> bool:
    """An operator knows better than the checks: from now on this friend of theirs counts as any other does.

    The next pass counts them, if they did something themselves. False where there is nobody whom the checks refused.
    """
    with store.write() as tx:
        found = friends.of_friend(tx, friend)
        link = None if found is None else friends.by_id(tx, found.referral)
        if found is None or link is None or link.subscriber != owner or not friends.allow(tx, friend):
            return False
        target = f"person {owner}, {link.sequence}"
        audit.record(tx, Entry(now, by, "friend counted", target, reason, {"friend": friend, "was": found.refused}))
        wakeups.want(tx, "tick")
    return True


def tell(store: Store, deployed: Deployed, now: datetime, *, batch: int = BATCH) -> int:
    """One pass: friends who did something themselves are counted, and the one who brought them hears of it.

    In a transaction of its own: two people who brought each other must not wait for each other's rows.
    """
    told = 0
    with deciding(store, deployed) as tx:
        waiting = friends.uncounted(tx, batch)
        whom = sorted({referral.subscriber for _, referral in waiting})
        places = {
            (place.subscriber, place.sequence): (place, who)
            for place, who in enrollments.of_people(tx, whom, lock=True)
        }
        for friend, referral in waiting:
            if not friends.count(tx, friend.subscriber, now):
                continue
            told += 1
            found = places.get((referral.subscriber, referral.sequence))
            if found is None or found[1].status != "active":
                continue
            place, who = found
            many = friends.counted(tx, [referral.id], place.started_at).get(referral.id, 0)
            event = Event(Kind.HAPPENED, friend.engaged_at or now, happening="friends", name=str(many))
            carry(tx, deployed, [(place, who, event)], now)
            ((places[referral.subscriber, referral.sequence]),) = enrollments.by_ids(tx, [place.id])
    return told
