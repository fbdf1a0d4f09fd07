"""How providers prove that a hook is theirs. Each check reads the raw bytes and compares in constant time.

The secrets of an account are tried in turn, so that one can be replaced while hooks signed with the other still come.
"""

from __future__ import annotations

import base64
import binascii
import hmac
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_der_public_key
from standardwebhooks.webhooks import EmptyWebhookSecretError, Webhook

from nurture.errors import BadSignature

if TYPE_CHECKING:
    from nurture.providers.base import Account, Hook

Verify = Callable[["Hook", "Account", datetime], None]
CHALLENGE = 'Basic realm="hooks"'
TOLERANCE = timedelta(minutes=5)


def secrets(account: Account) -> tuple[str, ...]:
    """The account's hook secrets. Without one no hook is believed."""
    found = tuple(secret for secret in account.hook_secrets if secret)
    if not found:
        name = account.provider.upper().replace("-", "_")
        raise BadSignature(f"no hook secret is set for {account.provider}; set NURTURE_PROVIDERS__{name}__HOOK_SECRET")
    return found


def basic_auth(hook: Hook, account: Account, now: datetime) -> None:  # noqa: ARG001 - as every check
    """`user:password` in the Authorization header, for providers that sign nothing."""
    scheme, _, given = hook.headers.get("authorization", "").partition(" ")
    try:
        login = base64.b64decode(given, validate=True) if scheme.lower() == "basic" else b""
    except (binascii.Error, ValueError):
        login = b""
    if not _any(hmac.compare_digest(login, secret.encode()) for secret in secrets(account)):
        raise BadSignature(challenge=CHALLENGE)


def ecdsa(signature_header: str, timestamp_header: str) -> Verify:
    """ECDSA P-256 with SHA-256 over timestamp and raw body; the secret is the public key, base64 of DER (SendGrid).

    SendGrid repeats a hook for 24 hours and does not say whether it signs it anew, so age alone refuses nothing:
    repeats are known by what they mean.
    """

    def verify(hook: Hook, account: Account, now: datetime) -> None:  # noqa: ARG001 - as every check
        signed = hook.headers.get(timestamp_header, "").encode() + hook.body
        try:
            signature = base64.b64decode(hook.headers.get(signature_header, ""), validate=True)
        except (binascii.Error, ValueError):
            raise BadSignature from None
        if not signature or not _any(_is_signed(secret, signature, signed) for secret in secrets(account)):
            raise BadSignature

    return verify


def _is_signed(public_key: str, signature: bytes, signed: bytes) -> bool:
    try:
        key = load_der_public_key(base64.b64decode(public_key))
        assert isinstance(key, ec.EllipticCurvePublicKey)
        key.verify(signature, signed, ec.ECDSA(hashes.SHA256()))
    except (InvalidSignature, UnsupportedAlgorithm, ValueError, AssertionError):
        return False
    return True


RETRIED = timedelta(hours=12)


def mailgun_token(given: Mapping[str, object], account: Account, now: datetime) -> None:
    """HMAC-SHA256 over a timestamp and a token that stand beside the report or the mail, which is not signed (Mailgun).

    Mailgun repeats a hook for eight hours and does not say whether it signs it anew. So that whoever saw one token
    cannot use it for another report, a token is good for one hook: `Provider.once`.
    """
    try:
        at, token, signature = (str(given[name]) for name in ("timestamp", "token", "signature"))
        sent = datetime.fromtimestamp(int(at), UTC)
    except (ValueError, LookupError, TypeError, OverflowError, OSError, RecursionError):
        raise BadSignature from None
    if not -TOLERANCE < now - sent < RETRIED or not token:
        raise BadSignature("it is too old, or of a time to come")
    signed = (at + token).encode()
    expected = [hmac.new(secret.encode(), signed, "sha256").hexdigest() for secret in secrets(account)]
    if not _any(hmac.compare_digest(one.encode(), signature.encode()) for one in expected):
        raise BadSignature


def standard_webhooks(*prefixes: str) -> Verify:
    """Standard Webhooks 1.0: HMAC-SHA256 over id, timestamp and raw body, five minutes either way.

    `prefixes` are how the three headers may begin, `webhook-` or Svix's `svix-`; all three in the same way.
    """

    def verify(hook: Hook, account: Account, now: datetime) -> None:
        prefix = next((one for one in prefixes if f"{one}id" in hook.headers), prefixes[0])
        headers = {
            f"webhook-{name}": hook.headers.get(f"{prefix}{name}", "") for name in ("id", "timestamp", "signature")
        }
        try:
            sent = datetime.fromtimestamp(int(headers["webhook-timestamp"]), UTC)
        except (ValueError, OverflowError, OSError):
            raise BadSignature from None
        if not headers["webhook-id"] or abs(now - sent) > TOLERANCE:
            raise BadSignature
        if not _any(_is_standard(secret, headers, sent, hook.body) for secret in secrets(account)):
            raise BadSignature

    return verify


def _is_standard(secret: str, headers: dict[str, str], sent: datetime, body: bytes) -> bool:
    try:
        expected = Webhook(secret).sign(headers["webhook-id"], sent, body.decode())
    except (EmptyWebhookSecretError, RuntimeError, ValueError):
        return False
    given = headers["webhook-signature"].split(" ")
    return _any(hmac.compare_digest(expected.encode(), one.encode()) for one in given)


def _any(checks: Iterable[bool]) -> bool:
    """True when any check holds; all are made, so that time tells nothing."""
    return any(list(checks))
