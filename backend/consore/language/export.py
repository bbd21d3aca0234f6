"""The trained tagger as a small file that onnxruntime runs without torch.

What is written: the word table as 8-bit rows with a scale each, the table of clues, and the BiLSTM with its output
layer as an ONNX graph in 32 bits. The graph is not quantised: its scales would depend on what is read together, and the
same report could then read differently alone and in a batch. It is put together here operator by operator, so that its
input is the sequence of word vectors and a batch of windows of unequal length needs no padding token.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from consore.language.examples import BETWEEN_LAYERS, OUTSIDE
from consore.language.exported import DESCRIPTION_FILE, GRAPH_FILE, TABLE_FILE
from consore.language.tokens import FEATURES_VERSION

if TYPE_CHECKING:
    from flair.models import SequenceTagger


def export(model: SequenceTagger, out: Path) -> Path:
    """Write `words.npz`, `tagger.onnx` and `tagger.json` into `out`; return `out`."""
    out.mkdir(parents=True, exist_ok=True)
    table = model.embeddings.table.weight.detach().numpy()
    scale = np.maximum(np.abs(table).max(axis=1), 1e-8) / 127
    rows = np.round(table / scale[:, None]).astype(np.int8)
    clues = model.embeddings.clue_table.weight.detach().numpy()
    np.savez_compressed(out / TABLE_FILE, rows=rows, scale=scale.astype(np.float32), clues=clues)

    (out / GRAPH_FILE).write_bytes(_graph(model).SerializeToString())
    description = {"features_version": FEATURES_VERSION, "tags": model.label_dictionary.get_items()}
    (out / DESCRIPTION_FILE).write_text(json.dumps(description, indent=1), encoding="utf-8")
    return out


def export_file(path: Path, out: Path) -> Path:
    """Export a tagger kept as a Flair file, wherever it comes from: the file cannot run code (`restricted`)."""
    from consore.language.restricted import load_tagger

    return export(load_tagger(path), out)


def imported(folder: Path) -> SequenceTagger:
    """The Flair tagger that was exported into `folder`, so that it can be taught further; words as 8 bits kept them."""
    import onnx
    import torch
    from flair.data import Dictionary
    from flair.models import SequenceTagger
    from onnx import numpy_helper

    from consore.language.embedding import HashedWordEmbeddings

    table = np.load(folder / TABLE_FILE, allow_pickle=False)
    graph = onnx.load(str(folder / GRAPH_FILE)).graph
    constants = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    tags = Dictionary(add_unk=False)
    for tag in json.loads((folder / DESCRIPTION_FILE).read_text(encoding="utf-8"))["tags"]:
        tags.add_item(tag)
    model = SequenceTagger(
        embeddings=HashedWordEmbeddings(*table["rows"].shape, table["clues"].shape[1]),
        tag_dictionary=tags,
        tag_type="mention",
        use_crf=False,
        hidden_size=constants["R"].shape[2],
        reproject_embeddings=False,
        word_dropout=0.02,
        locked_dropout=0.25,
    )
    biases = np.split(constants["B"], 2, axis=1)
    values = {
        "embeddings.table.weight": table["rows"] * table["scale"][:, None],
        "embeddings.clue_table.weight": table["clues"],
        "linear.weight": constants["out_weight"].T,
        "linear.bias": constants["out_bias"],
    }
    for way, name in enumerate(("_l0", "_l0_reverse")):
        values[f"rnn.weight_ih{name}"] = _gates_in_torch_order(constants["W"][way])
        values[f"rnn.weight_hh{name}"] = _gates_in_torch_order(constants["R"][way])
        values[f"rnn.bias_ih{name}"] = _gates_in_torch_order(biases[0][way])
        values[f"rnn.bias_hh{name}"] = _gates_in_torch_order(biases[1][way])
    model.load_state_dict({name: torch.from_numpy(np.array(value, dtype=np.float32)) for name, value in values.items()})
    return model


def _graph(model: SequenceTagger) -> Any:
    """words [time, batch, dim] and lengths [batch] → `chances` of the tags [time, batch, tags]; the `best` tag
    [time, batch]; the chances `inside` [time, batch, 2] to belong to a tumour or event, to a site."""
    from onnx import TensorProto, checker, helper, numpy_helper

    tags = model.label_dictionary.get_items()
    rnn, hidden = model.rnn, model.rnn.hidden_size
    if rnn.num_layers != 1 or not rnn.bidirectional:
        raise ValueError("only a BiLSTM of one layer is exported")
    weights = {name: value.detach().numpy() for name, value in rnn.named_parameters()}

    def both(name: str) -> np.ndarray:
        return np.stack([_gates_in_onnx_order(weights[name + way]) for way in ("_l0", "_l0_reverse")])

    constants = {
        "W": both("weight_ih"),
        "R": both("weight_hh"),
        "B": np.concatenate([both("bias_ih"), both("bias_hh")], axis=1),
        "out_weight": model.linear.weight.detach().numpy().T.copy(),
        "out_bias": model.linear.bias.detach().numpy(),
        "joined_shape": np.array([0, 0, 2 * hidden], dtype=np.int64),
        "layers": np.array(
            [[place != OUTSIDE for place in tag.split(BETWEEN_LAYERS)] for tag in tags], dtype=np.float32
        ),
    }
    nodes = [
        helper.make_node(
            "LSTM", ["words", "W", "R", "B", "lengths"], ["ways"], direction="bidirectional", hidden_size=hidden
        ),
        helper.make_node("Transpose", ["ways"], ["beside"], perm=[0, 2, 1, 3]),
        helper.make_node("Reshape", ["beside", "joined_shape"], ["joined"]),
        helper.make_node("MatMul", ["joined", "out_weight"], ["product"]),
        helper.make_node("Add", ["product", "out_bias"], ["scores"]),
        helper.make_node("Softmax", ["scores"], ["chances"], axis=2),
        helper.make_node("ArgMax", ["chances"], ["best"], axis=2, keepdims=0),
        helper.make_node("MatMul", ["chances", "layers"], ["inside"]),
    ]
    graph = helper.make_graph(
        nodes,
        "tagger",
        [
            helper.make_tensor_value_info("words", TensorProto.FLOAT, ["time", "batch", rnn.input_size]),
            helper.make_tensor_value_info("lengths", TensorProto.INT32, ["batch"]),
        ],
        [
            helper.make_tensor_value_info("chances", TensorProto.FLOAT, ["time", "batch", "tags"]),
            helper.make_tensor_value_info("best", TensorProto.INT64, ["time", "batch"]),
            helper.make_tensor_value_info("inside", TensorProto.FLOAT, ["time", "batch", "layers"]),
        ],
        [numpy_helper.from_array(np.ascontiguousarray(value), name) for name, value in constants.items()],
    )
    built = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    checker.check_model(built)
    return built


def _gates_in_onnx_order(matrix: np.ndarray) -> np.ndarray:
    """torch stacks the gates input, forget, cell, output; ONNX wants input, output, forget, cell."""
    i, f, c, o = np.split(matrix, 4)
    return np.concatenate([i, o, f, c])


def _gates_in_torch_order(matrix: np.ndarray) -> np.ndarray:
    """The way back from `_gates_in_onnx_order`."""
    i, o, f, c = np.split(matrix, 4)
    return np.concatenate([i, f, c, o])
