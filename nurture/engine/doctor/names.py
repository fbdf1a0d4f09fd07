"""SPF, DKIM and DMARC of the domains that mail is sent from, as mailbox providers look them up.

Gmail and Yahoo want all three since February 2024 and Microsoft since May 2025 (docs/deliverability.md).
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator
from typing import TYPE_CHECKING

import dns.exception
import dns.resolver
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_der_public_key

from nurture.engine.doctor.finding import Finding, Patient, fault, ok, warning

if TYPE_CHECKING:
    from dns.resolver import Resolver

WAIT = 3.0
"""Seconds for one question."""

RESERVED = ("example.com", "example.net", "example.org")
RESERVED_ENDS = (".example", ".test", ".invalid", ".localhost")
MOST_LOOKUPS = 10
"""RFC 7208, 4.6.4: an SPF record that asks more is an error to whoever reads it."""
LEAST_BITS = 1024
"""RFC 8301, 3.2."""


class Silent(Exception):
    """No name server answered, so nothing is known."""


def check(patient: Patient) -> Iterator[Finding]:
    if not patient.sends:
        yield ok("dns", "the outbox keeps all mail here, so no domain is looked up")
        return
    if not patient.domains:
        yield warning("dns", "no sequence is deployed, so no sender's domain is known", "nurture check")
    for domain in patient.domains:
        if domain in RESERVED or domain.endswith(tuple(f".{one}" for one in RESERVED) + RESERVED_ENDS):
            yield fault("dns", f"{domain} is reserved for examples (RFC 2606)", "set your own address in `from:`")
            continue
        for look in (_spf, _dkim, _dmarc):
            try:
                yield from look(patient, domain)
            except Silent as error:
                yield warning(look.__name__.strip("_"), str(error), "try again, or look at this machine's name server")


def texts(resolver: Resolver, name: str) -> list[str]:
    """The TXT records of a name; none when there is no such name."""
    try:
        answer = resolver.resolve(name, "TXT", lifetime=WAIT, search=False)
    except (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer):
        return []
    except (dns.exception.DNSException, OSError) as error:
        raise Silent(f"{name} could not be looked up: {type(error).__name__}") from error
    return [b"".join(record.strings).decode("utf-8", "replace") for record in answer]


# --- SPF


def _spf(patient: Patient, domain: str) -> Iterator[Finding]:
    include = patient.provider.records.spf
    mend = f'{domain}. TXT "v=spf1 {include and f"include:{include} "}~all"'
    found = _spf_of(patient.resolver, domain)
    if not found:
        yield warning("spf", f"{domain} has no SPF record", mend)
        return
    if len(found) > 1:
        yield fault("spf", f"{domain} has {len(found)} SPF records, which is an error (RFC 7208, 4.5)", "join them")
        return
    (record,) = found
    words = record.lower().split()
    if "+all" in words or "all" in words:
        yield fault("spf", f"{domain} lets everyone send for it (+all)", mend)
        return
    asked = _lookups(patient.resolver, record, {domain})
    if asked > MOST_LOOKUPS:
        yield fault("spf", f"the SPF record of {domain} asks more than {MOST_LOOKUPS} names", "take includes out of it")
    elif include and f"include:{include}" not in words:
        yield warning(
            "spf", f"the SPF record of {domain} does not include {patient.provider.name} ({include})",
            f"add include:{include} to it, unless your bounce address is the provider's own",
        )  # fmt: skip
    else:
        yield ok("spf", f"{domain} has one SPF record: {record[:100]}")


def _spf_of(resolver: Resolver, domain: str) -> list[str]:
    return [text for text in texts(resolver, domain) if text.lower().split(" ")[0] == "v=spf1"]


def _lookups(resolver: Resolver, record: str, seen: set[str]) -> int:
    """How many names reading this record asks for; more than the most, once it is more."""
    asked = 0
    for word in record.lower().split()[1:]:
        name, _, value = word.lstrip("+-~?").replace("redirect=", "include:").partition(":")
        if name.partition("/")[0] in ("a", "mx", "ptr", "exists", "include"):
            asked += 1
        if name == "include" and "%" not in value and value not in seen and asked <= MOST_LOOKUPS:
            seen.add(value)
            asked += sum(_lookups(resolver, inner, seen) for inner in _spf_of(resolver, value)[:1])
        if asked > MOST_LOOKUPS:
            break
    return asked


# --- DKIM


def _dkim(patient: Patient, domain: str) -> Iterator[Finding]:
    given, usual = patient.selectors, patient.provider.records.selectors
    found = {selector: texts(patient.resolver, f"{selector}._domainkey.{domain}") for selector in given or usual}
    for selector, records in found.items():
        if records:
            yield _key(f"{selector}._domainkey.{domain}", "".join(records))
        elif given:
            yield fault(
                "dkim", f"there is no DKIM key at {selector}._domainkey.{domain}",
                f"{selector}._domainkey.{domain}. TXT or CNAME as {patient.provider.name} shows for this domain",
            )  # fmt: skip
    if not given and not any(found.values()):
        tried = ", ".join(usual) or "none is usual there"
        yield warning(
            "dkim", f"no DKIM key of {domain} was found ({patient.provider.name}'s usual names: {tried})",
            "say its name: NURTURE_DKIM_SELECTORS (the s= of a DKIM-Signature that you received)",
        )  # fmt: skip


def _key(name: str, record: str) -> Finding:
    tags = dict(part.strip().partition("=")[::2] for part in record.split(";"))
    key = "".join(tags.get("p", "").split())
    if not key:
        return fault("dkim", f"the key at {name} was withdrawn (its p= is empty)", "publish the provider's current key")
    try:
        read = load_der_public_key(base64.b64decode(key, validate=True)) if tags.get("k", "rsa") == "rsa" else None
    except (binascii.Error, ValueError):
        return fault("dkim", f"the key at {name} cannot be read", "publish it again, whole and on one line")
    if isinstance(read, RSAPublicKey) and read.key_size < LEAST_BITS:
        return fault("dkim", f"the key at {name} has {read.key_size} bits, too few to count", "make one of 2048 bits")
    size = f" of {read.key_size} bits" if isinstance(read, RSAPublicKey) else ""
    return ok("dkim", f"{name} holds a key{size}")


# --- DMARC


def _dmarc(patient: Patient, domain: str) -> Iterator[Finding]:
    mend = f'_dmarc.{domain}. TXT "v=DMARC1; p=none; rua=mailto:dmarc@{domain}"'
    labels = domain.split(".")
    for start in range(max(1, len(labels) - 1)):  # a parent's record holds for its children (RFC 7489, 6.6.3)
        name = "_dmarc." + ".".join(labels[start:])
        found = [text for text in texts(patient.resolver, name) if text.replace(" ", "").lower().startswith("v=dmarc1")]
        if len(found) > 1:
            yield fault("dmarc", f"{name} has {len(found)} DMARC records, so none counts", "leave one of them")
            return
        if found:
            tags = dict(part.strip().partition("=")[::2] for part in found[0].lower().split(";"))
            policy = tags.get("p", "").strip()
            if policy not in ("none", "quarantine", "reject"):
                yield fault("dmarc", f"the DMARC record at {name} has no policy", mend)
            else:
                yield ok("dmarc", f"{name} says p={policy}")
            return
    yield fault("dmarc", f"{domain} has no DMARC record; Gmail, Yahoo and Microsoft want one", mend)
