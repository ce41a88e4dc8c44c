"""Panels: the layout in which kernels keep a weight matrix, and the way into it and back; arrays aligned for it.

A (K, N) matrix becomes (N / P, K, P): panel p holds columns p * P to p * P + P - 1, row after row, and the last one is
filled up with zeros. A row of a panel is one cache line, and a panel's rows follow one another, so that walking down a
panel reads memory in order and never meets the cache sets' aliasing of a power-of-two row length.
"""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastnet.kernels import PANEL, padded

Floats = NDArray[np.float32]

_LINE = 64  # bytes of a cache line
_MAPPED = (np.ndarray, np.memmap)


def zeros(shape: tuple[int, ...]) -> Floats:
    """Zeros that begin at a cache line: NumPy's begin anywhere, and then each row of a panel lies across two lines."""
    size = math.prod(shape)
    room = np.zeros(size + _LINE // 4, np.float32)
    start = -room.ctypes.data % _LINE // 4
    return room[start : start + size].reshape(shape)


def own(array: Floats) -> Floats:
    """A writable copy of an array that begins at a cache line."""
    copy = zeros(array.shape)
    copy[...] = array
    return copy


def own_arrays(state: dict[str, Any]) -> dict[str, Any]:
    """An unpickled object's attributes with its own copies of the arrays: joblib may have mapped them from a file."""
    return {
        name: (own(value) if value.dtype == np.float32 else value.copy()) if type(value) in _MAPPED else value
        for name, value in state.items()
    }


def pack(matrix: Floats) -> Floats:
    """The (K, N) matrix as panels, (N rounded up / P, K, P)."""
    rows, columns = matrix.shape
    panels = zeros((padded(columns) // PANEL, rows, PANEL))
    whole = columns // PANEL
    panels[:whole] = matrix[:, : whole * PANEL].reshape(rows, whole, PANEL).transpose(1, 0, 2)
    if whole < len(panels):
        panels[whole, :, : columns - whole * PANEL] = matrix[:, whole * PANEL :]
    return panels


def unpack(panels: Floats, columns: int) -> Floats:
    """The first `columns` columns of the matrix in `panels`, as a new (K, N) array."""
    return panels.transpose(1, 0, 2).reshape(panels.shape[1], -1)[:, :columns].copy()
