"""where a click came from, so that others from there are found"""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"


def upgrade():
    op.add_column("event", sa.Column("ip", sa.Text(), server_default="", nullable=False))
    read = "json_extract(detail, '$.ip')" if op.get_bind().dialect.name == "sqlite" else "CAST(detail AS json) ->> 'ip'"
    op.execute(f"UPDATE event SET ip = coalesce({read}, '') WHERE kind = 'clicked'")
    clicked = sa.text("kind = 'clicked' AND ip <> ''")
    op.create_index(
        "ix_event_from", "event", ["ip", "at"], unique=False, sqlite_where=clicked, postgresql_where=clicked
    )
