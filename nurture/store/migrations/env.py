"""What Alembic asks for: our connection and our tables."""

from alembic import context

from nurture.store import access_tables, answer_tables, fuse_tables, offer_tables  # noqa: F401 - their tables join the others
from nurture.store.tables import Instant, Json, metadata


def render_item(kind, item, autogen):
    if kind == "type" and isinstance(item, Instant):
        return "sa.BigInteger()"
    if kind == "type" and isinstance(item, Json):
        return "sa.Text()"
    return False


context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,
    render_item=render_item,
    transactional_ddl=True,
)
with context.begin_transaction():
    context.run_migrations()
