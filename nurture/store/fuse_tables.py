"""The tables of the fuses: how much mail a person may get in a day, and how much left through whom."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, CheckConstraint, Column, Integer, Text
from sqlmodel import Field, SQLModel

from nurture.store.tables import Instant, metadata


class AllowanceRow(SQLModel, table=True):
    """A mail that a person may get on a day of theirs. The database itself refuses one more than the budget."""

    __tablename__ = "allowance"
    __table_args__ = (CheckConstraint("slot >= 0 AND slot < budget", name="ck_allowance_slot"),)

    day: str = Field(sa_column=Column(Text, primary_key=True))
    subscriber: int = Field(sa_column=Column(BigInteger, primary_key=True))
    slot: int = Field(sa_column=Column(Integer, primary_key=True))
    budget: int = Field(sa_column=Column(Integer, nullable=False))
    message: str = Field(sa_column=Column(Text, nullable=False))


class TrafficRow(SQLModel, table=True):
    """How many attempts began through a provider in an hour; what the rate fuse forgave is not counted by it again."""

    __tablename__ = "traffic"

    provider: str = Field(sa_column=Column(Text, primary_key=True))
    hour: datetime = Field(sa_column=Column(Instant, primary_key=True))
    begun: int = Field(sa_column=Column(Integer, nullable=False))
    forgiven: int = Field(sa_column=Column(Integer, nullable=False))


allowance = metadata.tables["allowance"]
traffic = metadata.tables["traffic"]
