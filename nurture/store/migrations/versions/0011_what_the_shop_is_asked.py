"""codes that a shop is asked for"""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"


def upgrade():
    op.create_table(
        "wish",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("enrollment", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("step", sa.Text(), nullable=False),
        sa.Column("pool", sa.Text(), nullable=False),
        sa.Column("product", sa.Text(), nullable=False),
        sa.Column("since", sa.BigInteger(), nullable=False),
        sa.Column("due_at", sa.BigInteger(), nullable=True),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("error", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["enrollment"], ["enrollment.id"], name=op.f("fk_wish_enrollment")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_wish")),
        sa.UniqueConstraint("enrollment", "step", name=op.f("uq_wish_enrollment_step")),
    )
    due = sa.text("due_at IS NOT NULL")
    op.create_index("ix_wish_due", "wish", ["due_at"], unique=False, sqlite_where=due, postgresql_where=due)


def downgrade():
    op.drop_table("wish")
