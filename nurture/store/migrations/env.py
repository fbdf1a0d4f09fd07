"""What Alembic asks for: our connection and our tables."""

from alembic import context

from nurture.store.every_table import metadata
from nurture.store.tables import Instant, Json


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
