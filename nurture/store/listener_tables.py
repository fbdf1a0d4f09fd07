"""The table of what is to be told to listeners: the project's own addresses that hear of kept asks, goals and ends."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, Column, Index, Integer, Text, UniqueConstraint, text
from sqlmodel import Field, SQLModel

from nurture.store.tables import Instant, Number, metadata


class NoticeRow(SQLModel, table=True):
    """One event for one listener, as it will be told: written with the decision, told afterwards.

    `due_at` is when it is told next, or when whoever tells it now has failed to come back. `since` is from when its time
    is counted: a replay gives it time anew.
    """

    __tablename__ = "notice"
    __table_args__ = (
        UniqueConstraint("event", "listener"),
        Index(
            "ix_notice_due",
            "listener",
            "due_at",
            sqlite_where=text("state = 'waiting'"),
            postgresql_where=text("state = 'waiting'"),
        ),
        Index(
            "ix_notice_next",
            "due_at",
            sqlite_where=text("state = 'waiting'"),
            postgresql_where=text("state = 'waiting'"),
        ),
        Index(
            "ix_notice_failed",
            "listener",
            "id",
            sqlite_where=text("state = 'failed'"),
            postgresql_where=text("state = 'failed'"),
        ),
        Index("ix_notice_told", "at", sqlite_where=text("state = 'told'"), postgresql_where=text("state = 'told'")),
        Index("ix_notice_subscriber", "subscriber"),
    )

    id: int | None = Field(default=None, sa_column=Column(Number, primary_key=True))
    event: str = Field(sa_column=Column(Text, nullable=False))
    listener: str = Field(sa_column=Column(Text, nullable=False))
    type: str = Field(sa_column=Column(Text, nullable=False))
    subscriber: int = Field(sa_column=Column(BigInteger, nullable=False))
    body: str = Field(sa_column=Column(Text, nullable=False))
    at: datetime = Field(sa_column=Column(Instant, nullable=False))
    since: datetime = Field(sa_column=Column(Instant, nullable=False))
    due_at: datetime = Field(sa_column=Column(Instant, nullable=False))
    tries: int = Field(sa_column=Column(Integer, nullable=False))
    state: str = Field(sa_column=Column(Text, nullable=False))
    error: str = Field(sa_column=Column(Text, nullable=False))


notice = metadata.tables["notice"]
