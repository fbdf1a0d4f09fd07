"""what reports need: strays, suppressions with a key and a reason"""

import hmac
import secrets

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade():
    op.create_table(
        "installation",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_installation")),
    )
    op.create_table(
        "stray",
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("provider", sa.Text(), nullable=False),
        sa.Column("received_at", sa.BigInteger(), nullable=False),
        sa.Column("look_at", sa.BigInteger(), nullable=False),
        sa.Column("looks", sa.Integer(), nullable=False),
        sa.Column("event", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_stray")),
    )
    op.create_index("ix_stray_look_at", "stray", ["look_at"], unique=False)
    op.create_table(
        "tally",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_tally")),
    )
    op.add_column("suppression", sa.Column("because", sa.Text(), server_default="", nullable=False))
    _key_the_digests(op.get_bind())


def _key_the_digests(connection):
    """The old digests were plain SHA-256; the new ones are an HMAC over those, so nothing that was barred is lost."""
    key = secrets.token_hex(32)
    connection.execute(sa.text("INSERT INTO installation (name, value) VALUES ('suppression key', :key)"), {"key": key})
    old = connection.execute(sa.text("SELECT digest FROM suppression")).scalars().all()
    changes = [{"old": one, "new": hmac.digest(bytes.fromhex(key), one.encode(), "sha256").hex()} for one in old]
    if changes:
        connection.execute(sa.text("UPDATE suppression SET digest = :new WHERE digest = :old"), changes)
