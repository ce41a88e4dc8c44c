"""Activations made of straight lines: linear, relu and its relatives, hard_sigmoid, hard_tanh, sparse_sigmoid."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from fastnet import checks, kernels
from fastnet.activations.base import Activation, FusedActivation, KernelActivation, NumpyActivation, float32_copy
from fastnet.checks import Floats


class Linear(Activation):
    """x itself; the derivative is 1."""

    _is_taped = True
    name = "linear"
    of_sums = False

    def __call__(self, x: Any) -> Floats:
        z, shape = float32_copy(x)
        return z.reshape(shape)

    def derivative(self, x: Any) -> Floats:
        return np.ones(np.shape(x), np.float32)

    def forward(self, z: Floats, units: int) -> None:
        pass

    def backward(self, y: Floats, dy: Floats, units: int) -> None:
        pass


class Relu(FusedActivation):
    """max(x, 0); the derivative is 1 where x is positive, else 0."""

    name = "relu"
    epilogue = kernels.RELU

    def __call__(
        self, x: Any, negative_slope: float = 0.0, max_value: float | None = None, threshold: float = 0.0
    ) -> Floats:
        """Returns max(x, 0), or `ClippedRelu` of x if an argument is given."""
        if (negative_slope, max_value, threshold) == (0.0, None, 0.0):
            return super().__call__(x)
        return ClippedRelu(negative_slope, max_value, threshold)(x)

    def derivative(self, x: Any) -> Floats:
        z, shape = float32_copy(x)
        return (~(z <= 0)).astype(np.float32).reshape(shape)


class ClippedRelu(KernelActivation):
    """min(x, max_value) where x is above `threshold`, else negative_slope (x - threshold).

    The derivative is that of the line. At a corner it is that of the flatter line, as in TensorFlow.

    Args:
        negative_slope: slope of the line below the threshold.
        max_value: greatest output, at least 0; None means no limit.
        threshold: the x above which the output is x.

    Raises:
        ValueError: if an argument is out of its range.
        TypeError: if an argument is not a number.

    Example:
        >>> ClippedRelu(max_value=6)([-1, 3, 9])
        array([0., 3., 6.], dtype=float32)
    """

    which = kernels.CLIPPED_RELU

    def __init__(self, negative_slope: float = 0.0, max_value: float | None = None, threshold: float = 0.0) -> None:
        self.negative_slope = checks.float32_number("negative_slope", negative_slope)
        self.max_value = None if max_value is None else checks.float32_number("max_value", max_value, least=0)
        self.threshold = checks.float32_number("threshold", threshold)
        self.numbers = self.negative_slope, math.inf if self.max_value is None else self.max_value, self.threshold

    def get_config(self) -> dict[str, Any]:
        config: dict[str, Any] = {}
        if self.negative_slope:
            config["negative_slope"] = self.negative_slope
        if self.max_value is not None:
            config["max_value"] = self.max_value
        if self.threshold:
            config["threshold"] = self.threshold
        return config


class Relu6(ClippedRelu):
    """min(max(x, 0), 6)."""

    name = "relu6"

    def __init__(self) -> None:
        super().__init__(max_value=6)

    def get_config(self) -> dict[str, Any]:
        return {}


class LeakyRelu(ClippedRelu):
    """x where it is positive, else negative_slope x.

    Source: A. Maas et al., "Rectifier nonlinearities improve neural network acoustic models", 2013.

    Args:
        negative_slope: slope of the line for negative x.

    Raises:
        ValueError: if `negative_slope` is not finite.
        TypeError: if `negative_slope` is not a number.

    Example:
        >>> LeakyRelu(0.1)([-10, 10])
        array([-1., 10.], dtype=float32)
    """

    name = "leaky_relu"

    def __init__(self, negative_slope: float = 0.2) -> None:
        super().__init__(negative_slope)

    def __call__(self, x: Any, negative_slope: float | None = None) -> Floats:
        """Returns the activation of x, with another slope if one is given."""
        return super().__call__(x) if negative_slope is None else LeakyRelu(negative_slope)(x)

    def get_config(self) -> dict[str, Any]:
        return {} if self.negative_slope == 0.2 else {"negative_slope": self.negative_slope}


class HardSigmoid(NumpyActivation):
    """x / 6 + 1/2, limited to [0, 1]: a sigmoid made of straight lines."""

    name = "hard_sigmoid"

    def value(self, x: Floats) -> Floats:
        # (x + 3) / 6 has no rounding error near x = -3
        return np.clip(x + np.float32(3), np.float32(0), np.float32(6)) / np.float32(6)

    def slope(self, x: Floats) -> Floats:
        return np.where(np.abs(x) >= 3, np.float32(0), np.float32(1 / 6))


class HardTanh(NumpyActivation):
    """x, limited to [-1, 1]: a tanh made of straight lines."""

    name = "hard_tanh"

    def value(self, x: Floats) -> Floats:
        return np.clip(x, np.float32(-1), np.float32(1))

    def slope(self, x: Floats) -> Floats:
        return np.where(np.abs(x) >= 1, np.float32(0), np.float32(1))


class SparseSigmoid(NumpyActivation):
    """(x + 1) / 2, limited to [0, 1]: a sigmoid that reaches 0 and 1.

    Source: A. Martins and R. Astudillo, "From softmax to sparsemax", 2016: sparsemax for two classes.
    """

    name = "sparse_sigmoid"

    def value(self, x: Floats) -> Floats:
        return np.clip((x + np.float32(1)) / np.float32(2), np.float32(0), np.float32(1))

    def slope(self, x: Floats) -> Floats:
        return np.where(np.abs(x) >= 1, np.float32(0), np.float32(0.5))
