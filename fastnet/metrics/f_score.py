"""F-scores: one number from precision and recall, for each class."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastnet import checks
from fastnet.checks import Floats
from fastnet.metrics.base import Checked, Shape, spread
from fastnet.metrics.confusion import Counts, divide, share


class FBetaScore(Checked):
    """Weighted harmonic mean of precision P and recall R, for each class: (1 + b^2) P R / (b^2 P + R).

    Args:
        average: None for an array with a score for each class; ``"macro"`` for their mean; ``"weighted"`` for their
            mean weighted by how often each class is a target; ``"micro"`` to count all classes together. A callback
            can monitor only one number, so with several classes it needs an average.
        beta: weight of recall, greater than 0.
        threshold: predictions above it are positive. With None, the largest prediction of each row is positive if it is
            nonzero; predictions must be (B, C) then.
        name: the metric's name.
        dtype: a type of real numbers, which changes no result.

    Raises:
        ValueError, TypeError: if an argument is wrong.
    """

    name = "fbeta_score"
    _direction = "up"
    _true: Counts  # true positives of each class, (C,)
    _predicted: Counts
    _real: Counts

    def __init__(
        self,
        average: str | None = None,
        beta: float = 1.0,
        threshold: float | None = None,
        name: str | None = None,
        dtype: Any = None,
    ) -> None:
        if average not in (None, "micro", "macro", "weighted"):
            raise ValueError(f"average must be None, 'micro', 'macro' or 'weighted', got {average!r}")
        self.average = average
        self.beta = checks.number("beta", beta, least=0)
        if self.beta == 0:
            raise ValueError("beta must be greater than 0, got 0")
        self.threshold = None if threshold is None else share("threshold", threshold)
        super().__init__(name, dtype)

    def reset_state(self) -> None:
        super().reset_state()
        self._true = self._predicted = self._real = np.zeros(1)

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        y_pred = checks.numeric("y_pred", y_pred)
        if self.threshold is None and y_pred.ndim == 1:
            raise ValueError(
                f"y_pred has shape {y_pred.shape}, but {self.name} without a threshold takes each row's greatest "
                "prediction; expected (n, C). For one output give threshold=0.5"
            )
        if y_pred.ndim > 2:
            raise ValueError(f"y_pred has shape {y_pred.shape}, but {self.name} takes rows of classes, (n, C)")
        super().update_state(y_true, y_pred, sample_weight)

    def _add_given(self, targets: NDArray[Any], predictions: Floats, shape: Shape, sample_weight: Any) -> None:
        self.add(targets, predictions, None if sample_weight is None else spread(sample_weight, shape[:1]))

    def add(self, targets: Floats, predictions: Floats, weights: Floats | None) -> None:
        if self.threshold is None:
            greatest = predictions.max(axis=1, keepdims=True, initial=-np.inf)
            positive: Any = (predictions >= greatest) & (np.abs(predictions) > 1e-9)
        else:
            positive = predictions > self.threshold
        row_weights: Any = np.ones(len(targets)) if weights is None else weights.astype(np.float64)
        positive, real = positive.astype(np.float64), targets.astype(np.float64)
        self._true = self._true + row_weights @ (positive * real)
        self._predicted = self._predicted + row_weights @ positive
        self._real = self._real + row_weights @ real

    def result(self) -> Any:
        """Returns the score, 0 for a class that never occurs: a float, or an array (C,) without an average."""
        true, predicted, real = self._true, self._predicted, self._real
        if self.average == "micro":
            true, predicted, real = (counts.sum(keepdims=True) for counts in (true, predicted, real))
        precision, recall = divide(true, predicted), divide(true, real)
        square = self.beta**2
        scores = divide((1 + square) * precision * recall, square * precision + recall)
        if self.average is None:
            return scores
        if self.average == "weighted":
            return float(divide((scores * real).sum(), real.sum()))
        return float(scores.mean())


class F1Score(FBetaScore):
    """Harmonic mean of precision P and recall R, for each class: 2 P R / (P + R). Arguments as `FBetaScore`.

    Example:
        >>> f1 = F1Score(average="micro", threshold=0.5)
        >>> f1.update_state([[1, 1, 1], [1, 0, 0], [1, 1, 0]], [[0.2, 0.6, 0.7], [0.2, 0.6, 0.6], [0.6, 0.8, 0.0]])
        >>> round(f1.result(), 4)
        0.6667
    """

    name = "f1_score"

    def __init__(
        self, average: str | None = None, threshold: float | None = None, name: str | None = None, dtype: Any = None
    ) -> None:
        super().__init__(average=average, threshold=threshold, name=name, dtype=dtype)
