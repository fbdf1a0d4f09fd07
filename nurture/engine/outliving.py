"""The words of mails go when they were kept as long as the project says: what was sent stays counted, not what it said."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nurture.engine.moving import ids_from
from nurture.store import messages

if TYPE_CHECKING:
    from datetime import datetime

    from nurture.engine.rules import Rules
    from nurture.store.database import Store

BATCH = 500


def drop_words(store: Store, rules: Rules, now: datetime, *, batch: int = BATCH) -> bool:
    """One pass: whether a full batch of words went, so that another should follow. Never of a mail that may yet leave."""
    if rules.keep_mails is None:
        return False
    over = now - rules.keep_mails
    with store.read() as tx:
        found = messages.outlived(tx, ids_from(over), over, batch)
    if found:
        with store.write() as tx:  # what is settled stays so
            messages.drop_words(tx, found)
    return len(found) == batch
