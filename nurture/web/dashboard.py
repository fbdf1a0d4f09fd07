"""The first page: what needs someone first, then how it goes."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from nurture.engine.offering import LOW, fill
from nurture.engine.outcomes import takings
from nurture.engine.way import left_alone, not_from
from nurture.journey.ledger import State
from nurture.journey.warmup import most_today
from nurture.language.problems import counted
from nurture.language.signups import confirms
from nurture.language.theirs import ours
from nurture.store import codes, enrollments, hooks, listing, messages, notices, pauses, people, traffic
from nurture.web.frame import twins

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping
    from datetime import datetime

    from sqlalchemy import Connection
    from starlette.routing import Route

    from nurture.language.sequence import Sequence
    from nurture.providers.base import Account
    from nurture.web.site import Site

LATE = timedelta(minutes=10)
"""What is due longer than this is not a matter of turns any more."""

WEEK = timedelta(days=7)
ASKING = 20
"""People who ask for something that are named one by one."""

LOOKED_AT, LONGEST = 200, 160
"""Mails that wait which are looked at, and letters of a reason that are shown."""

QUIET = timedelta(hours=6)
ENOUGH_TO_HEAR = 50
"""Mails, after which a provider that tells of deliveries, opens and clicks has had something to tell."""


def routes(site: Site) -> list[Route]:
    return twins("/", "dashboard.html", "nurture.now/1", lambda _: _now(site))


def _now(site: Site) -> dict[str, Any]:
    now = site.now()
    sequences = site.current().ladders
    with site.store.read() as tx:
        standing = listing.standing(tx)
        today = listing.pulse(tx, now.replace(hour=0, minute=0, second=0, microsecond=0))
        week = listing.pulse(tx, now - WEEK)
        count = people.count(tx)
        needs = [
            *_needs(tx, now),
            *_not_taken(tx, site, now),
            *_pools(tx, sequences.values(), site.current().rules.shops),
            *_silent(tx, site, now),
        ]
        caps = [_cap(tx, account, now) for account in site.accounts.values() if account.daily is not None]
        taken = takings(tx, sequences.values(), now - WEEK)
    offers = sum(
        number
        for name, steps in standing.items()
        for step, number in steps.items()
        if name in sequences and step in sequences[name].steps and sequences[name].steps[step].ask.kind == "buy"
    )
    return {
        "needs": needs,
        "people": count,
        "unconfirmed": sum(sum(steps.values()) for name, steps in standing.items() if confirms(name)),
        "inside": sum(sum(steps.values()) for name, steps in standing.items() if not ours(name)),
        "today": asdict(today),
        "week": asdict(week),
        "yes_rate": round(100 * week.kept / week.mails) if week.mails else None,
        "offers": offers,
        "caps": caps,
        "revenue": taken,
        "sequences": [
            {
                "name": name,
                "title": sequence.title or name,
                "inside": sum(standing.get(name, {}).values()),
                "steps": _steps(standing.get(name, {}), list(sequence.steps)),
            }
            for name, sequence in sequences.items()
        ],
    }


def _steps(standing: Mapping[str, int], order: list[str]) -> list[dict[str, Any]]:
    return [{"name": name, "people": standing[name]} for name in order if standing.get(name)]


def _needs(tx: Connection, now: datetime) -> list[dict[str, str]]:
    """What does not mend itself, the worst first: `what`, what follows from it, and the page where it is done."""
    found = []
    held = pauses.every(tx)
    mail = messages.next_due(tx)
    waits = [at for at in (enrollments.peek(tx), mail) if at is not None and now - at > LATE]
    if waits:
        found.append(
            _need(f"The engine is behind since {min(waits):%d %b %H:%M} UTC.", "Does `nurture run` run?", "/outbox")
        )
    reports = hooks.oldest(tx)
    if reports is not None and now - reports > LATE:
        found.append(_need("Reports of providers wait.", f"The oldest came {reports:%d %b %H:%M} UTC.", "/inbox"))
    found += [
        _need(
            f"{one.email} asked {'to be erased' if 'erase' in one.preferences.asks else 'for a copy of what is known of them'}.",
            "No mail of ours may go to them, so write to them yourself: make sure that it was they. Then say so on their page.",
            f"/people/{one.id}",
        )
        for one in people.asking(tx, ASKING)
    ]
    troubles = listing.troubles(tx)
    doubt, refused, unread = troubles.get(State.UNKNOWN, 0), troubles.get(State.FAILED, 0), listing.failed_hooks(tx)
    if doubt:
        what = f"{counted(doubt, 'mail')}: nobody knows whether {'it' if doubt == 1 else 'they'} left."
        found.append(_need(what, "Evidence settles it, or you do.", "/outbox?state=unknown"))
    if refused:
        found.append(_need(f"{counted(refused, 'mail')} refused for good.", "Each says why.", "/outbox?state=failed"))
    if unread:
        found.append(
            _need(f"{counted(unread, 'report')} that could not be read.", "Kept, and can be replayed.", "/inbox?failed")
        )
    found += [
        _need(
            f"{listener} did not hear {counted(number, 'event')}.",
            f"`nurture listeners replay {listener}`",
            "/settings",
        )
        for listener, number in notices.failed(tx).items()
    ]
    found += [
        _need(
            f"Mail of {'every sequence' if row.name in pauses.EVERYTHING else row.name} is held.",
            f"Since {row.since:%d %b %H:%M} UTC{row.because and f': {row.because}'}.",
            "/outbox?state=planned",
        )
        for row in held
    ]
    return found


def _pools(
    tx: Connection, sequences: Iterable[Sequence], shops: Collection[str]
) -> list[dict[str, str]]:  # fmt: skip
    """Pools of codes that an offer needs and that run low; a shop's do not."""
    stocks = codes.stocks(tx)
    asked = {step.ask.pool for one in sequences for step in one.steps.values() if step.ask.pool}
    asked -= set(shops)
    left = {pool: stocks[pool].left if pool in stocks else 0 for pool in sorted(asked)}
    low = {pool: counted(number, "code") if number else "no code" for pool, number in left.items() if number < LOW}
    return [
        _need(f"The pool {pool} has {codes_left} left.", f"Fill it: `{fill(pool)}`", "/outbox?state=planned")
        for pool, codes_left in low.items()
    ]


def _not_taken(tx: Connection, site: Site, now: datetime) -> list[dict[str, str]]:
    """Why providers do not take mail, each reason once: a wrong key, a sender they do not know, a host nobody reaches."""
    words = tuple(begin for name in site.accounts for begin in (left_alone(name), not_from(name)))
    wait = listing.next_to_wait(tx, now, LOOKED_AT)
    why = Counter(one.reason for one in wait if one.reason and (one.attempt or one.reason.startswith(words)))
    more = " or more" if len(wait) == LOOKED_AT else ""
    return [
        _need(
            f"{counted(number, 'mail')}{more} not taken: {reason[:LONGEST]}",
            "Tried again by itself; `nurture doctor` says what mends it.",
            "/outbox?state=planned",
        )
        for reason, number in why.most_common(3)
    ]


def _silent(tx: Connection, site: Site, now: datetime) -> list[dict[str, str]]:
    """Providers that took mail today, have a secret for their reports, and report nothing that proves it is theirs."""
    heard, refused = listing.reporting(tx), site.refusals.every()
    found = []
    for name, account in site.accounts.items():
        begun = traffic.today(tx, name, now).begun if account.hook_secrets else 0
        if begun >= ENOUGH_TO_HEAR and now - heard.get(name, now - QUIET) >= QUIET:
            last = f"The last came {heard[name]:%d %b %H:%M} UTC." if name in heard else "None has come yet."
            what = f"{name} took {counted(begun, 'mail')} today and reports nothing."
            look = f"Does its webhook lead to /hooks/{name}?"
            if name in refused:
                look = f"{counted(refused[name].times, 'report')} to its address refused; why, the last time: {refused[name].why}."
            found.append(_need(what, f"{last} {look}", "/inbox"))
    return found


def _cap(tx: Connection, account: Account, now: datetime) -> dict[str, Any]:
    """What one provider had today, of its day's most."""
    today = traffic.today(tx, account.provider, now)
    assert account.daily is not None
    most = most_today(account.daily, account.growing, today.first, now)
    return {"provider": account.provider, "begun": today.begun, "most": most}


def _need(what: str, so: str, at: str) -> dict[str, str]:
    return {"what": what, "so": so, "at": at}
