"""Losses of regression: how far predictions are from numbers, or their direction from that of a vector."""

import math
from typing import Any

import numpy as np

from fastnet import checks, kernels
from fastnet.checks import Floats
from fastnet.losses.base import BuiltIn, MeanOverOutputs, function_of
from fastnet.losses.reduction import MEAN

_EPSILON = 1e-7  # the least divisor and the least argument of a logarithm, as in Keras


class MeanSquaredError(MeanOverOutputs):
    """(p - t)^2, the mean over outputs and examples.

    Example:
        >>> MeanSquaredError()([[0, 1], [0, 0]], [[1, 1], [1, 0]])
        0.5
    """

    name = "mean_squared_error"
    _which = kernels.SQUARED_ERROR

    def elements(self, y_true: Floats, y_pred: Floats) -> Floats:
        return np.square(y_pred - y_true)

    def slopes(self, y_true: Floats, y_pred: Floats) -> Floats:
        return 2 * (y_pred - y_true)


class MeanAbsoluteError(MeanOverOutputs):
    """|p - t|, the mean over outputs and examples; its derivative is -1, 0 or 1."""

    name = "mean_absolute_error"
    _which = kernels.ABSOLUTE_ERROR

    def elements(self, y_true: Floats, y_pred: Floats) -> Floats:
        return np.abs(y_pred - y_true)

    def slopes(self, y_true: Floats, y_pred: Floats) -> Floats:
        return np.sign(y_pred - y_true)


class MeanAbsolutePercentageError(MeanOverOutputs):
    """100 |p - t| / max(|t|, 1e-7), the mean over outputs and examples."""

    name = "mean_absolute_percentage_error"

    def elements(self, y_true: Floats, y_pred: Floats) -> Floats:
        return 100 * np.abs((y_pred - y_true) / np.maximum(np.abs(y_true), _EPSILON))

    def slopes(self, y_true: Floats, y_pred: Floats) -> Floats:
        return 100 * np.sign(y_pred - y_true) / np.maximum(np.abs(y_true), _EPSILON)


class MeanSquaredLogarithmicError(MeanOverOutputs):
    """(log(1 + p) - log(1 + t))^2, the mean over outputs and examples; numbers below 1e-7 count as 1e-7."""

    name = "mean_squared_logarithmic_error"

    def elements(self, y_true: Floats, y_pred: Floats) -> Floats:
        return np.square(_log1p(y_pred) - _log1p(y_true))

    def slopes(self, y_true: Floats, y_pred: Floats) -> Floats:
        return np.where(y_pred > _EPSILON, 2 * (_log1p(y_pred) - _log1p(y_true)) / (y_pred + 1), y_pred.dtype.type(0))


class Huber(MeanOverOutputs):
    """e^2 / 2 where |e| <= delta, else delta (|e| - delta / 2), for e = p - t; the mean over outputs and examples.

    Source: P. Huber, "Robust Estimation of a Location Parameter", Annals of Mathematical Statistics 35, 1964.

    Args:
        delta: the error at which the square becomes a straight line, greater than 0.
        reduction, name, dtype: as for `Loss`.

    Raises:
        ValueError: if `delta` is not greater than 0.
        TypeError: if `delta` is not a number.
    """

    name = "huber_loss"
    _which = kernels.HUBER

    def __init__(
        self, delta: float = 1.0, reduction: str | None = MEAN, name: str | None = None, dtype: Any = None
    ) -> None:
        super().__init__(reduction, name, dtype)
        self.delta = checks.number("delta", delta, least=0)
        if self.delta == 0:
            raise ValueError("delta must be greater than 0, got 0")

    def elements(self, y_true: Floats, y_pred: Floats) -> Floats:
        error = np.abs(y_pred - y_true)
        return np.where(error <= self.delta, 0.5 * np.square(error), self.delta * error - 0.5 * self.delta**2)

    def slopes(self, y_true: Floats, y_pred: Floats) -> Floats:
        return np.clip(y_pred - y_true, -self.delta, self.delta)


class LogCosh(MeanOverOutputs):
    """log(cosh(p - t)), the mean over outputs and examples: about e^2 / 2 for small errors, |e| - log 2 for large."""

    name = "log_cosh"

    def elements(self, y_true: Floats, y_pred: Floats) -> Floats:
        error = np.abs(y_pred - y_true)  # cosh e = exp |e| (1 + exp(-2 |e|)) / 2: written so, nothing overflows
        return error + np.log1p(np.exp(-2 * error)) - math.log(2)

    def slopes(self, y_true: Floats, y_pred: Floats) -> Floats:
        return np.tanh(y_pred - y_true)


class CosineSimilarity(BuiltIn):
    """- cosine of the angle between targets and predictions of a row: -1 for the same direction, 1 for the opposite.

    A row is divided by its length, or by 1e-7 if that is greater. A row of zeros is orthogonal to every other.

    Args:
        axis: the axis of the outputs, the last by default. A model trains with the last only.
        reduction, name, dtype: as for `Loss`.

    Example:
        >>> CosineSimilarity()([[0, 1], [1, 0]], [[0, 5], [0, 3]])
        -0.5
    """

    name = "cosine_similarity"
    of_rows = True

    def __init__(
        self, axis: int = -1, reduction: str | None = MEAN, name: str | None = None, dtype: Any = None
    ) -> None:
        super().__init__(reduction, name, dtype)
        self.axis = checks.integer("axis", axis, least=-64)

    def call(self, y_true: Floats, y_pred: Floats) -> Floats:
        return -(_unit(y_true) * _unit(y_pred)).sum(axis=1)

    def derivative(self, y_true: Floats, y_pred: Floats) -> Floats:
        # d cos / d p = (t^ - p^ cos) / |p| for unit vectors t^ and p^; 0 for a row without a direction
        t, p, length = _unit(y_true), _unit(y_pred), _length(y_pred)
        return np.where(length > _EPSILON, (p * (t * p).sum(axis=1, keepdims=True) - t) / length, y_pred.dtype.type(0))


def _log1p(x: Floats) -> Floats:
    return np.log1p(np.maximum(x, _EPSILON))


def _length(x: Floats) -> Floats:
    return np.maximum(np.sqrt(np.square(x).sum(axis=1, keepdims=True)), _EPSILON)


def _unit(x: Floats) -> Floats:
    return x / _length(x)


def huber(y_true: Any, y_pred: Any, delta: float = 1.0) -> Floats:
    """Returns the loss of each row, (n,), for targets and predictions (n, C); see `Huber`."""
    return Huber(delta).per_row(y_true, y_pred)


def cosine_similarity(y_true: Any, y_pred: Any, axis: int = -1) -> Floats:
    """Returns the loss of each row, (n,), for targets and predictions (n, C); see `CosineSimilarity`."""
    return CosineSimilarity(axis).per_row(y_true, y_pred)


log_cosh = function_of(LogCosh)
mean_absolute_error = function_of(MeanAbsoluteError)
mean_absolute_percentage_error = function_of(MeanAbsolutePercentageError)
mean_squared_error = function_of(MeanSquaredError)
mean_squared_logarithmic_error = function_of(MeanSquaredLogarithmicError)
