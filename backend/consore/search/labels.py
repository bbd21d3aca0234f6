"""The French words for closed lists, for people to read: one table, `labels.csv`."""

from __future__ import annotations

import csv
import tomllib
from functools import lru_cache
from pathlib import Path

from consore.model import System
from consore.referentials import Terminology
from consore.search.criteria import parse_criteria


def label(family: str, value: str) -> str:
    """The French word of a value (`event`, `metastatic_recurrence`); the value itself where it has none."""
    return _labels().get((family, value), value)


def marker_label(terminology: Terminology, code: str, status: str | None = None) -> str:
    """`HER2 positif`: a biomarker or a gene with its result."""
    name = terminology.label(System.LOCAL.value, code) if terminology.concept(System.LOCAL.value, code) else code
    return f"{name} {label('status', status)}" if status else name


@lru_cache(maxsize=1)
def phrases() -> dict[str, str]:
    """The label of each phrase of `questions.toml`, by the canonical form of its criterion."""
    table = tomllib.loads(Path(__file__).with_name("questions.toml").read_text(encoding="utf-8"))
    return {parse_criteria(cue["criterion"]).canonical(): cue["label"] for cue in table["cue"]}


@lru_cache(maxsize=1)
def _labels() -> dict[tuple[str, str], str]:
    with Path(__file__).with_name("labels.csv").open(encoding="utf-8", newline="") as file:
        return {(row["family"], row["value"]): row["label"] for row in csv.DictReader(file)}
