"""Correlation: how closely predictions follow targets, within each row or along another axis."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastnet import checks
from fastnet.checks import Floats
from fastnet.metrics.base import AlongAxis
from fastnet.metrics.confusion import divide

_EPSILON = 1e-7  # added to the denominator, as in Keras


class _Correlation(AlongAxis):
    """Base class of the means of a coefficient."""

    of_rows = True
    _direction = "up"

    def __init__(self, name: str | None = None, dtype: Any = None, axis: int = -1) -> None:
        super().__init__(name, dtype)
        self.axis = checks.integer("axis", axis, least=-32)


class PearsonCorrelation(_Correlation):
    """Mean over the rows of Pearson's r = mean((t - mean t) (p - mean p)) / (s_t s_p), with standard deviations s.

    r is 1 if the predictions are a rising linear function of the targets, -1 if they are a falling one. It is 0 for a
    row of equal numbers. Source: K. Pearson, "Regression, Heredity, and Panmixia", 1896.

    Args:
        name: the metric's name.
        dtype: a type of real numbers, which changes no result.
        axis: the axis that a coefficient is taken along: -1 for a row's outputs, 0 for the examples of a batch.

    Raises:
        TypeError: if `axis` is not an integer.

    Example:
        >>> round(PearsonCorrelation()([[0, 1, 0.5], [1, 1, 0.2]], [[0.1, 0.9, 0.5], [1, 0.9, 0.2]]), 4)
        0.9967
    """

    name = "pearson_correlation"

    def rows(self, targets: NDArray[Any], predictions: Floats) -> Any:
        t, p = _centred(targets), _centred(predictions)
        return divide((t * p).mean(axis=1), np.sqrt((t**2).mean(axis=1) * (p**2).mean(axis=1)))


class ConcordanceCorrelation(_Correlation):
    """Mean over the rows of Lin's coefficient 2 cov(t, p) / (var t + var p + (mean t - mean p)^2).

    It is 1 only if the predictions equal the targets, and smaller where they are shifted or scaled. The arguments are
    those of `PearsonCorrelation`. Source: L. I-K. Lin, "A Concordance Correlation Coefficient to Evaluate
    Reproducibility", 1989.

    Example:
        >>> round(ConcordanceCorrelation()([[0, 1, 0.5], [1, 1, 0.2]], [[0.1, 0.9, 0.5], [1, 0.9, 0.2]]), 4)
        0.9816
    """

    name = "concordance_correlation"

    def rows(self, targets: NDArray[Any], predictions: Floats) -> Any:
        t, p = _centred(targets), _centred(predictions)
        shift = targets.mean(axis=1, dtype=np.float64) - predictions.mean(axis=1, dtype=np.float64)
        spread = (t**2).mean(axis=1) + (p**2).mean(axis=1) + shift**2
        return 2 * (t * p).mean(axis=1) / (spread + _EPSILON)


def pearson_correlation(y_true: Any, y_pred: Any, axis: int = -1) -> Floats:
    """Returns Pearson's r along an axis: arrays (n, C) to (n,), or to (C,) for axis 0; errors as the class."""
    return PearsonCorrelation.per_row(y_true, y_pred, axis=axis)


def concordance_correlation(y_true: Any, y_pred: Any, axis: int = -1) -> Floats:
    """Returns Lin's coefficient along an axis: arrays (n, C) to (n,), or to (C,) for axis 0; errors as the class."""
    return ConcordanceCorrelation.per_row(y_true, y_pred, axis=axis)


def _centred(x: NDArray[Any]) -> Any:
    """Returns rows (n, C) minus their means; exactly 0 for equal numbers, since a float64 holds the sum of float32."""
    wide = x.astype(np.float64)
    return wide - wide.mean(axis=1, keepdims=True)
