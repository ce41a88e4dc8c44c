"""Losses as metrics: the mean of a loss over all rows, whichever loss the model is trained with."""

import math
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from fastnet import checks, losses
from fastnet.checks import Floats
from fastnet.losses import Loss
from fastnet.losses.base import NO_WEIGHTS, Doubles, MeanOverOutputs, check_axis
from fastnet.metrics.base import AlongAxis, ByKernel, Shape

_NO_GRADIENT = np.zeros((0, 0), np.float32)


class LossMetric(ByKernel):
    """Mean of a loss over all rows.

    Args:
        loss: a `Loss`, its name or its description.
        name: the metric's name; by default the loss's.
        dtype: a type of real numbers, which changes no result.
    """

    _direction = "down"

    def __init__(self, loss: Any, name: str | None = None, dtype: Any = None) -> None:
        self.loss: Loss = losses.for_training(loss) if isinstance(loss, dict | str) else loss
        check_axis(self.loss)
        self.of_labels, self.of_rows = self.loss.of_labels, self.loss.of_rows
        super().__init__(name or self.loss.name, dtype)

    def targets(self, y_true: Any, outputs: int) -> NDArray[Any]:
        return self.loss.check_targets("y_true", y_true, outputs)

    @property
    def _has_kernel(self) -> bool:
        return self._is_ours and isinstance(self.loss, MeanOverOutputs) and self.loss._has_kernel

    @property
    def _keeps_labels(self) -> bool:  # type: ignore[override]
        return self.loss._needs_labels

    def rows(self, targets: NDArray[Any], predictions: Floats) -> Floats:
        return self.loss.call(targets, predictions)

    def write_rows(self, targets: NDArray[Any], predictions: Floats, rows: Doubles) -> None:
        assert isinstance(self.loss, MeanOverOutputs)
        self.loss._compute(targets, predictions, NO_WEIGHTS, _NO_GRADIENT, rows)

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        if "loss" in config:
            is_custom = isinstance(self.loss, losses.CustomLoss)
            config["loss"] = self.loss.name if is_custom else checks.describe(self.loss)
        return config

    def _shown(self) -> dict[str, Any]:
        config = super()._shown()
        return config | {"loss": self.loss} if "loss" in config else config


class _OfLoss(LossMetric):
    """Base class of the metrics whose loss has no arguments; `kind` is the loss's class."""

    kind: ClassVar[type[Loss]]

    def __init__(self, name: str | None = None, dtype: Any = None) -> None:
        super().__init__(self.kind(), name or type(self).name, dtype)


class MeanSquaredError(_OfLoss):
    """Mean of (p - t)^2.

    Example:
        >>> MeanSquaredError()([[0, 1], [0, 0]], [[1, 1], [0, 0]])
        0.25
    """

    name, kind = "mean_squared_error", losses.MeanSquaredError


class RootMeanSquaredError(_OfLoss):
    """Square root of the mean of (p - t)^2.

    Example:
        >>> RootMeanSquaredError()([[0, 1], [0, 0]], [[1, 1], [0, 0]])
        0.5
    """

    name, kind = "root_mean_squared_error", losses.MeanSquaredError
    _of_outputs = True

    def result(self) -> float:
        return math.sqrt(super().result())


class MeanAbsoluteError(_OfLoss):
    """Mean of |p - t|."""

    name, kind = "mean_absolute_error", losses.MeanAbsoluteError


class MeanAbsolutePercentageError(_OfLoss):
    """Mean of 100 |p - t| / max(|t|, 1e-7)."""

    name, kind = "mean_absolute_percentage_error", losses.MeanAbsolutePercentageError


class MeanSquaredLogarithmicError(_OfLoss):
    """Mean of (log(1 + p) - log(1 + t))^2."""

    name, kind = "mean_squared_logarithmic_error", losses.MeanSquaredLogarithmicError


class LogCoshError(_OfLoss):
    """Mean of log(cosh(p - t))."""

    name, kind = "logcosh", losses.LogCosh


class CosineSimilarity(AlongAxis, _OfLoss):
    """Mean cosine of the angle between targets and predictions: 1 for the same direction.

    Args:
        name: the metric's name.
        dtype: a type of real numbers, which changes no result.
        axis: the axis of the vectors: -1 for a row's outputs, 0 for the examples of a batch.

    Raises:
        TypeError: if `axis` is not an integer.

    Example:
        >>> CosineSimilarity()([[0, 1], [1, 0]], [[0, 5], [0, 3]])
        0.5
    """

    name, kind = "cosine_similarity", losses.CosineSimilarity
    _direction = "up"

    def __init__(self, name: str | None = None, dtype: Any = None, axis: int = -1) -> None:
        super().__init__(name, dtype)
        self.axis = checks.integer("axis", axis, least=-32)

    def rows(self, targets: NDArray[Any], predictions: Floats) -> Floats:
        return -super().rows(targets, predictions)


class KLDivergence(_OfLoss):
    """Mean Kullback-Leibler divergence."""

    name, kind = "kl_divergence", losses.KLDivergence


class Poisson(_OfLoss):
    """Mean of p - t log(p + 1e-7)."""

    name, kind = "poisson", losses.Poisson


class Hinge(_OfLoss):
    """Mean of max(1 - t p, 0)."""

    name, kind = "hinge", losses.Hinge


class SquaredHinge(_OfLoss):
    """Mean of max(1 - t p, 0)^2."""

    name, kind = "squared_hinge", losses.SquaredHinge


class CategoricalHinge(_OfLoss):
    """Mean of max(n - p + 1, 0), p the prediction of the true class, n the largest of the others."""

    name, kind = "categorical_hinge", losses.CategoricalHinge


class BinaryCrossentropy(LossMetric):
    """Mean binary crossentropy; the arguments are the loss's."""

    name = "binary_crossentropy"

    def __init__(
        self, name: str | None = None, dtype: Any = None, from_logits: bool = False, label_smoothing: float = 0.0
    ) -> None:
        super().__init__(losses.BinaryCrossentropy(from_logits, label_smoothing), name, dtype)
        self.from_logits, self.label_smoothing = bool(from_logits), float(label_smoothing)


class CategoricalCrossentropy(LossMetric):
    """Mean crossentropy for one-hot targets; the arguments are the loss's, and `axis`, which must be -1."""

    name = "categorical_crossentropy"

    def __init__(
        self,
        name: str | None = None,
        dtype: Any = None,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        axis: int = -1,
    ) -> None:
        super().__init__(losses.CategoricalCrossentropy(from_logits, label_smoothing), name, dtype)
        self.from_logits, self.label_smoothing = bool(from_logits), float(label_smoothing)
        _check_last(axis)


class SparseCategoricalCrossentropy(LossMetric):
    """Mean crossentropy for labels (n,) or (n, 1).

    Args:
        name: the metric's name.
        dtype: a type of real numbers, which changes no result.
        from_logits: whether predictions are logits, not probabilities.
        ignore_class: if given, an example with this label has the loss 0, and, if there are weights, the weight 0. It
            need not be a class.
        axis: the axis of the classes, which is the last one: -1.

    Raises:
        ValueError, TypeError: if an argument is wrong.
    """

    name = "sparse_categorical_crossentropy"

    def __init__(
        self,
        name: str | None = None,
        dtype: Any = None,
        from_logits: bool = False,
        ignore_class: int | None = None,
        axis: int = -1,
    ) -> None:
        super().__init__(losses.SparseCategoricalCrossentropy(from_logits), name, dtype)
        self.from_logits = bool(from_logits)
        self.ignore_class = None if ignore_class is None else checks.integer("ignore_class", ignore_class, -(2**31))
        _check_last(axis)

    def _pair(self, y_true: Any, y_pred: Any) -> tuple[NDArray[Any], Floats, Shape]:
        if self.ignore_class is None:
            return super()._pair(y_true, y_pred)
        labels = checks.numeric("y_true", y_true)
        ignored = labels == self.ignore_class
        targets, predictions, shape = super()._pair(np.where(ignored, 0, labels), y_pred)
        targets[ignored.reshape(-1)] = 0  # a row of zeros, whose loss is 0
        return targets, predictions, shape

    def add(self, targets: NDArray[Any], predictions: Floats, weights: Floats | None) -> None:
        if self.ignore_class is not None:
            if 0 <= self.ignore_class < targets.shape[1]:
                targets = np.where(targets[:, self.ignore_class, None] == 1, np.float32(0), targets)
            weights = None if weights is None else weights * targets.any(axis=1)
        super().add(targets, predictions, weights)


def _check_last(axis: Any) -> None:
    if axis != -1:
        raise ValueError(f"axis must be -1, got {axis!r}: the classes are on the last axis")
