"""Stripe: purchases, and nothing else. https://docs.stripe.com/webhooks, objects https://docs.stripe.com/api/events/types

Three reports tell of a purchase: a paid checkout, the first paid invoice of a subscription (a renewal is no new yes) or
one without a subscription, and a payment that names its product. What was bought is `nurture_product` in the metadata,
else a price, product or payment link of Stripe's that settings map to a product of people.yaml. A refund does not undo
that someone said yes.
"""

from __future__ import annotations

import hmac
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from nurture.errors import BadSignature, Refused
from nurture.providers.base import Abilities, Account, Hook, Provider, Told, sends_nothing
from nurture.providers.signatures import TOLERANCE, secrets

PRODUCT, EMAIL = "nurture_product", "nurture_email"
"""Names in Stripe's metadata: what was bought, and by whom where they pay from another address."""

FIRST_INVOICES = ("subscription_create", "manual")
"""Reasons for an invoice that are a new yes (https://docs.stripe.com/api/invoices/object#invoice_object-billing_reason)."""


def verify(hook: Hook, account: Account, now: datetime) -> None:
    """HMAC-SHA256 over time and raw body (https://docs.stripe.com/webhooks#verify-manually), five minutes either way.

    While a secret is rolled Stripe signs with both, so the header lists several `v1`. `v0` is of test events, and no proof.
    """
    fields = [part.partition("=")[::2] for part in hook.headers.get("stripe-signature", "").split(",")]
    times = [value for name, value in fields if name.strip() == "t"]
    given = [value.encode() for name, value in fields if name.strip() == "v1"]
    known = secrets(account)
    try:
        (stamp,) = times
        sent = datetime.fromtimestamp(int(stamp), UTC)
    except (ValueError, OverflowError, OSError):
        raise BadSignature from None
    if abs(now - sent) > TOLERANCE:
        raise BadSignature
    signed = stamp.encode() + b"." + hook.body
    right = [
        hmac.compare_digest(hmac.digest(secret.encode(), signed, "sha256").hex().encode(), one)
        for secret in known
        for one in given
    ]
    if not any(right):
        raise BadSignature


def told(item: Any, hook: Hook) -> Told | None:  # noqa: ANN401, ARG001 - what a vendor posts has no type
    kind, thing = item["type"], item["data"]["object"]
    named = _metadata(thing)
    match kind:
        case "checkout.session.completed" | "checkout.session.async_payment_succeeded":
            if thing.get("payment_status") == "unpaid":
                return None  # a bank transfer on its way: `async_payment_succeeded` tells when it arrives
            emails = [(thing.get("customer_details") or {}).get("email"), thing.get("customer_email")]
            references = [thing.get("payment_link")]
        case "invoice.paid":
            if thing.get("billing_reason") not in FIRST_INVOICES:
                return None
            emails, references = [thing.get("customer_email")], list(_of_lines(thing))
        case "payment_intent.succeeded":
            if not named.get(PRODUCT):
                return None  # the inside of a checkout or an invoice, which reports for itself
            emails, references = [thing.get("receipt_email")], []
        case _:
            return None
    email = next((str(one) for one in (named.get(EMAIL), *emails) if one), "")
    if not email:
        raise Refused(f"{kind} {thing.get('id', '')} names no person: it has no email; put {EMAIL} into its metadata")
    product = str(named.get(PRODUCT) or "")
    known = tuple(str(one) for one in references if one)
    data = {"product": product, "paid": str(thing.get("id", ""))}
    return Told(email, "bought", datetime.fromtimestamp(item["created"], UTC), str(item["id"]), data, known)


def _metadata(thing: Mapping[str, Any]) -> dict[str, Any]:
    """The object's own, over what an invoice has of its subscription and its lines."""
    parent = (thing.get("parent") or {}).get("subscription_details") or thing.get("subscription_details") or {}
    found: dict[str, Any] = {}
    for line in _lines(thing):
        found |= line.get("metadata") or {}
    return found | (parent.get("metadata") or {}) | (thing.get("metadata") or {})


def _of_lines(invoice: Mapping[str, Any]) -> Iterator[Any]:
    """Prices and products of an invoice's lines, as Stripe's API wrote them until 2025-03-31 and since."""
    for line in _lines(invoice):
        price = line.get("price") or {}
        details = (line.get("pricing") or {}).get("price_details") or {}
        yield from (price.get("id"), price.get("product"), details.get("price"), details.get("product"))


def _lines(thing: Mapping[str, Any]) -> list[Any]:
    lines = thing.get("lines")
    return lines.get("data") or [] if isinstance(lines, dict) else []


stripe = Provider(
    "stripe",
    sends_nothing,
    verify,
    told=told,
    abilities=Abilities(signs="HMAC-SHA256", covers="the body and its time"),
)
