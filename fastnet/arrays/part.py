"""Parts: in a distributed training, each process computes a part of the rows of a batch.

Most layers compute each row alone. A layer that looks across the rows of a batch, or that draws random numbers for
them, asks here which rows of the whole batch it has. So it computes as if one process had them all.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Shape = tuple[int, ...]
Doubles = NDArray[np.float64]


class Part(NamedTuple):
    """Which rows of a batch this process has: those from `start` to `stop`, not included, of `rows`.

    With fewer rows than processes, some have none. Such a process computes the row `start` and counts it 0 times.

    Attributes:
        start, stop, rows: see above.
        add: adds an array to those of the other processes, in place.
        targets, weights: those of the whole batch; None if nobody needs them.
    """

    start: int
    stop: int
    rows: int
    add: Callable[[NDArray[Any]], None]
    targets: Any = None
    weights: Any = None

    @property
    def is_empty(self) -> bool:
        """Whether this process has no rows."""
        return self.start == self.stop

    @property
    def computed(self) -> slice:
        """The rows that this process computes: its own, or one that does not count."""
        return slice(self.start, max(self.stop, self.start + 1))

    @property
    def share(self) -> float:
        """The share of the batch's mean that the mean over the computed rows is."""
        return (self.stop - self.start) / self.rows


def bounds(rows: int, rank: int, size: int) -> tuple[int, int]:
    """Returns the first row of a rank's part, and the one after its last. The parts differ by at most one row."""
    return rows * rank // size, rows * (rank + 1) // size


_current: ContextVar[Part | None] = ContextVar("part", default=None)


@contextlib.contextmanager
def computing(part: Part) -> Iterator[None]:
    """Marks that the batch that is computed in the block is this part of a batch."""
    token = _current.set(part)
    try:
        yield
    finally:
        _current.reset(token)


def place() -> int:
    """Returns the number of the first row here in the whole batch."""
    part = _current.get()
    return 0 if part is None else part.start


def whole(batch: Shape) -> Shape:
    """Returns the shape of the whole batch, for the shape of the rows here."""
    part = _current.get()
    return batch if part is None else (part.rows, *batch[1:])


def own(array: NDArray[Any]) -> NDArray[Any]:
    """Returns the rows here of an array for the whole batch."""
    part = _current.get()
    return array if part is None else array[part.computed]


def mean(x: NDArray[Any], axes: tuple[int, ...]) -> Doubles:
    """Returns the mean along `axes`, which stay with length 1: over the whole batch if the batch, 0, is among them."""
    part = _current.get()
    if part is None or 0 not in axes:
        return np.asarray(x.mean(axis=axes, keepdims=True, dtype=np.float64))
    sums: Doubles = x.sum(axis=axes, keepdims=True, dtype=np.float64)
    count = x.size / sums.size / len(x) * part.rows
    if part.is_empty:
        sums[...] = 0
    part.add(sums)
    return sums / count
