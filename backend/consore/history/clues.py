"""What the reports and the rows of one patient say, put in one order and placed in sentences.

Everything that decides later reads clues, never documents: sorting here is what makes the history independent
of the order in which documents and rows came. Only what the author states as true is a clue (assertion
`present`), or as true of the past (`history`); what is negated, supposed, planned or about the family never
gets here.
"""

from __future__ import annotations

import datetime as dt
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import zip_longest
from operator import attrgetter

from consore.history.rules import rules
from consore.language.sentences import sentences
from consore.model import (
    Assertion,
    DocumentKind,
    Dossier,
    DossierDocument,
    EvidenceRef,
    Laterality,
    Mention,
    MentionKind,
    StructuredRow,
)
from consore.referentials import Terminology

STATED = frozenset({Assertion.PRESENT, Assertion.HISTORY})
# Kinds that say nothing of the history by themselves.
NOT_OF_HISTORY = frozenset({MentionKind.DOSE, MentionKind.MEASUREMENT, MentionKind.PERFORMANCE_STATUS})
# Kinds that say something of the others alone: a document that has no other is not cut into sentences.
ONLY_CONTEXT = frozenset({MentionKind.DATE, MentionKind.LATERALITY, MentionKind.LINE})
_DRUGS = frozenset({MentionKind.DRUG, MentionKind.REGIMEN})
LONGEST_QUOTE = 400
_SIDES = {side.value: side for side in Laterality}


@dataclass(slots=True)
class Page:
    """A document with its clues, all of them and by kind."""

    document: DossierDocument
    kind: str  # the document's kind, as in `rules.toml`
    clues: list[Clue] = field(default_factory=list)
    by_kind: dict[MentionKind, list[Clue]] = field(default_factory=dict)
    ranges: list[tuple[Clue, Clue]] | None = None  # first and last days that it writes, once they were looked for
    doses: list[Mention] | None = None  # in Gy, once they were looked for
    quotes: dict[int, str] = field(default_factory=dict)  # sentences on one line, once they were asked for

    def of(self, kind: MentionKind) -> Sequence[Clue]:
        """Its clues of one kind, in the order of the text."""
        return self.by_kind.get(kind, ())

    def of_any(self, *kinds: MentionKind) -> Sequence[Clue]:
        """Its clues of these kinds, in the order of the text."""
        found = [self.by_kind[kind] for kind in kinds if kind in self.by_kind]
        if len(found) > 1:
            return [clue for clue in self.clues if clue.kind in kinds]
        return found[0] if found else ()

    def has(self, *kinds: MentionKind) -> bool:
        """Whether one of its clues is of these kinds."""
        return any(kind in self.by_kind for kind in kinds)


@dataclass(slots=True, eq=False)
class Clue:
    """One stated mention, in its sentence."""

    mention: Mention
    page: Page
    sentence: int
    kind: MentionKind
    code: str  # empty where nothing could be coded
    source: str  # the kind of the document, as in `rules.toml`
    date: dt.date | None  # of the fact: that of the sentence, else that of the document
    is_dated: bool  # whether the sentence itself gives the date
    neighbours: list[Clue]  # the clues of the same sentence, itself included, in the order of the text
    span: tuple[int, int]  # first and last place of the sentence

    @property
    def is_history(self) -> bool:
        """Whether it is told as past history (*antécédent*)."""
        return self.mention.assertion is Assertion.HISTORY

    def words_after(self, characters: int) -> str:
        """Its own words and those after, to the end of the sentence or so many characters."""
        _, end = self.span
        return self.page.document.text[self.mention.start : min(end, self.mention.end + characters)]

    def words_before(self, characters: int) -> str:
        """The words before its own, from the start of the sentence or so many characters."""
        start, _ = self.span
        return self.page.document.text[max(start, self.mention.start - characters) : self.mention.start]

    def words_of_sentence(self) -> str:
        """The whole sentence."""
        start, end = self.span
        return self.page.document.text[start:end].strip()

    def evidence(self) -> EvidenceRef:
        """The span and the sentence that say so."""
        mention, page = self.mention, self.page
        start, end = self.span
        if end - start > LONGEST_QUOTE:
            start = max(start, mention.start - LONGEST_QUOTE // 2)
            end = min(end, mention.end + LONGEST_QUOTE // 2)
            quote = " ".join(page.document.text[start:end].split())
        else:
            quote = page.quotes.get(self.sentence) or self._quote(start, end)
        return EvidenceRef(quote, round(mention.confidence, 3), page.document.id, mention.start, mention.end)

    def _quote(self, start: int, end: int) -> str:
        quote = self.page.quotes[self.sentence] = " ".join(self.page.document.text[start:end].split())
        return quote


@dataclass(slots=True)
class Reading:
    """All the clues of one patient, in an order that does not depend on how they came."""

    dossier: Dossier
    pages: list[Page]
    rows: dict[str, list[StructuredRow]]

    def clues(self, *kinds: MentionKind) -> list[Clue]:
        """The clues of these kinds, by document date, then place in the document."""
        return [clue for page in self.pages for clue in page.of_any(*kinds)]

    def visits(self, kinds: Sequence[str]) -> list[dt.date]:
        """The days of the documents of these kinds: the occasions on which something is told again."""
        return [page.document.date for page in self.pages if page.document.date and page.kind in kinds]

    def denials(self) -> list[dt.date]:
        """The days of the documents that deny a recurrence and tell none."""
        return [page.document.date for page in self.pages if page.document.date and _denies(page)]

    def metastases_denied(self) -> list[tuple[dt.date, str]]:
        """The days of the documents that deny metastases somewhere, and the sites where they do."""
        return [
            (page.document.date, mention.code)
            for page in self.pages
            if page.document.date
            for mention in page.document.mentions
            if mention.kind is MentionKind.METASTASIS and mention.assertion is Assertion.NEGATED and mention.code
        ]

    def rows_of(self, kind: str) -> list[StructuredRow]:
        """The rows of one kind, by date."""
        return self.rows.get(kind, [])

    def forget(self) -> None:
        """Let go of the clues, which know each other: else only a search for cycles finds that nobody needs them."""
        for page in self.pages:
            for clue in page.clues:
                clue.neighbours.clear()
            page.clues.clear()
            page.by_kind.clear()
            page.ranges = None


def read(dossier: Dossier, terminology: Terminology) -> Reading:
    """The clues of a dossier. A second document of the same day and text (a copy) is left out."""
    pages: list[Page] = []
    seen: set[tuple[dt.date | None, str]] = set()
    for document in sorted(dossier.documents, key=_document_order):
        copy = (document.date, document.text)
        if copy in seen:
            continue
        seen.add(copy)
        pages.append(_page(document, terminology))
    rows: dict[str, list[StructuredRow]] = defaultdict(list)
    for row in sorted(dossier.structured, key=_row_order):
        rows[row.kind].append(row)
    return Reading(dossier, pages, rows)


def _denies(page: Page) -> bool:
    """Whether the document denies a recurrence, and states none."""
    told = {one.assertion for one in page.document.mentions if one.kind is MentionKind.RECURRENCE}
    return Assertion.NEGATED in told and Assertion.PRESENT not in told


def row_evidence(row: StructuredRow) -> EvidenceRef:
    """The row, as "column : value" text."""
    parts = [
        f"{key} : {value}" for key, value in row.values.items() if value not in (None, "") and key not in ("id", "ipp")
    ]
    return EvidenceRef(quote=" ; ".join(parts)[:LONGEST_QUOTE], confidence=1.0, row_id=row.id)


def side_of(clue: Clue) -> Laterality | None:
    """The side that a laterality clue, or a topography that carries one, states."""
    value = clue.mention.value
    return _SIDES.get(value) if value else None


def _page(document: DossierDocument, terminology: Terminology) -> Page:
    stated = [
        mention
        for mention in document.mentions
        if (mention.assertion in STATED and mention.kind not in NOT_OF_HISTORY) or _was_given(mention, document.text)
    ]
    if document.kind is not DocumentKind.RADIOTHERAPY and all(mention.kind in ONLY_CONTEXT for mention in stated):
        return Page(document, document.kind.value)
    spans = document.sentences or sentences(document.text) or [(0, len(document.text))]
    starts = [start for start, _ in spans]
    source, own = document.kind.value, document.date
    page = Page(document, source)
    clues, by_kind = page.clues, page.by_kind
    place, span = -1, (0, 0)
    neighbours: list[Clue] = []
    ordered = _in_order(stated)
    for mention, following in zip_longest(ordered, ordered[1:]):
        if mention.start >= span[1]:
            found = max(bisect_right(starts, mention.start) - 1, 0)
            if found != place:
                place, span, neighbours = found, spans[found], []
                if mention.kind is MentionKind.DATE and (following is None or following.start >= span[1]):
                    continue  # a day alone in its sentence says nothing
        kind, date = mention.kind, mention.date
        code = mention.code or _code_of(mention, terminology)
        clue = Clue(mention, page, place, kind, code, source, date or own, date is not None, neighbours, span)
        clues.append(clue)
        neighbours.append(clue)
        if kind in by_kind:
            by_kind[kind].append(clue)
        else:
            by_kind[kind] = [clue]
    return page


def _was_given(mention: Mention, text: str) -> bool:
    """Whether a drug told as planned was given: the words after tell its first day ("dont la première perfusion…")."""
    if mention.assertion is not Assertion.HYPOTHETICAL or mention.kind not in _DRUGS:
        return False
    return rules().given_after.match(text, mention.end, mention.end + 120) is not None


def _code_of(mention: Mention, terminology: Terminology) -> str:
    """The code of a recurrence or a response that the reader marked without one, from its words; else empty."""
    if mention.kind is not MentionKind.RESPONSE and mention.kind is not MentionKind.RECURRENCE:
        return ""
    return _code_of_words(mention.text, mention.kind.value, terminology)


@lru_cache(maxsize=1024)
def _code_of_words(words: str, kind: str, terminology: Terminology) -> str:
    return next((match.code for match in terminology.match(words) if match.kind == kind and match.code), "")


def _document_order(document: DossierDocument) -> tuple[dt.date, str, str]:
    return (document.date or dt.date.max, document.kind.value, document.id)


def _row_order(row: StructuredRow) -> tuple[dt.date, str, str]:
    return (row.date or dt.date.max, row.kind, row.id)


def _in_order(mentions: list[Mention]) -> list[Mention]:
    """By place, then by all that they are; readers give them by place, and ties are few."""
    last = -1
    for mention in mentions:
        if mention.start <= last:
            break
        last = mention.start
    else:
        return mentions
    ordered = sorted(mentions, key=_PLACE)
    place = 0
    while place + 1 < len(ordered):
        first, last = ordered[place], place + 1
        while last < len(ordered) and ordered[last].start == first.start and ordered[last].end == first.end:
            last += 1
        if last - place > 1:
            ordered[place:last] = sorted(ordered[place:last], key=_mention_order)
        place = last
    return ordered


_PLACE = attrgetter("start", "end")


def _mention_order(mention: Mention) -> tuple[int, int, str, str, str, str]:
    return (
        mention.start,
        mention.end,
        mention.kind.value,
        mention.code or "",
        mention.value or "",
        f"{mention.assertion.value}{mention.date or ''}",
    )
