"""The exact words of documents

The words of all stored documents are indexed here: some minutes for a million of them. A later revision that makes the
table `document` anew (`batch_alter_table`, on SQLite) has to make the triggers of `store.words` anew too.
"""

from alembic import op

from consore.store import words

revision = "007"
down_revision = "006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    _run(words.SQLITE if _is_sqlite() else words.POSTGRESQL)
    if not _is_sqlite():
        words.keep_words(op.get_bind())


def downgrade() -> None:
    _run(words.SQLITE_GONE if _is_sqlite() else words.POSTGRESQL_GONE)


def _is_sqlite() -> bool:
    return op.get_bind().dialect.name == "sqlite"


def _run(statements: tuple[str, ...]) -> None:
    for statement in statements:
        op.get_bind().exec_driver_sql(statement)
