"""Activations as layers of their own: Activation for any of them, and those with arguments by their names."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from fastnet import activations, checks
from fastnet.arrays.workspace import Workspace
from fastnet.checks import Floats
from fastnet.layers.axes import axes_of, axis_argument
from fastnet.layers.base import ALONE, LAYER_ARGUMENTS, Fused, Layer, Shape

if TYPE_CHECKING:
    from fastnet.optimizers import Sink


class ActivationLayer(Layer):
    """Base of the layers here: an activation of `fastnet.activations` on examples of any shape.

    Those that mix the units, as softmax does, work on the last axis.
    """

    _fixed = Layer._fixed | {"activation"}

    def __init__(self, activation: activations.Activation, **kwargs: Any) -> None:
        super().__init__(**checks.keywords(type(self).__name__, kwargs, LAYER_ARGUMENTS))
        self.activation = activation

    def as_activation(self) -> activations.Activation:
        """What `Dense(10, activation=layer)` makes of the layer."""
        return self.activation

    def build(self, input_shape: Shape) -> None:
        self._numbers = math.prod(input_shape)
        self._units = self._numbers if self.activation.elementwise else input_shape[-1]
        self._outputs, self._gradients, self._copy = (Workspace(self._units) for _ in range(3))

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return input_shape

    def call(self, x: Floats, training: bool = False) -> Floats:
        return self._by_rows(ActivationLayer.forward, x, training)

    def forward(self, x: Floats, training: bool = False, fused: Fused = ALONE) -> Floats:
        """The activation of a batch's rows, in a workspace that the next call writes again."""
        y = self._rows(x, self._outputs)
        self.activation.forward(y, self._units)
        return self._examples(y)

    def backward(
        self, x: Floats, y: Floats, dy: Floats, sink: Sink, need_dx: bool, fused: Fused = ALONE
    ) -> Floats | None:
        if not need_dx:
            return None
        dz = self._rows(dy, self._gradients)
        of = x if self.activation.of_sums else y
        if self._units != self._numbers or of.shape[1] != dz.shape[1]:
            of = self._rows(of, self._copy)  # kernels want rows of one width
        self.activation.backward(of, dz, self._units)
        return self._examples(dz)

    def _rows(self, x: Floats, workspace: Workspace) -> Floats:
        """A batch's rows, or those along the last axis, in a workspace."""
        numbers = x[:, : self._numbers].reshape(-1, self._units)
        rows = workspace.rows(len(numbers))
        rows[:, : self._units] = numbers
        return rows

    def _examples(self, rows: Floats) -> Floats:
        """The way back: a row an example."""
        if self._units == self._numbers:
            return rows
        return np.ascontiguousarray(rows[:, : self._units]).reshape(-1, self._numbers)


class Activation(ActivationLayer):
    """An activation after a layer without one; ``Dense(10, "relu")`` is the same as a Dense and this, and faster.

    Args:
        activation: a name such as ``"relu"``, or an object of `fastnet.activations`.
        name, trainable, input_shape, input_dim: as for `Layer`.

    Raises:
        ValueError: if a name is unknown.
        TypeError: if an argument is of another type.

    Example:
        >>> Activation("relu")([[-1, 2]])
        array([[0., 2.]], dtype=float32)
    """

    def __init__(self, activation: Any, **kwargs: Any) -> None:
        super().__init__(activations.get(activation), **kwargs)

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {"activation": activations.serialize(self.activation)}

    def __repr__(self) -> str:
        return f"Activation({activations.as_typed(self.activation)})"


class ReLU(ActivationLayer):
    """max(x, 0), or with arguments: at most `max_value`; below the threshold negative_slope (x - threshold).

    Args:
        max_value: a number of at least 0, or None, which is no limit.
        negative_slope: a number of at least 0.
        threshold: a number of at least 0.
        name, trainable, input_shape, input_dim: as for `Layer`.

    Raises:
        ValueError, TypeError: if an argument is not of that kind.

    Example:
        >>> ReLU(max_value=6, negative_slope=0.5)([[-1, 3, 9]])
        array([[-0.5,  3. ,  6. ]], dtype=float32)
    """

    def __init__(
        self, max_value: float | None = None, negative_slope: float = 0.0, threshold: float = 0.0, **kwargs: Any
    ) -> None:
        self.max_value = None if max_value is None else checks.number("max_value", max_value, least=0)
        self.negative_slope = checks.number("negative_slope", negative_slope, least=0)
        self.threshold = checks.number("threshold", threshold, least=0)
        plain = self.max_value is None and not self.negative_slope and not self.threshold
        clipped = activations.ClippedRelu(self.negative_slope, self.max_value, self.threshold)
        super().__init__(activations.relu if plain else clipped, **kwargs)

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {
            "max_value": self.max_value,
            "negative_slope": self.negative_slope,
            "threshold": self.threshold,
        }

    def __repr__(self) -> str:
        return f"ReLU({_arguments(self.activation.get_config())})"


class LeakyReLU(ActivationLayer):
    """x where it is positive, else negative_slope x; source as `activations.LeakyRelu`.

    Args:
        negative_slope: a number of at least 0; note that the activation ``"leaky_relu"`` has another default, 0.2.
        alpha: its older name.
        name, trainable, input_shape, input_dim: as for `Layer`.

    Raises:
        ValueError, TypeError: if an argument is not of that kind, or both names are used.

    Example:
        >>> LeakyReLU()([[-10, 10]])
        array([[-3., 10.]], dtype=float32)
    """

    def __init__(self, negative_slope: float | None = None, *, alpha: float | None = None, **kwargs: Any) -> None:
        if negative_slope is not None and alpha is not None:
            raise ValueError("give negative_slope or alpha, not both")
        if alpha is not None:
            slope = checks.number("alpha", alpha, least=0)
        else:
            slope = 0.3 if negative_slope is None else checks.number("negative_slope", negative_slope, least=0)
        self.negative_slope = slope
        super().__init__(activations.LeakyRelu(slope), **kwargs)

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {"negative_slope": self.negative_slope}

    def __repr__(self) -> str:
        return f"LeakyReLU({'' if self.negative_slope == 0.3 else f'negative_slope={self.negative_slope!r}'})"


class ELU(ActivationLayer):
    """x where it is positive, else alpha (exp(x) - 1); source as `activations.Elu`.

    Args:
        alpha: a number.
        name, trainable, input_shape, input_dim: as for `Layer`.

    Raises:
        ValueError, TypeError: if it is not a finite one.

    Example:
        >>> ELU(alpha=2)([[-1000, 3]])
        array([[-2.,  3.]], dtype=float32)
    """

    def __init__(self, alpha: float = 1.0, **kwargs: Any) -> None:
        activation = activations.Elu(alpha)
        self.alpha = activation.alpha
        super().__init__(activation, **kwargs)

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {"alpha": self.alpha}

    def __repr__(self) -> str:
        return f"ELU({_arguments(self.activation.get_config())})"


class Softmax(Layer):
    """exp(x) / sum exp(x): positive numbers that add to 1 along an axis.

    ``Dense(10, "softmax")`` as a last layer is faster, and more accurate, since the loss then takes both as one.

    Args:
        axis: the axis, or a list of axes, counted with the batch's as 0; -1 is the last.
        name, trainable, input_shape, input_dim: as for `Layer`.

    Raises:
        ValueError, TypeError: if it is no axis; when the layer is built, if examples have no such axis.

    Example:
        >>> Softmax()([[0, 0]])
        array([[0.5, 0.5]], dtype=float32)
    """

    def __init__(self, axis: Any = -1, **kwargs: Any) -> None:
        super().__init__(**checks.keywords("Softmax", kwargs, LAYER_ARGUMENTS))
        self.axis = axis_argument(axis)

    def as_activation(self) -> activations.Activation:
        """What `Dense(10, activation=layer)` makes of the layer: Dense has one axis of units, the last."""
        if self.axis not in (-1, 1, [-1], [1]):
            raise ValueError(f"axis is {self.axis}, but as an activation Softmax works on the last axis, -1")
        return activations.softmax

    def build(self, input_shape: Shape) -> None:
        self._axes = axes_of(self, self.axis, input_shape)
        self._units = math.prod(input_shape[axis - 1] for axis in self._axes)
        self._places = tuple(range(-len(self._axes), 0))  # where the axes stand while softmax is computed

    def call(self, x: Floats, training: bool = False) -> Floats:
        moved = np.moveaxis(x, self._axes, self._places)
        p = activations.softmax(moved.reshape(-1, self._units))
        return np.moveaxis(p.reshape(moved.shape), self._places, self._axes)

    def gradient(self, x: Floats, y: Floats, dy: Floats) -> Floats:
        axes = self._axes
        return y * (dy - (dy * y).sum(axis=axes, keepdims=True))

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {"axis": self.axis}

    def __repr__(self) -> str:
        return f"Softmax({'' if self.axis == -1 else f'axis={self.axis}'})"


def _arguments(config: dict[str, Any]) -> str:
    return ", ".join(f"{name}={value!r}" for name, value in config.items())
