"""offers with a deadline of each person's own, codes in pools"""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade():
    op.create_table(
        "offer",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("enrollment", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("subscriber", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("sequence", sa.Text(), nullable=False),
        sa.Column("step", sa.Text(), nullable=False),
        sa.Column("product", sa.Text(), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("deadline", sa.BigInteger(), nullable=True),
        sa.Column("granted_at", sa.BigInteger(), nullable=False),
        sa.Column("redeemed_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["enrollment"], ["enrollment.id"], name=op.f("fk_offer_enrollment")),
        sa.ForeignKeyConstraint(["subscriber"], ["subscriber.id"], name=op.f("fk_offer_subscriber")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_offer")),
        sa.UniqueConstraint("enrollment", "step", name=op.f("uq_offer_enrollment_step")),
    )
    op.create_index("ix_offer_code", "offer", ["code"], unique=False)
    op.create_table(
        "code",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("pool", sa.Text(), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("imported_at", sa.BigInteger(), nullable=False),
        sa.Column("offer", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_code")),
        sa.UniqueConstraint("code", name=op.f("uq_code_code")),
        sa.UniqueConstraint("offer", name=op.f("uq_code_offer")),
    )
    free = sa.text("offer IS NULL")
    op.create_index("ix_code_free", "code", ["pool", "id"], unique=False, sqlite_where=free, postgresql_where=free)
    op.add_column("message", sa.Column("offer", sa.Text(), server_default="", nullable=False))


def downgrade():
    op.drop_column("message", "offer")
    for name in ("code", "offer"):
        op.drop_table(name)
