"""Variables: the arrays of layers, packed in panels for the kernels, and those of metrics."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from fastnet import checks
from fastnet.arrays.panels import own, pack, unpack, zeros
from fastnet.checks import Floats
from fastnet.kernels import PANEL, padded

if TYPE_CHECKING:
    from fastnet.constraints import Constraint
    from fastnet.regularizers import Regularizer

version = 0  # grows when a layer or variable changes in a way that a model's `Fusion` depends on


def touch() -> None:
    """Makes every model renew its `Fusion` before its next computation."""
    global version
    version += 1


def _binary(function: Callable[[Any, Any], Any], swapped: bool = False) -> Callable[[Any, Any], Any]:
    """Makes an operator that works on a variable's value and returns an array."""

    def operate(self: Variable, other: Any) -> Any:
        value = other.numpy() if isinstance(other, Variable) else other
        with np.errstate(all="ignore"):  # no warning for 0 / 0: the NaN in the result shows it
            return function(value, self.numpy()) if swapped else function(self.numpy(), value)

    return operate


def _in_place(function: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    """Makes an operator such as ``variable += 1``, which sets a new value of the same variable."""
    compute = _binary(function)

    def operate(self: Variable, other: Any) -> Any:
        self.assign(compute(self, other))
        return self

    return operate


class Variable:
    """A float32 array of a layer, such as a kernel (K, N) or a bias (N,).

    Arithmetic and comparisons use its value, as in ``variable / 2``. ``==`` does so with numbers and arrays. Two
    variables are equal only if they are the same object, so that a list of variables can be searched.

    Attributes:
        name: as in ``dense/kernel``.
        shape: the shape that users see.
        packed: the array for the kernels: panels (N/P, K, P) for a matrix, else flat, (n rounded up to P,).
        trainable: whether a gradient may change it.
        regularizer: adds a penalty for the variable to the loss, or None.
        constraint: projects the variable onto the allowed set after each step, or None.
    """

    def __init__(self, value: Floats, name: str) -> None:
        self.name = name
        self.shape = value.shape
        self.packed = self.pack(value)
        self.trainable = True
        self.regularizer: Regularizer | None = None
        self.constraint: Constraint | None = None
        self.frozen_at_zero = False  # the bias of a layer with use_bias=False

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
        """Copies `value` into `packed`, also for in-place operators: kernels rely on its place and shape."""
        if value is self.packed:
            return
        if not isinstance(value, np.ndarray) or value.shape != self.packed.shape or value.dtype.kind not in "biuf":
            got = f"shape {value.shape}, dtype {value.dtype}" if isinstance(value, np.ndarray) else repr(value)
            raise ValueError(f"{self.name}: packed must be an array of shape {self.packed.shape}, float32; got {got}")
        self.packed[...] = value

    def pack(self, value: Floats) -> Floats:
        """Returns an array of this variable's shape in the layout of `packed`."""
        if len(self.shape) == 2:
            return pack(value)
        whole = zeros((padded(value.size),))
        whole[: value.size] = value.reshape(-1)
        return whole

    def unpack(self, packed: Floats) -> Floats:
        """Undoes `pack`: returns a new array of this variable's shape."""
        if len(self.shape) == 2:
            return unpack(packed, self.shape[1])
        return packed[: self.size].reshape(self.shape).copy()

    def blocks(self, packed: Floats, numbers: int = 2**16) -> Iterator[Floats]:
        """Yields the result of `unpack` in parts of about `numbers` numbers, without a copy of the whole."""
        if len(self.shape) != 2:
            yield packed[: self.size]
            return
        rows, columns = self.shape
        step = max(1, numbers // columns)
        width = max(1, numbers // PANEL) if columns > numbers else len(packed)  # in panels
        for row in range(0, rows, step):
            for panel in range(0, len(packed), width):
                part = packed[panel : panel + width, row : row + step]
                yield unpack(part, columns - panel * PANEL)

    @property
    def is_plain(self) -> bool:
        """Whether the optimizer's rule alone changes it: trainable, without regularizer and constraint."""
        return self.trainable and self.regularizer is None and self.constraint is None

    @property
    def size(self) -> int:
        """The number of weights."""
        return math.prod(self.shape)

    def numpy(self) -> Floats:
        """Returns a copy of the value in its own shape."""
        return self.unpack(self.packed)

    def check(self, value: Any) -> Floats:
        """Returns `value` as float32 if it is finite and has this variable's shape.

        Raises:
            ValueError, TypeError: if not.
        """
        array = checks.numeric(self.name, value)
        if self.shape == (1,) and array.ndim == 0:  # R passes a vector of length 1 as a number
            array = array.reshape(1)
        if array.shape != self.shape:
            raise ValueError(f"{self.name} has shape {self.shape}, but the given value has shape {array.shape}")
        return checks.as_float32(self.name, array)

    def assign(self, value: Any) -> None:
        """Sets the value from an array of the same shape. Raises errors as `check` does."""
        self.packed[...] = self.pack(self.check(value))

    def assign_add(self, value: Any) -> None:
        """Adds to the value. Raises errors as `check` does."""
        self.assign(self + value)

    def assign_sub(self, value: Any) -> None:
        """Subtracts from the value. Raises errors as `check` does."""
        self.assign(self - value)

    @property
    def dtype(self) -> np.dtype[Any]:
        return self.packed.dtype

    __add__, __radd__, __iadd__ = _binary(operator.add), _binary(operator.add, True), _in_place(operator.add)
    __sub__, __rsub__, __isub__ = _binary(operator.sub), _binary(operator.sub, True), _in_place(operator.sub)
    __mul__, __rmul__, __imul__ = _binary(operator.mul), _binary(operator.mul, True), _in_place(operator.mul)
    __truediv__, __rtruediv__ = _binary(operator.truediv), _binary(operator.truediv, True)
    __itruediv__ = _in_place(operator.truediv)
    __floordiv__, __rfloordiv__ = _binary(operator.floordiv), _binary(operator.floordiv, True)
    __mod__, __rmod__ = _binary(operator.mod), _binary(operator.mod, True)
    __pow__, __rpow__ = _binary(operator.pow), _binary(operator.pow, True)
    __matmul__, __rmatmul__ = _binary(operator.matmul), _binary(operator.matmul, True)
    __lt__, __le__, __gt__, __ge__ = map(_binary, (operator.lt, operator.le, operator.gt, operator.ge))
    __hash__ = object.__hash__

    def __eq__(self, other: object) -> Any:
        return self is other if other is None or isinstance(other, Variable) else self.numpy() == other

    def __ne__(self, other: object) -> Any:
        return self is not other if other is None or isinstance(other, Variable) else self.numpy() != other

    def __neg__(self) -> Any:
        return -self.numpy()

    def __abs__(self) -> Any:
        return abs(self.numpy())

    def __float__(self) -> float:
        return float(self.numpy())

    def __int__(self) -> int:
        return int(self.numpy())

    def __getitem__(self, index: Any) -> Any:
        return self.numpy()[index]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray[Any, Any]:
        return self.numpy() if dtype is None else self.numpy().astype(dtype)

    def __setstate__(self, state: dict[str, Any]) -> None:
        # A copied or unpickled array may begin anywhere in memory, and one that joblib maps from a file is read-only.
        self.__dict__.update(state, packed=own(state["packed"]))

    def __repr__(self) -> str:
        return f"<Variable {self.name}, shape={self.shape}>"


class MetricVariable(Variable):
    """The state of a metric: a number or an array of any real type, which may be NaN.

    It is not packed, since no kernel uses it.
    """

    def __init__(self, value: np.ndarray[Any, Any], name: str) -> None:
        self._dtype = value.dtype
        super().__init__(value, name)

    def pack(self, value: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        return np.array(value, self._dtype)

    def unpack(self, packed: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        return packed.copy()

    def check(self, value: Any) -> np.ndarray[Any, Any]:
        """Returns `value` in this variable's type if it has its shape.

        Raises:
            ValueError, TypeError: if the shape differs, or a number does not fit the type.
        """
        array = checks.numeric(self.name, value)
        if array.shape != self.shape:
            raise ValueError(f"{self.name} has shape {self.shape}, but the given value has shape {array.shape}")
        with np.errstate(all="ignore"):
            cast = array.astype(self._dtype)
        if self._dtype.kind != "f" and not np.array_equal(cast, array):
            raise ValueError(f"{self.name} has dtype {self._dtype}, which cannot hold {value!r}")
        return cast

    def __bool__(self) -> bool:
        return bool(self.numpy())

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state, packed=np.array(state["packed"]))  # joblib may have mapped it from a file
