"""Passwords: which are refused, how they are kept, how one is checked."""

from __future__ import annotations

import hashlib
import secrets
from base64 import b64decode, b64encode
from hmac import compare_digest
from threading import BoundedSemaphore

from nurture.errors import Refused

SHORTEST, LONGEST = 12, 256
LOG_N, BLOCK, LANES = 15, 8, 3
"""scrypt's cost: OWASP's third choice (32 MB, three passes), as strong as its first with a quarter of the memory."""

AT_ONCE = BoundedSemaphore(2)
"""A flood of logins must not take the machine's memory."""


def hashed(password: str) -> str:
    """What is kept of a password."""
    salt = secrets.token_bytes(16)
    return f"scrypt${LOG_N}${BLOCK}${LANES}${_text(salt)}${_text(_scrypt(password, salt, LOG_N, BLOCK, LANES))}"


def matches(password: str, kept: str | None) -> bool:
    """Whether this is the password. Without one to compare (`None`) it takes the same time and is False."""
    _, log_n, block, lanes, salt, digest = (kept or NOBODY).split("$")
    found = _scrypt(password, b64decode(salt), int(log_n), int(block), int(lanes))
    return compare_digest(found, b64decode(digest)) and kept is not None


def refuse_weak(password: str, email: str) -> None:
    """Raises Refused with the reason when this password would be guessed."""
    if not SHORTEST <= len(password) <= LONGEST:
        raise Refused(f"a password has {SHORTEST} to {LONGEST} characters; a sentence is easy to remember")
    name = email.partition("@")[0]
    if len(set(password)) < 5 or (len(name) > 3 and name in password.lower()):
        raise Refused("this password would be guessed; a sentence is easy to remember")


def _scrypt(password: str, salt: bytes, log_n: int, block: int, lanes: int) -> bytes:
    with AT_ONCE:
        return hashlib.scrypt(
            password[:LONGEST].encode(), salt=salt, n=2**log_n, r=block, p=lanes, maxmem=2**27, dklen=32
        )


def _text(value: bytes) -> str:
    return b64encode(value).decode()


NOBODY = f"scrypt${LOG_N}${BLOCK}${LANES}${_text(b'nobody')}${_text(bytes(32))}"
