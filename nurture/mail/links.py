"""Our links: what they carry, signed, and what they are read back as. No address is ever taken from a request."""

from __future__ import annotations

import hmac
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from itsdangerous import BadData
from itsdangerous import Signer as ItsSigner
from itsdangerous.encoding import base64_decode, base64_encode

from nurture.errors import BadToken
from nurture.language.kinds import HOSTED

if TYPE_CHECKING:
    from nurture.language.sequence import Ask

CLICK, PAGE, UNSUBSCRIBE, OFFER, DONE, BADGES = "click", "page", "unsubscribe", "offer", "done", "badges"
STAMP, DEVICE = "stamp", "device"
PURPOSES = (CLICK, PAGE, UNSUBSCRIBE, OFFER, DONE, BADGES, STAMP, DEVICE)
REPLY = "reply+"
"""How the address begins that a reply to one mail goes to."""

SEALED = 16
"""Letters of the seal on a reply's address: 64 bits, in an address of at most 64 signs before its @ (RFC 5321)."""


class Signer:
    """Signs and reads tokens. Several keys rotate: the first signs, all are accepted.

    Each purpose has a salt of its own, so a click's token is no unsubscribe's.
    """

    def __init__(self, keys: Sequence[str]) -> None:
        # itsdangerous signs with the last key of its list
        ordered = list(reversed(keys))
        self._by_purpose = {purpose: _signer(ordered, f"nurture.{purpose}") for purpose in PURPOSES}

        self._keys = tuple(key.encode() for key in keys)

    def seals(self, payload: str) -> list[str]:
        """Short seals in one case, one for each key, for an address that mail servers may fold to lower case."""
        purpose = f"nurture.reply:{payload}".encode()
        return [hmac.digest(key, purpose, "sha256").hex()[:SEALED] for key in self._keys]

    def sign(self, purpose: str, payload: str) -> str:
        return self._by_purpose[purpose].sign(payload).decode()

    def read(self, purpose: str, token: str) -> str:
        """What was signed for this purpose; raises BadToken for anything else."""
        seal = token.rpartition(".")[2]
        try:
            # two bits of its last letter say nothing: without this, four letters would be as good (RFC 4648, 3.5)
            if base64_encode(base64_decode(seal)).decode() == seal:
                return self._by_purpose[purpose].unsign(token).decode()
        except (BadData, UnicodeError):
            pass
        raise BadToken("this link was cut or changed")


def _signer(keys: list[str], salt: str) -> ItsSigner:
    """A signer whose keys are derived once: left to itself it derives them anew for each token, twice the work."""
    deriving = ItsSigner(keys, salt=salt, key_derivation="hmac", digest_method="sha256")
    derived = [deriving.derive_key(key) for key in deriving.secret_keys]
    return ItsSigner(derived, salt=salt, key_derivation="none", digest_method="sha256")


@dataclass(frozen=True, slots=True)
class Links:
    """Makes and reads the addresses in a mail.

    `base_url` is where clicks are counted; "" when the asks lead straight to their targets. `hosted_url` is where our
    own pages are served. `reply_domain` is where mail that people write back comes in; "" when it goes to the sender.
    """

    base_url: str
    hosted_url: str
    signer: Signer
    reply_domain: str = ""

    def ask(self, message: str, ask: Ask, target: str) -> str:
        """Where the ask of this mail leads."""
        if ask.kind in HOSTED:
            return f"{self.hosted_url}/q/{self.signer.sign(PAGE, message)}"
        if not self.base_url or ask.kind == "reply":
            return target
        return f"{self.base_url}/c/{self.signer.sign(CLICK, message)}"

    def choice(self, message: str, key: str | int) -> str:
        """Where one answer of a poll leads: its page, with that answer chosen already."""
        return f"{self.hosted_url}/q/{self.signer.sign(PAGE, f'{message}:{key}')}"

    def done(self, message: str) -> str:
        """What a page elsewhere posts to /w/ to say that the person did there what this mail asks for."""
        return self.signer.sign(DONE, message)

    def read_done(self, token: str) -> str:
        return self.signer.read(DONE, token)

    def unsubscribe(self, message: str) -> str:
        return f"{self.hosted_url}/u/{self.signer.sign(UNSUBSCRIBE, message)}"

    def invitation(self, link: str) -> str:
        """Where a person's friends come in. Short, since people read it to each other."""
        return f"{self.hosted_url}/r/{link}"

    def read_click(self, token: str) -> str:
        """The message whose link this is."""
        return self.signer.read(CLICK, token)

    def read_page(self, token: str) -> tuple[str, str]:
        """The message whose page this is, and the answer that was chosen in the mail ("" for none)."""
        message, _, key = self.signer.read(PAGE, token).partition(":")
        return message, key

    def read_unsubscribe(self, token: str) -> str:
        return self.signer.read(UNSUBSCRIBE, token)

    def countdown(self, offer: str) -> str:
        """The picture of how long an offer is still open."""
        return f"{self.hosted_url}/o/{self.signer.sign(OFFER, offer)}.png"

    def read_countdown(self, token: str) -> str:
        """The offer whose picture this is."""
        return self.signer.read(OFFER, token)

    def badges(self, message: str) -> str:
        """The page of the badges of whom this mail went to."""
        return f"{self.hosted_url}/b/{self.signer.sign(BADGES, message)}"

    def read_badges(self, token: str) -> str:
        return self.signer.read(BADGES, token)

    def medal(self, look: int) -> str:
        """The picture of a badge. It has no token, since it says nothing of anybody."""
        return f"{self.hosted_url}/b/{look}.png"

    def reply(self, message: str) -> str:
        """Where a reply to this mail goes; "" when replies are not received here."""
        return f"{REPLY}{message}-{self.signer.seals(message)[0]}@{self.reply_domain}" if self.reply_domain else ""

    def read_reply(self, address: str) -> str:
        """The message whose reply goes to this address; "" for any other address, as most are."""
        local, _, domain = address.lower().rpartition("@")
        message, _, seal = local.removeprefix(REPLY).rpartition("-")
        if not local.startswith(REPLY) or not message or domain != self.reply_domain.lower():
            return ""
        right = [hmac.compare_digest(seal.encode(), one.encode()) for one in self.signer.seals(message)]
        return message if any(right) else ""
