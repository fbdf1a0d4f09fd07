"""`nurture simulate`: a forecast from given, observed or guessed yes-rates."""

from __future__ import annotations

import json
import re
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Annotated

import typer
from rich.progress import Progress

from nurture.cli import say
from nurture.cli.cores import on_all_cores
from nurture.cli.project import moment
from nurture.cli.writing import Name, many, sound
from nurture.errors import Refused
from nurture.language.problems import or_one_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from nurture.cli.project import At
    from nurture.language.sequence import AnswerKey, People, Sequence
    from nurture.rehearsal.simulation import Outside, Tally, World

MOST_PEOPLE = 10_000_000
AT_ONCE = "at once"
PART = 500
"""People between two steps of the progress bar."""
FEW_PARTS = 8
"""So many are through before others are started."""
WIDEST = 40
MOST_LINES = 45
"""Days of the chart; a longer forecast is drawn in weeks."""
_SHARE = re.compile(r"(.+?)\s*=\s*(\d{1,3}(?:\.\d+)?)\s*%?")


def register(app: typer.Typer) -> None:
    app.command("simulate")(simulate)


def simulate(
    context: typer.Context,
    sequence: Name,
    people: Annotated[int, typer.Option(min=1, max=MOST_PEOPLE, help="how many are imagined")] = 1000,
    seed: Annotated[int, typer.Option(min=0, max=2**30, help="other people; the same seed is the same forecast")] = 1,
    days: Annotated[
        int | None, typer.Option(min=1, max=3650, help="look so far; else until everyone is through")
    ] = None,
    joining: Annotated[str, typer.Option(help=f"they begin spread over this time, or `{AT_ONCE}`")] = "30 days",
    yes: Annotated[list[str] | None, typer.Option(metavar="STEP=40%", help="who says yes to its mail")] = None,
    answer: Annotated[
        list[str] | None, typer.Option(metavar="STEP.ANSWER=70%", help="of those who answer, who says this")
    ] = None,
    happens: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=5%", help="to whom this happens without a mail: an event, bought.X, tag.X, replied"),
    ] = None,
    data: Annotated[str | None, typer.Option(metavar="JSON", help="what the event brings that starts it")] = None,
    *,
    observed: Annotated[bool, typer.Option("--observed", help="rates as the database has seen them")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="a document instead of text")] = False,
    now: Annotated[str | None, typer.Option(help="when it begins; else on Monday, 1 June 2026")] = None,
) -> None:
    """Send imagined people through a sequence, on the real decision, and count what happens.

    Rates that are not given are guesses by the size of the ask. Nothing is sent, and no database is needed.
    """
    from nurture.rehearsal.simulation import World, habits_of
    from nurture.rehearsal.stories import FIXED_MONDAY

    at: At = context.obj
    (chosen,) = sound(at, [sequence])
    zone = at.settings.timezone
    rates, answers = _observed(at, chosen) if observed else ({}, {})
    rates |= _rates(yes or [], chosen)
    answers |= _answers(answer or [], chosen)
    span = _joining(joining)
    start = _start(FIXED_MONDAY, zone) if now is None else moment(now)
    if not span and now is None:
        start += timedelta(hours=9)
    world = World(
        seed, start, habits_of(chosen, rates, answers), joining=span, zone=zone, gap=at.rules.gap,
        until=None if days is None else start + timedelta(days=days),
        outside=_outside(happens or [], at), data=_data(data),
    )  # fmt: skip
    tally = _live(chosen, world, people)
    document = _document(chosen, world, tally, joining)
    if as_json:
        say.data(document)
    else:
        _print(chosen, world, tally, joining)


def _live(sequence: Sequence, world: World, people: int) -> Tally:
    from nurture.rehearsal.simulation import Tally, simulate

    whole = Tally()
    parts = [range(first, min(first + PART, people)) for first in range(0, people, PART)]
    spread = on_all_cores if len(parts) > FEW_PARTS else map
    lived = spread(lambda part: simulate(sequence, world, part), parts)
    with Progress(console=say.talk, transient=True, disable=not say.talk.is_terminal) as progress:
        bar = progress.add_task(f"{people:,} people", total=people)
        for tally in lived:
            whole.add(tally)
            progress.advance(bar, tally.people)
    return whole


# --- what was asked for


def _share(text: str, what: str) -> tuple[str, float]:
    match = _SHARE.fullmatch(text.strip())
    if match is None or float(match[2]) > 100:
        raise Refused(f"{what} '{text}': write it as NAME=40%")
    return match[1], float(match[2]) / 100


def _rates(given: Iterable[str], sequence: Sequence) -> dict[str, float]:
    found = {}
    for text in given:
        step, share = _share(text, "--yes")
        if step not in sequence.steps:
            raise Refused(f"--yes '{text}': {sequence.name} has no step '{step}'{or_one_of(step, sequence.steps)}")
        found[step] = share
    return found


def _answers(given: Iterable[str], sequence: Sequence) -> dict[tuple[str, AnswerKey], float]:
    found: dict[tuple[str, AnswerKey], float] = {}
    for text in given:
        name, share = _share(text, "--answer")
        step, _, answer = name.partition(".")
        if step not in sequence.steps:
            raise Refused(f"--answer '{text}': {sequence.name} has no step '{step}'{or_one_of(step, sequence.steps)}")
        possible = {str(key): key for key in sequence.steps[step].ask.answers}
        if answer not in possible:
            raise Refused(f"--answer '{text}': {step} has no answer '{answer}'{or_one_of(answer, possible)}")
        found[step, possible[answer]] = share
    for step in {step for step, _ in found}:
        if sum(share for (one, _), share in found.items() if one == step) > 1.0001:
            raise Refused(f"--answer: the shares of the answers to {step} are more than 100%")
    return found


def _outside(given: Iterable[str], at: At) -> tuple[Outside, ...]:
    from nurture.language.project import read_project
    from nurture.rehearsal.simulation import Outside

    texts = list(given)
    if not texts:
        return ()
    people: People = read_project(at.files()).people
    known = {"replied": ("replied", "")}
    known |= {name: ("event", name) for name in people.events}
    known |= {f"bought.{name}": ("bought", name) for name in people.products}
    known |= {f"tag.{name}": ("tag", name) for name in people.tags}
    found = []
    for text in texts:
        name, share = _share(text, "--happens")
        if name not in known:
            raise Refused(f"--happens '{text}': people.yaml declares no '{name}'{or_one_of(name, known)}")
        found.append(Outside(*known[name], share))
    return tuple(found)


def _observed(at: At, sequence: Sequence) -> tuple[dict[str, float], dict[tuple[str, AnswerKey], float]]:
    """What the database has seen of each step that has been mailed at all."""
    from nurture.store import enrollments, messages

    with at.store() as store, store.read() as tx:
        mailed = messages.asked(tx).get(sequence.name, {})
        kept = enrollments.kept(tx, sequence.name)
    rates: dict[str, float] = {}
    answers: dict[tuple[str, AnswerKey], float] = {}
    for name, step in sequence.steps.items():
        if not mailed.get(name):
            say.say(f"nurture: {name} has not been mailed yet, so its rate is a guess")
            continue
        said = kept.get(name, {})
        everyone = sum(said.values())
        rates[name] = min(1.0, everyone / mailed[name])
        if everyone:
            answers |= {(name, answer): said.get(answer, 0) / everyone for answer in step.ask.answers}
    return rates, answers


def _joining(text: str) -> timedelta:
    from nurture.language.words import duration

    if text == AT_ONCE:
        return timedelta()
    try:
        length = duration(text)
    except ValueError as error:
        raise Refused(f"--joining: {error}, or `{AT_ONCE}`") from None
    return timedelta(days=length.days, seconds=length.seconds)


def _start(day: date, zone: str) -> datetime:
    from nurture.journey import timing

    return timing.at_wall(day, timing.MIDNIGHT, timing.zone(zone))


def _data(text: str | None) -> Mapping[str, object]:
    if text is None:
        return {}
    try:
        found = json.loads(text)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise Refused('--data is not JSON with names and values, such as \'{"trial_ends": "2026-06-15"}\'')
    return found


# --- what is shown


def _days(world: World, tally: Tally) -> list[tuple[date, int]]:
    """Mails by day of the project's zone, without a gap."""
    from nurture.journey import timing

    where = timing.zone(world.zone)
    found: dict[date, int] = {}
    for hour, mails in sorted(tally.hours.items()):
        day = (world.start + timedelta(hours=hour)).astimezone(where).date()
        found[day] = found.get(day, 0) + mails
    if not found:
        return []
    first = min(found)
    return [(day, found.get(day, 0)) for day in (first + timedelta(n) for n in range((max(found) - first).days + 1))]


def _document(sequence: Sequence, world: World, tally: Tally, joining: str) -> dict[str, object]:
    from nurture.rehearsal.simulation import busiest

    hour = busiest(tally, world.start)
    return {
        "format": "nurture.simulation/1", "sequence": sequence.name, "people": tally.people, "seed": world.seed,
        "start": world.start.isoformat(), "joining": joining,
        "until": None if world.until is None else world.until.isoformat(),
        "steps": [
            {
                "step": name, "rate": round(world.habits[name].yes, 4), "asked": tally.mailed[name],
                "yes": tally.yes[name],
                "answers": {str(answer): tally.answers[name, answer] for answer in step.ask.answers},
            }
            for name, step in sequence.steps.items()
        ],
        "offered": tally.offered, "goal": tally.ended["goal"],
        "ended": {how: count for how, count in sorted(tally.ended.items()) if how != "inside"},
        "inside": tally.ended["inside"], "mails": sum(tally.hours.values()),
        "mails_by_day": [{"day": day.isoformat(), "mails": mails} for day, mails in _days(world, tally)],
        "busiest_hour": None if hour is None else {"at": hour[0].isoformat(), "mails": hour[1]},
        "most_in_a_week": tally.most_in_a_week, "decisions": tally.decisions,
    }  # fmt: skip


def _print(sequence: Sequence, world: World, tally: Tally, joining: str) -> None:
    from nurture.journey import timing
    from nurture.language.chart import says
    from nurture.rehearsal.simulation import busiest

    people, mails = tally.people, sum(tally.hours.values())
    spread = "all at once" if not world.joining else f"beginning over {joining}"
    print(f"{sequence.name}: {many(people, 'imagined person', 'imagined people')}, {spread}, seed {world.seed}\n")
    wide = max(len("step"), *(len(name) for name in sequence.steps))
    print(f"  {'step':{wide}}  {'mailed':>9}  {'of all':>6}  {'yes':>9}  {'rate':>6}")
    for name, step in sequence.steps.items():
        asked, yes = tally.mailed[name], tally.yes[name]
        said = {str(answer): tally.answers[name, answer] for answer in step.ask.answers}
        shares = ", ".join(f"{answer} {say.percent(count, yes)}" for answer, count in said.items()) if yes else ""
        line = f"  {name:{wide}}  {asked:>9,}  {say.percent(asked, people):>6}  {yes:>9,}  {say.percent(yes, asked):>6}  {shares}"
        print(line.rstrip())
    print()
    if any(step.ask.kind == "buy" for step in sequence.steps.values()):
        print(f"  saw an offer    {tally.offered:>9,}  {say.percent(tally.offered, people):>6}")
    if sequence.goal:
        goal = " or ".join(says(happening) for happening in sequence.goal)
        print(f"  goal            {tally.ended['goal']:>9,}  {say.percent(tally.ended['goal'], people):>6}  {goal}")
    for how, count in tally.ended.most_common():
        if how not in ("goal", "inside"):
            print(f"  {how:15} {count:>9,}  {say.percent(count, people):>6}")
    if tally.ended["inside"]:
        print(f"  still inside    {tally.ended['inside']:>9,}  {say.percent(tally.ended['inside'], people):>6}")
    print(f"  mails           {mails:>9,}  {mails / people:.1f} a person, at most {tally.most_in_a_week} in one week")
    hour = busiest(tally, world.start)
    if hour is not None:
        local = hour[0].astimezone(timing.zone(world.zone))
        print(f"  busiest hour    {hour[1]:>9,}  {local:%a %d %b %Y} from {local:%H:%M}\n")
        _chart(_days(world, tally))


def _chart(by_day: list[tuple[date, int]]) -> None:
    """Mails a day as bars; a week each when it is long."""
    weekly = len(by_day) > MOST_LINES
    bars: dict[date, int] = {}
    for day, mails in by_day:
        first = day - timedelta(days=day.weekday()) if weekly else day
        bars[first] = bars.get(first, 0) + mails
    most = max(bars.values())
    print(f"  mails a {'week' if weekly else 'day'}")
    for day, mails in bars.items():
        print(f"  {day:%a %d %b}  {say.bar(mails / most, WIDEST):{WIDEST}}  {mails:,}")
