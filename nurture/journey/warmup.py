"""How much a new sender may send: mailbox providers distrust whoever sends much on the first day."""

from __future__ import annotations

from datetime import datetime
from typing import Final

LONGEST: Final = 3650
"""Days after which growing on changes nothing that anyone could send."""


def most_today(daily: int, growing: float, first: datetime, now: datetime) -> int:
    """The most mails on this day (UTC): `daily` on the first, and each day so much more, like 0.2 for 20%."""
    days = min(max((now.date() - first.date()).days, 0), LONGEST)
    try:
        return int(daily * (1 + growing) ** days + 1e-9)
    except OverflowError:
        return 10**12
