"""GroupNormalization: the numbers of each group of features of an example get mean 0 and variance 1."""

from __future__ import annotations

from typing import Any

from fastnet import checks
from fastnet.checks import Floats
from fastnet.layers.affine_normalization import OPTIONS, AffineNormalization, normalize, normalize_gradient
from fastnet.layers.axes import axes_of, axis_argument
from fastnet.layers.base import Shape


class GroupNormalization(AffineNormalization):
    """Normalizes each example by groups of features: y = gamma (x - mean) / sqrt(variance + epsilon) + beta.

    Mean and variance are those of all numbers of a group. Gamma and beta have one number for each feature. With one
    group, and with as many as features, this is layer and instance normalization.

    Source: Y. Wu and K. He, "Group normalization", 2018.

    Args:
        groups: the number of groups, which divides the number of features; -1 for as many as features.
        axis: the axis of the features; 0 is the batch.
        epsilon: a number of at least 0 that prevents a division by zero.
        center, scale: whether to add beta, and whether to multiply by gamma.
        beta_initializer, gamma_initializer, beta_regularizer, gamma_regularizer, beta_constraint, gamma_constraint:
            as for `Dense`.
        name, trainable, input_shape, input_dim: as for `Layer`.

    Raises:
        ValueError: if a number is out of its range; when the layer is built, if there is no such axis or the groups do
            not divide it.
        TypeError: if an argument is of another type.

    Example:
        >>> GroupNormalization(2, epsilon=0)([[1.0, 3.0, 10.0, 30.0]])
        array([[-1.,  1., -1.,  1.]], dtype=float32)
    """

    def __init__(
        self,
        groups: int = 32,
        axis: int = -1,
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
        self.groups = checks.integer("groups", groups, least=-1)
        if not self.groups:
            raise ValueError("groups must be at least 1, or -1 for as many as features, got 0")
        if isinstance(axis, list | tuple):
            raise TypeError(f"axis must be an integer, got {axis!r}")
        self.axis = axis_argument(axis)

    def build(self, input_shape: Shape) -> None:
        (axis,) = axes_of(self, self.axis, input_shape)
        features = input_shape[axis - 1]
        groups = features if self.groups == -1 else self.groups
        if features % groups:
            raise checks.ShapeError(
                f"layer {self.name!r}: {groups} groups do not divide the {features} features of axis {self.axis}, for "
                f"examples of shape {input_shape}"
            )
        self._split = (-1, *input_shape[: axis - 1], groups, features // groups, *input_shape[axis:])
        self._grouped = tuple(i for i in range(1, len(self._split)) if i != axis)  # the axes to average over
        rank = 1 + len(input_shape)
        self._shape = tuple(features if i == axis else 1 for i in range(rank))
        self._others = tuple(i for i in range(rank) if i != axis)
        self._add_affine((features,))

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return input_shape

    def call(self, x: Floats, training: bool = False) -> Floats:
        normalized, inverse, _, _ = normalize(x.reshape(self._split), self._grouped, self.epsilon)
        self._last = normalized.reshape(x.shape), inverse
        return self._affine(self._last[0], self._shape)

    def gradient(self, x: Floats, y: Floats, dy: Floats) -> tuple[Floats, list[Floats]]:
        assert self._last is not None
        normalized, inverse = self._last
        dn, gradients = self._affine_gradient(dy, self._shape, self._others)
        dn, normalized = dn.reshape(self._split), normalized.reshape(self._split)
        return normalize_gradient(dn, normalized, inverse, self._grouped).reshape(x.shape), gradients

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {"groups": self.groups, "axis": self.axis}

    def __repr__(self) -> str:
        return self._typed(groups=self.groups, **({} if self.axis == -1 else {"axis": self.axis}))
