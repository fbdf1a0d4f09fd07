"""How an account stands to mail of ours, by what the vendor's own settings say: harmless calls, whose refusal says nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import httpx

from nurture.errors import Unavailable
from nurture.providers.base import Account, Remark, Standing
from nurture.providers.http import Line

TIMEOUT = 5.0

Look = tuple[Callable[[Account, str], httpx.Request | None], Callable[[Any, str, Account], Iterable[Remark]]]
"""What is asked for a domain, if anything; and what its good answer says of it."""

UNREADABLE = (ValueError, LookupError, TypeError, AttributeError)


def over_http(*looks: Look) -> Standing:
    """Each look is taken once for each domain, at an account as a whole once."""

    def standing(
        account: Account, domains: Sequence[str], transport: httpx.BaseTransport | None = None
    ) -> list[Remark] | None:
        line, found, told = transport or Line(TIMEOUT), dict[Remark, None](), False
        try:
            for question, read in looks:
                for domain in domains or ("",):
                    remarks = _asked(line, question, read, account, domain)
                    told = told or remarks is not None
                    found |= dict.fromkeys(remarks or ())
        finally:
            if transport is None:
                line.close()
        return list(found) if told else None

    return standing


def _asked(
    line: httpx.BaseTransport, question: Callable[[Account, str], httpx.Request | None],
    read: Callable[[Any, str, Account], Iterable[Remark]], account: Account, domain: str,
) -> list[Remark] | None:  # fmt: skip
    try:
        asked = question(account, domain)
        if asked is None:
            return None
        answer = line.handle_request(asked)
        answer.read()
        return list(read(answer.json(), domain, account)) if answer.is_success else None
    except (UnicodeError, httpx.HTTPError, httpx.InvalidURL) as error:
        raise Unavailable("cannot be asked") from error
    except UNREADABLE:
        return None


def unverified(
    domain: str, verified: Iterable[tuple[str, bool]], where: str, *, whole: bool = True
) -> Iterable[Remark]:
    """What a list of domains says of ours: (name, whether the vendor may sign with it). A domain stands for its parts,
    and one that is not there may stand on another page, where the list is not `whole`.
    """
    above = {name.lower(): is_verified for name, is_verified in verified if f".{domain}".endswith(f".{name.lower()}")}
    if domain and (above or whole) and not any(above.values()):
        knows = "does not count" if above else "does not know"
        yield Remark(f"{knows} {domain} as verified, so mail from it is signed by another or refused", where)
