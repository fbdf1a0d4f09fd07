"""The tables of offers: what each person was offered until when, codes in pools or asked for, prize draws."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Column, ForeignKey, Index, Integer, Text, UniqueConstraint, text
from sqlmodel import Field, SQLModel

from nurture.store.tables import Instant, Json, Number, metadata


class OfferRow(SQLModel, table=True):
    """One offer to one person in one pass, and until when. UNIQUE (enrollment, step) is why its deadline never moves."""

    __tablename__ = "offer"
    __table_args__ = (UniqueConstraint("enrollment", "step"), Index("ix_offer_code", "code"))

    id: str = Field(sa_column=Column(Text, primary_key=True))
    enrollment: int = Field(sa_column=Column(ForeignKey("enrollment.id"), nullable=False))
    subscriber: int = Field(sa_column=Column(ForeignKey("subscriber.id"), nullable=False))
    sequence: str = Field(sa_column=Column(Text, nullable=False))
    step: str = Field(sa_column=Column(Text, nullable=False))
    product: str = Field(sa_column=Column(Text, nullable=False))
    code: str = Field(sa_column=Column(Text, nullable=False))
    deadline: datetime | None = Field(sa_column=Column(Instant))
    granted_at: datetime = Field(sa_column=Column(Instant, nullable=False))
    redeemed_at: datetime | None = Field(sa_column=Column(Instant))


class CodeRow(SQLModel, table=True):
    """A code of a pool. It lies there until an offer takes it, and goes to no second one."""

    __tablename__ = "code"
    __table_args__ = (
        Index("ix_code_free", "pool", "id", sqlite_where=text("offer IS NULL"), postgresql_where=text("offer IS NULL")),
    )

    id: int | None = Field(default=None, sa_column=Column(Number, primary_key=True))
    pool: str = Field(sa_column=Column(Text, nullable=False))
    code: str = Field(sa_column=Column(Text, nullable=False, unique=True))
    imported_at: datetime = Field(sa_column=Column(Instant, nullable=False))
    offer: str | None = Field(sa_column=Column(Text, unique=True))


class WishRow(SQLModel, table=True):
    """A code that a shop is asked for, and what came of it. Its id is the offer's to be, and what the shop knows a repeat
    by; UNIQUE (enrollment, step) is why nobody is given two.
    """

    __tablename__ = "wish"
    __table_args__ = (
        UniqueConstraint("enrollment", "step"),
        Index(
            "ix_wish_due",
            "due_at",
            sqlite_where=text("due_at IS NOT NULL"),
            postgresql_where=text("due_at IS NOT NULL"),
        ),
    )

    id: str = Field(sa_column=Column(Text, primary_key=True))
    enrollment: int = Field(sa_column=Column(ForeignKey("enrollment.id"), nullable=False))
    step: str = Field(sa_column=Column(Text, nullable=False))
    pool: str = Field(sa_column=Column(Text, nullable=False))
    product: str = Field(sa_column=Column(Text, nullable=False))
    since: datetime = Field(sa_column=Column(Instant, nullable=False))
    due_at: datetime | None = Field(sa_column=Column(Instant))
    tries: int = Field(sa_column=Column(Integer, nullable=False))
    code: str = Field(sa_column=Column(Text, nullable=False))
    error: str = Field(sa_column=Column(Text, nullable=False))


class DrawRow(SQLModel, table=True):
    """A log of entries that was closed, by its hash, and what was drawn from it. `seed` is "" until then, and stays."""

    __tablename__ = "draw"

    hash: str = Field(sa_column=Column(Text, primary_key=True))
    ask: str = Field(sa_column=Column(Text, nullable=False))
    sequence: str = Field(sa_column=Column(Text, nullable=False))
    root: str = Field(sa_column=Column(Text, nullable=False))
    entries: int = Field(sa_column=Column(Integer, nullable=False))
    closed_at: datetime = Field(sa_column=Column(Instant, nullable=False))
    seed: str = Field(sa_column=Column(Text, nullable=False))
    winners: list[str] = Field(sa_column=Column(Json, nullable=False))
    drawn_at: datetime | None = Field(sa_column=Column(Instant))


offer = metadata.tables["offer"]
code = metadata.tables["code"]
wish = metadata.tables["wish"]
draw = metadata.tables["draw"]
