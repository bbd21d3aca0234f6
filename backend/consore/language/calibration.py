"""What a mention's confidence is worth: of the mentions given with it, the share that is right.

The dictionary says .9 and .5, the tagger gives its own score, rules say 1: none of these is a chance. `calibration.csv`
(kind, extractor, raw confidence up to, right, of) counts how often such a mention was right on generated reports of
the dev split, and `calibrated` answers with that share, drawn to the middle where few were seen.
"""

from __future__ import annotations

import csv
from bisect import bisect_left
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TypeAlias

from consore.language.corpora import GoldSpan
from consore.language.spans import Spans
from consore.model import Mention, MentionKind

CALIBRATION = Path(__file__).parent / "calibration.csv"
_BINS = (0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 1.0)
_PRIOR_RIGHT, _PRIOR_SEEN = 4.0, 5.0
# The truth of generated reports leaves these out on purpose (what imaging names, « masse »…): a mention too many of
# these kinds says nothing of the reader, so they keep the confidence of their extractor.
_NOT_MEASURED = frozenset({"topography", "morphology", "procedure", "date", "dose", "measurement", "laterality"})


@dataclass(slots=True)
class _Count:
    right: int = 0
    seen: int = 0


# (kind, extractor, upper end of the bin) → how many mentions, and how many of them are right.
Reliability: TypeAlias = dict[tuple[str, str, float], _Count]


def reliability(read: Iterable[tuple[list[Mention], tuple[GoldSpan, ...]]]) -> Reliability:
    """(kind, extractor, upper end of the bin) → how many mentions, and how many touch a true one of the same code."""
    counts: Reliability = {}
    for mentions, gold in read:
        altered = Spans((span.start, span.end) for span in gold if span.kind is MentionKind.ALTERATION)
        for mention in mentions:
            if mention.kind.value in _NOT_MEASURED:
                continue
            if mention.kind is MentionKind.BIOMARKER and altered.touch(mention.start, mention.end):
                continue  # the truth marks a gene's alteration alone
            key = (mention.kind.value, mention.extractor, _bin(mention.confidence))
            count = counts.setdefault(key, _Count())
            count.seen += 1
            count.right += any(
                s.kind is mention.kind
                and s.start < mention.end
                and mention.start < s.end
                and s.code in (None, mention.code)
                for s in gold
            )
    return counts


def reliability_text(counts: Reliability) -> str:
    """The table as people read it: of the mentions given with that confidence, how many are right."""
    lines = [f"{'confidence of':22}{'by':12}{'up to':>6}{'given':>7}{'right':>7}"]
    for (kind, extractor, upper), count in sorted(counts.items()):
        lines.append(f"{kind:22}{extractor:12}{upper:6.2f}{count.seen:7}{count.right / count.seen:7.3f}")
    return "\n".join(lines)


def write_calibration(counts: Reliability, path: Path = CALIBRATION) -> None:
    """Write the table that `calibrated` reads."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["kind", "extractor", "up_to", "right", "seen"])
        writer.writerows([*key, count.right, count.seen] for key, count in sorted(counts.items()))


@lru_cache(maxsize=16_384)
def calibrated(kind: str, extractor: str, confidence: float) -> float:
    """The chance that such a mention is right; its extractor's own measure where that was not counted."""
    return _table().get((kind, extractor, _bin(confidence)), confidence)


def _bin(confidence: float) -> float:
    return _BINS[min(bisect_left(_BINS, confidence), len(_BINS) - 1)]


@lru_cache(maxsize=1)
def _table() -> dict[tuple[str, str, float], float]:
    if not CALIBRATION.exists():
        return {}
    with CALIBRATION.open(encoding="utf-8", newline="") as file:
        return {
            (row["kind"], row["extractor"], float(row["up_to"])): round(
                (int(row["right"]) + _PRIOR_RIGHT) / (int(row["seen"]) + _PRIOR_SEEN), 3
            )
            for row in csv.DictReader(file)
        }
