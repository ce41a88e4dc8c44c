"""A layer's array: packed in panels for the kernels, a plain matrix or vector to everybody else."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from fastnet import checks
from fastnet.checks import Floats
from fastnet.kernels import padded
from fastnet.kernels.panels import own, pack, unpack, zeros

if TYPE_CHECKING:
    from fastnet.constraints import Constraint
    from fastnet.regularizers import Regularizer

version = 0  # grows with each change of a layer or a variable that a model's plan depends on


def touch() -> None:
    """Makes every model look at its layers again before its next computation."""
    global version
    version += 1


class Variable:
    """A kernel (K, N), a bias (N,) or any other array of float32.

    Attributes:
        name: as in ``dense/kernel``.
        shape: the shape that users see.
        packed: the array that kernels compute with: (N/P, K, P) for a matrix, else flat, (n rounded up to P,).
        trainable: whether a gradient may change it.
        regularizer, constraint: what is added to the loss for it, and where it is put back after each step, or None.
    """

    def __init__(self, value: Floats, name: str) -> None:
        self.name = name
        self.shape = value.shape
        self.packed = self.pack(value)
        self.trainable = True
        self.regularizer: Regularizer | None = None
        self.constraint: Constraint | None = None
        self.frozen_at_zero = False  # a bias that a layer does without

    def __setattr__(self, name: str, value: Any) -> None:
        if name == "packed" and "packed" in self.__dict__:
            self._replace(value)
            return
        if name == "shape" and "shape" in self.__dict__:
            raise AttributeError(f"{self.name} has shape {self.shape}, which cannot change")
        if name in ("trainable", "regularizer", "constraint"):
            touch()
        super().__setattr__(name, value)

    def _replace(self, value: Any) -> None:
        """Copies `value` into `packed`, whose place and shape kernels rely on; in-place operators end here too."""
        if value is self.packed:
            return
        if not isinstance(value, np.ndarray) or value.shape != self.packed.shape or value.dtype.kind not in "biuf":
            got = f"shape {value.shape}, dtype {value.dtype}" if isinstance(value, np.ndarray) else repr(value)
            raise ValueError(f"{self.name}: packed must be an array of shape {self.packed.shape}, float32; got {got}")
        self.packed[...] = value

    def pack(self, value: Floats) -> Floats:
        """`value`, of this variable's shape, as `packed` is laid out."""
        if len(self.shape) == 2:
            return pack(value)
        whole = zeros((padded(value.size),))
        whole[: value.size] = value.reshape(-1)
        return whole

    def unpack(self, packed: Floats) -> Floats:
        """The way back: an array of this variable's shape, of the caller's own."""
        if len(self.shape) == 2:
            return unpack(packed, self.shape[1])
        return packed[: self.size].reshape(self.shape).copy()

    @property
    def is_plain(self) -> bool:
        """Whether training changes it, and does so by the optimizer's rule alone."""
        return self.trainable and self.regularizer is None and self.constraint is None

    @property
    def size(self) -> int:
        """The number of weights."""
        return math.prod(self.shape)

    def numpy(self) -> Floats:
        """A copy of the value in its own shape."""
        return self.unpack(self.packed)

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
        self.packed[...] = self.pack(self.check(value))

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray[Any, Any]:
        return self.numpy() if dtype is None else self.numpy().astype(dtype)

    def __setstate__(self, state: dict[str, Any]) -> None:
        # A copied or pickled array begins anywhere in memory, and one that joblib maps into it is read-only.
        self.__dict__.update(state, packed=own(state["packed"]))

    def __repr__(self) -> str:
        return f"<Variable {self.name}, shape={self.shape}>"
