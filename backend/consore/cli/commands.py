"""Importing this module gives `app` all its commands, in the order in which `consore --help` lists them."""

from consore.cli import demo, node, sources, schedules, referentials, reading, synth, questions, exporting, network  # noqa: F401, I001
