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
    of_sums = False  # whether `backward` needs the sums z instead of the output y

    def __call__(self, x: Any) -> Floats:
        """The function on a copy of `x`, an array whose last axis is the units'."""
        return checks.numeric("x", x).astype(np.float32)

    def forward(self, z: Floats, units: int) -> None:
        """Makes y of z, unless the epilogue has done it."""

    def backward(self, y: Floats, dy: Floats, units: int) -> None:
        """Makes dz of dy, for the layer's output y."""

    def __repr__(self) -> str:
        return self.name


class InEpilogue(Activation):
    """Base of those that a product's epilogue computes, and whose way back is a kernel too."""

    def __call__(self, x: Any) -> Floats:
        z = np.atleast_1d(super().__call__(x))
        whole = np.zeros((1, kernels.padded(z.size)), np.float32)
        whole[0, : z.size] = z.reshape(-1)
        kernels.activation_forward(self.epilogue, whole)
        return whole[0, : z.size].reshape(z.shape)

    def backward(self, y: Floats, dy: Floats, units: int) -> None:
        kernels.activation_backward(self.epilogue, y, dy)


class Relu(InEpilogue):
    """max(x, 0); its gradient is 1 where the output is positive, else 0."""

    name = "relu"
    epilogue = kernels.RELU


class Sigmoid(InEpilogue):
    """1 / (1 + exp(-x)): a number between 0 and 1; its gradient is y (1 - y)."""

    name = "sigmoid"
    epilogue = kernels.SIGMOID


class Tanh(InEpilogue):
    """The hyperbolic tangent: a number between -1 and 1; its gradient is 1 - y^2."""

    name = "tanh"
    epilogue = kernels.TANH


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
sigmoid = Sigmoid()
softmax = Softmax()
tanh = Tanh()

_BY_NAME = {activation.name: activation for activation in (linear, relu, sigmoid, softmax, tanh)}


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
