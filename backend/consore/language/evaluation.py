"""How well reports are read, on text never trained on; and how fast.

Measured: the kept-out fifth of FRACCO (real cases; only topographies, morphologies and differentiation are annotated)
and generated centres of the test split (unseen templates and names; all kinds, with assertions). A span counts as
*exact* when both ends agree, as *overlap* when a span of the same kind touches it. Codes are compared on exact and
touching spans found.
"""

from __future__ import annotations

import resource
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from time import perf_counter, process_time
from typing import Any

from consore.language.corpora import AnnotatedDocument, GoldSpan, is_kept_out, read_fracco, read_truth
from consore.language.linking import Linker
from consore.language.reader import Reader
from consore.language.tagger import SHIPPED_WEIGHTS
from consore.model import Assertion, Mention, MentionKind
from consore.referentials import terminology
from consore.settings import Settings

_HEADER = f"{'':26}{'gold':>7}{'found':>7} {'exact P':>8}{'R':>6}{'F1':>6} {'touch F1':>9}{'code':>7}{'3 char':>7}"
_MALIGNANT = ("/2", "/3", "/6", "/9")


@dataclass(slots=True)
class Tally:
    """Counts of one kind; scores in 0–1."""

    gold: int = 0
    found: int = 0
    exact: int = 0
    touched_gold: int = 0
    touched_found: int = 0
    coded: int = 0
    code_right: int = 0
    code_right_3: int = 0

    @property
    def exact_scores(self) -> tuple[float, float, float]:
        """Precision, recall and F1 of exact spans."""
        return _scores(self.exact, self.found, self.exact, self.gold)

    @property
    def overlap_scores(self) -> tuple[float, float, float]:
        """Precision, recall and F1 of touching spans."""
        return _scores(self.touched_found, self.found, self.touched_gold, self.gold)

    def as_json(self) -> dict[str, Any]:
        """All counts and scores."""
        names = ("precision", "recall", "f1")
        return {
            "gold": self.gold,
            "found": self.found,
            "exact": dict(zip(names, self.exact_scores, strict=True)),
            "overlap": dict(zip(names, self.overlap_scores, strict=True)),
            "code_accuracy": _ratio(self.code_right, self.coded),
            "code_accuracy_3": _ratio(self.code_right_3, self.coded),
        }


@dataclass(slots=True)
class LanguageReport:
    """Tables by corpus: `fracco`, its variants, `generated`; and the assertions of the generated one."""

    tables: dict[str, dict[str, Tally]] = field(default_factory=dict)
    assertions: dict[str, tuple[int, int, int]] = field(default_factory=dict)
    documents: dict[str, int] = field(default_factory=dict)
    reader: str = ""

    def as_json(self) -> dict[str, Any]:
        """Everything, as plain values."""
        return {
            "reader": self.reader,
            "documents": self.documents,
            "scores": {
                corpus: {kind: tally.as_json() for kind, tally in table.items()}
                for corpus, table in self.tables.items()
            },
            "assertions": {
                name: dict(zip(("precision", "recall", "f1"), _scores(hit, found, hit, gold), strict=True))
                for name, (hit, found, gold) in self.assertions.items()
            },
        }

    def text(self) -> str:
        """The tables as people read them."""
        lines = [f"reader {self.reader}"]
        for corpus, table in self.tables.items():
            lines += ["", f"{corpus} ({self.documents.get(corpus.split(':')[0], 0)} documents)"]
            lines += [_HEADER]
            for kind, tally in sorted(table.items()):
                p, r, f = tally.exact_scores
                overlap = tally.overlap_scores[2]
                code, short = _ratio(tally.code_right, tally.coded), _ratio(tally.code_right_3, tally.coded)
                scores = f"{p:8.3f}{r:6.3f}{f:6.3f} {overlap:9.3f}{code:7.3f}{short:7.3f}"
                lines += [f"{kind:26}{tally.gold:7}{tally.found:7} {scores}"]
        if self.assertions:
            lines += ["", f"{'assertion':26}{'gold':>7}{'found':>7} {'P':>8}{'R':>6}{'F1':>6}"]
            for name, (hit, found, gold) in self.assertions.items():
                p, r, f = _scores(hit, found, hit, gold)
                lines += [f"{name:26}{gold:7}{found:7} {p:8.3f}{r:6.3f}{f:6.3f}"]
        return "\n".join(lines)


def evaluate_language(
    settings: Settings | None = None,
    *,
    fracco: Path | None = None,
    generated: Path | None = None,
    weights: Path = SHIPPED_WEIGHTS,
    limit: int | None = None,
) -> LanguageReport:
    """Measure the reader on the kept-out part of `fracco` and on a `generated` truth file; `limit` documents of each.

    On FRACCO the dictionary alone, the tagger alone and both together are given, malignant morphologies (behaviours
    /2 /3 /6 /9) apart.
    """
    terms = (
        terminology(settings.referentials, settings.cache, settings.site_referentials) if settings else terminology()
    )
    reader = Reader(terms, weights)
    report = LanguageReport(reader=reader.version)
    if fracco is not None:
        documents = list(islice((d for d in read_fracco(fracco) if is_kept_out(d.id)), limit))
        _measure_fracco(report, documents, reader, Linker(terms, weights))
    if generated is not None:
        _measure_generated(report, list(islice(read_truth(generated), limit)), reader)
    return report


def _measure_fracco(report: LanguageReport, documents: list[AnnotatedDocument], reader: Reader, linker: Linker) -> None:
    report.documents["fracco"] = len(documents)
    together = reader.read_many([(d.text, None, None) for d in documents])
    variants = {
        "fracco": together,
        "fracco: tagger alone": [[m for m in mentions if m.extractor == "tagger"] for mentions in together],
        "fracco: dictionary alone": [
            linker.tumour_mentions(d.text, linker.terminology.match(d.text), []) for d in documents
        ],
    }
    kinds = (MentionKind.TOPOGRAPHY, MentionKind.MORPHOLOGY, MentionKind.GRADE)
    for name, readings in variants.items():
        table = report.tables[name] = {}
        for document, mentions in zip(documents, readings, strict=True):
            for kind in kinds:
                gold = [span for span in document.spans if span.kind is kind]
                found = [mention for mention in mentions if mention.kind is kind]
                _count(table.setdefault(kind.value, Tally()), gold, found)
                if kind is MentionKind.MORPHOLOGY:
                    _count(
                        table.setdefault("morphology, malignant", Tally()),
                        [span for span in gold if (span.code or "").endswith(_MALIGNANT)],
                        [mention for mention in found if (mention.code or "").endswith(_MALIGNANT)],
                    )


def _measure_generated(report: LanguageReport, documents: list[AnnotatedDocument], reader: Reader) -> None:
    report.documents["generated"] = len(documents)
    table = report.tables["generated"] = {}
    counts = {assertion: [0, 0, 0] for assertion in Assertion}
    for document, mentions in zip(documents, reader.read_many([(d.text, None, None) for d in documents]), strict=True):
        for kind in MentionKind:
            gold = [span for span in document.spans if span.kind is kind]
            if not gold and kind in (MentionKind.DATE, MentionKind.DOSE, MentionKind.MEASUREMENT):
                continue
            _count(table.setdefault(kind.value, Tally()), gold, [m for m in mentions if m.kind is kind])
        for span in document.spans:
            if (match := _touching(span, mentions)) and span.assertion:
                counts[span.assertion][2] += 1
                counts[match.assertion][1] += 1
                counts[span.assertion][0] += match.assertion is span.assertion
    report.tables["generated"] = {kind: tally for kind, tally in table.items() if tally.gold or tally.found}
    report.assertions = {a.value: (hit, found, gold) for a, (hit, found, gold) in counts.items() if gold or found}


def _count(tally: Tally, gold: list[GoldSpan], found: list[Mention]) -> None:
    places = {(mention.start, mention.end) for mention in found}
    true_places = {(span.start, span.end) for span in gold}
    tally.gold += len(true_places)
    tally.found += len(places)
    tally.exact += len(places & true_places)
    tally.touched_gold += sum(any(s < span[1] and span[0] < e for s, e in places) for span in true_places)
    tally.touched_found += sum(any(s < place[1] and place[0] < e for s, e in true_places) for place in places)
    for span in gold:
        match = _touching(span, found)
        if match is None or span.code is None:
            continue
        tally.coded += 1
        tally.code_right += match.code == span.code
        tally.code_right_3 += _short(match.code) == _short(span.code)


def _touching(span: GoldSpan, mentions: Iterable[Mention]) -> Mention | None:
    """The mention of that kind that shares most with the span."""
    return max(
        (m for m in mentions if m.kind is span.kind and m.start < span.end and span.start < m.end),
        key=lambda m: (
            (min(m.end, span.end) - max(m.start, span.start)) / (max(m.end, span.end) - min(m.start, span.start))
        ),
        default=None,
    )


def _short(code: str | None) -> str | None:
    """A topography's category (`C50`), a morphology's cell type (`8500` → `850`)."""
    return code[:3] if code else None


def _scores(hit_found: int, found: int, hit_gold: int, gold: int) -> tuple[float, float, float]:
    precision, recall = _ratio(hit_found, found), _ratio(hit_gold, gold)
    return precision, recall, _ratio(2 * precision * recall, precision + recall)


def _ratio(part: float, whole: float) -> float:
    return round(part / whole, 4) if whole else 0.0


@dataclass(frozen=True, slots=True)
class LanguageBench:
    """Documents of 500 words a second of CPU on one core; `memory_mb` is the peak of this process."""

    documents: int
    words: int
    whole: float
    again: float
    dictionary: float
    start_seconds: float
    memory_mb: int

    def as_json(self) -> dict[str, Any]:
        """All figures, as plain values."""
        return {name: getattr(self, name) for name in self.__slots__}

    def text(self) -> str:
        """The figures as people read them."""
        return (
            f"{self.documents} documents of {self.words // max(1, self.documents)} words, one core\n"
            f"whole reader, first time   {self.whole:8.0f} documents/s\n"
            f"whole reader, warm words   {self.again:8.0f} documents/s\n"
            f"dictionary alone           {self.dictionary:8.0f} documents/s\n"
            f"start {self.start_seconds:.2f} s, peak memory {self.memory_mb} MB"
        )


def bench(settings: Settings | None = None, *, documents: int = 400, corpus: Path | None = None) -> LanguageBench:
    """Read `documents` texts of about 500 words, put together from sentences of `corpus` or of a built-in report."""
    started = perf_counter()
    reader = Reader.load(settings)
    start_seconds = perf_counter() - started
    texts = list(islice(_texts_of_500_words(corpus), documents))
    requests = [(text, None, None) for text in texts]

    first = _rate(len(texts), lambda: reader.read_many(requests))
    again = _rate(len(texts), lambda: reader.read_many(requests))
    terms = terminology()
    dictionary = _rate(len(texts), lambda: [terms.match(text) for text in texts])
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    total = sum(len(text.split()) for text in texts)
    return LanguageBench(len(texts), total, first, again, dictionary, round(start_seconds, 2), memory)


def _rate(count: int, work: Any) -> float:
    """How many a second of CPU time: another process on the machine does not spoil the figure."""
    started = process_time()
    work()
    return round(count / max(process_time() - started, 1e-9), 1)


def _texts_of_500_words(corpus: Path | None) -> Iterator[str]:
    if corpus is not None:
        source = (
            document.text for document in (read_fracco(corpus) if "fracco" in corpus.name else read_truth(corpus))
        )
    else:
        from consore.language.sample import reports

        source = reports()
    waiting: list[str] = []
    for text in source:
        waiting += text.split(" ")
        while len(waiting) >= 500:
            yield " ".join(waiting[:500])
            waiting = waiting[500:]


__all__ = ["LanguageBench", "LanguageReport", "Tally", "bench", "evaluate_language"]
