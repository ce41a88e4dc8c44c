"""Circle loss: brings embeddings of one class together, and those of different classes apart.

Source: Y. Sun et al., "Circle Loss: A Unified Perspective of Pair Similarity Optimization", 2020.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastnet import checks
from fastnet.checks import Floats
from fastnet.losses.coupled import Coupled
from fastnet.losses.reduction import MEAN, shares


class Circle(Coupled):
    """log(1 + sum exp a * sum exp b) for each row; targets are labels, predictions are rows of length 1.

    For the distance d = max(1 - cosine, 0) from the row to another row:

    - a = gamma max(m + d, 0) (d - m) if the other row has the same label. It is small if d is.
    - b = gamma max(1 + m - d, 0) (1 - m - d) if it has another label. It is small if d is not.

    A row that has no other row of its label, or none of another, has the loss 0. The mean is that of the other rows.

    Args:
        gamma: the scale, greater than 0.
        margin: the number m. The greater it is, the less the loss asks for.
        remove_diagonal: whether a row is not compared with itself.
        reduction, name, dtype: as for `Loss`.

    Raises:
        ValueError: if `gamma` is not greater than 0.
        TypeError: if an argument is of another type.

    Example:
        >>> round(Circle(gamma=1, margin=0)([1, 1, 2], [[1, 0], [1, 0], [0, 1]]), 4)
        0.6931
    """

    name = "circle"
    of_labels = True
    _keeps_labels = True
    _needs_labels = True

    def __init__(
        self,
        gamma: float = 80.0,
        margin: float = 0.4,
        remove_diagonal: bool = True,
        reduction: str | None = MEAN,
        name: str | None = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(reduction, name, dtype)
        self.gamma = checks.number("gamma", gamma, least=0)
        if self.gamma == 0:
            raise ValueError("gamma must be greater than 0, got 0")
        self.margin = checks.float32_number("margin", margin)
        self.remove_diagonal = checks.flag("remove_diagonal", remove_diagonal)

    def check_targets(self, argument: str, y: Any, units: int) -> NDArray[Any]:
        """Returns labels (n,) or (n, 1), any whole numbers, as (n, 1) int32."""
        labels = checks.as_float32(argument, checks.numeric(argument, y))
        if labels.ndim not in (1, 2) or labels.size != len(labels):
            raise ValueError(f"{argument} has shape {labels.shape}, but {self.shown} expects labels, (n,) or (n, 1)")
        broken = np.flatnonzero((labels != np.rint(labels)) | (np.abs(labels) >= 2.0**31))
        if broken.size:
            raise ValueError(
                f"{argument}: label {labels.flat[broken[0]]} at index {broken[0]} is no whole int32 number"
            )
        return labels.astype(np.int32).reshape(-1, 1)

    def _pair(self, y_true: Any, y_pred: Any) -> tuple[NDArray[Any], Floats]:
        targets, predictions = super()._pair(y_true, y_pred)
        if predictions.ndim != 2:
            raise ValueError(f"y_pred has shape {predictions.shape}, but {self.shown} expects embeddings, (n, C)")
        return targets, predictions

    def call(self, y_true: NDArray[Any], y_pred: Floats) -> Floats:
        if y_true.shape[1] != 1:
            raise ValueError(f"{self.shown} needs labels, (n,), but the targets have the shape {y_true.shape}")
        return self.against(y_true, y_pred, y_true, y_pred)

    def against(self, labels: NDArray[Any], p: Floats, others: NDArray[Any], q: Floats) -> Floats:
        """Returns the loss of each row of p, (n,), compared with the rows of q.

        Args:
            labels: labels of the rows of p, (n, 1).
            p: embeddings, (n, C), of length 1.
            others: labels of the rows of q, (m, 1).
            q: embeddings, (m, C), of length 1.
        """
        a, b, _, _ = self._exponents(labels, p, others, q)
        return np.logaddexp(_log_sum_exp(a) + _log_sum_exp(b), p.dtype.type(0))

    def _exponents(self, labels: NDArray[Any], p: Floats, others: NDArray[Any], q: Floats) -> tuple[Floats, ...]:
        """Returns a and b of all pairs, (n, m), -infinity where there is none, and their slopes by the cosine."""
        cosines, m, gamma = p @ q.T, self.margin, self.gamma
        d = np.maximum(1 - cosines, 0)
        near, far = np.maximum(m + d, 0), np.maximum(1 + m - d, 0)
        same = labels == others.T
        others_of_class = same & (np.eye(*same.shape) == 0) if self.remove_diagonal else same
        a = np.where(others_of_class, gamma * near * (d - m), p.dtype.type(-np.inf))
        b = np.where(same, p.dtype.type(-np.inf), gamma * far * (1 - m - d))
        moves = (cosines < 1).astype(p.dtype)  # where d = 1 - cosine, so that its slope is -1
        slope_a = -moves * gamma * (near + np.where(near > 0, d - m, 0))
        slope_b = moves * gamma * (far + np.where(far > 0, 1 - m - d, 0))
        return a, b, slope_a, slope_b

    def pull(self, y_true: NDArray[Any], y_pred: Floats, weights: Floats) -> Floats:
        # For A = log sum exp a and B likewise, l = log(1 + exp(A + B)) has the slope sigmoid(A + B) by A and by B, and
        # A has the slopes exp(a - A) by each a. Each cosine belongs to two rows of the predictions.
        a, b, slope_a, slope_b = self._exponents(y_true, y_pred, y_true, y_pred)
        total_a, total_b = _log_sum_exp(a), _log_sum_exp(b)
        loss = np.logaddexp(total_a + total_b, y_pred.dtype.type(0))
        push = (weights * -np.expm1(-loss))[:, None]  # sigmoid(x) = 1 - exp(-log(1 + exp x))
        by_cosine = push * (_shares(a, total_a) * slope_a + _shares(b, total_b) * slope_b)
        return (by_cosine + by_cosine.T) @ y_pred

    def shares(self, rows: Floats) -> Floats:
        return shares(rows > 0)

    def _counted(self, y_true: Any, losses: NDArray[Any]) -> NDArray[np.bool_] | None:
        counted: NDArray[np.bool_] = losses > 0
        return counted


def _log_sum_exp(x: Floats) -> Floats:
    """Returns log sum exp x of each row, -infinity if all are -infinity. Nothing overflows."""
    most = x.max(axis=1, keepdims=True)
    with np.errstate(divide="ignore"):
        total: Floats = np.log(np.exp(x - np.where(np.isinf(most), 0, most)).sum(axis=1))
    return total + np.where(np.isinf(most), 0, most)[:, 0]


def _shares(x: Floats, total: Floats) -> Floats:
    """Returns exp(x - total), the share of each number in log sum exp; 0 in a row without numbers."""
    return np.exp(x - np.where(np.isinf(total), 0, total)[:, None])


def circle(
    y_true: Any,
    y_pred: Any,
    ref_labels: Any = None,
    ref_embeddings: Any = None,
    remove_diagonal: bool = True,
    gamma: float = 80.0,
    margin: float = 0.4,
) -> Floats:
    """Returns the loss of each row, (n,), for labels (n,) and embeddings (n, C) of length 1; see `Circle`.

    Args:
        y_true: labels, (n,).
        y_pred: embeddings, (n, C).
        ref_labels: labels of other embeddings to compare with, (m,); by default `y_true`.
        ref_embeddings: these embeddings, (m, C); by default `y_pred`.
        remove_diagonal, gamma, margin: as for `Circle`.

    Raises:
        ValueError: if the shapes do not fit.
        TypeError: if an argument does not hold numbers.
    """
    loss = Circle(gamma, margin, remove_diagonal)
    labels, p = loss._pair(y_true, y_pred)
    others = labels if ref_labels is None else ref_labels
    q = p if ref_embeddings is None else checks.features("ref_embeddings", ref_embeddings)
    if q.shape[1] != p.shape[1]:
        raise ValueError(f"y_pred has shape {p.shape} and ref_embeddings {q.shape}; expected rows of the same length")
    labels = loss.check_targets("y_true", labels, p.shape[1])
    others = loss.check_targets("ref_labels", others, p.shape[1])
    checks.same_length(labels, p, "y_true and y_pred")
    checks.same_length(others, q, "ref_labels and ref_embeddings")
    with np.errstate(all="ignore"):
        return loss.against(labels, p, others, q)
