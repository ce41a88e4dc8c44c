"""Losses between distributions: the Kullback-Leibler divergence and the Poisson loss."""

import numpy as np

from fastnet.activations import Activation
from fastnet.checks import Floats
from fastnet.losses.base import BuiltIn, MeanOverOutputs, function_of

_EPSILON = 1e-7  # the least argument of a logarithm, as in Keras


class KLDivergence(BuiltIn):
    """Sum of t log(t / p) over the outputs, the mean over examples; t and p are clipped to [1e-7, 1].

    Source: S. Kullback, R. Leibler, "On Information and Sufficiency", Annals of Mathematical Statistics 22, 1951.

    Example:
        >>> round(KLDivergence()([[0.5, 0.5]], [[0.25, 0.75]]), 4)
        0.1438
    """

    name = "kl_divergence"
    of_rows = True

    def call(self, y_true: Floats, y_pred: Floats) -> Floats:
        t, p = np.clip(y_true, _EPSILON, 1), np.clip(y_pred, _EPSILON, 1)
        return (t * np.log(t / p)).sum(axis=1)

    def derivative(self, y_true: Floats, y_pred: Floats) -> Floats:
        t, p = np.clip(y_true, _EPSILON, 1), np.clip(y_pred, _EPSILON, 1)
        return np.where(p == y_pred, -t / p, y_pred.dtype.type(0))


class Poisson(MeanOverOutputs):
    """p - t log(p + 1e-7), the mean over outputs and examples, for targets t that are counts."""

    name = "poisson"

    def elements(self, y_true: Floats, y_pred: Floats) -> Floats:
        return y_pred - y_true * np.log(y_pred + _EPSILON)

    def slopes(self, y_true: Floats, y_pred: Floats) -> Floats:
        return 1 - y_true / (y_pred + _EPSILON)

    def advice(self, activation: Activation | None, units: int) -> str | None:
        if activation is not None and activation.name in ("linear", "tanh"):
            return (
                f"{self.shown} takes the logarithm of predictions, but the last activation {activation.name!r} may "
                "make them negative: use one that does not, such as 'exponential' or 'softplus'"
            )
        return super().advice(activation, units)


kl_divergence = function_of(KLDivergence)
poisson = function_of(Poisson)
