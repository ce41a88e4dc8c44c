"""Inputs that are mostly zeros, as the pixels of a digit: whether they are, and the numbers that are not.

A first layer that is given a data set as `Csr` multiplies only those numbers. The result has the same bits.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fastnet import kernels
from fastnet.checks import Floats, numeric

Places = NDArray[np.intp]

_MOST = 0.6  # share of nonzeros up to which it pays, by bench/scaling.py
_LEAST_WEIGHTS = 16384  # of the layer; a smaller one is done before its zeros are found
_SAMPLE = 512  # rows looked at
_NARROW = 2**16  # columns that an index of 16 bits can tell apart


class Csr:
    """The rows of a data set by their numbers that are not zero (compressed sparse rows).

    Attributes:
        shape: (n, K).
        indptr: (n + 1,), where each row begins in the others.
        narrow, wide: (nnz,), the columns, ascending in a row: in 16 bits if K allows it, else in 32; the other is None.
        values: (nnz,) float32; or (256,), the numbers that the octets stand for.
        octets: (nnz,) uint8, or None.
        longest: how many numbers the row that has most has.
    """

    def __init__(
        self,
        shape: tuple[int, int],
        indptr: Places,
        narrow: NDArray[np.uint16] | None,
        wide: NDArray[np.int32] | None,
        values: Floats,
        octets: NDArray[np.uint8] | None = None,
    ) -> None:
        self.shape = shape
        self.indptr = indptr
        self.narrow = narrow
        self.wide = wide
        self.values = values
        self.octets = octets
        self.longest = int(np.diff(indptr).max(initial=0))  # numbers of the row that has most

    @classmethod
    def from_dense(cls, x: Floats | NDArray[np.uint8], scale: float = 1.0) -> Csr:
        """The rows of x, (n, K), n and K at least 1, each number times `scale`."""
        floats: Any = x if x.dtype == np.float32 else None
        octets: Any = x if floats is None else None
        indptr = np.zeros(len(x) + 1, np.intp)
        kernels.csr_count(floats, octets, indptr[1:])
        np.cumsum(indptr, out=indptr)
        nnz = int(indptr[-1])
        narrow = np.empty(nnz, np.uint16) if x.shape[1] <= _NARROW else None
        wide = np.empty(nnz, np.int32) if narrow is None else None
        values = np.empty(nnz, np.float32) if octets is None else None
        codes = np.empty(nnz, np.uint8) if values is None else None
        kernels.csr_compress(floats, octets, indptr, narrow, wide, values, codes)
        table = np.arange(256, dtype=np.float32) if values is None else values
        if scale != 1:
            table *= np.float32(scale)
        return cls((len(x), x.shape[1]), indptr, narrow, wide, table, codes)

    @classmethod
    def from_scipy(cls, argument: str, matrix: Any) -> Csr:
        """A SciPy sparse matrix or array, of any format.

        Raises:
            ValueError: if a value is not finite.
            TypeError: if the values are not numbers.
        """
        csr = matrix.tocsr()
        if not csr.has_canonical_format:
            csr = csr.copy()
            csr.sum_duplicates()
        values = np.require(numeric(argument, csr.data), np.float32, ["C", "A"])
        if not kernels.all_finite(values):
            raise ValueError(f"{argument} holds a value that is not finite; expected finite numbers")
        is_narrow = csr.shape[1] <= _NARROW
        indices = csr.indices.astype(np.uint16 if is_narrow else np.int32)
        narrow, wide = (indices, None) if is_narrow else (None, indices)
        return cls(csr.shape, csr.indptr.astype(np.intp), narrow, wide, values)

    def __getitem__(self, rows: slice) -> Csr:
        """Some rows, next to one another, without a copy."""
        start, stop, _ = rows.indices(len(self))
        indptr = self.indptr[start : stop + 1]
        return Csr((len(indptr) - 1, self.shape[1]), indptr, self.narrow, self.wide, self.values, self.octets)

    def scaled(self, scale: float) -> Csr:
        """The same rows with every number times `scale`."""
        return Csr(self.shape, self.indptr, self.narrow, self.wide, self.values * np.float32(scale), self.octets)

    @property
    def nbytes(self) -> int:
        arrays = self.indptr, self.narrow, self.wide, self.values, self.octets
        return sum(array.nbytes for array in arrays if array is not None)

    def __len__(self) -> int:
        return self.shape[0]


class CsrBatch(NamedTuple):
    """Some rows of a Csr, in any order, without a copy."""

    matrix: Csr
    rows: Places

    @property
    def arrays(self) -> tuple[Places, Any, Any, Floats, Any, Places]:
        """What a kernel takes."""
        m = self.matrix
        return m.indptr, m.narrow, m.wide, m.values, m.octets, self.rows

    def __len__(self) -> int:
        return len(self.rows)


class CscBatch(NamedTuple):
    """A batch by columns: column k has the entries from ends[k] to ends[k + 1], each a row and a number's 32 bits.

    Attributes:
        ends: (C, K + 1), a copy for each thread.
        entries: (C, most, 2).
    """

    ends: Places
    entries: NDArray[np.int32]


class CscWorkspace:
    """Room for one CscBatch after another."""

    def __init__(self, columns: int) -> None:
        self._columns = columns
        self._ends = np.empty((0, columns + 1), np.intp)
        self._entries = np.empty((0, 0, 2), np.int32)

    def __reduce__(self) -> tuple[Any, ...]:
        return CscWorkspace, (self._columns,)

    def transpose(self, x: CsrBatch) -> CscBatch:
        """The batch x by columns, valid until the next one."""
        most, copies = min(len(x) * x.matrix.longest, int(x.matrix.indptr[-1])), kernels.get_num_threads()
        if copies != len(self._ends) or most > self._entries.shape[1]:
            self._ends = np.empty((copies, self._columns + 1), np.intp)
            self._entries = np.empty((copies, most, 2), np.int32)
        kernels.csr_transpose(*x.arrays, self._ends, self._entries)
        return CscBatch(self._ends, self._entries)


def is_scipy_sparse(x: Any) -> bool:
    return type(x).__module__.partition(".")[0] == "scipy" and hasattr(x, "tocsr")


def is_sparse(x: NDArray[Any], units: int) -> bool:
    """Whether a layer of `units` units should skip the zeros of x, (n, K), judged by some of its rows."""
    if x.size == 0 or x.shape[1] * units < _LEAST_WEIGHTS:
        return False
    rows = x[:: -(-len(x) // _SAMPLE)]
    return bool(np.count_nonzero(rows) <= _MOST * rows.size)
