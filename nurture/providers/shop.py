"""A shop that is asked for a code, one person at a time.

The call is signed as Standard Webhooks 1.0 says (https://github.com/standard-webhooks/standard-webhooks). Its
`webhook-id` is the same whenever the same code is asked for, so that a shop makes one code however often it is asked.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

import httpx
from pydantic_core import to_json

from nurture import __version__
from nurture.errors import Unavailable
from nurture.providers.http import Line, retry_after
from nurture.providers.listener import place, sign

TIMEOUT = 10.0
"""Seconds for one whole call."""


@dataclass(frozen=True, slots=True)
class Shop:
    """Where the codes of a pool are asked for, and what signs that. With several secrets there are several signatures.

    `private` lets it lie inside our network; else its address is judged at each connection, as a listener's is.
    """

    url: str
    secrets: tuple[str, ...]
    private: bool = False


def ask(
    shop: Shop, wish: str, wanted: Mapping[str, object], since: datetime, now: datetime,
    transport: httpx.BaseTransport | None = None,
) -> str:  # fmt: skip
    """A code for this wish. Raises Unavailable when there is none now, whatever the reason: it is asked for again."""
    body = to_json({"type": "code.wanted", "timestamp": f"{since:%Y-%m-%dT%H:%M:%SZ}", "data": {"id": wish, **wanted}})
    headers = {
        "Content-Type": "application/json", "User-Agent": f"nurture/{__version__}", "webhook-id": wish,
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": sign(shop.secrets, wish, now, body.decode()),
    }  # fmt: skip
    line = transport or Line(TIMEOUT, place(shop.url, private=shop.private))
    try:
        response = line.handle_request(httpx.Request("POST", shop.url, headers=headers, content=body))
        response.read()
    except httpx.HTTPError as error:
        raise Unavailable(f"cannot be reached: {str(error) or type(error).__name__}") from error
    finally:
        if transport is None:
            line.close()
    if not response.is_success:
        raise Unavailable(f"answered {response.status_code}", retry_after=retry_after(response))
    try:
        found = response.json()["code"]
    except (ValueError, LookupError, TypeError):
        found = None
    if not isinstance(found, str):
        raise Unavailable(f'answered {response.status_code} without {{"code": "…"}}')
    return found
