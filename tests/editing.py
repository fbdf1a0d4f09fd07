"""Ladders that are edited at random: a model of one, its text, and a next version that people inside it can follow."""

from dataclasses import dataclass, field, replace
from itertools import count

HEAD = "start: manual\nfrom: Ada <ada@example.com>\nsteps:\n"


@dataclass(frozen=True)
class Rung:
    """A step; `id` stays through every edit and is its subject, so that a mail tells whose it is."""

    id: int
    name: str
    within: int
    wait: int
    words: int = 0
    yes: int | None = None
    no: int | None = None


@dataclass(frozen=True)
class Ladder:
    rungs: tuple[Rung, ...]
    changes: dict[str, dict[str, str]] = field(default_factory=dict)

    def text(self):
        names = {rung.id: rung.name for rung in self.rungs}
        body = "".join(
            f"  {rung.name}:\n    subject: s{rung.id}\n    preheader: number {rung.words}\n    template: body.md\n"
            f"    ask: {{click: Look, to: https://example.com/{rung.id}}}\n    within: {rung.within} hours\n"
            f"    yes: {names.get(rung.yes, 'end')}\n    no: {{after: {rung.wait} hours, go: {names.get(rung.no, 'end')}}}\n"
            for rung in self.rungs
        )
        rules = "".join(
            f"  {name}: {{{', '.join(f'{key}: {value}' for key, value in rule.items())}}}\n"
            for name, rule in self.changes.items()
        )
        return HEAD + body + (f"changes:\n{rules}" if rules else "")


def ladder(dice, size):
    """Every step is led to by the one above it, so that all can be reached."""
    rungs = [Rung(number, f"r{number}", dice(2, 90), dice(1, 60)) for number in range(size)]
    return Ladder(tuple(_forward(rungs, dice)))


def _forward(rungs, dice):
    """Silence leads to the next step, a yes to that or further: all can be reached, whatever stands where."""
    for place, rung in enumerate(rungs):
        below = [one.id for one in rungs[place + 1 :]]
        yes = rung.yes if rung.yes in below else (below[dice(0, len(below) - 1)] if below else None)
        yield replace(rung, yes=yes, no=below[0] if below else None)


def edited(old, dice):
    """One to four edits at once: rename, swap names, remove with a rule, insert, reorder, retime, words."""
    rungs, changes = list(old.rungs), {}
    was = {rung.id: rung.name for rung in rungs}
    for _ in range(dice(1, 4)):
        at = dice(0, len(rungs) - 1)
        match dice(0, 6):
            case 0:
                taken = {*(rung.name for rung in rungs), *was.values()}
                fresh = next(name for n in count() if (name := f"n{rungs[at].id}_{n}") not in taken)
                rungs[at] = replace(rungs[at], name=fresh)
            case 1:
                other = dice(0, len(rungs) - 1)
                if rungs[at].id in was and rungs[other].id in was and other != at:
                    one, two = rungs[at], rungs[other]
                    rungs[at], rungs[other] = replace(one, name=two.name), replace(two, name=one.name)
            case 2 if len(rungs) > 1 and rungs[at].name == was.get(rungs[at].id, rungs[at].name):
                # of a step whose name another has now, no rule can say where its people go
                rungs.pop(at)
            case 3:
                number = 100 + dice(0, 10**6)
                if number not in {rung.id for rung in rungs}:
                    rungs.insert(at, Rung(number, f"new{number}", dice(2, 90), dice(1, 60)))
            case 4:
                rungs.insert(dice(0, len(rungs) - 1), rungs.pop(at))
            case 5:
                rungs[at] = replace(rungs[at], within=dice(2, 90), wait=dice(1, 60))
            case _:
                rungs[at] = replace(rungs[at], words=rungs[at].words + 1)
    rungs = list(_forward(rungs, dice))
    here = {rung.id: rung.name for rung in rungs}
    for rung in rungs:
        if rung.id in was and was[rung.id] != rung.name:
            changes.setdefault(rung.name, {})["was"] = was[rung.id]
        if rung.id in was and dice(0, 1):
            changes.setdefault(rung.name, {})["waiting"] = "retime"
    for place, rung in enumerate(old.rungs):
        if rung.id not in here and rung.name not in here.values():
            below = [one.id for one in old.rungs[place + 1 :] if one.id in here]
            go = here[below[dice(0, len(below) - 1)]] if below and dice(0, 3) else "end"
            changes[rung.name] = {"go": go}
    return Ladder(tuple(rungs), changes)
