"""The softmax, which turns numbers into probabilities, and the base of all activations of a row."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from fastnet import checks, kernels
from fastnet.activations.base import Activation, float32_copy
from fastnet.checks import Floats


class RowActivation(Activation):
    """Base of the activations that mix the units of a row: a subclass has `forward` and `backward`."""

    of_sums = False
    elementwise = False

    def __call__(self, x: Any, axis: int | Sequence[int] = -1) -> Floats:
        """Returns the activation of x along one axis, or along several as if they were one.

        Raises:
            ValueError: if x has no such axis.
        """
        z, shape = float32_copy(x)
        axes = [checks.integer("axis", entry, least=-64) for entry in checks.entries(axis)]
        if not axes or any(not -len(shape) <= entry < len(shape) for entry in axes):
            raise ValueError(f"axis is {axis}, but x has shape {shape}")
        if not z.size:
            return z
        places = range(-len(axes), 0)
        z = np.moveaxis(z, axes, places)
        units = math.prod(z.shape[-len(axes) :])
        rows = np.zeros((z.size // units, kernels.padded(units)), np.float32)
        rows[:, :units] = z.reshape(-1, units)
        self.forward(rows, units)
        return np.ascontiguousarray(np.moveaxis(rows[:, :units].reshape(z.shape), places, axes))

    def derivative(self, x: Any) -> Floats:
        raise NotImplementedError(f"{self.name} mixes the units, so it has no derivative by element; see backward()")


class Softmax(RowActivation):
    """exp(x) / sum exp(x) over the last axis: positive numbers whose sum is 1."""

    _is_taped = True
    name = "softmax"

    def forward(self, z: Floats, units: int) -> None:
        kernels.softmax(z, units, z)

    def backward(self, y: Floats, dy: Floats, units: int) -> None:
        kernels.softmax_backward(y, units, dy)
