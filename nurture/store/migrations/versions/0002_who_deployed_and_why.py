"""who deployed a version, why, and what it did to the people inside"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade():
    for name, default in (("who", ""), ("why", ""), ("plan", "{}")):
        op.add_column("deploy", sa.Column(name, sa.Text(), nullable=False, server_default=default))


def downgrade():
    with op.batch_alter_table("deploy", schema=None) as batch_op:
        for name in ("plan", "why", "who"):
            batch_op.drop_column(name)
