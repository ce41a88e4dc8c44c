"""Batches: a few rows of a data set at a time, ready for the first layer."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from fastnet import rng
from fastnet.arrays.sparse import CsrBatch
from fastnet.checks import Floats
from fastnet.training.inputs import Data

if TYPE_CHECKING:
    from fastnet.training.fusion import Fusion

_BLOCK = 1024  # rows of an evaluation or prediction at once: enough to keep the kernels busy, in little memory


class Batch(NamedTuple):
    """Some rows of a data set.

    Attributes:
        x: the input of the first layer: (B, K) float32, or rows of a sparse matrix.
        targets: (B, C) float32; None in a prediction.
        weights: how much each example counts, (B,) float32; None if all count alike.
        first: the index of the first layer that computes.
    """

    x: Floats | CsrBatch
    targets: Any
    weights: Floats | None
    first: int


class Batches:
    """The mini-batches for training, `batch_size` rows each. The last batch of an epoch may be smaller.

    Args:
        data: at least one example with its targets.
        fusion: how the layers are computed.
        batch_size: rows in a batch.
        shuffle: whether each epoch takes the rows in a new random order.
        steps: batches in an epoch; None takes all. Without `shuffle` the next epoch continues where the last one ended,
            and starts again at the first row after the last.
        sparse: whether the first Dense layer skips zeros: True, False or "auto".

    The arrays of a batch are views of the data set. With `shuffle` they are buffers, which the next batch overwrites. A
    batch of sparse rows holds only the row numbers, without a copy.
    """

    ended = False

    def __init__(
        self, data: Data, fusion: Fusion, batch_size: int, shuffle: bool, steps: int | None, sparse: Any
    ) -> None:
        rows, self._first = fusion.front(data.x, sparse)
        self._targets, self._weights = data.targets, data.weights
        self._rows = len(rows)
        self._batch_size = min(batch_size, len(rows))
        self._shuffle = shuffle
        self._count = -(-len(rows) // self._batch_size)
        self._steps = steps or self._count
        self._next = 0  # the first batch of the next epoch
        self._read = rows.reader(self._batch_size)
        self._gathered = np.empty((self._batch_size if shuffle else 0, data.targets.shape[1]), np.float32)

    def __len__(self) -> int:
        """Returns the number of batches in an epoch."""
        return self._steps

    def skip(self, epochs: int) -> None:
        """Continues as if `epochs` epochs had already run. The random order depends on the generator alone."""
        self._next = epochs * self._steps % self._count

    def __iter__(self) -> Iterator[Batch]:
        order = rng.generator().permutation(self._rows) if self._shuffle else None
        first = 0 if self._shuffle else self._next
        self._next = (first + self._steps) % self._count
        targets = self._targets
        for step in range(first, first + self._steps):
            start = step % self._count * self._batch_size
            which: Any = slice(start, start + self._batch_size)
            if order is None:
                chosen = targets[which]
            else:
                which = order[which]
                chosen = self._gathered[: len(which)]
                targets.take(which, 0, chosen, "clip")
            weights = None if self._weights is None else self._weights[which]
            yield Batch(self._read(which), chosen, weights, self._first)


def whole(data: Data, fusion: Fusion, sparse: Any = False) -> Batch:
    """Makes one batch of all rows of a data set."""
    rows, first = fusion.front(data.x, sparse)
    return Batch(rows.reader(len(rows))(slice(0, len(rows))), data.targets, data.weights, first)


def blocks(data: Data, fusion: Fusion, sparse: Any) -> Iterator[Batch]:
    """Yields a data set in order, in blocks of rows, for an evaluation or a prediction."""
    skip = fusion.skips_zeros(data.x, sparse)
    for start in range(0, len(data.x), _BLOCK):
        yield whole(data.rows(slice(start, min(len(data.x), start + _BLOCK))), fusion, skip)
