"""LayerNormalization: the numbers of each example get mean 0 and variance 1."""

from __future__ import annotations

from typing import Any

from fastnet.checks import Floats
from fastnet.layers.affine_normalization import OPTIONS, AffineNormalization, normalize, normalize_gradient
from fastnet.layers.axes import axes_of, axis_argument
from fastnet.layers.base import Shape


class LayerNormalization(AffineNormalization):
    """Normalizes each example by itself, along some axes: y = gamma (x - mean) / sqrt(variance + epsilon) + beta.

    Gamma and beta have one number for each place along those axes. The layer computes the same in training and outside.

    Source: J. Ba et al., "Layer normalization", 2016.

    Args:
        axis: the axis or a list of axes to average over; 0 is the batch.
        epsilon: a number of at least 0 that prevents a division by zero.
        center, scale: whether to add beta, and whether to multiply by gamma.
        beta_initializer, gamma_initializer, beta_regularizer, gamma_regularizer, beta_constraint, gamma_constraint:
            as for `Dense`.
        name, trainable, input_shape, input_dim: as for `Layer`.

    Raises:
        ValueError: if a number is out of its range; when the layer is built, if there is no such axis.
        TypeError: if an argument is of another type.

    Example:
        >>> LayerNormalization(epsilon=0)([[1.0, 3.0], [10.0, 30.0]])
        array([[-1.,  1.],
               [-1.,  1.]], dtype=float32)
    """

    def __init__(
        self,
        axis: Any = -1,
        epsilon: float = 1e-3,
        center: bool = True,
        scale: bool = True,
        beta_initializer: Any = "zeros",
        gamma_initializer: Any = "ones",
        beta_regularizer: Any = None,
        gamma_regularizer: Any = None,
        beta_constraint: Any = None,
        gamma_constraint: Any = None,
        **kwargs: Any,
    ) -> None:
        options = {name: value for name, value in locals().items() if name.endswith(OPTIONS)}
        super().__init__(epsilon, center, scale, options, kwargs)
        self.axis = axis_argument(axis)

    def build(self, input_shape: Shape) -> None:
        self._axes = axes_of(self, self.axis, input_shape)
        rank = 1 + len(input_shape)
        self._others = tuple(i for i in range(rank) if i not in self._axes)
        self._shape = tuple(input_shape[i - 1] if i in self._axes else 1 for i in range(rank))
        self._add_affine(tuple(input_shape[i - 1] for i in self._axes))

    def call(self, x: Floats, training: bool = False) -> Floats:
        normalized, inverse, _, _ = normalize(x, self._axes, self.epsilon)
        self._last = normalized, inverse
        return self._affine(normalized, self._shape)

    def gradient(self, x: Floats, y: Floats, dy: Floats) -> tuple[Floats, list[Floats]]:
        assert self._last is not None
        dn, gradients = self._affine_gradient(dy, self._shape, self._others)
        return normalize_gradient(dn, *self._last, self._axes), gradients

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {"axis": self.axis}

    def __repr__(self) -> str:
        return self._typed(**({} if self.axis == -1 else {"axis": self.axis}))
