"""A report in, coded mentions out: the one reader of documents.

    text → layout → sentences, sections → dictionary, rules, tagger → codes → context and dates → mentions

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

import consore
from consore.errors import ConfigurationError
from consore.language.calibration import calibrated
from consore.language.context import Context, is_against_cancer
from consore.language.exported import DESCRIPTION_FILE, GRAPH_FILE
from consore.language.layout import Layout, plain
from consore.language.linking import Doubt, Linker, Tagged
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
from consore.language.sentences import sentences
from consore.language.tagger import SHIPPED_WEIGHTS, Tagger
from consore.language.tokens import words
from consore.model import DocumentKind, Mention, MentionKind
from consore.referentials import Terminology, table_files, terminology
from consore.settings import Settings

PROFILES = ("fast",)
_SURROGATES = re.compile(r"[\ud800-\udfff]")
_DOCUMENTS_AT_ONCE = 200
_SIDE_REACH = 28
_JOINED = re.compile(r"\s*(?:\+|-|/|,|et|avec|ac|av|associee? (?:a|au))\s*(?:la |le |l')?")

Request = tuple[str, DocumentKind | str | None, dt.date | None]


@dataclass(frozen=True, slots=True)
class _Page:
    """A document cut up, before it is read."""

    given: str
    layout: Layout
    plain: str
    sentences: list[tuple[int, int]]
    words: list[list[tuple[int, int]]]


class Reader:
    """Reads documents. Holds the dictionary and the tagger: one per process, not shared between threads."""

    def __init__(self, terms: Terminology, weights: Path = SHIPPED_WEIGHTS) -> None:
        self._terminology = terms
        self._tagger = Tagger(weights)
        self._linker = Linker(terms, weights)
        self.version = _version(terms, weights)

    @classmethod
    def load(cls, settings: Settings | None = None, profile: str = "fast") -> Reader:
        """The reader of a node: its referentials, and the weights trained on the site where there are any
        (`home`/tagger), else those shipped.

        Raises ConfigurationError for an unknown profile, ComponentError when the weights cannot be used.
        """
        if profile not in PROFILES:
            raise ConfigurationError(f"There is no reading profile {profile!r}.", f"Choose {' or '.join(PROFILES)}.")
        if settings is None:
            return cls(terminology())
        own = settings.home / "tagger"
        weights = own if (own / GRAPH_FILE).exists() else SHIPPED_WEIGHTS
        return cls(terminology(settings.referentials, settings.cache, settings.site_referentials), weights)

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

    def forget_sentences(self) -> None:
        """Forget the sentences read so far (words stay known): for measuring."""
        self._tagger.forget_sentences()

    def _read_batch(self, requests: list[Request]) -> list[list[Mention]]:
        pages = [_cut(text) for text, _, _ in requests]
        tagged = iter(
            self._tagger.tag(
                [[page.layout.text[s:e] for s, e in sentence] for page in pages for sentence in page.words]
            )
        )
        results = []
        for page, (_, _, date) in zip(pages, requests, strict=True):
            spans: list[Tagged] = []
            starts: list[int] = []
            inside: list[float] = []
            for cut in page.words:
                sentence = next(tagged)
                starts += [start for start, _ in cut[: len(sentence.inside)]]
                inside += sentence.inside.tolist()
                spans += [Tagged(cut[s.first][0], cut[s.last][1], s.tag, s.score) for s in sentence.spans]
            results.append(self._read_page(page, spans, Doubt(starts, inside), date))
        return results

    def _read_page(self, page: _Page, tagged: list[Tagged], doubt: Doubt, date: dt.date | None) -> list[Mention]:
        text, plain_text = page.layout.text, page.plain
        matches = self._terminology.match(text)
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
        return [_carried_back(m, page) for m in self._in_context(page, found)]

    def _in_context(self, page: _Page, mentions: list[Mention]) -> Iterator[Mention]:
        context = Context.of(page.plain, sections(page.plain), page.layout.text)
        starts = [start for start, _ in page.sentences]
        where = [bisect_right(starts, mention.start) - 1 for mention in mentions]
        dated = attach_dates(mentions, where, page.plain)
        beside: Mention | None = None
        given: Mention | None = None
        for mention, sentence in zip(dated, where, strict=True):
            assertion = context.assertion(
                mention.start, mention.end, mention.kind, page.sentences[sentence], mention.code
            )
            if mention.kind is MentionKind.LATERALITY and beside and mention.start - beside.end <= _SIDE_REACH:
                assertion = beside.assertion  # a side belongs to its organ or act, planned or not
            elif mention.kind in SIDED:
                beside = replace(mention, assertion=assertion)
            if mention.kind in (MentionKind.DRUG, MentionKind.REGIMEN):
                if given and not is_against_cancer(mention) and _JOINED.fullmatch(page.plain, given.end, mention.start):
                    assertion = given.assertion  # « docétaxel + prednisone » : given or not together
                given = replace(mention, assertion=assertion) if is_against_cancer(mention) else given
            confidence = calibrated(mention)
            if assertion is mention.assertion and confidence == mention.confidence:
                yield mention
            else:
                yield replace(mention, assertion=assertion, confidence=confidence)


def _cut(given: str) -> _Page:
    text = given if given.isascii() else _SURROGATES.sub("\ufffd", given)
    layout = Layout.of(text)
    spans = sentences(layout.text)
    return _Page(given, layout, plain(layout.text), spans, [words(layout.text, start, end) for start, end in spans])


def _carried_back(mention: Mention, page: _Page) -> Mention:
    if page.layout.text is page.given:
        return mention
    start, end = page.layout.original(mention.start, mention.end)
    return replace(mention, start=start, end=end, text=page.given[start:end])


def _version(terms: Terminology, weights: Path) -> str:
    """Changes whenever the same text could read differently: the program, the weights or a referential."""
    digest = hashlib.sha256(consore.__version__.encode())
    here = Path(__file__).parent
    read = (
        path for path in here.rglob("*") if path.suffix in (".py", ".csv", ".toml") and path.parent.name != "constructs"
    )
    for file in sorted(read):
        digest.update(file.read_bytes())
    for folder in ("context", "sections", "biomarkers"):
        for file in table_files(folder):
            digest.update(file.read_bytes())
    digest.update((weights / GRAPH_FILE).read_bytes())
    digest.update((weights / DESCRIPTION_FILE).read_bytes())
    digest.update(terms.fingerprint.encode())
    return f"{consore.__version__}-{digest.hexdigest()[:12]}"
