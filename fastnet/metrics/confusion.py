"""Metrics of true and false positives and negatives: precision, recall, F-scores and AUC.

A prediction is positive if it is greater than a threshold, a target if it is nonzero. Every output of every example
counts once. A ratio with a denominator of 0 is 0.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastnet import activations, checks
from fastnet.checks import Floats
from fastnet.metrics.base import Checked

Counts = NDArray[np.float64]

# AUC keeps two numbers for each threshold, so this many take 1.6 MB. float32 predictions do not need more. The limit
# also keeps a model file from an untrusted source from making an AUC that takes all memory.
_MOST_THRESHOLDS = 100_000
_AT_ONCE = 2**22  # comparisons with thresholds that are kept in memory at once


class _Thresholded(Checked):
    """Base class of `Precision` and `Recall`, which count positives at one or several thresholds."""

    _direction = "up"
    _true: Counts  # true positives, (T,)
    _all: Counts  # denominators of the ratio, (T,)

    def __init__(
        self, thresholds: Any = None, top_k: int | None = None, class_id: int | None = None, name: str | None = None
    ) -> None:
        self.top_k = None if top_k is None else checks.integer("top_k", top_k, least=1)
        self.class_id = None if class_id is None else checks.integer("class_id", class_id, least=0)
        self.thresholds = thresholds
        if thresholds is None:
            limits = [0.5 if top_k is None else -np.inf]
        else:
            given = list(thresholds) if isinstance(thresholds, list | tuple | np.ndarray) else [thresholds]
            limits = [_share("thresholds", limit) for limit in given]
            if not limits:
                raise ValueError("thresholds is empty; expected a number or several")
            self.thresholds = limits if isinstance(thresholds, list | tuple | np.ndarray) else limits[0]
        self._limits = np.array(limits, np.float32)
        super().__init__(name)

    @property
    def of_rows(self) -> bool:  # type: ignore[override]
        return self.top_k is not None or self.class_id is not None

    def reset_state(self) -> None:
        super().reset_state()
        self._true, self._all = np.zeros(len(self._limits)), np.zeros(len(self._limits))

    def targets(self, y_true: Any, outputs: int) -> Floats:
        if self.class_id is not None and self.class_id >= outputs:
            raise ValueError(f"class_id is {self.class_id}, but y_pred has {outputs} outputs")
        return super().targets(y_true, outputs)

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        y_pred = checks.numeric("y_pred", y_pred)
        if self.of_rows and y_pred.ndim == 1 < y_pred.size and np.shape(sample_weight) == y_pred.shape:
            targets, predictions = self._pair(y_true, y_pred)  # one row of classes, and a weight for each
            checks.same_length(targets, predictions, "y_true and y_pred")
            self.add(targets, predictions, checks.sample_weights("sample_weight", sample_weight, predictions.shape[1]))
        else:
            super().update_state(y_true, y_pred, sample_weight)

    def add(self, targets: Floats, predictions: Floats, weights: Floats | None) -> None:
        allowed = np.ones(predictions.shape, bool)
        if self.top_k is not None:
            order = np.argsort(-predictions, axis=1, kind="stable")[:, : self.top_k]
            allowed[:] = False
            np.put_along_axis(allowed, order, True, axis=1)
        if self.class_id is not None:
            if self.class_id >= targets.shape[1]:
                raise ValueError(f"class_id is {self.class_id}, but there are {targets.shape[1]} outputs")
            one = slice(self.class_id, self.class_id + 1)
            if weights is not None and len(weights) != len(targets):
                weights = weights[one]
            targets, predictions, allowed = targets[:, one], predictions[:, one], allowed[:, one]
        if weights is not None and len(weights) != len(targets):  # one row, with a weight for each class
            targets, predictions, allowed = targets.T, predictions.T, allowed.T
        row_weights: Any = np.ones(len(targets)) if weights is None else weights.astype(np.float64)
        real = targets != 0
        # Not all thresholds at once: the memory for the comparisons would have no limit.
        step = max(1, _AT_ONCE // max(1, predictions.size))
        true, whole = [], []
        for start in range(0, len(self._limits), step):
            positive = (predictions > self._limits[start : start + step, None, None]) & allowed  # (T, n, C)
            true.append((positive & real).sum(axis=2) @ row_weights)
            whole.append(self.whole(positive, real).sum(axis=2) @ row_weights)
        self._true, self._all = self._true + np.concatenate(true), self._all + np.concatenate(whole)

    def whole(self, positive: Any, real: Any) -> Any:
        """Returns the entries that count in the denominator, from positive predictions (T, n, C) and targets (n, C)."""
        raise NotImplementedError

    def result(self) -> Any:
        """Returns the ratio, 0 if its denominator is 0: a float, or an array (T,) for a list of thresholds."""
        shares = _divide(self._true, self._all)
        return shares if isinstance(self.thresholds, list) else float(shares[0])


class Precision(_Thresholded):
    """Share of positive predictions that are correct: TP / (TP + FP).

    Args:
        thresholds: a number in [0, 1], by default 0.5; or a list of them, for which the result is an array.
        top_k: if given, only the k largest predictions of each row can be positive. They are positive at any value
            unless `thresholds` is given too.
        class_id: if given, only this output counts.
        name: the metric's name.

    Raises:
        ValueError, TypeError: if an argument is wrong.

    Example:
        >>> Precision()([0, 1, 1, 1], [1, 0, 1, 1])
        0.6666666666666666
    """

    name = "precision"

    def whole(self, positive: Any, real: Any) -> Any:
        return positive


class Recall(_Thresholded):
    """Share of positive targets that are predicted: TP / (TP + FN). The arguments are those of `Precision`.

    Example:
        >>> Recall()([0, 1, 1, 1], [1, 0, 1, 1])
        0.6666666666666666
    """

    name = "recall"

    def whole(self, positive: Any, real: Any) -> Any:
        return np.broadcast_to(real, positive.shape)


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

    Raises:
        ValueError, TypeError: if an argument is wrong.
    """

    name = "fbeta_score"
    _direction = "up"
    _true: Counts  # true positives of each class, (C,)
    _predicted: Counts
    _real: Counts

    def __init__(
        self, average: str | None = None, beta: float = 1.0, threshold: float | None = None, name: str | None = None
    ) -> None:
        if average not in (None, "micro", "macro", "weighted"):
            raise ValueError(f"average must be None, 'micro', 'macro' or 'weighted', got {average!r}")
        self.average = average
        self.beta = checks.number("beta", beta, least=0)
        if self.beta == 0:
            raise ValueError("beta must be greater than 0, got 0")
        self.threshold = None if threshold is None else _share("threshold", threshold)
        super().__init__(name)

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
        super().update_state(y_true, y_pred, sample_weight)

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
        precision, recall = _divide(true, predicted), _divide(true, real)
        square = self.beta**2
        scores = _divide((1 + square) * precision * recall, square * precision + recall)
        if self.average is None:
            return scores
        if self.average == "weighted":
            return float(_divide((scores * real).sum(), real.sum()))
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

    def __init__(self, average: str | None = None, threshold: float | None = None, name: str | None = None) -> None:
        super().__init__(average=average, threshold=threshold, name=name)


class AUC(Checked):
    """Area under the ROC or PR curve, approximated at the same thresholds as in Keras.

    ROC is the true positive rate over the false positive rate. PR is precision over recall. All outputs count as if
    each were an example. A score for each label (Keras's ``multi_label``) is not offered.

    Args:
        num_thresholds: number of thresholds, evenly spaced from 0 to 1: at least 2, at most 100,000.
        curve: ``"ROC"`` or ``"PR"``.
        summation_method: ``"interpolation"`` is the trapezoidal rule for ROC; for PR it is the rule of J. Davis and
            M. Goadrich, "The Relationship Between Precision-Recall and ROC Curves", 2006. ``"minoring"`` gives a lower
            bound of the area, ``"majoring"`` an upper bound.
        name: the metric's name.
        thresholds: thresholds in [0, 1] to use instead; one below 0 and one above 1 are added.
        from_logits: whether predictions are logits, to which the sigmoid is applied.

    Raises:
        ValueError, TypeError: if an argument is wrong.

    Example:
        >>> AUC(num_thresholds=3)([0, 0, 1, 1], [0, 0.5, 0.3, 0.9])
        0.75
    """

    name = "auc"
    _direction = "up"
    _positives: Counts  # (T,) number of positive targets whose prediction is above this threshold, but not the next
    _negatives: Counts

    def __init__(
        self,
        num_thresholds: int = 200,
        curve: str = "ROC",
        summation_method: str = "interpolation",
        name: str | None = None,
        thresholds: Any = None,
        *,
        from_logits: bool = False,
    ) -> None:
        self.num_thresholds = checks.integer("num_thresholds", num_thresholds, least=2)
        if self.num_thresholds > _MOST_THRESHOLDS:
            raise ValueError(f"num_thresholds must be at most {_MOST_THRESHOLDS}, got {self.num_thresholds}")
        if curve not in ("ROC", "PR", "roc", "pr"):
            raise ValueError(f"curve must be 'ROC' or 'PR', got {curve!r}")
        self.curve = curve.upper()
        if summation_method not in ("interpolation", "minoring", "majoring"):
            raise ValueError(
                f"summation_method must be 'interpolation', 'minoring' or 'majoring', got {summation_method!r}"
            )
        self.summation_method = summation_method
        self.thresholds = None if thresholds is None else sorted(_share("thresholds", each) for each in thresholds)
        self.from_logits = bool(from_logits)
        self._size = self.num_thresholds if self.thresholds is None else len(self.thresholds) + 2
        super().__init__(name)

    def reset_state(self) -> None:
        super().reset_state()
        self._positives, self._negatives = np.zeros(self._size), np.zeros(self._size)

    def add(self, targets: Floats, predictions: Floats, weights: Floats | None) -> None:
        p: Any = predictions.reshape(-1)
        p = activations.sigmoid(p) if self.from_logits and p.size else p
        p = np.fmin(np.fmax(p, 0), 1)  # NaN becomes 0; the loss reports it
        # The largest threshold that p is above. Every p is above the first threshold, which is below 0.
        if self.thresholds is None:
            above = np.maximum(np.ceil(p * np.float32(self._size - 1)) - 1, 0).astype(np.intp)
        else:
            above = np.searchsorted(np.array(self.thresholds, np.float32), p, side="left")
        real = targets.reshape(-1) != 0
        each = np.ones(len(targets)) if weights is None else weights.astype(np.float64)
        each = np.repeat(each, targets.shape[1])
        self._positives = self._positives + np.bincount(above, each * real, self._size)
        self._negatives = self._negatives + np.bincount(above, each * ~real, self._size)

    def result(self) -> float:
        """Returns the area; 0 before the first batch."""
        true = self._positives[::-1].cumsum()[::-1]  # true positives at each threshold
        false = self._negatives[::-1].cumsum()[::-1]
        if self.curve == "PR" and self.summation_method == "interpolation":
            return self._interpolated(true, true + false)
        recall = _divide(true, true[0])
        x, y = (_divide(false, false[0]), recall) if self.curve == "ROC" else (recall, _divide(true, true + false))
        if self.summation_method == "interpolation":
            heights = (y[:-1] + y[1:]) / 2
        else:
            heights = (np.minimum if self.summation_method == "minoring" else np.maximum)(y[:-1], y[1:])
        return float(((x[:-1] - x[1:]) * heights).sum())

    @staticmethod
    def _interpolated(true: Counts, positive: Counts) -> float:
        """Returns the area under precision over recall, with interpolated counts.

        Between two thresholds, P = TP + FP goes from P1 to P0 and TP = a + s P. The integral of TP / P dTP is then
        s (TP0 - TP1 + a log(P0 / P1)). Where P1 = 0, the factor a of the logarithm is 0.
        """
        gained, grown = true[:-1] - true[1:], positive[:-1] - positive[1:]
        slope = _divide(gained, grown)
        offset = true[1:] - slope * positive[1:]
        both = (positive[:-1] > 0) & (positive[1:] > 0)
        ratio = np.divide(positive[:-1], positive[1:], out=np.ones_like(gained), where=both)
        return float(_divide((slope * (gained + offset * np.log(ratio))).sum(), true[0]))


def _divide(a: Any, b: Any) -> Any:
    """Returns a / b, and 0 where b is 0."""
    a, b = np.asarray(a, np.float64), np.asarray(b, np.float64)
    shape = np.broadcast_shapes(a.shape, b.shape)
    return np.divide(a, b, out=np.zeros(shape), where=np.broadcast_to(b != 0, shape))


def _share(argument: str, value: Any) -> float:
    x = checks.number(argument, value, least=0)
    if x > 1:
        raise ValueError(f"{argument} must be in [0, 1], got {x!r}")
    return x
