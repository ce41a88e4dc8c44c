"""Losses of regression: how far numbers are from those they should be, and vectors from a direction."""

import math
from typing import Any

import numpy as np

from fastnet import checks
from fastnet.checks import Floats
from fastnet.losses.base import MEAN, Loss, MeanOverOutputs

_EPSILON = 1e-7  # Keras's: what is divided by or added to so that nothing is divided by zero


class MeanSquaredError(MeanOverOutputs):
    """(p - t)^2, the mean over outputs and examples.

    Example:
        >>> MeanSquaredError()([[0, 1], [0, 0]], [[1, 1], [1, 0]])
        0.5
    """

    name = "mean_squared_error"

    def elements(self, y_true: Floats, y_pred: Floats) -> Floats:
        elements: Floats = np.square(y_pred - y_true)
        return elements

    def slopes(self, y_true: Floats, y_pred: Floats) -> Floats:
        return 2 * (y_pred - y_true)


class MeanAbsoluteError(MeanOverOutputs):
    """|p - t|, the mean over outputs and examples; its derivative is -1, 0 or 1."""

    name = "mean_absolute_error"

    def elements(self, y_true: Floats, y_pred: Floats) -> Floats:
        elements: Floats = np.abs(y_pred - y_true)
        return elements

    def slopes(self, y_true: Floats, y_pred: Floats) -> Floats:
        slopes: Floats = np.sign(y_pred - y_true)
        return slopes


class MeanAbsolutePercentageError(MeanOverOutputs):
    """100 |p - t| / max(|t|, 1e-7), the mean over outputs and examples."""

    name = "mean_absolute_percentage_error"

    def elements(self, y_true: Floats, y_pred: Floats) -> Floats:
        return 100 * np.abs((y_pred - y_true) / np.maximum(np.abs(y_true), _EPSILON))

    def slopes(self, y_true: Floats, y_pred: Floats) -> Floats:
        slopes: Floats = 100 * np.sign(y_pred - y_true) / np.maximum(np.abs(y_true), _EPSILON)
        return slopes


class MeanSquaredLogarithmicError(MeanOverOutputs):
    """(log(1 + p) - log(1 + t))^2, the mean over outputs and examples; numbers below 1e-7 are taken to be that."""

    name = "mean_squared_logarithmic_error"

    def elements(self, y_true: Floats, y_pred: Floats) -> Floats:
        elements: Floats = np.square(_log1p(y_pred) - _log1p(y_true))
        return elements

    def slopes(self, y_true: Floats, y_pred: Floats) -> Floats:
        slopes: Floats = np.where(
            y_pred > _EPSILON, 2 * (_log1p(y_pred) - _log1p(y_true)) / (y_pred + 1), y_pred.dtype.type(0)
        )
        return slopes


class Huber(MeanOverOutputs):
    """e^2 / 2 where |e| <= delta, else delta (|e| - delta / 2), for e = p - t; the mean over outputs and examples.

    Source: P. Huber, "Robust Estimation of a Location Parameter", Annals of Mathematical Statistics 35, 1964.

    Args:
        delta: where the square becomes a straight line, greater than 0.
        reduction, name: as for `Loss`.

    Raises:
        ValueError, TypeError: if `delta` is no such number.
    """

    name = "huber"

    def __init__(self, delta: float = 1.0, *, reduction: str | None = MEAN, name: str | None = None) -> None:
        super().__init__(name, reduction)
        self.delta = checks.number("delta", delta, least=0)
        if self.delta == 0:
            raise ValueError("delta must be greater than 0, got 0")

    def elements(self, y_true: Floats, y_pred: Floats) -> Floats:
        error = np.abs(y_pred - y_true)
        elements: Floats = np.where(
            error <= self.delta, 0.5 * np.square(error), self.delta * error - 0.5 * self.delta**2
        )
        return elements

    def slopes(self, y_true: Floats, y_pred: Floats) -> Floats:
        slopes: Floats = np.clip(y_pred - y_true, -self.delta, self.delta)
        return slopes


class LogCosh(MeanOverOutputs):
    """log(cosh(p - t)), the mean over outputs and examples: e^2 / 2 for small errors, |e| - log 2 for great ones."""

    name = "log_cosh"

    def elements(self, y_true: Floats, y_pred: Floats) -> Floats:
        error = np.abs(y_pred - y_true)  # cosh e = exp |e| (1 + exp(-2 |e|)) / 2, so nothing overflows
        elements: Floats = error + np.log1p(np.exp(-2 * error)) - math.log(2)
        return elements

    def slopes(self, y_true: Floats, y_pred: Floats) -> Floats:
        slopes: Floats = np.tanh(y_pred - y_true)
        return slopes


class CosineSimilarity(Loss):
    """- cos of the angle between a row's targets and its predictions: -1 in the same direction, 1 in the opposite.

    A row is divided by its length, or by 1e-7 if it is shorter; to a row of zeros everything is orthogonal.

    Example:
        >>> CosineSimilarity()([[0, 1], [1, 0]], [[0, 5], [0, 3]])
        -0.5
    """

    name = "cosine_similarity"
    of_rows = True

    def call(self, y_true: Floats, y_pred: Floats) -> Floats:
        rows: Floats = -(_unit(y_true) * _unit(y_pred)).sum(axis=1)
        return rows

    def derivative(self, y_true: Floats, y_pred: Floats) -> Floats:
        # d cos / d p = (t^ - p^ cos) / |p| for unit vectors t^ and p^; a row that has no direction gets none
        t, p, length = _unit(y_true), _unit(y_pred), _length(y_pred)
        gradient: Floats = np.where(
            length > _EPSILON, (p * (t * p).sum(axis=1, keepdims=True) - t) / length, y_pred.dtype.type(0)
        )
        return gradient


def _log1p(x: Floats) -> Floats:
    return np.log1p(np.maximum(x, _EPSILON))


def _length(x: Floats) -> Floats:
    length: Floats = np.maximum(np.sqrt(np.square(x).sum(axis=1, keepdims=True)), _EPSILON)
    return length


def _unit(x: Floats) -> Floats:
    return x / _length(x)


def mean_squared_error(y_true: Any, y_pred: Any) -> Floats:
    """The loss of each row: targets and predictions (n, C) to losses (n,); errors as the class."""
    return MeanSquaredError().per_row(y_true, y_pred)


def mean_absolute_error(y_true: Any, y_pred: Any) -> Floats:
    """The loss of each row: targets and predictions (n, C) to losses (n,); errors as the class."""
    return MeanAbsoluteError().per_row(y_true, y_pred)


def mean_absolute_percentage_error(y_true: Any, y_pred: Any) -> Floats:
    """The loss of each row: targets and predictions (n, C) to losses (n,); errors as the class."""
    return MeanAbsolutePercentageError().per_row(y_true, y_pred)


def mean_squared_logarithmic_error(y_true: Any, y_pred: Any) -> Floats:
    """The loss of each row: targets and predictions (n, C) to losses (n,); errors as the class."""
    return MeanSquaredLogarithmicError().per_row(y_true, y_pred)


def huber(y_true: Any, y_pred: Any, delta: float = 1.0) -> Floats:
    """The loss of each row: targets and predictions (n, C) to losses (n,); errors as the class."""
    return Huber(delta).per_row(y_true, y_pred)


def log_cosh(y_true: Any, y_pred: Any) -> Floats:
    """The loss of each row: targets and predictions (n, C) to losses (n,); errors as the class."""
    return LogCosh().per_row(y_true, y_pred)


def cosine_similarity(y_true: Any, y_pred: Any) -> Floats:
    """The loss of each row, minus the cosine: targets and predictions (n, C) to (n,); errors as the class."""
    return CosineSimilarity().per_row(y_true, y_pred)
