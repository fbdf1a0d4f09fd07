"""Wake-ups that leave with a transaction: which piece of work should be looked at as soon as this is committed.

Rows are the truth and a wake-up only saves waiting, so one that is lost costs a tick. Only a cluster has a queue of
them (see `engine/cluster.py`); anywhere else wanting one does nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from sqlalchemy import text

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine

_OPTION = "nurture_wakeups"
_DEFER = text("SELECT nurture_wake(:names)")


def queue(engine: Engine) -> None:
    """From now on the transactions of this engine carry wake-ups."""
    engine.update_execution_options(**{_OPTION: True})


def want(tx: Connection, *names: str) -> None:
    """Wake this work when the transaction is committed."""
    if tx.get_execution_options().get(_OPTION):
        tx.info.setdefault(_OPTION, set()).update(names)


def forget(tx: Connection) -> None:
    """What an earlier transaction on this connection wanted and rolled back is not wanted any more."""
    tx.info.pop(_OPTION, None)


def leave(tx: Connection) -> None:
    """Defer what was wanted: the transaction's last statement, since it may wait for another's commit and no lock may
    be asked for after that.
    """
    wanted: Iterable[str] = tx.info.pop(_OPTION, ())
    if wanted:
        tx.execute(_DEFER, {"names": sorted(wanted)})
