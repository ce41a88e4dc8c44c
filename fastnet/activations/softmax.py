"""The softmax, which turns numbers into probabilities."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastnet import checks, kernels
from fastnet.activations.base import Activation, float32_copy
from fastnet.checks import Floats


class Softmax(Activation):
    """exp(x) / sum exp(x) over the last axis: positive numbers whose sum is 1."""

    _is_taped = True
    name = "softmax"
    of_sums = False
    elementwise = False

    def __call__(self, x: Any, axis: int = -1) -> Floats:
        """Returns the softmax of x along one axis.

        Raises:
            ValueError: if x has no such axis.
        """
        z, shape = float32_copy(x)
        if not -len(shape) <= checks.integer("axis", axis, least=-64) < len(shape):
            raise ValueError(f"axis is {axis}, but x has shape {shape}")
        if not z.size:
            return z
        z = np.moveaxis(z, axis, -1)
        units = z.shape[-1]
        rows = np.zeros((z.size // units, kernels.padded(units)), np.float32)
        rows[:, :units] = z.reshape(-1, units)
        self.forward(rows, units)
        return np.ascontiguousarray(np.moveaxis(rows[:, :units].reshape(z.shape), -1, axis))

    def derivative(self, x: Any) -> Floats:
        raise NotImplementedError("softmax mixes the units, so it has no derivative by element; see backward()")

    def forward(self, z: Floats, units: int) -> None:
        kernels.softmax(z, units, z)

    def backward(self, y: Floats, dy: Floats, units: int) -> None:
        kernels.softmax_backward(y, units, dy)
