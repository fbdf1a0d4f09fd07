"""Settings: flag > environment (`NURTURE_…`, nested with `__`) > `.env` > `nurture.toml` > default.

Unknown names are errors, and secrets never stand in `nurture.toml`. Only the command line reads settings; every other
room is handed values.
"""

from __future__ import annotations

import json
import os
import re
import tomllib
from collections.abc import Iterable, Mapping
from datetime import timedelta
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit
from zoneinfo import available_timezones

from dotenv import dotenv_values
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, InitSettingsSource, NoDecode, PydanticBaseSettingsSource, SettingsConfigDict

from nurture.errors import SettingsError

PREFIX = "NURTURE_"
TOML, DOTENV = "nurture.toml", ".env"
FILES = "(files)"
"""What both say, on its way to `Settings`: below the environment, where flags are above."""
SECRETS = ("secret_key", "admin_token", "key", "hook_secret", "password", "secret")
_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*(seconds?|s|minutes?|m|hours?|h|days?|d|weeks?|w|years?|y)")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800, "y": 365 * 86400}


def _span(value: object) -> object:
    """`1 second`, `30s`, `24 hours` as elapsed time."""
    if isinstance(value, timedelta):
        return value
    match = _DURATION.fullmatch(str(value).strip())
    if match is None:
        raise ValueError(f"'{value}' is no duration; write it like 30 seconds, 20 minutes or 24 hours")
    return timedelta(seconds=float(match[1]) * _SECONDS[match[2][0]])


def _base_url(value: str) -> str:
    parts = urlsplit(value)
    if value and (parts.scheme not in ("http", "https") or not parts.netloc or parts.query or parts.fragment):
        raise ValueError(f"'{value}' is no web address; write it like https://mail.example.com")
    return value.rstrip("/")


def _listed(value: object) -> object:
    """`a,b` or `["a", "b"]`."""
    if isinstance(value, str) and not value.startswith("["):
        return [part.strip() for part in value.split(",") if part.strip()]
    return json.loads(value) if isinstance(value, str) else value


def _one_or_more(value: object) -> object:
    """A secret as it is, commas and all, or `["new", "old"]`."""
    if isinstance(value, str) and not value.startswith("["):
        return [value] if value else []
    return json.loads(value) if isinstance(value, str) else value


def _share(value: object) -> object:
    """`2%` as 0.02."""
    if isinstance(value, str):
        number = value.strip().removesuffix("%").strip()
        if not value.strip().endswith("%") or not number.replace(".", "", 1).isdecimal():
            raise ValueError(f"'{value}' is no share; write it like 2%")
        return float(number) / 100
    return value


def _zone(value: str) -> str:
    if value not in available_timezones():
        close = get_close_matches(value, available_timezones(), n=1)
        raise ValueError(f"'{value}' is no time zone{f', did you mean {close[0]}?' if close else ''}")
    return value


Span = Annotated[timedelta, BeforeValidator(_span)]
Names = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_listed)]
Secrets = Annotated[tuple[SecretStr, ...], NoDecode, BeforeValidator(_listed)]
HookSecrets = Annotated[tuple[SecretStr, ...], NoDecode, BeforeValidator(_one_or_more)]


class ProviderSettings(BaseModel):
    """How we are known to one provider. `url` is another host (EU region, a test server); `rate` is mails a second.

    `daily` is the most mails on its first day, `growing` (20%) by how much each later day may have more: a warm-up; alone
    it is a cap. `batch`: many mails in one call, where the provider can. `domain` is the one that sends (Mailgun), `region` where the account is (SES),
    `stream` the message stream that carries it (Postmark).
    """

    model_config = ConfigDict(extra="forbid")

    key: SecretStr = SecretStr("")
    hook_secret: HookSecrets = ()
    url: str = ""
    rate: float | None = Field(default=None, gt=0)
    daily: int | None = Field(default=None, ge=0)
    growing: Annotated[float, BeforeValidator(_share)] = Field(default=0.0, ge=0, le=10)
    batch: bool = False
    domain: str = ""
    region: str = ""
    stream: str = ""


class ListenerSettings(BaseModel):
    """Who hears of what happens: where, of which types of events (all when left out), in which shape.

    `secret` signs, several while one is replaced. `private` allows an address inside the network.
    """

    model_config = ConfigDict(extra="forbid")

    url: SecretStr
    events: Names = ()
    secret: Secrets = ()
    shape: Literal["plain", "slack"] = "plain"
    private: bool = False


class ShopSettings(BaseModel):
    """Where a pool's codes are asked for, a code for each person; `secret` signs, several while one is replaced.

    `private` allows an address inside the network.
    """

    model_config = ConfigDict(extra="forbid")

    url: str
    secret: Secrets = ()
    private: bool = False


class Settings(BaseSettings):
    """Everything an operator can set."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_nested_delimiter="__", extra="forbid", hide_input_in_errors=True, env_ignore_empty=True
    )

    database_url: SecretStr = Field(SecretStr("sqlite:///nurture.db"), description="where everything is kept")
    base_url: Annotated[str, AfterValidator(_base_url)] = Field(
        "", description="where people reach this engine: links in mails begin with it"
    )
    secret_key: Secrets = Field((), description="signs links; several, comma-separated, rotate: the first signs")
    provider: str = Field(
        "outbox",
        description="who sends: outbox keeps mail in the database and shows it; after a comma, who takes over from it",
    )
    providers: dict[str, ProviderSettings] = Field(default_factory=dict, description="keys and hosts by provider")
    listeners: dict[str, ListenerSettings] = Field(
        default_factory=dict, description="who hears of kept asks, goals, ends, badges and refusals, by a name of yours"
    )
    products: dict[str, str] = Field(
        default_factory=dict, description="what a seller's own ids (price_…, plink_…) are in people.yaml"
    )
    codes: dict[str, ShopSettings] = Field(
        default_factory=dict, description="shops that are asked for the codes of a pool, by its name"
    )
    tick: Span = Field(timedelta(seconds=1), description="how often the engine looks for what is due")
    settle: Span = Field(timedelta(seconds=30), description="how long a click waits for its verdict")
    postal_address: str = Field("", description="yours, at the foot of every mail; the law wants it in many countries")
    admin_token: SecretStr = Field(SecretStr(""), description="a bearer token that may do everything")
    timezone: Annotated[str, AfterValidator(_zone)] = Field("UTC", description="for people whose own is not known")
    gap: str = Field("", description="the least time between any two mails to a person, like 1 day; off when empty")
    delivery: Literal["at_most_once", "at_least_once", "hold"] = Field(
        "at_most_once", description="what to do when nobody knows whether a mail left"
    )
    awaiting: Span = Field(timedelta(hours=24), description="how long evidence of such a mail is awaited")
    send_timeout: Span = Field(timedelta(seconds=20), description="the wall for one attempt to send")
    budget: int = Field(10, ge=1, le=1000, description="the most mails to a person on one day of theirs")
    keep_mails: Span | None = Field(
        None, description="how long the words of a mail are kept once it is settled, like 1 year; for good when empty"
    )
    fuse_hourly: int | None = Field(
        None, ge=1, description="more mails than this within an hour, and all mail is held until `nurture resume`"
    )
    fuse_failures: Annotated[float | None, BeforeValidator(_share)] = Field(
        None, description="a larger share of the last 200 failed or unknown, like 2%, and all mail is held, too"
    )
    senders: int = Field(20, ge=1, le=500, description="requests to the provider at the same time")
    one_core: bool = Field(
        True, description="whether the threads of a process share a core while mail goes out (Linux), which is faster"
    )
    cluster: Literal["auto", "off"] = Field(
        "auto", description="on PostgreSQL, whether Procrastinate's workers are woken (where they are installed)"
    )
    allowed_hosts: Names = Field((), description="where an ask may lead that takes its address from an event")
    reply_domain: str = Field(
        "", pattern=r"^([A-Za-z0-9-]+\.)+[A-Za-z0-9-]+$|^$",
        description="where mail that people write back comes in, like reply.example.com; its MX is the provider's",
    )  # fmt: skip
    dkim_selectors: Names = Field((), description="names of your DKIM keys, for `nurture doctor` to look up")
    allowed_names: Names = Field(
        (), description="names this server answers to, beside localhost and that of the base URL"
    )
    proxies: Names = Field((), description="addresses of reverse proxies, whose word on who asks is believed")
    log: Literal["text", "json"] = Field(
        "text", description="how it logs: lines to be read, or JSON objects, a line each"
    )
    host: str = Field("127.0.0.1", description="where the web server listens")
    port: int = Field(8000, ge=0, le=65535, description="where the web server listens; 0 takes any free port")

    @classmethod
    def settings_customise_sources(
        cls, settings_cls: type[BaseSettings], init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource, dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:  # fmt: skip
        # `.env` and `nurture.toml` come in through `read_settings`, which knows the project's folder
        del dotenv_settings, file_secret_settings
        assert isinstance(init_settings, InitSettingsSource)
        files = InitSettingsSource(settings_cls, init_settings.init_kwargs.pop(FILES, {}))
        return (init_settings, env_settings, files)


def read_settings(folder: Path, **flags: object) -> Settings:
    """The settings of a project. `flags` that are None were not given. Raises SettingsError, all faults in one line."""
    _refuse_unknown(os.environ, "the environment")
    from_toml = _toml(folder / TOML)
    dotenv = _dotenv(folder / DOTENV)
    try:
        given = {name: value for name, value in flags.items() if value is not None}
        return Settings.model_validate({**given, FILES: _merged(from_toml, dotenv)})
    except ValidationError as error:
        raise SettingsError("; ".join(_sentence(dict(fault)) for fault in error.errors())) from None


def where_from(folder: Path) -> dict[str, str]:
    """For each setting that was set: where. For `nurture config`."""
    found = dict.fromkeys(_toml(folder / TOML), TOML)
    found |= dict.fromkeys(_dotenv(folder / DOTENV), DOTENV)
    names = [name.removeprefix(PREFIX).lower() for name in os.environ if name.startswith(PREFIX)]
    return found | {name.partition("__")[0]: f"{PREFIX}{name.upper()}" for name in names}


def _toml(path: Path) -> dict[str, Any]:
    if not path.is_file():
        return {}
    try:
        found = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{TOML} cannot be read: {error}") from None
    for name in _every_name(found):
        if name.rpartition(".")[2] in SECRETS:
            variable = PREFIX + name.replace(".", "__").upper()
            raise SettingsError(
                f"{TOML} holds a secret ({name}); put it into the environment or {DOTENV} as {variable}"
            )
    if "@" in urlsplit(str(found.get("database_url", ""))).netloc:
        raise SettingsError(f"{TOML} holds a database password; put {PREFIX}DATABASE_URL into the environment")
    for name in found:
        if name not in Settings.model_fields:
            raise SettingsError(f"{TOML}: there is no setting '{name}'{_hint(name, Settings.model_fields)}")
    return found


def _every_name(table: Mapping[str, Any], above: str = "") -> Iterable[str]:
    for name, value in table.items():
        yield f"{above}{name}"
        if isinstance(value, dict):
            yield from _every_name(value, f"{above}{name}.")


def _dotenv(path: Path) -> dict[str, Any]:
    if not path.is_file():
        return {}
    found = {name: value or "" for name, value in dotenv_values(path).items() if name.startswith(PREFIX)}
    _refuse_unknown(found, DOTENV)
    nested: dict[str, Any] = {}
    for name, value in found.items():
        *parents, last = name.removeprefix(PREFIX).lower().split("__")
        table = nested
        for parent in parents:
            table = table.setdefault(parent, {})
        table[last] = value
    return nested


def _refuse_unknown(names: Iterable[str], where: str) -> None:
    for name in names:
        if name.startswith(PREFIX):
            own = name.removeprefix(PREFIX).lower().partition("__")[0]
            if own not in Settings.model_fields:
                hint = _hint(own, Settings.model_fields, upper=True)
                raise SettingsError(f"{where} sets {name}, and there is no such setting{hint}")


def _hint(name: str, known: Iterable[str], *, upper: bool = False) -> str:
    close = get_close_matches(name, list(known), n=1, cutoff=0.6)
    if not close:
        return "; `nurture config` lists them"
    return f", did you mean {PREFIX + close[0].upper() if upper else close[0]}?"


def _merged(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(below)
    for name, value in above.items():
        old = merged.get(name)
        merged[name] = _merged(old, value) if isinstance(old, dict) and isinstance(value, dict) else value
    return merged


def _sentence(fault: dict[str, Any]) -> str:
    variable = PREFIX + "__".join(str(part) for part in fault["loc"] if not isinstance(part, int)).upper()
    if fault["type"] == "extra_forbidden":
        return f"there is no setting {variable}; `nurture config` lists them"
    return f"{variable}: {str(fault['msg']).removeprefix('Value error, ')}"
