"""what a sequence brings: clicks by verdict, and what people did, found without a walk over the log"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"

TOLD = "kind IN ('bought', 'drawn', 'event', 'replied', 'tag')"


def upgrade():
    for name, columns, where in (
        ("ix_event_clicked", ["sequence", "step", "human", "enrollment"], "kind = 'clicked'"),
        ("ix_event_told", ["kind", "sequence", "reason"], TOLD),
    ):
        op.create_index(name, "event", columns, sqlite_where=sa.text(where), postgresql_where=sa.text(where))


def downgrade():
    op.drop_index("ix_event_told", "event")
    op.drop_index("ix_event_clicked", "event")
