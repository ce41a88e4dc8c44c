"""Inputs that are mostly zeros, as the pixels of a digit: whether they are, and the lists of what is not zero.

With the lists a product takes only the steps that change something, and the result has the same bits.
"""

import numpy as np
from numpy.typing import NDArray

from fastnet import kernels
from fastnet.checks import Floats

Lists = tuple[NDArray[np.int32], NDArray[np.int32], Floats]  # steps, counts, values: see kernels/gemm.pxi

_MOST = 0.4  # share of nonzeros up to which the lists pay, by bench/density.py
_LEAST_WEIGHTS = 16384  # of a layer; a smaller one is done before its lists are
_SAMPLE = 512  # rows looked at


def is_sparse(x: Floats, units: int) -> bool:
    """Whether a layer of `units` units should skip the zeros of x, (n, K), judged by some of its rows."""
    if x.size == 0 or x.shape[1] * units < _LEAST_WEIGHTS:
        return False
    rows = x[:: -(-len(x) // _SAMPLE)]
    return bool(np.count_nonzero(rows) <= _MOST * rows.size)


class NonzeroLists:
    """The lists of one batch after another, for a layer with `inputs` inputs, in workspaces that are kept."""

    def __init__(self, inputs: int) -> None:
        self._inputs = inputs
        self._by_column = self._by_row = _workspace(0, 0)

    def of_columns(self, x: Floats) -> Lists:
        """For x . W: at which columns a few rows of x, (B, inputs), have something."""
        blocks = -(-len(x) // kernels.SKIP)
        if blocks > len(self._by_column[0]):
            self._by_column = _workspace(blocks, self._inputs)
        steps, counts, values = self._by_column
        lists = steps[:blocks], counts[:blocks], values[:blocks]
        kernels.nonzero_columns(x, *lists)
        return lists

    def of_rows(self, x: Floats) -> Lists:
        """For x^T . dZ: in which rows a few columns of x, (B, inputs), have something."""
        if len(x) > self._by_row[0].shape[1]:
            self._by_row = _workspace(-(-self._inputs // kernels.SKIP), len(x))
        kernels.nonzero_rows(x, *self._by_row)
        return self._by_row


def _workspace(blocks: int, most: int) -> Lists:
    return (
        np.empty((blocks, most), np.int32),
        np.empty(blocks, np.int32),
        np.empty((blocks, most, kernels.SKIP), np.float32),
    )
