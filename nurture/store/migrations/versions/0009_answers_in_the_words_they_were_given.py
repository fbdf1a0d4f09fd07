"""answers in the words they were given, forms half done, videos half watched"""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"

NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade():
    op.create_table(
        "said",
        sa.Column("id", NUMBER, nullable=False),
        sa.Column("enrollment", NUMBER, nullable=False),
        sa.Column("subscriber", NUMBER, nullable=False),
        sa.Column("sequence", sa.Text(), nullable=False),
        sa.Column("step", sa.Text(), nullable=False),
        sa.Column("field", sa.Text(), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.Column("question", sa.Text(), nullable=False),
        sa.Column("words", sa.Text(), nullable=False),
        sa.Column("language", sa.Text(), nullable=False),
        sa.Column("consent", sa.Integer(), nullable=True),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["enrollment"], ["enrollment.id"], name=op.f("fk_said_enrollment")),
        sa.ForeignKeyConstraint(["subscriber"], ["subscriber.id"], name=op.f("fk_said_subscriber")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_said")),
    )
    op.create_index("uq_said_enrollment_step_field_at", "said", ["enrollment", "step", "field", "at"], unique=True)
    op.create_index("ix_said_step", "said", ["sequence", "step", "field"], unique=False)
    op.create_index("ix_said_subscriber", "said", ["subscriber"], unique=False)
    op.create_table(
        "draft",
        sa.Column("enrollment", NUMBER, nullable=False),
        sa.Column("step", sa.Text(), nullable=False),
        sa.Column("page", sa.Integer(), nullable=False),
        sa.Column("typed", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["enrollment"], ["enrollment.id"], name=op.f("fk_draft_enrollment")),
        sa.PrimaryKeyConstraint("enrollment", "step", name=op.f("pk_draft")),
    )
    op.create_table(
        "watch",
        sa.Column("enrollment", NUMBER, nullable=False),
        sa.Column("step", sa.Text(), nullable=False),
        sa.Column("played", sa.BigInteger(), nullable=False),
        sa.Column("length", sa.BigInteger(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["enrollment"], ["enrollment.id"], name=op.f("fk_watch_enrollment")),
        sa.PrimaryKeyConstraint("enrollment", "step", name=op.f("pk_watch")),
    )


def downgrade():
    for name in ("watch", "draft", "said"):
        op.drop_table(name)
