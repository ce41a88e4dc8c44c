"""PReLU: a relu whose slope for negative numbers is trained."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastnet import checks, constraints, initializers, regularizers
from fastnet.checks import Floats
from fastnet.layers.axes import axes_of, axis_argument
from fastnet.layers.base import LAYER_ARGUMENTS, Layer, Shape


class PReLU(Layer):
    """Computes x where it is positive, else alpha x. Each number of an example has its own alpha, which is trained.

    The gradient with respect to alpha is the sum of dy x over the negative x that share this alpha.

    Source: K. He et al., "Delving deep into rectifiers", 2015.

    Args:
        alpha_initializer: makes the initial alpha.
        alpha_regularizer: adds a penalty for alpha to the loss.
        alpha_constraint: projects alpha onto the allowed set after each step.
        shared_axes: an axis or a list of axes along which all numbers share one alpha; 0 is the batch.
        name, trainable, input_shape, input_dim: as for `Layer`.

    Raises:
        ValueError, TypeError: if an argument is invalid; when the layer is built, if examples have no such axis.

    Example:
        >>> PReLU(alpha_initializer=initializers.Constant(0.25))([[-4, 4]])
        array([[-1.,  4.]], dtype=float32)
    """

    def __init__(
        self,
        alpha_initializer: Any = "zeros",
        alpha_regularizer: Any = None,
        alpha_constraint: Any = None,
        shared_axes: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**checks.keywords("PReLU", kwargs, LAYER_ARGUMENTS))
        self.alpha_initializer = initializers.get(alpha_initializer, "alpha_initializer")
        self.alpha_regularizer = regularizers.get(alpha_regularizer, "alpha_regularizer")
        self.alpha_constraint = constraints.get(alpha_constraint, "alpha_constraint")
        axes = None if shared_axes is None else axis_argument(shared_axes)
        self.shared_axes = [axes] if isinstance(axes, int) else axes

    def build(self, input_shape: Shape) -> None:
        shared = axes_of(self, self.shared_axes, input_shape) if self.shared_axes else ()
        self._summed = (0, *shared)
        shape = tuple(1 if i in shared else n for i, n in enumerate(input_shape, 1))
        self.alpha = self.add_weight(
            shape,
            self.alpha_initializer,
            name="alpha",
            regularizer=self.alpha_regularizer,
            constraint=self.alpha_constraint,
        )

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return input_shape

    def call(self, x: Floats, training: bool = False) -> Floats:
        return np.where(x > 0, x, self.alpha.numpy() * x)

    def gradient(self, x: Floats, y: Floats, dy: Floats) -> tuple[Floats, list[Floats]]:
        dx = np.where(x > 0, dy, self.alpha.numpy() * dy)
        below = np.where(x > 0, np.float32(0), dy * x)
        summed = below.sum(axis=self._summed, dtype=np.float64).reshape(self.alpha.shape)
        return dx, [summed.astype(np.float32)]

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {
            "alpha_initializer": initializers.serialize(self.alpha_initializer),
            "alpha_regularizer": regularizers.serialize(self.alpha_regularizer),
            "alpha_constraint": constraints.serialize(self.alpha_constraint),
            "shared_axes": self.shared_axes,
        }

    def __repr__(self) -> str:
        return f"PReLU({f'shared_axes={self.shared_axes}' if self.shared_axes else ''})"
