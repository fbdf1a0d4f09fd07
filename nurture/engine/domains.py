"""What an address says of itself before anyone is asked: thrown away, a team's, or mistyped."""

from __future__ import annotations

from difflib import get_close_matches
from typing import Literal

from disposable_email_domains import blocklist

Kind = Literal["", "disposable", "role"]

ROLES = frozenset(
    "abuse account accounts admin administrator all billing contact enquiries everyone help hostmaster hr info "
    "jobs mail mailer-daemon marketing news newsletter no-reply noc noreply office orders postmaster press privacy "
    "root sales security spam staff subscribe support team unsubscribe webmaster".split()
)
"""Names of mailboxes that several read (RFC 2142, and what mail providers refuse on lists)."""

COMMON = (
    "gmail.com", "googlemail.com", "yahoo.com", "yahoo.co.uk", "yahoo.fr", "yahoo.de", "ymail.com", "hotmail.com",
    "hotmail.co.uk", "hotmail.fr", "outlook.com", "outlook.de", "live.com", "msn.com", "icloud.com", "me.com",
    "mac.com", "aol.com", "gmx.de", "gmx.net", "gmx.com", "gmx.at", "gmx.ch", "web.de", "t-online.de", "freenet.de",
    "proton.me", "protonmail.com", "posteo.de", "mailbox.org", "orange.fr", "free.fr", "wanadoo.fr", "laposte.net",
    "libero.it", "virgilio.it", "btinternet.com", "comcast.net", "verizon.net", "att.net", "yandex.ru", "mail.ru",
    "fastmail.com", "mail.com", "zoho.com",
)  # fmt: skip
"""Where most people have their mail. A domain that nearly is one of these is most likely a slip."""

REAL = frozenset(
    {"gmx.co.uk", "gmx.fr", "ail.com", "email.com", "gmail.de", "live.de", "mail.de", "yahoo.ca", "aon.at"}
)
"""Near one of them, and real."""


def kind(address: str) -> Kind:
    local, _, domain = address.rpartition("@")
    parents = domain.split(".")
    if any(".".join(parents[first:]) in blocklist for first in range(len(parents) - 1)):
        return "disposable"
    return "role" if local.partition("+")[0] in ROLES else ""


def meant(address: str) -> str:
    """The address that was most likely meant; "" where nothing looks like a slip."""
    local, _, domain = address.rpartition("@")
    if domain in COMMON or domain in REAL:
        return ""
    near = [one for one in get_close_matches(domain, COMMON, n=3, cutoff=0.8) if _slip(domain, one)]
    return f"{local}@{near[0]}" if near else ""


def _slip(typed: str, right: str) -> bool:
    """One letter too many, too few, another or two exchanged: more than that is another name (Damerau, 1964)."""
    if abs(len(typed) - len(right)) > 1:
        return False
    first = next((n for n, (a, b) in enumerate(zip(typed, right, strict=False)) if a != b), min(len(typed), len(right)))
    rest, wanted = typed[first:], right[first:]
    exchanged = len(rest) > 1 and len(wanted) > 1 and rest[:2] == wanted[1::-1] and rest[2:] == wanted[2:]
    return exchanged or rest[1:] == wanted[1:] or rest[1:] == wanted or rest == wanted[1:]


def plain(address: str) -> str:
    """One person's mailbox however they spell it: without what stands after a plus, or Gmail's dots."""
    local, _, domain = address.rpartition("@")
    local = local.partition("+")[0]
    if domain in ("gmail.com", "googlemail.com"):
        local, domain = local.replace(".", ""), "gmail.com"
    return f"{local}@{domain}"
