"""A data set as mini-batches, in a new random order each time it is walked through."""

from collections.abc import Iterator

import numpy as np

from fastnet import rng
from fastnet.checks import Floats


class Batches:
    """Examples and targets, `batch_size` rows at a time; the last batch has what is left.

    Args:
        x: (n, K) float32, n at least 1.
        targets: (n, C) float32.
        batch_size: rows of a batch.
        shuffle: whether each walk takes the rows in a new random order.

    Each step yields x and targets of the batch: views of the arrays or, shuffled, rows gathered into a buffer that the
    next step writes again.
    """

    def __init__(self, x: Floats, targets: Floats, batch_size: int, shuffle: bool) -> None:
        self.x = x
        self.targets = targets
        self.batch_size = min(batch_size, len(x))
        self.shuffle = shuffle
        if shuffle:
            self._x = np.empty((self.batch_size, x.shape[1]), np.float32)
            self._targets = np.empty((self.batch_size, targets.shape[1]), np.float32)

    def __len__(self) -> int:
        return -(-len(self.x) // self.batch_size)

    def __iter__(self) -> Iterator[tuple[Floats, Floats]]:
        order = rng.generator().permutation(len(self.x)) if self.shuffle else None
        for start in range(0, len(self.x), self.batch_size):
            if order is None:
                rows = slice(start, start + self.batch_size)
                yield self.x[rows], self.targets[rows]
            else:
                chosen = order[start : start + self.batch_size]
                x, targets = self._x[: len(chosen)], self._targets[: len(chosen)]
                # mode="clip" lets NumPy write straight into `out`; a permutation has nothing to clip.
                np.take(self.x, chosen, axis=0, out=x, mode="clip")
                np.take(self.targets, chosen, axis=0, out=targets, mode="clip")
                yield x, targets
