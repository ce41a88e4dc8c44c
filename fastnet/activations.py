"""Activation functions: what a layer makes of its weighted sums.

Three things belong to each, side by side: the function on an array, for whoever calls it; whether a product's epilogue
computes it in passing; and the way back, which turns the gradient by the output into the gradient by the sums.
"""

from typing import Any

import numpy as np

from fastnet import checks, kernels
from fastnet.checks import Floats


class Activation:
    """Base of all activations: linear unless a method says otherwise.

    `forward` and `backward` work in place on a layer's workspace, (B, ld) float32, of which `units` columns count.
    """

    name = "linear"
    epilogue = kernels.LINEAR  # what the product before it computes in passing

    def __call__(self, x: Any) -> Floats:
        """The function on a copy of `x`, an array whose last axis is the units'."""
        return checks.numeric("x", x).astype(np.float32)

    def forward(self, z: Floats, units: int) -> None:
        """Makes y of z, unless the epilogue has done it."""

    def backward(self, y: Floats, dy: Floats, units: int) -> None:
        """Makes dz of dy, for the layer's output y."""

    def __repr__(self) -> str:
        return self.name


class Relu(Activation):
    """max(x, 0); its gradient is 1 where the output is positive, else 0."""

    name = "relu"
    epilogue = kernels.RELU

    def __call__(self, x: Any) -> Floats:
        return np.maximum(super().__call__(x), np.float32(0))

    def backward(self, y: Floats, dy: Floats, units: int) -> None:
        kernels.relu_backward(y, dy)


class Softmax(Activation):
    """exp(x) / sum exp(x) over the last axis: positive numbers that add to 1."""

    name = "softmax"

    def __call__(self, x: Any) -> Floats:
        z = np.atleast_1d(super().__call__(x))
        rows = np.ascontiguousarray(z.reshape(-1, z.shape[-1]))
        whole = np.zeros((len(rows), kernels.padded(rows.shape[1])), np.float32)
        whole[:, : rows.shape[1]] = rows
        self.forward(whole, rows.shape[1])
        return whole[:, : rows.shape[1]].reshape(z.shape)

    def forward(self, z: Floats, units: int) -> None:
        kernels.softmax(z, units, z)

    def backward(self, y: Floats, dy: Floats, units: int) -> None:
        kernels.softmax_backward(y, units, dy)


linear = Activation()
relu = Relu()
softmax = Softmax()

_BY_NAME = {activation.name: activation for activation in (linear, relu, softmax)}


def get(identifier: Any) -> Activation:
    """The activation of a name, the object itself, or linear for None.

    Raises:
        ValueError: if there is none of that name.
        TypeError: if it is neither a name nor an activation.
    """
    if identifier is None:
        return linear
    if isinstance(identifier, Activation):
        return identifier
    return checks.choose("activation", identifier, _BY_NAME)
