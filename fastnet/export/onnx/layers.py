"""The operators of each layer: how a network becomes a graph.

Each function adds the nodes of one kind of layer: it takes the name of the layer's input, and returns that of its
output. A file has no training, so Dropout and noise add nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from fastnet import layers
from fastnet.checks import Floats
from fastnet.export.kinds import kind_of
from fastnet.export.onnx.activations import write_activation
from fastnet.export.onnx.categories import CATEGORICAL
from fastnet.export.onnx.graph import Graph
from fastnet.layers.activation import ActivationLayer
from fastnet.layers.affine_normalization import AffineNormalization
from fastnet.layers.base import Layer, Shape
from fastnet.layers.normalization import LEAST_DEVIATION


def write_layer(graph: Graph, layer: Layer, x: str) -> str:
    """Adds the nodes of a layer.

    Args:
        graph: the graph.
        layer: the layer.
        x: the name of its input.

    Returns:
        The name of its output.

    Raises:
        ValueError: if it is a user's own layer, or fastnet has no operators for it.
    """
    kind = kind_of(layer)
    write = LAYERS.get(kind) or CATEGORICAL.get(kind)
    if write is None:
        raise ValueError(
            f"layer {layer.name!r} of class {type(layer).__name__} cannot be exported to ONNX: it is Python code, and "
            "ONNX has standard operators alone. Use layers of fastnet instead; or export the part of the model before "
            "it, as with Model(model.inputs, model.layers[i].output), and compute the rest in the other program"
        )
    return write(graph, layer, x)


def nothing(graph: Graph, layer: Layer, x: str) -> str:
    """Adds nothing: outside of training, the layer returns its input."""
    return x


def dense(graph: Graph, layer: layers.Dense, x: str) -> str:
    """activation(x kernel + bias). Gemm computes the product and the sum, for rows; MatMul takes more axes."""
    kernel = graph.weight("kernel", layer.kernel.numpy())
    shape = _shape(layer.input_shape)
    if layer.bias is None:
        sums = graph.node("MatMul", x, kernel)
    else:
        bias = graph.weight("bias", layer.bias.numpy())
        if len(shape) == 1:
            sums = graph.node("Gemm", x, kernel, bias)
        else:
            sums = graph.node("Add", graph.node("MatMul", x, kernel), bias)
    return write_activation(graph, layer.activation, sums, layer.units, layer.name)


def activation(graph: Graph, layer: ActivationLayer, x: str) -> str:
    units = [1, *_shape(layer.input_shape)][-1]
    return write_activation(graph, layer.activation, x, units, layer.name)


def softmax(graph: Graph, layer: layers.Softmax, x: str) -> str:
    """exp(x) / sum exp(x). The largest x is subtracted first, which changes nothing but prevents infinity."""
    if len(layer._axes) == 1:
        return graph.node("Softmax", x, axis=layer._axes[0])
    powers = graph.node("Exp", graph.node("Sub", x, graph.reduce("ReduceMax", x, layer._axes)))
    return graph.node("Div", powers, graph.reduce("ReduceSum", powers, layer._axes))


def prelu(graph: Graph, layer: layers.PReLU, x: str) -> str:
    return graph.node("PRelu", x, graph.weight("alpha", layer.alpha.numpy()))


# Shapes ---------------------------------------------------------------------------------------------------------------


def reshape(graph: Graph, layer: Layer, x: str) -> str:
    return _reshaped(graph, x, _shape(layer.output_shape))


def permute(graph: Graph, layer: layers.Permute, x: str) -> str:
    return graph.node("Transpose", x, perm=[0, *layer.dims])


def repeat_vector(graph: Graph, layer: layers.RepeatVector, x: str) -> str:
    return graph.node("Tile", graph.node("Unsqueeze", x, [1]), [1, layer.n, 1])


def pooling(graph: Graph, layer: layers.GlobalAveragePooling1D, x: str) -> str:
    return graph.reduce("ReduceMean", x, [layer._axis], keep=layer.keepdims)


# Normalization --------------------------------------------------------------------------------------------------------


def rescaling(graph: Graph, layer: layers.Rescaling, x: str) -> str:
    """x scale + offset."""
    scale, offset = (
        graph.weight(name, value) if np.ndim(value) else float(value)
        for name, value in (("scale", layer.scale), ("offset", layer.offset))
    )
    if scale != 1:
        x = graph.node("Mul", x, scale)
    return graph.node("Add", x, offset) if offset != 0 else x


def normalization(graph: Graph, layer: layers.Normalization, x: str) -> str:
    """(x - mean) / sqrt(variance), or its inverse. The root is at least 1e-7."""
    parts = zip(("mean", "variance"), layer._moments_in_use(), strict=True)
    mean, variance = (graph.weight(name, array[0]) for name, array in parts)
    root = graph.node("Max", graph.node("Sqrt", variance), LEAST_DEVIATION)
    if layer.invert:
        return graph.node("Add", graph.node("Mul", x, root), mean)
    return graph.node("Div", graph.node("Sub", x, mean), root)


def batch_normalization(graph: Graph, layer: layers.BatchNormalization, x: str) -> str:
    """gamma (x - mean) / sqrt(variance + epsilon) + beta, with the moving averages.

    The operator BatchNormalization computes x factor + summand. Far from 0, the two would cancel.
    """
    moments = (("moving_mean", layer.moving_mean), ("moving_variance", layer.moving_variance))
    mean, variance = (graph.weight(name, _fitting(part.numpy(), layer._shape)) for name, part in moments)
    root = graph.node("Sqrt", graph.node("Add", variance, float(layer.epsilon)))
    return _affine(graph, layer, graph.node("Div", graph.node("Sub", x, mean), root), layer._shape)


def layer_normalization(graph: Graph, layer: layers.LayerNormalization, x: str) -> str:
    return _affine(graph, layer, _normalized(graph, x, layer._axes, layer.epsilon), layer._shape)


def group_normalization(graph: Graph, layer: layers.GroupNormalization, x: str) -> str:
    """Splits the axis of the features into groups and features of a group, and normalizes along the others."""
    grouped = _reshaped(graph, x, layer._split[1:])
    normalized = _normalized(graph, grouped, layer._grouped, layer.epsilon)
    return _affine(graph, layer, _reshaped(graph, normalized, _shape(layer.input_shape)), layer._shape)


def rms_normalization(graph: Graph, layer: layers.RMSNormalization, x: str) -> str:
    """scale x / sqrt(mean(x^2) + epsilon)."""
    square = graph.reduce("ReduceMean", graph.node("Mul", x, x), layer._axes)
    scale = graph.weight("scale", _fitting(layer.scale.numpy(), layer._shape))
    return graph.node("Mul", graph.node("Div", x, _root(graph, square, layer.epsilon)), scale)


def unit_normalization(graph: Graph, layer: layers.UnitNormalization, x: str) -> str:
    """x / sqrt(sum x^2). The root is at least 1e-12."""
    return graph.node("Div", x, graph.node("Max", graph.reduce("ReduceL2", x, layer._axes), 1e-12))


def _normalized(graph: Graph, x: str, axes: Sequence[int], epsilon: float) -> str:
    """Returns x with mean 0 and variance 1 along some axes.

    The mean is subtracted twice: the second time it is the rounding error of the first. So numbers far from 0 keep
    their digits, which the operator LayerNormalization does not promise.
    """
    for _ in range(2):
        x = graph.node("Sub", x, graph.reduce("ReduceMean", x, axes))
    variance = graph.reduce("ReduceMean", graph.node("Mul", x, x), axes)
    return graph.node("Div", x, _root(graph, variance, epsilon))


def _root(graph: Graph, variance: str, epsilon: float) -> str:
    """Returns sqrt(variance + epsilon). If that is 0, so is what is divided by it, and 1 does instead."""
    if epsilon:
        return graph.node("Sqrt", graph.node("Add", variance, float(epsilon)))
    root = graph.node("Sqrt", variance)
    return graph.node("Where", graph.node("Greater", root, 0.0), root, 1.0)


def _affine(graph: Graph, layer: AffineNormalization, normalized: str, shape: Shape) -> str:
    """Returns gamma n + beta; `shape` is the shape in which gamma and beta fit a batch."""
    y = normalized
    if layer.gamma is not None:
        y = graph.node("Mul", y, graph.weight("gamma", _fitting(layer.gamma.numpy(), shape)))
    if layer.beta is not None:
        y = graph.node("Add", y, graph.weight("beta", _fitting(layer.beta.numpy(), shape)))
    return y


def _fitting(array: Floats, shape: Shape) -> Floats:
    """Returns the array in the shape of an example in which it fits a batch, such as (4, 1) for (1, 4, 1)."""
    return array.reshape(shape[1:])


def _reshaped(graph: Graph, x: str, shape: Shape) -> str:
    """Returns x with examples of another shape. In the operator's argument, 0 keeps the length of the batch."""
    return graph.node("Reshape", x, [0, *shape])


def _shape(shape: Shape | None) -> Shape:
    assert shape is not None  # the layer is built
    return shape


LAYERS: dict[str | None, Callable[[Graph, Any, str], str]] = {
    "Activation": activation,
    "ActivityRegularization": nothing,
    "AlphaDropout": nothing,
    "BatchNormalization": batch_normalization,
    "Dense": dense,
    "Dropout": nothing,
    "ELU": activation,
    "Flatten": reshape,
    "GaussianDropout": nothing,
    "GaussianNoise": nothing,
    "GlobalAveragePooling1D": pooling,
    "GroupNormalization": group_normalization,
    "Identity": nothing,
    "LayerNormalization": layer_normalization,
    "LeakyReLU": activation,
    "Normalization": normalization,
    "PReLU": prelu,
    "Permute": permute,
    "RMSNormalization": rms_normalization,
    "ReLU": activation,
    "RepeatVector": repeat_vector,
    "Rescaling": rescaling,
    "Reshape": reshape,
    "Softmax": softmax,
    "UnitNormalization": unit_normalization,
}
