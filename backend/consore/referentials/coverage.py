"""How much of what experts marked in real reports the dictionary finds by itself, and how fast.

The reference is a JSON-lines file (gzip or not), a document a line, with `text` and `entities`; an entity has `start`,
`end`, `text`, `label` (`topographie`, `morphologie`) and `norm` (`ICD-O:C34.9`). Of the morphologies only the malignant
behaviours (/2, /3, /6, /9) count: the others name masses and nodules.
"""

from __future__ import annotations

import gzip
import json
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from consore.errors import InputError
from consore.referentials.compiled import compile_systems
from consore.referentials.concept import Edition
from consore.referentials.reading import read_systems
from consore.referentials.terminology import Terminology, terminology


@dataclass(frozen=True)
class ReferentialsReport:
    """What `consore bench referentials` tells: sizes, seconds to build, milliseconds to suggest, share of a corpus."""

    editions: list[Edition]
    forms: int
    build_s: float
    suggest_p50_ms: float
    suggest_p95_ms: float
    coverage: dict[str, Any] | None

    def as_json(self) -> dict[str, Any]:
        """The report as plain values."""
        return asdict(self)

    def text(self) -> str:
        """The report as a table for people."""
        lines = [f"{e.system:<13} {e.name:<45} {e.concepts:>6} concepts {e.terms:>6} forms" for e in self.editions]
        lines.append(f"{self.forms} forms, built in {self.build_s:.2f} s")
        lines.append(f"suggestions: p50 {self.suggest_p50_ms:.2f} ms, p95 {self.suggest_p95_ms:.2f} ms")
        if self.coverage:
            found = self.coverage
            lines.append(
                f"{found['documents']} marked documents: {found['documents_per_second']:.0f} documents/s, "
                f"{found['documents_of_500_words_per_second']:.0f} of 500 words/s"
            )
            for kind, share in found["kinds"].items():
                lines.append(
                    f"{kind:<11} {share['gold']:>6} marked spans: found {share['span']:.1%}, with the right code "
                )
                lines[-1] += (
                    f"{share['span_and_code']:.1%}; {share['matches_on_a_gold_span']:.1%} of the matches are marked"
                )
        return "\n".join(lines)


def bench(root: Path, corpus: Path | None = None) -> ReferentialsReport:
    """Builds the code systems under `root` afresh, times suggestions, and measures `corpus` if given."""
    start = time.perf_counter()
    built = Terminology(root, compile_systems(root, read_systems(root)))
    build_s = time.perf_counter() - start
    p50, p95 = _suggestion_times(built)
    return ReferentialsReport(
        built.editions(), built.forms, round(build_s, 3), p50, p95, coverage(corpus, built) if corpus else None
    )


def _suggestion_times(known: Terminology) -> tuple[float, float]:
    """Milliseconds (median, 95th percentile) to suggest from beginnings of labels, one in four lacking a letter."""
    labels = [concept.label for concept in known.concepts()][::9]
    asked = [typed for label in labels for typed in (label[:3], label[:6], label[:9], label[:3] + label[4:9])]
    known.suggest("a")
    times: list[float] = []
    for typed in asked:
        start = time.perf_counter()
        known.suggest(typed)
        times.append(1000 * (time.perf_counter() - start))
    times.sort()
    return round(times[len(times) // 2], 2), round(times[int(0.95 * len(times))], 2)


_LABELS = {"topographie": "topography", "morphologie": "morphology"}
_MALIGNANT = ("/2", "/3", "/6", "/9")


def coverage(path: Path, source: Terminology | None = None, missed: int = 0) -> dict[str, Any]:
    """Shares of the gold spans of `path` found, found with their code, and the precision of the matches, per kind.

    With `missed`, also that many of the most frequent gold spans that were not found. Raises InputError for a file that
    is not such a corpus.
    """
    known = source or terminology()
    gold = Counter[str]()
    spanned = Counter[str]()
    exact = Counter[str]()
    given = Counter[str]()
    right = Counter[str]()
    unseen: dict[str, Counter[tuple[str, str, str]]] = {kind: Counter() for kind in _LABELS.values()}
    documents = words = 0
    elapsed = 0.0
    for text, entities in _documents(path):
        documents += 1
        words += text.count(" ") + 1
        start = time.perf_counter()
        matches = known.match(text)
        elapsed += time.perf_counter() - start
        found = {(m.kind, m.start, m.end): m.code for m in matches}
        marked = {(kind, first, last) for kind, first, last, _, _ in entities}
        for match in matches:
            if match.kind == "topography" or (match.kind == "morphology" and (match.code or "").endswith(_MALIGNANT)):
                given[match.kind] += 1
                right[match.kind] += (match.kind, match.start, match.end) in marked
        for kind, first, last, code, words_of in entities:
            if kind == "morphology" and not code.endswith(_MALIGNANT):
                continue
            gold[kind] += 1
            got = found.get((kind, first, last))
            spanned[kind] += got is not None
            exact[kind] += got == code
            if got != code:
                unseen[kind][(words_of.lower(), code, got or "-")] += 1
    return {
        "documents": documents,
        "documents_per_second": round(documents / elapsed, 1) if elapsed else 0.0,
        "documents_of_500_words_per_second": round(words / 500 / elapsed, 1) if elapsed else 0.0,
        "kinds": {
            kind: {
                "gold": gold[kind],
                "span": round(spanned[kind] / max(1, gold[kind]), 4),
                "span_and_code": round(exact[kind] / max(1, gold[kind]), 4),
                "matches": given[kind],
                "matches_on_a_gold_span": round(right[kind] / max(1, given[kind]), 4),
            }
            for kind in _LABELS.values()
        },
        "missed": {kind: unseen[kind].most_common(missed) for kind in unseen} if missed else {},
    }


def _documents(path: Path) -> Iterator[tuple[str, list[tuple[str, int, int, str, str]]]]:
    """Text and marked spans (kind, start, end, code, words) of each document; spans without a code are left out."""
    opened = gzip.open if path.suffix == ".gz" else open
    try:
        with opened(path, "rt", encoding="utf-8") as lines:
            for line in lines:
                document = json.loads(line)
                yield (
                    document["text"],
                    [
                        (_LABELS[entity["label"]], entity["start"], entity["end"], code, entity["text"])
                        for entity in document["entities"]
                        if entity["label"] in _LABELS and (code := _code(entity))
                    ],
                )
    except (OSError, json.JSONDecodeError, KeyError, UnicodeDecodeError) as error:
        raise InputError(
            f"{path} cannot be read as a marked corpus: {error}.", "Give JSON lines with text and entities."
        ) from error


def _code(entity: dict[str, Any]) -> str:
    norms = entity.get("norm") or []
    return norms[0].removeprefix("ICD-O:").strip() if norms else ""
