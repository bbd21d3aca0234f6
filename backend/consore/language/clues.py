"""What the dictionary says of each word, as one small number: the tagger reads it beside the word.

The dictionary knows names, the tagger contexts. Given what the dictionary found, the tagger learns when to believe it:
an organ counts as a tumour's site rather where a tumour is named in the same sentence, or was with that organ
elsewhere in the report. That last part is all that a sentence learns of the rest of its document.

Training and reading must number in the same way (`tokens.FEATURES_VERSION`).
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence

from consore.referentials import Match

_OF_KIND = {
    "metastasis": 3,
    "recurrence": 4,
    "response": 5,
    "drug": 6,
    "regimen": 6,
    "procedure": 7,
    "biomarker": 8,
    "stage": 8,
    "grade": 8,
}
_OF_BEHAVIOUR = {"0": 1, "1": 2, "2": 0, "3": 0, "6": 3, "9": 3}
_NAMES_A_TUMOUR = frozenset({0, 3, 4})
_OTHERS = 2 * 9 + 1
_SITES = 2 * 3 + 1

CLUES = _SITES * _OTHERS
NO_CLUE = 0


def clues(starts: Sequence[int], sentences: Sequence[tuple[int, int]], matches: Iterable[Match]) -> list[int]:
    """A number in [0, CLUES) for each word of a document; `starts`: where the words begin, in order."""
    sites: list[tuple[int, int, str, int]] = []
    sites_of: list[int] = [0] * len(starts)
    others: list[int] = [0] * len(starts)
    tumours: set[int] = set()
    sentence_starts = [start for start, _ in sentences]
    for match in matches:
        kind = match.kind
        if kind == "topography":
            sentence = bisect_right(sentence_starts, match.start)
            sites.append((match.start, match.end, (match.code or "")[:3], sentence))
            continue
        if kind == "morphology":
            what = _OF_BEHAVIOUR.get((match.code or "")[-1:], 2)
        elif kind in _OF_KIND:
            what = _OF_KIND[kind]
        else:
            continue
        if what in _NAMES_A_TUMOUR:
            tumours.add(bisect_right(sentence_starts, match.start))
        _mark(others, starts, match.start, match.end, 2 * what + 1)
    tumoral = {category for _, _, category, sentence in sites if sentence in tumours}
    for start, end, category, sentence in sites:
        strength = 2 if sentence in tumours else 1 if category in tumoral else 0
        _mark(sites_of, starts, start, end, 2 * strength + 1)
    return [site * _OTHERS + other for site, other in zip(sites_of, others, strict=True)]


def _mark(values: list[int], starts: Sequence[int], start: int, end: int, first: int) -> None:
    """`first` on the first word of the span, `first + 1` on the others; what is marked already stays."""
    index = bisect_left(starts, start)
    while index < len(starts) and starts[index] < end:
        values[index] = values[index] or first
        first += first % 2
        index += 1
