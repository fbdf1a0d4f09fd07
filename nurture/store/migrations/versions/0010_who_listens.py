"""what is told to listeners"""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"


def upgrade():
    op.create_table(
        "notice",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("event", sa.Text(), nullable=False),
        sa.Column("listener", sa.Text(), nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("subscriber", sa.BigInteger(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("since", sa.BigInteger(), nullable=False),
        sa.Column("due_at", sa.BigInteger(), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("error", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_notice")),
        sa.UniqueConstraint("event", "listener", name=op.f("uq_notice_event_listener")),
    )
    for name, columns, state in (
        ("ix_notice_due", ["listener", "due_at"], "waiting"),
        ("ix_notice_next", ["due_at"], "waiting"),
        ("ix_notice_failed", ["listener", "id"], "failed"),
        ("ix_notice_told", ["at"], "told"),
    ):
        where = sa.text(f"state = '{state}'")
        op.create_index(name, "notice", columns, unique=False, sqlite_where=where, postgresql_where=where)
    op.create_index("ix_notice_subscriber", "notice", ["subscriber"], unique=False)


def downgrade():
    op.drop_table("notice")
