"""SNS as Amazon runs it, small: a certificate of its own, signed messages, and a place that serves both addresses."""

import base64
import json
from datetime import UTC, datetime, timedelta
from functools import cache

import httpx
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import CertificateBuilder, Name, NameAttribute, random_serial_number
from cryptography.x509.oid import NameOID

TOPIC = "arn:aws:sns:eu-west-1:123456789012:ses-events"
PEM = "https://sns.eu-west-1.amazonaws.com/SimpleNotificationService-01d088a6f77103d0fe307c0069e40ed6.pem"
CONFIRM = f"https://sns.eu-west-1.amazonaws.com/?Action=ConfirmSubscription&TopicArn={TOPIC}&Token=tok123"
ID = "165545c9-2a5c-472c-8df2-7ff2be2b3b1b"
SIGNED = {
    "Notification": ("Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"),
    "SubscriptionConfirmation": ("Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"),
    "UnsubscribeConfirmation": ("Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"),
}


@cache
def key():
    return rsa.generate_private_key(65537, 2048)


def certificate(since=datetime(2026, 1, 1, tzinfo=UTC), days=365, of=None):
    name = Name([NameAttribute(NameOID.COMMON_NAME, "sns.amazonaws.com")])
    made = CertificateBuilder(name, name, (of or key()).public_key(), random_serial_number()).not_valid_before(since)
    return made.not_valid_after(since + timedelta(days=days)).sign(key(), hashes.SHA256()).public_bytes(Encoding.PEM)


def canonical(told):
    return "".join(f"{name}\n{told[name]}\n" for name in SIGNED[told["Type"]] if name in told)


def signed(message, now, *, version="1", by=None, **fields):
    """A message of SNS as it is posted; `fields` replace or add, before it is signed."""
    told = {
        "Type": "Notification", "MessageId": ID, "TopicArn": TOPIC,
        "Message": message if isinstance(message, str) else json.dumps(message), "SignatureVersion": version,
        "Timestamp": now.strftime("%Y-%m-%dT%H:%M:%S.678Z"), "SigningCertURL": PEM, **fields,
    }  # fmt: skip
    algorithm = hashes.SHA1() if version == "1" else hashes.SHA256()
    signature = (by or key()).sign(canonical(told).encode(), padding.PKCS1v15(), algorithm)
    return {**told, "Signature": base64.b64encode(signature).decode()}


class Place(httpx.BaseTransport):
    """Serves the certificate and takes confirmations; remembers what it was asked."""

    def __init__(self, **answers):
        self.answers = {PEM: httpx.Response(200, content=certificate()), CONFIRM: httpx.Response(200), **answers}
        self.asked = []

    def handle_request(self, request):
        self.asked.append(str(request.url))
        answer = self.answers[str(request.url)]
        if isinstance(answer, Exception):
            raise answer
        return answer
