"""Codes are ordered by code point, so that a code and its descendants are a range of an index"""

from alembic import op

revision = "008"
down_revision = "007"
branch_labels = None
depends_on = None

CODES = {
    "act": ["code"],
    "diagnosis": ["code"],
    "fact": ["code"],
    "treatment": ["act_code"],
    "treatmentdrug": ["atc"],
    "tumour": ["topography", "morphology", "t", "n", "m"],
    "tumoureventsite": ["code"],
}


def upgrade() -> None:
    _collate('"C"')


def downgrade() -> None:
    _collate('"default"')


def _collate(collation: str) -> None:
    if op.get_bind().dialect.name == "sqlite":  # which orders texts in no other way
        return
    for table, columns in CODES.items():
        changes = ", ".join(f"ALTER COLUMN {column} TYPE varchar COLLATE {collation}" for column in columns)
        op.get_bind().exec_driver_sql(f"ALTER TABLE {table} {changes}")
