"""How a word becomes numbers in the tagger: the mean of the rows that its features point to.

Words only, no context: so a word is embedded once per process whatever the number of reports, and the table can be
shipped as 8-bit integers. Registered in Flair, so that a model that uses it is loaded by Flair as any other.
Imports torch and flair: only training does.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import flair
import torch
from flair.data import Sentence
from flair.embeddings.base import TokenEmbeddings, register_embeddings

from consore.language.tokens import WordFeatures


@register_embeddings
class HashedWordEmbeddings(TokenEmbeddings):
    """Trainable table of `buckets` × `dim` over hashed words, n-grams and shapes (`tokens.WordFeatures`).

    In training a feature is dropped with probability `feature_dropout`, the whole word with twice that, so that the
    model learns to read unknown words from their parts.
    """

    def __init__(self, buckets: int = 49_152, dim: int = 80, feature_dropout: float = 0.15) -> None:
        super().__init__()
        self.name = "hashed-words"
        self.buckets, self.dim, self.feature_dropout = buckets, dim, feature_dropout
        self.static_embeddings = False
        self.table = torch.nn.EmbeddingBag(buckets, dim, mode="mean")
        torch.nn.init.normal_(self.table.weight, std=0.3)
        self._rows_of = lru_cache(maxsize=500_000)(WordFeatures(buckets).of)
        self.to(flair.device)
        self.eval()

    @property
    def embedding_length(self) -> int:
        return self.dim

    def _add_embeddings_internal(self, sentences: list[Sentence]) -> list[Sentence]:
        tokens = [token for sentence in sentences for token in sentence]
        places: dict[str, int] = {}
        for token in tokens:
            places.setdefault(token.text, len(places))
        vectors = self._embed(list(places))
        for token in tokens:
            token.set_embedding(self.name, vectors[places[token.text]])
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
        return {"buckets": self.buckets, "dim": self.dim, "feature_dropout": self.feature_dropout}

    @classmethod
    def from_params(cls, params: dict[str, Any]) -> HashedWordEmbeddings:
        return cls(**params)

    def __getstate__(self) -> dict[str, Any]:
        state = super().__getstate__()
        state.pop("_rows_of", None)
        return state
