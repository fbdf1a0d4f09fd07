"""What others reach us by, and we them: the provider's key, what it says of our domains, our hooks."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import TYPE_CHECKING

import httpx

from nurture.engine.doctor.finding import Finding, Patient, fault, ok, setting, warning
from nurture.engine.doctor.machine import skew
from nurture.errors import DeliveryError, SettingsError, Unavailable
from nurture.providers import HOOKS, PROVIDERS

if TYPE_CHECKING:
    from nurture.providers.base import Account, Provider

WAIT = 5.0
"""Seconds for one call."""

COARSE = timedelta(seconds=10)
"""Up to here a provider's clock may seem to be off for the seconds that it leaves out and the way of its answer."""

WRONG = {
    "authorization": "Basic d3Jvbmc6d3Jvbmc=", "signature": "00", "stripe-signature": "t=0,v1=00",
    "x-mandrill-signature": "AAAA", "svix-id": "doctor", "svix-timestamp": "0", "svix-signature": "v1,AAAA",
    "webhook-id": "doctor", "webhook-timestamp": "0", "webhook-signature": "v1,AAAA",
    "x-twilio-email-event-webhook-signature": "AAAA", "x-twilio-email-event-webhook-timestamp": "0",
}  # fmt: skip
"""A wrong proof of every kind at once."""


def key(patient: Patient) -> Iterator[Finding]:
    """Whether the provider that sends knows us, and every other one of which we have a key."""
    yield from _known(patient.provider, patient.account, patient.transport)
    for name, account in patient.accounts.items():
        other = PROVIDERS.get(name)
        if (
            other is not None
            and other is not patient.provider
            and other.ping is not None
            and (account.key or account.url)
        ):
            yield from _known(other, account, patient.transport)


def _known(provider: Provider, account: Account, transport: object) -> Iterator[Finding]:
    name = provider.name
    wanted, what = (account.url, "URL") if name == "smtp" else (account.key, "KEY")
    if provider.ping is None:
        says = f"{name} offers no harmless call, so its key is not tried" if account.key else f"{name} needs no key"
        yield ok("key", says)
        return
    if not wanted:
        yield fault("key", f"{name} has no {what.lower()}", f"set {setting(name, what)}")
        return
    try:
        ahead = provider.ping(account, transport)
    except Unavailable as error:
        if error.gate:
            mend = f"set {setting(name, what)} to one that works"
            yield fault("key", f"{name} does not know us: {error}", mend)
        else:
            yield warning("key", f"{name} could not be asked: {error}", "try again; look at the vendor's status page")
        return
    except (DeliveryError, SettingsError) as error:
        yield fault("key", f"{name}: {error}", f"set {setting(name, what)}")
        return
    yield ok("key", f"{name} knows us")
    if ahead is not None and abs(ahead) > COARSE:
        yield skew(ahead, f"{name}'s", "timedatectl set-ntp true: signatures and hooks are believed by the clock")


def vendor(patient: Patient) -> Iterator[Finding]:
    """What the provider's own settings say of the domains that mail is sent from. What it does not tell is no finding."""
    provider = patient.provider
    if provider.standing is None or not patient.account.key:
        return
    try:
        remarks = provider.standing(patient.account, patient.domains, patient.transport)
    except DeliveryError:  # which was said of its key
        return
    for remark in remarks or ():
        yield warning("vendor", f"{provider.name} {remark.says}", remark.mend)
    if remarks == []:
        yield ok("vendor", f"{provider.name} has nothing against mail from {', '.join(patient.domains) or 'us'}")


def hooks(patient: Patient) -> Iterator[Finding]:
    """Whether our hooks are reached, and refuse what has no proof or a wrong one."""
    provider, reporters = patient.provider, []
    if patient.sends and provider.verify is None:
        yield ok("hooks", f"{provider.name} reports nothing by itself")
    elif patient.sends and not patient.account.hook_secrets:
        yield warning(
            "hooks", f"no hook secret is set for {provider.name}, so bounces and complaints are not heard of",
            f"set {setting(provider.name, 'HOOK_SECRET')}",
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
