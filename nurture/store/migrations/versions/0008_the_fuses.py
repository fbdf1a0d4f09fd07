"""the fuses: a person's daily budget, what left by the hour, looks for an unknown mail"""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade():
    op.create_table(
        "allowance",
        sa.Column("day", sa.Text(), nullable=False),
        sa.Column("subscriber", sa.BigInteger(), nullable=False),
        sa.Column("slot", sa.Integer(), nullable=False),
        sa.Column("budget", sa.Integer(), nullable=False),
        sa.Column("message", sa.Text(), nullable=False),
        sa.CheckConstraint("slot >= 0 AND slot < budget", name=op.f("ck_allowance_slot")),
        sa.PrimaryKeyConstraint("day", "subscriber", "slot", name=op.f("pk_allowance")),
    )
    op.create_table(
        "traffic",
        sa.Column("provider", sa.Text(), nullable=False),
        sa.Column("hour", sa.BigInteger(), nullable=False),
        sa.Column("begun", sa.Integer(), nullable=False),
        sa.Column("forgiven", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("provider", "hour", name=op.f("pk_traffic")),
    )
    op.add_column("message", sa.Column("looks", sa.Integer(), server_default="0", nullable=False))
    op.add_column("message", sa.Column("absent", sa.Integer(), server_default="0", nullable=False))
    op.add_column("message", sa.Column("looked_at", sa.BigInteger(), nullable=True))
