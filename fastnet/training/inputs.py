"""A data set as a model takes it: examples, targets and weights, checked once and before anything has changed."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

import numpy as np

from fastnet import checks, rng
from fastnet.arrays.sparse import Csr
from fastnet.checks import Floats
from fastnet.losses import Loss
from fastnet.training.batches import Rows, check_steps

Shape = tuple[int, ...]


class Data(NamedTuple):
    """Examples (n, K), targets (n, C), how much each example counts, (n,), or None, and the shape of one example."""

    x: Rows | Csr
    targets: Floats
    weights: Floats | None
    shape: Shape

    def first(self, steps: int, batch_size: int, argument: str = "validation_steps") -> Data:
        """The first `steps` batches.

        Raises:
            ValueError: if there are not so many.
        """
        check_steps(argument, steps, len(self.x), batch_size)
        return self._rows(slice(steps * batch_size))

    def split(self, share: float) -> tuple[Data, Data]:
        """The first part for training, the last `share` for validation.

        Raises:
            ValueError: if one of them would be empty.
        """
        n = len(self.x)
        kept = int(n * (1 - share))
        if kept in (0, n):
            raise ValueError(
                f"validation_split={share} of {n} examples leaves {kept} for training and {n - kept} for validation; "
                "each needs at least 1"
            )
        return self._rows(slice(kept)), self._rows(slice(kept, n))

    def fitting(self, shape: Shape, argument: str) -> Data:
        """The same data as examples of this shape.

        Raises:
            ValueError: if they are of another.
        """
        return self._replace(shape=_fitting(argument, (len(self.x), *self.shape), shape))

    def _rows(self, which: slice) -> Data:
        weights = None if self.weights is None else self.weights[which]
        return Data(self.x[which], self.targets[which], weights, self.shape)


def check_data(
    loss: Loss,
    shape: Shape | None,
    units: int,
    x: Any,
    y: Any,
    sample_weight: Any = None,
    class_weight: Any = None,
    name: str = "",
) -> Data:
    """Examples and what belongs to them.

    Args:
        loss: knows what targets it takes.
        shape: the shape of one example that the model expects, or None.
        units: the model's outputs.
        x, y, sample_weight, class_weight: as for `Trainer.fit`.
        name: put before the arguments' names in errors.

    Raises:
        ValueError, TypeError: if something does not fit.
    """
    rows, shape = check_examples(x, f"{name}x", shape)
    y_shape: tuple[Any, ...] = getattr(y, "shape", ())
    if len(y_shape) == 3 and y_shape[2] == 1 and not checks.is_scipy_sparse(y):
        y = np.asarray(y)[..., 0]  # as Keras takes it
    if len(rows) == 1 and units > 1 and y_shape == (units,) and not loss.of_labels:
        raise checks.ShapeError(f"{name}y has shape {y_shape}, but there is 1 example; for one example use y[None]")
    targets = loss.check_targets(f"{name}y", y, units)
    checks.same_length(rows, targets, f"{name}x and y")
    weights = None
    if sample_weight is not None:
        weights = checks.sample_weights(f"{name}sample_weight", sample_weight, len(targets))
    if class_weight is not None:
        by_class = checks.class_weights("class_weight", class_weight, targets)
        weights = by_class if weights is None else weights * by_class
    return Data(rows, targets, weights, shape)


def check_examples(x: Any, argument: str, shape: Shape | None) -> tuple[Rows | Csr, Shape]:
    """The rows of the data set x, (n, K), and the shape of one example.

    That is `shape`, if it is not None; else the shape that x has.

    Raises:
        ValueError, TypeError: as `check_data`.
    """
    if checks.is_scipy_sparse(x):
        if len(x.shape) != 2:
            text = f"{argument} has {len(x.shape)} dimensions; a sparse matrix of examples has 2, (n, features)"
            raise ValueError(text if len(x.shape) > 2 else checks.no_examples(argument, tuple(x.shape)))
        shape = _fitting(argument, tuple(x.shape), shape)
        return Csr.from_scipy(argument, x), shape
    array = checks.numeric(argument, x)
    shape = _fitting(argument, array.shape, shape)
    rows = checks.as_examples(argument, array)
    return rows.reshape(len(rows), math.prod(shape)), shape


def _fitting(argument: str, shape: Shape, expected: Shape | None) -> Shape:
    """The shape that one example of a data set of this shape has for a model that expects `expected`.

    A last axis of 1 may be missing, or be one too many, as in Keras.

    Raises:
        ValueError: if it does not fit.
    """
    given, name = shape[1:], checks.name_in_code(argument)
    if shape and expected is not None and (given == expected or given == (*expected, 1) or (*given, 1) == expected):
        return expected
    if len(shape) < 2:
        raise ValueError(checks.no_examples(argument, shape))
    if 0 in given:
        raise ValueError(f"{argument} has shape {shape}: no features")
    if expected is None:
        return given
    is_one = shape in (expected, (*expected, 1)) or (*shape, 1) == expected
    are_rows = len(expected) == len(given) == 1 and not is_one
    hint = f"; for one example use {name}[None]" if is_one else ""
    size = math.prod(shape)
    if not is_one and len(expected) == 1 and (size == expected[0] or (size % expected[0] == 0 and not are_rows)):
        hint = f"; use {name}.reshape({size // expected[0]}, {expected[0]})"
    text = f"{argument} has {given[0]} features, shape {shape}; the model expects {expected[0]}"
    if not are_rows:
        text = f"{argument} has shape {shape}; the model expects examples of shape {expected}"
    raise checks.ShapeError(text + hint)


def check_parts(source: Any, argument: str, shape: Shape | None, steps: int | None) -> tuple[Rows | Csr, Shape]:
    """What `check_examples` returns, of the examples of all batches that `source` makes, or of the first `steps`.

    A batch is x, (x,), (x, y) or (x, y, sample_weight).
    """
    parts: list[Any] = []
    for entry in Stream(source, check_data, steps, argument).entries():
        if isinstance(entry, tuple | list) and len(entry) not in (1, 2, 3):
            raise ValueError(
                f"{argument} must make batches x, (x, y) or (x, y, sample_weight), got {type(entry).__name__} of "
                f"{len(entry)}"
            )
        x = entry[0] if isinstance(entry, tuple | list) else entry
        rows, shape = check_examples(x, f"a batch's {argument}", shape)
        parts.append(rows)
    if not parts or shape is None:
        raise ValueError(f"{argument} makes no batches")
    if not any(isinstance(rows, Csr) for rows in parts):
        return np.concatenate(parts), shape
    if not all(isinstance(rows, Csr) for rows in parts):
        raise ValueError(f"{argument} makes sparse and dense batches; expected batches of one kind")
    return Csr.concatenated(parts), shape


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
        source: where they come from; what can be walked through again begins anew each epoch, a generator goes on.
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
        """The next epoch is as if so many had been before it; a generator is taken as it comes."""
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

    def __iter__(self) -> Iterator[tuple[Rows | Csr, Floats, Floats | None]]:
        for entry in self.entries():
            yield self._data(entry)[:3]


def _walk(source: Any, shuffle: bool = False) -> Iterator[Any]:
    if hasattr(source, "__iter__"):
        return iter(source)
    order = rng.generator().permutation(len(source)).tolist() if shuffle else range(len(source))
    return (source[i] for i in order)


def _chain(first: Any, rest: Iterable[Any]) -> Iterator[Any]:
    yield first
    yield from rest
