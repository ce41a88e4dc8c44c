"""The base of the layers that take whole numbers, such as indices of words, in the model's float32."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fastnet import checks
from fastnet.checks import Floats
from fastnet.layers.base import ALONE, Fused, Layer

if TYPE_CHECKING:
    from fastnet.optimizers import Sink

Integers = NDArray[np.int64]
LIMIT = 2**24  # up to here, float32 has all whole numbers


class WholeNumbersLayer(Layer):
    """Base of the layers whose input is whole numbers. They have no gradient with respect to it."""

    def outputs(self, x: Floats) -> Any:
        """Computes the output of a batch: what `Layer.call` does."""
        raise NotImplementedError

    def call(self, x: Floats, training: bool = False) -> Any:
        return self.outputs(x)

    def backward(
        self, x: Floats, y: Floats, dy: Floats, sink: Sink, need_dx: bool, fused: Fused = ALONE
    ) -> Floats | None:
        if need_dx:
            raise ValueError(
                f"layer {self.name!r} takes whole numbers, so no gradient reaches the trained layers before it: put "
                f"{type(self).__name__} in front"
            )
        if self.trainable_weights:
            super().backward(x, y, dy, sink, need_dx)
        return None


def whole_numbers(argument: str, value: Any, below: int | None = None) -> Integers:
    """Converts an array to int64.

    Args:
        argument: the argument's name, for the message.
        value: whole numbers of any type and shape.
        below: the numbers must be in [0, below); None for any.

    Raises:
        ValueError: if a number is not whole or out of its range.
        TypeError: if `value` does not hold numbers.
    """
    array = checks.numeric(argument, value)
    if array.dtype.kind == "f":
        with np.errstate(invalid="ignore"):  # R's NA is a NaN that signals
            wrong = ~(array == np.floor(array)) | (np.abs(array) >= (LIMIT if array.dtype == np.float32 else 2**53))
        if wrong.any():
            where = tuple(np.argwhere(wrong)[0])
            limit = " below 2^24, since larger ones do not fit float32" if array.dtype == np.float32 else ""
            raise ValueError(f"{argument} holds {array[where]} at {checks.place(where)}; expected whole numbers{limit}")
    integers = array.astype(np.int64)
    if below is not None:
        wrong = (integers < 0) | (integers >= below)
        if wrong.any():
            where = tuple(np.argwhere(wrong)[0])
            raise ValueError(
                f"{argument} holds {integers[where]} at {checks.place(where)}; expected numbers in [0, {below})"
            )
    return integers
