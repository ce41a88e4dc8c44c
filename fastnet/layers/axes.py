"""Axes of a batch: what layers that work along some of them have as their argument `axis`."""

from __future__ import annotations

from typing import Any

from fastnet import checks
from fastnet.layers.base import Layer, Shape


def axis_argument(axis: Any) -> int | list[int]:
    """`axis` as an integer or a list of them, none of which is the batch's, 0.

    Raises:
        ValueError, TypeError: if it is not.
    """
    if isinstance(axis, list | tuple):
        axes = [_axis(entry) for entry in axis]
        if not axes or len(set(axes)) < len(axes):
            raise ValueError(f"axis must be one axis or several different ones, got {axis!r}")
        return axes
    return _axis(axis)


def _axis(axis: Any) -> int:
    try:
        n = checks.integer("axis", axis, least=-64)
    except TypeError:
        raise TypeError(f"axis must be an integer or a list of them, got {axis!r}") from None
    if n == 0:
        raise ValueError("axis must not be 0, the batch's; each example is computed by itself, got 0")
    return n


def axes_of(layer: Layer, axis: int | list[int], input_shape: Shape) -> tuple[int, ...]:
    """The axes of a batch (B, *input_shape) that are meant, in order and counted from the front.

    Raises:
        ValueError: if a batch has no such axis, or two of them are the same.
    """
    rank = 1 + len(input_shape)
    found = []
    for entry in [axis] if isinstance(axis, int) else axis:
        place = entry + rank if entry < 0 else entry
        if not 0 < place < rank:
            raise checks.ShapeError(
                f"layer {layer.name!r}: axis is {axis}, but examples have shape {input_shape}; "
                f"expected 1 to {rank - 1}, or {1 - rank} to -1"
            )
        found.append(place)
    if len(set(found)) < len(found):
        raise checks.ShapeError(
            f"layer {layer.name!r}: axis is {axis}, which for examples of shape {input_shape} is one twice"
        )
    return tuple(sorted(found))
