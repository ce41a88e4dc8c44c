"""Metric, the base class of all metrics, and the metrics that are a mean over all rows."""

from __future__ import annotations

import copy
import math
from collections import deque
from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from fastnet import checks, initializers, kernels
from fastnet.arrays.labels import as_classes, as_rows
from fastnet.arrays.panels import own_arrays
from fastnet.arrays.variables import MetricVariable, Variable
from fastnet.checks import Floats
from fastnet.losses.base import NO_WEIGHTS, Doubles, real_array
from fastnet.recorded import Recorded, arguments, is_ours

Shape = tuple[int, ...]


class Metric(Recorded):
    """Base class of all metrics. Call `reset_state`, then `update_state` for each batch, then `result`.

    A subclass defines `update_state` and `result`. It keeps its sums in variables, which its constructor makes with
    `add_weight`, as in Keras; `reset_state` sets them to zero. It can also override `reset_state` and set attributes
    there, because the constructor of this class calls `reset_state`. Calling the object does `update_state` and
    returns `result`.

    The class attribute ``_direction`` is ``"up"`` if more is better, ``"down"`` if less is better. Callbacks with
    ``mode="auto"``, such as EarlyStopping, use it.

    Args:
        name: the metric's name, also in ``history``; by default the class attribute ``name``.
        dtype: the type of the variables; by default ``"float64"``, which counts without rounding.

    Raises:
        TypeError: if `name` is not a string, or `dtype` is not a type of real numbers.

    Example:
        >>> class Positives(Metric):
        ...     def __init__(self, name="positives"):
        ...         super().__init__(name=name)
        ...         self.total = self.add_weight(name="total", initializer="zeros")
        ...     def update_state(self, y_true, y_pred, sample_weight=None):
        ...         self.total.assign_add((np.asarray(y_pred) > 0.5).sum())
        ...     def result(self):
        ...         return self.total / 1
        >>> float(Positives()([[1], [0]], [[0.7], [0.3]]))
        1.0
    """

    _kept = ("name",)
    name = "metric"
    weighted = False  # whether sample weights count: True for `weighted_metrics`, False for `metrics`
    takes_labels = True  # if the loss takes labels: whether the metric gets labels (B,), or one-hot rows
    labels_come = False  # whether the model's loss takes labels
    _is_taped = False  # whether `update_checked` runs kernels only, so that a step can be recorded and repeated
    _direction: str | None = None
    _dtype = np.dtype(np.float64)

    def __init__(self, name: str | None = None, dtype: Any = None) -> None:
        if name is not None:
            if not isinstance(name, str):
                raise TypeError(f"name must be a str, got {name!r}")
            self.name = name
        if dtype is not None:
            self._dtype = _real_type(dtype)
        try:
            self.reset_state()
        except AttributeError as error:
            if error.obj is not self:
                raise
            # As in Keras, a subclass may make the variables of its reset_state after super().__init__().

    def add_weight(
        self, shape: Any = (), initializer: Any = None, dtype: Any = None, name: str | None = None, **kwargs: Any
    ) -> MetricVariable:
        """Makes a variable of the metric; for the constructor of a subclass.

        A variable has `assign`, `assign_add` and `assign_sub`, and works like an array: ``self.total / self.count``.

        Args:
            shape: the variable's shape; ``()`` for one number.
            initializer: the initializer of its values; by default ``"zeros"``.
            dtype: its type; by default the metric's.
            name: its name.
            kwargs: ``aggregation`` and ``synchronization``, which are accepted as in Keras and ignored.

        Raises:
            ValueError, TypeError: if an argument is wrong.
        """
        checks.keywords("add_weight", kwargs, ("aggregation", "synchronization"))
        if isinstance(shape, str):  # add_weight("total"), as in older scripts
            shape, name = (), shape
        try:
            dimensions = tuple(checks.integer("shape", n, least=0) for n in checks.entries(shape))
        except TypeError:
            raise TypeError(f"shape must be a shape such as () or (10,), got {shape!r}") from None
        made = initializers.get("zeros" if initializer is None else initializer)(dimensions)
        value = checks.numeric(f"what the initializer {initializer!r} returned", made)
        if value.shape != dimensions:
            raise ValueError(f"the initializer {initializer!r} returned shape {value.shape}; expected {dimensions}")
        kind = self._dtype if dtype is None else _real_type(dtype)
        variable = MetricVariable(value.astype(kind), f"{self.name}/{name or 'variable'}")
        self.__dict__.setdefault("_variables", []).append(variable)
        return variable

    def add_variable(
        self, shape: Any = (), initializer: Any = None, dtype: Any = None, aggregation: Any = None, name: Any = None
    ) -> MetricVariable:
        """Makes a variable; another name for `add_weight`, as in Keras."""
        return self.add_weight(shape, initializer, dtype, name)

    @property
    def dtype(self) -> str:
        """The type of the variables."""
        return self._dtype.name

    @property
    def variables(self) -> list[MetricVariable]:
        """The variables that `add_weight` made, including those of metrics among the attributes."""
        own: list[MetricVariable] = list(vars(self).get("_variables", []))
        return own + [variable for metric in self._inner() for variable in metric.variables]

    def _inner(self) -> list[Metric]:
        """Returns the metrics among the attributes, each once."""
        found: dict[int, Metric] = {}
        for value in vars(self).values():
            several = (
                value if isinstance(value, list | tuple) else value.values() if isinstance(value, dict) else [value]
            )
            found |= {id(each): each for each in several if isinstance(each, Metric)}
        return list(found.values())

    def reset_state(self) -> None:
        """Starts again: sets all variables to zero."""
        for variable in vars(self).get("_variables", []):
            variable.assign(np.zeros(variable.shape))
        for metric in self._inner():
            metric.reset_state()

    def update_state(self, *args: Any, **kwargs: Any) -> None:
        """Adds a batch: targets (B, C), predictions (B, C), and weights (B,) or None.

        Raises:
            ValueError, TypeError: if an array has another type or shape.
        """
        raise NotImplementedError(f"{type(self).__name__} has no update_state()")

    def update_checked(self, targets: NDArray[Any], predictions: Floats, weights: Floats | None = None) -> None:
        """Adds a batch of the training loop: checked targets (B, C), or labels (B, 1) int32, and predictions (B, C).

        The weights count only if the metric is `weighted`. `update_state` gets copies of the arrays, which it may keep
        or change: the next batch overwrites the originals.
        """
        if self.takes_labels and self.labels_come:
            given: NDArray[Any] = as_classes(targets)
        else:
            given = as_rows(targets, predictions.shape[1]).copy()
        predictions = predictions.copy()
        if self.weighted and weights is not None:
            self.update_state(given, predictions, weights.copy())
        else:
            self.update_state(given, predictions)

    def result(self) -> Any:
        """Returns the metric over all batches since `reset_state`: a float, or an array for some metrics."""
        raise NotImplementedError(f"{type(self).__name__} has no result()")

    def logged(self) -> Any:
        """Returns `result` for the logs: a float if it is one number, else a new array.

        Raises:
            TypeError: if `result` is neither a number nor an array of numbers.
        """
        value = self.result()
        if type(value) is float:
            return value
        array = real_array(f"the metric {self.name!r}", value)
        return float(array.reshape(())) if array.size == 1 else array.copy()

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        self.update_state(*args, **kwargs)
        return self.result()

    def __copy__(self) -> Metric:
        """Copies the metric with its state: a validation needs its own while the epoch's metric is in use.

        Variables, arrays, lists, dicts, sets and metrics among the attributes are copied. Other attributes are shared.
        """
        return _apart(self, {})  # type: ignore[no-any-return]

    def get_config(self) -> dict[str, Any]:
        """Returns the name, and the constructor's other arguments that differ from their defaults."""
        config = {"name": self.name} | arguments(self)
        if self._dtype is Metric._dtype:
            config.pop("dtype", None)
        return config

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{k}={v!r}' for k, v in self._shown().items())})"


def _real_type(dtype: Any) -> np.dtype[Any]:
    try:
        kind: np.dtype[Any] = np.dtype(dtype)
    except TypeError:
        raise TypeError(f"dtype must be a type of real numbers such as 'float32', got {dtype!r}") from None
    if kind.kind not in "biuf":
        raise TypeError(f"dtype must be a type of real numbers such as 'float32', got {dtype!r}")
    return kind


def _apart(value: Any, copied: dict[int, Any]) -> Any:
    """Copies a value that may hold a metric's state; an object that occurs twice is copied once."""
    if id(value) in copied:
        return copied[id(value)]
    new: Any
    if isinstance(value, Metric):
        new = copied[id(value)] = type(value).__new__(type(value))
        for name, attribute in vars(value).items():
            new.__dict__[name] = _apart(attribute, copied)
        return new
    if isinstance(value, Variable):
        new = copy.deepcopy(value)
    elif isinstance(value, np.ndarray | set | deque):
        new = value.copy()
    elif isinstance(value, list):
        new = copied[id(value)] = copy.copy(value)
        new[:] = [_apart(each, copied) for each in value]
    elif isinstance(value, dict):
        new = copied[id(value)] = copy.copy(value)
        for key, each in value.items():
            new[key] = _apart(each, copied)
    elif type(value) is tuple:
        new = tuple(_apart(each, copied) for each in value)
    else:
        new = value
    copied[id(value)] = new
    return new


class Checked(Metric):
    """Base class of fastnet's own metrics: `add` gets checked arrays, from the training loop or from a user.

    They count in float64, so the argument `dtype` is kept, but changes no result.
    """

    takes_labels = False
    of_labels = False  # whether targets are labels (n,), one per row
    of_rows = False  # whether the outputs of a row belong together, so that arrays (C,) are one row, as in Keras
    _keeps_labels: ClassVar[bool] = False  # whether `add` takes labels, (B, 1) int32, too; others get one-hot rows

    def _counter(self, name: str, shape: Shape) -> MetricVariable:
        """Makes a variable of zeros; it has Keras's name, and counts in float64."""
        variable = MetricVariable(np.zeros(shape), name)
        self.__dict__.setdefault("_variables", []).append(variable)
        return variable

    def add(self, targets: NDArray[Any], predictions: Floats, weights: Floats | None) -> None:
        """Adds checked targets (B, C), predictions (B, C), and weights (B,) or None.

        A metric whose outputs count one by one also gets weights (B, C).
        """
        raise NotImplementedError

    def targets(self, y_true: Any, outputs: int) -> NDArray[Any]:
        """Checks the user's targets and converts them to float32, (n, outputs), or to labels, (n, 1) int32."""
        targets = column("y_true", y_true)
        if targets.shape[1] != outputs:
            raise ValueError(
                f"y_true and y_pred must have the same shape, got {targets.shape} and {(len(targets), outputs)}"
            )
        return targets

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Adds a batch: targets (B, ..., C), predictions (B, ..., C), and weights or None.

        An array (B,) is one column. For metrics that look at all outputs of a row, such as categorical accuracy,
        predictions (C,) are one row. Weights are one number, one an example (B,), or one a row (B, ...); where outputs
        count one by one, as in binary accuracy, also one an output.

        Raises:
            ValueError, TypeError: if an array has another type or shape.
        """
        targets, predictions, shape = self._pair(y_true, y_pred)
        self._add_given(targets, predictions, shape, sample_weight)

    def _add_given(self, targets: NDArray[Any], predictions: Floats, shape: Shape, sample_weight: Any) -> None:
        """Adds a user's arrays: targets and predictions (N, C) of what had this shape, and weights as they came."""
        weights = None if sample_weight is None else spread(sample_weight, shape).reshape(predictions.shape)
        self.add(targets, predictions, weights)

    def _pair(self, y_true: Any, y_pred: Any) -> tuple[NDArray[Any], Floats, Shape]:
        """Checks a user's targets and predictions; returns each as (N, C), or labels as (N, 1) int32, and the shape.

        Arrays (n, ..., C) have N rows, which are the product of all axes but the last.
        """
        predictions = checks.numeric("y_pred", y_pred)
        if self.of_rows and predictions.ndim == 1:
            predictions, y_true = predictions[None], checks.numeric("y_true", y_true)
            if y_true.ndim == (0 if self.of_labels else 1):
                y_true = y_true[None]
        shape = predictions.shape if predictions.ndim > 1 else (*predictions.shape, 1)
        if predictions.ndim > 2:
            y_true = _flat(checks.numeric("y_true", y_true), shape)
            predictions = predictions.reshape(math.prod(shape[:-1]), shape[-1])
        predictions = column("y_pred", predictions)
        targets = self.targets(y_true, predictions.shape[1])
        if not self._keeps_labels:
            targets = as_rows(targets, predictions.shape[1])
        if len(targets) != len(predictions):
            raise ValueError(f"y_true and y_pred must have the same length, got {len(targets)} and {len(predictions)}")
        return targets, predictions, shape

    def update_checked(self, targets: NDArray[Any], predictions: Floats, weights: Floats | None = None) -> None:
        if not self._keeps_labels:
            targets = as_rows(targets, predictions.shape[1])
        self.add(targets, predictions, weights if self.weighted else None)


class _Part:
    """One of a metric's two sums as a variable: it shows and sets the number in place."""

    def __init__(self, index: int, name: str) -> None:
        self.index, self.name = index, name

    def __get__(self, metric: Any, owner: type) -> Any:
        if metric is None:
            return self
        variable = MetricVariable(np.zeros(()), self.name)
        variable.__dict__["packed"] = metric._sums[self.index : self.index + 1].reshape(())  # a view
        return variable


class RunningMean(Metric):
    """Base class of the metrics that are a mean over rows. A reset leaves the array of the sums where it is."""

    _sums: Doubles  # the weighted sum of the rows' values, and the sum of the weights
    total, count = _Part(0, "total"), _Part(1, "count")

    def reset_state(self) -> None:
        super().reset_state()
        if "_sums" not in vars(self):
            self._sums = np.zeros(2)
        self._sums[:] = 0

    @property
    def variables(self) -> list[MetricVariable]:
        """The sum and the count, which a training step writes to, and the variables that `add_weight` made."""
        return [self.total, self.count, *super().variables]

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(own_arrays(state))

    def result(self) -> float:
        """Returns the mean; 0 before the first batch."""
        total, count = self._sums.tolist()
        return total / count if count else 0.0

    def _add_rows(self, rows: NDArray[Any], weights: Floats | None) -> None:
        values = np.ascontiguousarray(rows, np.float64)
        kernels.add_rows(values, NO_WEIGHTS if weights is None else weights, self._sums)

    def _add_values(self, values: NDArray[Any], sample_weight: Any) -> None:
        """Adds values (n, ...) with weights as a user gives them.

        Each example counts once: its weight is the mean of those of its values. One number is the weight of all n
        examples together, as in Keras.
        """
        if not values.size:
            return
        if sample_weight is None:
            total, count = values.reshape(len(values), -1).mean(axis=1, dtype=np.float64).sum(), len(values)
        else:
            weights = spread(sample_weight, values.shape).astype(np.float64)
            share = values.size if np.ndim(sample_weight) == 0 else values[0].size
            total, count = (values * weights).sum() / share, weights.sum() / share
        self._sums += (total, count)


class MeanOverRows(RunningMean, Checked):
    """Base class of the metrics that are a mean over rows; a subclass computes the value of each row."""

    _of_outputs: ClassVar[bool] = False  # whether a row's value is the mean over its outputs, with a weight for each

    def rows(self, targets: NDArray[Any], predictions: Floats) -> Floats:
        """Returns the value of each row, (n,), for targets and predictions (n, C)."""
        raise NotImplementedError

    def add(self, targets: NDArray[Any], predictions: Floats, weights: Floats | None) -> None:
        with np.errstate(all="ignore"):  # the result shows NaN and infinity
            rows = self.rows(targets, predictions)
            if np.shape(rows) != (len(targets),):
                raise ValueError(
                    f"rows() of the metric {self.name!r} returned shape {np.shape(rows)}; expected ({len(targets)},)"
                )
            self._add_rows(rows, weights)

    def _add_given(self, targets: NDArray[Any], predictions: Floats, shape: Shape, sample_weight: Any) -> None:
        rows = shape[:-1]
        weights = None if sample_weight is None else checks.numeric("sample_weight", sample_weight)
        if self._of_outputs and weights is not None and weights.ndim > 1:
            rows, targets, predictions = shape, targets.reshape(-1, 1), predictions.reshape(-1, 1)
        if len(rows) == 1 and (weights is None or weights.ndim > 0):
            self.add(targets, predictions, None if weights is None else spread(weights, rows))
        else:
            self._add_values(self._values(targets, predictions, (*rows, -1)), weights)

    def _values(self, targets: NDArray[Any], predictions: Floats, shape: Shape) -> NDArray[Any]:
        """Returns the value of each row of targets and predictions (N, C) of what had the shape (n, ..., C)."""
        with np.errstate(all="ignore"):  # the result shows NaN and infinity
            return self.rows(targets, predictions).reshape(shape[:-1])

    @classmethod
    def per_row(cls, y_true: Any, y_pred: Any, **kwargs: Any) -> Floats:
        """Returns the value of each row, (n, ...), of a user's arrays (n, ..., C)."""
        metric = cls(**kwargs)
        targets, predictions, shape = metric._pair(y_true, y_pred)
        checks.same_length(targets, predictions, "y_true and y_pred")
        return metric._values(targets, predictions, shape).astype(np.float32, copy=False)


class AlongAxis(MeanOverRows):
    """Base class of the means of a value along one axis: that of a row's outputs, unless `axis` says another."""

    axis = -1

    def add(self, targets: NDArray[Any], predictions: Floats, weights: Floats | None) -> None:
        if self.axis in (-1, 1):
            super().add(targets, predictions, weights)
        else:
            self._add_given(targets, predictions, predictions.shape, weights)

    def _pair(self, y_true: Any, y_pred: Any) -> tuple[NDArray[Any], Floats, Shape]:
        targets, predictions, shape = super()._pair(y_true, y_pred)
        return targets, predictions, shape[1:] if np.ndim(y_pred) == 1 else shape

    def _add_given(self, targets: NDArray[Any], predictions: Floats, shape: Shape, sample_weight: Any) -> None:
        weights = None if sample_weight is None else checks.numeric("sample_weight", sample_weight)
        self._add_values(np.atleast_1d(self._values(targets, predictions, shape)), weights)

    def _values(self, targets: NDArray[Any], predictions: Floats, shape: Shape) -> NDArray[Any]:
        if not -len(shape) <= self.axis < len(shape):
            raise ValueError(f"axis is {self.axis}, but y_pred has shape {shape}")
        t, p = (np.moveaxis(array.reshape(shape), self.axis, -1) for array in (targets, predictions))
        rows = math.prod(p.shape[:-1])
        return super()._values(t.reshape(rows, t.shape[-1]), p.reshape(rows, p.shape[-1]), p.shape)


class ByKernel(MeanOverRows):
    """Base class of the metrics whose rows a kernel computes."""

    _is_ours: ClassVar[bool] = True  # False for a user's class, whose own `rows` then counts
    _workspace = np.zeros(0)

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls._is_ours = is_ours(cls)

    @property
    def _has_kernel(self) -> bool:
        return self._is_ours

    @property
    def _is_taped(self) -> bool:  # type: ignore[override]
        return self._has_kernel and (self._keeps_labels or not self.labels_come)  # one-hot rows come from NumPy

    def reset_state(self) -> None:
        if self._is_ours and "_sums" in vars(self):  # it has no other variables
            self._sums[:] = 0
        else:
            super().reset_state()

    def write_rows(self, targets: NDArray[Any], predictions: Floats, rows: Doubles) -> None:
        """Writes the value of each row, (n,) float64, for targets and predictions (n, C)."""
        raise NotImplementedError

    def rows(self, targets: NDArray[Any], predictions: Floats) -> Floats:
        rows = np.empty(len(targets))
        self.write_rows(targets, predictions, rows)
        return rows.astype(np.float32)

    def add(self, targets: NDArray[Any], predictions: Floats, weights: Floats | None) -> None:
        if not self._has_kernel:
            super().add(targets, predictions, weights)
            return
        if len(targets) > len(self._workspace):
            self._workspace = np.empty(len(targets))
        rows = self._workspace[: len(targets)]
        self.write_rows(targets, predictions, rows)
        kernels.add_rows(rows, NO_WEIGHTS if weights is None else weights, self._sums)

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name != "_workspace"}


class FunctionMetric(RunningMean):
    """Makes a metric of a user's function of (y_true, y_pred).

    Args:
        function: gets arrays (B, C). It returns one number per row, (B,) or (B, C), or one number for the batch, which
            counts once for each row. If the loss takes labels, y_true is the labels (B,).
        name: the metric's name; by default the function's.
    """

    def __init__(self, function: Callable[[Any, Any], Any], name: str | None = None) -> None:
        super().__init__(name or getattr(function, "__name__", type(function).__name__))
        self.function = function

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Adds a batch: targets (B, C), predictions (B, C), and weights (B,) or None.

        Raises:
            ValueError, TypeError: if the function does not return one number, or one per row.
        """
        length = len(y_pred)
        values: Any = real_array(f"the metric {self.name!r}", self.function(y_true, y_pred))
        if values.ndim == 0:
            values = np.full(length, values)
        if len(values) != length:
            raise ValueError(
                f"the metric {self.name!r} returned shape {values.shape}; expected a number, or one a row, ({length},)"
            )
        weights = None
        if sample_weight is not None:
            weights = checks.sample_weights("sample_weight", sample_weight, length)
        self._add_rows(values.reshape(length, -1).mean(axis=1), weights)


def column(argument: str, value: Any) -> Floats:
    """Converts rows to float32, (n, C); an array (n,) is one column."""
    array = checks.numeric(argument, value)
    return checks.features(argument, array[:, None] if array.ndim == 1 else array)


def spread(sample_weight: Any, shape: Shape) -> Floats:
    """Returns weights of the given shape: from one number, from one an example, (n,), or one an entry, (n, ...).

    An axis of length 1 counts for all of that axis, so (1, C) is a weight for each column.

    Raises:
        ValueError, TypeError: if the weights do not fit the shape, or one is negative.
    """
    weights = checks.as_float32("sample_weight", checks.numeric("sample_weight", sample_weight))
    given = weights.shape
    if weights.size and weights.min() < 0:
        where = checks.place(np.unravel_index(weights.argmin(), given)) if given else "index 0"
        raise ValueError(f"sample_weight holds {weights.min()} at {where}; expected no negative number")
    if weights.ndim == len(shape) + 1 and given[-1] == 1:
        weights = weights[..., 0]
    elif 0 < weights.ndim < len(shape):
        weights = weights.reshape(given + (1,) * (len(shape) - weights.ndim))
    try:
        whole = np.broadcast_to(weights, shape)
    except ValueError:
        raise ValueError(
            f"sample_weight has shape {given}; expected one number an example, {shape[:1]}, or what fits {shape}"
        ) from None
    return np.ascontiguousarray(whole)


def _flat(targets: NDArray[Any], shape: Shape) -> NDArray[Any]:
    """Returns a user's targets for predictions (n, ..., C) as (N, C), or labels as (N,).

    Raises:
        ValueError: if they have neither the shape of the predictions nor, but for axes of length 1, that of their rows.
    """
    rows = math.prod(shape[:-1])
    if targets.shape == shape:
        return targets.reshape(rows, shape[-1])
    if [n for n in targets.shape if n != 1] == [n for n in shape[:-1] if n != 1]:
        return targets.reshape(rows)
    raise ValueError(
        f"y_true has shape {targets.shape}, but y_pred has shape {shape}; expected {shape} or {shape[:-1]}"
    )
