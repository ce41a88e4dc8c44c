"""Losses of overlap: how much of the targets the predictions cover, for classes that are rare."""

from typing import Any

import numpy as np

from fastnet import checks
from fastnet.checks import Floats
from fastnet.losses.coupled import Coupled
from fastnet.losses.reduction import MEAN, same_rank

_EPSILON = 1e-7  # is added to the divisor, as in Keras

Axes = int | tuple[int, ...] | None


class Overlap(Coupled):
    """Base of the losses 1 - a / b, where a and b are sums over the outputs of a row or over the whole batch."""

    _axes = (None, -1, 1, (-1,), (1,), (0, 1))

    def __init__(
        self, axis: Any = None, reduction: str | None = MEAN, name: str | None = None, dtype: Any = None
    ) -> None:
        super().__init__(reduction, name, dtype)
        axes = axis if isinstance(axis, list | tuple) else () if axis is None else (axis,)
        axes = tuple(checks.integer("axis", each, least=-64) for each in axes)
        self.axis: Axes = None if axis is None else axes if isinstance(axis, list | tuple) else axes[0]

    def fraction(self, t: Floats, p: Floats, axis: Axes, keep: bool) -> tuple[Floats, Floats]:
        """Returns a and b: sums over the axes, which stay with length 1 if `keep`."""
        raise NotImplementedError

    def slopes(self, t: Floats) -> tuple[Floats, Floats]:
        """Returns the derivatives of a and b with respect to each prediction, of the shape of `t`."""
        raise NotImplementedError

    def call(self, y_true: Floats, y_pred: Floats) -> Floats:
        a, b = self.fraction(y_true, y_pred, self.axis, keep=True)
        return np.repeat(1 - a / b, len(y_pred) // len(a), axis=0)[:, 0]

    def pull(self, y_true: Floats, y_pred: Floats, weights: Floats) -> Floats:
        # d (1 - a / b) = (a / b db - da) / b
        a, b = self.fraction(y_true, y_pred, self.axis, keep=True)
        da, db = self.slopes(y_true)
        slopes: Floats = (a / b * db - da) / b
        return slopes * (weights[:, None] if len(a) == len(y_pred) else weights.sum())

    def per_row(self, y_true: Any, y_pred: Any) -> Floats:
        """Returns the loss for targets and predictions of one shape: a number, or what the sums over `axis` leave.

        Raises:
            ValueError: if the shapes differ, or lack one of the axes.
            TypeError: if an argument does not hold numbers.
        """
        predictions = checks.as_float32("y_pred", checks.numeric("y_pred", y_pred))
        targets = checks.as_float32("y_true", checks.numeric("y_true", y_true))
        targets, predictions = same_rank(targets, predictions)
        if targets.shape != predictions.shape:
            raise checks.ShapeError(f"y_true has shape {targets.shape}, but y_pred has shape {predictions.shape}")
        if not predictions.size:
            raise ValueError(f"y_pred has shape {predictions.shape}, which holds no number")
        with np.errstate(all="ignore"):
            a, b = self.fraction(targets, predictions, self.axis, keep=False)
            return np.asarray(1 - a / b)


class Dice(Overlap):
    """1 - 2 sum(t p) / (sum t + sum p), with 1e-7 added to the divisor; sums over the whole batch by default.

    Source: F. Milletari, N. Navab, S.-A. Ahmadi, "V-Net: Fully Convolutional Neural Networks for Volumetric Medical
    Image Segmentation", 2016, with the sums of t and p instead of their squares.

    Args:
        reduction, name, dtype: as for `Loss`.
        axis: the axis or axes of the sums; None for all. A model trains with None, or with the axis of the outputs.

    Example:
        >>> round(Dice()([[1, 0], [1, 1]], [[1, 0], [0, 1]]), 4)
        0.2
    """

    name = "dice"

    def __init__(
        self, reduction: str | None = MEAN, name: str | None = None, axis: Any = None, dtype: Any = None
    ) -> None:
        super().__init__(axis, reduction, name, dtype)

    def fraction(self, t: Floats, p: Floats, axis: Axes, keep: bool) -> tuple[Floats, Floats]:
        return 2 * _sum(t * p, axis, keep), _sum(t, axis, keep) + _sum(p, axis, keep) + _EPSILON

    def slopes(self, t: Floats) -> tuple[Floats, Floats]:
        return 2 * t, np.ones_like(t)


class Tversky(Overlap):
    """1 - sum(t p) / (sum(t p) + alpha sum(t (1 - p)) + beta sum((1 - t) p)), with 1e-7 added to the divisor.

    So alpha weighs what the predictions miss, and beta what they add. (Keras's documentation says the opposite, but its
    code does this.) With 1/2 for both, this is the Dice loss.

    Source: S. Salehi, D. Erdogmus, A. Gholipour, "Tversky Loss Function for Image Segmentation Using 3D Fully
    Convolutional Deep Networks", 2017.

    Args:
        alpha: the weight of what is missed, at least 0.
        beta: the weight of what is added, at least 0.
        reduction, name, dtype: as for `Loss`.
        axis: the axis or axes of the sums; None for all. A model trains with None, or with the axis of the outputs.

    Raises:
        ValueError: if `alpha` or `beta` is negative.
        TypeError: if one is not a number.

    Example:
        >>> round(Tversky(alpha=1, beta=0)([[1, 0], [1, 1]], [[1, 0], [0, 1]]), 4)
        0.3333
    """

    name = "tversky"

    def __init__(
        self,
        alpha: float = 0.5,
        beta: float = 0.5,
        reduction: str | None = MEAN,
        name: str | None = None,
        axis: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(axis, reduction, name, dtype)
        self.alpha = checks.number("alpha", alpha, least=0)
        self.beta = checks.number("beta", beta, least=0)

    def fraction(self, t: Floats, p: Floats, axis: Axes, keep: bool) -> tuple[Floats, Floats]:
        both, missed, added = (_sum(x, axis, keep) for x in (t * p, t * (1 - p), (1 - t) * p))
        return both, both + self.alpha * missed + self.beta * added + _EPSILON

    def slopes(self, t: Floats) -> tuple[Floats, Floats]:
        return t, (1 - self.alpha) * t + self.beta * (1 - t)


def _sum(x: Floats, axis: Axes, keep: bool) -> Floats:
    total: Floats = x.sum(axis=axis, keepdims=keep)
    return total


def dice(y_true: Any, y_pred: Any, axis: Any = None) -> Floats:
    """Returns the loss, a number or what the sums over `axis` leave; see `Dice`."""
    return Dice(axis=axis).per_row(y_true, y_pred)


def tversky(y_true: Any, y_pred: Any, alpha: float = 0.5, beta: float = 0.5, axis: Any = None) -> Floats:
    """Returns the loss, a number or what the sums over `axis` leave; see `Tversky`."""
    return Tversky(alpha, beta, axis=axis).per_row(y_true, y_pred)
