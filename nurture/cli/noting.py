"""What is done on the command line stands in the audit log as well: by whom, to what, why."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nurture.cli.project import who

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from nurture.store.database import Store

MOST = 500
"""Characters that are kept of a reason."""


def on_record(
    store: Store, action: str, now: datetime, target: str = "", reason: str = "", *,
    detail: Mapping[str, object] | None = None,
) -> None:  # fmt: skip
    from nurture.store import audit

    with store.write() as tx:
        audit.record(tx, audit.Entry(now, who() or "command line", action, target, reason.strip()[:MOST], detail or {}))


def person_of(store: Store, email: str) -> str:
    """A person as the log names them: an address could not be erased from it."""
    from nurture.store import people

    with store.read() as tx:
        found = people.by_email(tx, email)
    return "" if found is None else f"person {found.id}"
