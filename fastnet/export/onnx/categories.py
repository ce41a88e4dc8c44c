"""The operators of the layers whose input is whole numbers or becomes whole numbers: Embedding, lookups and encodings.

As in a model of fastnet, their input is float32. A graph has no error for numbers that fastnet refuses, such as 0.5.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from fastnet import layers
from fastnet.export.onnx.graph import Graph
from fastnet.layers.category_encoding import CategoricalLayer

_UNKNOWN = -2.0  # stands for a number that is not in the vocabulary, while the graph computes


def embedding(graph: Graph, layer: layers.Embedding, x: str) -> str:
    """Row i of the matrix for each number i."""
    return graph.node("Gather", graph.weight("embeddings", layer.embeddings.numpy()), graph.cast(x, "INT64"), axis=0)


def category_encoding(graph: Graph, layer: layers.CategoryEncoding, x: str) -> str:
    return _encoded(graph, layer, x)


def discretization(graph: Graph, layer: layers.Discretization, x: str) -> str:
    """How many boundaries are at most x."""
    if layer.bin_boundaries is None:
        raise ValueError(f"layer {layer.name!r} has no boundaries yet; call adapt(data) first")
    boundaries = graph.weight("bin_boundaries", np.array(layer.bin_boundaries, np.float32))
    assert layer.input_shape is not None
    axis = 1 + len(layer.input_shape)
    reached = graph.node("GreaterOrEqual", graph.node("Unsqueeze", x, [axis]), boundaries)
    return _encoded(graph, layer, graph.reduce("ReduceSum", graph.cast(reached, "FLOAT"), [axis], keep=False))


def integer_lookup(graph: Graph, layer: layers.IntegerLookup, x: str) -> str:
    """The number of each integer, from a table; or with `invert`, the integer of each number."""
    tokens = layer.get_vocabulary(include_special_tokens=False)
    if not tokens:
        raise ValueError(f"layer {layer.name!r} has no vocabulary yet; call adapt(data) first")
    if layer.invert:
        table = {i: token for i, token in enumerate(layer.get_vocabulary()) if token is not None}
        return _looked_up(graph, x, table, -1 if layer.oov_token is None else layer.oov_token)
    table = dict(layer._numbers)
    if layer.mask_token is not None:
        table[layer.mask_token] = 0 if layer.output_mode == "int" else -1
    first, count = layer._first_oov, layer.num_oov_indices
    if count <= 1:
        return _encoded(graph, layer, _looked_up(graph, x, table, first if count else -1))
    found = _looked_up(graph, x, table, _UNKNOWN)
    rest = graph.cast(graph.node("Mod", graph.cast(x, "INT64"), [count]), "FLOAT")
    is_unknown = graph.node("Equal", found, _UNKNOWN)
    return _encoded(graph, layer, graph.node("Where", is_unknown, graph.node("Add", rest, float(first)), found))


def string_lookup(graph: Graph, layer: layers.StringLookup, x: str) -> str:
    raise ValueError(
        f"layer {layer.name!r} cannot be exported: a model takes no text. Call the StringLookup before the model, and "
        "export a model without it"
    )


def _looked_up(graph: Graph, x: str, table: dict[int, int], default: float) -> str:
    """Returns for each number of x what the table has for it, or `default`."""
    keys = sorted(table)
    return graph.node(
        "LabelEncoder",
        x,
        domain="ai.onnx.ml",
        keys_floats=[float(key) for key in keys],
        values_floats=[float(table[key]) for key in keys],
        default_float=float(default),
    )


def _encoded(graph: Graph, layer: CategoricalLayer, x: str) -> str:
    """Returns what `output_mode` makes of the numbers of categories: see `fastnet.layers.category_encoding.encode`."""
    mode = layer.output_mode
    if mode == "int":
        return x
    shape = layer.input_shape
    assert shape is not None
    if mode == "one_hot" and shape[-1:] == (1,):
        x = graph.node("Squeeze", x, [-1])
    places = graph.weight("categories", np.arange(layer.depth, dtype=np.float32))
    ones = graph.cast(graph.node("Equal", graph.node("Unsqueeze", x, [-1]), places), "FLOAT")
    if mode == "one_hot":
        return ones
    counts = graph.reduce("ReduceSum", ones, [1], keep=False)
    if mode == "multi_hot":
        return graph.node("Min", counts, 1.0)
    if mode == "tf_idf":
        assert isinstance(layer, layers.IntegerLookup)
        weights = np.zeros(layer.depth, np.float32)
        weights[: len(layer._idf)] = layer._idf
        return graph.node("Mul", counts, graph.weight("idf_weights", weights))
    return counts


CATEGORICAL: dict[str | None, Callable[[Graph, Any, str], str]] = {
    "CategoryEncoding": category_encoding,
    "Discretization": discretization,
    "Embedding": embedding,
    "IntegerLookup": integer_lookup,
    "StringLookup": string_lookup,
}
