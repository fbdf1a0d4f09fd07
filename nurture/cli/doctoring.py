"""`nurture doctor`: what is wrong with this installation, and what mends it."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nurture.cli import say
from nurture.cli.people import AsJson
from nurture.errors import NurtureError
from nurture.language.problems import counted
from nurture.settings import DOTENV

if TYPE_CHECKING:
    from nurture.cli.project import At
    from nurture.engine.deploy import Deployed
    from nurture.engine.doctor.finding import Finding
    from nurture.mail.links import Links
    from nurture.store.database import Store

MARKS = {"ok": ("✓", "green"), "warning": ("!", "bold yellow"), "fault": ("✗", "bold red")}


def register(app: typer.Typer) -> None:
    app.command("doctor")(doctor)


def doctor(
    context: typer.Context,
    *,
    security: Annotated[bool, typer.Option("--security", help="what an attacker would try first, too")] = False,
    strict: Annotated[bool, typer.Option("--strict", help="leave with 1 for warnings, too")] = False,
    as_json: AsJson = False,
) -> int:
    """Look at keys, webhooks, DNS, the way out of mails, clock, database and queues; say what mends what is wrong."""
    at: At = context.obj
    with ExitStack() as stack:
        found = _found(at, stack, security=security)
    if as_json:
        say.data({"format": "nurture.doctor/1", "findings": [asdict(one) for one in found]})
    else:
        _show(found)
    levels = [one.level for one in found]
    return 1 if "fault" in levels or (strict and "warning" in levels) else 0


def _found(at: At, stack: ExitStack, *, security: bool) -> list[Finding]:
    from dns.resolver import NoResolverConfiguration, Resolver

    from nurture.engine.doctor.examine import examine
    from nurture.engine.doctor.finding import Patient, fault
    from nurture.providers.base import Account

    found: list[Finding] = []
    settings, name = at.settings, at.provider().name
    provider, accounts = at.provider(), at.accounts()
    store, deployed, links = _store(at, stack, found), _deployed(at, found), _links(at, found)
    try:
        resolver = Resolver()
    except NoResolverConfiguration:
        resolver = Resolver(configure=False)
        found.append(fault("dns", "this machine knows no name server", "put one into /etc/resolv.conf"))
    patient = Patient(
        provider, accounts.get(name, Account(name)), accounts, settings.base_url, resolver, datetime.now(UTC), store,
        deployed, links, settings.dkim_selectors,
    )  # fmt: skip
    found += examine(patient)
    if security:
        found += _security(at, store)
    return found


def _store(at: At, stack: ExitStack, found: list[Finding]) -> Store | None:
    from nurture.engine.doctor.finding import Finding
    from nurture.engine.doctor.machine import unopened

    file = at.database.partition("sqlite:///")[2]
    opened = unopened(at.database, Path(file) if file else None)
    if isinstance(opened, Finding):
        found.append(opened)
        return None
    stack.callback(opened.close)
    return opened


def _deployed(at: At, found: list[Finding]) -> Deployed | None:
    """What the files say, not what runs: the doctor deploys nothing."""
    from nurture.engine.deploy import build
    from nurture.engine.doctor.finding import fault

    try:
        return build(0, at.files(), at.rules)
    except NurtureError as error:
        found.append(fault("files", str(error).splitlines()[0], "nurture check"))
        return None


def _links(at: At, found: list[Finding]) -> Links | None:
    from nurture.engine.doctor.finding import fault

    try:
        return at.links(f"http://{at.settings.host}:{at.settings.port}")
    except NurtureError as error:
        sentence, _, mend = str(error).partition(". Make one: ")
        found.append(fault("secret key", sentence, f"set it to what this prints: {mend}" if mend else "nurture config"))
        return None


def _security(at: At, store: Store | None) -> list[Finding]:
    from nurture.engine.doctor.security import Exposure, check

    settings = at.settings
    files = [at.folder / DOTENV, *([store.path] if store is not None and store.path is not None else [])]
    return list(
        check(
            Exposure(
                settings.base_url, settings.host, at.accounts(),
                tuple(key.get_secret_value() for key in settings.secret_key),
                settings.admin_token.get_secret_value(), tuple(files),
            )
        )
    )  # fmt: skip


def _show(found: list[Finding]) -> None:
    width = max((len(one.check) for one in found), default=0)
    for one in found:
        mark, tone = MARKS[one.level]
        say.out.print(mark, style=tone, end=" ")
        say.out.print(f"{one.check:<{width}}  {one.says}", markup=False)
        if one.mend:
            say.out.print(f"  {'':<{width}}  → {one.mend}", style="dim", markup=False)
    faults, warnings = (sum(one.level == level for one in found) for level in ("fault", "warning"))
    say.say(f"{len(found)} looked at: {counted(faults, 'fault')}, {counted(warnings, 'warning')}.")
