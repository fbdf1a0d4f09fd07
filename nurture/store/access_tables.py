"""The tables of access: who may come in, who has, and what they did."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Column, ForeignKey, Index, Text
from sqlmodel import Field, SQLModel

from nurture.store.tables import Instant, Json, Number, metadata


class OperatorRow(SQLModel, table=True):
    """An account of someone who runs the engine. `password` is a salted hash, never the password."""

    __tablename__ = "operator"

    id: int | None = Field(default=None, sa_column=Column(Number, primary_key=True))
    email: str = Field(sa_column=Column(Text, nullable=False, unique=True))
    role: str = Field(sa_column=Column(Text, nullable=False))
    password: str = Field(sa_column=Column(Text, nullable=False))
    created_at: datetime = Field(sa_column=Column(Instant, nullable=False))


class SessionRow(SQLModel, table=True):
    """A browser that is logged in. Only the digest of its random id is kept."""

    __tablename__ = "session"
    __table_args__ = (Index("ix_session_operator", "operator"),)

    digest: str = Field(sa_column=Column(Text, primary_key=True))
    operator: int = Field(sa_column=Column(ForeignKey("operator.id"), nullable=False))
    created_at: datetime = Field(sa_column=Column(Instant, nullable=False))
    expires_at: datetime = Field(sa_column=Column(Instant, nullable=False))


class TokenRow(SQLModel, table=True):
    """A program's key to the API. Only the digest of the token is kept."""

    __tablename__ = "api_token"

    id: int | None = Field(default=None, sa_column=Column(Number, primary_key=True))
    name: str = Field(sa_column=Column(Text, nullable=False, unique=True))
    digest: str = Field(sa_column=Column(Text, nullable=False, unique=True))
    scope: str = Field(sa_column=Column(Text, nullable=False))
    created_by: str = Field(sa_column=Column(Text, nullable=False))
    created_at: datetime = Field(sa_column=Column(Instant, nullable=False))
    expires_at: datetime = Field(sa_column=Column(Instant, nullable=False))


class AuditRow(SQLModel, table=True):
    """What someone did here. Rows are only ever added: triggers refuse the rest, and `digest` chains each to the last."""

    __tablename__ = "audit"

    id: int | None = Field(default=None, sa_column=Column(Number, primary_key=True))
    at: datetime = Field(sa_column=Column(Instant, nullable=False))
    who: str = Field(sa_column=Column(Text, nullable=False))
    action: str = Field(sa_column=Column(Text, nullable=False))
    target: str = Field(sa_column=Column(Text, nullable=False))
    reason: str = Field(sa_column=Column(Text, nullable=False))
    detail: dict[str, Any] = Field(sa_column=Column(Json, nullable=False))
    digest: str = Field(sa_column=Column(Text, nullable=False))


operator = metadata.tables["operator"]
session = metadata.tables["session"]
api_token = metadata.tables["api_token"]
audit = metadata.tables["audit"]
