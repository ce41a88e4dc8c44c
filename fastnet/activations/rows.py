"""Activations of a row of numbers that are rarely used: log_softmax, sparsemax, glu."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastnet import checks
from fastnet.activations.base import SILENT, Activation, float32_copy
from fastnet.activations.rectifiers import sigmoid
from fastnet.activations.softmax import RowActivation
from fastnet.checks import Floats


class LogSoftmax(RowActivation):
    """x - log sum exp(x) over the last axis: the logarithm of softmax.

    With the gradient dy with respect to the output, that with respect to x is dy - softmax(x) sum(dy).
    """

    name = "log_softmax"

    def forward(self, z: Floats, units: int) -> None:
        x = z[:, :units]
        with np.errstate(**SILENT):
            x -= x.max(axis=1, keepdims=True)
            x -= np.log(np.exp(x).sum(axis=1, keepdims=True, dtype=np.float64)).astype(np.float32)

    def backward(self, y: Floats, dy: Floats, units: int) -> None:
        with np.errstate(**SILENT):
            dy[:, :units] -= np.exp(y[:, :units]) * dy[:, :units].sum(axis=1, keepdims=True)


class Sparsemax(RowActivation):
    """The nearest point to x whose numbers are at least 0 and add up to 1: max(x - t, 0). Small numbers become 0.

    The number t is (x_1 + ... + x_k - 1) / k, where x_1 >= x_2 >= ... are the sorted numbers of the row, and k is the
    largest with 1 + k x_k > x_1 + ... + x_k. The gradient is dy minus its mean, over the places where y is above 0.

    Source: A. Martins and R. Astudillo, "From softmax to sparsemax", 2016, algorithm 1 and section 2.5.
    """

    name = "sparsemax"

    def forward(self, z: Floats, units: int) -> None:
        x = z[:, :units]
        with np.errstate(**SILENT):
            exact = (x - x.max(axis=1, keepdims=True)).astype(np.float64)  # t moves along with all numbers
            falling = -np.sort(-exact, axis=1)
            sums = falling.cumsum(axis=1)
            k = np.arange(1, units + 1)
            count = np.maximum((1 + k * falling > sums).sum(axis=1), 1)
            t = (sums[np.arange(len(x)), count - 1] - 1) / count
            x[:] = np.maximum(exact - t[:, None], 0)

    def backward(self, y: Floats, dy: Floats, units: int) -> None:
        above = y[:, :units] > 0
        kept = np.where(above, dy[:, :units], np.float32(0))
        mean = kept.sum(axis=1, keepdims=True) / np.maximum(above.sum(axis=1, keepdims=True), 1).astype(np.float32)
        dy[:, :units] = np.where(above, kept - mean, np.float32(0))


class Glu(Activation):
    """a sigmoid(b), where a and b are the two halves of the last axis: the output has half as many units.

    Only the layer ``Activation("glu")`` takes it, not Dense, whose number of outputs is its number of units.

    Source: Y. Dauphin et al., "Language modeling with gated convolutional networks", 2017.

    Example:
        >>> Glu()([[3.0, 5.0, 0.0, 1000.0]])
        array([[1.5, 5. ]], dtype=float32)
    """

    name = "glu"
    halves = True

    def __call__(self, x: Any, axis: int = -1) -> Floats:
        """Returns the activation of x along an axis.

        Raises:
            ValueError: if x has no such axis, or its length is odd.
        """
        z, shape = float32_copy(x)
        a, b = self._halves(z, shape, axis)
        return a * sigmoid(b)

    def gradient(self, x: Floats, dy: Floats) -> Floats:
        """Returns the gradient with respect to x, from that with respect to the output: dy s, dy a s (1 - s)."""
        a, b = self._halves(x, x.shape, -1)
        s = sigmoid(b)
        return np.concatenate([dy * s, dy * a * s * sigmoid(-b)], axis=-1)

    def output_shape(self, input_shape: tuple[int, ...]) -> tuple[int, ...]:
        if input_shape[-1] % 2:
            raise checks.ShapeError(f"glu halves the last axis, but examples have shape {input_shape}")
        return (*input_shape[:-1], input_shape[-1] // 2)

    def _halves(self, z: Floats, shape: tuple[int, ...], axis: Any) -> tuple[Floats, Floats]:
        axis = checks.integer("axis", axis, least=-64)
        if not -len(shape) <= axis < len(shape):
            raise ValueError(f"axis is {axis}, but x has shape {shape}")
        if shape[axis] % 2:
            raise ValueError(f"glu halves axis {axis}, but x has shape {shape}")
        a, b = np.split(z, 2, axis=axis)
        return a, b

    def derivative(self, x: Any) -> Floats:
        raise NotImplementedError("glu mixes the units, so it has no derivative by element; see gradient()")
