"""The codes that coders give to words: learned from an annotated corpus, kept as a table that people can read.

`coders.csv` (kind;words;code) comes from the part of FRACCO that is not kept for measuring (CC BY 4.0): coders call
« progression » 8000/6 and « cérébrales » C71.0, whatever a dictionary would say. To write it anew:
`write_coders(coders_table(d for d in read_fracco(path) if not is_kept_out(d.id)))`.
"""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from consore.language.corpora import AnnotatedDocument
from consore.language.tokens import fold

CODERS = Path(__file__).parent / "coders.csv"
_FEWEST_DOCUMENTS = 3
_SURE = 0.5


def learned_form(written: str) -> str:
    """How words are compared with those of the training corpus."""
    return " ".join(fold(written).replace("-", " ").split())


def coders_table(documents: Iterable[AnnotatedDocument]) -> list[tuple[str, str, str]]:
    """Words that most often have the same code, in at least three documents: nothing said of one patient only."""
    uses: dict[tuple[str, str], Counter[str]] = {}
    where: dict[tuple[str, str], set[str]] = {}
    for document in documents:
        for span in document.spans:
            words = learned_form(document.text[span.start : span.end])
            if span.code and words and span.kind.value in ("topography", "morphology"):
                uses.setdefault((span.kind.value, words), Counter())[span.code] += 1
                where.setdefault((span.kind.value, words), set()).add(document.id)
    rows = []
    for key in sorted(uses):
        code, count = uses[key].most_common(1)[0]
        if len(where[key]) >= _FEWEST_DOCUMENTS and count >= _SURE * uses[key].total():
            rows.append((*key, code))
    return rows


def write_coders(rows: Iterable[tuple[str, str, str]], path: Path = CODERS) -> None:
    """Write the table."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, delimiter=";", lineterminator="\n")
        writer.writerow(["kind", "words", "code"])
        writer.writerows(rows)


def read_coders(path: Path = CODERS) -> dict[tuple[str, str], str]:
    """(kind, words) → code."""
    with path.open(encoding="utf-8", newline="") as file:
        return {(row["kind"], row["words"]): row["code"] for row in csv.DictReader(file, delimiter=";")}
