"""Sigmoids: S-shaped activations, whose outputs lie between two limits."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastnet import kernels
from fastnet.activations.base import SILENT, FusedActivation, NumpyActivation, float32_copy
from fastnet.checks import LARGEST, Floats


class Sigmoid(FusedActivation):
    """1 / (1 + exp(-x)), between 0 and 1; the derivative is y (1 - y)."""

    name = "sigmoid"
    epilogue = kernels.SIGMOID

    def derivative(self, x: Any) -> Floats:
        z, shape = float32_copy(x)
        return (self(z) * self(-z)).reshape(shape)


class Tanh(FusedActivation):
    """Hyperbolic tangent, between -1 and 1; the derivative is 1 - y^2."""

    name = "tanh"
    epilogue = kernels.TANH

    def derivative(self, x: Any) -> Floats:
        z, shape = float32_copy(x)
        sigmoid = Sigmoid()
        with np.errstate(**SILENT):  # 1 - y^2 would cancel where y is almost 1
            return (4 * sigmoid(2 * z) * sigmoid(-2 * z)).reshape(shape)


class Softsign(NumpyActivation):
    """x / (1 + |x|), between -1 and 1; the derivative is 1 / (1 + |x|)^2."""

    name = "softsign"

    def value(self, x: Floats) -> Floats:
        x = np.clip(x, np.float32(-LARGEST), np.float32(LARGEST))  # infinity over infinity would be NaN
        return np.divide(x, np.float32(1) + np.abs(x), dtype=np.float32)

    def slope(self, x: Floats) -> Floats:
        return np.square(np.float32(1) / (np.float32(1) + np.abs(x)))
