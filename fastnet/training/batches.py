"""A data set as mini-batches, in a new random order each time it is walked through."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from fastnet import rng
from fastnet.arrays.panels import zeros
from fastnet.arrays.sparse import Csr, CsrBatch
from fastnet.checks import Floats

Rows = Floats | NDArray[np.uint8]
Batch = tuple[Floats | CsrBatch, Floats, Floats | None]


def as_floats(x: Rows) -> Floats:
    return x if x.dtype == np.float32 else x.astype(np.float32)  # type: ignore[return-value]


def check_steps(argument: str, steps: int | None, examples: int, batch_size: int) -> None:
    """Refuses more steps than the examples make batches."""
    count = -(-examples // batch_size)
    if steps is not None and steps > count:
        raise ValueError(f"{argument} is {steps}, but {examples} examples make {count} batches of {batch_size}")


class Batches:
    """Examples, targets and, if there are some, weights, `batch_size` rows at a time; the last batch has what is left.

    Args:
        x: (n, K) float32 or uint8, n at least 1, or a Csr.
        targets: (n, C) float32.
        weights: (n,) float32 or None.
        batch_size: rows of a batch.
        shuffle: whether each walk takes the rows in a new random order.
        steps: batches of a walk, if not all. A shuffled one begins with a new order; else the next one goes on where it
            ended, and begins anew when there are no more.

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
        self._count = -(-len(x) // self.batch_size)
        self._steps = steps or self._count
        self._next = 0  # the batch with which the next walk begins
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

    def skip(self, walks: int) -> None:
        """The next walk is as if so many had been before it; the order is the random generator's affair."""
        self._next = walks * self._steps % self._count

    def __iter__(self) -> Iterator[Batch]:
        order = rng.generator().permutation(len(self.x)) if self.shuffle else np.arange(len(self.x))
        first = 0 if self.shuffle else self._next
        self._next = (first + self._steps) % self._count
        for step in range(first, first + self._steps):
            number = step % self._count
            start, stop = number * self.batch_size, (number + 1) * self.batch_size
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
