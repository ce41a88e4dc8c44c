"""R2 score: the share of the targets' variance that the predictions explain."""

import warnings
from typing import Any

import numpy as np

from fastnet import checks
from fastnet.arrays.variables import MetricVariable
from fastnet.checks import Floats
from fastnet.metrics.base import Checked

_AGGREGATIONS = (None, "uniform_average", "variance_weighted_average")


class R2Score(Checked):
    """Coefficient of determination, for each output: 1 - sum (t - p)^2 / sum (t - mean t)^2.

    It is 1 for exact predictions, 0 for those that are always the mean, and negative for worse ones. An output whose
    targets are all equal scores 0, and NaN if it is predicted exactly.

    With p regressors, the adjusted score is 1 - (1 - R2) (n - 1) / (n - p - 1). As in Keras, n is the number of all
    outputs seen, rows times columns.

    Args:
        class_aggregation: None for an array with a score for each output; ``"uniform_average"`` for their mean;
            ``"variance_weighted_average"`` for their mean weighted by the targets' sums of squares.
        num_regressors: the number p of independent regressors, for the adjusted score; 0 for the plain one.
        name: the metric's name.
        dtype: a type of real numbers, which changes no result.

    Raises:
        ValueError, TypeError: if an argument is wrong.

    Example:
        >>> round(R2Score()([[1], [4], [3]], [[2], [4], [4]]), 4)
        0.5714
    """

    name = "r2_score"
    _direction = "up"
    sum: MetricVariable  # of the targets, (C,), times their weights
    squared_sum: MetricVariable
    total_mse: MetricVariable  # of the squared errors
    count: MetricVariable  # of the weights

    def __init__(
        self,
        class_aggregation: str | None = "uniform_average",
        num_regressors: int = 0,
        name: str | None = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(name, dtype)
        if class_aggregation not in _AGGREGATIONS:
            expected = ", ".join(map(repr, _AGGREGATIONS))
            raise ValueError(f"class_aggregation must be one of {expected}, got {class_aggregation!r}")
        self.class_aggregation = class_aggregation
        self.num_regressors = checks.integer("num_regressors", num_regressors, least=0)
        self.num_samples = self._counter("num_samples", ())

    def targets(self, y_true: Any, outputs: int) -> Floats:
        if "sum" in vars(self) and self.sum.shape != (outputs,):
            raise ValueError(f"y_pred has {outputs} outputs, but the batches before had {self.sum.shape[0]}")
        return super().targets(y_true, outputs)

    def add(self, targets: Floats, predictions: Floats, weights: Floats | None) -> None:
        if "sum" not in vars(self):
            for name in ("squared_sum", "sum", "total_mse", "count"):
                setattr(self, name, self._counter(name, targets.shape[1:]))
        t, p = targets.astype(np.float64), predictions.astype(np.float64)
        w = np.broadcast_to(1.0 if weights is None else weights.reshape(len(t), -1).astype(np.float64), t.shape)
        self.sum.packed += (w * t).sum(axis=0)
        self.squared_sum.packed += (w * t * t).sum(axis=0)
        self.total_mse.packed += (w * (t - p) ** 2).sum(axis=0)
        self.count.packed += w.sum(axis=0)
        self.num_samples.packed += t.size

    def result(self) -> Any:
        """Returns the score: a float, or an array (C,) without an aggregation; 0 before the first batch."""
        if not float(self.num_samples):
            return 0.0
        with np.errstate(all="ignore"):  # the result shows NaN
            total = self.squared_sum - self.sum * (self.sum / self.count)
            scores: Any = 1 - self.total_mse / total
            scores = np.where(np.isinf(scores), 0.0, scores)
            if self.class_aggregation == "uniform_average":
                scores = scores.mean()
            elif self.class_aggregation == "variance_weighted_average":
                scores = (total * scores).sum() / total.sum()
        scores = self._adjusted(scores)
        return scores if self.class_aggregation is None else float(scores)

    def _adjusted(self, scores: Any) -> Any:
        n, p = int(self.num_samples), self.num_regressors
        if p == 0:
            return scores
        if p >= n - 1:
            warnings.warn(
                f"the adjusted R2 score needs more than {p + 1} outputs for {p} regressors, and there are {n}: this is "
                "the plain score",
                stacklevel=3,
            )
            return scores
        return 1 - (1 - scores) * (n - 1) / (n - p - 1)
