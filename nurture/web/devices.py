"""A browser is known again by a mark of its own: so that one person's second address is no friend of theirs.

The mark is a cookie that only the pages of an invitation set. It says nothing but whose browser it is: the id of a
person's link where that person opened their own page, else a random one.
"""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

from nurture.errors import BadToken
from nurture.mail.links import DEVICE
from nurture.web.access import is_secure

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from nurture.web.site import Site

NAME = "nurture_device"
YEAR = 365 * 86_400


def device_of(site: Site, request: Request) -> str:
    """The mark of this browser; "" when it has none, or one that we did not give it."""
    try:
        return site.links.signer.read(DEVICE, request.cookies.get(NAME, ""))
    except BadToken:
        return ""


def mark(site: Site, request: Request, answer: Response, link: str = "") -> None:
    """Give this browser a mark, or that of the link whose owner uses it."""
    value = site.links.signer.sign(DEVICE, link or secrets.token_hex(8))
    answer.set_cookie(
        NAME, value, max_age=YEAR, path="/", secure=is_secure(site, request), httponly=True, samesite="lax"
    )
