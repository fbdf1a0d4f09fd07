"""Before anything is read: how long a request may take to come in, and how many connections there may be.

uvicorn waits for a request that has begun as long as it takes, so a few hundred connections that send a byte now and
then would keep everybody else out (Slowloris, CVE-2007-6750; Kludex/uvicorn#157). The application cannot help: it is
asked once the head is there.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import ip_address, ip_network

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from nurture.web.tries import near


@dataclass(frozen=True, slots=True)
class Limits:
    """What a server bears.

    A request has `patience` seconds to come in whole, and one more for each `pace` bytes of it: a large file over a
    slow line is not slow. Of an answer, `least` bytes a second have to be taken. `head` and `most` are the bytes of a
    request's head and of all of it. `connections` are those in all, `each` those from one address: an ESP posts many
    reports at once.
    """

    patience: float = 10.0
    pace: int = 50_000
    least: int = 1_000
    head: int = 64_000
    most: int = 50_000_000
    connections: int = 400
    each: int = 100


MANY = ("127.0.0.1", "::1")
"""Addresses that stand for many people: a proxy may be on this machine."""

SAYS = {
    408: b"Request Timeout",
    413: b"Content Too Large",
    431: b"Request Header Fields Too Large",
    503: b"Service Unavailable",
}


class Room:
    """The connections of one server. `many` are addresses or networks that stand for many, like a proxy's."""

    def __init__(self, limits: Limits, many: Iterable[str]) -> None:
        self.limits = limits
        self._many = tuple(many)
        self._open = 0
        self._from: Counter[str] = Counter()
        self._waiting: dict[Guarded, None] = {}
        self._stands_for_many = lru_cache(maxsize=4_096)(self._looked_up)

    def enter(self, one: Guarded, address: str) -> None:
        """When all places are taken, whoever has kept one longest without asking anything leaves it."""
        self._open += 1
        self._from[near(address)] += 1
        if self._from[near(address)] > self.limits.each and not self._stands_for_many(address):
            one.refuse(503)
            return
        if self._open > self.limits.connections:
            longest = next(iter(self._waiting), None)
            if longest is None:
                one.refuse(503)
                return
            longest.let_go()
        self.waits(one)

    def leave(self, one: Guarded, address: str) -> None:
        self.works(one)
        self._open -= 1
        self._from[near(address)] -= 1
        if not self._from[near(address)]:
            del self._from[near(address)]

    def waits(self, one: Guarded) -> None:
        self._waiting[one] = None

    def works(self, one: Guarded) -> None:
        self._waiting.pop(one, None)

    def _looked_up(self, address: str) -> bool:
        return any(one in (address, "*") or _is_in(address, one) for one in self._many)


class Guarded(HttpToolsProtocol):
    """One connection, which is let go when it is too slow."""

    room: Room
    _clock: asyncio.TimerHandle | None = None
    _stuck: asyncio.TimerHandle | None = None
    _since = 0.0
    _came = 0
    _left = 0
    _in_head = False
    _address: str | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as uvicorn has it
        super().connection_made(transport)
        self._expect()
        self._address = self.client[0] if self.client else ""
        self.room.enter(self, self._address)

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._rest()
        self.resume_writing()
        if self._address is not None:
            self.room.leave(self, self._address)

    def data_received(self, data: bytes) -> None:
        if self.transport.is_closing():
            return
        if self._clock is None:
            self._expect()
        self._came += len(data)
        super().data_received(data)
        if self._in_head and self._came > self.room.limits.head:
            self.refuse(431)
        elif self._came > self.room.limits.most:
            self.refuse(413)

    # --- what the parser finds

    def on_message_begin(self) -> None:
        super().on_message_begin()
        if self._clock is None:  # the end of one request and the beginning of the next came together
            self._expect()

    def on_headers_complete(self) -> None:
        super().on_headers_complete()
        self._in_head = False

    def on_message_complete(self) -> None:
        super().on_message_complete()
        self._rest()
        if self.cycle.response_complete:  # refused before it was here; what comes now is the next
            self._expect()
        else:
            self.room.works(self)

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if not self.flow.write_paused:
            self.room.waits(self)

    # --- time

    def _expect(self) -> None:
        """A request begins."""
        self._since, self._came, self._in_head = self.loop.time(), 0, True
        self._clock = self.loop.call_later(self.room.limits.patience, self._look)

    def _rest(self) -> None:
        """The request is here, whole."""
        if self._clock is not None:
            self._clock.cancel()
            self._clock = None

    def _look(self) -> None:
        limits, now = self.room.limits, self.loop.time()
        due = self._since + limits.patience + (0 if self._idle else self._came / limits.pace)
        if self.flow.read_paused or (self._in_head and not self._idle):  # it is we who keep them waiting
            due = now + limits.patience
        if now < due:
            self._clock = self.loop.call_at(due, self._look)
        elif self._came:
            self.refuse(408)
        else:
            self.transport.close()  # nothing was asked: a browser connects in advance

    @property
    def _idle(self) -> bool:
        return self.cycle is None or self.cycle.response_complete

    def pause_writing(self) -> None:
        super().pause_writing()
        self._left = self.transport.get_write_buffer_size()
        self._stuck = self.loop.call_later(self.room.limits.patience, self._look_at_reader)

    def resume_writing(self) -> None:
        super().resume_writing()
        if self._stuck is not None:
            self._stuck.cancel()
            self._stuck = None
        if self._idle:
            self.room.waits(self)

    def _look_at_reader(self) -> None:
        limits, left = self.room.limits, self.transport.get_write_buffer_size()
        if self._left - left < limits.least * limits.patience:
            self.let_go()
            return
        self._left = left
        self._stuck = self.loop.call_later(limits.patience, self._look_at_reader)

    # --- the end

    def refuse(self, status: int) -> None:
        """Say why, where no answer has begun, and close."""
        self._rest()
        if self.transport.is_closing():
            return
        if not self.pipeline and (self._idle if self._in_head else not self.cycle.response_started):
            said = b"HTTP/1.1 %d %s\r\nconnection: close\r\ncontent-length: 0\r\n\r\n" % (status, SAYS[status])
            self.transport.write(said)
        self.transport.close()

    def let_go(self) -> None:
        self.transport.abort()


def guarded(limits: Limits, many: Iterable[str]) -> type[Guarded]:
    """The protocol of one server."""

    class Ours(Guarded):
        room = Room(limits, many)

    return Ours


def _is_in(address: str, network: str) -> bool:
    try:
        return ip_address(address) in ip_network(network, strict=False)
    except ValueError:
        return False
