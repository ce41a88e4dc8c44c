"""AUC: the area under a curve of two rates, over all thresholds."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastnet import activations, checks
from fastnet.checks import Floats
from fastnet.metrics.confusion import Counter, Counts, divide, number_of_thresholds, share

_BEYOND = 1e-7  # the first threshold is this much below 0, and the last one above 1
_CURVES = {"ROC": "ROC", "roc": "ROC", "PR": "PR", "pr": "PR", "PRGAIN": "PRGAIN", "prgain": "PRGAIN"}


class AUC(Counter):
    """Area under the ROC, PR or PRGAIN curve, approximated at the same thresholds as in Keras.

    ROC is the true positive rate over the false positive rate. PR is precision over recall. PRGAIN is the gain of
    precision over that of recall, with P positive and N negative targets:

        precision gain = 1 - P / N FP / TP,  recall gain = 1 - P / N FN / TP

    Without true positives they are 1 and 0; a recall gain below 0 is taken for 0. Source: P. Flach and M. Kull,
    "Precision-Recall-Gain Curves: PR Analysis Done Right", 2015.

    Args:
        num_thresholds: number of thresholds, evenly spaced from 0 to 1: at least 2, at most 100,000.
        curve: ``"ROC"``, ``"PR"`` or ``"PRGAIN"``.
        summation_method: ``"interpolation"`` is the trapezoidal rule; for PR it is the rule of J. Davis and
            M. Goadrich, "The Relationship Between Precision-Recall and ROC Curves", 2006. ``"minoring"`` gives a lower
            bound of the area, ``"majoring"`` an upper bound.
        name: the metric's name.
        dtype: a type of real numbers, which changes no result.
        thresholds: thresholds in [0, 1] to use instead; one below 0 and one above 1 are added.
        multi_label: whether to average the areas of the columns of predictions (n, L). If not, all outputs count as if
            each were an example.
        num_labels: the number L of columns, only with `multi_label`; by default that of the first batch.
        label_weights: weights (L,). With `multi_label`, they are those of the areas in their average, else those of
            the columns' outputs.
        from_logits: whether predictions are logits, to which the sigmoid is applied.

    Raises:
        ValueError, TypeError: if an argument is wrong.

    Example:
        >>> AUC(num_thresholds=3)([0, 0, 1, 1], [0, 0.5, 0.3, 0.9])
        0.75
    """

    name = "auc"
    _direction = "up"

    def __init__(
        self,
        num_thresholds: int | None = 200,
        curve: str = "ROC",
        summation_method: str = "interpolation",
        name: str | None = None,
        dtype: Any = None,
        thresholds: Any = None,
        multi_label: bool = False,
        num_labels: int | None = None,
        label_weights: Any = None,
        from_logits: bool = False,
    ) -> None:
        super().__init__(name, dtype)
        if curve not in _CURVES:
            raise ValueError(f"curve must be 'ROC', 'PR' or 'PRGAIN', got {curve!r}")
        if summation_method not in ("interpolation", "minoring", "majoring"):
            raise ValueError(
                f"summation_method must be 'interpolation', 'minoring' or 'majoring', got {summation_method!r}"
            )
        self.curve, self.summation_method = _CURVES[curve], summation_method
        self._given = None if thresholds is None else sorted(share("thresholds", each) for each in thresholds)
        self.num_thresholds = number_of_thresholds(
            num_thresholds if self._given is None else len(self._given) + 2, least=2
        )
        self.multi_label, self.from_logits = bool(multi_label), bool(from_logits)
        self.num_labels = None if num_labels is None else checks.integer("num_labels", num_labels, least=1)
        if self.num_labels is not None and not self.multi_label:
            raise ValueError(f"num_labels is for multi_label=True only, got num_labels={num_labels}")
        self.label_weights = None
        if label_weights is not None:
            weights = checks.as_float32("label_weights", checks.numeric("label_weights", label_weights))
            size = (self.num_labels or weights.size,)
            self.label_weights = checks.sample_weights("label_weights", weights, *size).tolist()
        if not self.multi_label:
            self._count_at(self.thresholds)
        elif self.num_labels is not None:
            self._count_at(self.thresholds, (self.num_labels,))

    @property
    def thresholds(self) -> list[float]:
        """All thresholds, from one below 0 to one above 1."""
        inner = np.arange(1, self.num_thresholds - 1) / (self.num_thresholds - 1)
        return [-_BEYOND, *(inner.tolist() if self._given is None else self._given), 1 + _BEYOND]

    @property
    def _is_built(self) -> bool:
        return "true_positives" in vars(self)

    def targets(self, y_true: Any, outputs: int) -> Floats:
        labels = len(self.label_weights) if self.label_weights is not None else self.num_labels
        if labels is None and self.multi_label and self._is_built:
            labels = self.true_positives.shape[1]
        if labels not in (None, outputs):
            raise ValueError(f"y_pred has {outputs} outputs, but the metric {self.name!r} is of {labels} labels")
        return super().targets(y_true, outputs)

    def add(self, targets: Floats, predictions: Floats, weights: Floats | None) -> None:
        if self.from_logits and predictions.size:
            predictions = activations.sigmoid(predictions)
        if not self._is_built:
            self._count_at(self.thresholds, (targets.shape[1],))
        if weights is not None and weights.ndim == 1:
            weights = weights[:, None]
        if self.label_weights is not None and not self.multi_label:
            of_labels = np.array([self.label_weights])
            weights = of_labels if weights is None else weights * of_labels
        self._add_counts(self.passed(predictions), targets != 0, weights, self.multi_label)

    def passed(self, predictions: Floats) -> NDArray[Any]:
        p = np.fmin(np.fmax(predictions, 0), 1)  # NaN becomes 0; the loss reports it
        if self._given is not None:
            return super().passed(p)
        # Every p is above the first threshold, which is below 0.
        return np.maximum(np.ceil(p * np.float32(self.num_thresholds - 1)), 1).astype(np.intp)

    def result(self) -> float:
        """Returns the area; 0 before the first batch."""
        if not self._is_built:
            return 0.0
        areas = self._areas(*self.counts())
        if not self.multi_label:
            return float(areas)
        weights = np.ones(len(areas)) if self.label_weights is None else np.array(self.label_weights)
        return float(divide((areas * weights).sum(), weights.sum()))

    def _areas(self, tp: Counts, fp: Counts, tn: Counts, fn: Counts) -> Any:
        """Returns the area for counts (T,), or an array (L,) for counts (T, L)."""
        if self.curve == "PR" and self.summation_method == "interpolation":
            return _interpolated(tp, tp + fp)
        recall = divide(tp, tp + fn)
        if self.curve == "ROC":
            x, y = divide(fp, fp + tn), recall
        elif self.curve == "PR":
            x, y = recall, divide(tp, tp + fp)
        else:
            ratio = divide(tp + fn, tn + fp)
            x = np.where(tp == 0, 0, np.maximum(1 - ratio * divide(fn, tp), 0))
            y = np.where(tp == 0, 1, 1 - ratio * divide(fp, tp))
        if self.summation_method == "interpolation":
            heights = (y[:-1] + y[1:]) / 2
        else:
            heights = (np.minimum if self.summation_method == "minoring" else np.maximum)(y[:-1], y[1:])
        return ((x[:-1] - x[1:]) * heights).sum(axis=0)

    def get_config(self) -> dict[str, Any]:
        """Returns the name, and the constructor's other arguments that differ from their defaults."""
        config = super().get_config()
        if self._given is None:
            del config["thresholds"]
            return config
        del config["num_thresholds"]
        return config | {"thresholds": self._given}


def _interpolated(true: Counts, positive: Counts) -> Any:
    """Returns the area under precision over recall, with interpolated counts.

    Between two thresholds, P = TP + FP goes from P1 to P0 and TP = a + s P. The integral of TP / P dTP is then
    s (TP0 - TP1 + a log(P0 / P1)). Where P1 = 0, the factor a of the logarithm is 0.
    """
    gained, grown = true[:-1] - true[1:], positive[:-1] - positive[1:]
    slope = divide(gained, grown)
    offset = true[1:] - slope * positive[1:]
    both = (positive[:-1] > 0) & (positive[1:] > 0)
    ratio = np.divide(positive[:-1], positive[1:], out=np.ones_like(gained), where=both)
    return divide((slope * (gained + offset * np.log(ratio))).sum(axis=0), true[0])
