"""The tagger at work: the exported weights on onnxruntime, without torch.

A word's vector does not depend on its context, so it is made once and kept; a sentence read before (headers, formulas
of politeness, normal findings) is not read again. Scores of the shipped weights are in `weights/MODEL_CARD.md`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from consore.errors import ComponentError
from consore.language.exported import DESCRIPTION_FILE, GRAPH_FILE, TABLE_FILE
from consore.language.tokens import FEATURES_VERSION, WordFeatures

SHIPPED_WEIGHTS = Path(__file__).parent / "weights"

_WORDS_KEPT = 60_000
_SENTENCES_KEPT = 20_000
_BATCH = 128
_LONGEST = 512


@dataclass(frozen=True, slots=True)
class TaggedSpan:
    """Words `first` to `last` (included) of a sentence carry `tag`; `score` in 0–1."""

    first: int
    last: int
    tag: str
    score: float


@dataclass(frozen=True, slots=True)
class TaggedSentence:
    """The spans of a sentence, in order, not overlapping; and for each word the chance that it belongs to any span."""

    spans: list[TaggedSpan]
    inside: np.ndarray


_EMPTY = TaggedSentence([], np.zeros(0, dtype=np.float32))


class Tagger:
    """Reads sentences already cut into words. Not thread-safe: one per process or thread."""

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
            self._rows, self._scale = table["rows"], table["scale"]
            options = onnxruntime.SessionOptions()
            options.intra_op_num_threads = options.inter_op_num_threads = 1
            options.log_severity_level = 3
            self._session = onnxruntime.InferenceSession(
                str(folder / GRAPH_FILE), options, providers=["CPUExecutionProvider"]
            )
        except (OSError, ValueError, KeyError, RuntimeError) as error:
            raise ComponentError(
                f"The tagger's weights in {folder} cannot be used: {error}",
                "Run `consore train`, or install Consore anew.",
            ) from error
        if description.get("features_version") != FEATURES_VERSION:
            raise ComponentError(f"The weights in {folder} are of another version.", "Run `consore train` again.")
        self.tags: list[str] = description["tags"]
        self.version: str = description.get("version", "")
        self._features = WordFeatures(len(self._rows))
        self._vectors: dict[str, np.ndarray] = {}
        self._sentences: dict[tuple[str, ...], TaggedSentence] = {}
        self._outside = self.tags.index("O")

    def tag(self, sentences: Sequence[Sequence[str]]) -> list[TaggedSentence]:
        """What is in each sentence; nothing in an empty one. Words beyond the 512th of a sentence are outside."""
        keys = [tuple(sentence) for sentence in sentences]
        unread = list(dict.fromkeys(key for key in keys if key and key not in self._sentences))
        if len(self._sentences) + len(unread) > _SENTENCES_KEPT:
            self._sentences = {key: self._sentences[key] for key in set(keys) if key in self._sentences}
        unread.sort(key=len)
        read: dict[tuple[str, ...], TaggedSentence] = {}
        for first in range(0, len(unread), _BATCH):
            batch = unread[first : first + _BATCH]
            for key, (best, probability, inside) in zip(batch, self._scores(batch), strict=True):
                read[key] = TaggedSentence(self._spans(best, probability), inside)
        self._sentences.update(read)
        return [self._sentences[key] if key else _EMPTY for key in keys]

    def forget_sentences(self) -> None:
        """Forget the sentences read so far; words stay known."""
        self._sentences.clear()

    def _scores(self, batch: list[tuple[str, ...]]) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
        """For each sentence: the best tag of each word, its probability, and that of any tag but O."""
        cut = [sentence[:_LONGEST] for sentence in batch]
        lengths = np.array([len(sentence) for sentence in cut], dtype=np.int32)
        self._embed({word for sentence in cut for word in sentence})
        inputs = np.zeros((int(lengths.max()), len(cut), self._rows.shape[1]), dtype=np.float32)
        for column, sentence in enumerate(cut):
            inputs[: len(sentence), column] = [self._vectors[word] for word in sentence]
        (scores,) = self._session.run(None, {"words": inputs, "lengths": lengths})
        best = scores.argmax(axis=2)
        top = scores.max(axis=2)
        probability = 1 / np.exp(scores - top[..., None]).sum(axis=2)
        inside = 1 - probability * np.exp(scores[..., self._outside] - top)
        for column, length in enumerate(lengths):
            yield best[:length, column], probability[:length, column], inside[:length, column]

    def _embed(self, words: set[str]) -> None:
        """Make and keep the vectors of the words not yet known."""
        new = [word for word in words if word not in self._vectors]
        if len(self._vectors) + len(new) > _WORDS_KEPT:
            self._vectors = {word: self._vectors[word] for word in words if word in self._vectors}
        for word in new:
            rows = self._features.of(word)
            self._vectors[word] = (self._rows[rows] * self._scale[rows, None]).mean(axis=0, dtype=np.float32)

    def _spans(self, best: np.ndarray, probability: np.ndarray) -> list[TaggedSpan]:
        """Spans out of BIOES tags as Flair joins them, so that scores in training hold here: a span begins at B-, S- or
        at an I- of another kind, ends where the words are outside, and takes the kind that most of its words have."""
        spans: list[TaggedSpan] = []
        first, votes = -1, dict[str, float]()

        def close(last: int) -> None:
            if votes:
                kind = max(votes, key=votes.__getitem__)
                spans.append(TaggedSpan(first, last, kind, float(probability[first : last + 1].mean())))
                votes.clear()

        previous_kind = ""
        for position, index in enumerate(best):
            place, _, kind = self.tags[index].partition("-")
            begins = place in ("B", "S") or (place == "I" and kind != previous_kind)
            if begins or place == "O":
                close(position - 1)
            if place != "O":
                first = first if votes else position
                votes[kind] = votes.get(kind, 0.0) + (1.1 if begins else 1.0)
            previous_kind = kind
        close(len(best) - 1)
        return spans
