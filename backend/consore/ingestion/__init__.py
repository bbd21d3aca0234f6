"""Runs: sources are read when they are due, their records stored, their documents read, histories and index rebuilt.

`run_source` and `run_all` do it once, `Worker` by the schedules; `load_jsonl` takes patients from a file of JSON lines.
"""

from consore.ingestion.alerts import watch_forever, watch_once
from consore.ingestion.deriving import catch_up, record_opposition
from consore.ingestion.following import cancel_run
from consore.ingestion.health import HealthState, SourceHealth, health_of_sources, step_of
from consore.ingestion.patient_lines import LoadReport, load_jsonl
from consore.ingestion.progress import Progress, Step
from consore.ingestion.reviewing import Reviewer, review, withdraw
from consore.ingestion.runs import (
    ReplayReport,
    replay_in_background,
    replay_rejected,
    run_all,
    run_in_background,
    run_source,
)
from consore.ingestion.schedules import (
    add_source,
    checked_schedule,
    closed_in_words,
    closed_until,
    next_run,
    schedule_in_words,
    set_schedule,
    starts_at,
)
from consore.ingestion.structuring import load_dossier, structure_and_save
from consore.ingestion.worker import Worker
from consore.ingestion.workers import readers

__all__ = [
    "HealthState",
    "LoadReport",
    "Progress",
    "ReplayReport",
    "Reviewer",
    "SourceHealth",
    "Step",
    "Worker",
    "add_source",
    "cancel_run",
    "catch_up",
    "checked_schedule",
    "closed_in_words",
    "closed_until",
    "health_of_sources",
    "load_dossier",
    "load_jsonl",
    "next_run",
    "readers",
    "record_opposition",
    "replay_in_background",
    "replay_rejected",
    "review",
    "run_all",
    "run_in_background",
    "run_source",
    "schedule_in_words",
    "set_schedule",
    "starts_at",
    "step_of",
    "structure_and_save",
    "watch_forever",
    "watch_once",
    "withdraw",
]
