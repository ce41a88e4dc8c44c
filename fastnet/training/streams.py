"""Streams: data that comes in batches, from a generator, an iterable or a collection with a length and an index."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from fastnet import checks, rng
from fastnet.training.inputs import Data, Shape, check_examples, joined


def is_stream(x: Any, y: Any) -> bool:
    """Whether x makes batches, as a generator does, instead of holding the examples."""
    if y is not None or x is None or hasattr(x, "__array__") or checks.is_scipy_sparse(x):
        return False
    return not isinstance(x, list | tuple | dict | str | bytes) and (
        hasattr(x, "__iter__") or (hasattr(x, "__getitem__") and hasattr(x, "__len__"))
    )


class Stream:
    """Batches that an iterable, a generator or an indexed collection makes: (x, y) or (x, y, sample_weight) each.

    If the source has an `on_epoch_end`, as Keras's datasets in Python have, it is called after each epoch.

    Args:
        source: where they come from. A generator goes on in the next epoch; what can be iterated again begins anew.
        check: makes Data of one batch's entries, or raises.
        steps: batches an epoch; None takes all that there are.
        argument: what the source is called in errors.
        goes_on: whether an epoch of `steps` begins where the last one ended, as those of a training do.
        shuffle: whether the batches of an indexed collection come in a new random order each epoch.
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
        self._source = source
        self._check = check
        self._steps = steps
        self._argument = argument
        self._shuffle = shuffle and not hasattr(source, "__iter__")
        self._goes_on = goes_on and steps is not None and not self._shuffle
        self._iterator: Iterator[Any] | None = iter(source) if hasattr(source, "__next__") else None
        self._walking: Iterator[Any] | None = None  # where the next epoch goes on
        self.ended = False  # a generator had no more

    def __len__(self) -> int:
        """Batches an epoch; 0 if nobody knows."""
        if self._steps is not None:
            return self._steps
        return len(self._source) if hasattr(self._source, "__len__") else 0

    def entries(self) -> Iterator[Any]:
        """An epoch's batches as the source gives them."""
        walk = self._iterator or self._walking or _walk(self._source, self._shuffle)
        count = 0
        may_begin_anew = self._goes_on and self._iterator is None
        while self._steps is None or count < self._steps:
            entry: Any = next(walk, self)
            if entry is self:
                if may_begin_anew:
                    may_begin_anew, walk = False, _walk(self._source)
                    continue
                self.ended = self._iterator is not None or self._steps is not None
                break
            may_begin_anew = self._goes_on and self._iterator is None
            count += 1
            yield entry
        else:
            self._walking = walk if self._goes_on else None
        if self._iterator is None and hasattr(self._source, "on_epoch_end"):
            self._source.on_epoch_end()

    def skip(self, epochs: int) -> None:
        """Goes on as if `epochs` epochs had already run; a generator is taken as it comes."""
        if self._goes_on and self._iterator is None:
            for _ in range(epochs):
                for _ in self.entries():
                    pass

    def first(self) -> Data:
        """The first batch, which is put back; a model learns the shape of its examples from it."""
        walk = self._iterator if self._iterator is not None else _walk(self._source)
        entry: Any = next(walk, self)
        if entry is self:
            raise ValueError(f"{self._argument} makes no batches")
        if self._iterator is not None:
            self._iterator = _chain(entry, self._iterator)
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


def check_parts(source: Any, argument: str, shape: Shape | None, steps: int | None) -> Data:
    """Checks and joins the examples of all batches that `source` makes, or of the first `steps`.

    A batch is x, (x,), (x, y) or (x, y, sample_weight).

    Raises:
        ValueError, TypeError: as `check_examples`, or if there are no batches.
    """
    parts: list[Data] = []
    for entry in Stream(source, check_examples, steps, argument).entries():
        if isinstance(entry, tuple | list) and len(entry) not in (1, 2, 3):
            raise ValueError(
                f"{argument} must make batches x, (x, y) or (x, y, sample_weight), got {type(entry).__name__} of "
                f"{len(entry)}"
            )
        x = entry[0] if isinstance(entry, tuple | list) else entry
        parts.append(check_examples(x, f"a batch's {argument}", shape))
        shape = parts[-1].shape
    return joined(parts, argument)


def _walk(source: Any, shuffle: bool = False) -> Iterator[Any]:
    if hasattr(source, "__iter__"):
        return iter(source)
    order = rng.generator().permutation(len(source)).tolist() if shuffle else range(len(source))
    return (source[i] for i in order)


def _chain(first: Any, rest: Iterable[Any]) -> Iterator[Any]:
    yield first
    yield from rest
