"""A data set as mini-batches, in a new random order each time it is walked through."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from fastnet import rng
from fastnet.checks import Floats
from fastnet.kernels.panels import zeros
from fastnet.sparse import Csr, CsrBatch

Rows = Floats | NDArray[np.uint8]
Batch = tuple[Floats | CsrBatch, Floats, Floats | None]


def as_floats(x: Rows) -> Floats:
    return x if x.dtype == np.float32 else x.astype(np.float32)  # type: ignore[return-value]


class Batches:
    """Examples, targets and, if there are some, weights, `batch_size` rows at a time; the last batch has what is left.

    Args:
        x: (n, K) float32 or uint8, n at least 1, or a Csr.
        targets: (n, C) float32.
        weights: (n,) float32 or None.
        batch_size: rows of a batch.
        shuffle: whether each walk takes the rows in a new random order.
        steps: batches of a walk, if it should end before the last.

    Each step yields x, targets and weights of the batch: views of the arrays or, shuffled, rows gathered into a buffer
    that the next step writes again. Of a Csr it yields the rows' numbers: nothing is gathered.
    """

    def __init__(
        self,
        x: Rows | Csr,
        targets: Floats,
        weights: Floats | None,
        batch_size: int,
        shuffle: bool,
        steps: int | None = None,
    ) -> None:
        self.x = x
        self.targets = targets
        self.weights = weights
        self.batch_size = min(batch_size, len(x))
        self.shuffle = shuffle
        count = -(-len(x) // self.batch_size)
        if steps is not None and steps > count:
            raise ValueError(f"steps_per_epoch is {steps}, but {len(x)} examples make {count} batches of {batch_size}")
        self._steps = steps or count
        self._x: Rows | None = None
        if shuffle:
            self._targets = np.empty((self.batch_size, targets.shape[1]), np.float32)
            if not isinstance(x, Csr):
                self._x = np.empty((self.batch_size, x.shape[1]), x.dtype)
        self._floats: Floats | None = None
        if not isinstance(x, Csr) and x.dtype != np.float32:
            self._floats = zeros((self.batch_size, x.shape[1]))

    def __len__(self) -> int:
        return self._steps

    def __iter__(self) -> Iterator[Batch]:
        order = rng.generator().permutation(len(self.x)) if self.shuffle else np.arange(len(self.x))
        for step in range(self._steps):
            start, stop = step * self.batch_size, (step + 1) * self.batch_size
            chosen = order[start:stop]
            weights = None if self.weights is None else self.weights[chosen]
            if not self.shuffle:
                targets = self.targets[start:stop]
            else:
                # mode="clip" lets NumPy write straight into `out`; a permutation has nothing to clip.
                targets = self._targets[: len(chosen)]
                np.take(self.targets, chosen, axis=0, out=targets, mode="clip")
            if isinstance(self.x, Csr):
                yield CsrBatch(self.x, chosen), targets, weights
                continue
            if self._x is None:
                rows = self.x[start:stop]
            else:
                rows = self._x[: len(chosen)]
                np.take(self.x, chosen, axis=0, out=rows, mode="clip")
            if self._floats is None:
                yield rows, targets, weights  # type: ignore[misc]
            else:
                floats = self._floats[: len(chosen)]
                floats[...] = rows
                yield floats, targets, weights
