"""The argument `noise_shape` of the dropout layers: along which axes one random choice holds for several numbers."""

from __future__ import annotations

from typing import Any

from fastnet import checks
from fastnet.layers.base import Layer, Shape

NoiseShape = tuple[int | None, ...]


def noise_shape_argument(value: Any) -> NoiseShape | None:
    """Checks `noise_shape`: None, or the shape of a batch, in which None stands for the batch's own size.

    Raises:
        ValueError, TypeError: if it is not a shape.
    """
    if value is None:
        return None
    if not isinstance(value, list | tuple):
        raise TypeError(f"noise_shape must be a batch's shape such as (None, 1, 8), got {value!r}")
    return tuple(None if n is None else checks.integer("noise_shape", n, least=1) for n in value)


def check_fits(layer: Layer, noise_shape: NoiseShape | None, input_shape: Shape) -> None:
    """Checks that the choices can be repeated to a batch (B, *input_shape); raises ValueError if not."""
    if noise_shape is not None and (
        len(noise_shape) != 1 + len(input_shape)
        or any(n not in (None, 1, m) for n, m in zip(noise_shape[1:], input_shape, strict=True))
    ):
        raise ValueError(
            f"layer {layer.name!r}: noise_shape is {noise_shape}, which does not fit batches of shape "
            f"{(None, *input_shape)}"
        )


def shape_of_choices(layer: Layer, noise_shape: NoiseShape | None, batch: Shape) -> Shape:
    """Returns the shape of the random choices for a batch; raises ValueError if its number of rows does not fit."""
    shape = tuple(m if n is None else n for n, m in zip(noise_shape or batch, batch, strict=True))
    if shape[0] not in (1, batch[0]):
        raise ValueError(f"layer {layer.name!r}: noise_shape is {noise_shape}, but a batch has {batch[0]} rows")
    return shape
