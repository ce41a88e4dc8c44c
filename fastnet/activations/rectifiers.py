"""Relatives of relu that are rarely used, and log_sigmoid: NumPy computes them."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from fastnet import checks
from fastnet.activations.base import NumpyActivation
from fastnet.checks import LARGEST, Floats


class Celu(NumpyActivation):
    """x where it is positive, else alpha (exp(x / alpha) - 1). The derivative has no jump at 0, for any alpha.

    Source: J. Barron, "Continuously differentiable exponential linear units", 2017.

    Args:
        alpha: minus the limit that the output approaches for negative x; above 0.

    Raises:
        ValueError: if `alpha` is not above 0.
        TypeError: if `alpha` is not a number.
    """

    name = "celu"

    def __init__(self, alpha: float = 1.0) -> None:
        self.alpha = checks.float32_number("alpha", alpha, least=0)
        if not self.alpha:
            raise ValueError(f"alpha must be above 0, got {alpha!r}")

    def __call__(self, x: Any, alpha: float | None = None) -> Floats:
        """Returns the activation of x, with another alpha if one is given."""
        return super().__call__(x) if alpha is None else Celu(alpha)(x)

    def value(self, x: Floats) -> Floats:
        alpha = np.float32(self.alpha)
        return np.maximum(x, np.float32(0)) + alpha * np.expm1(np.minimum(x, np.float32(0)) / alpha)

    def slope(self, x: Floats) -> Floats:
        return np.exp(np.minimum(x, np.float32(0)) / np.float32(self.alpha))

    def get_config(self) -> dict[str, Any]:
        return {} if self.alpha == 1 else {"alpha": self.alpha}


class HardSilu(NumpyActivation):
    """x times `HardSigmoid` of x, also called hard_swish; the derivative is x / 3 + 1/2 between -3 and 3.

    Source: A. Howard et al., "Searching for MobileNetV3", 2019.
    """

    name = "hard_silu"

    def value(self, x: Floats) -> Floats:
        share = np.clip(x + np.float32(3), np.float32(0), np.float32(6)) / np.float32(6)
        return np.where(x <= -3, np.float32(0), x * share)

    def slope(self, x: Floats) -> Floats:
        return np.where(x <= -3, np.float32(0), np.where(x >= 3, np.float32(1), x / np.float32(3) + np.float32(0.5)))


class LogSigmoid(NumpyActivation):
    """log(1 / (1 + exp(-x))) = min(x, 0) - log(1 + exp(-|x|)); the derivative is the sigmoid of -x."""

    name = "log_sigmoid"

    def value(self, x: Floats) -> Floats:
        return np.minimum(x, np.float32(0)) - np.log1p(np.exp(-np.abs(x)))

    def slope(self, x: Floats) -> Floats:
        return sigmoid(-x)


class Mish(NumpyActivation):
    """x tanh(softplus(x)). With t = tanh(softplus(x)), the derivative is t + x (1 - t^2) sigmoid(x).

    With e = exp(x): t = e (e + 2) / (e (e + 2) + 2), and 1 - t^2 = 4 (e + 1)^2 / (e (e + 2) + 2)^2.

    Source: D. Misra, "Mish: a self regularized non-monotonic activation function", 2019.
    """

    name = "mish"

    def value(self, x: Floats) -> Floats:
        return np.maximum(x, np.float32(-LARGEST)) * _parts(x)[0]  # infinity times 0 would be NaN

    def slope(self, x: Floats) -> Floats:
        x = np.maximum(x, np.float32(-LARGEST))
        t, rest = _parts(x)
        return t + np.where(x > 20, np.float32(0), x * rest * sigmoid(x))


def _parts(x: Floats) -> tuple[Floats, Floats]:
    """Returns t = tanh(softplus(x)) and 1 - t^2."""
    e = np.exp(np.minimum(x, np.float32(20)))  # above 20, t is 1 in float32
    n = e * (e + np.float32(2))
    return n / (n + np.float32(2)), np.square(np.float32(2) * (e + np.float32(1)) / (n + np.float32(2)))


class SparsePlus(NumpyActivation):
    """0 up to -1, (x + 1)^2 / 4 between -1 and 1, then x: a softplus that reaches 0. Its derivative: sparse_sigmoid.

    Source: A. Martins and R. Astudillo, "From softmax to sparsemax", 2016: the loss of sparsemax for two classes.
    """

    name = "sparse_plus"

    def value(self, x: Floats) -> Floats:
        inside = np.square(np.clip(x, np.float32(-1), np.float32(1)) + np.float32(1)) / np.float32(4)
        return np.where(x >= 1, x, inside)

    def slope(self, x: Floats) -> Floats:
        return np.clip((x + np.float32(1)) / np.float32(2), np.float32(0), np.float32(1))


class Squareplus(NumpyActivation):
    """(x + sqrt(x^2 + b)) / 2: a softplus without exp; the derivative is (1 + x / sqrt(x^2 + b)) / 2.

    Source: J. Barron, "Squareplus: a softplus-like algebraic rectifier", 2021.

    Args:
        b: how round the corner is; at least 0, where 0 gives relu.

    Raises:
        ValueError, TypeError: if `b` is invalid.
    """

    name = "squareplus"

    def __init__(self, b: float = 4) -> None:
        self.b = checks.float32_number("b", b, least=0)

    def __call__(self, x: Any, b: float | None = None) -> Floats:
        """Returns the activation of x, with another b if one is given."""
        return super().__call__(x) if b is None else Squareplus(b)(x)

    def value(self, x: Floats) -> Floats:
        length = self._length(x) + np.abs(x).astype(np.float64)
        # For negative x, x + sqrt(x^2 + b) would cancel: it is b / (sqrt(x^2 + b) - x).
        return np.where(x < 0, self.b / np.where(length == 0, 1, length), length).astype(np.float32) / np.float32(2)

    def slope(self, x: Floats) -> Floats:
        x = np.clip(x, np.float32(-LARGEST), np.float32(LARGEST))  # infinity over infinity would be NaN
        length = self._length(x)
        share = x / np.where(length == 0, 1, length)
        # 1 + share would cancel where share is almost -1: (1 - share^2) / (1 - share) = b / length^2 / (1 - share).
        rest = self.b / np.where(length == 0, 1, np.square(length)) / (1 + np.abs(share))
        return np.where(x < 0, rest / 2, (1 + share) / 2).astype(np.float32)

    def _length(self, x: Floats) -> np.ndarray[Any, np.dtype[np.float64]]:
        return np.hypot(x.astype(np.float64), math.sqrt(self.b))

    def get_config(self) -> dict[str, Any]:
        return {} if self.b == 4 else {"b": self.b}


def sigmoid(x: Floats) -> Floats:
    """Returns 1 / (1 + exp(-x)) for an array. exp may overflow to infinity, which gives 0."""
    with np.errstate(over="ignore"):
        return np.float32(1) / (np.float32(1) + np.exp(-x))
