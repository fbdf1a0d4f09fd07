"""An SMTP session inside one wall of time. smtplib's own timeout is for each read, and a server may drip for hours."""

from __future__ import annotations

import smtplib
from io import BufferedReader, RawIOBase
from time import monotonic
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from socket import socket
    from ssl import SSLContext

    from _typeshed import ReadableBuffer, WriteableBuffer


class Wall:
    """One moment by which a whole call has ended, whatever the other side does. Tests hand in a nearer one."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._until = 0.0

    def start(self) -> None:
        self._until = monotonic() + self.seconds

    def left(self) -> float:
        """Seconds. Raises TimeoutError when none are."""
        remaining = self._until - monotonic()
        if remaining <= 0:
            raise TimeoutError("the whole call took too long")
        return remaining


class _Replies(RawIOBase):
    """What the server says, each read of it cut short at the wall."""

    def __init__(self, sock: socket, left: Callable[[], float]) -> None:
        self._sock = sock
        self._left = left

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        self._sock.settimeout(self._left())
        return self._sock.recv_into(buffer)


class _Walled(smtplib.SMTP):
    wall: Wall

    def getreply(self) -> tuple[int, bytes]:
        if self.file is None and self.sock is not None:
            self.file = BufferedReader(_Replies(self.sock, self.wall.left))
        return super().getreply()

    def send(self, s: ReadableBuffer | str) -> None:
        if self.sock is not None:
            self.sock.settimeout(self.wall.left())
        super().send(s)


class Session(_Walled):
    """Plain from the first byte; STARTTLS may follow."""

    def __init__(self, host: str, port: int, wall: Wall) -> None:
        self.wall = wall
        super().__init__(host, port, timeout=wall.left())


class SecureSession(_Walled, smtplib.SMTP_SSL):
    """TLS from the first byte."""

    def __init__(self, host: str, port: int, wall: Wall, trust: SSLContext) -> None:
        self.wall = wall
        smtplib.SMTP_SSL.__init__(self, host, port, timeout=wall.left(), context=trust)
