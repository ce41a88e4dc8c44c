"""Layers that rearrange or repeat the numbers of an example: Permute, RepeatVector."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastnet import checks
from fastnet.checks import Floats
from fastnet.layers.base import LAYER_ARGUMENTS, Layer, Shape, shape_of


class Permute(Layer):
    """Changes the order of the axes of an example.

    Args:
        dims: the new order, such as (2, 1); axis 1 is the first after the batch.
        name, trainable, input_shape, input_dim: as for `Layer`.

    Raises:
        ValueError, TypeError: if `dims` is not an order of axes; when the layer is built, if its length does not fit.

    Example:
        >>> Permute((2, 1))(np.ones((5, 2, 3))).shape
        (5, 3, 2)
    """

    def __init__(self, dims: Any, **kwargs: Any) -> None:
        super().__init__(**checks.keywords("Permute", kwargs, LAYER_ARGUMENTS))
        self.dims = shape_of("dims", dims)
        if sorted(self.dims) != list(range(1, len(self.dims) + 1)):
            raise ValueError(f"dims must hold each of the axes 1 to n once, got {dims!r}")

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        if len(input_shape) != len(self.dims):
            raise checks.ShapeError(f"layer {self.name!r}: dims is {self.dims}, but examples have shape {input_shape}")
        return tuple(input_shape[i - 1] for i in self.dims)

    def call(self, x: Floats, training: bool = False) -> Floats:
        return x.transpose(0, *self.dims)

    def gradient(self, x: Floats, y: Floats, dy: Floats) -> Floats:
        return dy.transpose(np.argsort((0, *self.dims)))

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {"dims": list(self.dims)}

    def __repr__(self) -> str:
        return f"Permute({self.dims})"


class RepeatVector(Layer):
    """Repeats each row: (K,) becomes (n, K).

    Args:
        n: how many times; at least 1.
        name, trainable, input_shape, input_dim: as for `Layer`.

    Raises:
        ValueError, TypeError: if `n` is invalid; when the layer is built, if examples are not rows.

    Example:
        >>> RepeatVector(2)([[1.0, 3.0]])
        array([[[1., 3.],
                [1., 3.]]], dtype=float32)
    """

    def __init__(self, n: int, **kwargs: Any) -> None:
        super().__init__(**checks.keywords("RepeatVector", kwargs, LAYER_ARGUMENTS))
        self.n = checks.integer("n", n, least=1)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        if len(input_shape) != 1:
            raise checks.ShapeError(f"layer {self.name!r} repeats rows, but examples have shape {input_shape}")
        return (self.n, *input_shape)

    def call(self, x: Floats, training: bool = False) -> Floats:
        return np.repeat(x[:, None], self.n, axis=1)

    def gradient(self, x: Floats, y: Floats, dy: Floats) -> Floats:
        summed: Floats = dy.sum(axis=1)
        return summed

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {"n": self.n}

    def __repr__(self) -> str:
        return f"RepeatVector({self.n})"
