"""Panels, the layout of weight matrices in the kernels: packing, unpacking, and aligned arrays.

A (K, N) matrix becomes (N / P, K, P). Panel p holds the columns from p * P to p * P + P - 1, row after row. Zeros fill
up the last panel. A row of a panel is one cache line, and the next row follows directly in memory, so a kernel reads a
panel in order. In the matrix itself, rows whose length is a power of two would compete for a few cache sets.
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
    """Returns zeros that begin at a cache line. NumPy's need not, and then each row of a panel would span two lines."""
    size = math.prod(shape)
    room = np.zeros(size + _LINE // 4, np.float32)
    start = -room.ctypes.data % _LINE // 4
    return room[start : start + size].reshape(shape)


def own(array: Floats) -> Floats:
    """Returns a writable copy of an array, which begins at a cache line."""
    copy = zeros(array.shape)
    copy[...] = array
    return copy


def own_arrays(state: dict[str, Any]) -> dict[str, Any]:
    """Copies the arrays among an unpickled object's attributes, since joblib may have mapped them from a file."""
    return {
        name: (own(value) if value.dtype == np.float32 else value.copy()) if type(value) in _MAPPED else value
        for name, value in state.items()
    }


def pack(matrix: Floats) -> Floats:
    """Packs a (K, N) matrix into panels, (N rounded up / P, K, P)."""
    rows, columns = matrix.shape
    panels = zeros((padded(columns) // PANEL, rows, PANEL))
    whole = columns // PANEL
    panels[:whole] = matrix[:, : whole * PANEL].reshape(rows, whole, PANEL).transpose(1, 0, 2)
    if whole < len(panels):
        panels[whole, :, : columns - whole * PANEL] = matrix[:, whole * PANEL :]
    return panels


def unpack(panels: Floats, columns: int) -> Floats:
    """Returns the first `columns` columns of the matrix in `panels`, as a new (K, N) array."""
    return panels.transpose(1, 0, 2).reshape(panels.shape[1], -1)[:, :columns].copy()
