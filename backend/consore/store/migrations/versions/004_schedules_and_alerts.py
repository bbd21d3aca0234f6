"""Schedules by cron with blackouts and retries, progress of runs, alerts"""

import sqlalchemy as sa
import sqlmodel
from alembic import op

revision = "004"
down_revision = "003"
branch_labels = None
depends_on = None

_text = sqlmodel.sql.sqltypes.AutoString
_time = sqlmodel.sql.sqltypes.UTCDateTime


def upgrade() -> None:
    with op.batch_alter_table("schedule") as table:
        table.add_column(sa.Column("cron", _text(), nullable=False, server_default=""))
        table.add_column(sa.Column("blackouts", sa.JSON(), nullable=False, server_default="[]"))
        table.add_column(sa.Column("retry_at", _time(), nullable=True))
        table.add_column(sa.Column("attempts", sa.Integer(), nullable=False, server_default="0"))
    with op.batch_alter_table("ingestionrun") as table:
        table.add_column(sa.Column("reason", _text(), nullable=False, server_default=""))
        table.add_column(sa.Column("failure", _text(), nullable=False, server_default=""))
        table.add_column(sa.Column("asked", _text(), nullable=False, server_default=""))
    op.create_table(
        "runprogress",
        sa.Column("run_id", sa.Integer(), nullable=False),
        sa.Column("stage", _text(), nullable=False),
        sa.Column("done", sa.Integer(), nullable=False),
        sa.Column("total", sa.Integer(), nullable=True),
        sa.Column("rate", sa.Float(), nullable=True),
        sa.Column("updated_at", _time(), nullable=False),
        sa.ForeignKeyConstraint(["run_id"], ["ingestionrun.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("run_id"),
    )
    op.create_table(
        "alert",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("source_id", sa.Integer(), nullable=False),
        sa.Column("kind", _text(), nullable=False),
        sa.Column("reason", _text(), nullable=False),
        sa.Column("counts", sa.JSON(), nullable=False),
        sa.Column("raised_at", _time(), nullable=False),
        sa.Column("closed_at", _time(), nullable=True),
        sa.Column("times", sa.Integer(), nullable=False),
        sa.Column("told_at", _time(), nullable=True),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("next_try_at", _time(), nullable=True),
        sa.Column("problem", _text(), nullable=False),
        sa.ForeignKeyConstraint(["source_id"], ["source.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id"),
    )
    with op.batch_alter_table("alert") as table:
        table.create_index(table.f("ix_alert_source_id"), ["source_id"])
        table.create_index(table.f("ix_alert_closed_at"), ["closed_at"])


def downgrade() -> None:
    op.drop_table("alert")
    op.drop_table("runprogress")
    with op.batch_alter_table("ingestionrun") as table:
        for name in ("reason", "failure", "asked"):
            table.drop_column(name)
    with op.batch_alter_table("schedule") as table:
        for name in ("cron", "blackouts", "retry_at", "attempts"):
            table.drop_column(name)
