"""True and false positives and negatives at thresholds, and what follows from them: precision and recall.

A prediction is positive if it is greater than a threshold, a target if it is nonzero. Every output of every example
counts once. A ratio with a denominator of 0 is 0.

|                 | target positive       | target negative       |
|-----------------|-----------------------|-----------------------|
| predicted above | true positive (TP)    | false positive (FP)   |
| not above       | false negative (FN)   | true negative (TN)    |
"""

from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from fastnet import checks
from fastnet.arrays.variables import MetricVariable
from fastnet.checks import Floats
from fastnet.metrics.base import Checked

Counts = NDArray[np.float64]

# Each threshold keeps up to four numbers, so this many take 3.2 MB. float32 predictions do not need more. The limit
# also keeps a model file from an untrusted source from making a metric that takes all memory.
_MOST_THRESHOLDS = 100_000
COUNTED = ("true_positives", "false_positives", "true_negatives", "false_negatives")


class Counter(Checked):
    """Base class of the metrics that count positives and negatives at thresholds.

    A subclass gives the thresholds to `_count_at`, and says in `_kept_counts` which of the four counts it keeps. Each
    is a variable of that name, (T,).
    """

    top_k: int | None = None
    class_id: int | None = None
    _kept_counts: ClassVar[tuple[str, ...]] = COUNTED
    _limits: Floats  # the thresholds, (T,)
    true_positives: MetricVariable
    false_positives: MetricVariable
    true_negatives: MetricVariable
    false_negatives: MetricVariable

    @property
    def of_rows(self) -> bool:  # type: ignore[override]
        return self.top_k is not None

    def _count_at(self, limits: Any, columns: tuple[int, ...] = ()) -> None:
        """Makes the variables for these thresholds, (T,); or (T, L) to count each of L columns by itself."""
        self._limits = np.array(limits, np.float32)
        is_sorted = bool((self._limits[:-1] <= self._limits[1:]).all())
        self._order: Any = slice(None) if is_sorted else np.argsort(self._limits, kind="stable")
        for name in self._kept_counts:
            setattr(self, name, self._counter(name, (len(self._limits), *columns)))

    def targets(self, y_true: Any, outputs: int) -> Floats:
        if self.class_id is not None and self.class_id >= outputs:
            raise ValueError(f"class_id is {self.class_id}, but y_pred has {outputs} outputs")
        return super().targets(y_true, outputs)

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        y_pred = checks.numeric("y_pred", y_pred)
        if self.class_id is not None and y_pred.ndim == 1:
            raise ValueError(f"y_pred has shape {y_pred.shape}, but class_id needs rows of classes, (n, C)")
        if self.of_rows and y_pred.ndim == 1 and np.ndim(sample_weight) == 1:
            sample_weight = np.asarray(sample_weight)[None]  # one row of classes, and a weight for each
        super().update_state(y_true, y_pred, sample_weight)

    def add(self, targets: Floats, predictions: Floats, weights: Floats | None) -> None:
        if self.top_k is not None:
            order = np.argsort(-predictions, axis=1, kind="stable")
            predictions = predictions.copy()
            np.put_along_axis(predictions, order[:, self.top_k :], -np.inf, axis=1)
        if weights is not None and weights.ndim == 1:
            weights = weights[:, None]
        if self.class_id is not None:
            if self.class_id >= targets.shape[1]:
                raise ValueError(f"class_id is {self.class_id}, but there are {targets.shape[1]} outputs")
            one = slice(self.class_id, self.class_id + 1)
            targets, predictions = targets[:, one], predictions[:, one]
            weights = weights if weights is None or weights.shape[1] == 1 else weights[:, one]
        self._add_counts(self.passed(predictions), targets != 0, weights)

    def passed(self, predictions: Floats) -> NDArray[Any]:
        """Returns how many thresholds each prediction is above, (n, C). NaN is above none."""
        if len(self._limits) == 1:
            return predictions > self._limits
        found = np.searchsorted(self._limits[self._order], predictions, side="left")
        return np.where(np.isnan(predictions), 0, found)

    def _add_counts(self, passed: NDArray[Any], real: NDArray[np.bool_], weights: Any, by_column: bool = False) -> None:
        """Adds the outputs of a batch.

        Each output is put into the bucket of its number of thresholds, one for positive targets and one for negative
        ones. The sum of the buckets from the last one to number i is then what is above i thresholds. This takes
        O(n + T) steps. To compare with each threshold would take O(n T).

        Args:
            passed: how many thresholds each prediction is above, (n, C).
            real: whether each target is positive, (n, C).
            weights: weights (n, 1) or (n, C), or None.
            by_column: whether each column counts by itself.
        """
        size, columns = len(self._limits) + 1, passed.shape[1] if by_column else 1
        bucket = 2 * columns * np.asarray(passed, np.intp) + real
        if by_column:
            bucket += 2 * np.arange(columns)
        each = None if weights is None else np.broadcast_to(weights, passed.shape).reshape(-1)
        counts = np.bincount(bucket.reshape(-1), each, 2 * size * columns).reshape(size, columns, 2)
        sums = counts[::-1].cumsum(axis=0)[::-1]
        negative, positive = (sums[..., i] if by_column else sums[:, 0, i] for i in range(2))
        above = {"true_positives": positive, "false_positives": negative}
        below = {"false_negatives": positive, "true_negatives": negative}
        for name in self._kept_counts:
            found = above[name][1:] if name in above else below[name][0] - below[name][1:]
            getattr(self, name).packed[self._order] += found

    def counts(self) -> list[Counts]:
        """Returns the counts that the metric keeps, in the order of `COUNTED`."""
        return [np.asarray(getattr(self, name).packed, np.float64) for name in self._kept_counts]


def at_thresholds(counts: Counts) -> Any:
    """Returns a float for one threshold, else an array (T,)."""
    return float(counts[0]) if len(counts) == 1 else counts


def thresholds_of(thresholds: Any) -> Any:
    """Checks thresholds in [0, 1]: returns None, a number or a list, as it came."""
    if thresholds is None:
        return None
    given = list(thresholds) if isinstance(thresholds, list | tuple | np.ndarray) else [thresholds]
    limits = [share("thresholds", limit) for limit in given]
    if not limits:
        raise ValueError("thresholds is empty; expected a number or several")
    return limits if isinstance(thresholds, list | tuple | np.ndarray) else limits[0]


class _OneCount(Counter):
    """Base class of the metrics that are one of the four counts."""

    def __init__(self, thresholds: Any = None, name: str | None = None, dtype: Any = None) -> None:
        super().__init__(name, dtype)
        self.thresholds = thresholds_of(thresholds)
        self._count_at(np.atleast_1d(0.5 if thresholds is None else self.thresholds))

    def result(self) -> Any:
        """Returns the count: a float, or an array (T,) for several thresholds."""
        return at_thresholds(self.counts()[0].copy())


class TruePositives(_OneCount):
    """Number of positive targets that are predicted, or the sum of their weights.

    Args:
        thresholds: a number in [0, 1], by default 0.5; or a list of them, for which the result is an array.
        name: the metric's name.
        dtype: a type of real numbers, which changes no result.

    Raises:
        ValueError, TypeError: if an argument is wrong.

    Example:
        >>> TruePositives()([0, 1, 1, 1], [1, 0, 1, 1])
        2.0
    """

    name = "true_positives"
    _kept_counts = ("true_positives",)
    _direction = "up"


class FalsePositives(_OneCount):
    """Number of negative targets that are predicted positive; arguments as `TruePositives`.

    Example:
        >>> FalsePositives()([0, 1, 0, 0], [0, 0, 1, 1])
        2.0
    """

    name = "false_positives"
    _kept_counts = ("false_positives",)
    _direction = "down"


class TrueNegatives(_OneCount):
    """Number of negative targets that are not predicted positive; arguments as `TruePositives`.

    Example:
        >>> TrueNegatives()([0, 1, 0, 0], [1, 1, 0, 0])
        2.0
    """

    name = "true_negatives"
    _kept_counts = ("true_negatives",)
    _direction = "up"


class FalseNegatives(_OneCount):
    """Number of positive targets that are not predicted; arguments as `TruePositives`.

    Example:
        >>> FalseNegatives()([0, 1, 1, 1], [0, 1, 0, 0])
        2.0
    """

    name = "false_negatives"
    _kept_counts = ("false_negatives",)
    _direction = "down"


class _Ratio(Counter):
    """Base class of `Precision` and `Recall`: the share of the true positives in the sum of two counts."""

    _direction = "up"

    def __init__(
        self,
        thresholds: Any = None,
        top_k: int | None = None,
        class_id: int | None = None,
        name: str | None = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(name, dtype)
        self.top_k = None if top_k is None else checks.integer("top_k", top_k, least=1)
        self.class_id = None if class_id is None else checks.integer("class_id", class_id, least=0)
        self.thresholds = thresholds_of(thresholds)
        default = 0.5 if top_k is None else -np.inf
        self._count_at(np.atleast_1d(default if thresholds is None else self.thresholds))

    def result(self) -> Any:
        """Returns the ratio, 0 if its denominator is 0: a float, or an array (T,) for several thresholds."""
        true, other = self.counts()
        return at_thresholds(divide(true, true + other))


class Precision(_Ratio):
    """Share of positive predictions that are correct: TP / (TP + FP).

    Args:
        thresholds: a number in [0, 1], by default 0.5; or a list of them, for which the result is an array.
        top_k: if given, only the k largest predictions of each row can be positive. They are positive at any value
            unless `thresholds` is given too.
        class_id: if given, only this output counts.
        name: the metric's name.
        dtype: a type of real numbers, which changes no result.

    Raises:
        ValueError, TypeError: if an argument is wrong.

    Example:
        >>> Precision()([0, 1, 1, 1], [1, 0, 1, 1])
        0.6666666666666666
    """

    name = "precision"
    _kept_counts = ("true_positives", "false_positives")


class Recall(_Ratio):
    """Share of positive targets that are predicted: TP / (TP + FN). The arguments are those of `Precision`.

    Example:
        >>> Recall()([0, 1, 1, 1], [1, 0, 1, 1])
        0.6666666666666666
    """

    name = "recall"
    _kept_counts = ("true_positives", "false_negatives")


def number_of_thresholds(value: Any, least: int) -> int:
    """Checks the argument `num_thresholds`; errors as `checks.integer`."""
    number = checks.integer("num_thresholds", value, least)
    if number > _MOST_THRESHOLDS:
        raise ValueError(f"num_thresholds must be at most {_MOST_THRESHOLDS}, got {number}")
    return number


def divide(a: Any, b: Any) -> Any:
    """Returns a / b, and 0 where b is 0."""
    a, b = np.asarray(a, np.float64), np.asarray(b, np.float64)
    shape = np.broadcast_shapes(a.shape, b.shape)
    return np.divide(a, b, out=np.zeros(shape), where=np.broadcast_to(b != 0, shape))


def share(argument: str, value: Any) -> float:
    """Returns `value` as a float if it is a number in [0, 1]; errors as `checks.number`."""
    x = checks.number(argument, value, least=0)
    if x > 1:
        raise ValueError(f"{argument} must be in [0, 1], got {x!r}")
    return x
