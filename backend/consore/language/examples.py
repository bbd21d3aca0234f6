"""Annotated documents as the tagger reads them: windows of words with their clues, and the tags that teach them.

A window is a few sentences in a row, so that a word is read with what stands before and after its sentence. A word
carries two tags in one, what it is of a tumour (`morphology`, `lesion`, `metastasis`…) and what it is of a site, as
« rénal » is an organ inside the tumour « carcinome rénal à cellules claires ».
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from consore.language.clues import clues
from consore.language.corpora import AnnotatedDocument, GoldSpan
from consore.language.sentences import sentences
from consore.language.tokens import Words, words
from consore.model import MentionKind
from consore.referentials import Match, Terminology

WINDOW = 96
BETWEEN_LAYERS = "|"
OUTSIDE = "O"
NOTHING = f"{OUTSIDE}{BETWEEN_LAYERS}{OUTSIDE}"


@dataclass(slots=True)
class Cut:
    """A text cut into words. `windows`: ranges of words, each of whole sentences, without gaps. `sentence_ends`: one
    past the last word of each sentence."""

    sentences: list[tuple[int, int]]
    words: Words
    windows: list[tuple[int, int]]
    sentence_ends: list[int]

    @classmethod
    def of(cls, text: str) -> Cut:
        """Cut a text."""
        spans = sentences(text)
        cut = words(text)
        ends: list[int] = []
        windows: list[tuple[int, int]] = []
        first = before = 0
        for _, end in spans:
            last = bisect_left(cut.starts, end, before)
            if before > first and last - first > WINDOW:
                windows.append((first, before))
                first = before
            ends.append(last)
            before = last
        if before > first:
            windows.append((first, before))
        return cls(spans, cut, windows, ends)

    def clues(self, matches: Sequence[Match]) -> list[int]:
        """The clues of all words, given the dictionary's matches in the text."""
        return clues(self.words.starts, self.sentences, matches)


@dataclass(slots=True)
class Example:
    """A window to learn from: its words, their clues and tags; a tag is None where the corpus does not tell.

    `opinion`: what a teacher thinks, the chance of each of the tagger's tags for each word, [words, tags] in 0–1.
    """

    document: str
    words: list[str]
    clues: list[int]
    tags: list[str | None]
    opinion: np.ndarray | None = None


def examples(documents: Iterable[AnnotatedDocument], terms: Terminology) -> Iterator[Example]:
    """The windows of the documents, each word with its tag.

    Of generated truth, which marks neither unqualified findings (« lésion ») nor organs without a tumour while FRACCO
    marks both, only the sentences that hold a span and no such word teach, and the same sentence four times at most.
    """
    seen: Counter[str] = Counter()
    for document in documents:
        cut = Cut.of(document.text)
        tags = _tags(document, cut)
        if document.origin == "generated":
            _silence(document, cut, tags, seen)
        found = cut.clues(terms.match(document.text))
        for first, last in cut.windows:
            if any(tag is not None for tag in tags[first:last]):
                yield Example(document.id, cut.words.written[first:last], found[first:last], tags[first:last])


def _tags(document: AnnotatedDocument, cut: Cut) -> list[str | None]:
    starts = cut.words.starts
    layers = [[OUTSIDE] * len(starts), [OUTSIDE] * len(starts)]
    pieces = {piece for span in document.spans if span.end > span.start for piece in pieces_of(document.text, span)}
    for start, end, tag in sorted(pieces, key=lambda piece: (piece[0] - piece[1], piece)):
        layer = layers[tag == SITE]
        first = max(0, bisect_right(starts, start) - 1)
        last = bisect_left(starts, end)
        if first < last and all(place == OUTSIDE for place in layer[first:last]):
            layer[first:last] = _bioes(tag, last - first)
    return [BETWEEN_LAYERS.join(pair) for pair in zip(*layers, strict=True)]


def _bioes(tag: str, length: int) -> list[str]:
    if length == 1:
        return [f"S-{tag}"]
    return [f"B-{tag}", *[f"I-{tag}"] * (length - 2), f"E-{tag}"]


def _silence(document: AnnotatedDocument, cut: Cut, tags: list[str | None], seen: Counter[str]) -> None:
    first = 0
    for (start, end), last in zip(cut.sentences, cut.sentence_ends, strict=True):
        written = document.text[start:end]
        seen[written] += 1
        empty = all(tag == NOTHING for tag in tags[first:last])
        if empty or seen[written] > _MOST_OF_ONE_SENTENCE or _UNMARKED.search(written):
            tags[first:last] = [None] * (last - first)
        first = last


_MOST_OF_ONE_SENTENCE = 4
SITE = "topography"
_RECURRENCE = re.compile(r"r[ée]cidiv|rechut", re.IGNORECASE)
_PROGRESSION = re.compile(r"progress|[ée]volutivit", re.IGNORECASE)
_RESPONSE = re.compile(r"stabil|r[ée]mission|r[ée]ponse|r[ée]gress", re.IGNORECASE)
_STAGE = re.compile(r"stade\b|[cpy]*m1", re.IGNORECASE)


def tag_of(text: str, span: GoldSpan) -> str | None:
    """The tag that teaches this span, or None where rules and dictionary read it.

    FRACCO calls *morphologie* all that speaks of a tumour. The tags tell apart what a history must tell apart:
    a named tumour (`morphology`), an unqualified finding (`lesion`: mass, nodule, node), `metastasis`, `recurrence`,
    `progression`, `response`, and the `stage` that says that a disease has spread.
    """
    written = text[span.start : span.end]
    if span.kind is MentionKind.TOPOGRAPHY:
        return SITE
    if span.kind in (MentionKind.METASTASIS, MentionKind.RESPONSE):
        return span.kind.value
    if span.kind is MentionKind.RECURRENCE:
        return "progression" if span.code == "REC:progression" else "recurrence"
    if span.kind is not MentionKind.MORPHOLOGY:
        return None
    if _STAGE.match(written):
        return "stage"
    if _RECURRENCE.search(written):
        return "recurrence"
    if _PROGRESSION.search(written):
        return "progression"
    if _RESPONSE.search(written):
        return "response"
    code = span.code or "8000/1"
    if code.endswith("/6"):
        return "metastasis"
    return "lesion" if code in ("8000/1", "8001/1") else "morphology"


_UNMARKED = re.compile(
    r"l[ée]sion|masse|nodul|ad[ée]nopath|tumeur|ganglion|foyer|opacit|infiltra|[ée]paissis|formation|n[ée]opla|atteinte|"
    r"envahi|image|fixation|hypermétab|polype|kyst|ulc[ée]r",
    re.IGNORECASE,
)
_NAMED_WITH_ORGAN = re.compile(
    r"(?P<tumour>(?:k|cancers?|carcinomes?|tumeurs?|n[ée]oplasies?|n[ée]oplasmes?|ad[ée]nocarcinomes?)(?:\s+primitifs?)?)\s+"
    r"(?:d[eu]s?\s+(?:la\s+|l['’])?|d['’])?(?P<organ>\S.*)",
    re.IGNORECASE | re.DOTALL,
)


_SPREAD_TO_SITE = re.compile(
    r"(?P<spread>m[ée]tastases?|mets|m[ée]tas?|(?:localisations?|l[ée]sions?|nodules?)\s+(?:secondaires?|m[ée]tastatiques?))\s+"
    r"(?:au\s+niveau\s+)?(?:d[eu]s?\s+(?:la\s+|l['’])?|d['’]|aux?\s+|à\s+la\s+)?(?P<site>(?!à distance)\S.*)",
    re.IGNORECASE | re.DOTALL,
)


def pieces_of(text: str, span: GoldSpan) -> list[tuple[int, int, str]]:
    """The tagged pieces of a span, as FRACCO cuts them: « cancer du sein » given as one organ teaches a tumour and its
    organ, « métastases hépatiques » given as one metastasis teaches a metastasis and its site."""
    tag = tag_of(text, span)
    named = _NAMED_WITH_ORGAN.fullmatch(text, span.start, span.end) if tag == SITE else None
    if named:
        return [(*named.span("tumour"), "morphology"), (*named.span("organ"), SITE)]
    spread = _SPREAD_TO_SITE.fullmatch(text, span.start, span.end) if tag == "metastasis" else None
    if spread:
        return [(*spread.span("spread"), "metastasis"), (*spread.span("site"), SITE)]
    return [(span.start, span.end, tag)] if tag else []
