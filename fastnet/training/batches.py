"""Batches: a few rows of a data set at a time, ready for the first layer."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from fastnet import kernels, rng
from fastnet.arrays.panels import zeros
from fastnet.arrays.part import Part
from fastnet.arrays.sparse import CsrBatch, Places
from fastnet.checks import Floats
from fastnet.training.inputs import Data

if TYPE_CHECKING:
    from fastnet.training.fusion import Fusion

BLOCK = 1024  # rows of an evaluation or prediction at once: enough to keep the kernels busy, in little memory


class Batch(NamedTuple):
    """Some rows of a data set.

    Attributes:
        x: the input of the first layer: (B, K) float32, or rows of a sparse matrix.
        targets: (B, C) float32, or labels (B, 1) int32; None in a prediction.
        weights: how much each example counts, (B,) float32; None if all count alike.
        first: the index of the first layer that computes.
        part: which rows of a larger batch these are, in a distributed training; None if they are all.
    """

    x: Floats | CsrBatch
    targets: Any
    weights: Floats | None
    first: int
    part: Part | None = None


class Buffers:
    """Arrays for the rows of a batch. They keep their place from batch to batch, so a recorded step can read them.

    Attributes:
        rows: (B,) intp, the numbers of the rows in the data set.
        x, targets, weights: copies of these rows; None if there are none.
        key: buffers with the same key can be used instead of each other.
    """

    def __init__(self, data: Data, batch_size: int) -> None:
        self.key = self.key_of(data, batch_size)
        self.rows: Places = np.zeros(batch_size, np.intp)
        self.x = None if data.x.is_sparse else zeros((batch_size, data.x.shape[1]))
        self.targets: Any = None
        if data.targets is not None:
            self.targets = np.zeros((batch_size, data.targets.shape[1]), data.targets.dtype)
        self.weights = None if data.weights is None else np.zeros(batch_size, np.float32)

    @classmethod
    def of_whole(cls, data: Data, batch_size: int) -> Buffers:
        """Makes buffers whose arrays are those of the data set itself, for batches of all of it in order."""
        array: Any = None if data.x.is_sparse else data.x.array  # type: ignore[union-attr]
        if array is None or array.dtype != np.float32 or batch_size < len(array):
            return cls(data, batch_size)
        buffers = cls(data.rows(slice(0, 0)), 0)
        buffers.key = ()
        buffers.x, buffers.targets, buffers.weights = array, data.targets, data.weights
        return buffers

    @property
    def is_whole(self) -> bool:
        """Whether the arrays are those of the data set itself, so that nothing is copied."""
        return not self.key

    @staticmethod
    def key_of(data: Data, batch_size: int) -> tuple[Any, ...]:
        targets = None if data.targets is None else (data.targets.shape[1], data.targets.dtype)
        return batch_size, data.x.is_sparse, data.x.shape[1], targets, data.weights is None

    def fill(self, data: Data) -> None:
        """Copies a whole data set, which has at most as many rows as these buffers."""
        count = len(data.x)
        assert self.x is not None
        self.x[:count] = data.x.array  # type: ignore[union-attr]
        if self.targets is not None:
            self.targets[:count] = data.targets
        if self.weights is not None:
            self.weights[:count] = data.weights


class Batches:
    """The mini-batches of a data set, `batch_size` rows each. The last batch of an epoch may be smaller.

    Args:
        data: examples, usually with targets.
        fusion: how the layers are computed.
        batch_size: rows in a batch.
        shuffle: whether each epoch takes the rows in a new random order.
        steps: batches in an epoch; None takes all. Without `shuffle` the next epoch continues where the last one ended,
            and starts again at the first row after the last.
        sparse: whether the first Dense layer skips zeros: True, False or "auto".
        make_buffers: makes the arrays to which each batch is copied, for a data set and a batch size. None makes them
            only if `shuffle` needs them.

    Attributes:
        buffers: the arrays to which each batch is copied, or None.
        may_repeat: whether a recorded step may be repeated on these batches.
        first: the index of the first layer that computes.

    Without buffers, the arrays of a batch are views of the data set. With them, the next batch overwrites them. A batch
    of sparse rows holds only the row numbers, without a copy.
    """

    ended = False

    def __init__(
        self,
        data: Data,
        fusion: Fusion,
        batch_size: int,
        shuffle: bool,
        steps: int | None,
        sparse: Any,
        make_buffers: Callable[[Data, int], Buffers] | None = None,
    ) -> None:
        rows, self.first = fusion.front(data.x, sparse)
        self._data = data._replace(x=rows)
        self._batch_size = max(1, min(batch_size, len(rows)))
        self._shuffle = shuffle
        self._count = -(-len(rows) // self._batch_size)
        self._steps = steps or self._count
        self._step = self._steps  # number of the next step in its epoch
        self._start = self._next = 0  # the first batch of this epoch, and of the next one
        self._order: Places | None = None
        self.may_repeat = make_buffers is not None
        if make_buffers is None and shuffle:
            make_buffers = Buffers
        self.buffers = make_buffers(self._data, self._batch_size) if make_buffers else None

    def __len__(self) -> int:
        """Returns the number of batches in an epoch."""
        return self._steps

    @property
    def size(self) -> int:
        """The number of rows in a batch, other than a short last one."""
        return self._batch_size

    @property
    def is_even(self) -> bool:
        """Whether all batches of all epochs have this number of rows, and no epoch goes on at the first row again."""
        if self._shuffle and self._steps < self._count:
            return True
        return len(self._data.x) % self._batch_size == 0 and self._count % self._steps == 0

    @property
    def matrix(self) -> Any:
        """The sparse matrix of the data set, or None."""
        return self._data.x if self._data.x.is_sparse else None

    def skip(self, epochs: int) -> None:
        """Continues as if `epochs` epochs had already run. The random order depends on the generator alone."""
        self._next = epochs * self._steps % max(1, self._count)

    def __iter__(self) -> Batches:
        """Begins an epoch."""
        self._order = None
        if self._shuffle:
            self._order = np.empty(len(self._data.x), np.intp)
            kernels.shuffle(self._order, rng.seed_of_kernel())
        self._step = 0
        self._start = 0 if self._shuffle else self._next
        self._next = (self._start + self._steps) % max(1, self._count)
        return self

    def __next__(self) -> Batch:
        if self._step >= self._steps:
            raise StopIteration
        if self.buffers is None:
            size, start = self.following()[0], self._start_of(self._step)
            self._step += 1
            return self._view(slice(start, start + size))
        size = self.following()[0]
        rows = self.take(1)
        if not self.buffers.is_whole:
            self.buffers.rows[:size] = rows[0]
        return self.gather(size)

    def _start_of(self, step: int) -> int:
        """Returns the first row of a step; with `shuffle`, its place in the order."""
        return (self._start + step) % self._count * self._batch_size

    def following(self) -> tuple[int, int]:
        """Returns the size of the next batch, and how many batches of this size follow each other from it on."""
        if self._step >= self._steps:
            return 0, 0
        place = (self._start + self._step) % self._count
        left = len(self._data.x) - place * self._batch_size
        whole = left // self._batch_size
        return (self._batch_size, min(whole, self._steps - self._step)) if whole else (left, 1)

    def take(self, steps: int) -> Places:
        """Returns the row numbers of the next batches, (steps, B), and goes on after them.

        If the batches are the whole data set, nobody needs the numbers, and there are none.
        """
        size, most = self.following()
        start = self._start_of(self._step)
        assert steps <= most
        self._step += steps
        if self.buffers is not None and self.buffers.is_whole:
            return np.empty((steps, 0), np.intp)
        if self._order is None:
            return np.arange(start, start + steps * size).reshape(steps, size)
        return self._order[start : start + steps * size].reshape(steps, size)

    def gather(self, size: int) -> Batch:
        """Copies the rows whose numbers are in the buffers to these, and returns them as a batch of `size` rows."""
        buffers, data = self.buffers, self._data
        assert buffers is not None
        if buffers.is_whole:
            return Batch(buffers.x, buffers.targets, buffers.weights, self.first)  # type: ignore[arg-type]
        rows = buffers.rows[:size]
        x: Any
        if buffers.x is None:
            x = CsrBatch(data.x, rows)  # type: ignore[arg-type]
        else:
            array: Any = data.x.array  # type: ignore[union-attr]
            x = buffers.x[:size]
            is_bytes = array.dtype == np.uint8
            kernels.gather(None if is_bytes else array, array if is_bytes else None, rows, x)
        targets = weights = None
        if buffers.targets is not None:
            targets = buffers.targets[:size]
            # Labels are whole numbers of the same size, and are only copied.
            kernels.gather(data.targets.view(np.float32), None, rows, targets.view(np.float32))
        if buffers.weights is not None:
            weights = buffers.weights[:size]
            kernels.gather(data.weights[:, None], None, rows, weights[:, None])  # type: ignore[index]
        return Batch(x, targets, weights, self.first)

    def _view(self, which: slice) -> Batch:
        targets, weights = (None if a is None else a[which] for a in (self._data.targets, self._data.weights))
        return Batch(self._data.x.read(which), targets, weights, self.first)


def whole(data: Data, fusion: Fusion, sparse: Any = False) -> Batch:
    """Makes one batch of all rows of a data set."""
    rows, first = fusion.front(data.x, sparse)
    return Batch(rows.read(slice(0, len(rows))), data.targets, data.weights, first)


def blocks(
    data: Data,
    fusion: Fusion,
    sparse: Any,
    make_buffers: Callable[[Data, int], Buffers] | None = None,
    rows: int = BLOCK,
) -> Iterable[Batch]:
    """Returns a data set in order, in blocks of rows, for an evaluation or a prediction."""
    skip = fusion.skips_zeros(data.x, sparse)
    if not skip or data.x.is_sparse:
        return Batches(data, fusion, rows, False, None, skip, make_buffers)
    starts = range(0, len(data.x), rows)  # each block is compressed by itself, which takes less memory
    return (whole(data.rows(slice(start, start + rows)), fusion, True) for start in starts)
