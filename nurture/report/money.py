"""What a purchase was worth: the amount its report names, else the price that is written beside the ask."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

_NUMBER = re.compile(r"\d[\d.,'\u00a0\u202f ]*")


class Money(NamedTuple):
    amount: float
    currency: str


def worth(product: str, told: Mapping[str, object], prices: Mapping[str, Money]) -> Money | None:
    """`told` is the data of the purchase: `amount` and `currency`. None when neither it nor a price says anything."""
    amount = told.get("amount")
    listed = prices.get(product)
    if isinstance(amount, str):
        read = price(amount)
        amount = None if read is None else read.amount
    if isinstance(amount, bool) or not isinstance(amount, int | float):
        return listed
    currency = str(told.get("currency") or "").upper()
    return Money(float(amount), currency or (listed.currency if listed is not None else ""))


def price(written: str) -> Money | None:
    """`99 GBP`, `$1,299.00`, `1.299,50 €`; None when there is no number in it."""
    found = _NUMBER.search(written)
    if found is None:
        return None
    currency = (written[: found.start()] + written[found.end() :]).strip().upper()
    return Money(_number(re.sub(r"['\u00a0\u202f ]", "", found[0]).rstrip(".,")), currency)


def _number(written: str) -> float:
    """The last sign is the decimal one, unless three digits follow it or it stands there twice."""
    last = max(written.rfind("."), written.rfind(","))
    if last < 0:
        return float(written)
    sign, digits = written[last], len(written) - last - 1
    both = {".", ","} <= set(written)
    if (digits == 3 and not both) or written.count(sign) > 1:
        return float(re.sub(r"[.,]", "", written))
    return float(re.sub(r"[.,]", "", written[:last]) + "." + written[last + 1 :])
