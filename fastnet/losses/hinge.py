"""Hinge losses: those of support vector machines, which ask for a margin and are 0 beyond it."""

from typing import Any

import numpy as np

from fastnet.checks import Floats
from fastnet.losses.base import Loss, MeanOverOutputs


class Hinge(MeanOverOutputs):
    """max(1 - t p, 0) for targets -1 or 1, the mean over outputs and examples; targets 0 or 1 become -1 or 1.

    Example:
        >>> Hinge()([[0], [1]], [[-0.5], [0.5]])
        0.5
    """

    name = "hinge"

    def elements(self, y_true: Floats, y_pred: Floats) -> Floats:
        elements: Floats = np.maximum(1 - _signs(y_true) * y_pred, 0)
        return elements

    def slopes(self, y_true: Floats, y_pred: Floats) -> Floats:
        t = _signs(y_true)
        slopes: Floats = np.where(t * y_pred < 1, -t, y_pred.dtype.type(0))
        return slopes


class SquaredHinge(MeanOverOutputs):
    """max(1 - t p, 0)^2 for targets -1 or 1, the mean over outputs and examples; targets 0 or 1 become -1 or 1."""

    name = "squared_hinge"

    def elements(self, y_true: Floats, y_pred: Floats) -> Floats:
        elements: Floats = np.square(np.maximum(1 - _signs(y_true) * y_pred, 0))
        return elements

    def slopes(self, y_true: Floats, y_pred: Floats) -> Floats:
        t = _signs(y_true)
        slopes: Floats = -2 * t * np.maximum(1 - t * y_pred, 0)
        return slopes


class CategoricalHinge(Loss):
    """max(n - p + 1, 0) for one-hot targets: p the prediction of the right class, n the greatest of the others.

    In full n = max((1 - t) y) and p = sum(t y), as in Keras: the right class takes part in the maximum, as a 0.

    Source: J. Weston, C. Watkins, "Support Vector Machines for Multi-Class Pattern Recognition", 1999.
    """

    name = "categorical_hinge"
    of_rows = True

    def call(self, y_true: Floats, y_pred: Floats) -> Floats:
        rows: Floats = np.maximum(((1 - y_true) * y_pred).max(axis=1) - (y_true * y_pred).sum(axis=1) + 1, 0)
        return rows

    def derivative(self, y_true: Floats, y_pred: Floats) -> Floats:
        rows, others = np.arange(len(y_true)), (1 - y_true) * y_pred
        gradient = -y_true
        greatest = others.argmax(axis=1)
        gradient[rows, greatest] += 1 - y_true[rows, greatest]
        gradient[self.call(y_true, y_pred) == 0] = 0
        return gradient


def _signs(targets: Floats) -> Floats:
    """-1 and 1 for targets that are all 0 or 1; others as they are."""
    # Not in check_targets: metrics see the targets as they were given.
    if ((targets == 0) | (targets == 1)).all():
        return 2 * targets - 1
    return targets


def hinge(y_true: Any, y_pred: Any) -> Floats:
    """The loss of each row: targets and predictions (n, C) to losses (n,); errors as the class."""
    return Hinge().per_row(y_true, y_pred)


def squared_hinge(y_true: Any, y_pred: Any) -> Floats:
    """The loss of each row: targets and predictions (n, C) to losses (n,); errors as the class."""
    return SquaredHinge().per_row(y_true, y_pred)


def categorical_hinge(y_true: Any, y_pred: Any) -> Floats:
    """The loss of each row: targets and predictions (n, C) to losses (n,); errors as the class."""
    return CategoricalHinge().per_row(y_true, y_pred)
