"""`Activation`, the base of all, and the three ways in which fastnet computes its own."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastnet import checks, kernels
from fastnet.checks import Floats
from fastnet.recorded import Recorded, is_ours

SILENT: dict[str, Any] = {"over": "ignore", "under": "ignore", "invalid": "ignore"}  # the loss reports NaN and infinity


class Activation(Recorded):
    """Base of all activations. A subclass defines `__call__` and `derivative`.

    A layer calls `forward` and `backward`, which change its workspace in place: (B, ld) float32, of which the first
    `units` columns are in use. Fastnet's own activations override both for speed.

    Attributes:
        name: the name under which a layer is saved; by default the name of the class.
        epilogue: the kernels' number of the function that the matrix product before it computes in its epilogue.
        of_sums: whether `backward` needs the weighted sums z, as `derivative` does, instead of the output y.
        elementwise: whether each output depends on one sum only.
        halves: whether there are half as many outputs as sums, as in glu.
    """

    _is_taped = False  # whether `forward` and `backward` run kernels alone, so that a step can be recorded
    name = "Activation"
    epilogue = kernels.LINEAR
    of_sums = True
    elementwise = True
    halves = False

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "name" not in vars(cls):
            cls.name = cls.__name__
        cls._is_taped = cls._is_taped and is_ours(cls)

    def __call__(self, x: Any) -> Floats:
        """Returns the activation of x, an array of the same shape; the last axis is that of the units."""
        raise NotImplementedError(f"{type(self).__name__} has no __call__()")

    def derivative(self, x: Any) -> Floats:
        """Returns the derivative at each number of x, an array of the same shape."""
        raise NotImplementedError(f"{type(self).__name__} has no derivative(), so a model cannot be trained through it")

    def forward(self, z: Floats, units: int) -> None:
        """Replaces the weighted sums z by the output y."""
        sums = z[:, :units]
        sums[:] = self._of_shape(self(sums), sums, "__call__")

    def backward(self, y: Floats, dy: Floats, units: int) -> None:
        """Replaces the gradient with respect to y by the gradient with respect to z.

        Args:
            y: the layer's output, or its weighted sums z if `of_sums`.
            dy: the gradient with respect to the output. Its columns after the first `units` stay zero.
            units: the number of columns in use.
        """
        sums = y[:, :units]
        dy[:, :units] *= self._of_shape(self.derivative(sums), sums, "derivative")

    def _of_shape(self, result: Any, x: Floats, method: str) -> Floats:
        """Checks what a user's method returned; broadcasting would hide that the method mixed the units."""
        array = np.asarray(result, np.float32)
        if array.shape != x.shape:
            raise ValueError(
                f"activation {self.name!r}: {method}() returned shape {array.shape} for sums of shape {x.shape}"
            )
        return array

    def output_shape(self, input_shape: tuple[int, ...]) -> tuple[int, ...]:
        """Returns the shape of what the activation makes of an example of this shape."""
        return input_shape

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments that differ from their defaults."""
        return {}

    def __repr__(self) -> str:
        config = self._shown()
        if not config and is_ours(type(self)) and self.name != type(self).__name__:
            return self.name
        return f"{type(self).__name__}({', '.join(f'{k}={v!r}' for k, v in config.items())})"


class NumpyActivation(Activation):
    """Base of the rarely used activations, which NumPy computes: `value` and `slope` of a float32 array."""

    def value(self, x: Floats) -> Floats:
        """Returns the activation at each number of x, which has at least one axis."""
        raise NotImplementedError

    def slope(self, x: Floats) -> Floats:
        """Returns the derivative at each number of x, which has at least one axis."""
        raise NotImplementedError

    def __call__(self, x: Any) -> Floats:
        z, shape = float32_copy(x)
        with np.errstate(**SILENT):
            return self.value(z).reshape(shape)

    def derivative(self, x: Any) -> Floats:
        z, shape = float32_copy(x)
        with np.errstate(**SILENT):
            return self.slope(z).reshape(shape)

    def forward(self, z: Floats, units: int) -> None:
        with np.errstate(**SILENT):
            z[:, :units] = self.value(z[:, :units])

    def backward(self, y: Floats, dy: Floats, units: int) -> None:
        with np.errstate(**SILENT):
            dy[:, :units] *= self.slope(y[:, :units])


class CompiledActivation(Activation):
    """Base of the activations whose `forward` is a kernel, which `__call__` uses too."""

    _is_taped = True

    def __call__(self, x: Any) -> Floats:
        z, shape = float32_copy(x)
        row = as_row(z)
        self.forward(row, z.size)
        return row[0, : z.size].reshape(shape)


class KernelActivation(CompiledActivation):
    """Base of the activations that a kernel of their own computes (pointwise.pxi), from the weighted sums.

    Attributes:
        which: the kernel's number of the activation.
        numbers: the kernel's parameters a, b and c.
    """

    which: int
    numbers: tuple[float, float, float] = (0.0, 0.0, 0.0)

    def derivative(self, x: Any) -> Floats:
        z, shape = float32_copy(x)
        row = as_row(z)
        slopes = np.ones_like(row)
        self.backward(row, slopes, z.size)
        return slopes[0, : z.size].reshape(shape)

    def forward(self, z: Floats, units: int) -> None:
        kernels.pointwise_forward(self.which, *self.numbers, z)

    def backward(self, y: Floats, dy: Floats, units: int) -> None:
        kernels.pointwise_backward(self.which, *self.numbers, y, dy)


class FusedActivation(CompiledActivation):
    """Base of the activations that the matrix product before them computes in its epilogue (activation.pxi)."""

    of_sums = False

    def forward(self, z: Floats, units: int) -> None:
        kernels.activation_forward(self.epilogue, z)

    def backward(self, y: Floats, dy: Floats, units: int) -> None:
        kernels.activation_backward(self.epilogue, y, dy)


def float32_copy(x: Any) -> tuple[Floats, tuple[int, ...]]:
    """Returns a copy of x as float32 with at least one axis, and the shape of x."""
    array = checks.numeric("x", x)
    with np.errstate(**SILENT):
        return np.atleast_1d(array.astype(np.float32)), array.shape


def as_row(x: Floats) -> Floats:
    """Returns the numbers of x in one row, padded as the kernels want it, (1, ld)."""
    row = np.zeros((1, kernels.padded(x.size)), np.float32)
    row[0, : x.size] = x.reshape(-1)
    return row
