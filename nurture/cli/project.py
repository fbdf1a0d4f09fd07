"""The project that a command works on: its folder, settings, database and running version, each made when first used."""

from __future__ import annotations

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
    from nurture.engine.rules import Rules
    from nurture.language.sequence import Duration
    from nurture.mail.links import Links
    from nurture.providers.base import Account, Provider
    from nurture.settings import Settings
    from nurture.store.database import Store


@dataclass
class At:
    """A project's folder and what is known of it."""

    folder: Path

    @cached_property
    def settings(self) -> Settings:
        if not self.folder.is_dir():
            raise SettingsError(f"there is no folder {self.folder}")
        return read_settings(self.folder)

    def with_flags(self, **flags: object) -> Settings:
        """The settings with the flags of a command, which go before all else."""
        self.__dict__["settings"] = read_settings(self.folder, **flags)
        return self.settings

    def find(self, path: Path) -> Path:
        """A file that was named on the command line: seen from here, else from the project's folder."""
        for found in (path, self.folder / path):
            if found.exists():
                return found
        raise Refused(f"there is no file or folder {path}")

    @cached_property
    def rules(self) -> Rules:
        from nurture.engine.rules import Rules

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
            products=settings.products,
        )

    @property
    def database(self) -> str:
        """The database's URL; a SQLite file without a folder lies in the project."""
        url = self.settings.database_url.get_secret_value()
        scheme, slashes, path = url.partition(":///")
        if slashes and scheme.startswith("sqlite") and path and not path.startswith("/") and path != ":memory:":
            return f"sqlite:///{(self.folder / path).absolute()}"
        return url.replace("postgres://", "postgresql://", 1) if url.startswith("postgres://") else url

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
            say(
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
                say(f"nurture: {held}")
        return Current(store, self.rules)()

    def provider(self) -> Provider:
        from nurture.providers import PROVIDERS
        from nurture.providers.base import sends_nothing

        name = self.settings.provider
        if name not in PROVIDERS:
            senders = [one for one, known in PROVIDERS.items() if known.connect is not sends_nothing]
            raise SettingsError(f"NURTURE_PROVIDER: there is no provider '{name}'{or_one_of(name, senders)}")
        if PROVIDERS[name].connect is sends_nothing:
            raise SettingsError(f"NURTURE_PROVIDER: {name} sends no mail, it only reports; choose another")
        return PROVIDERS[name]

    def accounts(self) -> dict[str, Account]:
        from nurture.providers import HOOKS, PROVIDERS
        from nurture.providers.base import Account

        found = {}
        for written, said in self.settings.providers.items():
            name = written if written in PROVIDERS else written.replace("_", "-")
            if name not in PROVIDERS and name not in HOOKS:
                hint = or_one_of(name, {**PROVIDERS, **HOOKS})
                raise SettingsError(f"NURTURE_PROVIDERS__{written.upper()}: there is no provider '{name}'{hint}")
            for option in ("domain", "region"):
                if getattr(said, option) and (name not in PROVIDERS or option not in PROVIDERS[name].needs):
                    raise SettingsError(
                        f"NURTURE_PROVIDERS__{written.upper()}__{option.upper()}: {name} has no {option}"
                    )
            secrets = tuple(secret.get_secret_value() for secret in said.hook_secret)
            found[name] = Account(
                name, said.key.get_secret_value(), said.url.rstrip("/"), secrets, said.rate, said.domain, said.region
            )
        return found

    def account(self) -> Account:
        """How we are known to the provider that sends."""
        from nurture.providers.base import Account

        name = self.settings.provider
        account = self.accounts().get(name, Account(name))
        for need, example in self.provider().needs.items():
            if not getattr(account, need):
                raise SettingsError(f"{name} needs NURTURE_PROVIDERS__{name.upper()}__{need.upper()}, like {example}")
        return account

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


def _gap(text: str) -> Duration | None:
    if not text:
        return None
    try:
        return duration(text)
    except ValueError as error:
        raise SettingsError(f"NURTURE_GAP: {error}") from None
