"""How a word becomes numbers in the tagger: the mean of the rows that its features point to, and the dictionary's clue.

A word's own numbers do not depend on its context: they are made once per process whatever the number of reports, and
the table is shipped as 8-bit integers. Registered in Flair, so that a model that uses it is loaded by Flair as any
other; there the clue is the token's label `clue`. Imports torch and flair: only training does.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import flair
import torch
from flair.data import Sentence
from flair.embeddings.base import TokenEmbeddings, register_embeddings

from consore.language.clues import CLUES, NO_CLUE
from consore.language.tokens import WordFeatures

CLUE_LABEL = "clue"


@register_embeddings
class HashedWordEmbeddings(TokenEmbeddings):
    """Trainable table of `buckets` × `dim` over hashed words, n-grams and shapes (`tokens.WordFeatures`), followed by
    one of `clues.CLUES` × `clue_dim`.

    In training a feature is dropped with probability `feature_dropout`, the whole word with twice that, so that the
    model learns to read unknown words from their parts.
    """

    def __init__(self, buckets: int = 49_152, dim: int = 80, clue_dim: int = 16, feature_dropout: float = 0.15) -> None:
        super().__init__()
        self.name = "hashed-words"
        self.buckets, self.dim, self.clue_dim, self.feature_dropout = buckets, dim, clue_dim, feature_dropout
        self.static_embeddings = False
        self.table = torch.nn.EmbeddingBag(buckets, dim, mode="mean")
        torch.nn.init.normal_(self.table.weight, std=0.3)
        self.clue_table = torch.nn.Embedding(CLUES, clue_dim)
        torch.nn.init.normal_(self.clue_table.weight, std=0.1)
        self._rows_of = lru_cache(maxsize=500_000)(WordFeatures(buckets).of)
        self.to(flair.device)
        self.eval()

    @property
    def embedding_length(self) -> int:
        return self.dim + self.clue_dim

    def windows(self, windows: list[list[str]], clues: list[list[int]]) -> torch.Tensor:
        """The numbers of windows of words, [windows, longest, `embedding_length`], zero after the end of each."""
        places: dict[str, int] = {}
        for words in windows:
            for word in words:
                places.setdefault(word, len(places))
        longest = max(map(len, windows))
        index = torch.full((len(windows), longest), len(places))
        clue = torch.full((len(windows), longest), NO_CLUE)
        for row, (words, found) in enumerate(zip(windows, clues, strict=True)):
            index[row, : len(words)] = torch.tensor([places[word] for word in words])
            clue[row, : len(found)] = torch.tensor(found)
        vectors = torch.cat([self._embed(list(places)), torch.zeros(1, self.dim)])
        # The gradient of a lookup is faster through `embedding` than through indexing.
        looked_up = torch.nn.functional.embedding(index, vectors)
        return torch.cat([looked_up, self.clue_table(clue)], dim=2)

    def _add_embeddings_internal(self, sentences: list[Sentence]) -> list[Sentence]:
        for sentence in sentences:
            clues = [int(token.get_label(CLUE_LABEL, zero_tag_value=str(NO_CLUE)).value) for token in sentence]
            (vectors,) = self.windows([[token.text for token in sentence]], [clues])
            for token, vector in zip(sentence, vectors, strict=True):
                token.set_embedding(self.name, vector)
        return sentences

    def _embed(self, words: list[str]) -> torch.Tensor:
        rows: list[int] = []
        offsets: list[int] = []
        for word in words:
            offsets.append(len(rows))
            rows.extend(self._rows_of(word))
        indices = torch.tensor(rows, device=flair.device)
        starts = torch.tensor(offsets, device=flair.device)
        if self.training and self.feature_dropout:
            indices, starts = self._drop(indices, starts)
        return self.table(indices, starts)

    def _drop(self, indices: torch.Tensor, starts: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        rate = torch.full(indices.shape, self.feature_dropout)
        rate[starts] *= 2
        kept = torch.rand(indices.shape) >= rate
        lengths = torch.diff(starts, append=torch.tensor([len(indices)]))
        kept[starts + lengths - 1] = True
        before = torch.cumsum(kept.long(), 0)
        return indices[kept], before[starts] - kept[starts].long()

    def to_params(self) -> dict[str, Any]:
        return {
            "buckets": self.buckets,
            "dim": self.dim,
            "clue_dim": self.clue_dim,
            "feature_dropout": self.feature_dropout,
        }

    @classmethod
    def from_params(cls, params: dict[str, Any]) -> HashedWordEmbeddings:
        return cls(**params)

    def __getstate__(self) -> dict[str, Any]:
        state = super().__getstate__()
        state.pop("_rows_of", None)
        return state
