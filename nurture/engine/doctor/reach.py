"""What others reach us by, and we them: the provider's key, our hooks, the way out of a mail."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import httpx

from nurture.engine.doctor.finding import HERE, Finding, Patient, fault, ok, warning
from nurture.errors import DeliveryError, NurtureError, SettingsError, Unavailable
from nurture.mail.imagined import someone
from nurture.providers import HOOKS, PROVIDERS

if TYPE_CHECKING:
    from nurture.providers.base import Account, Provider

WAIT = 5.0
"""Seconds for one call."""

WRONG = {
    "authorization": "Basic d3Jvbmc6d3Jvbmc=", "signature": "00", "stripe-signature": "t=0,v1=00",
    "x-mandrill-signature": "AAAA", "svix-id": "doctor", "svix-timestamp": "0", "svix-signature": "v1,AAAA",
    "webhook-id": "doctor", "webhook-timestamp": "0", "webhook-signature": "v1,AAAA",
    "x-twilio-email-event-webhook-signature": "AAAA", "x-twilio-email-event-webhook-timestamp": "0",
}  # fmt: skip
"""A wrong proof of every kind at once."""


def key(patient: Patient) -> Iterator[Finding]:
    """Whether the provider that sends knows us, and every other one of which we have a key."""
    yield _known(patient.provider, patient.account, patient.transport)
    for name, account in patient.accounts.items():
        other = PROVIDERS.get(name)
        if (
            other is not None
            and other is not patient.provider
            and other.ping is not None
            and (account.key or account.url)
        ):
            yield _known(other, account, patient.transport)


def _known(provider: Provider, account: Account, transport: object) -> Finding:
    name = provider.name
    wanted, what = (account.url, "URL") if name == "smtp" else (account.key, "KEY")
    setting = f"NURTURE_PROVIDERS__{name.upper()}__{what}"
    if provider.ping is None:
        return ok(
            "key", f"{name} offers no harmless call, so its key is not tried" if account.key else f"{name} needs no key"
        )
    if not wanted:
        return fault("key", f"{name} has no {what.lower()}", f"set {setting}")
    try:
        provider.ping(account, transport)
    except Unavailable as error:
        if error.gate:
            return fault("key", f"{name} does not know us: {error}", f"set {setting} to one that works")
        return warning("key", f"{name} could not be asked: {error}", "try again; look at the vendor's status page")
    except (DeliveryError, SettingsError) as error:
        return fault("key", f"{name}: {error}", f"set {setting}")
    return ok("key", f"{name} knows us")


def hooks(patient: Patient) -> Iterator[Finding]:
    """Whether our hooks are reached, and refuse what has no proof or a wrong one."""
    provider, reporters = patient.provider, []
    if patient.sends and provider.verify is None:
        yield ok("hooks", f"{provider.name} reports nothing by itself")
    elif patient.sends and not patient.account.hook_secrets:
        yield warning(
            "hooks", f"no hook secret is set for {provider.name}, so bounces and complaints are not heard of",
            f"set NURTURE_PROVIDERS__{provider.name.upper()}__HOOK_SECRET",
        )  # fmt: skip
    reporters = [name for name, one in patient.accounts.items() if one.hook_secrets and name in HOOKS]
    if reporters and not patient.base_url:
        yield warning("hooks", "no base URL is set, so nobody outside can report", "set NURTURE_BASE_URL")
        return
    with httpx.Client(timeout=WAIT) as client:
        for name in reporters:
            yield _refuses(client, name, f"{patient.base_url}/hooks/{name}")


def _refuses(client: httpx.Client, name: str, url: str) -> Finding:
    try:
        bare = client.post(url, content=b"{}")
        wrong = client.post(url, content=b"{}", headers=WRONG)
    except httpx.HTTPError as error:
        return fault("hooks", f"{url} cannot be reached: {error or type(error).__name__}", "start `nurture run` there")
    if bare.is_redirect or wrong.is_redirect:
        return fault(
            "hooks", f"{url} leads elsewhere, and providers do not follow", "set NURTURE_BASE_URL to where it leads"
        )
    if bare.is_success or wrong.is_success:
        return fault(
            "hooks", f"{url} believes reports without proof", "look at what answers there: it is not this program"
        )
    if (bare.status_code, wrong.status_code) != (401, 401):
        return fault(
            "hooks", f"{url} answers {bare.status_code} and {wrong.status_code} where a hook of ours answers 401",
            "set NURTURE_BASE_URL to where `nurture run` is reached",
        )  # fmt: skip
    if "no hook secret" in bare.text:
        return fault("hooks", f"what runs at {url} knows no secret of {name} yet", "start `nurture run` anew")
    return ok("hooks", f"{url} is reached and refuses what has no proof")


def way_out(patient: Patient) -> Iterator[Finding]:
    """RFC 8058: both headers once, one https address, which answers without a redirect or a login."""
    if patient.deployed is None or patient.links is None or not patient.deployed.sequences:
        yield warning("way out", "no mail could be written to look at", "nurture check")
        return
    sequence = next(iter(patient.deployed.sequences.values()))
    step = next(iter(sequence.steps.values()))
    person, place = someone(sequence, step, patient.deployed.project.people)
    try:
        written = patient.deployed.writers[sequence.name].write(
            step.name, enrollment=place, subscriber=person, links=patient.links, message_id="doctor", key="",
            letterhead=patient.deployed.rules.letterhead,
        )  # fmt: skip
    except NurtureError as error:
        yield fault("way out", f"{sequence.name}.{step.name} cannot be written: {error}", "nurture check")
        return
    values = [value for name, value in written.message.headers if name == "List-Unsubscribe"]
    clicks = [value for name, value in written.message.headers if name == "List-Unsubscribe-Post"]
    found = re.findall(r"<(https?://[^>]+)>", values[0]) if len(values) == 1 else []
    if len(found) != 1 or clicks != ["List-Unsubscribe=One-Click"]:
        yield fault("way out", "a mail does not carry both unsubscribe headers once (RFC 8058)", "upgrade the program")
        return
    if patient.provider.abilities.own_way_out:
        yield warning(
            "way out", f"{patient.provider.name} writes its own List-Unsubscribe in place of ours",
            "look at a mail that you received: its headers need List-Unsubscribe and List-Unsubscribe-Post",
        )  # fmt: skip
    (url,) = found
    if not patient.base_url:
        yield warning(
            "way out", "no base URL is set, so the way out leads to this machine only", "set NURTURE_BASE_URL"
        )
        return
    parts = urlsplit(url)
    if parts.scheme != "https":
        say = warning if parts.hostname in HERE else fault
        yield say(
            "way out", "mail clients use one-click unsubscribe over https only", "set NURTURE_BASE_URL to https://…"
        )
    try:
        answer = httpx.get(url, timeout=WAIT)
    except httpx.HTTPError as error:
        shown = f"{patient.base_url}/u/…"
        yield fault(
            "way out", f"{shown} cannot be reached: {error or type(error).__name__}", "start `nurture run` there"
        )
        return
    if answer.is_success or answer.status_code == httpx.codes.GONE:  # there is no such mail; what we signed is known
        yield ok("way out", "a mail carries both headers, and its unsubscribe page answers")
    elif answer.status_code == httpx.codes.NOT_FOUND:
        yield fault(
            "way out", "what runs there does not know a link that was signed here",
            "give both the same NURTURE_SECRET_KEY, and look at NURTURE_BASE_URL",
        )  # fmt: skip
    else:
        yield fault(
            "way out",
            f"the unsubscribe page answers {answer.status_code}",
            "let /u/ through without a login or a redirect",
        )
