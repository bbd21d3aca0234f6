"""How well reports are read, on text never trained on; and how fast.

Measured: the kept-out fifth of FRACCO (real cases; only topographies, morphologies and differentiation are annotated)
generated centres of the test split (unseen templates and names; all kinds, with assertions), and sentences written by
hand (`constructs`); beside the reader, EDS-NLP on the same texts in the same run. A span counts as
*exact* when both ends agree, as *overlap* when a span of the same kind touches it. Codes are compared on exact and
touching spans found.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from time import perf_counter, process_time
from typing import Any

from consore.errors import ComponentError
from consore.language.calibration import Reliability, reliability, reliability_text
from consore.language.constructs import ConstructReport, measure_constructs
from consore.language.corpora import AnnotatedDocument, GoldSpan, is_kept_out, read_fracco, read_truth
from consore.language.linking import Linker
from consore.language.reader import Reader
from consore.language.spans import Spans
from consore.language.tagger import SHIPPED_WEIGHTS
from consore.model import Assertion, Mention, MentionKind
from consore.referentials import terminology
from consore.settings import Settings

_HEADER = f"{'':34}{'gold':>7}{'found':>7} {'exact P':>8}{'R':>6}{'F1':>6} {'touch F1':>9}{'code':>7}{'3 char':>7}"
_MALIGNANT_ONLY = "morphology, malignant"
_WITH_STATUS = "biomarker with status"
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

    def __add__(self, other: Tally) -> Tally:
        return Tally(*(getattr(self, name) + getattr(other, name) for name in self.__slots__))

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


@dataclass(frozen=True, slots=True)
class Difference:
    """A place where what was read is not what a person, or the generator, marked.

    `what`: missed, extra, limits, code or assertion. `said` and `read` are spans with their code or assertion; one is
    null where there is nothing."""

    corpus: str
    document: str
    text: str
    kind: MentionKind
    what: str
    said: tuple[int, int, str] | None
    read: tuple[int, int, str] | None


@dataclass(slots=True)
class LanguageReport:
    """Tables by corpus: `fracco` and its variants, `generated`, and with `peer` in its name what EDS-NLP finds; the
    assertions of the generated one, and how far its confidences are to be believed; the sentences by hand; every
    difference, for the page of errors."""

    tables: dict[str, dict[str, Tally]] = field(default_factory=dict)
    assertions: dict[str, dict[str, tuple[int, int, int]]] = field(default_factory=dict)
    documents: dict[str, int] = field(default_factory=dict)
    rates: dict[str, float] = field(default_factory=dict)
    reliability: Reliability = field(default_factory=dict)
    constructs: ConstructReport | None = None
    differences: list[Difference] = field(default_factory=list)
    reader: str = ""

    def as_json(self) -> dict[str, Any]:
        """Everything but the differences, as plain values."""
        return {
            "reader": self.reader,
            "documents": self.documents,
            "documents_a_second": self.rates,
            "scores": {
                corpus: {kind: tally.as_json() for kind, tally in table.items()}
                for corpus, table in self.tables.items()
            },
            "assertions": {
                who: {
                    name: dict(zip(("precision", "recall", "f1"), _scores(hit, found, hit, gold), strict=True))
                    for name, (hit, found, gold) in counts.items()
                }
                for who, counts in self.assertions.items()
            },
            "reliability": [
                {"kind": kind, "extractor": extractor, "up_to": upper, "given": count.seen, "right": count.right}
                for (kind, extractor, upper), count in sorted(self.reliability.items())
            ],
            "sentences": self.constructs.as_json() if self.constructs else {},
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
                lines += [f"{kind:34}{tally.gold:7}{tally.found:7} {scores}"]
        for who, counts in self.assertions.items():
            lines += ["", f"{'assertions, ' + who:34}{'gold':>7}{'found':>7} {'P':>8}{'R':>6}{'F1':>6}"]
            for name, (hit, found, gold) in counts.items():
                p, r, f = _scores(hit, found, hit, gold)
                lines += [f"{name:34}{gold:7}{found:7} {p:8.3f}{r:6.3f}{f:6.3f}"]
        if self.reliability:
            lines += ["", reliability_text(self.reliability)]
        if self.constructs:
            lines += ["", self.constructs.text()]
        if self.rates:
            lines += ["", *(f"{name:34}{rate:8.1f} documents/s of one core" for name, rate in self.rates.items())]
        return "\n".join(lines)


def evaluate_language(
    settings: Settings | None = None,
    *,
    fracco: Path | None = None,
    generated: Path | None = None,
    by_hand: bool = False,
    profile: str = "fast",
    weights: Path = SHIPPED_WEIGHTS,
    peer: Path | None = None,
    limit: int | None = None,
) -> LanguageReport:
    """Measure the reader on the kept-out part of `fracco`, on a `generated` truth file, on the sentences written
    `by_hand`; `limit` documents of each. `peer`: a Python that has edsnlp, whose pipeline reads the same texts.

    On FRACCO the dictionary alone, the tagger alone and both together are given, malignant morphologies (behaviours
    /2 /3 /6 /9) apart. Of generated text, topography and morphology score low by convention: that truth joins « cancer
    du sein » into one site and does not mark unqualified findings (« lésion »), and the reader is not bent to it.
    """
    terms = (
        terminology(settings.referentials, settings.cache, settings.site_referentials) if settings else terminology()
    )
    reader = Reader(terms, weights, profile)
    report = LanguageReport(reader=f"{profile}, {reader.version}")
    for_peer: dict[str, list[AnnotatedDocument]] = {}
    if fracco is not None:
        documents = list(islice((d for d in read_fracco(fracco) if is_kept_out(d.id)), limit))
        _measure_fracco(report, documents, reader, Linker(terms, weights))
        for_peer["fracco"] = documents
    if generated is not None:
        documents = list(islice(read_truth(generated), limit))
        _measure_generated(report, documents, reader)
        for_peer["generated"] = documents
    if peer is not None:
        _measure_peer(report, for_peer, peer)
    if by_hand:
        report.constructs = measure_constructs(reader)
    return report


def exact_f1(reader: Reader, documents: list[AnnotatedDocument]) -> dict[str, tuple[int, float]]:
    """Of each kind that the documents hold, the true spans and the exact F1 of the reader."""
    tallies: dict[str, Tally] = {}
    kinds = sorted({span.kind for document in documents for span in document.spans})
    for document, mentions in zip(documents, reader.read_many([(d.text, None, None) for d in documents]), strict=True):
        for kind in kinds:
            gold = [span for span in document.spans if span.kind is kind]
            _count(tallies.setdefault(kind.value, Tally()), gold, [m for m in mentions if m.kind is kind])
    return {kind: (tally.gold, tally.exact_scores[2]) for kind, tally in tallies.items()}


def _timed(
    report: LanguageReport, name: str, documents: list[AnnotatedDocument], reader: Reader
) -> list[list[Mention]]:
    started = process_time()
    read = reader.read_many([(d.text, None, None) for d in documents])
    report.rates[name] = round(len(documents) / max(process_time() - started, 1e-9), 1)
    return read


def _measure_fracco(report: LanguageReport, documents: list[AnnotatedDocument], reader: Reader, linker: Linker) -> None:
    report.documents["fracco"] = len(documents)
    together = _timed(report, "fracco", documents, reader)
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
                        table.setdefault(_MALIGNANT_ONLY, Tally()),
                        [span for span in gold if (span.code or "").endswith(_MALIGNANT)],
                        [mention for mention in found if (mention.code or "").endswith(_MALIGNANT)],
                    )
                if name == "fracco" and kind is not MentionKind.GRADE:
                    report.differences += _differences("fracco", document, kind, gold, found)
        table["topography + morphology"] = table["topography"] + table["morphology"]
        table["topography + malignant"] = table["topography"] + table[_MALIGNANT_ONLY]


def _measure_generated(report: LanguageReport, documents: list[AnnotatedDocument], reader: Reader) -> None:
    report.documents["generated"] = len(documents)
    table = report.tables["generated"] = {}
    judged: list[tuple[Assertion, Assertion]] = []
    readings = _timed(report, "generated", documents, reader)
    report.reliability = reliability(zip(readings, (document.spans for document in documents), strict=True))
    for document, read in zip(documents, readings, strict=True):
        mentions = _without_altered(document, read)
        _count_results(table.setdefault(_WITH_STATUS, Tally()), document, mentions)
        for kind in MentionKind:
            gold = [span for span in document.spans if span.kind is kind]
            if not gold and kind in (MentionKind.DATE, MentionKind.DOSE, MentionKind.MEASUREMENT):
                continue
            found = [m for m in mentions if m.kind is kind]
            _count(table.setdefault(kind.value, Tally()), gold, found)
            if kind not in (MentionKind.TOPOGRAPHY, MentionKind.MORPHOLOGY):
                report.differences += _differences("generated", document, kind, gold, found)
        for span in document.spans:
            if span.assertion and (match := _touching(span, mentions)):
                judged.append((span.assertion, match.assertion))
    report.tables["generated"] = {kind: tally for kind, tally in table.items() if tally.gold or tally.found}
    report.assertions["generated"] = _assertion_counts(judged)


def _assertion_counts(judged: list[tuple[Assertion, Assertion]]) -> dict[str, tuple[int, int, int]]:
    """By assertion: right, given, true."""
    counts = {
        a.value: (
            sum(said is read is a for said, read in judged),
            sum(read is a for _, read in judged),
            sum(said is a for said, _ in judged),
        )
        for a in Assertion
    }
    return {name: numbers for name, numbers in counts.items() if numbers[1] or numbers[2]}


def _measure_peer(report: LanguageReport, corpora: dict[str, list[AnnotatedDocument]], python: Path) -> None:
    """EDS-NLP on the same documents: the kinds that it finds, and its assertions on the true spans."""
    answers, about = ask_peer([document for documents in corpora.values() for document in documents], python)
    waiting = iter(answers)
    for corpus, documents in corpora.items():
        name = f"{corpus}: peer, EDS-NLP {about['version']}"
        table = report.tables[name] = {}
        judged: list[tuple[Assertion, Assertion]] = []
        seconds = 0.0
        for document, answer in zip(documents, waiting, strict=False):
            seconds += answer["seconds"]
            for kind in (MentionKind.MORPHOLOGY, MentionKind.METASTASIS, MentionKind.TNM, MentionKind.DRUG):
                gold = [span for span in document.spans if span.kind is kind]
                found = [
                    Mention(start, end, document.text[start:end], kind, None, code, "")
                    for start, end, named, code in answer["found"]
                    if named == kind
                ]
                _count(table.setdefault(kind.value, Tally()), gold, found)
            judged += [
                (span.assertion, Assertion(read))
                for span, read in zip(document.spans, answer["assertions"], strict=True)
                if span.assertion and read
            ]
        report.rates[name] = round(len(documents) / max(seconds, 1e-9), 1)
        report.tables[name] = {kind: tally for kind, tally in table.items() if tally.gold}
        if judged:
            report.assertions[f"{corpus}, peer"] = _assertion_counts(judged)


def ask_peer(documents: Iterable[AnnotatedDocument], python: Path) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """What EDS-NLP's pipeline says (`peer.py`): an answer a document, and its version.

    Raises ComponentError when that Python has no edsnlp, or the pipeline fails.
    """
    lines = [json.dumps({"id": d.id, "text": d.text, "spans": [[s.start, s.end] for s in d.spans]}) for d in documents]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    environment.pop("PYTHONPATH", None)
    program = Path(__file__).with_name("peer.py")
    try:
        done = subprocess.run(
            [str(python), "-I", str(program)],
            input="\n".join(lines),
            capture_output=True,
            text=True,
            encoding="utf-8",
            env=environment,
            check=True,
        )
    except (OSError, subprocess.CalledProcessError) as error:
        said = (getattr(error, "stderr", "") or str(error)).strip().splitlines()
        raise ComponentError(
            f"EDS-NLP did not answer: {said[-1] if said else error}.",
            "Install consore[compare], or give with --peer the Python of an environment that has edsnlp.",
        ) from error
    *answers, about = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    return answers, about


def _count(tally: Tally, gold: list[GoldSpan], found: list[Mention]) -> None:
    places = {(mention.start, mention.end) for mention in found}
    true_places = {(span.start, span.end) for span in gold}
    there, truly = Spans(places), Spans(true_places)
    tally.gold += len(true_places)
    tally.found += len(places)
    tally.exact += len(places & true_places)
    tally.touched_gold += sum(there.touch(*place) for place in true_places)
    tally.touched_found += sum(truly.touch(*place) for place in places)
    for span in gold:
        match = _touching(span, found)
        if match is None or span.code is None:
            continue
        tally.coded += 1
        tally.code_right += match.code == span.code
        tally.code_right_3 += _short(match.code) == _short(span.code)


def _without_altered(document: AnnotatedDocument, mentions: list[Mention]) -> list[Mention]:
    """The mentions but for the biomarkers that the reader gives beside the alteration of a gene: the truth marks that
    alone."""
    altered = Spans((span.start, span.end) for span in document.spans if span.kind is MentionKind.ALTERATION)
    return [m for m in mentions if m.kind is not MentionKind.BIOMARKER or not altered.touch(m.start, m.end)]


def _count_results(tally: Tally, document: AnnotatedDocument, mentions: list[Mention]) -> None:
    """Biomarkers with what is said of them: right when code and value are."""
    gold = [span for span in document.spans if span.kind is MentionKind.BIOMARKER and span.value]
    found = [mention for mention in mentions if mention.kind is MentionKind.BIOMARKER and mention.value]
    tally.gold += len(gold)
    tally.found += len(found)
    left = list(gold)
    for mention in found:
        same = (
            span
            for span in left
            if span.start < mention.end
            and mention.start < span.end
            and (span.code, span.value) == (mention.code, mention.value)
        )
        if (right := next(same, None)) is not None:
            left.remove(right)
            tally.exact += 1
            tally.touched_gold += 1
            tally.touched_found += 1


def _differences(
    corpus: str, document: AnnotatedDocument, kind: MentionKind, gold: list[GoldSpan], found: list[Mention]
) -> Iterator[Difference]:
    def difference(what: str, said: GoldSpan | None, read: Mention | None, of: str = "code") -> Difference:
        return Difference(
            corpus,
            document.id,
            document.text,
            kind,
            what,
            (said.start, said.end, str(getattr(said, of) or "")) if said else None,
            (read.start, read.end, str(getattr(read, of) or "")) if read else None,
        )

    touched: set[tuple[int, int]] = set()
    for span in gold:
        match = _touching(span, found)
        if match is None:
            yield difference("missed", span, None)
            continue
        touched.add((match.start, match.end))
        if (match.start, match.end) != (span.start, span.end):
            yield difference("limits", span, match)
        elif span.code and match.code != span.code:
            yield difference("code", span, match)
        if span.assertion and match.assertion is not span.assertion:
            yield difference("assertion", span, match, "assertion")
    truly = Spans((span.start, span.end) for span in gold)
    for mention in found:
        if (mention.start, mention.end) not in touched and not truly.touch(mention.start, mention.end):
            yield difference("extra", None, mention)


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
    """Documents of 500 words a second of processor time on one core; `memory_mb` is the peak of this process after the
    profile `fast`. `accurate` and `peer` are null where they are not installed or not asked for."""

    documents: int
    words: int
    fast: float
    again: float
    dictionary: float
    start_seconds: float
    memory_mb: int
    accurate: float | None = None
    peer: float | None = None
    peer_version: str | None = None

    def as_json(self) -> dict[str, Any]:
        """All figures, as plain values."""
        return {name: getattr(self, name) for name in self.__slots__}

    def text(self) -> str:
        """The figures as people read them."""
        lines = [
            f"{self.documents} documents of {self.words // max(1, self.documents)} words, one core, whole reader",
            f"fast, first time           {self.fast:8.1f} documents/s",
            f"fast, warm words           {self.again:8.1f} documents/s",
            f"dictionary alone           {self.dictionary:8.1f} documents/s",
        ]
        if self.accurate is not None:
            lines.append(f"accurate                   {self.accurate:8.1f} documents/s")
        if self.peer:
            times = f"fast reads {self.fast / self.peer:.1f} times as fast"
            lines.append(f"EDS-NLP {self.peer_version:18} {self.peer:8.1f} documents/s: {times}")
        return "\n".join([*lines, f"start {self.start_seconds:.2f} s, peak memory {self.memory_mb} MB"])


_READ_ACCURATELY = 10


def bench(
    settings: Settings | None = None,
    *,
    documents: int = 400,
    corpus: Path | None = None,
    accurate: bool = False,
    peer: Path | None = None,
) -> LanguageBench:
    """Read `documents` texts of about 500 words, put together from sentences of `corpus` or of a built-in report; ten
    of them also by the profile `accurate`, a quarter of them by EDS-NLP in the Python `peer`."""
    started = perf_counter()
    reader = Reader.load(settings)
    start_seconds = perf_counter() - started
    texts = list(islice(_texts_of_500_words(corpus), documents))
    requests = [(text, None, None) for text in texts]

    fast = _rate(len(texts), lambda: reader.read_many(requests))
    again = _rate(len(texts), lambda: reader.read_many(requests))
    terms = terminology()
    dictionary = _rate(len(texts), lambda: [terms.match(text) for text in texts])
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    accurate_rate = peer_rate = version = None
    if accurate:
        slow, few = Reader.load(settings, "accurate"), requests[:_READ_ACCURATELY]
        accurate_rate = _rate(len(few), lambda: slow.read_many(few))
    if peer is not None:
        given = [AnnotatedDocument(str(n), text, (), "bench") for n, text in enumerate(texts[: max(1, documents // 4)])]
        answers, about = ask_peer(given, peer)
        peer_rate = round(len(given) / sum(answer["seconds"] for answer in answers), 1)
        version = about["version"]
    total = sum(len(text.split()) for text in texts)
    return LanguageBench(
        len(texts),
        total,
        fast,
        again,
        dictionary,
        round(start_seconds, 2),
        memory,
        accurate_rate,
        peer_rate,
        version,
    )


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


__all__ = ["Difference", "LanguageBench", "LanguageReport", "Tally", "bench", "evaluate_language"]
