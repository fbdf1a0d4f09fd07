"""Sending over HTTP: one request a message, on one connection a thread, inside one wall of time.

httpx builds the request and reads the answer; the connection under it is a single httpcore connection rather than
httpx's pool, which walks all its connections at every request (encode/httpx#3215) and costs several times as much.
What went wrong is sorted by what is known of the mail: nothing left, or it may have.
"""

from __future__ import annotations

import ssl
from base64 import b64encode
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import lru_cache
from time import monotonic, time
from types import MappingProxyType
from typing import TYPE_CHECKING, Any
from weakref import finalize

import httpcore
import httpx
from pydantic_core import to_json

from nurture import __version__
from nurture.errors import DeliveryError, Rejected, Unavailable, Uncertain
from nurture.providers.base import Account, Connect, ConnectMany, Find, Send, SendMany

if TYPE_CHECKING:
    from nurture.mail.message import Message

TIMEOUT = 20.0
"""Seconds for one whole call, whatever the server does: connecting, writing, and the last byte of the answer."""

LARGEST_ANSWER = 1_000_000
LONGEST_WAIT = 3600.0
"""The most we wait because a provider said so, in seconds: odd `Retry-After` values exist."""

FIRST_MOMENT = 1e9
"""A larger number of seconds is a moment of this century, no wait."""

NO_HEADERS: Mapping[str, str] = MappingProxyType({})

Request = Callable[["Message", Account], httpx.Request]
RequestMany = Callable[["Sequence[Message]", Account], httpx.Request]
Receipt = Callable[[httpx.Response], str]
Receipts = Callable[[httpx.Response], "list[str | DeliveryError]"]
Judge = Callable[[httpx.Response], str | None]
Search = Callable[[str, datetime, Account], httpx.Request]


def over_http(request: Request, receipt: Receipt, judge: Judge | None = None) -> Connect:
    """A way to send. `request` builds the call, `receipt` finds the provider's id in a good answer.

    `judge` may raise what an answer means before the general rules do, where a provider proves more than its status;
    or return the provider's id, where an answer that is not a good one proves that the mail was taken before.
    """

    def connect(account: Account, transport: httpx.BaseTransport | None = None) -> Send:
        line = transport or Line(TIMEOUT)

        def send(message: Message) -> str:
            response = _call(line, _asked(lambda: request(message, account), account))
            known = judge(response) if judge is not None else None
            return known or _settled(response, receipt)

        if transport is None:
            finalize(send, line.close).atexit = False  # with its thread; never under a call at the end of the program
        return send

    return connect


def many_over_http(request: RequestMany, receipts: Receipts, judge: Judge | None = None) -> ConnectMany:
    """A way to send many in one call. `receipts` reads a good answer: for each mail its id, or what went wrong with it.

    An answer that is not good says of all what it would say of one; `judge` may raise before that, as above.
    """

    def connect(account: Account, transport: httpx.BaseTransport | None = None) -> SendMany:
        line = transport or Line(TIMEOUT)

        def send(messages: Sequence[Message]) -> list[str | DeliveryError]:
            response = _call(line, _asked(lambda: request(messages, account), account))
            if not response.is_success:
                if judge is not None:
                    judge(response)
                _settled(response, lambda _: "")
            try:
                found = receipts(response)
            except (ValueError, LookupError, TypeError, AttributeError):
                found = []
            if len(found) != len(messages):
                raise Uncertain(f"answered {len(messages)} mails with what nobody can read: {_words(response)}")
            return found

        if transport is None:
            finalize(send, line.close).atexit = False  # as above
        return send

    return connect


def by_search(search: Search, receipt: Receipt) -> Find:
    """A way to find a mail by our id. `receipt` reads the provider's id of it from a good answer, "" when there is none."""

    def find(message: str, since: datetime, account: Account, transport: httpx.BaseTransport | None = None) -> str:
        line = transport or Line(TIMEOUT)
        try:
            response = _call(line, _asked(lambda: search(message, since, account), account))
        finally:
            if transport is None:
                line.close()
        if response.status_code != httpx.codes.OK:
            raise Unavailable(
                f"cannot be searched ({response.status_code}): {_words(response)}", retry_after=reset(response)
            )
        try:
            return receipt(response)
        except (ValueError, LookupError, TypeError, AttributeError):
            raise Uncertain(f"answered a search with what nobody can read: {_words(response)}") from None

    return find


def posted(url: str, body: object, headers: Mapping[str, str] = NO_HEADERS) -> httpx.Request:
    """A JSON document to be posted. By pydantic's writer and an address that is read once: a third of the time."""
    json = {**headers, "Content-Type": "application/json"}
    return httpx.Request("POST", _address(url), headers=json, content=to_json(body))


@lru_cache(maxsize=64)
def _address(url: str) -> httpx.URL:
    return httpx.URL(url)


def basic(user: str, password: str) -> str:
    """The Authorization header of a login."""
    return f"Basic {b64encode(f'{user}:{password}'.encode()).decode()}"


def _asked(made: Callable[[], httpx.Request], account: Account) -> httpx.Request:
    cannot = f"the key or the url of {account.provider} cannot be used"
    if not (account.key.isascii() and account.key.isprintable()):  # no vendor's is, also where it is encoded
        raise Unavailable(cannot, gate=True)
    try:
        asked = made()
    except (UnicodeError, httpx.InvalidURL):
        raise Unavailable(cannot, gate=True) from None
    asked.headers.setdefault("User-Agent", f"nurture/{__version__}")  # Resend refuses requests without one
    return asked


def _call(line: httpx.BaseTransport, request: httpx.Request) -> httpx.Response:
    try:
        response = line.handle_request(request)
        response.read()
    except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.UnsupportedProtocol) as error:
        raise Unavailable(f"cannot be reached: {error}") from error
    except httpx.LocalProtocolError:  # found before the first byte left: a line break in the key
        # its own words would show the key
        raise Unavailable("cannot be asked: a header holds what no header may, likely the key", gate=True) from None
    except httpx.HTTPError as error:
        raise Uncertain(f"no answer: {type(error).__name__}: {error}".rstrip(": ")) from error
    return response


def _settled(response: httpx.Response, receipt: Receipt) -> str:
    status = response.status_code
    if response.is_success:
        try:
            found = receipt(response)
        except (ValueError, LookupError, TypeError, AttributeError):
            found = ""
        if not found:
            raise Uncertain(f"answered {status} without its mark: {_words(response)}")
        return found
    if status == httpx.codes.TOO_MANY_REQUESTS:
        raise Unavailable(f"asks to slow down: {_words(response)}", retry_after=reset(response) or 1.0)
    if status in (401, 403) or response.is_redirect or response.has_redirect_location:
        raise Unavailable(f"does not let us in ({status}): {_words(response)}", gate=True)
    if status >= 500 or status == httpx.codes.REQUEST_TIMEOUT or status < 200:
        raise Uncertain(f"answered {status}: {_words(response)}")
    if 300 <= status < 400:
        raise Unavailable(f"sends us elsewhere ({status})", gate=True)
    raise Rejected(f"refused ({status}): {_words(response)}")


RESETS = ("retry-after", "ratelimit-reset", "x-ratelimit-reset", "x-sib-ratelimit-reset")
"""Headers that say when a rate is ours again: RFC 9110; the IETF's draft (Resend); SendGrid, MailerSend; Brevo."""


def reset(response: httpx.Response) -> float | None:
    """How long to wait, by the first of the headers that says so; None when none does."""
    return next(filter(None, (retry_after(response, header) for header in RESETS)), None)


def retry_after(response: httpx.Response, header: str = "retry-after") -> float | None:
    """What `Retry-After` says, in seconds between 0 and an hour; None when it says nothing that can be read."""
    return wait_of(response.headers.get(header, ""))


def wait_of(said: str) -> float | None:
    """A number of seconds, or a moment in Unix seconds, as mails write it or by ISO 8601; as `retry_after`."""
    said = said.strip()
    try:
        seconds = float(said)
        if seconds >= FIRST_MOMENT:
            seconds -= time()
    except ValueError:
        at = _moment(said)
        if at is None:
            return None
        seconds = at.timestamp() - time()
    return min(max(seconds, 0.0), LONGEST_WAIT) if seconds == seconds else None  # noqa: PLR0124 - NaN is not itself


def _moment(said: str) -> datetime | None:
    for read in (parsedate_to_datetime, datetime.fromisoformat):
        with suppress(ValueError, TypeError):
            at = read(said)
            return at if at.tzinfo is not None else at.replace(tzinfo=UTC)
    return None


def key_in_use(response: httpx.Response, *, at_work: bool) -> Unavailable:
    """What a 409 about an idempotency key means: the first request is still at work, or its bytes were others."""
    return Unavailable(f"knows this key: {_words(response)}", retry_after=5.0 if at_work else None, gate=not at_work)


def _words(response: httpx.Response) -> str:
    """What the provider said, short enough to be kept with the message."""
    return " ".join(response.text.split())[:300] or "nothing"


# --- one connection


@lru_cache(maxsize=1)
def _trust() -> ssl.SSLContext:
    return httpx.create_ssl_context()


class Line(httpx.BaseTransport):
    """One connection, opened when needed, with a wall of time around each whole call.

    `place` says to which address a host is connected, where that is not left to the system.
    """

    def __init__(self, timeout: float, place: Callable[[str, int], str] | None = None) -> None:
        self._network = _Walled(timeout, place)
        self._connection: httpcore.HTTPConnection | None = None

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        self._network.start()
        origin = httpcore.URL(
            scheme=request.url.raw_scheme, host=request.url.raw_host, port=request.url.port, target=request.url.raw_path
        )
        call = httpcore.Request(
            method=request.method, url=origin, headers=request.headers.raw, content=request.stream,
            extensions={"timeout": {"connect": TIMEOUT, "read": TIMEOUT, "write": TIMEOUT, "pool": TIMEOUT}},
        )  # fmt: skip
        try:
            answer = self._open(origin).handle_request(call)
            body = self._read(answer)
        except httpcore.ConnectTimeout as error:
            self.close()
            raise httpx.ConnectTimeout(str(error), request=request) from error
        except httpcore.ConnectError as error:
            self.close()
            raise httpx.ConnectError(str(error), request=request) from error
        except httpcore.TimeoutException as error:
            self.close()
            raise httpx.ReadTimeout(str(error) or "no whole answer in time", request=request) from error
        except httpcore.LocalProtocolError as error:
            self.close()
            raise httpx.LocalProtocolError(str(error), request=request) from error
        except (httpcore.NetworkError, httpcore.ProtocolError, httpcore.ConnectionNotAvailable) as error:
            self.close()
            raise httpx.RemoteProtocolError(str(error), request=request) from error
        return httpx.Response(answer.status, headers=answer.headers, content=body, request=request)

    def _open(self, origin: httpcore.URL) -> httpcore.HTTPConnection:
        known = self._connection
        if known is not None and not known.is_closed() and not known.has_expired() and known.is_idle():
            return known
        self.close()
        self._connection = httpcore.HTTPConnection(
            origin.origin, ssl_context=_trust() if origin.scheme == b"https" else None, network_backend=self._network,
            keepalive_expiry=30.0,
        )  # fmt: skip
        return self._connection

    def _read(self, answer: httpcore.Response) -> bytes:
        body = b""
        try:
            for piece in answer.iter_stream():
                body += piece
                if len(body) > LARGEST_ANSWER:
                    raise httpcore.RemoteProtocolError("the answer is larger than a megabyte")
        finally:
            answer.close()
        return body

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


class _Walled(httpcore.NetworkBackend):
    """A network whose every wait is cut short at one moment, so that a server that drips bytes cannot outlive it."""

    def __init__(self, timeout: float, place: Callable[[str, int], str] | None) -> None:
        self._real = httpcore.SyncBackend()
        self._place = place
        self._timeout = timeout
        self._until = 0.0

    def start(self) -> None:
        self._until = monotonic() + self._timeout

    def left(self) -> float:
        remaining = self._until - monotonic()
        if remaining <= 0:
            raise httpcore.ReadTimeout("the whole call took too long")
        return remaining

    def connect_tcp(
        self, host: str, port: int, timeout: float | None = None, local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:  # fmt: skip
        stream = self._real.connect_tcp(
            self._place(host, port) if self._place is not None else host, port,
            timeout=min(timeout or self._timeout, self.left()), local_address=local_address,
            socket_options=socket_options,
        )  # fmt: skip
        return _Stream(stream, self)


class _Stream(httpcore.NetworkStream):
    """Head and body of a request leave together, when the answer is waited for: one system call, not one each."""

    def __init__(self, stream: httpcore.NetworkStream, wall: _Walled) -> None:
        self._stream = stream
        self._wall = wall
        self._unsent: list[bytes] = []

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ARG002 - the wall is nearer
        if self._unsent:
            whole, self._unsent = b"".join(self._unsent), []
            with suppress(httpcore.WriteError):  # as httpcore does: a server may refuse before it has read all
                self._stream.write(whole, timeout=self._wall.left())
        return self._stream.read(max_bytes, timeout=self._wall.left())

    def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ARG002 - the wall is nearer
        self._unsent.append(buffer)

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        secure = self._stream.start_tls(ssl_context, server_hostname, min(timeout or 20.0, self._wall.left()))
        return _Stream(secure, self._wall)

    def get_extra_info(self, info: str) -> Any:  # noqa: ANN401 - httpcore's own signature
        return self._stream.get_extra_info(info)
