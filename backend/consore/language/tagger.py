"""The tagger at work: the exported weights on onnxruntime, without torch.

A word's vector does not depend on its context, so it is made once and kept. What a window reads as does not depend on
the others read with it. Scores of the shipped weights are in `weights/MODEL_CARD.md`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple, TypeAlias

import numpy as np

from consore.errors import ComponentError
from consore.language.examples import BETWEEN_LAYERS, OUTSIDE
from consore.language.exported import DESCRIPTION_FILE, GRAPH_FILE, TABLE_FILE
from consore.language.tokens import FEATURES_VERSION, WordFeatures

SHIPPED_WEIGHTS = Path(__file__).parent / "weights"

_WORDS_KEPT = 60_000
_RUNS_KEPT = 20_000
_BATCH = 64
_LONGEST = 512

# Words with their clues (`clues.clues`): what is read in one piece.
Window: TypeAlias = tuple[Sequence[str], Sequence[int]]


class TaggedSpan(NamedTuple):
    """Words `first` to `last` (included) of a window carry `tag`; `score` in 0–1."""

    first: int
    last: int
    tag: str
    score: float


@dataclass(frozen=True, slots=True)
class TaggedWindow:
    """The spans of a window; of tumours, and of sites, they do not overlap among themselves. `inside[i]`: the chances,
    in 0–1, that the i-th word belongs to a tumour or event, and to a site."""

    spans: list[TaggedSpan]
    inside: np.ndarray


class Tagger:
    """Reads windows of words. Not thread-safe: one per process or thread."""

    def __init__(self, folder: Path = SHIPPED_WEIGHTS) -> None:
        """Load the files that `training.train` exported into `folder`.

        Raises ComponentError when a file is missing, or was made for another way of cutting words.
        """
        try:
            import onnxruntime
        except ImportError as error:
            raise ComponentError("The tagger needs onnxruntime.", "Install consore[language].") from error
        try:
            description = json.loads((folder / DESCRIPTION_FILE).read_text(encoding="utf-8"))
            table = np.load(folder / TABLE_FILE, allow_pickle=False)
            options = onnxruntime.SessionOptions()
            options.intra_op_num_threads = options.inter_op_num_threads = 1
            options.log_severity_level = 3
            self._session = onnxruntime.InferenceSession(
                str(folder / GRAPH_FILE), options, providers=["CPUExecutionProvider"]
            )
            if description.get("features_version") == FEATURES_VERSION:
                self._rows, self._scale, self._clues = table["rows"], table["scale"], table["clues"]
        except (OSError, ValueError, KeyError, RuntimeError) as error:
            raise ComponentError(
                f"The tagger's weights in {folder} cannot be used: {error}",
                "Run `consore train`, or install Consore anew.",
            ) from error
        if description.get("features_version") != FEATURES_VERSION:
            raise ComponentError(f"The weights in {folder} are of another version.", "Run `consore train` again.")
        self._decoder = Decoder(description["tags"])
        self._features = WordFeatures(len(self._rows))
        self._dim = self._rows.shape[1]
        self._forget()

    def tag(self, windows: Sequence[Window]) -> list[TaggedWindow]:
        """What is in each window. Words beyond the 512th of a window are outside."""
        read = [_NOTHING] * len(windows)
        for batch in _batches(windows):
            (best, chances, inside), lengths = self._run([windows[i] for i in batch], ["best", "chances", "inside"])
            spans = self._decoder.spans(best.T, chances.swapaxes(0, 1), lengths)
            for column, (index, length) in enumerate(zip(batch, lengths, strict=True)):
                read[index] = TaggedWindow(spans[column], inside[:length, column])
        return read

    def chances(self, windows: Sequence[Window]) -> Iterator[tuple[int, np.ndarray]]:
        """Place of a window and the chances of `tags` for its words, [words, tags], in no order."""
        for batch in _batches(windows):
            (chances,), lengths = self._run([windows[i] for i in batch], ["chances"])
            for column, (index, length) in enumerate(zip(batch, lengths, strict=True)):
                yield index, chances[:length, column]

    @property
    def tags(self) -> list[str]:
        """What a word may be, a tumour's tag and a site's in one (`examples`)."""
        return self._decoder.tags

    def _run(self, batch: list[Window], outputs: list[str]) -> tuple[list[np.ndarray], list[int]]:
        """Outputs of the graph, [longest, windows, …] each, and the length of each window."""
        lengths = [min(len(words), _LONGEST) for words, _ in batch]
        self._learn(set().union(*(words for words, _ in batch)))
        places = np.zeros((len(batch), max(lengths)), dtype=np.int64)
        clues = np.zeros_like(places)
        place_of = self._places.__getitem__
        for row, (length, (words, found)) in enumerate(zip(lengths, batch, strict=True)):
            places[row, :length] = list(map(place_of, words[:length]))
            clues[row, :length] = found[:length]
        inputs = np.concatenate([self._vectors.take(places.T, axis=0), self._clues.take(clues.T, axis=0)], axis=2)
        return self._session.run(outputs, {"words": inputs, "lengths": np.array(lengths, dtype=np.int32)}), lengths

    def _learn(self, words: set[str]) -> None:
        """Make and keep the vectors of the words not yet known."""
        new = [word for word in words if word not in self._places]
        if len(self._places) + len(new) > _WORDS_KEPT:
            self._forget()
            new = list(words)
        if not new:
            return
        first = len(self._places)
        while first + len(new) > len(self._vectors):
            self._vectors = np.concatenate([self._vectors, np.zeros_like(self._vectors)])
        for place, word in enumerate(new, start=first):
            rows = np.array(self._features.of(word))
            self._vectors[place] = (self._scale[rows] @ self._rows[rows]) / len(rows)
            self._places[word] = place

    def _forget(self) -> None:
        self._places: dict[str, int] = {}
        self._vectors = np.zeros((4096, self._dim), dtype=np.float32)


_NOTHING = TaggedWindow([], np.zeros((0, 2), dtype=np.float32))


def _batches(windows: Sequence[Window]) -> Iterator[list[int]]:
    """The places of the windows that hold words, those of about the same length together."""
    order = sorted((i for i in range(len(windows)) if windows[i][0]), key=lambda i: len(windows[i][0]))
    for first in range(0, len(order), _BATCH):
        yield order[first : first + _BATCH]


class Decoder:
    """Spans out of tags, each of a tumour's BIOES and a site's BIOES (`B-morphology|O`).

    The best tag of each word may not follow that of the word before (`S-stage`, `E-stage`): there, the likeliest
    sequence that is one is taken, between the nearest words that surely belong to nothing. On FRACCO's part for choices
    that is worth 0.011 of exact F1. Spans are then joined as Flair joins them.
    """

    def __init__(self, tags: Sequence[str]) -> None:
        self.tags = list(tags)
        layers = list(zip(*(tag.split(BETWEEN_LAYERS) for tag in tags), strict=True))
        self._layers = [[(place[0], place[2:]) for place in layer] for layer in layers]
        self._nothing = self.tags.index(BETWEEN_LAYERS.join([OUTSIDE] * len(layers)))
        count = range(len(self.tags))
        opens = [any(layer[i][0] in "IE" for layer in self._layers) for i in count]
        closes = [any(layer[i][0] in "BI" for layer in self._layers) for i in count]
        self._begins, self._ends = ~np.array(opens), ~np.array(closes)
        self._follows = np.array(
            [[all(_may_follow(layer[j], layer[i]) for layer in self._layers) for j in count] for i in count]
        )
        self._runs: dict[tuple[int, ...], list[tuple[int, int, int, str]]] = {}
        self._barred = np.where(self._follows, 0.0, -np.inf)

    def spans(self, best: np.ndarray, chances: np.ndarray, lengths: Sequence[int]) -> list[list[TaggedSpan]]:
        """The spans of windows: the best tag of each word, [windows, longest], and the chances of all tags, [windows,
        longest, tags]."""
        best = np.where(np.arange(best.shape[1]) < np.array(lengths)[:, None], best, self._nothing)
        wrong = ~(self._begins[best[:, 0]] & self._ends[best[:, -1]])
        wrong |= ~self._follows[best[:, :-1], best[:, 1:]].all(axis=1)
        for window in np.flatnonzero(wrong).tolist():
            length = lengths[window]
            best[window, :length] = self._mended(best[window, :length], chances[window, :length])
        windows, words = np.nonzero(best != self._nothing)
        tags = best[windows, words]
        sure = chances[windows, words, tags].tolist()
        limits = np.searchsorted(windows, np.arange(len(best) + 1)).tolist()
        places, written = words.tolist(), tags.tolist()
        return [
            self._spans(places[first:last], written[first:last], sure[first:last]) for first, last in pairwise(limits)
        ]

    def _spans(self, places: list[int], tags: list[int], sure: list[float]) -> list[TaggedSpan]:
        """The spans of a window, given its words that belong to something: of tumours first, then of sites."""
        layers: list[list[TaggedSpan]] = [[] for _ in self._layers]
        start = 0
        for index in range(1, len(places) + 1):
            if index < len(places) and places[index] == places[index - 1] + 1:
                continue
            for layer, first, last, kind in self._joined(tuple(tags[start:index])):
                score = sum(sure[start + first : start + last + 1]) / (last + 1 - first)
                layers[layer].append(TaggedSpan(places[start] + first, places[start] + last, kind, score))
            start = index
        return [span for layer in layers for span in layer]

    def _joined(self, tags: tuple[int, ...]) -> list[tuple[int, int, int, str]]:
        """Words in a row that all belong to something: layer, first word, last word and kind of each span."""
        known = self._runs.get(tags)
        if known is None:
            if len(self._runs) >= _RUNS_KEPT:
                self._runs.clear()
            known = self._runs[tags] = [
                (number, *span)
                for number, layer in enumerate(self._layers)
                for span in _spans([layer[i] for i in tags])
            ]
        return known

    def _mended(self, best: np.ndarray, chances: np.ndarray) -> np.ndarray:
        wrong = np.flatnonzero(~self._follows[best[:-1], best[1:]]).tolist()
        last = len(best) - 1
        wrong = [*([] if self._begins[best[0]] else [-1]), *wrong, *([] if self._ends[best[last]] else [last])]
        if not wrong:
            return best
        outside = ((best == self._nothing) & (chances[:, self._nothing] > _SURELY_OUTSIDE)).tolist()
        best = best.copy()
        reached = 0
        for place in wrong:
            if place < reached:
                continue
            first, reached = max(place, 0), min(place + 2, last + 1)
            while first > 0 and not outside[first - 1]:
                first -= 1
            while reached <= last and not outside[reached]:
                reached += 1
            best[first:reached] = self._likeliest(chances[first:reached])
        return best

    def _likeliest(self, chances: np.ndarray) -> list[int]:
        """The likeliest sequence of tags that may follow each other (Viterbi), nothing being open before and after."""
        logarithms = np.log(chances + 1e-9)
        score = np.where(self._begins, logarithms[0], -np.inf)
        came_from = []
        for word in logarithms[1:]:
            paths = score[:, None] + self._barred
            came_from.append(paths.argmax(axis=0))
            score = paths.max(axis=0) + word
        tag = int(np.where(self._ends, score, -np.inf).argmax())
        sequence = [tag]
        for sources in reversed(came_from):
            tag = int(sources[tag])
            sequence.append(tag)
        return sequence[::-1]


_SURELY_OUTSIDE = 0.9


def _may_follow(after: tuple[str, str], before: tuple[str, str]) -> bool:
    """Whether a BIOES tag may stand after another, each as place and kind."""
    if before[0] in "BI":
        return after[0] in "IE" and after[1] == before[1]
    return after[0] not in "IE"


def _spans(places: list[tuple[str, str]]) -> Iterator[tuple[int, int, str]]:
    """The spans of words in a row, joined as Flair joins them: first word, last word and kind."""
    first = last = -1
    votes: dict[str, float] = {}
    previous = ""
    for position, (place, kind) in enumerate(places):
        goes_on = votes and position == last + 1
        begins = place in "BS" or (place == "I" and kind != (previous if goes_on else ""))
        if votes and (begins or place == OUTSIDE or not goes_on):
            yield first, last, max(votes, key=votes.__getitem__)
            votes = {}
        if place != OUTSIDE:
            first = first if votes else position
            votes[kind] = votes.get(kind, 0.0) + (1.1 if begins else 1.0)
            last = position
        previous = kind
    if votes:
        yield first, last, max(votes, key=votes.__getitem__)
