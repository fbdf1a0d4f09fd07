"""The default: mail is kept in the database, where every mail is kept anyway, and goes nowhere. Also what tests use."""

from __future__ import annotations

from types import MappingProxyType

from nurture.mail.message import Message
from nurture.providers.base import Account, Provider, Send


def connect(account: Account, transport: object = None) -> Send:  # noqa: ARG001 - it speaks to nobody
    def send(message: Message) -> str:
        return f"outbox-{message.id}"

    return send


outbox = Provider("outbox", connect, needs=MappingProxyType({}))
