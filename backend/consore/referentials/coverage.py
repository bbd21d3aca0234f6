"""How much of what experts marked in real reports the dictionary finds by itself, and how fast.

The reference is a JSON-lines file (gzip or not), a document a line, with `text` and `entities`; an entity has `start`,
`end`, `text`, `label` (`topographie`, `morphologie`) and `norm` (`ICD-O:C34.9`). Of the morphologies only the malignant
behaviours (/2, /3, /6, /9) count: the others name masses and nodules.
"""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
import time
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from consore.errors import InputError
from consore.referentials.compiled import compile_systems
from consore.referentials.concept import Edition
from consore.referentials.matcher import Matcher
from consore.referentials.reading import read_systems, rows
from consore.referentials.terminology import Terminology, terminology


@dataclass(frozen=True)
class ReferentialsReport:
    """What `consore bench referentials` tells. Times are seconds but for suggestions, in milliseconds.

    `build_s`: from the files; `automaton_s`: of that, the automaton alone; `cold_load_s`, `warm_load_s`:
    `terminology()` in a fresh process without and with the file of the cache, whose size is `cache_bytes`; `import_s`:
    before it, of the modules. `documents_per_s`: of 500 words, on one core, by how they are written. `probes`: drugs
    and brands asked and found. `coverage`: of the marked corpus, if one was given.
    """

    editions: list[Edition]
    forms: int
    build_s: float
    automaton_s: float
    cache_bytes: int
    import_s: float
    cold_load_s: float
    warm_load_s: float
    first_suggestion_s: float
    documents_per_s: dict[str, float]
    suggest_p50_ms: float
    suggest_p95_ms: float
    probes: dict[str, Any]
    coverage: dict[str, Any] | None

    def as_json(self) -> dict[str, Any]:
        """The report as plain values."""
        return asdict(self)

    def text(self) -> str:
        """The report as a table for people."""
        lines = [f"{'folder':<19}{'system':<14}{'concepts':>9}{'forms':>8}  of which"]
        for e in self.editions:
            types = ", ".join(f"{count} {name}" for name, count in sorted(e.forms_by_type.items()) if name and count)
            lines.append(f"{e.folder:<19}{e.system:<14}{e.concepts:>9}{e.terms:>8}  {types}")
        lines += [
            "",
            f"{self.forms} forms; compiled from the files in {self.build_s:.2f} s, the automaton in "
            f"{self.automaton_s:.2f} s; cache {self.cache_bytes / 1e6:.1f} MB",
            f"fresh process: modules {self.import_s:.2f} s, then load {self.cold_load_s:.2f} s without cache, "
            f"{self.warm_load_s:.2f} s with it, first suggestion {self.first_suggestion_s:.2f} s",
            "documents of 500 words/s, one core: "
            + ", ".join(f"{name} {rate:.0f}" for name, rate in self.documents_per_s.items()),
            f"suggestions: p50 {self.suggest_p50_ms:.2f} ms, p95 {self.suggest_p95_ms:.2f} ms",
            f"probes: {self.probes['found']} of {self.probes['asked']} names of {self.probes['drugs']} recent drugs",
        ]
        lines += [f"  not found: {name}" for name in self.probes["missed"]]
        if self.coverage:
            found = self.coverage
            lines.append(
                f"{found['documents']} marked documents: {found['documents_per_second']:.0f} documents/s, "
                f"{found['documents_of_500_words_per_second']:.0f} of 500 words/s"
            )
            for kind, share in found["kinds"].items():
                lines.append(
                    f"{kind:<11} {share['gold']:>6} marked spans: found {share['span']:.1%}, with the right code "
                    f"{share['span_and_code']:.1%}; {share['matches_on_a_gold_span']:.1%} of the matches are marked"
                )
        return "\n".join(lines)


def bench(
    root: Path, corpus: Path | None = None, texts: Iterable[str] = (), site: Path | None = None
) -> ReferentialsReport:
    """Builds the code systems under `root` (and `site`) afresh, loads them in fresh processes, times suggestions and
    the reading of `texts` (of the marked `corpus` where none are given), and measures `corpus` if given."""
    start = time.perf_counter()
    made = compile_systems(root, read_systems(root, site))
    built = Terminology(root, made)
    build_s = time.perf_counter() - start
    start = time.perf_counter()
    Matcher(made.patterns)
    automaton_s = time.perf_counter() - start
    p50, p95 = _suggestion_times(built)
    sample = list(texts) or ([text for text, _ in _documents(corpus)] if corpus else [])
    with TemporaryDirectory() as cache:
        cold, warm = (_loaded_afresh(root, Path(cache), site) for _ in range(2))
        size = sum(file.stat().st_size for file in Path(cache).iterdir())
    return ReferentialsReport(
        built.editions(),
        built.forms,
        round(build_s, 3),
        round(automaton_s, 3),
        size,
        warm["import"],
        cold["load"],
        warm["load"],
        warm["suggest"],
        _reading_rates(built, sample),
        p50,
        p95,
        probed(root / "probes.csv", built),
        coverage(corpus, built) if corpus else None,
    )


_LOAD = """
import json, sys, time
from pathlib import Path
start = time.perf_counter()
from consore.referentials import terminology
imported = time.perf_counter()
known = terminology(Path(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3]) if sys.argv[3] else None)
known.match("cancer du sein"), known.concept("ATC", "L01FF02"), known.ancestors("ATC", "L01FF02")
loaded = time.perf_counter()
known.suggest("sein")
print(json.dumps({"import": imported - start, "load": loaded - imported, "suggest": time.perf_counter() - loaded}))
"""


def _loaded_afresh(root: Path, cache: Path, site: Path | None) -> dict[str, float]:
    """Seconds that a fresh process takes to import the modules, to load all that reading needs, to suggest once."""
    arguments = [sys.executable, "-c", _LOAD, str(root), str(cache), str(site or "")]
    done = subprocess.run(arguments, capture_output=True, text=True, check=True)
    return {name: round(seconds, 3) for name, seconds in json.loads(done.stdout).items()}


def _reading_rates(known: Terminology, texts: list[str]) -> dict[str, float]:
    """Documents of 500 words that one core reads in a second of its own time: as they are, and half of each in
    capitals, with loose accents, with lines wrapped."""
    words = " ".join(texts).split(" ")[:_MOST_WORDS]
    documents = [" ".join(words[at : at + 500]) for at in range(0, len(words) - 499, 500)]
    if not documents:
        return {}

    def rate(change: Callable[[str], str]) -> float:
        written = [change(text[: len(text) // 2]) + text[len(text) // 2 :] for text in documents]
        start = time.process_time()
        for text in written:
            known.match(text)
        return round(len(written) / max(time.process_time() - start, 1e-9), 1)

    return {
        "as they are": rate(str),
        "capitals": rate(str.upper),
        "loose accents": rate(lambda text: unicodedata.normalize("NFD", text)),
        "wrapped": rate(lambda text: text.replace(" de ", " de\n").replace(". ", ".\r\n  ")),
    }


_MOST_WORDS = 200_000


def probed(path: Path, known: Terminology) -> dict[str, Any]:
    """How many of the drugs of `path` (year,kind,inn,brands) are found in a sentence by each of their names, whole, and
    every name of one as the same drug. `missed` names the others."""
    asked = found = drugs = 0
    missed: list[str] = []
    for row in rows(path, "inn", "brands") if path.exists() else ():
        drugs += 1
        codes = set[str | None]()
        for name in (row["inn"], *row["brands"].split("|")):
            asked += 1
            matches = [
                m for m in known.match(f"Traitement par {name} depuis mars.") if m.kind == "drug" and m.text == name
            ]
            codes.update(match.code for match in matches)
            if matches and len(codes) == 1:
                found += 1
            else:
                missed.append(name)
    return {"drugs": drugs, "asked": asked, "found": found, "missed": missed}


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
