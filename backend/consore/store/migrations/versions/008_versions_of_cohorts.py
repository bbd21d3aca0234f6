"""Cohorts with the versions of their refreshes, shared inside the centre like questions; indexes that serve counts alone"""

import sqlalchemy as sa
import sqlmodel
from alembic import op

revision = "008"
down_revision = "007"
branch_labels = None
depends_on = None

_text = sqlmodel.sql.sqltypes.AutoString
_time = sqlmodel.sql.sqltypes.UTCDateTime

# Name of the index: its columns before and now. What a count asks for lies in the index, the row is not read.
_INDEXES = {
    ("fact", "ix_fact_system_code"): (
        ["system", "code", "assertion", "patient_id"],
        ["system", "code", "assertion", "patient_id", "date"],
    ),
    ("tumourevent", "ix_tumourevent_type"): (["type"], ["type", "patient_id", "date"]),
    ("tumoureventsite", "ix_tumoureventsite_code"): (["code"], ["code", "event_id"]),
    ("treatment", "ix_treatment_type"): (["type"], ["type", "patient_id", "start"]),
    ("treatmentdrug", "ix_treatmentdrug_atc"): (["atc"], ["atc", "treatment_id"]),
    ("biomarker", "ix_biomarker_code"): (["code"], ["code", "status", "patient_id"]),
}


def upgrade() -> None:
    _index(1)
    kept = _before()
    for table in ("cohort", "savedquery"):
        op.add_column(table, sa.Column("shared", sa.Boolean(), nullable=False, server_default=sa.false()))
    for column in ("criteria", "patient_ids", "refreshed_at"):
        op.drop_column("cohort", column)
    op.create_table(
        "cohortversion",
        sa.Column("cohort_id", sa.Integer(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("criteria", sa.JSON(), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.Column("entered", sa.Integer(), nullable=False),
        sa.Column("gone", sa.Integer(), nullable=False),
        sa.Column("at", _time(), nullable=False),
        sa.Column("account_id", sa.Integer(), nullable=True),
        sa.Column("login", _text(), nullable=False),
        sa.ForeignKeyConstraint(["cohort_id"], ["cohort.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("cohort_id", "number"),
    )
    op.create_table(
        "cohortpatient",
        sa.Column("cohort_id", sa.Integer(), nullable=False),
        sa.Column("patient_id", sa.Integer(), nullable=False),
        sa.Column("since", sa.Integer(), nullable=False),
        sa.Column("until", sa.Integer(), nullable=True),
        sa.ForeignKeyConstraint(["cohort_id"], ["cohort.id"], ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["patient_id"], ["patient.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("cohort_id", "patient_id", "since"),
    )
    op.create_index("ix_cohortpatient_patient_id", "cohortpatient", ["patient_id"])
    op.create_index("ix_cohortpatient_until", "cohortpatient", ["cohort_id", "until"])
    _keep(kept)


def downgrade() -> None:
    _index(0)
    kept = _after()
    op.drop_table("cohortpatient")
    op.drop_table("cohortversion")
    op.add_column("cohort", sa.Column("criteria", sa.JSON(), nullable=False, server_default="{}"))
    op.add_column("cohort", sa.Column("patient_ids", sa.JSON(), nullable=False, server_default="[]"))
    op.add_column("cohort", sa.Column("refreshed_at", _time(), nullable=False, server_default="2000-01-01 00:00:00"))
    for table in ("cohort", "savedquery"):
        op.drop_column(table, "shared")
    for row in kept:
        op.get_bind().execute(_OLD.update().where(_OLD.c.id == row["id"]), row)


def _index(state: int) -> None:
    for (table, name), columns in _INDEXES.items():
        op.drop_index(name, table)
        op.create_index(name, table, columns[state])


_OLD = sa.table(
    "cohort",
    sa.column("id"),
    sa.column("account_id"),
    sa.column("criteria", sa.JSON()),
    sa.column("patient_ids", sa.JSON()),
    sa.column("refreshed_at", _time()),
)
_VERSIONS = sa.table(
    "cohortversion",
    sa.column("cohort_id"),
    sa.column("number"),
    sa.column("criteria", sa.JSON()),
    sa.column("count"),
    sa.column("entered"),
    sa.column("gone"),
    sa.column("at", _time()),
    sa.column("account_id"),
    sa.column("login"),
)
_PATIENTS = sa.table(
    "cohortpatient", sa.column("cohort_id"), sa.column("patient_id"), sa.column("since"), sa.column("until")
)


def _before() -> list[sa.Row]:
    return list(op.get_bind().execute(sa.select(_OLD)))


def _keep(kept: list[sa.Row]) -> None:
    """What each cohort held becomes its first version."""
    connection = op.get_bind()
    there = set(connection.execute(sa.text("SELECT id FROM patient")).scalars()) if kept else set()
    for row in kept:
        patients = sorted(there.intersection(row.patient_ids))
        first = {"cohort_id": row.id, "number": 1, "criteria": row.criteria, "at": row.refreshed_at, "login": ""}
        counts = {"count": len(patients), "entered": len(patients), "gone": 0, "account_id": row.account_id}
        connection.execute(_VERSIONS.insert(), first | counts)
        if patients:
            members = [{"cohort_id": row.id, "patient_id": one, "since": 1, "until": None} for one in patients]
            connection.execute(_PATIENTS.insert(), members)


def _after() -> list[dict]:
    """The last version of each cohort."""
    connection, kept = op.get_bind(), {}
    for row in connection.execute(sa.select(_VERSIONS).order_by(_VERSIONS.c.number)):
        kept[row.cohort_id] = {"id": row.cohort_id, "criteria": row.criteria, "refreshed_at": row.at, "patient_ids": []}
    for row in connection.execute(sa.select(_PATIENTS).where(_PATIENTS.c.until.is_(None))):
        kept[row.cohort_id]["patient_ids"].append(row.patient_id)
    return list(kept.values())
