"""Commands that keep running: the engine, one part of it, the demo."""

from __future__ import annotations

import logging
import random
import secrets
import sys
import tempfile
import webbrowser
from contextlib import ExitStack, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from nurture.cli import logs, say
from nurture.cli.operating import settings_shown
from nurture.cli.operators import nobody, refuse_to_be_public
from nurture.cli.project import At
from nurture.cli.starting import RECIPES
from nurture.errors import NurtureError, SettingsError, StoreError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from socket import socket

    from nurture.engine.run import Engine
    from nurture.mail.links import Links
    from nurture.providers.base import Account
    from nurture.store.database import Store

log = logging.getLogger("nurture.run")

Host = Annotated[str | None, typer.Option(help="where the web server listens")]
Port = Annotated[int | None, typer.Option(help="where the web server listens; 0 takes any free port")]

PARTS = ("web", "clock", "worker")

DEMO_PEOPLE, DEMO_SEED, DEMO_PORT = 50, 7, 8025
DEMO_START = datetime(2026, 6, 1, 8, 0, tzinfo=UTC)
HOUR_A_SECOND = 3600.0


def register(app: typer.Typer) -> None:
    for command in (run, worker, demo):
        app.command(command.__name__)(command)


def run(
    context: typer.Context,
    host: Host = None,
    port: Port = None,
    only: Annotated[Literal["web", "clock", "worker"] | None, typer.Option(help="one part of the engine")] = None,
) -> int:
    """Run the engine: the clock, the mail, the web. SIGTERM stops it in order."""
    from nurture.engine.cluster import clustered
    from nurture.engine.presence import present
    from nurture.engine.run import flag_on_hangup, running, settle_in, stop_on_signals
    from nurture.store import wakeups

    at: At = context.obj
    settings = at.with_flags(host=host, port=port)
    at.in_lines = settings.log == "json"
    logs.begin(as_json=at.in_lines)
    provider = at.provider()
    with ExitStack() as stack:
        store = stack.enter_context(at.store())
        if only in (None, "web"):
            refuse_to_be_public(settings, store)
        listening = _listen(stack, settings.host, settings.port) if only in (None, "web") else None
        links = at.links(_address(listening, settings.host, settings.port))
        if only != "web":
            stack.enter_context(store.own("nurture run", datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")))
        cluster = at.clustered(store)
        accounts = at.accounts()
        engine = _engine(at, store, links, accounts)
        deployed = at.deployed(store, engine.now())
        if not settings.postal_address and provider.name != "outbox":
            at.tell(
                "nurture: no postal address is set, and the law wants one in many countries: NURTURE_POSTAL_ADDRESS",
            )
        code = stop_on_signals(engine.stop)
        again = flag_on_hangup()
        runs = frozenset(PARTS if only is None else (only,) if cluster or only == "web" else ("clock", "worker"))
        stack.enter_context(present(engine, runs))
        if cluster:
            stack.enter_context(clustered(engine, runs))
        elif only != "web":
            stack.enter_context(running(engine))
        where = _serve(stack, at, engine, listening, accounts) if listening is not None else ""
        settle_in()
        names = ", ".join(deployed.project.sequences) or "no sequence"
        runs_so = f"Nurture runs {names} over {settings.provider}{where and f', at {where}'}."
        at.tell(f"{runs_so} Ctrl+C stops it.", provider=settings.provider, address=where or None)
        while not engine.stop.wait(1):
            if again.is_set():
                again.clear()
                _read_secrets_again(at, accounts)
                with suppress(StoreError), store.write() as tx:  # on a cluster nobody sends unless woken
                    wakeups.want(tx, "send")
    if engine.ended_by:
        raise StoreError(engine.ended_by[0])
    return code()


def _read_secrets_again(at: At, accounts: dict[str, Account]) -> None:
    """SIGHUP: keys and hook secrets can be rotated while mail goes and reports come. Faulty settings change nothing."""
    try:
        read = At(at.folder)
        fresh = read.accounts()
        for provider, account in ((read.provider(), read.account()), *read.others()):
            provider.connect(account)  # which refuses what cannot be one
    except NurtureError as error:
        log.warning("the settings were read again and are kept as they were: %s", error)
        return
    accounts.update(fresh)  # first, so that no report finds its provider gone
    for name in accounts.keys() - fresh.keys():
        del accounts[name]
    log.info("keys and the secrets of hooks were read again: %s", ", ".join(sorted(fresh)) or "there are none")


def worker(context: typer.Context) -> int:
    """Run the passes without the web, beside other engines on the same PostgreSQL."""
    return run(context, None, None, "worker")


def _engine(at: At, store: Store, links: Links, accounts: Mapping[str, Account]) -> Engine:
    from nurture.engine.deploy import Current
    from nurture.engine.run import Engine

    settings = at.settings
    return Engine(
        store, Current(store, at.rules), links, at.provider(), at.account(), every=settings.tick,
        senders=settings.senders, note=at.note(store), others=at.others(), accounts=accounts,
        one_core=settings.one_core,
    )  # fmt: skip


def _listen(stack: ExitStack, host: str, port: int) -> socket:
    from nurture.web.serve import listen

    return stack.enter_context(listen(host, port))


def _address(listening: socket | None, host: str, port: int) -> str:
    from nurture.web.serve import address

    return f"http://{host}:{port}" if listening is None else address(listening)


def _serve(
    stack: ExitStack, at: At, engine: Engine, listening: socket, accounts: dict[str, Account]
) -> str:  # fmt: skip
    from nurture.engine.inbox import Inbox
    from nurture.web.app import build
    from nurture.web.serve import serving
    from nurture.web.site import Site

    inbox = Inbox(engine.store)
    stack.callback(inbox.close)
    settings = at.settings
    site = Site(
        engine.store, engine.current, engine.links, inbox, accounts, engine.now,
        settings.admin_token.get_secret_value(), settings.base_url, frozenset(settings.allowed_names),
        secrets.token_urlsafe(32), settings_shown(at),
    )  # fmt: skip
    where = stack.enter_context(serving(build(site), listening, settings.proxies))
    if nobody(engine.store):
        if at.in_lines:
            log.warning("nobody can log in yet: `nurture user add` makes the first account")
        else:
            # on the terminal and nowhere else, and worth nothing once an account exists
            say.say(f"Nobody can log in yet. Make the first account at {settings.base_url or where}/setup/{site.setup}")
    return where


# --- the demo


def demo(
    context: typer.Context,
    host: Annotated[str, typer.Option(help="where its page is")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="where its page is; the next free one when it is taken")] = DEMO_PORT,
    *,
    browser: Annotated[bool, typer.Option(help="open the page")] = True,
) -> int:
    """Imagined subscribers, fast time, an inbox page. Nothing leaves the machine and nothing is kept."""
    from nurture.engine.applying import deploy_if_safe
    from nurture.engine.demo import YOU, Crowd, FastTime, Imagined, come, crowd, stock
    from nurture.engine.deploy import Current, read_folder
    from nurture.engine.inbox import Inbox
    from nurture.engine.rules import Rules
    from nurture.engine.run import Engine, running, stop_on_signals
    from nurture.mail.links import Links, Signer
    from nurture.providers import PROVIDERS
    from nurture.providers.base import Account
    from nurture.store.database import open_store
    from nurture.web import demo as pages
    from nurture.web.app import build
    from nurture.web.serve import address, serving
    from nurture.web.site import Site

    logs.begin(level=logging.WARNING)
    at: At = context.obj
    folder = at.folder if (at.folder / "sequences").is_dir() else RECIPES / "welcome"
    time = FastTime(DEMO_START, HOUR_A_SECOND)
    with ExitStack() as stack:
        listening = free_socket(stack, host, port)
        own = address(listening)
        kept = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="nurture-demo-")))
        store = open_store(f"sqlite:///{kept}/demo.db")
        stack.callback(store.close)
        deploy_if_safe(store, read_folder(folder), time())
        postal = at.settings.postal_address if folder is at.folder else ""
        rules = Rules(
            zone="Europe/London", postal_address=postal or "An imagined company, 1 Example Street",
            timeout=timedelta(days=10),  # of fast time: an attempt takes minutes of it
        )  # fmt: skip
        links = Links(own, own, Signer([secrets.token_urlsafe(32)]))
        engine = Engine(
            store, Current(store, rules), links, PROVIDERS["outbox"], Account("outbox"),
            every=timedelta(milliseconds=200), senders=2, now=time,
        )  # fmt: skip
        inbox = Inbox(store)
        stack.callback(inbox.close)
        stock(engine)
        dice = random.Random(DEMO_SEED)  # noqa: S311 - imagined people, not secrets
        everyone = crowd(DEMO_PEOPLE, dice)
        people = Crowd(engine, inbox, everyone, DEMO_SEED)
        come(engine, Imagined("Sam", YOU, "keen", "Europe/London"), _first(engine), time())
        code = stop_on_signals(engine.stop)
        stack.enter_context(running(engine, {"people": people.act}))
        show = pages.Show(engine, inbox, people, time)
        site = Site(store, engine.current, links, inbox, {}, time)
        stack.enter_context(serving(build(site, pages.routes(show), framed=True), listening))
        say.say(f"The demo is at {own}/demo. Nothing leaves this machine. Ctrl+C stops it.")
        if browser and sys.stderr.isatty():
            webbrowser.open(f"{own}/demo")
        while not engine.stop.wait(1):
            pass
    return code()


def _first(engine: Engine) -> str:
    """The sequence that a sign-up begins, else any."""
    sequences = engine.current().project.sequences
    if not sequences:
        raise NurtureError("this project has no sequences to show; `nurture init DIR` makes one that has")
    return next((name for name, one in sequences.items() if one.start.when[0].kind == "joined"), next(iter(sequences)))


def free_socket(stack: ExitStack, host: str, port: int) -> socket:
    for tried in (port, port + 1, port + 2, 0):
        try:
            return _listen(stack, host, tried)
        except SettingsError:
            if tried == 0:
                raise
    raise AssertionError
