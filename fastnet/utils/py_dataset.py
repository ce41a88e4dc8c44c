"""PyDataset: the base class of data sets that make their batches one by one, such as images from files.

class Images(PyDataset):
    def __init__(self, files, labels, **kwargs):
        super().__init__(**kwargs)
        self.files, self.labels = files, labels

    def __len__(self):
        return math.ceil(len(self.files) / 32)

    def __getitem__(self, i):
        return np.stack([read(f) for f in self.files[32 * i : 32 * (i + 1)]]), self.labels[32 * i : 32 * (i + 1)]

model.fit(Images(files, labels, workers=4))
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

from fastnet import checks


class PyDataset:
    """Base class of data sets of batches. `fit`, `evaluate` and `predict` take it as x, without y.

    A subclass defines `__getitem__`, which makes a batch (x, y) or (x, y, sample_weight), and `__len__` or the property
    `num_batches`. `fit` takes the batches in a new random order in each epoch, unless ``shuffle=False``.

    Args:
        workers: the number of threads that make batches in advance. With 1 or less, none is made in advance.
        use_multiprocessing: accepted for compatibility with Keras. The workers are always threads.
        max_queue_size: the number of batches made in advance, at most.

    Raises:
        TypeError: if a number is not an integer.
        ValueError: if a number is too small.
    """

    workers = 1  # what holds if a subclass does not call this constructor
    use_multiprocessing = False
    max_queue_size = 10

    def __init__(self, workers: int = 1, use_multiprocessing: bool = False, max_queue_size: int = 10) -> None:
        self.workers = checks.integer("workers", workers, least=0)
        self.use_multiprocessing = bool(use_multiprocessing)
        self.max_queue_size = checks.integer("max_queue_size", max_queue_size, least=0)

    def __getitem__(self, index: int) -> Any:
        """Makes the batch of a number, from 0."""
        raise NotImplementedError(f"{type(self).__name__} has no __getitem__()")

    @property
    def num_batches(self) -> int | None:
        """The number of batches in an epoch; None if there is no last batch. By default the data set's length."""
        if hasattr(self, "__len__"):
            return len(self)
        raise NotImplementedError(f"{type(self).__name__} has neither __len__() nor num_batches")

    def __iter__(self) -> Iterator[Any]:
        """Yields the batches in their order, without workers."""
        count = self.num_batches
        return (self[i] for i in (itertools.count() if count is None else range(count)))

    def on_epoch_begin(self) -> None:
        """Called at the beginning of each epoch."""

    def on_epoch_end(self) -> None:
        """Called at the end of each epoch."""


Sequence = PyDataset
