"""Panels: the layout in which kernels keep a weight matrix, and the way into it and back.

A (K, N) matrix becomes (N / P, K, P): panel p holds columns p * P to p * P + P - 1, row after row, and the last one is
filled up with zeros. A row of a panel is one cache line, and a panel's rows follow one another, so that walking down a
panel reads memory in order and never meets the cache sets' aliasing of a power-of-two row length.
"""

import numpy as np
from numpy.typing import NDArray

from fastnet.kernels import PANEL, padded

Floats = NDArray[np.float32]


def pack(matrix: Floats) -> Floats:
    """The (K, N) matrix as panels, (N rounded up / P, K, P)."""
    rows, columns = matrix.shape
    whole = np.zeros((rows, padded(columns)), np.float32)
    whole[:, :columns] = matrix
    return np.ascontiguousarray(whole.reshape(rows, -1, PANEL).transpose(1, 0, 2))


def unpack(panels: Floats, columns: int) -> Floats:
    """The first `columns` columns of the matrix in `panels`, as a new (K, N) array."""
    return panels.transpose(1, 0, 2).reshape(panels.shape[1], -1)[:, :columns].copy()
