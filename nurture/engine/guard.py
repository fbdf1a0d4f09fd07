"""A database that was restored or cloned sends nothing until someone has looked.

What left after the backup was made is not in it, and a copy for tests holds real people: either would be mailed a
second time. So each start of an engine raises a number in the database and in a small note outside it, and remembers
which database that was. An older number than the note's, or another database than remembered, holds all mail. A note
that is missing (a new container) says nothing by itself.
"""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING

from nurture.store import epochs, pauses
from nurture.store.tables import to_micros

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    from sqlalchemy import Connection

    from nurture.store.database import Store

log = logging.getLogger("nurture.guard")

MEND = "nothing is sent until you looked at the provider what left meanwhile: `nurture resume --after-restore`"


def started(store: Store, note: Path, now: datetime) -> bool:
    """An engine starts. False, and all mail is held, when the database is not the one that engines left here."""
    noted = _read(note)
    with store.write() as tx:
        here = epochs.identity(store, tx)
        known = epochs.read(tx)
        why = _foreign(known, here, noted)
        if why:
            _hold(tx, why, now)
        if why or pauses.RESTORED in pauses.paused(tx):
            return False
        number = _raise(tx, known, here, noted, now)
    _write(note, here, number)
    return True


def look(store: Store, note: Path, now: datetime) -> None:
    """While engines run: a database that was put back under them is held, one that others started on is noted."""
    noted = _read(note)  # first: whoever starts commits first and notes afterwards
    with store.read() as tx:
        here = epochs.identity(store, tx)
        known = epochs.read(tx)
        held = pauses.RESTORED in pauses.paused(tx)
    if held:
        return
    why = _foreign(known, here, noted)
    if why:
        with store.write() as tx:
            _hold(tx, why, now)
    elif known.number > noted.get(here, 0):
        _write(note, here, known.number)


def looked(store: Store, note: Path, now: datetime) -> bool:
    """Someone looked what left: this database is the one from now on. False when nothing was held."""
    noted = _read(note)
    with store.write() as tx:
        here = epochs.identity(store, tx)
        number = _raise(tx, epochs.read(tx), here, noted, now)
        done = pauses.resume(tx, pauses.RESTORED)
    _write(note, here, number)
    return done


def _foreign(known: epochs.Epoch, here: str, noted: dict[str, int]) -> str:
    if known.identity and here and known.identity != here:
        return f"this database is a copy or was restored elsewhere (it was {known.identity}, and is {here}); {MEND}"
    if noted.get(here, 0) > known.number:
        return f"this database is older than it was at the engine's last start: a backup was restored; {MEND}"
    return ""


def _hold(tx: Connection, why: str, now: datetime) -> None:
    if pauses.pause(tx, pauses.RESTORED, why, now):
        log.error("all mail is held: %s", why)


def _raise(tx: Connection, known: epochs.Epoch, here: str, noted: dict[str, int], now: datetime) -> int:
    """By the clock, so that an engine on another machine, whose note is not seen here, is left behind as well."""
    number = max(known.number + 1, noted.get(here, 0) + 1, to_micros(now))
    epochs.write(tx, epochs.Epoch(number, here))
    return number


def _read(note: Path) -> dict[str, int]:
    """The last start on each database that this note knows."""
    try:
        found = json.loads(note.read_text(encoding="utf-8"))
        return {str(name): int(number) for name, number in found.items()}
    except (OSError, ValueError, AttributeError, TypeError):
        return {}


def _write(note: Path, here: str, number: int) -> None:
    fresh = note.with_name(note.name + ".new")
    try:
        fresh.write_text(json.dumps({**_read(note), here: number}) + "\n", encoding="utf-8")
        fresh.replace(note)
    except OSError as error:  # a folder that may only be read: the identity still guards
        log.warning("%s cannot be written (%s): a restored backup may not be recognised", note, error.strerror)
