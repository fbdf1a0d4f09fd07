"""sign-ups that await their confirmation, links for friends, and who came by them"""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade():
    op.create_table(
        "referral",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("subscriber", NUMBER, nullable=False),
        sa.Column("sequence", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), server_default="", nullable=False),
        sa.ForeignKeyConstraint(["subscriber"], ["subscriber.id"], name=op.f("fk_referral_subscriber")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_referral")),
        sa.UniqueConstraint("subscriber", "sequence", name=op.f("uq_referral_subscriber_sequence")),
    )
    op.create_index("ix_referral_sequence", "referral", ["sequence"], unique=False)
    op.create_table(
        "signup",
        sa.Column("id", NUMBER, nullable=False),
        sa.Column("subscriber", NUMBER, nullable=False),
        sa.Column("form", sa.Text(), nullable=False),
        sa.Column("enrollment", NUMBER, nullable=True),
        sa.Column("friend_of", sa.Text(), nullable=False),
        sa.Column("attributes", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("consent", sa.Text(), nullable=False),
        sa.Column("client", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("confirmed_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["enrollment"], ["enrollment.id"], name=op.f("fk_signup_enrollment")),
        sa.ForeignKeyConstraint(["subscriber"], ["subscriber.id"], name=op.f("fk_signup_subscriber")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_signup")),
        sa.UniqueConstraint("enrollment", name=op.f("uq_signup_enrollment")),
    )
    op.create_index("ix_signup_subscriber", "signup", ["subscriber"], unique=False)
    unconfirmed = sa.text("confirmed_at IS NULL")
    op.create_index(
        "ix_signup_open", "signup", ["at"], unique=False, sqlite_where=unconfirmed, postgresql_where=unconfirmed
    )
    op.create_table(
        "friend",
        sa.Column("subscriber", sa.BigInteger(), nullable=False),
        sa.Column("referral", sa.Text(), nullable=False),
        sa.Column("confirmed_at", sa.BigInteger(), nullable=False),
        sa.Column("engaged_at", sa.BigInteger(), nullable=True),
        sa.Column("counted_at", sa.BigInteger(), nullable=True),
        sa.Column("refused", sa.Text(), nullable=False),
        sa.Column("client", sa.Text(), nullable=False),
        sa.Column("device", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["referral"], ["referral.id"], name=op.f("fk_friend_referral")),
        sa.ForeignKeyConstraint(["subscriber"], ["subscriber.id"], name=op.f("fk_friend_subscriber")),
        sa.PrimaryKeyConstraint("subscriber", name=op.f("pk_friend")),
    )
    op.create_index("ix_friend_referral", "friend", ["referral"], unique=False)
    waits = sa.text("engaged_at IS NOT NULL AND counted_at IS NULL AND refused = ''")
    op.create_index(
        "ix_friend_uncounted", "friend", ["engaged_at"], unique=False, sqlite_where=waits, postgresql_where=waits
    )


def downgrade():
    for name in ("friend", "signup", "referral"):
        op.drop_table(name)
