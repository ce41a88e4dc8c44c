"""Writes a model as an ONNX file, which ONNX Runtime and many other programs run.

An ONNX file is a graph. Its nodes are standard operators, such as Gemm for a matrix product and Relu. Its initializers
are the weights. `layers.py` says for each layer which operators compute it, and `activations.py` for each activation.

Source of the format: https://onnx.ai/onnx/intro/concepts.html, and https://onnx.ai/onnx/operators/ for the operators.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from types import ModuleType
from typing import Any

from fastnet import checks
from fastnet._version import __version__
from fastnet.export.onnx.graph import Graph
from fastnet.export.onnx.layers import write_layer
from fastnet.layers import Layer
from fastnet.saving.files import replace_file
from fastnet.training.stack import Stack

# The sets of standard operators (opsets) that this module writes. Reductions, for example, have another form before 13.
# ONNX Runtime 1.32 runs 28, its newest. A newer one may change an operator that is used here.
OLDEST_OPSET = 13
NEWEST_OPSET = 28
_ML_OPSET = 2  # the set of the additional operators for machine learning, of which the lookup layers need one
_SIZE_LIMIT = 2**31 - 1  # bytes of a file: the limit of protobuf, in which ONNX files are written


def write(model: Any, path: str, *, opset_version: Any = None) -> None:
    """Writes a model to an ONNX file.

    Args:
        model: a built model whose weights are finite.
        path: the file's name.
        opset_version: the set of standard operators, from 13; by default the newest that both the installed package
            onnx and ONNX Runtime 1.32 know.

    Raises:
        ImportError: if the package onnx is not installed.
        ValueError: if there are no standard operators for a layer or an activation, as for a user's own,
            `opset_version` is out of its range, or the file would have more than 2 GB.
        TypeError: if `opset_version` is not an integer.
        OSError: if the file cannot be written.
    """
    onnx = checks.optional("onnx", "onnx", "model.export to an .onnx file")
    opset = _opset(onnx, opset_version)
    _check_size(4 * sum(variable.size for variable in model.weights))
    made = _model(onnx, model, opset)
    _check_size(made.ByteSize())
    onnx.checker.check_model(made, full_check=True)
    replace_file(path, made.SerializeToString(deterministic=True))


def _opset(onnx: ModuleType, given: Any) -> int:
    newest: int = min(NEWEST_OPSET, onnx.defs.onnx_opset_version())
    if given is None:
        return newest
    opset = checks.integer("opset_version", given, least=OLDEST_OPSET)
    if opset > newest:
        raise ValueError(f"opset_version must be at most {newest} with onnx {onnx.__version__}, got {opset}")
    return opset


def _check_size(size: int) -> None:
    if size > _SIZE_LIMIT:
        raise ValueError(f"the model takes {size / 1e9:.1f} GB; an ONNX file has at most 2 GB")


def _model(onnx: ModuleType, model: Any, opset: int) -> Any:
    """Returns the content of the file, an `onnx.ModelProto`."""
    graph = Graph(onnx, opset)
    start = graph.take("input" if model._start is None else _input_name(model._start.layer.name))
    end = graph.take("output")
    x = start
    for path, layer in _layers_of(model):
        x = graph.write_layer(path, layer, x, write_layer)
    graph.end_with(x, end, start)
    assert model._input_shape is not None
    inputs = graph.value(start, model._input_shape, "the examples")
    outputs = graph.value(end, model._layers[-1].output_shape, "the predictions")
    opsets = [onnx.helper.make_opsetid("", opset)]
    if graph.needs_ml:
        opsets.append(onnx.helper.make_opsetid("ai.onnx.ml", _ML_OPSET))
    return onnx.helper.make_model(
        onnx.helper.make_graph(
            graph.nodes, graph.text(model.name), [inputs], [outputs], graph.initializers, value_info=graph.values
        ),
        opset_imports=opsets,
        ir_version=onnx.helper.find_min_ir_version_for(opsets),
        producer_name="fastnet",
        producer_version=__version__,
        doc_string=graph.text(repr(model)),
    )


def _input_name(name: str) -> str:
    """Returns the name that the user gave an Input; "input" if it has the name that fastnet gives."""
    return "input" if re.fullmatch(r"input_layer(_\d+)?", name) else name


def _layers_of(stack: Stack, path: str = "") -> Iterator[tuple[str, Layer]]:
    """Yields the layers and their names. A layer of a model inside the model is called ``model/layer``."""
    for entry in stack._entries:
        if isinstance(entry, Stack):
            yield from _layers_of(entry, f"{path}{entry.name}/")
        else:
            yield f"{path}{entry.name}", entry
