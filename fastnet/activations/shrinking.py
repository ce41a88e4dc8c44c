"""Activations that shrink x towards 0, or replace it where it is small: hard_shrink, soft_shrink, tanh_shrink."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastnet import checks
from fastnet.activations.base import NumpyActivation
from fastnet.checks import Floats


class HardShrink(NumpyActivation):
    """x where |x| > threshold, else 0.

    Source: D. Donoho and I. Johnstone, "Ideal spatial adaptation by wavelet shrinkage", 1994, "hard thresholding".

    Args:
        threshold: at least 0.

    Raises:
        ValueError, TypeError: if `threshold` is invalid.

    Example:
        >>> HardShrink()([-2.0, 0.25])
        array([-2.,  0.], dtype=float32)
    """

    name = "hard_shrink"

    def __init__(self, threshold: float = 0.5) -> None:
        self.threshold = checks.float32_number("threshold", threshold, least=0)

    def __call__(self, x: Any, threshold: float | None = None) -> Floats:
        """Returns the activation of x, with another threshold if one is given."""
        return super().__call__(x) if threshold is None else type(self)(threshold)(x)

    def value(self, x: Floats) -> Floats:
        return np.where(np.abs(x) <= np.float32(self.threshold), np.float32(0), x)

    def slope(self, x: Floats) -> Floats:
        return (np.abs(x) > np.float32(self.threshold)).astype(np.float32)

    def get_config(self) -> dict[str, Any]:
        return {} if self.threshold == 0.5 else {"threshold": self.threshold}


class SoftShrink(HardShrink):
    """x moved towards 0 by `threshold`: sign(x) max(|x| - threshold, 0). The derivative is that of hard_shrink.

    Source, argument and errors are those of `HardShrink`; the source calls it "soft thresholding".

    Example:
        >>> SoftShrink()([-2.0, 0.25])
        array([-1.5,  0. ], dtype=float32)
    """

    name = "soft_shrink"

    def value(self, x: Floats) -> Floats:
        threshold = np.float32(self.threshold)
        return x - np.clip(x, -threshold, threshold)


class TanhShrink(NumpyActivation):
    """x - tanh(x); the derivative is tanh(x)^2."""

    name = "tanh_shrink"

    def value(self, x: Floats) -> Floats:
        exact = x.astype(np.float64)  # near 0 the result is x^3 / 3, which the difference of two float32 would lose
        return (exact - np.tanh(exact)).astype(np.float32)

    def slope(self, x: Floats) -> Floats:
        return np.square(np.tanh(x))


class Threshold(NumpyActivation):
    """x where x > threshold, else `default_value`; the derivative is 1 where x > threshold, else 0.

    Args:
        threshold: the x above which the output is x.
        default_value: the output for all other x.

    Raises:
        ValueError: if an argument is not finite.
        TypeError: if an argument is not a number.

    Example:
        >>> Threshold(1.0, -9.0)([0.5, 2.0])
        array([-9.,  2.], dtype=float32)
    """

    name = "threshold"

    def __init__(self, threshold: float = 0.0, default_value: float = 0.0) -> None:
        self.threshold = checks.float32_number("threshold", threshold)
        self.default_value = checks.float32_number("default_value", default_value)

    def __call__(self, x: Any, threshold: float | None = None, default_value: float | None = None) -> Floats:
        """Returns the activation of x, with other arguments if they are given."""
        if threshold is None and default_value is None:
            return super().__call__(x)
        given = {"threshold": threshold, "default_value": default_value}
        return Threshold(**self.get_config() | {name: value for name, value in given.items() if value is not None})(x)

    def value(self, x: Floats) -> Floats:
        return np.where(x <= np.float32(self.threshold), np.float32(self.default_value), x)

    def slope(self, x: Floats) -> Floats:
        return (~(x <= np.float32(self.threshold))).astype(np.float32)

    def get_config(self) -> dict[str, Any]:
        both = {"threshold": self.threshold, "default_value": self.default_value}
        return {name: value for name, value in both.items() if value}
