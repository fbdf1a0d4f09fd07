"""`nurture report`: what a sequence has brought, as a ladder one can look at or a document."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nurture.cli import say
from nurture.cli.people import AsJson, Now
from nurture.cli.project import At, moment
from nurture.errors import Refused

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

WIDE = 28
"""Columns of a bar: so many are all that were asked."""

Begun = Annotated[str | None, typer.Option(metavar="WHEN", help="passes that began; like 2026-06-01 or `30 days` ago")]


def register(app: typer.Typer) -> None:
    app.command("report")(report)


def report(
    context: typer.Context,
    sequence: Annotated[str, typer.Argument(metavar="SEQUENCE")],
    since: Begun = None,
    until: Begun = None,
    by: Annotated[str, typer.Option(metavar="NAME", help="an attribute of people.yaml, `tag`, or `source`")] = "",
    now: Now = None,
    *,
    lift: Annotated[bool, typer.Option("--lift", help="what each split has shown: does the ladder pay")] = False,
    as_json: AsJson = False,
) -> None:
    """The ladder report: who was asked, who said yes, where it ends. With --since the period before as well."""
    from nurture.engine.measuring import Period
    from nurture.engine.measuring import report as measure

    at: At = context.obj
    present = moment(now)
    period = Period(_point(at, "--since", since, present), _point(at, "--until", until, present))
    if period.since is not None and period.since >= (period.until or present):
        raise Refused("--since must be before --until, and not in the future")
    with at.store() as store:
        found = measure(
            store, at.deployed(store, present), sequence, present, period=period, by=by, with_lift=lift
        )  # fmt: skip
    if as_json:
        say.data(found)
        return
    _head(found)
    _ladder(found)
    _consistency(found["consistency"])
    for group in found["groups"]:
        _group(group, str(found["by"]))
    if lift:
        _lifts(found["lift"], str(found["sequence"]))


def _point(at: At, option: str, text: str | None, now: datetime) -> datetime | None:
    """A date or moment (of the project's zone unless it names one), or how long ago."""
    from nurture.journey.timing import zone
    from nurture.language.words import duration

    if text is None:
        return None
    try:
        when = datetime.fromisoformat(text)
    except ValueError:
        try:
            ago = duration(text.removesuffix(" ago"))
        except ValueError:
            raise Refused(
                f"{option}: '{text}' is no date and no length of time; write 2026-06-01 or `30 days`"
            ) from None
        return now - timedelta(days=ago.days, seconds=ago.seconds)
    local = when if when.tzinfo is not None else when.replace(tzinfo=zone(at.settings.timezone))
    return local.astimezone(now.tzinfo)


# --- what is shown


def _head(found: Mapping[str, Any]) -> None:
    say.out.print(found["sequence"], style="bold", end="", markup=False)
    say.out.print(f"  {found['title']}", markup=False)
    before = found["before"]
    period = " ".join(f"{word} {_day(found[word])}" for word in ("since", "until") if found[word])
    print(f"{_began(found)}{f'; begun {period}' if period else ''}")
    if before is not None:
        say.out.print(f"The period before: {_began(before)}", style="dim", markup=False)


def _began(found: Mapping[str, Any]) -> str:
    ended = ", ".join(f"{number:,} {how}" for how, number in found["ended"].items() if how != "goal")
    goal = f"{found['goal']:,} reached the goal ({say.percent(found['goal'], found['enrolled'])})"
    return f"{found['enrolled']:,} began, {goal}, {found['inside']:,} inside{f'; ended {ended}' if ended else ''}"


def _day(moment_: str) -> str:
    return f"{datetime.fromisoformat(moment_):%a %d %b %Y}"


def _ladder(found: Mapping[str, Any]) -> None:
    steps: Sequence[Mapping[str, Any]] = found["steps"]
    wide = max(len("ask"), *(len(step["step"]) for step in steps))
    most = max((step["asked"] for step in steps), default=0)
    compared = found["before"] is not None
    title = f"\n  {'ask':{wide}}  {'asked':>8}  {'yes':>8}  {'rate':>6}  {'before  ' if compared else ''}"
    print(f"{title}{'':{WIDE}}  {'waiting':>8}  {'went on':>8}  {'ended here':>10}  time to a yes")
    for step in steps:
        rate = "-" if step["yes_rate"] is None else f"{step['yes_rate']:.1%}"
        change = f"{_change(step):>6}  " if compared else ""
        say.out.print(f"  {step['step']:{wide}}", style="bold", end="", markup=False)
        print(f"  {step['asked']:>8,}  {step['yes']:>8,}  {rate:>6}  {change}", end="")
        _bar(step, most)
        lost = sum(number for how, number in step["left"].items() if how != "goal")
        print(f"  {step['waiting']:>8,}  {step['went_on']:>8,}  {lost:>10,}  {_time(step['time_to_yes'])}".rstrip())
        for line in _details(step):
            say.out.print(f"  {'':{wide}}  {line}", style="dim", markup=False)
    say.out.print(f"\n  {'█' * 3} yes  {'▒' * 3} waiting  {'·' * 3} no", style="dim")
    if found["dies_at"] is not None:
        died = next(step for step in steps if step["step"] == found["dies_at"])
        lost = sum(number for how, number in died["left"].items() if how != "goal")
        print(f"\nMost end without the goal at {died['step']}: {lost:,} of {died['asked']:,} who were asked there.")


def _change(step: Mapping[str, Any]) -> str:
    before = step["before"]
    if before is None or before["yes_rate"] is None or step["yes_rate"] is None:
        return "-"
    return f"{(step['yes_rate'] - before['yes_rate']) * 100:+.1f}"


def _bar(step: Mapping[str, Any], most: int) -> None:
    """All who were asked, against the ask that most were asked: who said yes, who has time left, who said nothing."""
    columns = [round(step[part] / most * WIDE) if most else 0 for part in ("yes", "waiting", "asked")]
    yes, waiting, asked = columns[0], min(columns[1], WIDE - columns[0]), columns[2]
    say.out.print("█" * yes, style="green", end="")
    say.out.print("▒" * waiting, style="yellow", end="")
    say.out.print("·" * max(asked - yes - waiting, 0), style="dim", end="")
    print(" " * (WIDE - max(asked, yes + waiting)), end="")


def _details(step: Mapping[str, Any]) -> list[str]:
    lines = []
    if step["yes"] and step["answers"]:
        lines.append(", ".join(f"{key} {say.percent(number, step['yes'])}" for key, number in step["answers"].items()))
    if len(step["mails"]) > 1:
        lines.append("; ".join(f"{mail['step']}: {mail['yes']:,} of {mail['sent']:,}" for mail in step["mails"]))
    if step["machine"]:
        lines.append(f"machines made {step['machine']:,} of {step['machine'] + step['human']:,} clicks")
    return lines


def _time(quartiles: Mapping[str, float] | None) -> str:
    """`3h (1h to 9h)`: the median, and between what the middle half lies."""
    if quartiles is None:
        return ""
    first, median, third = (_length(quartiles[name]) for name in ("first", "median", "third"))
    return median if first == third else f"{median} ({first} to {third})"


def _length(seconds: float) -> str:
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "m")):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f}{unit}"
    return f"{seconds:.0f}s"


def _consistency(found: Mapping[str, Any]) -> None:
    lines = [line for one in found["principles"] if (line := _principle(one))]
    if lines:
        say.out.print("\nthe next ask, after a yes and after none", style="bold")
        for line in lines:
            print(f"  {line}")
        say.out.print(f"  {found['caveat']}", style="dim", markup=False)


def _principle(one: Mapping[str, Any]) -> str:
    yes, no = one["after_yes"], one["after_no"]
    if not yes["asked"] or not no["asked"]:
        return ""
    between = f"; {_between(one, 100, '.1f')} points" if one["low"] is not None else "; too few to say more"
    rates = f"{say.percent(yes['yes'], yes['asked'])} of {yes['asked']:,}, {say.percent(no['yes'], no['asked'])} of {no['asked']:,}"
    return f"{one['principle'] or 'no principle named':16}  {rates}{between}"


def _between(found: Mapping[str, Any], times: float, form: str) -> str:
    difference, low, high = (found[name] * times for name in ("difference", "low", "high"))
    return f"{difference:+{form}} ({low:+{form}} to {high:+{form}})"


def _group(group: Mapping[str, Any], by: str) -> None:
    say.out.print(f"\n{by} {group['value'] or '(none)'}", style="bold", end="", markup=False)
    print(f"  {_began(group)}")
    shown = [step for step in group["steps"] if step["asked"]]
    print("  " + "; ".join(f"{step['step']} {step['yes']:,} of {step['asked']:,}" for step in shown) if shown else "")


def _lifts(lifts: Sequence[Mapping[str, Any]], name: str) -> None:
    if not lifts:
        print(
            f"\nNo split of {name} has been drawn yet. To see whether it pays, keep some people out of it:\n"
            "start: {when: joined, go: {split: {FIRST_STEP: 90%, end: 10%}}}"
        )
    for one in lifts:
        where = "start" if one["way"] == "start" else f"{one['way']} of {one['step']}"
        say.out.print(f"\nlift, {where}: {one['split']}", style="bold", end="", markup=False)
        print(f"  drawn since {_day(one['since'])}")
        wide = max(len("arm"), *(len(arm["arm"]) for arm in one["arms"]))
        print(
            f"  {'arm':{wide}}  {'people':>8}  {'goals':>8}  {'rate':>6}  {'paid':>12}  {'a person':>9}  {one['currency']}"
        )
        for arm in one["arms"]:
            print(
                f"  {arm['arm']:{wide}}  {arm['people']:>8,}  {arm['goals']:>8,}  {arm['goal_rate']:>6.1%}  "
                f"{arm['paid']:>12,.2f}  {arm['paid_each']:>9,.2f}"
            )
        for pair in one["against"]:
            _against(pair, str(one["currency"]))
        if one["other_currencies"]:
            print(f"  {one['other_currencies']:,} purchases in another currency are not counted in what was paid.")


def _against(pair: Mapping[str, Any], currency: str) -> None:
    goals, paid = pair["goal_rate"], pair["paid_each"]
    if goals["low"] is not None:
        print(f"  {pair['arm']} against {pair['other']}: {_between(goals, 100, '.1f')} points", end="")
        money = f", {_between(paid, 1, '.2f')} {currency} a person".rstrip() if paid["low"] is not None else ""
        print(money)
    print(f"  {pair['says']}")
