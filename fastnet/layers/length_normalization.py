"""Layers that divide each example by its length: RMSNormalization, UnitNormalization."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastnet import checks
from fastnet.checks import Floats
from fastnet.layers.axes import axes_of, axis_argument
from fastnet.layers.base import LAYER_ARGUMENTS, Layer, Shape

Doubles = NDArray[np.float64]
_LEAST = 1e-24  # least sum of squares that UnitNormalization divides by the root of, as in Keras


class LengthNormalization(Layer):
    """Base of the layers here: they compute n = x r, where r is a power of the sum of squares along some axes."""

    def __init__(self, axis: Any, kwargs: Any) -> None:
        super().__init__(**checks.keywords(type(self).__name__, kwargs, LAYER_ARGUMENTS))
        self.axis = axis_argument(axis)

    def build(self, input_shape: Shape) -> None:
        self._axes = axes_of(self, self.axis, input_shape)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return input_shape

    def _squares(self, x: Floats) -> Doubles:
        """Returns the sum of squares along the axes, which stay with length 1."""
        with np.errstate(all="ignore"):  # the loss reports NaN and infinity
            return np.square(x, dtype=np.float64).sum(axis=self._axes, keepdims=True)

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {"axis": self.axis}


class RMSNormalization(LengthNormalization):
    """Divides by the root of the mean square, along some axes: y = scale n, n = x / sqrt(mean(x^2) + epsilon).

    With r = 1 / sqrt(mean(x^2) + epsilon) and dn = scale dy, the gradient is dx = r (dn - n mean(dn n)).

    Source: B. Zhang and R. Sennrich, "Root mean square layer normalization", 2019.

    Args:
        axis: the axis or a list of axes to average over; 0 is the batch. The scale has one number for each place there.
        epsilon: a number of at least 0 that prevents a division by zero.
        name, trainable, input_shape, input_dim: as for `Layer`.

    Raises:
        ValueError, TypeError: if an argument is invalid; when the layer is built, if examples have no such axis.

    Example:
        >>> RMSNormalization(epsilon=0)([[3.0, -3.0]])
        array([[ 1., -1.]], dtype=float32)
    """

    def __init__(self, axis: Any = -1, epsilon: float = 1e-6, **kwargs: Any) -> None:
        super().__init__(axis, kwargs)
        self.epsilon = checks.number("epsilon", epsilon, least=0)

    def build(self, input_shape: Shape) -> None:
        super().build(input_shape)
        rank = 1 + len(input_shape)
        self._others = tuple(i for i in range(rank) if i not in self._axes)
        self._shape = tuple(input_shape[i - 1] if i in self._axes else 1 for i in range(rank))
        self.scale = self.add_weight(tuple(input_shape[i - 1] for i in self._axes), "ones", name="scale")

    def _inverse(self, x: Floats) -> Floats:
        squares = self._squares(x)
        with np.errstate(all="ignore"):
            inverse = 1 / np.sqrt(squares * (squares.size / x.size) + self.epsilon)
        return np.where(np.isinf(inverse), 0, inverse).astype(np.float32)  # all numbers and epsilon are 0: so is y

    def call(self, x: Floats, training: bool = False) -> Floats:
        return x * self._inverse(x) * self.scale.numpy().reshape(self._shape)

    def gradient(self, x: Floats, y: Floats, dy: Floats) -> tuple[Floats, list[Floats]]:
        inverse = self._inverse(x)
        n = x * inverse
        of_scale = (dy * n).sum(axis=self._others, dtype=np.float64).astype(np.float32)
        dn = dy * self.scale.numpy().reshape(self._shape)
        along = (dn * n).mean(axis=self._axes, keepdims=True, dtype=np.float64).astype(np.float32)
        return inverse * (dn - n * along), [of_scale]

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {"epsilon": self.epsilon}

    def __repr__(self) -> str:
        parts = [] if self.axis == -1 else [f"axis={self.axis}"]
        parts += [] if self.epsilon == 1e-6 else [f"epsilon={self.epsilon!r}"]
        return f"RMSNormalization({', '.join(parts)})"


class UnitNormalization(LengthNormalization):
    """Divides by the length (Euclidean norm) along some axes, so that the length becomes 1: y = x / sqrt(sum x^2).

    With r = 1 / sqrt(sum x^2), the gradient is dx = r (dy - y sum(dy y)). Zeros stay zeros.

    Args:
        axis: the axis or a list of axes; 0 is the batch.
        name, trainable, input_shape, input_dim: as for `Layer`.

    Raises:
        ValueError, TypeError: if `axis` is invalid; when the layer is built, if examples have no such axis.

    Example:
        >>> UnitNormalization()([[3.0, 4.0]])
        array([[0.6, 0.8]], dtype=float32)
    """

    def __init__(self, axis: Any = -1, **kwargs: Any) -> None:
        super().__init__(axis, kwargs)

    def _inverse(self, x: Floats) -> Doubles:
        return 1 / np.sqrt(np.maximum(self._squares(x), _LEAST))

    def call(self, x: Floats, training: bool = False) -> Floats:
        return (x * self._inverse(x)).astype(np.float32)

    def gradient(self, x: Floats, y: Floats, dy: Floats) -> Floats:
        along = (dy * y).sum(axis=self._axes, keepdims=True, dtype=np.float64)
        return (self._inverse(x) * (dy - y * along)).astype(np.float32)

    def __repr__(self) -> str:
        return f"UnitNormalization({'' if self.axis == -1 else f'axis={self.axis}'})"
