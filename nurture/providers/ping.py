"""Whether a key works, asked without sending anything."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

import httpx

from nurture.errors import Unavailable
from nurture.providers.base import Account, Ping
from nurture.providers.http import Line

TIMEOUT = 5.0

Question = Callable[[Account], httpx.Request]


def over_http(question: Question, known: Callable[[httpx.Response], bool] | None = None) -> Ping:
    """A harmless call. `known` says whether an answer is one that only a known caller gets; else any good one is."""

    def ping(account: Account, transport: httpx.BaseTransport | None = None) -> timedelta | None:
        line, began = transport or Line(TIMEOUT), datetime.now(UTC)
        try:
            answer = line.handle_request(question(account))
            answer.read()
        except (UnicodeError, httpx.InvalidURL, httpx.LocalProtocolError):  # its own words would show the key
            raise Unavailable(f"the key or the url of {account.provider} cannot be used", gate=True) from None
        except httpx.HTTPError as error:
            raise Unavailable(f"cannot be reached: {error}") from error
        finally:
            if transport is None:
                line.close()
        if answer.is_success if known is None else known(answer):
            return _ahead(answer, began + (datetime.now(UTC) - began) / 2)
        refused = answer.status_code in (401, 403)
        words = " ".join(answer.text.split())[:200]
        raise Unavailable(f"answers {answer.status_code}: {words or 'nothing'}", gate=refused)

    return ping


def _ahead(answer: httpx.Response, now: datetime) -> timedelta | None:
    try:
        return parsedate_to_datetime(answer.headers.get("date", "")) - now
    except (ValueError, TypeError):  # no date, or one that names no zone
        return None
