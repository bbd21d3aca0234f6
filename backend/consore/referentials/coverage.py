"""How much of what experts marked in real reports the dictionary finds by itself, and how fast.

The reference is a JSON-lines file (gzip or not): a document a line, with `text` and `entities` of `start`, `end`, `text`,
`label` (`topographie`, `morphologie`) and `norm` (`ICD-O:C34.9`). Of the morphologies only the malignant behaviours
(/2, /3, /6, /9) count: the others name masses and nodules. A span is found when a match has its very bounds.
"""

from __future__ import annotations

import gzip
import json
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from consore.errors import InputError
from consore.referentials.terminology import Terminology, terminology

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
