"""`Initializer`, the base of all, and what fastnet's own initializers share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastnet import checks
from fastnet.checks import Floats
from fastnet.recorded import Recorded, arguments

Shape = tuple[int, ...]


class Initializer(Recorded):
    """Base of all initializers: an object that is called with a shape and returns a float32 array of that shape."""

    def __call__(self, shape: Shape, dtype: Any = None) -> Floats:
        raise NotImplementedError(f"{type(self).__name__} has no __call__()")

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments that differ from their defaults."""
        return {}

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{k}={v!r}' for k, v in self._shown().items())})"


class Filler(Initializer):
    """Base of fastnet's own initializers: `fill` returns the numbers, `__call__` checks the shape before.

    Each argument of a constructor is an attribute of the same name.
    """

    def __call__(self, shape: Shape, dtype: Any = None) -> Floats:
        """Returns a new array.

        Args:
            shape: an integer or a sequence of integers, each at least 0.
            dtype: ``"float32"`` or None, which is the same.

        Raises:
            ValueError: if a number of `shape` is negative, `dtype` is another, or the initializer needs other axes.
            TypeError: if `shape` is not a shape.
        """
        checks.float32_only(dtype)
        try:
            dimensions = checks.entries(shape)
        except TypeError:
            raise TypeError(f"shape must be a shape such as (784, 10), got {shape!r}") from None
        return np.asarray(self.fill(tuple(checks.integer("shape", n, least=0) for n in dimensions)), np.float32)

    def fill(self, shape: Shape) -> NDArray[Any]:
        """Returns an array of a shape that has been checked; any type of number will do."""
        raise NotImplementedError

    def get_config(self) -> dict[str, Any]:
        return arguments(self)


class Function(Initializer):
    """A function as an initializer. A model with it can be trained, but not saved, since code is not saved.

    Args:
        function: called with a shape; returns an array of that shape.
    """

    def __init__(self, function: Callable[..., Any]) -> None:
        self.function = function

    def __call__(self, shape: Shape, dtype: Any = None) -> Floats:
        array = np.asarray(self.function(shape), np.float32)
        if array.shape != tuple(shape):
            raise ValueError(f"initializer {self.function!r} returned shape {array.shape}, expected {tuple(shape)}")
        return array

    def get_config(self) -> dict[str, Any]:
        raise TypeError(
            f"the initializer {self.function!r} is a function and cannot be described: make it a subclass of "
            "fastnet.initializers.Initializer"
        )

    def __repr__(self) -> str:
        return f"Function({self.function!r})"


def initial_value(initializer: Initializer, shape: Shape, owner: str) -> Floats:
    """Returns the initial value of a weight, after checking what the initializer returned.

    Args:
        initializer: called with the shape.
        shape: the shape of the weight.
        owner: the weight's name in errors, such as ``dense/kernel``.

    Raises:
        ValueError: if the initializer returns an array of another shape, or a number that is not finite.
        TypeError: if it does not return numbers.
    """
    returned = f"{owner}: what the initializer {initializer!r} returned"
    array = checks.numeric(returned, initializer(shape))
    if array.shape != shape:
        raise ValueError(f"{returned} has shape {array.shape}; expected {shape}")
    return checks.as_float32(returned, array)
