"""A database of an older version, brought to this one."""

from hashlib import sha256

from alembic import command
from sqlalchemy import create_engine, text
from stage import MONDAY

from nurture.store import suppressions, tables
from nurture.store.database import open_store
from nurture.store.migrations import config


def test_what_an_older_version_had_barred_stays_barred_and_where_its_clicks_came_from_is_found(tmp_path):
    address = f"sqlite:///{tmp_path}/old.db"
    with create_engine(address).begin() as connection:
        command.upgrade(config(connection), "0001")
        digest = sha256(b"ann@example.com").hexdigest()
        connection.execute(
            text("INSERT INTO suppression (digest, reason, at) VALUES (:d, 'bounced', 0)"), {"d": digest}
        )
        command.upgrade(config(connection), "0013")
        click = {"at": MONDAY, "received_at": MONDAY, "message": "m", "human": None, "detail": {"ip": "40.94.0.7"}}
        rest = dict.fromkeys(("sequence", "step", "provider", "url", "reason"), "")
        values = {"kind": "clicked", "subscriber": 1, **click, **rest}
        connection.execute(tables.event.insert().values(values))
    store = open_store(address)
    with store.read() as tx:
        assert suppressions.of(tx, ["ann@example.com"])["ann@example.com"].reason == "bounced"
        assert suppressions.every(tx)[0][0] != digest, "nobody can look an address up without the database's key"
        assert tx.execute(text("SELECT ip FROM event WHERE kind = 'clicked'")).scalars().all() == ["40.94.0.7"]
    store.close()
