"""The operators of each activation. Where an operator of that name is less exact, others compute it as fastnet does."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from fastnet.activations import Celu, ClippedRelu, Elu, Gelu, HardShrink, Selu, Squareplus, Threshold
from fastnet.activations.base import Activation
from fastnet.export.kinds import kind_of
from fastnet.export.onnx.graph import Graph


def write_activation(graph: Graph, activation: Activation, x: str, units: int, owner: str) -> str:
    """Adds the nodes of an activation.

    Args:
        graph: the graph.
        activation: the activation.
        x: the name of the value that it is applied to.
        units: the length of the last axis of x.
        owner: the name of the layer, for the error.

    Returns:
        The name of the result.

    Raises:
        ValueError: if it is a user's own activation.
    """
    kind = kind_of(activation)
    if kind in _NAMED:
        return graph.node(_NAMED[kind], x)
    if kind not in ACTIVATIONS:
        raise ValueError(
            f"layer {owner!r} cannot be exported to ONNX: its activation {activation.name!r} is Python code of class "
            f"{type(activation).__name__}, and ONNX has standard operators alone. Use an activation of fastnet"
        )
    return ACTIVATIONS[kind](graph, activation, x, units)


def linear(graph: Graph, activation: Activation, x: str, units: int) -> str:
    return x


def clipped_relu(graph: Graph, activation: ClippedRelu, x: str, units: int) -> str:
    """min(x, limit) where x > threshold, else slope (x - threshold)."""
    slope, limit, threshold = activation.numbers
    if threshold == 0 and limit == math.inf:
        return graph.node("LeakyRelu", x, alpha=slope)
    if threshold == 0 == slope:
        return graph.node("Clip", x, 0.0, limit)
    above = x if limit == math.inf else graph.node("Min", x, limit)
    below = 0.0 if slope == 0 else graph.node("Mul", graph.node("Sub", x, threshold), slope)
    return graph.node("Where", graph.node("Greater", x, threshold), above, below)


def hard_sigmoid(graph: Graph, activation: Activation, x: str, units: int) -> str:
    return graph.node("HardSigmoid", x, alpha=1 / 6, beta=0.5)


def hard_silu(graph: Graph, activation: Activation, x: str, units: int) -> str:
    return graph.node("Mul", x, hard_sigmoid(graph, activation, x, units))


def hard_tanh(graph: Graph, activation: Activation, x: str, units: int) -> str:
    return graph.node("Clip", x, -1.0, 1.0)


def sparse_sigmoid(graph: Graph, activation: Activation, x: str, units: int) -> str:
    return graph.node("HardSigmoid", x, alpha=0.5, beta=0.5)


def elu(graph: Graph, activation: Elu, x: str, units: int) -> str:
    return graph.node("Elu", x, alpha=activation.alpha)


def selu(graph: Graph, activation: Selu, x: str, units: int) -> str:
    return graph.node("Selu", x, alpha=activation.alpha, gamma=activation._factor)


def celu(graph: Graph, activation: Celu, x: str, units: int) -> str:
    return graph.node("Celu", x, alpha=activation.alpha)


def gelu(graph: Graph, activation: Gelu, x: str, units: int) -> str:
    """x Phi(x). Exact: Phi(x) = (1 + erf(x / sqrt(2))) / 2. Else sigmoid(2 sqrt(2 / pi) (x + 0.044715 x^3))."""
    if activation.approximate:
        cube = graph.node("Mul", graph.node("Mul", graph.node("Mul", x, x), x), 0.044715)
        inner = graph.node("Mul", graph.node("Add", x, cube), 2 * math.sqrt(2 / math.pi))
        return graph.node("Mul", x, graph.node("Sigmoid", inner))
    erf = graph.node("Erf", graph.node("Div", x, math.sqrt(2)))
    return graph.node("Mul", graph.node("Mul", x, graph.node("Add", erf, 1.0)), 0.5)


def silu(graph: Graph, activation: Activation, x: str, units: int) -> str:
    return graph.node("Mul", x, graph.node("Sigmoid", x))


def log_sigmoid(graph: Graph, activation: Activation, x: str, units: int) -> str:
    """log(1 / (1 + exp(-x))) = -log(1 + exp(-x))."""
    return graph.node("Neg", graph.node("Softplus", graph.node("Neg", x)))


def mish(graph: Graph, activation: Activation, x: str, units: int) -> str:
    """x tanh(softplus(x)) = x n / (n + 2), where n = e (e + 2) and e = exp(x). Above 20, the quotient is 1."""
    e = graph.node("Exp", graph.node("Min", x, 20.0))
    n = graph.node("Mul", e, graph.node("Add", e, 2.0))
    return graph.node("Mul", x, graph.node("Div", n, graph.node("Add", n, 2.0)))


def sparse_plus(graph: Graph, activation: Activation, x: str, units: int) -> str:
    """0 up to -1, (x + 1)^2 / 4 between -1 and 1, then x."""
    raised = graph.node("Add", graph.node("Clip", x, -1.0, 1.0), 1.0)
    inside = graph.node("Mul", graph.node("Mul", raised, raised), 0.25)
    return graph.node("Where", graph.node("GreaterOrEqual", x, 1.0), x, inside)


def squareplus(graph: Graph, activation: Squareplus, x: str, units: int) -> str:
    """(x + r) / 2 with r = sqrt(x^2 + b). For negative x the sum would cancel: it is b / (r - x)."""
    r = graph.node("Sqrt", graph.node("Add", graph.node("Mul", x, x), activation.b))
    length = graph.node("Add", r, graph.node("Abs", x))
    quotient = graph.node("Div", activation.b, length)
    return graph.node("Mul", graph.node("Where", graph.node("Less", x, 0.0), quotient, length), 0.5)


def hard_shrink(graph: Graph, activation: HardShrink, x: str, units: int) -> str:
    return graph.node("Shrink", x, lambd=activation.threshold, bias=0.0)


def soft_shrink(graph: Graph, activation: HardShrink, x: str, units: int) -> str:
    return graph.node("Shrink", x, lambd=activation.threshold, bias=activation.threshold)


def tanh_shrink(graph: Graph, activation: Activation, x: str, units: int) -> str:
    return graph.node("Sub", x, graph.node("Tanh", x))


def threshold(graph: Graph, activation: Threshold, x: str, units: int) -> str:
    return graph.node("Where", graph.node("Greater", x, activation.threshold), x, activation.default_value)


def softmax(graph: Graph, activation: Activation, x: str, units: int) -> str:
    return graph.node("Softmax", x, axis=-1)


def log_softmax(graph: Graph, activation: Activation, x: str, units: int) -> str:
    return graph.node("LogSoftmax", x, axis=-1)


def sparsemax(graph: Graph, activation: Activation, x: str, units: int) -> str:
    """max(x - t, 0), where t is the greatest of (x_1 + ... + x_k - 1) / k, for x_1 >= x_2 >= ... and k = 1, 2, ...

    This t is the one in `fastnet.activations.Sparsemax`: from one k to the next the quotient grows exactly as long as
    1 + k x_k > x_1 + ... + x_k. As there, the largest number of the row is subtracted first.
    """
    x = graph.node("Sub", x, graph.reduce("ReduceMax", x, [-1]))
    falling = graph.node("TopK", x, [units], outputs=2, axis=-1)
    sums = graph.node("CumSum", falling, -1)
    counts = graph.weight("counts", np.arange(1, units + 1, dtype=np.float32))
    t = graph.reduce("ReduceMax", graph.node("Div", graph.node("Sub", sums, 1.0), counts), [-1])
    return graph.node("Relu", graph.node("Sub", x, t))


def glu(graph: Graph, activation: Activation, x: str, units: int) -> str:
    """a sigmoid(b), where a and b are the halves of the last axis."""
    a = graph.node("Slice", x, [0], [units // 2], [-1])
    b = graph.node("Slice", x, [units // 2], [units], [-1])
    return graph.node("Mul", a, graph.node("Sigmoid", b))


# The activations that have an operator of their own without arguments.
_NAMED = {
    "Exponential": "Exp",
    "Relu": "Relu",
    "Sigmoid": "Sigmoid",
    "Softplus": "Softplus",
    "Softsign": "Softsign",
    "Tanh": "Tanh",
}
ACTIVATIONS: dict[str | None, Callable[[Graph, Any, str, int], str]] = {
    "Celu": celu,
    "ClippedRelu": clipped_relu,
    "Elu": elu,
    "Gelu": gelu,
    "Glu": glu,
    "HardShrink": hard_shrink,
    "HardSigmoid": hard_sigmoid,
    "HardSilu": hard_silu,
    "HardTanh": hard_tanh,
    "LeakyRelu": clipped_relu,
    "Linear": linear,
    "LogSigmoid": log_sigmoid,
    "LogSoftmax": log_softmax,
    "Mish": mish,
    "Relu6": clipped_relu,
    "Selu": selu,
    "Silu": silu,
    "SoftShrink": soft_shrink,
    "Softmax": softmax,
    "SparsePlus": sparse_plus,
    "SparseSigmoid": sparse_sigmoid,
    "Sparsemax": sparsemax,
    "Squareplus": squareplus,
    "TanhShrink": tanh_shrink,
    "Threshold": threshold,
}
