"""A prize draw in two commands: close the log and publish its hash, then draw with a seed that came after."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nurture.cli import say
from nurture.cli.people import AsJson, Now
from nurture.cli.project import At, moment
from nurture.errors import Refused
from nurture.language.problems import or_one_of

if TYPE_CHECKING:
    from sqlalchemy import Connection

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
        return _close(at, store, log, close, now) if close else _draw(at, store, log, seed, winners, as_json=as_json)


def _close(at: At, store: Store, log: Path, of: str, now: str | None) -> int:
    from nurture.report.draw import log_hash
    from nurture.store import people, reports

    if log.exists():
        raise Refused(f"{log} is there already, and a log that was closed stays as it is; name another file")
    name, _, step = of.partition(".")
    sequences = at.deployed(store, moment(now)).sequences
    if name not in sequences or step not in sequences[name].steps:
        known = [f"{one}.{ask}" for one, sequence in sequences.items() for ask in sequence.steps]
        raise Refused(f"there is no ask '{of}'{or_one_of(of, known)}")
    with store.read() as tx:
        kept = sorted({who for who, _ in reports.kept(tx, name, sequences[name].steps[step].root)})
        emails = [one.email for one in people.by_ids(tx, kept).values() if one.status == "active"]
        entries = sorted(_entries(tx, of, emails))
    fixed = log_hash(of, entries)
    closed = moment(now).isoformat(timespec="seconds").replace("+00:00", "Z")
    document = {"format": FORMAT, "of": of, "closed_at": closed, "hash": fixed, "entries": entries}
    log.write_text(json.dumps(document, indent=2) + "\n", "utf-8")
    print(f"{len(entries)} entries; publish this now: {fixed}")
    return 0


def _draw(at: At, store: Store, log: Path, seed: str, winners: int, *, as_json: bool) -> int:
    from nurture.report.draw import drawn, log_hash
    from nurture.store import people

    document = _read(at.find(log))
    of, entries, fixed = document["of"], document["entries"], document["hash"]
    if log_hash(of, entries) != fixed:
        raise Refused(f"{log} is not as it was closed: its entries do not make its hash")
    chosen = drawn(entries, fixed, seed, winners)
    with store.read() as tx:
        known = _entries(tx, of, [one.email for one in people.every(tx)])
    if as_json:
        say.data({"format": FORMAT, "of": of, "hash": fixed, "seed": seed, "winners": chosen})
    for place, entry in enumerate(chosen, 1):
        line = f"{place}. {entry}  {known.get(entry, '(erased since)')}"
        say.say(line) if as_json else print(line)
    return 0


def _entries(tx: Connection, of: str, emails: list[str]) -> dict[str, str]:
    """The entry of each address in this draw: under the database's own key, so that the log names nobody."""
    from nurture.store import suppressions

    by_digest = suppressions.digests(tx, [f"draw {of}\n{email}" for email in emails])
    return {digest[:32]: said.partition("\n")[2] for digest, said in by_digest.items()}


def _read(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text("utf-8"))
        if found["format"] == FORMAT and isinstance(found["of"], str) and found["hash"]:
            entries = [str(entry) for entry in found["entries"]]
            return {**found, "entries": entries}
    except (ValueError, KeyError, TypeError):
        pass
    raise Refused(f"{path} is no log that `nurture draw --close` wrote")
