"""Hinge losses, known from support vector machines: they demand a margin and are 0 beyond it."""

import numpy as np

from fastnet.checks import Floats
from fastnet.losses.base import BuiltIn, MeanOverOutputs, function_of


class Hinge(MeanOverOutputs):
    """max(1 - t p, 0) for targets -1 or 1, the mean over outputs and examples; targets 0 or 1 become -1 or 1.

    Example:
        >>> Hinge()([[0], [1]], [[-0.5], [0.5]])
        0.5
    """

    name = "hinge"

    def elements(self, y_true: Floats, y_pred: Floats) -> Floats:
        return np.maximum(1 - _signs(y_true) * y_pred, 0)

    def slopes(self, y_true: Floats, y_pred: Floats) -> Floats:
        t = _signs(y_true)
        return np.where(t * y_pred < 1, -t, y_pred.dtype.type(0))


class SquaredHinge(MeanOverOutputs):
    """max(1 - t p, 0)^2 for targets -1 or 1, the mean over outputs and examples; targets 0 or 1 become -1 or 1."""

    name = "squared_hinge"

    def elements(self, y_true: Floats, y_pred: Floats) -> Floats:
        return np.square(np.maximum(1 - _signs(y_true) * y_pred, 0))

    def slopes(self, y_true: Floats, y_pred: Floats) -> Floats:
        t = _signs(y_true)
        return -2 * t * np.maximum(1 - t * y_pred, 0)


class CategoricalHinge(BuiltIn):
    """max(n - p + 1, 0) for one-hot targets: p is the prediction of the right class, n the greatest of the others.

    In full, n = max((1 - t) y) and p = sum(t y), as in Keras: the maximum also includes a 0 for the right class.

    Source: J. Weston, C. Watkins, "Support Vector Machines for Multi-Class Pattern Recognition", 1999.
    """

    name = "categorical_hinge"
    of_rows = True

    def call(self, y_true: Floats, y_pred: Floats) -> Floats:
        return np.maximum(((1 - y_true) * y_pred).max(axis=1) - (y_true * y_pred).sum(axis=1) + 1, 0)

    def derivative(self, y_true: Floats, y_pred: Floats) -> Floats:
        rows, others = np.arange(len(y_true)), (1 - y_true) * y_pred
        gradient = -y_true
        greatest = others.argmax(axis=1)
        gradient[rows, greatest] += 1 - y_true[rows, greatest]
        gradient[self.call(y_true, y_pred) == 0] = 0
        return gradient


def _signs(targets: Floats) -> Floats:
    """Returns -1 and 1 for targets that are all 0 or 1, and other targets unchanged."""
    # Not in check_targets, since metrics need the targets as they are.
    if ((targets == 0) | (targets == 1)).all():
        return 2 * targets - 1
    return targets


hinge = function_of(Hinge)
squared_hinge = function_of(SquaredHinge)
categorical_hinge = function_of(CategoricalHinge)
