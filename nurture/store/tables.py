"""Every table, once. Rows stay in this room: what leaves it are the frozen values of the floors below.

Times are whole microseconds since 1970 (UTC); mappings are JSON as text; words that code knows are text. So both
databases hold the same bytes and a new word needs no migration.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from pydantic_core import from_json, to_json
from sqlalchemy import (
    BigInteger,
    Column,
    Double,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeDecorator
from sqlmodel import Field, SQLModel

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
SHARDS = 64

# names are fixed first, since batch migrations on SQLite cannot drop what has no name
SQLModel.metadata.naming_convention = {
    "ix": "ix_%(column_0_N_label)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s",
    "pk": "pk_%(table_name)s",
}
metadata: MetaData = SQLModel.metadata


def to_micros(moment: datetime) -> int:
    return (moment - EPOCH) // MICROSECOND


def from_micros(micros: int) -> datetime:
    return EPOCH + timedelta(microseconds=micros)


def _stored(moment: datetime | None) -> int | None:
    return None if moment is None else (moment - EPOCH) // MICROSECOND


def _moment(micros: int | None) -> datetime | None:
    return None if micros is None else EPOCH + timedelta(microseconds=micros)


class Instant(TypeDecorator[datetime]):
    """An aware UTC datetime, stored as microseconds.

    The processors are given as they are: a decision binds a dozen of these, and TypeDecorator would wrap each twice.
    """

    impl = BigInteger
    cache_ok = True

    def bind_processor(self, dialect: Dialect) -> Callable[[datetime | None], int | None]:  # noqa: ARG002
        return _stored

    def result_processor(
        self,
        dialect: Dialect,  # noqa: ARG002
        coltype: object,  # noqa: ARG002
    ) -> Callable[[int | None], datetime | None]:
        return _moment


class Json(TypeDecorator[Any]):
    """A mapping or list, stored as compact JSON text.

    By pydantic's parser, which is here anyway: a decision reads and writes six of these, and `json` takes three to
    nine times as long for each.
    """

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> str | None:  # noqa: ANN401, ARG002
        return None if value is None else to_json(value).decode()

    def process_result_value(self, value: str | None, dialect: Dialect) -> Any:  # noqa: ANN401, ARG002
        return None if value is None else from_json(value)


# SQLite gives a table's own row number only to a plain INTEGER key
Number = BigInteger().with_variant(Integer, "sqlite")


ASKS = text("wishes LIKE '%\"asks\"%'")


TOLD = "kind IN ('bought', 'drawn', 'event', 'replied', 'tag')"


def _partial(name: str, *columns: str, where: str) -> Index:
    """An index of those rows alone of which this is true."""
    return Index(name, *columns, sqlite_where=text(where), postgresql_where=text(where))


class SubscriberRow(SQLModel, table=True):
    """A person on the list. `email` is normalised before it comes here."""

    __tablename__ = "subscriber"
    __table_args__ = (Index("ix_subscriber_asks", "id", sqlite_where=ASKS, postgresql_where=ASKS),)

    id: int | None = Field(default=None, sa_column=Column(Number, primary_key=True))
    email: str = Field(sa_column=Column(Text, nullable=False, unique=True))
    status: str = Field(sa_column=Column(Text, nullable=False))
    attributes: dict[str, Any] = Field(sa_column=Column(Json, nullable=False))
    tags: list[str] = Field(sa_column=Column(Json, nullable=False))
    bought: dict[str, int] = Field(sa_column=Column(Json, nullable=False))
    joined_at: datetime | None = Field(sa_column=Column(Instant))
    last_seen_at: datetime | None = Field(sa_column=Column(Instant))
    last_mail_at: datetime | None = Field(sa_column=Column(Instant))
    wishes: dict[str, Any] | None = Field(default=None, sa_column=Column(Json))


class SuppressionRow(SQLModel, table=True):
    """An address that gets no mail, whatever is imported later. Kept as a keyed digest: it survives an erasure."""

    __tablename__ = "suppression"

    digest: str = Field(sa_column=Column(Text, primary_key=True))
    reason: str = Field(sa_column=Column(Text, nullable=False))
    because: str = Field(sa_column=Column(Text, nullable=False, server_default=""))
    at: datetime = Field(sa_column=Column(Instant, nullable=False))
    erased_at: datetime | None = Field(default=None, sa_column=Column(Instant))


class EnrollmentRow(SQLModel, table=True):
    """One person's place in one sequence, for one pass. What only the decision needs lies in `memory`."""

    __tablename__ = "enrollment"
    __table_args__ = (
        UniqueConstraint("subscriber", "sequence", "number"),
        Index(
            "uq_enrollment_open",
            "subscriber",
            "sequence",
            unique=True,
            sqlite_where=text("phase <> 'ended'"),
            postgresql_where=text("phase <> 'ended'"),
        ),
        Index(
            "ix_enrollment_due",
            "due_at",
            sqlite_where=text("due_at IS NOT NULL"),
            postgresql_where=text("due_at IS NOT NULL"),
        ),
        Index(
            "ix_enrollment_place",
            "sequence",
            "step",
            "subscriber",
            sqlite_where=text("phase <> 'ended'"),
            postgresql_where=text("phase <> 'ended'"),
        ),
        Index(
            "ix_enrollment_goal",
            "ended_at",
            sqlite_where=text("ended = 'goal'"),
            postgresql_where=text("ended = 'goal'"),
        ),
    )

    id: int | None = Field(default=None, sa_column=Column(Number, primary_key=True))
    subscriber: int = Field(sa_column=Column(ForeignKey("subscriber.id"), nullable=False))
    sequence: str = Field(sa_column=Column(Text, nullable=False))
    number: int = Field(sa_column=Column(Integer, nullable=False))
    shard: int = Field(sa_column=Column(Integer, nullable=False))
    phase: str = Field(sa_column=Column(Text, nullable=False))
    step: str = Field(sa_column=Column(Text, nullable=False))
    due_at: datetime | None = Field(sa_column=Column(Instant))
    started_at: datetime = Field(sa_column=Column(Instant, nullable=False))
    ended: str | None = Field(sa_column=Column(Text))
    ended_at: datetime | None = Field(sa_column=Column(Instant))
    memory: dict[str, Any] = Field(sa_column=Column(Json, nullable=False))


class MessageRow(SQLModel, table=True):
    """One mail we decided to send. UNIQUE (enrollment, step) is why nobody gets it twice."""

    __tablename__ = "message"
    __table_args__ = (
        UniqueConstraint("enrollment", "step"),
        Index(
            "ix_message_due",
            "due_at",
            "id",
            sqlite_where=text("state IN ('planned', 'claimed')"),
            postgresql_where=text("state IN ('planned', 'claimed')"),
        ),
        Index(
            "ix_message_unsettled",
            "state",
            "deadline",
            sqlite_where=text("state IN ('sending', 'unknown')"),
            postgresql_where=text("state IN ('sending', 'unknown')"),
        ),
        Index(
            "ix_message_trouble",
            "state",
            "id",
            sqlite_where=text("state IN ('unknown', 'failed', 'bounced', 'complained', 'abandoned')"),
            postgresql_where=text("state IN ('unknown', 'failed', 'bounced', 'complained', 'abandoned')"),
        ),
        Index(
            "ix_message_sent",
            "sent_at",
            sqlite_where=text("sent_at IS NOT NULL"),
            postgresql_where=text("sent_at IS NOT NULL"),
        ),
        Index("ix_message_provider_id", "provider_id"),
        Index("ix_message_subscriber", "subscriber"),
    )

    id: str = Field(sa_column=Column(Text, primary_key=True))
    enrollment: int = Field(sa_column=Column(ForeignKey("enrollment.id"), nullable=False))
    subscriber: int = Field(sa_column=Column(ForeignKey("subscriber.id"), nullable=False))
    shard: int = Field(sa_column=Column(Integer, nullable=False))
    sequence: str = Field(sa_column=Column(Text, nullable=False))
    step: str = Field(sa_column=Column(Text, nullable=False))
    state: str = Field(sa_column=Column(Text, nullable=False))
    planned_at: datetime = Field(sa_column=Column(Instant, nullable=False))
    due_at: datetime | None = Field(sa_column=Column(Instant))
    owner: str = Field(sa_column=Column(Text, nullable=False))
    token: int = Field(sa_column=Column(Integer, nullable=False))
    lease_until: datetime | None = Field(sa_column=Column(Instant))
    attempt: int = Field(sa_column=Column(Integer, nullable=False))
    uncertain: bool = Field(sa_column=Column(Integer, nullable=False))
    first_attempt_at: datetime | None = Field(sa_column=Column(Instant))
    started_at: datetime | None = Field(sa_column=Column(Instant))
    deadline: datetime | None = Field(sa_column=Column(Instant))
    sent_at: datetime | None = Field(sa_column=Column(Instant))
    provider: str = Field(sa_column=Column(Text, nullable=False))
    provider_id: str = Field(sa_column=Column(Text, nullable=False))
    key: str = Field(sa_column=Column(Text, nullable=False))
    subject: str = Field(sa_column=Column(Text, nullable=False))
    target: str = Field(sa_column=Column(Text, nullable=False))
    reason: str = Field(sa_column=Column(Text, nullable=False))
    looks: int = Field(sa_column=Column(Integer, nullable=False, server_default="0"))
    absent: int = Field(sa_column=Column(Integer, nullable=False, server_default="0"))
    looked_at: datetime | None = Field(sa_column=Column(Instant))
    offer: str = Field(sa_column=Column(Text, nullable=False, server_default=""))


class PayloadRow(SQLModel, table=True):
    """A mail as it was written before its first attempt; never overwritten."""

    __tablename__ = "payload"

    message: str = Field(sa_column=Column(ForeignKey("message.id"), primary_key=True))
    frozen: bytes = Field(sa_column=Column(LargeBinary, nullable=False))


class EventRow(SQLModel, table=True):
    """What happened, and what we made of it. `key` is what a report means, so that a repeat is known.

    `ip` is where a click came from, for questions about other clicks from there; "" with everything else.
    """

    __tablename__ = "event"
    __table_args__ = (
        _partial("ix_event_message", "message", where="message <> ''"),
        Index("ix_event_subscriber", "subscriber"),
        _partial("ix_event_judge", "judged_at", where="judged_at IS NOT NULL AND human IS NULL"),
        _partial("ix_event_clicked", "sequence", "step", "human", "enrollment", where="kind = 'clicked'"),
        _partial("ix_event_from", "ip", "at", where="kind = 'clicked' AND ip <> ''"),
        _partial("ix_event_told", "kind", "sequence", "reason", where=TOLD),
        _partial("ix_event_kept", "at", where="kind = 'kept'"),
    )

    id: int | None = Field(default=None, sa_column=Column(Number, primary_key=True))
    key: str | None = Field(sa_column=Column(Text, unique=True))
    at: datetime = Field(sa_column=Column(Instant, nullable=False))
    received_at: datetime = Field(sa_column=Column(Instant, nullable=False))
    kind: str = Field(sa_column=Column(Text, nullable=False))
    message: str = Field(sa_column=Column(Text, nullable=False))
    enrollment: int | None = Field(sa_column=Column(BigInteger))
    subscriber: int | None = Field(sa_column=Column(BigInteger))
    sequence: str = Field(sa_column=Column(Text, nullable=False))
    step: str = Field(sa_column=Column(Text, nullable=False))
    provider: str = Field(sa_column=Column(Text, nullable=False))
    url: str = Field(sa_column=Column(Text, nullable=False))
    ip: str = Field(sa_column=Column(Text, nullable=False, server_default=""))
    answer: Any = Field(sa_column=Column(Json))
    human: int | None = Field(sa_column=Column(Integer))
    reason: str = Field(sa_column=Column(Text, nullable=False))
    judged_at: datetime | None = Field(sa_column=Column(Instant))
    detail: dict[str, Any] = Field(sa_column=Column(Json, nullable=False))


class HookRow(SQLModel, table=True):
    """One report from outside, raw. What cannot be read stays here until someone looks."""

    __tablename__ = "hook"
    __table_args__ = (
        Index(
            "ix_hook_waiting",
            "id",
            sqlite_where=text("state = 'waiting'"),
            postgresql_where=text("state = 'waiting'"),
        ),
        Index(
            "ix_hook_quarantined",
            "id",
            sqlite_where=text("state = 'quarantined'"),
            postgresql_where=text("state = 'quarantined'"),
        ),
    )

    id: int | None = Field(default=None, sa_column=Column(Number, primary_key=True))
    provider: str = Field(sa_column=Column(Text, nullable=False))
    digest: bytes = Field(sa_column=Column(LargeBinary, nullable=False, unique=True))
    received_at: datetime = Field(sa_column=Column(Instant, nullable=False))
    headers: dict[str, str] = Field(sa_column=Column(Json, nullable=False))
    body: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    state: str = Field(sa_column=Column(Text, nullable=False))
    error: str = Field(sa_column=Column(Text, nullable=False))


class StrayRow(SQLModel, table=True):
    """A report that names a mail by the provider's id alone, of a mail that is not known (yet). Looked at again."""

    __tablename__ = "stray"
    __table_args__ = (Index("ix_stray_look_at", "look_at"),)

    digest: bytes = Field(sa_column=Column(LargeBinary, primary_key=True))
    provider: str = Field(sa_column=Column(Text, nullable=False))
    received_at: datetime = Field(sa_column=Column(Instant, nullable=False))
    look_at: datetime = Field(sa_column=Column(Instant, nullable=False))
    looks: int = Field(sa_column=Column(Integer, nullable=False))
    event: dict[str, Any] = Field(sa_column=Column(Json, nullable=False))


class TallyRow(SQLModel, table=True):
    """How often something happened that leaves no row of its own."""

    __tablename__ = "tally"

    name: str = Field(sa_column=Column(Text, primary_key=True))
    number: int = Field(sa_column=Column(BigInteger, nullable=False))


class InstallationRow(SQLModel, table=True):
    """What this database was born with and keeps for good, whatever is rotated around it."""

    __tablename__ = "installation"

    name: str = Field(sa_column=Column(Text, primary_key=True))
    value: str = Field(sa_column=Column(Text, nullable=False))


class DeployRow(SQLModel, table=True):
    """A version: which file has which content, who made it the running one and why, what it did to people."""

    __tablename__ = "deploy"

    id: int | None = Field(default=None, sa_column=Column(Number, primary_key=True))
    at: datetime = Field(sa_column=Column(Instant, nullable=False))
    files: dict[str, str] = Field(sa_column=Column(Json, nullable=False))
    who: str = Field(sa_column=Column(Text, nullable=False, server_default=""))
    why: str = Field(sa_column=Column(Text, nullable=False, server_default=""))
    plan: dict[str, Any] = Field(sa_column=Column(Json, nullable=False, server_default="{}"))


class BlobRow(SQLModel, table=True):
    """The content of a deployed file, kept once."""

    __tablename__ = "blob"

    digest: str = Field(sa_column=Column(Text, primary_key=True))
    body: bytes = Field(sa_column=Column(LargeBinary, nullable=False))


class PauseRow(SQLModel, table=True):
    """A sequence whose mail is held; the name "" holds all mail, "(restored)" too until someone has looked."""

    __tablename__ = "pause"

    name: str = Field(sa_column=Column(Text, primary_key=True))
    since: datetime = Field(sa_column=Column(Instant, nullable=False))
    because: str = Field(sa_column=Column(Text, nullable=False))


class WorkerRow(SQLModel, table=True):
    """A process at work, as it said itself when it was seen last."""

    __tablename__ = "worker"

    id: str = Field(sa_column=Column(Text, primary_key=True))
    host: str = Field(sa_column=Column(Text, nullable=False))
    process: int = Field(sa_column=Column(Integer, nullable=False))
    version: str = Field(sa_column=Column(Text, nullable=False))
    runs: list[str] = Field(sa_column=Column(Json, nullable=False))
    clock: int = Field(sa_column=Column(Integer, nullable=False))
    started_at: datetime = Field(sa_column=Column(Instant, nullable=False))
    seen_at: datetime = Field(sa_column=Column(Instant, nullable=False))


class GateRow(SQLModel, table=True):
    """How fast mail may leave to a provider, for all workers together."""

    __tablename__ = "gate"

    provider: str = Field(sa_column=Column(Text, primary_key=True))
    credit: float = Field(sa_column=Column(Double, nullable=False))
    at: datetime | None = Field(sa_column=Column(Instant))
    closed_until: datetime | None = Field(sa_column=Column(Instant))
    reason: str = Field(sa_column=Column(Text, nullable=False))


subscriber = metadata.tables["subscriber"]
suppression = metadata.tables["suppression"]
enrollment = metadata.tables["enrollment"]
message = metadata.tables["message"]
payload = metadata.tables["payload"]
event = metadata.tables["event"]
hook = metadata.tables["hook"]
stray = metadata.tables["stray"]
tally = metadata.tables["tally"]
installation = metadata.tables["installation"]
deploy = metadata.tables["deploy"]
blob = metadata.tables["blob"]
pause = metadata.tables["pause"]
worker = metadata.tables["worker"]
gate = metadata.tables["gate"]
