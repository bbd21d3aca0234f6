"""A report in, coded mentions out: the one reader of documents.

    text → layout → sentences, sections → dictionary → tagger, rules → codes → context and dates → mentions

What the reader gives depends on the text, the document's date and `version` alone, so results can be kept.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import consore
from consore.errors import ConfigurationError
from consore.language.anchored import Places
from consore.language.calibration import calibrated
from consore.language.context import Context, is_against_cancer
from consore.language.examples import Cut
from consore.language.exported import ACCURATE_FILE, DESCRIPTION_FILE, GRAPH_FILE, TABLE_FILE
from consore.language.layout import Layout, plain
from consore.language.linking import CODES_FILE, Doubt, Linker, Tagged
from consore.language.rules import (
    Calendar,
    dates_of,
    find_adicap,
    find_dates,
    find_gradings,
    find_measures,
    find_results,
    find_sides,
    find_tnm,
)
from consore.language.rules.sides import SIDED
from consore.language.sections import sections
from consore.language.tagger import SHIPPED_WEIGHTS, TaggedWindow, Tagger, Window
from consore.language.tokens import Words
from consore.memory import uncollected
from consore.model import Assertion, DocumentKind, Mention, MentionKind
from consore.referentials import SHORTEST, Match, Refusal, Terminology, table_files, terminology
from consore.settings import Settings

if TYPE_CHECKING:
    from consore.language.accurate import Accurate

PROFILES = ("fast", "accurate")
SITE_WEIGHTS = "tagger"
_SURROGATES = re.compile(r"[\ud800-\udfff]")
_DOCUMENTS_AT_ONCE = 200
_SIDE_REACH = 28
_FAR = 1_000_000
_WORDS_SEEN = 60_000
_JOINED = re.compile(r"\s*(?:\+|-|/|,|et|avec|ac|av|associee? (?:a|au))\s*(?:la |le |l')?")

Request = tuple[str, DocumentKind | str | None, dt.date | None]


@dataclass(frozen=True, slots=True)
class _Page:
    """A document cut up and looked up in the dictionary, before the tagger reads it."""

    given: str
    layout: Layout
    plain: str
    sentences: list[tuple[int, int]]
    cut: Cut
    matches: list[Match]
    refused: list[Refusal]


class Reader:
    """Reads documents. Holds the dictionary and the tagger: one per process, not shared between threads."""

    def __init__(self, terms: Terminology, weights: Path = SHIPPED_WEIGHTS, profile: str = "fast") -> None:
        self._terminology = terms
        self._tagger: Tagger | Accurate
        if profile == "accurate":
            from consore.language.accurate import Accurate

            self._tagger = Accurate(weights)
        else:
            self._tagger = Tagger(weights)
        self._linker = Linker(terms, weights)
        self._slips = _Misspelt(terms)
        self.version = _version(terms, weights, profile)

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
        return cls(*_parts(settings, profile), profile)

    @staticmethod
    def version_of(settings: Settings, profile: str = "fast") -> str:
        """The `version` that the reader of a node has, without loading it."""
        return _version(*_parts(settings, profile), profile)

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
                with uncollected():
                    results += self._read_batch(waiting)
                waiting = []
        with uncollected():
            return results + self._read_batch(waiting)

    def _read_batch(self, requests: list[Request]) -> list[list[Mention]]:
        pages = [self._opened(text) for text, _, _ in requests]
        windows: list[Window] = []
        for page in pages:
            written, clues = page.cut.words.written, page.cut.clues(page.matches)
            windows += [(written[first:last], clues[first:last]) for first, last in page.cut.windows]
        tagged = self._tagger.tag(windows)
        results = []
        reached = 0
        for page, (_, _, date) in zip(pages, requests, strict=True):
            of_page = tagged[reached : reached + len(page.cut.windows)]
            reached += len(of_page)
            results.append(self._read_page(page, *_in_text(page.cut, of_page), date))
        return results

    def _opened(self, given: str) -> _Page:
        text = given if given.isascii() else _SURROGATES.sub("\ufffd", given)
        layout = Layout.of(text)
        cut = Cut.of(layout.text)
        slips = self._slips.among(cut.words)
        if slips:
            layout = layout.spelt(slips)
            cut = Cut.of(layout.text)
        text = layout.text
        refused: list[Refusal] = []
        matches = self._terminology.match(text, refused)
        return _Page(given, layout, plain(text), cut.sentences, cut, matches, refused)

    def _read_page(self, page: _Page, tagged: list[Tagged], doubt: Doubt, date: dt.date | None) -> list[Mention]:
        text, plain_text, matches = page.layout.text, page.plain, page.matches
        places = Places(plain_text)
        found = [
            *find_tnm(text, places),
            *find_gradings(text, plain_text, places),
            *find_measures(text, plain_text, places),
            *find_results(text, plain_text, places, matches),
            *find_dates(text, plain_text, places, Calendar(date)),
            *find_adicap(text, places, self._terminology),
        ]
        found += self._linker.plain_mentions(matches)
        found += self._linker.tumour_mentions(text, matches, tagged, doubt, page.refused)
        found += find_sides(text, plain_text, places, found)
        found.sort(key=lambda m: (m.start, -m.end, m.kind, m.code or ""))
        return [_carried_back(m, page) for m in self._in_context(page, found)]

    def _in_context(self, page: _Page, mentions: list[Mention]) -> Iterator[Mention]:
        context = Context.of(page.plain, sections(page.plain), page.layout.text)
        starts = [start for start, _ in page.sentences]
        where = [bisect_right(starts, mention.start) - 1 for mention in mentions]
        dates = dates_of(mentions, where, page.plain, page.layout.text)
        organ = drug = -_FAR  # where the last organ or act, and the last drug against cancer, ended
        of_organ = of_drug = Assertion.PRESENT
        for mention, sentence, date in zip(mentions, where, dates, strict=True):
            start, end, kind = mention.start, mention.end, mention.kind
            assertion = context.assertion(start, end, kind, page.sentences[sentence], mention.code)
            if kind is MentionKind.LATERALITY and start - organ <= _SIDE_REACH:
                assertion = of_organ  # a side belongs to its organ or act, planned or not
            elif kind in SIDED:
                organ, of_organ = end, assertion
            if kind is MentionKind.DRUG or kind is MentionKind.REGIMEN:
                if is_against_cancer(mention):
                    drug, of_drug = end, assertion
                elif drug >= 0 and _JOINED.fullmatch(page.plain, drug, start):
                    assertion = of_drug  # « docétaxel + prednisone » : given or not together
            confidence = calibrated(kind, mention.extractor, mention.confidence)
            if assertion is mention.assertion and date is mention.date and confidence == mention.confidence:
                yield mention
            else:
                yield mention.judged(assertion, date, confidence)


class _Misspelt:
    """The misspelt names among the words of documents; each word is looked at once."""

    def __init__(self, terms: Terminology) -> None:
        self._terms = terms
        self._seen: set[str] = set()
        self._meant: dict[str, str] = {}

    def among(self, words: Words) -> list[tuple[int, int, str]]:
        """Start and end of each misspelt word, and the name that it means."""
        written = set(words.written)
        new = written - self._seen
        if new:
            if len(self._seen) > _WORDS_SEEN:
                self._seen.clear()
                self._meant.clear()
                new = written
            self._seen |= new
            meant = self._terms.slips.meant
            self._meant |= {word: name for word in new if len(word) >= SHORTEST and (name := meant(word))}
        if self._meant.keys().isdisjoint(written):
            return []
        return [(start, end, self._meant[word]) for word, start, end in zip(*words, strict=True) if word in self._meant]


def _in_text(cut: Cut, tagged: Sequence[TaggedWindow]) -> tuple[list[Tagged], Doubt]:
    """What the tagger saw in the windows of a text, by place in the text."""
    starts, ends = cut.words.starts, cut.words.ends
    spans = [
        Tagged(starts[first + span.first], ends[first + span.last], span.tag, span.score)
        for (first, _), window in zip(cut.windows, tagged, strict=True)
        for span in window.spans
    ]
    read = [len(window.inside) for window in tagged]
    if sum(read) < len(starts):  # the end of a window may be too far to be read
        starts = [s for (first, _), count in zip(cut.windows, read, strict=True) for s in starts[first : first + count]]
    return spans, Doubt(starts, [window.inside for window in tagged])


def weights_in_use(settings: Settings) -> Path:
    """The folder of the weights that the node's profile `fast` reads with: its own, else those shipped."""
    own = settings.home / SITE_WEIGHTS
    return own if (own / GRAPH_FILE).exists() else SHIPPED_WEIGHTS


def _carried_back(mention: Mention, page: _Page) -> Mention:
    if page.layout.text is page.given:
        return mention
    start, end = page.layout.original(mention.start, mention.end)
    return replace(mention, start=start, end=end, text=page.given[start:end])


def _parts(settings: Settings, profile: str) -> tuple[Terminology, Path]:
    """The referentials of a node, and the weights in force there."""
    terms = terminology(settings.referentials, settings.cache, settings.site_referentials)
    return terms, weights_in_use(settings) if profile == "fast" else SHIPPED_WEIGHTS


_FILES_OF = {
    "fast": (TABLE_FILE, GRAPH_FILE, DESCRIPTION_FILE, CODES_FILE),
    "accurate": (ACCURATE_FILE, CODES_FILE),
}


def _version(terms: Terminology, weights: Path, profile: str) -> str:
    """Changes whenever the same text could read differently: the program, the weights or a referential."""
    digest = hashlib.sha256(consore.__version__.encode())
    here = Path(__file__).parent
    read = (
        path for path in here.rglob("*") if path.suffix in (".py", ".csv", ".toml") and path.parent.name != "constructs"
    )
    for file in sorted(read):
        digest.update(file.read_bytes())
    for folder in ("context", "sections", "biomarkers", "icdo3_morphology", "icdo3_topography"):
        for file in table_files(folder):
            digest.update(file.read_bytes())
    for name in _FILES_OF[profile]:
        file = weights / name
        digest.update(file.read_bytes() if file.exists() else b"")
    digest.update(terms.fingerprint.encode())
    return f"{consore.__version__}-{digest.hexdigest()[:12]}"
