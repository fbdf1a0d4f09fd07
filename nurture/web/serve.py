"""Serving the application in a thread of this process, on a socket that is ours before anything else begins."""

from __future__ import annotations

import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from threading import Thread
from typing import TYPE_CHECKING

import uvicorn

from nurture.errors import SettingsError
from nurture.web.guard import MANY, Limits, guarded

if TYPE_CHECKING:
    from starlette.types import ASGIApp

LIMITS = Limits()
LONGEST_GOODBYE = 5
"""Seconds that requests in progress have when the server stops."""


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens. Raises SettingsError when the address is in use or not ours."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((host, port))
        listening.listen(2048)
    except OSError as error:
        listening.close()
        raise SettingsError(
            f"{host}:{port} cannot be listened at ({(error.strerror or str(error)).lower()}); "
            "choose another with --port or NURTURE_PORT"
        ) from None
    return listening


@contextmanager
def serving(
    app: ASGIApp, listening: socket.socket, proxies: Sequence[str] = (), limits: Limits = LIMITS,
    many: Sequence[str] = MANY,
) -> Iterator[str]:  # fmt: skip
    """The application at work until the block ends; gives its own address, like http://127.0.0.1:8000.

    Who asks is whoever connects, unless that is one of `proxies`: anybody can write X-Forwarded-For. `many` are
    addresses that may have more connections than one address may, as proxies do.
    """
    config = uvicorn.Config(
        app, log_config=None, log_level="warning", access_log=False, lifespan="off", server_header=False, ws="none",
        timeout_graceful_shutdown=LONGEST_GOODBYE, proxy_headers=bool(proxies), forwarded_allow_ips=list(proxies),
        http=guarded(limits, (*many, *proxies)),
    )  # fmt: skip
    server = uvicorn.Server(config)
    thread = Thread(target=server.run, kwargs={"sockets": [listening]}, name="web", daemon=True)
    thread.start()
    try:
        yield address(listening)
    finally:
        server.should_exit = True
        thread.join(LONGEST_GOODBYE + 2)


def address(listening: socket.socket) -> str:
    host, port = listening.getsockname()[:2]
    shown = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, f"[{host}]" if ":" in host else host)  # noqa: S104 - shown, not bound
    return f"http://{shown}:{port}"
