"""Metric: what all metrics share, and those that are a mean over the rows seen."""

from collections.abc import Callable
from typing import Any

import numpy as np

from fastnet import checks
from fastnet.checks import Floats
from fastnet.losses.base import arguments


class Metric:
    """Base of all metrics: `reset_state`, then `update_state` a batch, then `result`.

    A subclass says what the three do; `reset_state` is called by the constructor too. Calling the object is
    `update_state` and `result` in one.

    Args:
        name: what the metric is called, also in ``history``; by default the class's own name for it.

    Raises:
        TypeError: if the name is no text.

    Example:
        >>> class Rows(Metric):
        ...     name = "rows"
        ...     def reset_state(self):
        ...         self.seen = 0
        ...     def update_state(self, y_true, y_pred, sample_weight=None):
        ...         self.seen += len(y_true)
        ...     def result(self):
        ...         return self.seen
        >>> Rows()([[1], [0]], [[0.5], [0.5]])
        2
    """

    name = "metric"
    weighted = False  # whether a model's weights count in it; Keras's `weighted_metrics`, against its `metrics`
    takes_labels = True  # whether it wants labels, (B,), of a model whose loss takes labels, instead of one-hot rows
    labels_come = False  # whether it is used in such a model

    def __init__(self, name: str | None = None) -> None:
        if name is not None:
            if not isinstance(name, str):
                raise TypeError(f"name must be a str, got {name!r}")
            self.name = name
        self.reset_state()

    def reset_state(self) -> None:
        """Forgets what was seen; with new arrays, not emptied ones, since a model makes shallow copies of metrics."""
        raise NotImplementedError

    def update_state(self, *args: Any, **kwargs: Any) -> None:
        """Adds a batch: targets (B, C), predictions (B, C) and, or None, weights (B,).

        Raises:
            ValueError, TypeError: if the arrays are not of that kind or shape.
        """
        raise NotImplementedError

    def update_checked(self, targets: Floats, predictions: Floats, weights: Floats | None = None) -> None:
        """`update_state` for the training loop: arrays that were checked, predictions with or without padding.

        Metrics count every example alike, unless they are `weighted`: weights are for the loss.
        """
        given = targets.argmax(axis=1) if self.takes_labels and self.labels_come else targets
        predictions = predictions[:, : targets.shape[1]]
        if self.weighted and weights is not None:
            self.update_state(given, predictions, weights)
        else:
            self.update_state(given, predictions)

    def result(self) -> Any:
        """The metric of all that was seen since `reset_state`: a float, or an array where it says so."""
        raise NotImplementedError

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        self.update_state(*args, **kwargs)
        return self.result()

    def get_config(self) -> dict[str, Any]:
        """The name, and the constructor's other arguments that are not the defaults."""
        return {"name": self.name} | arguments(self)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{k}={v!r}' for k, v in self.get_config().items())})"


class Checked(Metric):
    """Base of our own: `add` gets arrays that were checked, whoever they came from."""

    takes_labels = False

    def add(self, targets: Floats, predictions: Floats, weights: Floats | None) -> None:
        """Adds targets (B, C), predictions (B, C) and, or None, weights (B,)."""
        raise NotImplementedError

    def targets(self, y_true: Any, outputs: int) -> Floats:
        """The user's targets as float32, (n, outputs)."""
        targets = column("y_true", y_true)
        if targets.shape[1] != outputs:
            raise ValueError(
                f"y_true and y_pred must have the same shape, got {targets.shape} and {(len(targets), outputs)}"
            )
        return targets

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Adds a batch: targets (B, C), predictions (B, C) and, or None, weights (B,); a column may come as (B,).

        Raises:
            ValueError, TypeError: if the arrays are not of that kind or shape.
        """
        predictions = column("y_pred", y_pred)
        targets = self.targets(y_true, predictions.shape[1])
        if len(targets) != len(predictions):
            raise ValueError(f"y_true and y_pred must have the same length, got {len(targets)} and {len(predictions)}")
        weights = None
        if sample_weight is not None:
            weights = checks.sample_weights("sample_weight", sample_weight, len(targets))
        self.add(targets, predictions, weights)

    def update_checked(self, targets: Floats, predictions: Floats, weights: Floats | None = None) -> None:
        self.add(targets, predictions[:, : targets.shape[1]], weights if self.weighted else None)


class RunningMean(Metric):
    """Base of all that are a mean over rows."""

    def reset_state(self) -> None:
        self._total = self._count = 0.0

    def result(self) -> float:
        """The mean, 0 if nothing was seen."""
        return self._total / self._count if self._count else 0.0

    def _add_rows(self, rows: Floats, weights: Floats | None) -> None:
        if weights is None:
            self._total += float(rows.sum(dtype=np.float64))
            self._count += len(rows)
        else:
            self._total += float(np.multiply(rows, weights, dtype=np.float64).sum())
            self._count += float(weights.sum(dtype=np.float64))


class Mean(RunningMean):
    """The mean of the values seen.

    Example:
        >>> mean = Mean()
        >>> mean.update_state([1, 3, 5, 7], sample_weight=[1, 1, 0, 0])
        >>> mean.result()
        2.0
    """

    name = "mean"

    def update_state(self, values: Any, sample_weight: Any = None) -> None:
        """Adds values, (n,) or (n, ...), whose further axes are averaged; weights (n,).

        Raises:
            ValueError, TypeError: if they are no numbers, or the weights do not fit.
        """
        array = checks.as_float32("values", np.atleast_1d(checks.numeric("values", values)))
        if sample_weight is not None:
            sample_weight = checks.sample_weights("sample_weight", sample_weight, len(array))
        if array.size:
            self._add_rows(array.reshape(len(array), -1).mean(axis=1), sample_weight)


class MeanOverRows(RunningMean, Checked):
    """Base of the metrics that are a mean over rows: a subclass says what each row's value is."""

    def rows(self, targets: Floats, predictions: Floats) -> Floats:
        """The value of each row, (n,), for targets and predictions (n, C)."""
        raise NotImplementedError

    def add(self, targets: Floats, predictions: Floats, weights: Floats | None) -> None:
        with np.errstate(all="ignore"):  # what is not finite shows in the result
            self._add_rows(self.rows(targets, predictions), weights)

    @classmethod
    def per_row(cls, y_true: Any, y_pred: Any, **kwargs: Any) -> Floats:
        """What `rows` says of a user's arrays."""
        metric = cls(**kwargs)
        predictions = column("y_pred", y_pred)
        targets = metric.targets(y_true, predictions.shape[1])
        checks.same_length(targets, predictions, "y_true and y_pred")
        return metric.rows(targets, predictions)


class FunctionMetric(RunningMean):
    """A metric of the user's own: a function of (y_true, y_pred).

    Args:
        function: for arrays (B, C) returns a number a row, (B,) or (B, C), or one number for the batch, which then
            counts as often as it has rows. With a loss that takes labels, y_true are these, (B,).
        name: what it is called, by default as the function.
    """

    def __init__(self, function: Callable[[Any, Any], Any], name: str | None = None) -> None:
        super().__init__(name or getattr(function, "__name__", type(function).__name__))
        self.function = function

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Adds a batch: targets (B, C), predictions (B, C) and, or None, weights (B,).

        Raises:
            ValueError, TypeError: if the function returns something else than numbers, or not one a row.
        """
        length = len(y_pred)
        values: Any = np.asarray(self.function(y_true, y_pred))
        if values.dtype.kind not in "biuf":
            raise TypeError(f"the metric {self.name!r} returned dtype {values.dtype}; expected real numbers")
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
    """Rows as float32, (n, C); one number a row may come as (n,)."""
    array = checks.numeric(argument, value)
    return checks.features(argument, array[:, None] if array.ndim == 1 else array)
