"""The project that a command works on: its folder, settings, database and running version, each made when first used."""

from __future__ import annotations

import getpass
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from nurture.cli.say import say
from nurture.errors import Refused, SettingsError
from nurture.language.problems import or_one_of
from nurture.language.words import duration
from nurture.settings import read_settings

if TYPE_CHECKING:
    from nurture.engine.deploy import Deployed
    from nurture.engine.listening import Listener
    from nurture.engine.rules import Rules
    from nurture.language.sequence import Duration
    from nurture.mail.links import Links
    from nurture.providers.base import Account, Provider
    from nurture.providers.shop import Shop
    from nurture.settings import Settings
    from nurture.store.database import Store

log = logging.getLogger("nurture.run")

NOTE = ".nurture-epoch"


@dataclass
class At:
    """A project's folder and what is known of it."""

    folder: Path
    in_lines: bool = False
    """Whether stderr is a log for programs, so that nothing else may stand there."""

    @cached_property
    def settings(self) -> Settings:
        if not self.folder.is_dir():
            raise SettingsError(f"there is no folder {self.folder}")
        return read_settings(self.folder)

    def with_flags(self, **flags: object) -> Settings:
        """The settings with the flags of a command, which go before all else."""
        self.__dict__["settings"] = read_settings(self.folder, **flags)
        return self.settings

    def tell(self, words: str, **known: object) -> None:
        """To whoever runs a command; where programs read its log along, as a line of that."""
        if self.in_lines:
            log.info("%s", words, extra=known)
        else:
            say(words)

    def find(self, path: Path) -> Path:
        """A file that was named on the command line: seen from here, else from the project's folder."""
        for found in (path, self.folder / path):
            if found.exists():
                return found
        raise Refused(f"there is no file or folder {path}")

    @cached_property
    def rules(self) -> Rules:
        from nurture.engine.rules import Rules
        from nurture.journey.fuses import Fuse

        settings = self.settings
        return Rules(
            zone=settings.timezone,
            gap=_gap(settings.gap),
            settle=settings.settle,
            timeout=settings.send_timeout,
            delivery=settings.delivery,
            awaiting=settings.awaiting,
            postal_address=settings.postal_address,
            hosts=frozenset(settings.allowed_hosts),
            budget=settings.budget,
            keep_mails=settings.keep_mails,
            fuse=Fuse(settings.fuse_hourly, settings.fuse_failures),
            products=settings.products,
            listeners=self.listeners(),
            shops=self.shops(),
        )

    @property
    def database(self) -> str:
        """The database's URL; a SQLite file without a folder lies in the project."""
        url = self.settings.database_url.get_secret_value()
        scheme, slashes, path = url.partition(":///")
        if slashes and scheme.startswith("sqlite") and path and not path.startswith("/") and path != ":memory:":
            return f"sqlite:///{(self.folder / path).absolute()}"
        return url.replace("postgres://", "postgresql://", 1) if url.startswith("postgres://") else url

    def note(self, store: Store) -> Path:
        """Where it is noted when an engine last started: beside a SQLite file, else in the project's folder."""
        return self.folder / NOTE if store.path is None else store.path.with_name(store.path.name + ".epoch")

    @contextmanager
    def store(self, *, upgrade: bool = True) -> Iterator[Store]:
        from nurture.store.database import open_store

        opened = open_store(self.database, upgrade=upgrade)
        try:
            yield opened
        finally:
            opened.close()

    def clustered(self, store: Store) -> bool:
        """Whether wake-ups go through the database here; its queue is made ready."""
        from nurture.engine import cluster

        if self.settings.cluster == "off" or store.dialect == "sqlite":
            return False
        if not cluster.possible(store):
            self.tell(
                "nurture: several engines share this database, each by its own clock; "
                "pip install 'nurture[cluster]' wakes them within milliseconds instead"
            )
            return False
        cluster.prepare(store)
        return True

    def files(self) -> dict[str, bytes]:
        from nurture.engine.deploy import read_folder

        return read_folder(self.folder)

    def deployed(self, store: Store, now: datetime) -> Deployed:
        """The running version. Changed files are deployed first when no one's place is touched."""
        from nurture.engine.applying import deploy_if_safe
        from nurture.engine.deploy import Current

        if (self.folder / "sequences").is_dir():
            held = deploy_if_safe(store, self.files(), now)
            if held:
                self.tell(f"nurture: {held}")
        return Current(store, self.rules)()

    def provider(self) -> Provider:
        """Who sends first."""
        return self._providers()[0]

    def _providers(self) -> list[Provider]:
        """Who sends, and who takes over what those before provably did not take."""
        from nurture.providers import PROVIDERS
        from nurture.providers.base import sends_nothing

        found = []
        for name in [part.strip() for part in self.settings.provider.split(",")]:
            if name not in PROVIDERS:
                senders = [one for one, known in PROVIDERS.items() if known.connect is not sends_nothing]
                raise SettingsError(f"NURTURE_PROVIDER: there is no provider '{name}'{or_one_of(name, senders)}")
            if PROVIDERS[name].connect is sends_nothing:
                raise SettingsError(f"NURTURE_PROVIDER: {name} sends no mail, it only reports; choose another")
            if PROVIDERS[name] in found:
                raise SettingsError(f"NURTURE_PROVIDER: {name} stands there twice")
            found.append(PROVIDERS[name])
        return found

    def accounts(self) -> dict[str, Account]:
        from nurture.providers import HOOKS, PROVIDERS
        from nurture.providers.base import Account

        found = {}
        for written, said in self.settings.providers.items():
            name = written if written in PROVIDERS else written.replace("_", "-")
            if name not in PROVIDERS and name not in HOOKS:
                hint = or_one_of(name, {**PROVIDERS, **HOOKS})
                raise SettingsError(f"NURTURE_PROVIDERS__{written.upper()}: there is no provider '{name}'{hint}")
            setting, known = f"NURTURE_PROVIDERS__{written.upper()}", PROVIDERS.get(name) or HOOKS[name]
            for option in ("domain", "region", "stream"):
                if getattr(said, option) and option not in {*known.needs, *known.takes}:
                    raise SettingsError(f"{setting}__{option.upper()}: {name} has no {option}")
            if said.batch and known.connect_many is None:
                raise SettingsError(f"{setting}__BATCH: {name} is not sent many mails in one call")
            secrets = tuple(secret.get_secret_value() for secret in said.hook_secret)
            found[name] = Account(
                name, said.key.get_secret_value(), said.url.rstrip("/"), secrets, said.rate, said.domain, said.region,
                said.daily, said.growing, said.batch, said.stream,
            )  # fmt: skip
        return found

    def account(self) -> Account:
        """How we are known to the provider that sends first."""
        return self._account(self.provider())

    def others(self) -> tuple[tuple[Provider, Account], ...]:
        """Those that take over, each with how we are known to it."""
        return tuple((one, self._account(one)) for one in self._providers()[1:])

    def _account(self, provider: Provider) -> Account:
        from nurture.providers.base import Account

        name = provider.name
        account = self.accounts().get(name, Account(name))
        for need, example in provider.needs.items():
            if not getattr(account, need):
                raise SettingsError(f"{name} needs NURTURE_PROVIDERS__{name.upper()}__{need.upper()}, like {example}")
        return account

    def listeners(self) -> tuple[Listener, ...]:
        """Who hears of what is decided."""
        from nurture.engine.listening import TYPES, Listener
        from nurture.providers.listener import complaint, unreadable

        found = []
        for name, said in self.settings.listeners.items():
            setting, url = f"NURTURE_LISTENERS__{name.upper()}", said.url.get_secret_value()
            wrong = complaint(url, private=said.private)
            if wrong:
                raise SettingsError(f"{setting}__URL {wrong}")
            for kind in said.events:
                if kind not in TYPES:
                    raise SettingsError(f"{setting}__EVENTS: there is no event '{kind}'{or_one_of(kind, TYPES)}")
            secrets = tuple(secret.get_secret_value() for secret in said.secret)
            if not secrets and said.shape == "plain":
                raise SettingsError(
                    f"{setting}__SECRET is not set; events are signed with it. Make one: "
                    "python -c \"import base64, secrets; print('whsec_' + base64.b64encode(secrets.token_bytes(32)).decode())\""
                )
            if any(unreadable(secret) for secret in secrets):
                raise SettingsError(f"{setting}__SECRET cannot be read; write whsec_ and 24 bytes or more in base64")
            events = frozenset(said.events or TYPES)
            found.append(Listener(name, url, events, secrets, said.shape, said.private))
        return tuple(found)

    def shops(self) -> dict[str, Shop]:
        """Who is asked for the codes of which pool."""
        from nurture.providers.listener import complaint, unreadable
        from nurture.providers.shop import Shop

        found = {}
        for pool, said in self.settings.codes.items():
            setting = f"NURTURE_CODES__{pool.upper()}"
            wrong = complaint(said.url, private=said.private)
            if wrong:
                raise SettingsError(f"{setting}__URL {wrong}")
            secrets = tuple(secret.get_secret_value() for secret in said.secret)
            if not secrets:
                raise SettingsError(
                    f"{setting}__SECRET is not set; what the shop is asked is signed with it. Make one: "
                    "python -c \"import base64, secrets; print('whsec_' + base64.b64encode(secrets.token_bytes(32)).decode())\""
                )
            if any(unreadable(secret) for secret in secrets):
                raise SettingsError(f"{setting}__SECRET cannot be read; write whsec_ and 24 bytes or more in base64")
            found[pool] = Shop(said.url, secrets, said.private)
        return found

    def links(self, own: str) -> Links:
        """`own` is where this process listens, for pages when no base URL is set."""
        from nurture.mail.links import Links, Signer

        keys = [key.get_secret_value() for key in self.settings.secret_key]
        if not keys:
            raise SettingsError(
                "NURTURE_SECRET_KEY is not set; links in mails are signed with it. Make one: "
                "python -c 'import secrets; print(secrets.token_urlsafe(32))'"
            )
        base = self.settings.base_url
        return Links(base, base or own, Signer(keys), self.settings.reply_domain)


def moment(text: str | None) -> datetime:
    """`--now`, in UTC unless it says otherwise; the present when it is not given."""
    if text is None:
        return datetime.now(UTC)
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise Refused(f"--now: '{text}' is no moment; write it like 2026-11-24T18:00:00Z") from None
    return (at.replace(tzinfo=UTC) if at.tzinfo is None else at).astimezone(UTC)


def who() -> str:
    """Whoever runs this command, for the record."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user without a name
        return ""


def _gap(text: str) -> Duration | None:
    if not text:
        return None
    try:
        return duration(text)
    except ValueError as error:
        raise SettingsError(f"NURTURE_GAP: {error}") from None
