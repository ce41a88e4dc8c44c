"""GlobalAveragePooling1D: the mean over the steps of an example, such as the words of a sentence."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastnet import checks
from fastnet.checks import Floats
from fastnet.layers.base import LAYER_ARGUMENTS, Layer, Shape


class GlobalAveragePooling1D(Layer):
    """Computes the mean over the first axis of each example: (steps, features) becomes (features,).

    Args:
        data_format: ``"channels_last"``, or ``"channels_first"`` for examples of shape (features, steps).
        keepdims: whether the axis stays, with length 1.
        name, trainable, input_shape, input_dim: as for `Layer`.

    Raises:
        ValueError, TypeError: if an argument is invalid; when the layer is built, if examples do not have two axes.

    Example:
        >>> GlobalAveragePooling1D()([[[1.0, 2.0], [3.0, 6.0]]])
        array([[2., 4.]], dtype=float32)
    """

    def __init__(self, data_format: str | None = None, keepdims: bool = False, **kwargs: Any) -> None:
        super().__init__(**checks.keywords("GlobalAveragePooling1D", kwargs, LAYER_ARGUMENTS))
        formats = {"channels_last": "channels_last", "channels_first": "channels_first"}
        self.data_format = checks.choose("data_format", data_format or "channels_last", formats)
        self.keepdims = checks.flag("keepdims", keepdims)
        self._axis = 1 if self.data_format == "channels_last" else 2

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        if len(input_shape) != 2:
            raise checks.ShapeError(
                f"layer {self.name!r} takes examples of shape (steps, features), but is given {input_shape}"
            )
        kept = input_shape[2 - self._axis]
        if self.keepdims:
            return (1, kept) if self._axis == 1 else (kept, 1)
        return (kept,)

    def call(self, x: Floats, training: bool = False) -> Floats:
        return x.mean(axis=self._axis, dtype=np.float64, keepdims=self.keepdims).astype(np.float32)

    def gradient(self, x: Floats, y: Floats, dy: Floats) -> Floats:
        each = (dy if self.keepdims else np.expand_dims(dy, self._axis)) / np.float32(x.shape[self._axis])
        return np.broadcast_to(each, x.shape)

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {"data_format": self.data_format, "keepdims": self.keepdims}

    def __repr__(self) -> str:
        return f"GlobalAveragePooling1D({'keepdims=True' if self.keepdims else ''})"
