"""A prize draw in two commands: close the log and publish its hash, then draw with a seed that came after."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nurture.cli import say
from nurture.cli.people import AsJson, Now
from nurture.cli.project import At, moment, who
from nurture.errors import Refused

if TYPE_CHECKING:
    from datetime import datetime

    from nurture.store.database import Store

FORMAT = "nurture.draw/1"


def register(app: typer.Typer) -> None:
    app.command("draw")(draw)


def draw(
    context: typer.Context,
    log: Annotated[
        Path, typer.Argument(metavar="LOG.json", help="the log of entries: written by --close, then drawn from")
    ],
    close: Annotated[
        str, typer.Option(metavar="SEQUENCE.STEP", help="write the log: everyone who kept this ask enters once")
    ] = "",
    winners: Annotated[int, typer.Option(min=1, help="how many are drawn")] = 1,
    seed: Annotated[str, typer.Option(help="public, and nobody knew it when the log was closed")] = "",
    now: Now = None,
    *,
    as_json: AsJson = False,
) -> int:
    """Draw winners so that anyone can check it: `--close SEQUENCE.STEP` first, later `--seed WORDS --winners N`."""
    if bool(close) == bool(seed):
        raise Refused("say one of the two: --close SEQUENCE.STEP writes the log, --seed WORDS draws from it")
    at: At = context.obj
    with at.store() as store:
        if close:
            return _close(at, store, log, close, now)
        return _draw(at, store, log, seed, winners, now, as_json=as_json)


def _close(at: At, store: Store, log: Path, of: str, now: str | None) -> int:
    from nurture.engine import drawing

    if log.exists():
        raise Refused(f"{log} is there already, and a log that was closed stays as it is; name another file")
    if not log.parent.is_dir():
        raise Refused(f"there is no folder {log.parent} to write the log into")
    closed = drawing.close(store, at.deployed(store, moment(now)), of, moment(now), by=who() or "command line")
    document = {
        "format": FORMAT, "of": of, "closed_at": _clock(closed.closed_at), "hash": closed.hash,
        "entries": list(closed.entries),
    }  # fmt: skip
    _write(log, document)
    print(f"{len(closed.entries)} entries; publish this now: {closed.hash}")
    if closed.number > 1:
        say.say(f"It is log {closed.number} of this ask; `nurture audit` has them all.")
    return 0


def _draw(
    at: At, store: Store, log: Path, seed: str, winners: int, now: str | None, *, as_json: bool
) -> int:  # fmt: skip
    from nurture.engine import drawing

    document = _read(at.find(log))
    of, entries, fixed = document["of"], document["entries"], document["hash"]
    try:
        drawn = drawing.draw(
            store, of, entries, fixed, seed, winners, moment(now), by=who() or "command line"
        )  # fmt: skip
    except Refused as error:
        raise Refused(f"{log}: {error}") from None
    chosen = [entry for entry, _ in drawn.winners]
    if len(chosen) > len(document.get("winners", ())):
        _write(at.find(log), {**document, "seed": seed, "drawn_at": _clock(drawn.drawn_at), "winners": chosen})
    if as_json:
        say.data({"format": FORMAT, "of": of, "hash": fixed, "seed": seed, "winners": chosen})
    for place, (entry, email) in enumerate(drawn.winners, 1):
        line = f"{place}. {entry}  {email or '(erased since)'}"
        say.say(line) if as_json else print(line)
    return 0


def _clock(at: datetime) -> str:
    return at.isoformat(timespec="seconds").replace("+00:00", "Z")


def _write(log: Path, document: dict[str, Any]) -> None:
    log.write_text(json.dumps(document, indent=2) + "\n", "utf-8")


def _read(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text("utf-8"))
        if found["format"] == FORMAT and isinstance(found["of"], str) and found["hash"]:
            entries = [str(entry) for entry in found["entries"]]
            return {**found, "entries": entries}
    except (ValueError, KeyError, TypeError):
        pass
    raise Refused(f"{path} is no log that `nurture draw --close` wrote")
