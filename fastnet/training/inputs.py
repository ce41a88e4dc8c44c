"""Data: checks and converts examples, targets and weights before anything else happens."""

from __future__ import annotations

import math
import warnings
from typing import Any, NamedTuple

import numpy as np

from fastnet import checks, r_session
from fastnet.arrays.rows import Rows
from fastnet.arrays.sparse import Csr
from fastnet.checks import Floats
from fastnet.losses import Loss

Shape = tuple[int, ...]


class Expected(NamedTuple):
    """What a model expects of its data.

    Attributes:
        loss: checks the targets.
        shape: the shape of one example; None if the model takes it from the data.
        units: the number of the model's outputs.
    """

    loss: Loss
    shape: Shape | None
    units: int


class Data(NamedTuple):
    """A checked data set.

    Attributes:
        x: the examples, (n, K).
        targets: (n, C) float32, or labels, (n, 1) int32; None if only the examples are needed.
        weights: how much each example counts, (n,) float32; None if all count alike.
        shape: the shape of one example; its K numbers are a row of x.
    """

    x: Rows | Csr
    targets: Any
    weights: Floats | None
    shape: Shape

    def first(self, steps: int | None, batch_size: int, argument: str) -> Data:
        """Returns the first `steps` batches; all, with a warning, if there are fewer; all if it is None."""
        steps = self.limited(steps, batch_size, argument)
        return self if steps is None else self.rows(slice(steps * batch_size))

    def limited(self, steps: int | None, batch_size: int, argument: str) -> int | None:
        """Returns the number of steps; if there are fewer batches, warns and returns their number."""
        count = -(-len(self.x) // batch_size)
        if steps is None or steps <= count:
            return steps
        warnings.warn(
            f"{argument} is {steps}, but {len(self.x)} examples make {count} batches of {batch_size}; all are taken",
            stacklevel=4,
        )
        return count

    def split(self, share: float) -> tuple[Data, Data]:
        """Splits off the last `share` for validation; returns training and validation data.

        Raises:
            ValueError: if one of the two would be empty.
        """
        n = len(self.x)
        kept = int(n * (1 - share))
        if kept in (0, n):
            raise ValueError(
                f"validation_split={share} of {n} examples leaves {kept} for training and {n - kept} for validation; "
                "each needs at least 1"
            )
        return self.rows(slice(kept)), self.rows(slice(kept, n))

    def fitting(self, shape: Shape, argument: str) -> Data:
        """Returns the same data with examples of this shape.

        Raises:
            ValueError: if the examples have another shape.
        """
        return self._replace(shape=_fitting(argument, (len(self.x), *self.shape), shape))

    def rows(self, which: slice) -> Data:
        """Returns adjacent rows, without a copy."""
        targets, weights = (None if array is None else array[which] for array in (self.targets, self.weights))
        return Data(self.x[which], targets, weights, self.shape)


def check_data(
    expected: Expected, x: Any, y: Any, sample_weight: Any = None, class_weight: Any = None, name: str = ""
) -> Data:
    """Checks and converts examples, targets and weights.

    Args:
        expected: what the model expects.
        x, y, sample_weight, class_weight: as for `Sequential.fit`.
        name: a prefix for the names of the arguments in errors.

    Raises:
        ValueError, TypeError: if an argument does not fit the model or the other arguments.
    """
    loss, units = expected.loss, expected.units
    data = check_examples(x, f"{name}x", expected.shape)
    y = _only(y, (units,))
    if len(data.x) == 1:  # R passes a vector of length 1 as a number
        y, sample_weight = ([value] if checks.is_number(value) else value for value in (y, sample_weight))
    y_shape: tuple[Any, ...] = getattr(y, "shape", ())
    if len(y_shape) == 3 and y_shape[2] == 1 and not checks.is_scipy_sparse(y):
        y = np.asarray(y)[..., 0]  # Keras accepts this shape too
    if len(data.x) == 1 and units > 1 and y_shape == (units,) and not loss.of_labels:
        raise checks.ShapeError(f"{name}y has shape {y_shape}, but there is 1 example; for one example use y[None]")
    targets = loss.check_targets(f"{name}y", y, units)
    checks.same_length(data.x, targets, f"{name}x and y")
    weights = None
    if sample_weight is not None:
        weights = checks.sample_weights(f"{name}sample_weight", sample_weight, len(targets))
    if class_weight is not None:
        by_class = checks.class_weights("class_weight", class_weight, targets, units)
        weights = by_class if weights is None else weights * by_class
    return data._replace(targets=targets, weights=weights)


def check_examples(x: Any, argument: str, shape: Shape | None) -> Data:
    """Checks and converts examples without targets.

    Args:
        x: as for `Sequential.predict`.
        argument: the name of x in errors.
        shape: the shape of one example that the model expects; None for any.

    Raises:
        ValueError, TypeError: as for `check_data`.
    """
    x = _only(x, shape)
    if checks.is_scipy_sparse(x):
        if len(x.shape) != 2:
            text = f"{argument} has {len(x.shape)} dimensions; a sparse matrix of examples has 2, (n, features)"
            raise ValueError(text if len(x.shape) > 2 else checks.no_examples(argument, tuple(x.shape)))
        shape = _fitting(argument, tuple(x.shape), shape)
        return Data(Csr.from_scipy(argument, x), None, None, shape)
    array = checks.numeric(argument, x)
    shape = _fitting(argument, array.shape, shape)
    rows = checks.as_examples(argument, array)
    return Data(Rows(rows.reshape(len(rows), math.prod(shape))), None, None, shape)


def _only(given: Any, shape: Shape | None) -> Any:
    """Returns the array of a list that holds one array of several examples, which Keras accepts too.

    An array of the shape of one example stays in its list: that is then a data set of one example.
    """
    if not isinstance(given, list | tuple) or len(given) != 1:
        return given
    (array,) = given
    size = getattr(array, "shape", ())
    return array if len(size) >= 2 and tuple(size) != shape else given


def _fitting(argument: str, shape: Shape, expected: Shape | None) -> Shape:
    """Returns the shape of one example, for a data set of this shape and a model that expects `expected`.

    As in Keras, a last axis of length 1 may be missing or added.

    Raises:
        ValueError: if the shapes do not fit.
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
    one = r_session.code(f"{name}[None]", f"array({name}, c(1, dim({name})))")
    hint = f"; for one example use {one}" if is_one else ""
    size = math.prod(shape)
    if not is_one and len(expected) == 1 and (size == expected[0] or (size % expected[0] == 0 and not are_rows)):
        rows = f"{size // expected[0]}, {expected[0]}"
        hint = f"; use {r_session.code(f'{name}.reshape({rows})', f'array_reshape({name}, c({rows}))')}"
    text = f"{argument} has {given[0]} features, shape {shape}; the model expects {expected[0]}"
    if not are_rows:
        text = f"{argument} has shape {shape}; the model expects examples of shape {expected}"
    raise checks.ShapeError(text + hint)


def joined(parts: list[Data], argument: str) -> Data:
    """Joins the examples of several batches to one data set, without targets.

    Raises:
        ValueError: if there are no batches, or both sparse and dense ones.
    """
    if not parts:
        raise ValueError(f"{argument} makes no batches")
    rows: list[Any] = [part.x for part in parts]
    if len({part.is_sparse for part in rows}) > 1:
        raise ValueError(f"{argument} makes sparse and dense batches; expected batches of one kind")
    x = Csr.concatenated(rows) if rows[0].is_sparse else Rows(np.concatenate([part.array for part in rows]))
    return Data(x, None, None, parts[0].shape)
