"""The tables of sign-ups and of friends: who asked to join and how, whose link brought whom."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, Column, ForeignKey, Index, Text, UniqueConstraint, text
from sqlmodel import Field, SQLModel

from nurture.store.tables import Instant, Json, Number, metadata


class SignUpRow(SQLModel, table=True):
    """A form that was sent. `client` and `device` are keyed digests; what was typed is kept here until it is confirmed."""

    __tablename__ = "signup"
    __table_args__ = (
        Index("ix_signup_subscriber", "subscriber"),
        Index(
            "ix_signup_open",
            "at",
            sqlite_where=text("confirmed_at IS NULL"),
            postgresql_where=text("confirmed_at IS NULL"),
        ),
    )

    id: int | None = Field(default=None, sa_column=Column(Number, primary_key=True))
    subscriber: int = Field(sa_column=Column(ForeignKey("subscriber.id"), nullable=False))
    form: str = Field(sa_column=Column(Text, nullable=False))
    enrollment: int | None = Field(sa_column=Column(ForeignKey("enrollment.id"), unique=True))
    friend_of: str = Field(sa_column=Column(Text, nullable=False))
    attributes: dict[str, Any] = Field(sa_column=Column(Json, nullable=False))
    source: dict[str, str] = Field(sa_column=Column(Json, nullable=False))
    consent: str = Field(sa_column=Column(Text, nullable=False))
    client: str = Field(sa_column=Column(Text, nullable=False))
    at: datetime = Field(sa_column=Column(Instant, nullable=False))
    confirmed_at: datetime | None = Field(sa_column=Column(Instant))


class ReferralRow(SQLModel, table=True):
    """A person's link for friends in one sequence. `name` is what the leaderboard may call them, "" for initials."""

    __tablename__ = "referral"
    __table_args__ = (UniqueConstraint("subscriber", "sequence"), Index("ix_referral_sequence", "sequence"))

    id: str = Field(sa_column=Column(Text, primary_key=True))
    subscriber: int = Field(sa_column=Column(ForeignKey("subscriber.id"), nullable=False))
    sequence: str = Field(sa_column=Column(Text, nullable=False))
    name: str = Field(sa_column=Column(Text, nullable=False, server_default=""))


class FriendRow(SQLModel, table=True):
    """Someone who came by a friend's link and confirmed. The key is why each counts for one person only."""

    __tablename__ = "friend"
    __table_args__ = (
        Index("ix_friend_referral", "referral"),
        Index(
            "ix_friend_uncounted",
            "engaged_at",
            sqlite_where=text("engaged_at IS NOT NULL AND counted_at IS NULL AND refused = ''"),
            postgresql_where=text("engaged_at IS NOT NULL AND counted_at IS NULL AND refused = ''"),
        ),
    )

    subscriber: int = Field(sa_column=Column(BigInteger, ForeignKey("subscriber.id"), primary_key=True))
    referral: str = Field(sa_column=Column(ForeignKey("referral.id"), nullable=False))
    confirmed_at: datetime = Field(sa_column=Column(Instant, nullable=False))
    engaged_at: datetime | None = Field(sa_column=Column(Instant))
    counted_at: datetime | None = Field(sa_column=Column(Instant))
    refused: str = Field(sa_column=Column(Text, nullable=False))
    client: str = Field(sa_column=Column(Text, nullable=False))
    device: str = Field(sa_column=Column(Text, nullable=False))


signup = metadata.tables["signup"]
referral = metadata.tables["referral"]
friend = metadata.tables["friend"]
