"""The best rate that a classifier reaches at any threshold where another rate is good enough."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastnet import checks
from fastnet.checks import Floats
from fastnet.metrics.confusion import Counter, Counts, divide, number_of_thresholds, share


class _AtRate(Counter):
    """Base class: the largest of one rate over the thresholds at which the other is at least a given number.

    A subclass computes both rates in `_rates`. Its first argument has the name of the rate that is given.
    """

    _direction = "up"

    def __init__(
        self, least: float, num_thresholds: int = 200, class_id: int | None = None, name: Any = None, dtype: Any = None
    ) -> None:
        super().__init__(name, dtype)
        self._least = least
        self.num_thresholds = number_of_thresholds(num_thresholds, least=1)
        self.class_id = None if class_id is None else checks.integer("class_id", class_id, least=0)
        self._count_at([0.5] if self.num_thresholds == 1 else np.linspace(0, 1, self.num_thresholds))

    @property
    def thresholds(self) -> list[float]:
        """The thresholds: evenly spaced from 0 to 1; 0.5 if there is one."""
        return self._limits.astype(np.float64).tolist()  # type: ignore[no-any-return]

    def passed(self, predictions: Floats) -> NDArray[Any]:
        if self.num_thresholds == 1:
            return super().passed(predictions)
        p = np.fmin(np.fmax(predictions, 0), 1)
        return np.ceil(p * np.float32(self.num_thresholds - 1)).astype(np.intp)

    def result(self) -> float:
        """Returns the largest rate; 0 if the other rate is too small at all thresholds."""
        given, wanted = self._rates(*self.counts())
        return float(wanted[given >= self._least].max(initial=0.0))

    def _rates(self, tp: Counts, fp: Counts, tn: Counts, fn: Counts) -> tuple[Counts, Counts]:
        """Returns the rate that is given and the rate that is wanted, (T,), from the counts at the thresholds."""
        raise NotImplementedError


class SensitivityAtSpecificity(_AtRate):
    """Largest sensitivity TP / (TP + FN) at a specificity TN / (TN + FP) of at least the given one.

    Args:
        specificity: the least specificity, in [0, 1].
        num_thresholds: number of thresholds, evenly spaced from 0 to 1.
        class_id: if given, only this output counts.
        name: the metric's name.
        dtype: a type of real numbers, which changes no result.

    Raises:
        ValueError, TypeError: if an argument is wrong.

    Example:
        >>> SensitivityAtSpecificity(0.5)([0, 0, 0, 1, 1], [0, 0.3, 0.8, 0.3, 0.8])
        0.5
    """

    name = "sensitivity_at_specificity"

    def __init__(
        self,
        specificity: float,
        num_thresholds: int = 200,
        class_id: int | None = None,
        name: str | None = None,
        dtype: Any = None,
    ) -> None:
        self.specificity = share("specificity", specificity)
        super().__init__(self.specificity, num_thresholds, class_id, name, dtype)

    def _rates(self, tp: Counts, fp: Counts, tn: Counts, fn: Counts) -> tuple[Counts, Counts]:
        return divide(tn, tn + fp), divide(tp, tp + fn)


class SpecificityAtSensitivity(_AtRate):
    """Largest specificity TN / (TN + FP) at a sensitivity TP / (TP + FN) of at least the given one.

    Args:
        sensitivity: the least sensitivity, in [0, 1].
        num_thresholds, class_id, name, dtype: as for `SensitivityAtSpecificity`.

    Raises:
        ValueError, TypeError: if an argument is wrong.

    Example:
        >>> round(SpecificityAtSensitivity(0.5)([0, 0, 0, 1, 1], [0, 0.3, 0.8, 0.3, 0.8]), 4)
        0.6667
    """

    name = "specificity_at_sensitivity"

    def __init__(
        self,
        sensitivity: float,
        num_thresholds: int = 200,
        class_id: int | None = None,
        name: str | None = None,
        dtype: Any = None,
    ) -> None:
        self.sensitivity = share("sensitivity", sensitivity)
        super().__init__(self.sensitivity, num_thresholds, class_id, name, dtype)

    def _rates(self, tp: Counts, fp: Counts, tn: Counts, fn: Counts) -> tuple[Counts, Counts]:
        return divide(tp, tp + fn), divide(tn, tn + fp)


class PrecisionAtRecall(_AtRate):
    """Largest precision TP / (TP + FP) at a recall TP / (TP + FN) of at least the given one.

    Args:
        recall: the least recall, in [0, 1].
        num_thresholds, class_id, name, dtype: as for `SensitivityAtSpecificity`.

    Raises:
        ValueError, TypeError: if an argument is wrong.

    Example:
        >>> PrecisionAtRecall(0.5)([0, 0, 0, 1, 1], [0, 0.3, 0.8, 0.3, 0.8])
        0.5
    """

    name = "precision_at_recall"

    def __init__(
        self,
        recall: float,
        num_thresholds: int = 200,
        class_id: int | None = None,
        name: str | None = None,
        dtype: Any = None,
    ) -> None:
        self.recall = share("recall", recall)
        super().__init__(self.recall, num_thresholds, class_id, name, dtype)

    def _rates(self, tp: Counts, fp: Counts, tn: Counts, fn: Counts) -> tuple[Counts, Counts]:
        return divide(tp, tp + fn), divide(tp, tp + fp)


class RecallAtPrecision(_AtRate):
    """Largest recall TP / (TP + FN) at a precision TP / (TP + FP) of at least the given one.

    Args:
        precision: the least precision, in [0, 1].
        num_thresholds, class_id, name, dtype: as for `SensitivityAtSpecificity`.

    Raises:
        ValueError, TypeError: if an argument is wrong.

    Example:
        >>> RecallAtPrecision(0.8)([0, 0, 1, 1], [0, 0.5, 0.3, 0.9])
        0.5
    """

    name = "recall_at_precision"

    def __init__(
        self,
        precision: float,
        num_thresholds: int = 200,
        class_id: int | None = None,
        name: str | None = None,
        dtype: Any = None,
    ) -> None:
        self.precision = share("precision", precision)
        super().__init__(self.precision, num_thresholds, class_id, name, dtype)

    def _rates(self, tp: Counts, fp: Counts, tn: Counts, fn: Counts) -> tuple[Counts, Counts]:
        return divide(tp, tp + fp), divide(tp, tp + fn)
