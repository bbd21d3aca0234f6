"""How far generated reports are from real prose: the same curves for both, side by side.

Everything is measured on the same number of words of each side, documents shuffled with a fixed seed. Words are runs of
letters and digits, lower case; sentences end at a line's end or at a full stop, not after an initial or a title;
sentences and 5-grams are compared with their digits masked, so that a template filled with another number still counts
as the same.
"""

from __future__ import annotations

import gzip
import json
import math
import re
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from random import Random
from typing import Any

import numpy as np

from consore.errors import InputError
from consore.synthetic.documents import write_reports
from consore.synthetic.trajectory import draw_life

STEPS = (10_000, 50_000, 100_000, 200_000)
_WORD = re.compile(r"[^\W_]+")
_SENTENCE = re.compile(r"\n+|(?<=[.?!;])(?<!\b[A-Z]\.)(?<!Tél\.)(?<![Rr]éf\.)(?<!\bM\.)(?<!Dr\.)\s+")
_ABBREVIATION = re.compile(r"\b(?:[A-ZÀ-Ý][A-ZÀ-Ý0-9]{1,5}|[a-z]{1,4}\.|[A-Z]\.)(?=\W|$)")
_DIGITS = re.compile(r"\d+")


def read_corpus(path: Path) -> list[str]:
    """Texts of a corpus: JSON lines with `text`, gzipped or not. Raises InputError."""
    try:
        opener = gzip.open if path.suffix == ".gz" else open
        with opener(path, "rt", encoding="utf-8") as file:
            texts = [json.loads(line)["text"] for line in file]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(
            f"The corpus {path} cannot be read: {error}.", 'Give JSON lines with "text", or .gz.'
        ) from error
    if not texts:
        raise InputError(f"The corpus {path} is empty.", 'Give JSON lines with "text".')
    return texts


def generated_texts(
    split: str, words: int, *, seed: int = 1, noise: str = "medium", one_each: bool = False
) -> list[str]:
    """Texts of generated reports of as many patients as give `words` words, counted as `measure` does.

    `one_each`: one report a patient, as corpora of cases have, since reports of one patient tell the same history.
    """
    texts: list[str] = []
    count = number = 0
    while count < words:
        number += 1
        rng = Random(f"{seed}/{split}/realism/{number}")
        life = draw_life(rng, f"REA{number:09d}", split)
        reports = list(write_reports(life, split, rng, number * 100, "Centre Realis", noise=noise))
        for report in rng.sample(reports, 1) if one_each and reports else reports:
            texts.append(report.text)
            count += len(_WORD.findall(report.text))
    return texts


def measure(texts: Sequence[str], words: int = STEPS[-1], *, seed: int = 0) -> dict[str, Any]:
    """The curves of one side, on its first `words` words after shuffling."""
    shuffled = list(texts)
    Random(seed).shuffle(shuffled)
    seen: Counter[str] = Counter()
    sentences: Counter[str] = Counter()
    grams: Counter[int] = Counter()
    pairs: Counter[tuple[str, str]] = Counter()
    lengths: list[int] = []
    documents: list[int] = []
    numbers = abbreviations = 0
    growth: dict[str, int] = {}
    repeats: dict[str, float] = {}
    total = 0
    marks = [step for step in STEPS if step <= words]
    for text in shuffled:
        if total >= words:
            break
        tokens = [word.lower() for word in _WORD.findall(text)]
        masked = [_DIGITS.sub("0", token) for token in tokens]
        total += len(tokens)
        documents.append(len(tokens))
        seen.update(tokens)
        pairs.update(pairwise(masked))
        grams.update(hash(tuple(masked[at : at + 5])) for at in range(len(masked) - 4))
        for sentence in split_sentences(text):
            size = len(_WORD.findall(sentence))
            if not size:
                continue
            lengths.append(size)
            numbers += bool(_DIGITS.search(sentence))
            abbreviations += bool(_ABBREVIATION.search(sentence))
            if size >= 4:
                sentences[_DIGITS.sub("0", sentence.lower()).strip(" .;:-")] += 1
        while marks and total >= marks[0]:
            step = f"{marks.pop(0):,}"
            growth[step] = len(seen)
            repeats[step] = _repeated(sentences)
    quartiles = [float(np.quantile(lengths, q)) for q in (0.25, 0.5, 0.75, 0.95)]
    sizes = [float(np.quantile(documents, q)) for q in (0.25, 0.5, 0.75)]
    return {
        "documents": len(documents),
        "words": total,
        "types": growth,
        "heaps": _heaps(growth),
        "hapax": sum(count == 1 for count in seen.values()) / len(seen),
        "sentence_quartiles": quartiles[:3],
        "sentence_p95": quartiles[3],
        "repeated_sentences": repeats,
        "repeated_5grams": _repeated(grams),
        "distinct_2": len(pairs) / max(1, sum(pairs.values())),
        "with_number": numbers / len(lengths),
        "with_abbreviation": abbreviations / len(lengths),
        "document_mean": total / len(documents),
        "document_quartiles": sizes,
    }


def split_sentences(text: str) -> Iterator[str]:
    """Sentences of a text, as the curves count them."""
    return (part.strip() for part in _SENTENCE.split(text) if part.strip())


def _repeated(counts: Counter[Any]) -> float:
    """Share of the occurrences that belong to something met twice or more."""
    total = sum(counts.values())
    return sum(count for count in counts.values() if count > 1) / total if total else 0.0


def _heaps(growth: dict[str, int]) -> float:
    """The exponent b of Heaps' law, types = k · words^b, by least squares on the curve."""
    points = [(math.log(float(step.replace(",", ""))), math.log(types)) for step, types in growth.items()]
    if len(points) < 2:
        return float("nan")
    xs, ys = zip(*points, strict=True)
    return float(np.polyfit(xs, ys, 1)[0])


def detect(real: Sequence[str], made: Sequence[str], *, size: int = 60, folds: int = 5, most: int = 1500) -> float:
    """How well a naive Bayes on character 2- to 4-grams tells windows of `size` words of both sides apart.

    Balanced accuracy; 0.5: it cannot tell; 1.0: always. Cross-validated; a document is never on both sides of a fold.
    """
    samples = [(doc, 0, w) for doc, w in _windows(real, size, most)]
    samples += [(doc, 1, w) for doc, w in _windows(made, size, most)]
    bits = 1 << 16
    rows = [_hashed(window, bits) for _, _, window in samples]
    right = np.zeros(2)
    for fold in range(folds):
        counts = np.ones((2, bits))
        for (doc, label, _), row in zip(samples, rows, strict=True):
            if doc % folds != fold:
                counts[label][row] += 1
        logs = np.log(counts / counts.sum(axis=1, keepdims=True))
        for (doc, label, _), row in zip(samples, rows, strict=True):
            if doc % folds == fold:
                right[label] += (logs[1][row].sum() > logs[0][row].sum()) == bool(label)
    totals = np.array([sum(label == side for _, label, _ in samples) for side in (0, 1)])
    return float((right / totals).mean())


def calibrate(real: Sequence[str], other: Sequence[str] | None = None, *, seed: int = 0) -> dict[str, float]:
    """What `detect` says of real texts alone, by which its number is to be read.

    "halves": of two random halves of `real`, the least it can say; "another": of `real` and another real corpus,
    `other`: what a mere difference of genre gives.
    """
    shuffled = list(real)
    Random(seed).shuffle(shuffled)
    half = len(shuffled) // 2
    found = {"halves": detect(shuffled[:half], shuffled[half:])}
    if other:
        found["another"] = detect(real, other)
    return found


def _windows(texts: Sequence[str], size: int, most: int) -> list[tuple[int, str]]:
    found: list[tuple[int, str]] = []
    for number, text in enumerate(texts):
        words = _DIGITS.sub("0", " ".join(text.split())).split(" ")
        found += [(number, " ".join(words[at : at + size])) for at in range(0, max(1, len(words) - size // 2), size)][
            :2
        ]
        if len(found) >= most:
            break
    return found


def _hashed(text: str, bits: int) -> np.ndarray:
    data = text.encode("utf-8")
    grams = {data[at : at + n] for n in (2, 3, 4) for at in range(len(data) - n + 1)}
    return np.fromiter((zlib.crc32(gram) % bits for gram in grams), dtype=np.int64)


def table(sides: dict[str, dict[str, Any]]) -> list[tuple[str, ...]]:
    """Rows to print: the first cell names the measure, the others are one a side."""
    measures = list(sides.values())

    def row(name: str, cells: Iterable[str]) -> tuple[str, ...]:
        return (name, *cells)

    def share(name: str, key: str) -> tuple[str, ...]:
        return row(name, (f"{m[key]:.3f}" for m in measures))

    rows = [row("documents", (f"{m['documents']:,}" for m in measures))]
    rows.append(row("words a document, mean", (f"{m['document_mean']:.0f}" for m in measures)))
    rows.append(
        row("words a document, quartiles", ("/".join(f"{q:.0f}" for q in m["document_quartiles"]) for m in measures))
    )
    for step in measures[0]["types"]:
        rows.append(row(f"different words in {step}", (f"{m['types'].get(step, 0):,}" for m in measures)))
    rows.append(share("Heaps exponent", "heaps"))
    rows.append(share("words met once", "hapax"))
    rows.append(
        row("words a sentence, quartiles", ("/".join(f"{q:.0f}" for q in m["sentence_quartiles"]) for m in measures))
    )
    rows.append(row("words a sentence, p95", (f"{m['sentence_p95']:.0f}" for m in measures)))
    for step in measures[0]["repeated_sentences"]:
        rows.append(
            row(f"repeated sentences in {step}", (f"{m['repeated_sentences'].get(step, 0):.3f}" for m in measures))
        )
    rows.append(share("repeated 5-grams", "repeated_5grams"))
    rows.append(share("distinct 2-grams", "distinct_2"))
    rows.append(share("sentences with a number", "with_number"))
    rows.append(share("sentences with an abbreviation", "with_abbreviation"))
    return rows
