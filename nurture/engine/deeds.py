"""What a version did to the people inside, in words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nurture.engine.planning import Move

if TYPE_CHECKING:
    from nurture.store.deploys import Row


def deeds(row: Row) -> list[str]:
    """What a version on record did to the people inside."""
    return [moved(Move(*move)) for move in row.plan.get("moves", ())]


def moved(move: Move) -> str:
    people, source = so_many(move.people), f"{move.sequence}: "
    at = move.source or "the start"
    match move.what:
        case "ended":
            return f"{source}the passes of {people} at {at} end"
        case "retimed":
            return f"{source}{people} at {move.target} {'gets' if move.people == 1 else 'get'} another time"
        case "renamed":
            return f"{source}{people} at {at} stand{'s' if move.people == 1 else ''} at {move.target}, its new name"
        case _:
            return f"{source}{people} {'goes' if move.people == 1 else 'go'} from {at} to {move.target}"


def so_many(number: int) -> str:
    return "1 person" if number == 1 else f"{number:,} people"
