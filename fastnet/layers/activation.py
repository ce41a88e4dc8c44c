"""Activations as layers: Activation for any of them, and ReLU, LeakyReLU, ELU and Softmax."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from fastnet import activations, checks, kernels
from fastnet.arrays.workspace import Workspace
from fastnet.checks import Floats
from fastnet.layers.axes import axes_of, axis_argument
from fastnet.layers.base import ALONE, LAYER_ARGUMENTS, Fused, Layer, Shape

if TYPE_CHECKING:
    from fastnet.optimizers import Sink


class ActivationLayer(Layer):
    """Base class of the layers here: applies an activation to examples of any shape.

    Activations that mix units, such as softmax, work on the last axis.
    """

    _fixed = Layer._fixed | {"activation"}

    def __init__(self, activation: activations.Activation, **kwargs: Any) -> None:
        super().__init__(**checks.keywords(type(self).__name__, kwargs, LAYER_ARGUMENTS))
        self.activation = activation

    def as_activation(self) -> activations.Activation:
        """Returns the activation that `Dense(10, activation=layer)` uses."""
        return self.activation

    def build(self, input_shape: Shape) -> None:
        if not (input_shape or self.activation.elementwise):
            raise checks.ShapeError(
                f"layer {self.name!r} is given examples that are numbers; {self.activation.name} needs several numbers"
            )
        self._halves = self.activation.halves  # as glu does, which works on arrays, without workspaces
        self._numbers = math.prod(input_shape)
        self._units = self._numbers if self.activation.elementwise else input_shape[-1]
        self._outputs, self._gradients, self._copy = (Workspace(self._units) for _ in range(3))

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return self.activation.output_shape(input_shape)

    def call(self, x: Floats, training: bool = False) -> Floats:
        return self.activation(x) if self._halves else self._by_rows(ActivationLayer.forward, x, training)

    def gradient(self, x: Floats, y: Floats, dy: Floats) -> Floats:
        return self.activation.gradient(x, dy)  # type: ignore[attr-defined]  # only glu is asked

    def forward(self, x: Floats, training: bool = False, fused: Fused = ALONE) -> Floats:
        """Applies the activation to a batch, in a workspace that the next call overwrites."""
        if self._halves:
            return super().forward(x, training)
        y = self._rows(x, self._outputs)
        self.activation.forward(y, self._units)
        return self._examples(y)

    def backward(
        self, x: Floats, y: Floats, dy: Floats, sink: Sink, need_dx: bool, fused: Fused = ALONE
    ) -> Floats | None:
        if not need_dx:
            return None
        if self._halves:
            return super().backward(x, y, dy, sink, need_dx)
        dz = self._rows(dy, self._gradients)
        of = x if self.activation.of_sums else y
        if self._units != self._numbers or of.shape[1] != dz.shape[1]:
            of = self._rows(of, self._copy)  # the kernel needs rows of equal width in both arrays
        self.activation.backward(of, dz, self._units)
        return self._examples(dz)

    def _rows(self, x: Floats, workspace: Workspace) -> Floats:
        """Copies a batch's rows, or those along the last axis, into a workspace."""
        if self._units == self._numbers:
            rows = workspace.rows(len(x))
            kernels.copy(x, rows, self._units)
            return rows
        numbers = x[:, : self._numbers].reshape(-1, self._units)
        rows = workspace.rows(len(numbers))
        rows[:, : self._units] = numbers
        return rows

    @property
    def _is_taped(self) -> bool:
        return self.activation._is_taped and self._units == self._numbers

    def _examples(self, rows: Floats) -> Floats:
        """Undoes `_rows`: returns one row for each example."""
        if self._units == self._numbers:
            return rows
        return np.ascontiguousarray(rows[:, : self._units]).reshape(-1, self._numbers)


class Activation(ActivationLayer):
    """Applies an activation. ``Dense(10, "relu")`` does the same faster than a Dense and this layer.

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
    """Computes max(x, 0), or a variant of it with a limit, a slope and a threshold.

    Args:
        max_value: the largest output, at least 0; None for no limit.
        negative_slope: the output is negative_slope * (x - threshold) where x is below the threshold; at least 0.
        threshold: the value from which x is kept, at least 0.
        name, trainable, input_shape, input_dim: as for `Layer`.

    Raises:
        ValueError, TypeError: if an argument is invalid.

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
    """Computes x where it is positive, else negative_slope * x. Source: see `activations.LeakyRelu`.

    Args:
        negative_slope: at least 0, by default 0.3. The activation ``"leaky_relu"`` has another default, 0.2.
        alpha: the older name of `negative_slope`.
        name, trainable, input_shape, input_dim: as for `Layer`.

    Raises:
        ValueError, TypeError: if an argument is invalid, or both names are given.

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
    """Computes x where it is positive, else alpha * (exp(x) - 1). Source: see `activations.Elu`.

    Args:
        alpha: the factor for negative x.
        name, trainable, input_shape, input_dim: as for `Layer`.

    Raises:
        ValueError, TypeError: if `alpha` is not a finite number.

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
    """Computes exp(x) / sum exp(x): positive numbers that add up to 1 along an axis.

    As a last layer, ``Dense(10, "softmax")`` is faster and more accurate: the loss then computes softmax itself.

    Args:
        axis: the axis, or a list of axes. Axis 0 is the batch, and -1 is the last axis.
        name, trainable, input_shape, input_dim: as for `Layer`.

    Raises:
        ValueError, TypeError: if `axis` is invalid; when the layer is built, if examples have no such axis.

    Example:
        >>> Softmax()([[0, 0]])
        array([[0.5, 0.5]], dtype=float32)
    """

    def __init__(self, axis: Any = -1, **kwargs: Any) -> None:
        super().__init__(**checks.keywords("Softmax", kwargs, LAYER_ARGUMENTS))
        self.axis = axis_argument(axis)

    def as_activation(self) -> activations.Activation:
        """Returns the activation that `Dense(10, activation=layer)` uses. Dense has one axis of units, the last."""
        if self.axis not in (-1, 1, [-1], [1]):
            raise ValueError(f"axis is {self.axis}, but as an activation Softmax works on the last axis, -1")
        return activations.softmax

    def build(self, input_shape: Shape) -> None:
        self._axes = axes_of(self, self.axis, input_shape)
        self._units = math.prod(input_shape[axis - 1] for axis in self._axes)
        self._places = tuple(range(-len(self._axes), 0))  # the axes are moved to the end to compute softmax

    def call(self, x: Floats, training: bool = False) -> Floats:
        moved = np.moveaxis(x, self._axes, self._places)
        p = activations.softmax(moved.reshape(-1, self._units))
        return np.moveaxis(p.reshape(moved.shape), self._places, self._axes)

    def gradient(self, x: Floats, y: Floats, dy: Floats) -> Floats:
        return y * (dy - (dy * y).sum(axis=self._axes, keepdims=True))

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {"axis": self.axis}

    def __repr__(self) -> str:
        return f"Softmax({'' if self.axis == -1 else f'axis={self.axis}'})"


def _arguments(config: dict[str, Any]) -> str:
    return ", ".join(f"{name}={value!r}" for name, value in config.items())
