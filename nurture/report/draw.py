"""A prize draw that anyone can check: the log of entries is fixed by its hash before the seed is known, and the rest is
arithmetic.

An entry is a keyed digest, so the log can be published: it names nobody, and nobody can make it longer afterwards.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from hashlib import sha256


def log_hash(name: str, entries: Iterable[str]) -> str:
    """What is published before the draw: sha256 of the name and the sorted entries, a line each."""
    return sha256("\n".join([name, *sorted(set(entries))]).encode()).hexdigest()


def drawn(entries: Sequence[str], fixed: str, seed: str, winners: int) -> list[str]:
    """The winners, the first first: the entries with the smallest sha256 of hash, seed and entry, a line each."""
    return sorted(set(entries), key=lambda entry: sha256(f"{fixed}\n{seed}\n{entry}".encode()).digest())[:winners]
