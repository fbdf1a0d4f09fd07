"""One signed event to one address of the project's: small, short, and never somewhere inside by mistake.

Signed as Standard Webhooks 1.0 says (https://github.com/standard-webhooks/standard-webhooks). An address is looked up
and judged at each new connection, and that connection goes to what was judged, so that a name that changes its mind in
between leads nowhere else.
"""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from functools import partial
from ipaddress import IPv4Address, IPv6Address, ip_address
from socket import SOCK_STREAM, gaierror, getaddrinfo
from urllib.parse import urlsplit
from weakref import finalize

import httpcore
import httpx
from standardwebhooks import Webhook

from nurture import __version__
from nurture.errors import Rejected, Unavailable
from nurture.providers.http import Line, retry_after

TIMEOUT = 5.0
"""Seconds for one whole call."""

ENOUGH = 1_000
"""Bytes of an answer that are read: nobody needs it."""

HERE = frozenset({"localhost", "127.0.0.1", "::1"})
IPAddress = IPv4Address | IPv6Address
Lookup = Callable[[str, int], Iterable[str]]


def addresses(host: str, port: int) -> list[str]:
    return [str(found[4][0]) for found in getaddrinfo(host, port, type=SOCK_STREAM)]


def complaint(url: str, *, private: bool) -> str:
    """Why this address cannot be a listener's, "" when it can."""
    parts = urlsplit(url)
    try:
        host, _ = parts.hostname, parts.port
    except ValueError:
        host = None
    if parts.scheme not in ("http", "https") or not host or parts.fragment:
        return "is no web address; write it like https://crm.example.com/hooks/nurture"
    if parts.username or parts.password:
        return "holds a password; the signature says who calls"
    if parts.scheme == "http" and host not in HERE and not private:
        return "is not encrypted; begin it with https://"
    return ""


def place(url: str, *, private: bool, lookup: Lookup = addresses) -> Callable[[str, int], str]:
    """Where to connect for a host of this listener: an address of it that was judged. Raises httpcore.ConnectError.

    Every address that the name has must be good, since nobody says which of them is taken.
    """
    plain = urlsplit(url).scheme == "http"

    def judged(host: str, port: int) -> str:
        try:
            found = [ip_address(one.partition("%")[0]) for one in lookup(host, port)]
        except (gaierror, ValueError, UnicodeError) as error:
            raise httpcore.ConnectError(f"{host} has no address: {error}") from None
        for one in found:
            why = _refused(one, host, private=private, plain=plain)
            if why:
                raise httpcore.ConnectError(f"{host} is {one}, {why}")
        if not found:
            raise httpcore.ConnectError(f"{host} has no address")
        return str(found[0])

    return judged


def _refused(found: IPAddress, host: str, *, private: bool, plain: bool) -> str:
    inner = _inner(found)
    if inner.is_multicast or inner.is_unspecified or inner.is_link_local:  # link-local: the cloud's own secrets
        return "which is nobody's to post to"
    if inner.is_loopback:
        return "" if private or host in HERE else "this machine itself"
    if not inner.is_global:
        return "" if private else "inside a private network; `private = true` allows it"
    return "a public address, where only https:// is safe" if plain else ""


def _inner(found: IPAddress) -> IPAddress:
    """The IPv4 address that an IPv6 one stands for: mapped (RFC 4291), 6to4 (RFC 3056), NAT64 (RFC 6052)."""
    if isinstance(found, IPv4Address):
        return found
    if found.packed[:12] == bytes.fromhex("0064ff9b0000000000000000"):
        return IPv4Address(found.packed[12:])
    return found.ipv4_mapped or found.sixtofour or found


class Ear(Line):
    """One connection to one listener. Reads no more of an answer than tells that it came."""

    def __init__(self, url: str, *, private: bool, lookup: Lookup = addresses) -> None:
        super().__init__(TIMEOUT, place(url, private=private, lookup=lookup))

    def _read(self, answer: httpcore.Response) -> bytes:
        body = b""
        try:
            for piece in answer.iter_stream():
                body += piece
                if len(body) >= ENOUGH:
                    break
        finally:
            answer.close()
        return body[:ENOUGH]


def unreadable(secret: str) -> bool:
    """Whether this is no secret of Standard Webhooks: base64 of 24 bytes at least, `whsec_` before it."""
    try:
        return len(b64decode(secret.removeprefix("whsec_"), validate=True)) < 24
    except ValueError:
        return True


def sign(secrets: Sequence[str], event: str, now: datetime, body: str) -> str:
    """One signature a secret, so that a receiver may know the old one or the new one."""
    return " ".join(Webhook(secret).sign(event, now, body) for secret in secrets)


def _post(ear: httpx.BaseTransport, url: str, secrets: Sequence[str], event: str, body: str, now: datetime) -> None:
    """Tell one event. Raises Unavailable when nobody is there, Rejected when somebody is and did not want it."""
    headers = {"Content-Type": "application/json", "User-Agent": f"nurture/{__version__}"}
    if secrets:
        signature = sign(secrets, event, now, body)
        headers |= {
            "webhook-id": event, "webhook-timestamp": str(int(now.timestamp())), "webhook-signature": signature,
        }  # fmt: skip
    request = httpx.Request("POST", url, headers=headers, content=body.encode())
    try:
        response = ear.handle_request(request)
        response.read()
    except httpx.HTTPError as error:
        raise Unavailable(f"cannot be reached: {str(error) or type(error).__name__}") from error
    status = response.status_code
    if response.is_success:
        return
    if status == httpx.codes.TOO_MANY_REQUESTS or status >= 500:
        raise Unavailable(f"answered {status}", retry_after=retry_after(response))
    if 300 <= status < 400:
        raise Rejected(f"answered {status}, and redirects are not followed")
    raise Rejected(f"answered {status}")


Post = Callable[[str, str, datetime], None]
"""Tells one event: its id, what is told, the time."""


def connect(
    url: str, secrets: Sequence[str], *, private: bool = False, transport: httpx.BaseTransport | None = None
) -> Post:
    """A way to tell one listener. One thread at a time."""
    ear = transport or Ear(url, private=private)
    posted = partial(_post, ear, url, secrets)
    if transport is None:
        finalize(posted, ear.close).atexit = False  # with whoever tells; never under a call at the end of the program
    return posted
