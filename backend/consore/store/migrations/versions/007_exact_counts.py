"""What exact counts need: the words of documents, and codes in an order in which descendants are a range

The words of all stored documents are indexed here: some minutes for a million of them. A later revision that makes the
table `document` anew (`batch_alter_table`, on SQLite) has to make the triggers of `store.words` anew too.
"""

from alembic import op

from consore.store import words

revision = "007"
down_revision = "006"
branch_labels = None
depends_on = None

CODES = {
    "act": ["code"],
    "diagnosis": ["code"],
    "fact": ["code"],
    "treatment": ["act_code"],
    "treatmentdrug": ["atc"],
    "tumour": ["topography", "morphology", "stage", "t", "n", "m"],
    "tumoureventsite": ["code"],
}


def upgrade() -> None:
    if _is_sqlite():  # which orders texts by code point anyway
        _run(words.SQLITE)
    else:
        _collate('"C"')
        _run(words.POSTGRESQL)
        words.keep_words(op.get_bind())


def downgrade() -> None:
    if _is_sqlite():
        _run(words.SQLITE_GONE)
    else:
        _run(words.POSTGRESQL_GONE)
        _collate('"default"')


def _collate(collation: str) -> None:
    for table, columns in CODES.items():
        changes = ", ".join(f"ALTER COLUMN {column} TYPE varchar COLLATE {collation}" for column in columns)
        _run((f"ALTER TABLE {table} {changes}",))


def _is_sqlite() -> bool:
    return op.get_bind().dialect.name == "sqlite"


def _run(statements: tuple[str, ...]) -> None:
    for statement in statements:
        op.get_bind().exec_driver_sql(statement)
