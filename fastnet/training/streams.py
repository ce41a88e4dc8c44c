"""Streams: batches from a generator, an iterable or an indexed collection."""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from fastnet import checks, rng
from fastnet.training.inputs import Data, Shape, check_examples


def is_stream(x: Any, y: Any) -> bool:
    """Tells whether x yields batches, as a generator does, instead of holding the examples."""
    if y is not None or x is None or hasattr(x, "__array__") or checks.is_scipy_sparse(x):
        return False
    return not isinstance(x, list | tuple | dict | str | bytes) and (
        hasattr(x, "__iter__") or (hasattr(x, "__getitem__") and hasattr(x, "__len__"))
    )


class Stream:
    """Batches from an iterable, a generator or an indexed collection, each (x, y) or (x, y, sample_weight).

    If the source has the methods `on_epoch_begin` and `on_epoch_end`, as `fastnet.utils.PyDataset` has, they are called
    around each epoch.

    Args:
        source: yields the batches. A generator continues in the next epoch; an iterable starts again.
        check: converts one batch to Data, or raises an error.
        steps: batches in an epoch; None takes all.
        argument: the name of the source in errors.
        goes_on: whether an epoch of `steps` batches begins where the last one ended, as in training.
        shuffle: whether an indexed collection is read in a new random order in each epoch.

    Raises:
        ValueError: if the source has no last batch, and `steps` is None.
    """

    def __init__(
        self,
        source: Any,
        check: Callable[..., Data],
        steps: int | None,
        argument: str = "x",
        goes_on: bool = False,
        shuffle: bool = False,
    ) -> None:
        endless = _is_indexed(source) and _count_of(source) is None
        if endless and steps is None:
            raise ValueError(f"{argument} has no last batch; give the number of batches, such as steps_per_epoch")
        self._source = source
        self._check = check
        self._steps = steps
        self._argument = argument
        self._shuffle = shuffle and _is_indexed(source) and not endless
        self._goes_on = goes_on and steps is not None and not self._shuffle
        self._iterator: Iterator[Any] | None = iter(source) if hasattr(source, "__next__") else None
        self._continued: Iterator[Any] | None = None  # yields the batches of the next epoch if it continues this one
        self.ended = False  # whether there are no batches left

    def __len__(self) -> int:
        """Returns the number of batches in an epoch; 0 if unknown."""
        if self._steps is not None:
            return self._steps
        return _count_of(self._source) or 0

    def entries(self) -> Iterator[Any]:
        """Yields the batches of an epoch as the source gives them."""
        if self._iterator is None and hasattr(self._source, "on_epoch_begin"):
            self._source.on_epoch_begin()
        iterator = self._iterator or self._continued or _iterate(self._source, self._shuffle)
        count = 0
        may_restart = self._goes_on and self._iterator is None
        while self._steps is None or count < self._steps:
            entry: Any = next(iterator, self)
            if entry is self:
                if may_restart:
                    may_restart, iterator = False, _iterate(self._source)
                    continue
                self.ended = self._iterator is not None or self._steps is not None
                break
            may_restart = self._goes_on and self._iterator is None
            count += 1
            yield entry
        else:
            self._continued = iterator if self._goes_on else None
        if self._iterator is None and hasattr(self._source, "on_epoch_end"):
            self._source.on_epoch_end()

    def skip(self, epochs: int) -> None:
        """Continues as if `epochs` epochs had already run. A generator is not advanced."""
        if self._goes_on and self._iterator is None:
            for _ in range(epochs):
                for _ in self.entries():
                    pass

    def first(self) -> Data:
        """Returns the first batch and keeps it for the epoch; it tells the shape of the examples."""
        iterator = self._iterator if self._iterator is not None else _iterate(self._source, ahead=False)
        entry: Any = next(iterator, self)
        if entry is self:
            raise ValueError(f"{self._argument} makes no batches")
        if self._iterator is not None:
            self._iterator = itertools.chain([entry], self._iterator)
        return self._data(entry)

    def _data(self, entry: Any) -> Data:
        if not isinstance(entry, tuple | list) or len(entry) not in (2, 3):
            raise ValueError(
                f"{self._argument} must make batches (x, y) or (x, y, sample_weight), got {type(entry).__name__}"
                + (f" of {len(entry)}" if isinstance(entry, tuple | list) else "")
            )
        return self._check(*entry)

    def __iter__(self) -> Iterator[Data]:
        for entry in self.entries():
            yield self._data(entry)


def check_parts(source: Any, argument: str, shape: Shape | None, steps: int | None) -> Iterator[Data]:
    """Checks and yields the examples of all batches that `source` yields, or of the first `steps` batches.

    A batch is x, (x,), (x, y) or (x, y, sample_weight).

    Raises:
        ValueError, TypeError: as for `check_examples`.
    """
    for entry in Stream(source, check_examples, steps, argument).entries():
        if isinstance(entry, tuple | list) and len(entry) not in (1, 2, 3):
            raise ValueError(
                f"{argument} must make batches x, (x, y) or (x, y, sample_weight), got {type(entry).__name__} of "
                f"{len(entry)}"
            )
        x = entry[0] if isinstance(entry, tuple | list) else entry
        part = check_examples(x, f"a batch's {argument}", shape)
        shape = part.shape
        yield part


def _is_indexed(source: Any) -> bool:
    """Returns whether batches are taken by their numbers, as from a PyDataset."""
    return hasattr(source, "num_batches") or not hasattr(source, "__iter__")


def _count_of(source: Any) -> int | None:
    """Returns the number of batches in an epoch; None if it is unknown, or there is no last batch."""
    if hasattr(source, "num_batches"):
        count: int | None = source.num_batches
        return count
    return len(source) if hasattr(source, "__len__") else None


def _iterate(source: Any, shuffle: bool = False, ahead: bool = True) -> Iterator[Any]:
    """Yields the batches of a source, in a random order if `shuffle`; with `ahead`, workers make the next ones."""
    if not _is_indexed(source):
        return iter(source)
    count = _count_of(source)
    numbers: Iterable[int] = itertools.count() if count is None else range(count)
    if shuffle and count is not None:
        numbers = rng.generator().permutation(count).tolist()
    workers = getattr(source, "workers", 1)
    if ahead and workers > 1:
        return _made_ahead(source, numbers, workers, source.max_queue_size)
    return (source[i] for i in numbers)


def _made_ahead(source: Any, numbers: Iterable[int], workers: int, most: int) -> Iterator[Any]:
    """Yields the batches of these numbers, in this order, while threads make the next ones, at most `most`."""
    from concurrent.futures import Future, ThreadPoolExecutor  # only workers need it, and the import takes time

    pool = ThreadPoolExecutor(workers)
    waiting: deque[Future[Any]] = deque()
    try:
        for i in numbers:
            waiting.append(pool.submit(source.__getitem__, i))
            if len(waiting) > most:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)
