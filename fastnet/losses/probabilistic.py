"""Losses between distributions: the Kullback-Leibler divergence, and the Poisson distribution's."""

from typing import Any

import numpy as np

from fastnet.activations import Activation
from fastnet.checks import Floats
from fastnet.losses.base import Loss, MeanOverOutputs

_EPSILON = 1e-7  # Keras's: the least that a logarithm is taken of


class KLDivergence(Loss):
    """Sum over outputs of t log(t / p), the mean over examples; both are kept in [1e-7, 1].

    Source: S. Kullback, R. Leibler, "On Information and Sufficiency", Annals of Mathematical Statistics 22, 1951.

    Example:
        >>> round(KLDivergence()([[0.5, 0.5]], [[0.25, 0.75]]), 4)
        0.1438
    """

    name = "kl_divergence"
    of_rows = True

    def call(self, y_true: Floats, y_pred: Floats) -> Floats:
        t, p = np.clip(y_true, _EPSILON, 1), np.clip(y_pred, _EPSILON, 1)
        rows: Floats = (t * np.log(t / p)).sum(axis=1)
        return rows

    def derivative(self, y_true: Floats, y_pred: Floats) -> Floats:
        t, p = np.clip(y_true, _EPSILON, 1), np.clip(y_pred, _EPSILON, 1)
        gradient: Floats = np.where(p == y_pred, -t / p, y_pred.dtype.type(0))
        return gradient


class Poisson(MeanOverOutputs):
    """p - t log(p + 1e-7), the mean over outputs and examples: for counts t that are predicted to be p."""

    name = "poisson"

    def elements(self, y_true: Floats, y_pred: Floats) -> Floats:
        elements: Floats = y_pred - y_true * np.log(y_pred + _EPSILON)
        return elements

    def slopes(self, y_true: Floats, y_pred: Floats) -> Floats:
        return 1 - y_true / (y_pred + _EPSILON)

    def advice(self, activation: Activation | None, units: int) -> str | None:
        if activation is not None and activation.name in ("linear", "tanh"):
            return (
                f"{self.shown} takes the logarithm of predictions, but the last activation {activation.name!r} may "
                "make them negative: use one that does not, such as 'exponential' or 'softplus'"
            )
        return super().advice(activation, units)


def kl_divergence(y_true: Any, y_pred: Any) -> Floats:
    """The loss of each row: targets and predictions (n, C) to losses (n,); errors as the class."""
    return KLDivergence().per_row(y_true, y_pred)


def poisson(y_true: Any, y_pred: Any) -> Floats:
    """The loss of each row: targets and predictions (n, C) to losses (n,); errors as the class."""
    return Poisson().per_row(y_true, y_pred)
