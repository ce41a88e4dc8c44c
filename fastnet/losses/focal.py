"""Focal losses: crossentropies in which an example counts less, the better it is predicted.

Source: T.-Y. Lin et al., "Focal Loss for Dense Object Detection", 2017.
"""

from typing import Any

import numpy as np

from fastnet import checks
from fastnet.activations import Activation, softmax
from fastnet.checks import Floats
from fastnet.losses.crossentropy import CLIP, BinaryCrossentropy, CategoricalCrossentropy
from fastnet.losses.reduction import MEAN


class BinaryFocalCrossentropy(BinaryCrossentropy):
    """w (1 - q)^gamma * (- t log p - (1 - t) log(1 - p)), the mean over outputs and examples.

    q = t p + (1 - t)(1 - p) is the probability of the right answer. Probabilities are clipped for the logarithms as in
    `BinaryCrossentropy`.

    Args:
        apply_class_balancing: whether w = t alpha + (1 - t)(1 - alpha); otherwise w = 1.
        alpha: the weight of the targets 1, in [0, 1].
        gamma: the exponent, at least 0. With 0 the loss is the binary crossentropy.
        from_logits, label_smoothing, axis: as for `BinaryCrossentropy`.
        reduction, name, dtype: as for `Loss`.

    Raises:
        ValueError: if a number is out of range.
        TypeError: if an argument is of another type.

    Example:
        >>> round(BinaryFocalCrossentropy()([[0, 1], [0, 0]], [[0.6, 0.4], [0.4, 0.6]]), 3)
        0.268
    """

    name = "binary_focal_crossentropy"

    def __init__(
        self,
        apply_class_balancing: bool = False,
        alpha: float = 0.25,
        gamma: float = 2.0,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        axis: int = -1,
        reduction: str | None = MEAN,
        name: str | None = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(from_logits, label_smoothing, axis, reduction, name, dtype)
        self.apply_class_balancing = checks.flag("apply_class_balancing", apply_class_balancing)
        self.alpha = checks.number("alpha", alpha, least=0)
        if self.alpha > 1:
            raise ValueError(f"alpha must be in [0, 1], got {self.alpha!r}")
        self.gamma = checks.number("gamma", gamma, least=0)

    def call(self, y_true: Floats, y_pred: Floats) -> Floats:
        _, _, wrong, crossentropy, w = self._parts(y_true, y_pred)
        return (w * wrong**self.gamma * crossentropy).mean(axis=1)

    def derivative(self, y_true: Floats, y_pred: Floats) -> Floats:
        # of the product wrong^gamma * crossentropy, where d wrong / d p = 1 - 2 t
        t, p, wrong, crossentropy, w = self._parts(y_true, y_pred)
        clipped = np.clip(p, CLIP, 1 - CLIP)
        slope = np.where(clipped == p, (clipped - t) / (clipped * (1 - clipped)), p.dtype.type(0))
        slopes = w * (wrong**self.gamma * slope + _power_slope(wrong, self.gamma) * (1 - 2 * t) * crossentropy)
        if self.from_logits:
            slopes *= p * (1 - p)
        return slopes / y_true.shape[1]

    def _parts(self, y_true: Floats, y_pred: Floats) -> tuple[Floats, Floats, Floats, Floats, Floats | float]:
        """Returns t, p, 1 - q, the crossentropy of each output, and w."""
        t, p = self._smooth(y_true), _sigmoid(y_pred) if self.from_logits else y_pred
        clipped = np.clip(p, CLIP, 1 - CLIP)
        crossentropy = -(t * np.log(clipped) + (1 - t) * np.log(1 - clipped))
        w = t * self.alpha + (1 - t) * (1 - self.alpha) if self.apply_class_balancing else 1.0
        return t, p, t * (1 - p) + (1 - t) * p, crossentropy, w

    def takes_logits(self, activation: Activation) -> bool:
        return False

    def _is_fused(self, logits: bool) -> bool:
        return False


class CategoricalFocalCrossentropy(CategoricalCrossentropy):
    """- sum of alpha (1 - q)^gamma t log q over the classes, the mean over examples.

    q are the predictions, divided by their row sum and clipped to [1e-7, 1 - 1e-7].

    Args:
        alpha: the weight of all classes, or a list of the weight of each, at least 0.
        gamma: the exponent, at least 0. With 0 the loss is alpha times the categorical crossentropy.
        from_logits, label_smoothing, axis: as for `CategoricalCrossentropy`. Logits go through softmax, then q is
            clipped.
        reduction, name, dtype: as for `Loss`.

    Raises:
        ValueError: if a number is out of range.
        TypeError: if an argument is of another type.

    Example:
        >>> round(CategoricalFocalCrossentropy()([[0, 1, 0], [0, 0, 1]], [[0.05, 0.95, 0], [0.1, 0.8, 0.1]]), 4)
        0.2332
    """

    name = "categorical_focal_crossentropy"

    def __init__(
        self,
        alpha: Any = 0.25,
        gamma: float = 2.0,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        axis: int = -1,
        reduction: str | None = MEAN,
        name: str | None = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(from_logits, label_smoothing, axis, reduction, name, dtype)
        self.alpha: float | list[float]
        if isinstance(alpha, list | tuple | np.ndarray):
            self.alpha = [checks.number(f"alpha[{i}]", each, least=0) for i, each in enumerate(alpha)]
        else:
            self.alpha = checks.number("alpha", alpha, least=0)
        self.gamma = checks.number("gamma", gamma, least=0)

    def check_targets(self, argument: str, y: Any, units: int) -> Floats:
        if isinstance(self.alpha, list) and len(self.alpha) != units:
            raise ValueError(f"alpha has the weights of {len(self.alpha)} classes, but there are {units} outputs")
        return super().check_targets(argument, y, units)

    def call(self, y_true: Floats, y_pred: Floats) -> Floats:
        q = np.clip(self._shares(y_pred)[0], CLIP, 1 - CLIP)
        alpha = np.asarray(self.alpha, q.dtype)
        return -(alpha * (1 - q) ** self.gamma * self._smooth(y_true) * np.log(q)).sum(axis=1)

    def derivative(self, y_true: Floats, y_pred: Floats) -> Floats:
        # By q, each term has the slope f = - alpha t ((1 - q)^gamma / q - gamma (1 - q)^(gamma - 1) log q); the terms
        # that are clipped are constant. q = p / s for s = sum p, so the slope by p is (f - sum f q) / s. For a softmax
        # of logits it is q (f - sum f q).
        q, s = self._shares(y_pred)
        clipped, t, alpha = np.clip(q, CLIP, 1 - CLIP), self._smooth(y_true), np.asarray(self.alpha, q.dtype)
        wrong = 1 - clipped
        f = alpha * t * (_power_slope(wrong, self.gamma) * np.log(clipped) - wrong**self.gamma / clipped)
        f = np.where(clipped == q, f, q.dtype.type(0))
        pull = f - (f * q).sum(axis=1, keepdims=True)
        return q * pull if self.from_logits else pull / s

    def _shares(self, y_pred: Floats) -> tuple[Floats, Floats]:
        """Returns the predictions as shares of their row sum, (n, C), and the row sum, (n, 1)."""
        p = softmax(y_pred) if self.from_logits else y_pred
        s: Floats = p.sum(axis=1, keepdims=True)
        return p / s, s

    def takes_logits(self, activation: Activation) -> bool:
        return False

    def _is_fused(self, logits: bool) -> bool:
        return False


def _power_slope(x: Floats, gamma: float) -> Floats:
    """Returns gamma x^(gamma - 1), the derivative of x^gamma, for x >= 0; 0 where it would be infinite."""
    ones = np.ones_like(x)
    slope = gamma * np.where(x > 0, x, ones) ** (gamma - 1)
    return np.where(x > 0, slope, ones * (gamma == 1))


def _sigmoid(z: Floats) -> Floats:
    # written with tanh, nothing overflows
    return 0.5 * (1 + np.tanh(0.5 * z))


def binary_focal_crossentropy(
    y_true: Any,
    y_pred: Any,
    apply_class_balancing: bool = False,
    alpha: float = 0.25,
    gamma: float = 2.0,
    from_logits: bool = False,
    label_smoothing: float = 0.0,
    axis: int = -1,
) -> Floats:
    """Returns the loss of each row, (n,), for targets and predictions (n, C); see `BinaryFocalCrossentropy`."""
    loss = BinaryFocalCrossentropy(apply_class_balancing, alpha, gamma, from_logits, label_smoothing, axis)
    return loss.per_row(y_true, y_pred)


def categorical_focal_crossentropy(
    y_true: Any,
    y_pred: Any,
    alpha: Any = 0.25,
    gamma: float = 2.0,
    from_logits: bool = False,
    label_smoothing: float = 0.0,
    axis: int = -1,
) -> Floats:
    """Returns the loss of each row, (n,), for targets and predictions (n, C); see `CategoricalFocalCrossentropy`."""
    return CategoricalFocalCrossentropy(alpha, gamma, from_logits, label_smoothing, axis).per_row(y_true, y_pred)
