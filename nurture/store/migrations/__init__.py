"""The tables' versions, from the first. Run from the program, so an installed package needs no configuration file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from alembic.config import Config
    from sqlalchemy import Connection

HEAD = "0015"
"""The version this program works with; versions sort as text."""


def config(connection: Connection) -> Config:
    from alembic.config import Config

    made = Config()
    made.set_main_option("script_location", str(Path(__file__).parent))
    made.attributes["connection"] = connection
    return made


def upgrade(connection: Connection) -> None:
    """Bring the tables to HEAD, inside the transaction of `connection`."""
    from alembic import command

    command.upgrade(config(connection), "head")
