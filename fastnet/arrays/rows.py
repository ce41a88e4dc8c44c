"""Rows: a dense data set of float32 or of bytes, such as the pixels of images.

`Rows` and `Csr` (sparse.py) have the same methods, so the code that makes batches works with both.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastnet.arrays.panels import zeros
from fastnet.checks import Floats

Bytes = NDArray[np.uint8]
Which = slice | NDArray[np.intp]  # adjacent rows, or row numbers in any order


class Rows:
    """A dense data set.

    Args:
        array: (n, K) float32 or uint8, in C order.
    """

    is_sparse = False

    def __init__(self, array: Floats | Bytes) -> None:
        self.array = array

    @property
    def shape(self) -> tuple[int, int]:
        return self.array.shape

    def __len__(self) -> int:
        return len(self.array)

    def __getitem__(self, which: slice) -> Rows:
        return Rows(self.array[which])

    def reader(self, batch_size: int) -> Callable[[Which], Floats]:
        """Makes a function that returns some rows as float32, for the first layer.

        It returns a view of the data set if possible, else part of a buffer that its next call overwrites.
        """
        array: Any = self.array
        shape = batch_size, self.shape[1]
        gathered: Any = None
        floats: Any = None

        def read(which: Which) -> Floats:
            nonlocal gathered, floats
            if isinstance(which, slice):
                rows = array[which]
            else:
                if gathered is None:
                    gathered = np.empty(shape, array.dtype)
                rows = gathered[: len(which)]
                # mode="clip" lets NumPy write straight into `out`; row numbers have nothing to clip.
                array.take(which, 0, rows, "clip")
            if rows.dtype == np.float32:
                return rows  # type: ignore[no-any-return]
            if floats is None:
                floats = zeros(shape)
            floats[: len(rows)] = rows
            return floats[: len(rows)]  # type: ignore[no-any-return]

        return read
