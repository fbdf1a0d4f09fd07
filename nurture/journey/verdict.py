"""Whether a click was made by a person or a machine: a pure function with named signals, each with its reason.

Security gateways open every link of a mail before its reader sees it, often within seconds and from many networks. No
address list and no delay alone proves that; a strong signal does. What a person confirms on a page of ours needs no
verdict.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from ipaddress import ip_address, ip_network
from typing import TYPE_CHECKING

from nurture.journey.events import Kind

if TYPE_CHECKING:
    from nurture.journey.events import Event

UNSUBSCRIBE_PAGE = "unsubscribe"
"""The `url` of an event that says: the unsubscribe page was looked at."""

MANY_LINKS, WITHIN = 3, timedelta(seconds=10)
MANY_NETWORKS, NETWORKS_WITHIN = 3, timedelta(seconds=120)
MANY_DOMAINS, DOMAINS_WITHIN = 10, timedelta(minutes=10)
PAIR_WITHIN = timedelta(seconds=60)
AT_ONCE = timedelta(seconds=2)

AGENTS = (
    "curl/", "wget/", "python-requests", "python-urllib", "aiohttp", "python-httpx", "go-http-client", "java/",
    "okhttp", "axios/", "node-fetch", "undici", "apache-httpclient", "headlesschrome", "phantomjs", "puppeteer",
    "playwright", "bot", "crawler", "spider", "scanner", "safelinks", "mimecast", "barracuda", "proofpoint",
    "urldefense",
)  # fmt: skip
"""Parts of user agents that say of themselves that no person is there, in lower case."""


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """A click from some address and agent, on whoever's mail: `domain` is that of the mail's recipient."""

    ip: str
    agent: str
    at: datetime
    domain: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """`human`, and why: the names of the signals that spoke, or what was looked for and not found."""

    human: bool
    reasons: tuple[str, ...]


def judge(
    clicks: Sequence[Event], click: Event, sent_at: datetime | None, elsewhere: Sequence[Elsewhere] = ()
) -> Verdict:  # fmt: skip
    """Judge one click by everything that was reported of its message (`clicks`, this one included).

    The order in which reports came does not matter. `sent_at` (UTC) is when the mail left. `elsewhere` are clicks on
    the mail of others, of which only those from the same place count.
    """
    strong = [reason for reason in (*_own(click), *_company(clicks, click), _gateway(elsewhere, click)) if reason]
    if strong:
        return Verdict(human=False, reasons=tuple(strong))
    weak = [reason for reason in _weak(click, sent_at) if reason]
    if len(weak) > 1:
        return Verdict(human=False, reasons=tuple(weak))
    return Verdict(human=True, reasons=("no machine's signs", *weak))


def _own(click: Event) -> tuple[str, ...]:
    """What this request says of itself."""
    agent = click.agent.lower()
    known = next((part for part in AGENTS if part in agent), "")
    return (
        "asked with HEAD, as no reader does" if click.method == "HEAD" else "",
        f"marked as a machine: {click.machine_hint}" if click.machine_hint else "",
        f"the agent calls itself {known.rstrip('/')}" if known else "",
    )


def _company(clicks: Sequence[Event], click: Event) -> tuple[str, ...]:
    """What the other requests for links of this mail say."""
    fetched = [one for one in clicks if one.kind is Kind.CLICKED]
    links = _most([(one.at, one.url) for one in fetched], click, WITHIN)
    networks = _most([(one.at, _network(one.ip)) for one in fetched], click, NETWORKS_WITHIN)
    pair = any(
        _is_unsubscribe(one) and abs(one.at - click.at) <= PAIR_WITHIN for one in fetched if not _is_unsubscribe(click)
    )
    return (
        f"{links} links of one mail within 10 seconds" if links >= MANY_LINKS else "",
        f"{networks} networks on one mail within 2 minutes" if networks >= MANY_NETWORKS else "",
        "the unsubscribe link was fetched as well, within a minute" if pair else "",
    )


def may_be_a_gateway(ip: str) -> bool:
    """Whether this is an address of the internet. Behind a proxy of ours that we do not know, all come from one that is not."""
    try:
        return ip_address(ip).is_global
    except ValueError:
        return False


def _gateway(elsewhere: Sequence[Elsewhere], click: Event) -> str:
    """One program at one address that opens the mail of many organisations. People share addresses, seldom both."""
    if not may_be_a_gateway(click.ip):
        return ""
    seen = [(one.at, one.domain) for one in elsewhere if (one.ip, one.agent) == (click.ip, click.agent)]
    domains = _most(seen, click, DOMAINS_WITHIN)
    return f"one address clicked for people at {domains} domains within 10 minutes" if domains >= MANY_DOMAINS else ""


def _weak(click: Event, sent_at: datetime | None) -> tuple[str, ...]:
    """Never enough alone: clocks differ between machines, and some people hide their browser."""
    return (
        "less than 2 seconds after the mail left" if sent_at is not None and click.at - sent_at < AT_ONCE else "",
        "" if click.agent else "no agent is named",
    )


def _most(things: Sequence[tuple[datetime, str]], click: Event, within: timedelta) -> int:
    """How many different things were seen in the liveliest stretch of this length that holds the click."""
    seen = sorted((at, thing) for at, thing in things if abs(at - click.at) <= within and thing)
    inside: Counter[str] = Counter()
    most = reached = 0
    for first, thing in seen:
        if first > click.at:
            break
        while reached < len(seen) and seen[reached][0] <= first + within:
            inside[seen[reached][1]] += 1
            reached += 1
        most = max(most, len(inside))
        inside[thing] -= 1
        if not inside[thing]:
            del inside[thing]
    return most


def _network(ip: str) -> str:
    """The /24 (or /48) this address is in; "" for what is no address."""
    try:
        address = ip_address(ip)
    except ValueError:
        return ""
    return str(ip_network(f"{address}/{24 if address.version == 4 else 48}", strict=False))


def _is_unsubscribe(event: Event) -> bool:
    return event.url == UNSUBSCRIBE_PAGE or "/u/" in event.url
