"""Metrics of any values: their mean, their sum, and the mean of what a function returns."""

from collections.abc import Callable
from typing import Any

import numpy as np

from fastnet import checks, losses
from fastnet.metrics.base import Checked, RunningMean, spread


class Mean(RunningMean):
    """Mean of all values.

    Args:
        name: the metric's name.
        dtype: a type of real numbers, which changes no result.

    Example:
        >>> mean = Mean()
        >>> mean.update_state([1, 3, 5, 7], sample_weight=[1, 1, 0, 0])
        >>> mean.result()
        2.0
    """

    name = "mean"

    def update_state(self, values: Any, sample_weight: Any = None) -> None:
        """Adds values with weights.

        Args:
            values: array (n,) or (n, ...). The further axes are averaged.
            sample_weight: None, or weights: one an example, (n,), or one a value, (n, ...); an axis of length 1 stands
                for all. One number is the weight of the mean of these values.

        Raises:
            ValueError, TypeError: if the values are not numbers, or the weights do not fit.
        """
        array = checks.as_float32("values", np.atleast_1d(checks.numeric("values", values)))
        weights = None if sample_weight is None else checks.numeric("sample_weight", sample_weight)
        if array.size:
            self._add_values(array, weights)


class Sum(Checked):
    """Sum of all values; the arguments are those of `Mean`.

    Example:
        >>> total = Sum()
        >>> total.update_state([1, 3, 5, 7], sample_weight=[1, 1, 0, 0])
        >>> total.result()
        4.0
    """

    name = "sum"

    def __init__(self, name: str | None = None, dtype: Any = None) -> None:
        super().__init__(name, dtype)
        self.total = self._counter("total", ())

    def update_state(self, values: Any, sample_weight: Any = None) -> None:  # type: ignore[override]
        """Adds values (n, ...) times their weights, which are as for `Mean`; one number is the weight of all.

        Raises:
            ValueError, TypeError: if the values are not numbers, or the weights do not fit.
        """
        array = checks.as_float32("values", np.atleast_1d(checks.numeric("values", values))).astype(np.float64)
        self.total.packed += (array if sample_weight is None else array * spread(sample_weight, array.shape)).sum()

    def result(self) -> float:
        """Returns the sum."""
        return float(self.total)


class MeanMetricWrapper(Mean):
    """Mean of what a function of targets and predictions returns.

    Args:
        fn: called as ``fn(y_true, y_pred, **kwargs)``; returns values (n,) or (n, ...), or one number.
        name: the metric's name.
        dtype: a type of real numbers, which changes no result.
        kwargs: further arguments of the function.

    Raises:
        ValueError: if `fn` is a name in a file that is not among the custom objects.
        TypeError: if `fn` cannot be called.

    Example:
        >>> def squares(y_true, y_pred):
        ...     return (y_true - y_pred) ** 2
        >>> MeanMetricWrapper(squares)(np.array([[1.0], [2.0]]), np.array([[1.0], [4.0]]))
        2.0
    """

    name = "mean_metric_wrapper"

    def __init__(self, fn: Callable[..., Any], name: str | None = None, dtype: Any = None, **kwargs: Any) -> None:
        if isinstance(fn, dict):  # from a file, which holds a function's name only
            raise ValueError(f"unknown function {fn.get('class_name')!r}")
        if not callable(fn):
            raise TypeError(f"fn must be callable as fn(y_true, y_pred), got {fn!r}")
        super().__init__(name, dtype)
        self.fn, self.arguments = fn, kwargs
        if fn in losses.FUNCTIONS:
            self._direction = "down"

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:  # type: ignore[override]
        """Adds what the function returns for a batch; the weights are as for `Mean`."""
        super().update_state(self.fn(y_true, y_pred, **self.arguments), sample_weight)

    def get_config(self) -> dict[str, Any]:
        """Returns the name, the function itself and its further arguments."""
        return super().get_config() | self.arguments
