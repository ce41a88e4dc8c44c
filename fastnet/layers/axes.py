"""The argument `axis` of layers that work along some axes of a batch."""

from __future__ import annotations

from typing import Any

from fastnet import checks
from fastnet.layers.base import Layer, Shape


def axis_argument(axis: Any) -> int | list[int]:
    """Checks `axis`: an integer or a list of integers, but not 0, the batch's axis.

    Raises:
        ValueError, TypeError: if `axis` is invalid.
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
        raise ValueError("axis must not be 0, the axis of the batch, got 0")
    return n


def axes_of(layer: Layer, axis: int | list[int], input_shape: Shape) -> tuple[int, ...]:
    """Returns the axes of a batch (B, *input_shape), sorted and counted from the front.

    Raises:
        ValueError: if a batch has no such axis, or two entries mean the same axis.
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
            f"layer {layer.name!r}: axis is {axis}, which for examples of shape {input_shape} names the same axis twice"
        )
    return tuple(sorted(found))
