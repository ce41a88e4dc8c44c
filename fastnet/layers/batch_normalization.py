"""BatchNormalization: each feature gets mean 0 and variance 1 over a batch."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastnet import checks, initializers
from fastnet.arrays.variables import Variable
from fastnet.checks import Floats
from fastnet.layers.affine_normalization import OPTIONS, AffineNormalization, Doubles, normalize, normalize_gradient
from fastnet.layers.axes import axes_of, axis_argument
from fastnet.layers.base import Shape


class BatchNormalization(AffineNormalization):
    """Normalizes each feature over the batch: y = gamma (x - mean) / sqrt(variance + epsilon) + beta.

    In training, mean and variance are those of the batch. The variance is the mean of the squares, not corrected for
    the size of the batch. Each batch also updates moving averages: moving <- momentum moving + (1 - momentum) batch.
    Outside of training, and if the layer is not `trainable`, the moving averages are used.

    Source: S. Ioffe and C. Szegedy, "Batch normalization", 2015, algorithm 1 and its gradient in section 3.

    Args:
        axis: the axis of the features; 0 is the batch. The layer averages over the others.
        momentum: share of the moving averages that each batch keeps, in [0, 1].
        epsilon: a number of at least 0 that prevents a division by zero.
        center, scale: whether to add beta, and whether to multiply by gamma.
        beta_initializer, gamma_initializer, moving_mean_initializer, moving_variance_initializer: initial values of
            beta, gamma and the two moving averages.
        beta_regularizer, gamma_regularizer, beta_constraint, gamma_constraint: as for `Dense`.
        synchronized: accepted as in Keras, without effect, since there is one device.
        name, trainable, input_shape, input_dim: as for `Layer`.

    Raises:
        ValueError: if a number is out of its range; when the layer is built, if there is no such axis.
        TypeError: if an argument is of another type.

    Example:
        >>> BatchNormalization(epsilon=0)([[1.0], [3.0]], training=True)
        array([[-1.],
               [ 1.]], dtype=float32)
    """

    _defaults: dict[str, str | None] = AffineNormalization._defaults | {
        "moving_mean_initializer": "zeros",
        "moving_variance_initializer": "ones",
    }

    moving_mean_initializer: initializers.Initializer
    moving_variance_initializer: initializers.Initializer

    def __init__(
        self,
        axis: int = -1,
        momentum: float = 0.99,
        epsilon: float = 1e-3,
        center: bool = True,
        scale: bool = True,
        beta_initializer: Any = "zeros",
        gamma_initializer: Any = "ones",
        moving_mean_initializer: Any = "zeros",
        moving_variance_initializer: Any = "ones",
        beta_regularizer: Any = None,
        gamma_regularizer: Any = None,
        beta_constraint: Any = None,
        gamma_constraint: Any = None,
        synchronized: bool = False,
        **kwargs: Any,
    ) -> None:
        options = {name: value for name, value in locals().items() if name.endswith(OPTIONS)}
        super().__init__(epsilon, center, scale, options, kwargs)
        if isinstance(axis, list | tuple):
            raise TypeError(f"axis must be an integer, got {axis!r}")
        self.axis = axis_argument(axis)
        self.momentum = checks.number("momentum", momentum, least=0)
        if self.momentum > 1:
            raise ValueError(f"momentum must be in [0, 1], got {momentum!r}")
        checks.flag("synchronized", synchronized)
        self._batchwise = False  # whether the last batch was normalized with its own mean and variance

    def build(self, input_shape: Shape) -> None:
        (axis,) = axes_of(self, self.axis, input_shape)
        rank = 1 + len(input_shape)
        features = input_shape[axis - 1]
        self._shape = tuple(features if i == axis else 1 for i in range(rank))
        self._axes = tuple(i for i in range(rank) if i != axis)
        self._add_affine((features,))
        self.moving_mean, self.moving_variance = (
            self.add_weight((features,), initializer, name=name, trainable=False)
            for name, initializer in (
                ("moving_mean", self.moving_mean_initializer),
                ("moving_variance", self.moving_variance_initializer),
            )
        )

    def call(self, x: Floats, training: bool = False) -> Floats:
        self._batchwise = bool(training and self.trainable)
        if self._batchwise:
            normalized, inverse, mean, variance = normalize(x, self._axes, self.epsilon)
            _update_average(self.moving_mean, mean, self.momentum)
            _update_average(self.moving_variance, variance, self.momentum)
        else:
            variance = self.moving_variance.numpy().astype(np.float64).reshape(self._shape)
            with np.errstate(invalid="ignore"):  # a negative variance, which only a user can set, gives NaN
                inverse = 1 / np.sqrt(variance + self.epsilon)
            normalized = (x - self.moving_mean.numpy().reshape(self._shape)) * inverse.astype(np.float32)
        self._last = normalized, inverse
        return self._affine(normalized, self._shape)

    def gradient(self, x: Floats, y: Floats, dy: Floats) -> tuple[Floats, list[Floats]]:
        assert self._last is not None
        dn, gradients = self._affine_gradient(dy, self._shape, self._axes)
        if self._batchwise:
            return normalize_gradient(dn, *self._last, self._axes), gradients
        return dn * self._last[1].astype(np.float32), gradients

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {"axis": self.axis, "momentum": self.momentum}

    def __repr__(self) -> str:
        changed: dict[str, Any] = {} if self.axis == -1 else {"axis": self.axis}
        return self._typed(**(changed if self.momentum == 0.99 else changed | {"momentum": self.momentum}))


def _update_average(variable: Variable, value: Doubles, momentum: float) -> None:
    """Updates a moving average, without the check of `assign`: the loss reports NaN, and training goes on."""
    moved = momentum * variable.numpy().astype(np.float64) + (1 - momentum) * value.reshape(variable.shape)
    with np.errstate(over="ignore"):
        variable.packed[...] = variable.pack(moved.astype(np.float32))
