"""who was erased; what people asked for themselves; the audit log lets an erasure take words out of an entry, and nothing else"""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"

KEPT = ("id", "at", "who", "action", "target", "digest")
SAME = " AND ".join(f"NEW.{name} = OLD.{name}" for name in KEPT)
ERASED = f"""{SAME} AND NEW.reason = '' AND NEW.detail = '{{"erased"\\:true}}'"""


def upgrade():
    op.add_column("subscriber", sa.Column("wishes", sa.Text(), nullable=True))
    asks = sa.text("wishes LIKE '%\"asks\"%'")
    op.create_index("ix_subscriber_asks", "subscriber", ["id"], sqlite_where=asks, postgresql_where=asks)
    op.add_column("suppression", sa.Column("erased_at", sa.BigInteger(), nullable=True))
    if op.get_bind().dialect.name == "sqlite":
        op.execute("DROP TRIGGER audit_no_update")
        op.execute(
            f"CREATE TRIGGER audit_no_update BEFORE UPDATE ON audit WHEN NOT ({ERASED}) "
            "BEGIN SELECT RAISE(ABORT, 'the audit log is only added to'); END"
        )
    else:
        op.execute("DROP TRIGGER audit_no_change ON audit")
        op.execute(
            "CREATE TRIGGER audit_no_removal BEFORE DELETE OR TRUNCATE ON audit "
            "FOR EACH STATEMENT EXECUTE FUNCTION audit_is_kept()"
        )
        op.execute(
            f"CREATE TRIGGER audit_no_change BEFORE UPDATE ON audit FOR EACH ROW WHEN (NOT ({ERASED})) "
            "EXECUTE FUNCTION audit_is_kept()"
        )
