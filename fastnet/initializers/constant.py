"""Initializers without chance: zeros, ones, another number, the identity matrix."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastnet.checks import float32_number
from fastnet.initializers.base import Filler, Shape


class Zeros(Filler):
    """All zeros, the usual start of a bias."""

    def fill(self, shape: Shape) -> NDArray[Any]:
        return np.zeros(shape, np.float32)


class Ones(Filler):
    """All ones, the usual start of a factor such as gamma."""

    def fill(self, shape: Shape) -> NDArray[Any]:
        return np.ones(shape, np.float32)


class Constant(Filler):
    """The same number everywhere.

    Args:
        value: the number.

    Raises:
        ValueError: if `value` is not finite.
        TypeError: if `value` is not a number.

    Example:
        >>> Constant(0.5)((2,))
        array([0.5, 0.5], dtype=float32)
    """

    def __init__(self, value: float = 0.0) -> None:
        self.value = float32_number("value", value)

    def fill(self, shape: Shape) -> NDArray[Any]:
        return np.full(shape, self.value, np.float32)


class Identity(Filler):
    """A matrix with `gain` on its diagonal and zeros elsewhere; it need not be square.

    Args:
        gain: the number on the diagonal.

    Raises:
        ValueError: if `gain` is not finite; in a call, if the shape does not have two axes.
        TypeError: if `gain` is not a number.
    """

    def __init__(self, gain: float = 1.0) -> None:
        self.gain = float32_number("gain", gain)

    def fill(self, shape: Shape) -> NDArray[Any]:
        if len(shape) != 2:
            raise ValueError(f"Identity can only fill a matrix, got shape {shape}")
        return np.float32(self.gain) * np.eye(*shape, dtype=np.float32)
