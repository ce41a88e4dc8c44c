"""Rows: a dense data set of float32 or of bytes, such as the pixels of images.

`Rows` and `Csr` (sparse.py) have the same methods, so the code that makes batches works with both.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from fastnet.checks import Floats

Bytes = NDArray[np.uint8]


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

    def read(self, which: slice) -> Floats:
        """Returns adjacent rows as float32, for the first layer: a view of the data set if possible."""
        rows = self.array[which]
        return rows if rows.dtype == np.float32 else rows.astype(np.float32)  # type: ignore[return-value]
