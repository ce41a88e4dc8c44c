"""Sparse rows, for inputs that are mostly zeros, such as the pixels of a digit.

A first layer that is given a data set as `Csr` multiplies only the nonzeros. The result has the same bits.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from itertools import chain
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fastnet import kernels
from fastnet.checks import Floats

Places = NDArray[np.intp]
Columns = NDArray[np.uint16] | NDArray[np.int32]

_MOST = 0.6  # share of nonzeros up to which skipping zeros is faster, as bench/scaling.py measures
_LEAST_WEIGHTS = 16384  # a smaller layer computes faster than its zeros are found
_SAMPLE = 512  # rows in which `is_sparse` counts the nonzeros
_NARROW = 2**16  # the most columns that an index of 16 bits can tell apart


class Csr:
    """A data set as compressed sparse rows: only its nonzeros are stored.

    Attributes:
        shape: (n, K).
        indptr: (n + 1,), where each row begins in `indices` and `values`.
        indices: (nnz,) uint16, or int32 if K > 65,536: the columns of the nonzeros, ascending in a row.
        values: (nnz,) float32, the nonzeros.
        longest: the largest number of nonzeros in a row.
    """

    is_sparse = True

    def __init__(self, shape: tuple[int, int], indptr: Places, indices: Columns, values: Floats) -> None:
        self.shape = shape
        self.indptr = indptr
        self.indices = indices
        self.values = values
        self.longest = int(np.diff(indptr).max(initial=0))

    @classmethod
    def from_dense(cls, x: Floats | NDArray[np.uint8], scale: float = 1.0) -> Csr:
        """Compresses x, (n, K) with n and K at least 1, and multiplies each number by `scale`."""
        floats: Any = x if x.dtype == np.float32 else None
        octets: Any = x if floats is None else None
        indptr = np.zeros(len(x) + 1, np.intp)
        kernels.csr_count(floats, octets, indptr[1:])
        np.cumsum(indptr, out=indptr)
        indices, values = np.empty(indptr[-1], _index_type(x.shape[1])), np.empty(indptr[-1], np.float32)
        kernels.csr_compress(floats, octets, scale, indptr, indices, values)
        return cls((len(x), x.shape[1]), indptr, indices, values)

    @classmethod
    def from_scipy(cls, argument: str, matrix: Any) -> Csr:
        """Copies a two-dimensional SciPy sparse matrix or array of any format.

        Raises:
            ValueError: if an index lies outside the matrix, or a value is not finite.
            TypeError: if the values are not real numbers, or the indices are not integers.
        """
        dtype = np.dtype(getattr(matrix, "dtype", object))
        if dtype.kind not in "biuf":
            raise TypeError(f"{argument} has dtype {dtype}; expected real numbers")
        if matrix.shape[1] >= 2**31:
            raise ValueError(f"{argument} has {matrix.shape[1]} columns; expected fewer than {2**31}")
        _check_indices(argument, matrix)
        with _naming(argument):
            csr = matrix.tocsr()
        indptr, columns, data = _compressed(argument, csr, *csr.shape)
        if not _is_ascending(indptr, columns):
            with _naming(argument):
                csr = type(csr)((data, columns, indptr), shape=csr.shape, copy=True)
                csr.has_canonical_format = csr.has_sorted_indices = False  # SciPy's flags may be outdated
                csr.sum_duplicates()
            indptr, columns, data = csr.indptr, csr.indices, csr.data
        with np.errstate(over="ignore"):
            values = np.require(data, np.float32, ["C", "A"])
        if not kernels.all_finite(values):
            at = int(np.argmin(np.isfinite(values)))
            row = int(np.searchsorted(indptr, at, side="right")) - 1
            why = "does not fit float32" if np.isfinite(data[at]) else "is not finite"
            raise ValueError(f"{argument} holds {data[at]} at row {row}, column {columns[at]}, which {why}")
        # Copies, since the caller may change the matrix during training and kernels trust these indices.
        return cls(csr.shape, np.array(indptr, np.intp), np.array(columns, _index_type(csr.shape[1])), values)

    @classmethod
    def concatenated(cls, parts: Sequence[Csr]) -> Csr:
        """Joins the rows of several matrices with the same number of columns."""
        ends = np.cumsum([0] + [part.indptr[-1] for part in parts])
        indptr = np.concatenate([[0]] + [part.indptr[1:] + end for part, end in zip(parts, ends, strict=False)])
        indices, values = (np.concatenate([getattr(part, name) for part in parts]) for name in ("indices", "values"))
        return cls((len(indptr) - 1, parts[0].shape[1]), indptr, indices, values)

    def __getitem__(self, rows: slice) -> Csr:
        """Returns adjacent rows, without a copy."""
        start, stop, _ = rows.indices(len(self))
        indptr = self.indptr[start : stop + 1]
        return Csr((len(indptr) - 1, self.shape[1]), indptr, self.indices, self.values)

    def scaled(self, scale: float) -> Csr:
        """Returns the same rows with every number multiplied by `scale`."""
        return self if scale == 1 else Csr(self.shape, self.indptr, self.indices, self.values * np.float32(scale))

    def read(self, which: slice) -> CsrBatch:
        """Returns adjacent rows for the kernels, without a copy."""
        return CsrBatch(self, np.arange(*which.indices(len(self))))

    def __len__(self) -> int:
        return self.shape[0]


class CsrBatch(NamedTuple):
    """Some rows of a Csr, in any order, without a copy."""

    matrix: Csr
    rows: Places

    @property
    def arrays(self) -> tuple[Places, Columns, Floats, Places]:
        """The arguments for a kernel."""
        m = self.matrix
        return m.indptr, m.indices, m.values, self.rows

    def __len__(self) -> int:
        return len(self.rows)


class CscBatch(NamedTuple):
    """A batch by columns. Column k has the entries from ends[k] to ends[k + 1], each a row and a float32's bits.

    Attributes:
        ends: (C, K + 1), a copy for each of C threads.
        entries: (C, most, 2), likewise.
    """

    ends: Places
    entries: NDArray[np.int32]


class CscWorkspace:
    """Memory for the products of CSR rows, reused from batch to batch: their order by length, and a CscBatch."""

    def __init__(self, columns: int) -> None:
        self._columns = columns
        self._order = np.empty(0, np.intp)
        self._ends = np.empty((0, columns + 1), np.intp)
        self._entries = np.empty((0, 0, 2), np.int32)

    def __reduce__(self) -> tuple[Any, ...]:
        return CscWorkspace, (self._columns,)

    def order(self, batch: int) -> Places:
        """Returns memory for the order of a batch's rows."""
        if batch > len(self._order):
            self._order = np.empty(batch, np.intp)
        return self._order[:batch]

    def transpose(self, x: CsrBatch) -> CscBatch:
        """Returns the batch x by columns, valid until the next call."""
        most, copies = min(len(x) * x.matrix.longest, int(x.matrix.indptr[-1])), kernels.get_num_threads()
        if copies != len(self._ends) or most > self._entries.shape[1]:
            self._ends = np.empty((copies, self._columns + 1), np.intp)
            self._entries = np.empty((copies, most, 2), np.int32)
        kernels.csr_transpose(*x.arrays, self._ends, self._entries)
        return CscBatch(self._ends, self._entries)


@contextlib.contextmanager
def _naming(argument: str) -> Iterator[None]:
    """Adds the argument's name to errors of SciPy."""
    try:
        yield
    except (AttributeError, IndexError, OverflowError, TypeError, ValueError) as error:
        raise ValueError(f"{argument} is a SciPy matrix that cannot be read: {error}") from error


def _check_indices(argument: str, matrix: Any) -> None:
    """Raises an error if an index lies outside a SciPy matrix, which SciPy's own conversions do not check.

    It compares the arrays as they are, since a cast could make a wrong index look right.
    """
    (rows, columns), form = matrix.shape, matrix.format
    if form == "csc":
        _compressed(argument, matrix, columns, rows)
    elif form == "bsr":
        shape = np.shape(matrix.data)
        if len(shape) != 3 or 0 in shape[1:] or rows % shape[1] or columns % shape[2]:
            raise ValueError(f"{argument}.data has shape {shape}; expected blocks that fill a matrix {matrix.shape}")
        _compressed(argument, matrix, rows // shape[1], columns // shape[2])
    elif form == "coo":
        size = len(_vector(argument, "data", matrix.data))
        for name, limit in (("row", rows), ("col", columns)):
            index = _whole(argument, name, getattr(matrix, name))
            if len(index) != size:
                raise ValueError(f"{argument}.{name} has {len(index)} entries, but {argument}.data has {size}")
            _check_range(argument, name, index, limit)
    elif form == "dia":
        offsets, shape = _whole(argument, "offsets", matrix.offsets), np.shape(matrix.data)
        if len(shape) != 2 or shape[0] != len(offsets):
            raise ValueError(f"{argument}.data has shape {shape}, but {argument}.offsets has {len(offsets)} entries")
        if len(np.unique(offsets)) < len(offsets):
            raise ValueError(f"{argument}.offsets holds a number twice; expected each diagonal once")
        most = 2**31 - max(rows, columns)  # a diagonal may lie outside the matrix, but SciPy casts its offset to int32
        _check_range(argument, "offsets", offsets, most, least=-most)
    elif form == "lil":
        with _naming(argument):
            lengths, others = ([len(entries) for entries in lists] for lists in (matrix.rows, matrix.data))
            flat = np.array(list(chain.from_iterable(matrix.rows)))
        if len(lengths) != rows or lengths != others:
            raise ValueError(f"{argument}.rows and {argument}.data differ in length, or are not {rows} rows")
        if flat.size:
            _check_range(argument, "rows", _whole(argument, "rows", flat), columns)
    elif form == "dok":
        with _naming(argument):
            keys = np.array(list(matrix.keys())).reshape(-1, 2)
        if keys.size:
            for name, index, limit in (("keys", keys[:, 0], rows), ("keys", keys[:, 1], columns)):
                _check_range(argument, name, _whole(argument, name, index), limit)


def _compressed(argument: str, matrix: Any, rows: int, columns: int) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    """Checks a matrix of compressed rows, columns or blocks; returns its `indptr`, `indices` and `data`.

    The last two may be longer than the matrix needs; only the part in use is returned.
    """
    indptr, indices = _whole(argument, "indptr", matrix.indptr), _whole(argument, "indices", matrix.indices)
    data = np.asarray(matrix.data) if matrix.format == "bsr" else _vector(argument, "data", matrix.data)
    if len(indptr) != rows + 1:
        raise ValueError(f"{argument}.indptr has {len(indptr)} entries; expected {rows + 1}")
    if indptr[0] != 0:
        raise ValueError(f"{argument}.indptr begins with {indptr[0]}; expected 0")
    falls = np.flatnonzero(indptr[1:] < indptr[:-1])
    if falls.size:
        at = falls[0]
        raise ValueError(
            f"{argument}.indptr falls from {indptr[at]} to {indptr[at + 1]} at index {at + 1}; expected rising numbers"
        )
    for name, array in (("indices", indices), ("data", data)):
        if len(array) < indptr[-1]:
            raise ValueError(
                f"{argument}.indptr ends with {indptr[-1]}, but {argument}.{name} has {len(array)} entries"
            )
    count = int(indptr[-1])
    _check_range(argument, "indices", indices[:count], columns)
    return indptr, indices[:count], data[:count]


def _vector(argument: str, name: str, value: Any) -> NDArray[Any]:
    array = np.asarray(value)
    if array.ndim != 1:
        raise ValueError(f"{argument}.{name} has shape {array.shape}; expected one dimension")
    return array


def _whole(argument: str, name: str, value: Any) -> NDArray[Any]:
    array = _vector(argument, name, value)
    if array.dtype.kind not in "iu":
        raise TypeError(f"{argument}.{name} has dtype {array.dtype}; expected whole numbers")
    return array


def _check_range(argument: str, name: str, index: NDArray[Any], limit: int, least: int = 0) -> None:
    if index.size and not (least <= int(index.min()) and int(index.max()) < limit):
        at = int(np.flatnonzero((index < least) | (index >= limit))[0])
        raise ValueError(
            f"{argument}.{name} holds {index[at]} at index {at}; expected numbers from {least} to {limit - 1}"
        )


def _is_ascending(indptr: NDArray[Any], columns: NDArray[Any]) -> bool:
    """Tells whether the columns of each row ascend, without duplicates."""
    rises = columns[1:] > columns[:-1]
    starts = indptr[(indptr > 0) & (indptr < len(columns))].astype(np.intp)
    rises[starts - 1] = True  # the first column of a row may be any
    return bool(rises.all())


def _index_type(columns: int) -> type[Any]:
    return np.uint16 if columns <= _NARROW else np.int32


def is_sparse(x: NDArray[Any], units: int) -> bool:
    """Decides from a sample of rows whether a layer of `units` units should skip the zeros of x, (n, K)."""
    if x.size == 0 or x.shape[1] * units < _LEAST_WEIGHTS:
        return False
    rows = x[:: -(-len(x) // _SAMPLE)]
    return bool(np.count_nonzero(rows) <= _MOST * rows.size)
