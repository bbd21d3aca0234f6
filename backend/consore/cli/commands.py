"""Importing this module gives `app` all its commands, in the order in which `consore --help` lists them."""

from consore.cli import demo, node, sources, connectors, schedules, referentials, reading, synth  # noqa: F401, I001
from consore.cli import ingestion_bench, cohort_bench, search_bench, questions, search_evaluation  # noqa: F401
from consore.cli import cohorts, trials, exporting, network  # noqa: F401
