"""Alembic's entry: runs the revisions over the connection that `Store.upgrade` hands in."""

from alembic import context
from sqlmodel import SQLModel

import consore.model  # noqa: F401  (fills SQLModel.metadata)

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=SQLModel.metadata,
    render_as_batch=True,
    compare_type=True,
)
with context.begin_transaction():
    context.run_migrations()
