"""Merged identities, versions and removals of records, and the source of each"""

import sqlalchemy as sa
import sqlmodel
from alembic import op

revision = "003"
down_revision = "001"
branch_labels = None
depends_on = None

_TEXT = sqlmodel.sql.sqltypes.AutoString
_MOMENT = sqlmodel.sql.sqltypes.UTCDateTime
_OF_A_SOURCE = ("document", "structuredrecord", "stay")


def upgrade() -> None:
    op.create_table(
        "mergedidentity",
        sa.Column("ipp", _TEXT(), nullable=False),
        sa.Column("kept", _TEXT(), nullable=False),
        sa.Column("patient_id", sa.Integer(), nullable=True),
        sa.Column("date", sa.Date(), nullable=True),
        sa.Column("origin", _TEXT(), nullable=False),
        sa.Column("merged_at", _MOMENT(), nullable=False),
        sa.PrimaryKeyConstraint("ipp"),
    )
    op.create_index("ix_mergedidentity_kept", "mergedidentity", ["kept"])
    op.create_table(
        "removedrecord",
        sa.Column("kind", _TEXT(), nullable=False),
        sa.Column("external_id", _TEXT(), nullable=False),
        sa.Column("version", _TEXT(), nullable=False),
        sa.Column("sha256", _TEXT(), nullable=False),
        sa.Column("patient_id", sa.Integer(), nullable=True),
        sa.Column("origin", _TEXT(), nullable=False),
        sa.Column("removed_at", _MOMENT(), nullable=False),
        sa.PrimaryKeyConstraint("kind", "external_id"),
    )
    for table in ("patient", *_OF_A_SOURCE):
        op.add_column(table, sa.Column("version", _TEXT(), nullable=False, server_default=""))
        op.add_column(table, sa.Column("source_id", sa.Integer(), nullable=True))
    for table in _OF_A_SOURCE:
        op.create_index(f"ix_{table}_source_id", table, ["source_id"])
    op.add_column("patient", sa.Column("record_ipp", _TEXT(), nullable=False, server_default=""))
    op.add_column("rejectedrecord", sa.Column("ipp", _TEXT(), nullable=False, server_default=""))
    op.create_index("ix_rejectedrecord_ipp", "rejectedrecord", ["ipp"])
    op.create_index("ix_rejectedrecord_position", "rejectedrecord", ["source_id", "position"])
    _pending(bound=False)


def downgrade() -> None:
    _pending(bound=True)
    op.drop_index("ix_rejectedrecord_position", "rejectedrecord")
    op.drop_index("ix_rejectedrecord_ipp", "rejectedrecord")
    op.drop_column("rejectedrecord", "ipp")
    op.drop_column("patient", "record_ipp")
    for table in _OF_A_SOURCE:
        op.drop_index(f"ix_{table}_source_id", table)
    for table in ("patient", *_OF_A_SOURCE):
        op.drop_column(table, "source_id")
        op.drop_column(table, "version")
    op.drop_table("removedrecord")
    op.drop_index("ix_mergedidentity_kept", "mergedidentity")
    op.drop_table("mergedidentity")


def _pending(*, bound: bool) -> None:
    """Make the table anew, `bound` to the patients that there are or not: one who is gone must leave the index too."""
    held = sa.table("pendingpatient", sa.column("patient_id"), sa.column("since", _MOMENT()))
    patients = sa.table("patient", sa.column("id"))
    wanted = sa.select(held)
    if bound:
        wanted = wanted.where(held.c.patient_id.in_(sa.select(patients.c.id)))
    rows = [dict(row._mapping) for row in op.get_bind().execute(wanted)]
    op.drop_table("pendingpatient")
    foreign = [sa.ForeignKeyConstraint(["patient_id"], ["patient.id"], ondelete="CASCADE")] if bound else []
    op.create_table(
        "pendingpatient",
        sa.Column("patient_id", sa.Integer(), nullable=False),
        sa.Column("since", _MOMENT(), nullable=False),
        *foreign,
        sa.PrimaryKeyConstraint("patient_id"),
    )
    if rows:
        op.bulk_insert(held, rows)
