"""One metadata of all tables: importing this brings those that live in files of their own."""

from nurture.store import (  # noqa: F401 - each adds its tables
    access_tables,
    answer_tables,
    epochs,
    fuse_tables,
    listener_tables,
    offer_tables,
    signup_tables,
)
from nurture.store.tables import metadata

__all__ = ["metadata"]
