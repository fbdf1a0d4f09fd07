"""What every provider can do, as the table in docs/providers.md: `python -m nurture.providers.table` prints it."""

from __future__ import annotations

from datetime import timedelta

from nurture.providers import PROVIDERS
from nurture.providers.base import Abilities, Provider, sends_nothing

HEAD = ("provider", "a key makes a retry safe", "can be asked for a mail", "many in one call", "its tracking is off",
        "unsubscribe headers", "largest mail", "hooks are checked by", "which covers")  # fmt: skip


def table() -> str:
    """One line a provider, from its `Abilities`."""
    rows = [HEAD, ("---",) * len(HEAD), *(_row(PROVIDERS[name]) for name in sorted(PROVIDERS))]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _row(provider: Provider) -> tuple[str, ...]:
    can = provider.abilities
    if provider.connect is sends_nothing:
        return (f"`{provider.name}`", "it only reports", "", "", "", "", "", can.signs, can.covers)
    return (
        f"`{provider.name}`",
        f"for {_span(can.key_life)}" if can.key_life else "no",
        _search(provider),
        f"{can.batch}" if can.batch > 1 else "no",
        "for each mail" if can.quiet else "by a setting of the account",
        _way_out(can),
        f"{can.largest // 1_000_000} MB",
        (can.signs or "a signature") if provider.verify else "no hooks",
        can.covers if provider.verify else "",
    )


def _way_out(can: Abilities) -> str:
    if can.own_way_out:
        return "its own, unless the account says otherwise"
    return "ours" if can.one_click else "ours; one click is not documented"


def _search(provider: Provider) -> str:
    if provider.find is None:
        return "no"
    after = provider.abilities.found_after
    return f"yes; what is not found after {_span(after)} was not sent" if after else "yes; only what is found is proof"


def _span(span: timedelta) -> str:
    minutes = int(span.total_seconds() // 60)
    return f"{minutes // 60} hours" if minutes >= 120 and minutes % 60 == 0 else f"{minutes} minutes"


if __name__ == "__main__":
    print(table())  # noqa: T201 - a page is written with it
