"""A report in, coded mentions out: the one reader of documents.

    text → layout → sentences, sections → dictionary → tagger, rules → codes → context and dates → mentions

What the reader gives depends on the text, the document's date and `version` alone, so results can be kept.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import consore
from consore.errors import ConfigurationError
from consore.language.context import Context
from consore.language.examples import Page
from consore.language.exported import DESCRIPTION_FILE, GRAPH_FILE, TABLE_FILE
from consore.language.layout import Layout, plain
from consore.language.linking import CODES_FILE, Doubt, Linker, Tagged
from consore.language.rules import (
    Calendar,
    attach_dates,
    find_dates,
    find_gradings,
    find_measures,
    find_results,
    find_sides,
    find_tnm,
)
from consore.language.rules.sides import SIDED
from consore.language.sections import sections
from consore.language.tagger import SHIPPED_WEIGHTS, Tagger, Window
from consore.model import DocumentKind, Mention, MentionKind
from consore.referentials import Match, Terminology, table_files, terminology
from consore.settings import Settings

if TYPE_CHECKING:
    from consore.language.accurate import Accurate

PROFILES = ("fast", "accurate")
SITE_WEIGHTS = "tagger"
_SURROGATES = re.compile(r"[\ud800-\udfff]")
_DOCUMENTS_AT_ONCE = 200
_SIDE_REACH = 28

Request = tuple[str, DocumentKind | str | None, dt.date | None]


@dataclass(frozen=True, slots=True)
class _Document:
    """A document cut up and looked up in the dictionary, before the tagger reads it."""

    given: str
    layout: Layout
    plain: str
    page: Page
    matches: list[Match]


class Reader:
    """Reads documents. Holds the dictionary and the tagger: one per process, not shared between threads."""

    def __init__(self, terms: Terminology, weights: Path = SHIPPED_WEIGHTS, profile: str = "fast") -> None:
        self._terminology = terms
        self._tagger: Tagger | Accurate
        if profile == "accurate":
            from consore.language.accurate import ACCURATE_FILE, Accurate

            self._tagger, files = Accurate(weights), (ACCURATE_FILE,)
        else:
            self._tagger, files = Tagger(weights), (TABLE_FILE, GRAPH_FILE, DESCRIPTION_FILE)
        self._linker = Linker(terms, weights)
        self.version = _version(terms, [weights / name for name in (*files, CODES_FILE)])

    @classmethod
    def load(cls, settings: Settings | None = None, profile: str = "fast") -> Reader:
        """The reader of a node: its referentials, and the weights trained on the site where there are any
        (`home`/tagger), else those shipped; those of the profile `accurate` are always those shipped.

        Raises ConfigurationError for an unknown profile, ComponentError when the weights cannot be used.
        """
        if profile not in PROFILES:
            raise ConfigurationError(f"There is no reading profile {profile!r}.", f"Choose {' or '.join(PROFILES)}.")
        if settings is None:
            return cls(terminology(), profile=profile)
        weights = weights_in_use(settings) if profile == "fast" else SHIPPED_WEIGHTS
        return cls(terminology(settings.referentials, settings.cache, settings.site_referentials), weights, profile)

    def read(self, text: str, kind: DocumentKind | str | None = None, date: dt.date | None = None) -> list[Mention]:
        """The mentions of a document in the order of the text; `date` is the document's own."""
        return self.read_many([(text, kind, date)])[0]

    def read_many(self, requests: Iterable[Request]) -> list[list[Mention]]:
        """`read` for many documents at once, which is faster: (text, kind, date) each."""
        results: list[list[Mention]] = []
        waiting: list[Request] = []
        for request in requests:
            waiting.append(request)
            if len(waiting) == _DOCUMENTS_AT_ONCE:
                results += self._read_batch(waiting)
                waiting = []
        return results + self._read_batch(waiting)

    def _read_batch(self, requests: list[Request]) -> list[list[Mention]]:
        documents = [self._opened(text) for text, _, _ in requests]
        windows: list[Window] = []
        for document in documents:
            text, page, clues = document.layout.text, document.page, document.page.clues(document.matches)
            for first, last in page.windows:
                windows.append(([text[s:e] for s, e in page.words[first:last]], clues[first:last]))
        tagged = iter(self._tagger.tag(windows))
        results = []
        for document, (_, _, date) in zip(documents, requests, strict=True):
            cut = document.page.words
            spans: list[Tagged] = []
            starts: list[int] = []
            inside: list[list[float]] = []
            for first, _ in document.page.windows:
                window = next(tagged)
                starts += [start for start, _ in cut[first : first + len(window.inside)]]
                inside += window.inside.tolist()
                spans += [Tagged(cut[first + s.first][0], cut[first + s.last][1], s.tag, s.score) for s in window.spans]
            results.append(self._read_document(document, spans, Doubt(starts, inside), date))
        return results

    def _opened(self, given: str) -> _Document:
        text = given if given.isascii() else _SURROGATES.sub("\ufffd", given)
        layout = Layout.of(text)
        text = layout.text
        return _Document(given, layout, plain(text), Page.of(text), self._terminology.match(text))

    def _read_document(
        self, document: _Document, tagged: list[Tagged], doubt: Doubt, date: dt.date | None
    ) -> list[Mention]:
        text, plain_text, matches = document.layout.text, document.plain, document.matches
        found = [
            *find_tnm(text),
            *find_gradings(text, plain_text),
            *find_measures(text, plain_text),
            *find_results(text, plain_text, matches),
            *find_dates(text, plain_text, Calendar(date)),
        ]
        found += self._linker.plain_mentions(matches)
        found += self._linker.tumour_mentions(text, matches, tagged, doubt)
        found += find_sides(text, plain_text, found)
        found.sort(key=lambda m: (m.start, -m.end, m.kind, m.code or ""))
        return [_carried_back(m, document) for m in self._in_context(document, found)]

    def _in_context(self, document: _Document, mentions: list[Mention]) -> Iterator[Mention]:
        context = Context.of(document.plain, sections(document.plain))
        starts = [start for start, _ in document.page.sentences]
        where = [bisect_right(starts, mention.start) - 1 for mention in mentions]
        dated = attach_dates(mentions, where, document.plain)
        beside: Mention | None = None
        for mention, sentence in zip(dated, where, strict=True):
            assertion = context.assertion(mention.start, mention.end, mention.kind, document.page.sentences[sentence])
            if mention.kind is MentionKind.LATERALITY and beside and mention.start - beside.end <= _SIDE_REACH:
                assertion = beside.assertion  # a side belongs to its organ or act, planned or not
            elif mention.kind in SIDED:
                beside = replace(mention, assertion=assertion)
            yield mention if assertion is mention.assertion else replace(mention, assertion=assertion)


def weights_in_use(settings: Settings) -> Path:
    """The folder of the weights that the node's profile `fast` reads with: its own, else those shipped."""
    own = settings.home / SITE_WEIGHTS
    return own if (own / GRAPH_FILE).exists() else SHIPPED_WEIGHTS


def _carried_back(mention: Mention, document: _Document) -> Mention:
    if document.layout.text is document.given:
        return mention
    start, end = document.layout.original(mention.start, mention.end)
    return replace(mention, start=start, end=end, text=document.given[start:end])


def _version(terms: Terminology, weights: Iterable[Path]) -> str:
    """Changes whenever the same text could read differently: the program, the weights or a referential."""
    digest = hashlib.sha256(consore.__version__.encode())
    here = Path(__file__).parent
    for file in sorted(path for path in here.rglob("*") if path.suffix in (".py", ".csv", ".toml")):
        digest.update(file.read_bytes())
    for folder in ("context", "sections", "biomarkers"):
        for file in table_files(folder):
            digest.update(file.read_bytes())
    for file in weights:
        digest.update(file.read_bytes() if file.exists() else b"")
    digest.update(terms.fingerprint.encode())
    return f"{consore.__version__}-{digest.hexdigest()[:12]}"
