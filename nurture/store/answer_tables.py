"""The tables of answers: what people said and the words they saw, forms half done, and how much of a video was played."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, Column, ForeignKey, Index, Integer, Text
from sqlmodel import Field, SQLModel

from nurture.store.tables import Instant, Json, Number, metadata


class SaidRow(SQLModel, table=True):
    """One answer as it was given: the question and the answer in the words the person saw. Only ever added to."""

    __tablename__ = "said"
    __table_args__ = (
        Index("uq_said_enrollment_step_field_at", "enrollment", "step", "field", "at", unique=True),
        Index("ix_said_step", "sequence", "step", "field"),
        Index("ix_said_subscriber", "subscriber"),
    )

    id: int | None = Field(default=None, sa_column=Column(Number, primary_key=True))
    enrollment: int = Field(sa_column=Column(ForeignKey("enrollment.id"), nullable=False))
    subscriber: int = Field(sa_column=Column(ForeignKey("subscriber.id"), nullable=False))
    sequence: str = Field(sa_column=Column(Text, nullable=False))
    step: str = Field(sa_column=Column(Text, nullable=False))
    field: str = Field(sa_column=Column(Text, nullable=False))
    value: str = Field(sa_column=Column(Text, nullable=False))
    question: str = Field(sa_column=Column(Text, nullable=False))
    words: str = Field(sa_column=Column(Text, nullable=False))
    language: str = Field(sa_column=Column(Text, nullable=False))
    consent: int | None = Field(sa_column=Column(Integer))
    at: datetime = Field(sa_column=Column(Instant, nullable=False))


class DraftRow(SQLModel, table=True):
    """A form half done: what was typed so far, and the page at which it goes on. Kept by what each field is saved as."""

    __tablename__ = "draft"

    enrollment: int = Field(sa_column=Column(ForeignKey("enrollment.id"), primary_key=True))
    step: str = Field(sa_column=Column(Text, primary_key=True))
    page: int = Field(sa_column=Column(Integer, nullable=False))
    typed: dict[str, Any] = Field(sa_column=Column(Json, nullable=False))
    at: datetime = Field(sa_column=Column(Instant, nullable=False))


class WatchRow(SQLModel, table=True):
    """How much of a video was really played. Both lengths in milliseconds."""

    __tablename__ = "watch"

    enrollment: int = Field(sa_column=Column(ForeignKey("enrollment.id"), primary_key=True))
    step: str = Field(sa_column=Column(Text, primary_key=True))
    played: int = Field(sa_column=Column(BigInteger, nullable=False))
    length: int = Field(sa_column=Column(BigInteger, nullable=False))
    at: datetime = Field(sa_column=Column(Instant, nullable=False))


said = metadata.tables["said"]
draft = metadata.tables["draft"]
watch = metadata.tables["watch"]
