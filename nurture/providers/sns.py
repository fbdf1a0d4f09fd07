"""Amazon SNS: signed messages, and the confirmation that a new subscription asks for.

https://docs.aws.amazon.com/sns/latest/dg/sns-verify-signature-of-message.html. AWS signs for every customer, so a
signature proves nothing until the topic is one of ours; and a message names the addresses of its certificate and of
its confirmation itself, so both are fetched from the topic's own region of SNS and from nowhere else.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

import httpx
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.x509 import Certificate, load_pem_x509_certificate

from nurture.errors import BadSignature, Unavailable
from nurture.providers.http import Line
from nurture.providers.signatures import TOLERANCE, secrets

if TYPE_CHECKING:
    from nurture.providers.base import Account, Hook

ARN = re.compile(r"arn:aws(?P<china>-cn)?(-us-gov)?:sns:(?P<region>[a-z0-9-]{3,30}):\d{12}:[A-Za-z0-9_.-]{1,256}")
SIGNED = {
    "Notification": ("Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"),
    "SubscriptionConfirmation": ("Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"),
    "UnsubscribeConfirmation": ("Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"),
}
HASHES: Mapping[str, hashes.HashAlgorithm] = {"1": hashes.SHA1(), "2": hashes.SHA256()}  # noqa: S303 - version 1 is SNS's default
LATEST = timedelta(hours=1) + TOLERANCE
"""SNS repeats a message for an hour at most, signed once."""

PATIENCE = 5.0
LARGEST_CERTIFICATE = 50_000


class Sns:
    """Checks messages, and keeps the certificates that it fetched for that. Tests hand in a transport."""

    def __init__(self, transport: httpx.BaseTransport | None = None) -> None:
        self._transport = transport
        self._certificate = lru_cache(maxsize=8)(self._fetched)

    def verify(self, hook: Hook, account: Account, now: datetime) -> None:
        """The account's hook secrets are the topics that are believed, by their ARN."""
        told = _told(hook)
        known = ARN.fullmatch(told["TopicArn"])
        if told["TopicArn"] not in secrets(account) or known is None:
            raise BadSignature("it comes from another topic")
        if hook.headers.get("x-amz-sns-message-type", told["Type"]) != told["Type"]:
            raise BadSignature
        sent = datetime.fromisoformat(told["Timestamp"])
        if not -TOLERANCE < now - sent < LATEST:
            raise BadSignature("it is too old")
        if not _is_of_sns(told["SigningCertURL"], known, r"[\w./-]+\.pem"):
            raise BadSignature("its certificate is not from SNS")
        certificate = self._certificate(told["SigningCertURL"])
        if not certificate.not_valid_before_utc < now < certificate.not_valid_after_utc:
            raise BadSignature("its certificate is not valid now")
        _check(certificate, told)

    def greet(self, hook: Hook) -> None:
        """Confirm a new subscription, of a message that `verify` let pass."""
        told = _told(hook)
        known = ARN.fullmatch(told["TopicArn"])
        if told["Type"] != "SubscriptionConfirmation" or known is None:
            return
        url = told["SubscribeURL"]
        asked = parse_qs(url.partition("?")[2])
        wanted = (["ConfirmSubscription"], [told["TopicArn"]])
        if not _is_of_sns(url, known, r"\?[!-~]+") or (asked.get("Action"), asked.get("TopicArn")) != wanted:
            raise BadSignature("its confirmation leads elsewhere")
        self._got(url)

    def _fetched(self, url: str) -> Certificate:
        found = self._got(url)
        try:
            return load_pem_x509_certificate(found[:LARGEST_CERTIFICATE])
        except ValueError as error:
            raise BadSignature(f"its certificate cannot be read: {error}") from None

    def _got(self, url: str) -> bytes:
        """What is at an address of SNS; redirects are not followed."""
        line = self._transport or Line(PATIENCE)
        try:
            response = line.handle_request(httpx.Request("GET", url))
            response.read()
        except httpx.HTTPError as error:
            raise Unavailable(f"SNS cannot be reached: {error}") from error
        finally:
            if self._transport is None:
                line.close()
        if response.status_code != httpx.codes.OK:
            raise Unavailable(f"SNS answered {response.status_code}")
        return response.content


def _told(hook: Hook) -> dict[str, Any]:
    """The envelope, with every field that is signed a text."""
    try:
        told = hook.json()
        fields = (*SIGNED[told["Type"]], "Signature", "SignatureVersion", "SigningCertURL")
        texts = all(isinstance(told[name], str) for name in fields if name != "Subject" or told.get(name) is not None)
        if texts and datetime.fromisoformat(told["Timestamp"]).tzinfo is not None:
            return dict(told)
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        pass
    raise BadSignature


def _is_of_sns(url: str, arn: re.Match[str], path: str) -> bool:
    """Whether this is the SNS of the topic's region, over TLS, with no port, no login and no trick of spelling."""
    host = f"sns.{arn['region']}.amazonaws.com{'.cn' if arn['china'] else ''}"
    return re.fullmatch(rf"https://{re.escape(host)}/{path}", url, re.ASCII) is not None


def _check(certificate: Certificate, told: Mapping[str, str]) -> None:
    signed = "".join(
        f"{name}\n{told[name]}\n" for name in SIGNED[told["Type"]] if name != "Subject" or told.get(name) is not None
    )
    key = certificate.public_key()
    algorithm = HASHES.get(told["SignatureVersion"])
    if algorithm is None or not isinstance(key, RSAPublicKey):
        raise BadSignature
    try:
        signature = base64.b64decode(told["Signature"], validate=True)
        key.verify(signature, signed.encode(), PKCS1v15(), algorithm)
    except (InvalidSignature, UnsupportedAlgorithm, binascii.Error, ValueError):
        raise BadSignature from None
