"""A layer's trainable array: packed in panels for the kernels, a plain matrix or vector to everybody else."""

from typing import Any

import numpy as np

from fastnet import checks
from fastnet.checks import Floats
from fastnet.kernels import padded
from fastnet.kernels.panels import pack, unpack


class Variable:
    """A kernel (K, N) or a bias (N,) of float32.

    Attributes:
        name: as in ``dense/kernel``.
        shape: the shape that users see.
        packed: the array that kernels compute with: (N/P, K, P) for a matrix, (N/P * P,) for a vector.
    """

    def __init__(self, value: Floats, name: str) -> None:
        self.name = name
        self.shape = value.shape
        self.packed = self._pack(value)

    def _pack(self, value: Floats) -> Floats:
        if value.ndim == 2:
            return pack(value)
        whole = np.zeros(padded(len(value)), np.float32)
        whole[: len(value)] = value
        return whole

    @property
    def size(self) -> int:
        """The number of weights."""
        return int(np.prod(self.shape))

    def numpy(self) -> Floats:
        """A copy of the value in its own shape."""
        return unpack(self.packed, self.shape[1]) if len(self.shape) == 2 else self.packed[: self.shape[0]].copy()

    def check(self, value: Any) -> Floats:
        """`value` as float32 if it has this variable's shape and is finite.

        Raises:
            ValueError, TypeError: if not.
        """
        array = checks.numeric(self.name, value)
        if array.shape != self.shape:
            raise ValueError(f"{self.name} has shape {self.shape}, but the given value has shape {array.shape}")
        return checks.as_float32(self.name, array)

    def assign(self, value: Any) -> None:
        """Sets the value from an array of the same shape; errors as `check`."""
        self.packed[...] = self._pack(self.check(value))

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray[Any, Any]:
        return self.numpy() if dtype is None else self.numpy().astype(dtype)

    def __repr__(self) -> str:
        return f"<Variable {self.name}, shape={self.shape}>"
