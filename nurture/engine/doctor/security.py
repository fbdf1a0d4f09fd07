"""What an attacker would try first, as far as settings and the files on disk show it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from urllib.parse import urlsplit

from nurture.engine.doctor.finding import HERE, Finding, fault, ok, setting, warning
from nurture.language.problems import counted
from nurture.providers import HOOKS
from nurture.providers.base import Account

SHORTEST_SECRET = 32
"""Signs of a secret: at six bits each, as `token_urlsafe` makes them, 192 bits."""
SAFE_JINJA = (3, 1, 6)
"""Older sandboxes can be escaped (CVE-2025-27516)."""
MAKES_ONE = "python -c 'import secrets; print(secrets.token_urlsafe(32))'"


@dataclass(frozen=True, slots=True)
class Exposure:
    """What settings let the world see. `files` hold secrets or people, and are nobody else's to read."""

    base_url: str
    host: str
    accounts: Mapping[str, Account]
    secret_keys: tuple[str, ...] = field(default=(), repr=False)
    admin_token: str = field(default="", repr=False)
    files: tuple[Path, ...] = ()


def check(exposure: Exposure) -> Iterator[Finding]:
    yield from _address(exposure)
    yield from _secrets(exposure)
    yield from _hooks(exposure.accounts)
    yield from _accounts(exposure.accounts)
    for path in exposure.files:
        yield from _file(path)
    jinja = version("jinja2")
    if tuple(int(part) for part in jinja.split(".")[:3] if part.isdigit()) < SAFE_JINJA:
        yield fault("templates", f"Jinja2 {jinja} lets a template out of its sandbox", "pip install 'jinja2>=3.1.6'")
    else:
        yield ok("templates", f"templates run in the sandbox of Jinja2 {jinja}")


def _address(exposure: Exposure) -> Iterator[Finding]:
    parts = urlsplit(exposure.base_url)
    if not exposure.base_url:
        yield warning("address", "no base URL is set, so nobody outside is meant to reach this", "set NURTURE_BASE_URL")
    elif parts.scheme != "https" and parts.hostname not in HERE:
        yield fault("address", "links and hooks go over plain http, where anyone between can read them",
                    f"set NURTURE_BASE_URL to https://{parts.netloc}")  # fmt: skip
    else:
        yield ok("address", f"links lead to {exposure.base_url}")
    if exposure.host not in HERE:
        yield warning("address", f"the web server listens at {exposure.host}, for every machine that reaches this one",
                      "set NURTURE_HOST=127.0.0.1 and put a proxy with TLS before it")  # fmt: skip
    else:
        yield ok("address", f"the web server listens at {exposure.host} only")


def _secrets(exposure: Exposure) -> Iterator[Finding]:
    keys, token = exposure.secret_keys, exposure.admin_token
    if keys and _weak(keys[0]):  # that there is none is said without being asked for security
        yield fault("secret key", f"the secret key that signs links can be guessed: it wants {SHORTEST_SECRET} random signs",
                    f"put a new one before it: NURTURE_SECRET_KEY=new,old, from {MAKES_ONE}")  # fmt: skip
    elif keys:
        yield ok("secret key", f"{counted(len(keys), 'secret key')}; the first signs")
    if not token:
        yield ok("API", "no admin token is set, so the API is closed")
    elif _weak(token):
        yield fault("API", f"the admin token can be guessed: it wants {SHORTEST_SECRET} random signs",
                    f"set NURTURE_ADMIN_TOKEN to what this prints: {MAKES_ONE}")  # fmt: skip
    else:
        yield ok("API", "the API wants its admin token")
    if token and token in keys:
        yield fault("API", "the admin token is the secret key; who has one has both", f"make another: {MAKES_ONE}")


def _weak(secret: str) -> bool:
    return len(secret) < SHORTEST_SECRET or len(set(secret)) < 10


def _hooks(accounts: Mapping[str, Account]) -> Iterator[Finding]:
    for name, account in accounts.items():
        if name not in HOOKS:
            continue
        abilities = HOOKS[name].abilities
        if not account.hook_secrets:
            yield warning("hooks", f"no hook secret is set for {name}, so its reports are refused",
                          f"set {setting(name, 'HOOK_SECRET')}")  # fmt: skip
        elif abilities.covers in ("a password", "a token"):
            secret = min(account.hook_secrets, key=len)
            password = secret.partition(":")[2] if abilities.signs == "basic auth" else secret
            if len(password) < SHORTEST_SECRET:
                yield warning("hooks", f"{name} signs nothing, and the password that stands in for it is short",
                              f"take one of {SHORTEST_SECRET} signs or more, from {MAKES_ONE}")  # fmt: skip
            else:
                yield ok("hooks", f"{name} signs nothing; a long password stands in for it")
        else:
            yield ok("hooks", f"reports of {name} are signed: {abilities.signs}, over {abilities.covers}")


def _accounts(accounts: Mapping[str, Account]) -> Iterator[Finding]:
    for name, account in accounts.items():
        parts = urlsplit(account.url)
        if parts.scheme == "http" and parts.hostname not in HERE:
            yield fault("accounts", f"the key of {name} goes over plain http to {parts.hostname}",
                        f"set {setting(name, 'URL')} to https://{parts.hostname}")  # fmt: skip


def _file(path: Path) -> Iterator[Finding]:
    if not path.exists():
        return
    if path.stat().st_mode & 0o077:
        yield fault("files", f"{path} can be read by others on this machine", f"chmod 600 {path}")
    else:
        yield ok("files", f"{path} is its owner's alone")
