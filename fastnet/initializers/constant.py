"""Initializers without chance: zeros, ones, another number, the identity matrix."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastnet import checks
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
    """The same number everywhere, or the numbers of an array.

    Args:
        value: the number, or an array that has or can be broadcast to the weight's shape.

    Raises:
        ValueError: if `value` is not finite; in a call, if an array does not fit the shape.
        TypeError: if `value` does not hold numbers.

    Example:
        >>> Constant(0.5)((2,))
        array([0.5, 0.5], dtype=float32)
    """

    def __init__(self, value: Any = 0.0) -> None:
        if np.ndim(value):
            self.value: Any = checks.as_float32("value", checks.numeric("value", value))
        else:
            self.value = checks.float32_number("value", value)

    def fill(self, shape: Shape) -> NDArray[Any]:
        try:
            return np.array(np.broadcast_to(self.value, shape), np.float32)
        except ValueError:
            raise ValueError(f"value has shape {np.shape(self.value)}, but the weight has shape {shape}") from None

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        return {name: value.tolist() if isinstance(value, np.ndarray) else value for name, value in config.items()}


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
