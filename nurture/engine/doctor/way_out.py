"""The way out of a mail, as a mail client takes it: the headers that carry it, the page, and one click (RFC 8058)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import urlsplit

import httpx

from nurture.engine.doctor.finding import HERE, Finding, Patient, fault, ok, warning
from nurture.errors import NurtureError
from nurture.mail.imagined import someone

WAIT = 5.0
"""Seconds for one call."""

ONE_CLICK = "List-Unsubscribe=One-Click"


def check(patient: Patient) -> Iterator[Finding]:
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
    if len(found) != 1 or clicks != [ONE_CLICK]:
        yield fault("way out", "a mail does not carry both unsubscribe headers once (RFC 8058)", "upgrade the program")
        return
    if patient.provider.abilities.own_way_out:
        yield warning(
            "way out", f"{patient.provider.name} writes its own List-Unsubscribe in place of ours",
            "look at a mail that you received: its headers need List-Unsubscribe and List-Unsubscribe-Post",
        )  # fmt: skip
    elif not patient.provider.abilities.one_click:
        yield warning(
            "way out", f"{patient.provider.name} does not document that List-Unsubscribe-Post leaves with our address",
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
    yield _tried(url, f"{patient.base_url}/u/…")


def _tried(url: str, shown: str) -> Finding:
    """The page is looked at and the one click made. There is no such mail, so nobody is taken off the list."""
    try:
        page = httpx.get(url, timeout=WAIT)
        click = httpx.post(url, data=dict([ONE_CLICK.split("=")]), timeout=WAIT)
    except httpx.HTTPError as error:
        return fault(
            "way out", f"{shown} cannot be reached: {error or type(error).__name__}", "start `nurture run` there"
        )
    if httpx.codes.NOT_FOUND in (page.status_code, click.status_code):
        return fault(
            "way out", "what runs there does not know a link that was signed here",
            "give both the same NURTURE_SECRET_KEY, and look at NURTURE_BASE_URL",
        )  # fmt: skip
    for what, answer in (("the unsubscribe page", page), ("one click (a POST, as RFC 8058 has it)", click)):
        if not answer.is_success and answer.status_code != httpx.codes.GONE:  # which is how what we signed is known
            mend = "let /u/ through without a login or a redirect, for GET and for POST"
            return fault("way out", f"{what} answers {answer.status_code}", mend)
    return ok("way out", "a mail carries both headers, and its unsubscribe page answers, also to one click")
