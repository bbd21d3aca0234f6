"""Runs: sources are read when they are due, their records stored, their documents read, histories and index rebuilt.

`run_source` and `run_all` do it once, `Worker` by the schedules; `load_jsonl` takes patients from a file of JSON lines.
"""

from consore.ingestion.deriving import catch_up, record_opposition
from consore.ingestion.patient_lines import LoadReport, load_jsonl
from consore.ingestion.progress import Progress
from consore.ingestion.reviewing import Reviewer, review, withdraw
from consore.ingestion.runs import ReplayReport, replay_rejected, run_all, run_in_background, run_source
from consore.ingestion.schedules import add_source, next_run, set_schedule
from consore.ingestion.structuring import load_dossier, structure_and_save
from consore.ingestion.worker import Worker

__all__ = [
    "LoadReport",
    "Progress",
    "ReplayReport",
    "Reviewer",
    "Worker",
    "add_source",
    "catch_up",
    "load_dossier",
    "load_jsonl",
    "next_run",
    "record_opposition",
    "replay_rejected",
    "review",
    "run_all",
    "run_in_background",
    "run_source",
    "set_schedule",
    "structure_and_save",
    "withdraw",
]
