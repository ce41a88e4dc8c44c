"""Accuracies: the share of correct predictions, for binary, one-hot and label targets."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastnet import checks, kernels
from fastnet.arrays.labels import are_labels, as_classes
from fastnet.checks import Floats
from fastnet.losses import SparseCategoricalCrossentropy
from fastnet.losses.base import Doubles
from fastnet.metrics.base import ByKernel, MeanOverRows, Metric, column

_LABELS = SparseCategoricalCrossentropy(name="sparse_categorical_accuracy")  # checks labels


class Accuracy(MeanOverRows):
    """Share of predictions that are equal to their targets; all arrays of numbers will do, such as labels.

    Example:
        >>> Accuracy()([[1], [2], [3], [4]], [[0], [2], [3], [4]])
        0.75
    """

    name = "accuracy"
    _of_outputs = True
    _direction = "up"

    def rows(self, targets: NDArray[Any], predictions: Floats) -> Floats:
        rows: Floats = (targets == predictions).mean(axis=1, dtype=np.float32)
        return rows


class BinaryAccuracy(ByKernel):
    """Share of correct outputs: an output above the threshold predicts 1, any other output 0.

    Args:
        name: the metric's name.
        dtype: a type of real numbers, which changes no result.
        threshold: the threshold; 0.5 for probabilities, 0 for logits.

    Raises:
        TypeError: if the threshold is not a number.

    Example:
        >>> BinaryAccuracy()([[1], [1], [0], [0]], [[0.98], [1], [0], [0.6]])
        0.75
    """

    name = "binary_accuracy"
    _of_outputs = True
    _direction = "up"

    def __init__(self, name: str | None = None, dtype: Any = None, threshold: float = 0.5) -> None:
        super().__init__(name, dtype)
        self.threshold = checks.number("threshold", threshold, least=-np.inf)

    def write_rows(self, targets: NDArray[Any], predictions: Floats, rows: Doubles) -> None:
        kernels.binary_accuracy(predictions, targets, self.threshold, rows)


class CategoricalAccuracy(ByKernel):
    """Share of examples whose largest prediction is that of the target's class, for one-hot targets.

    Example:
        >>> accuracy = CategoricalAccuracy()
        >>> accuracy.update_state([[0, 1], [1, 0]], [[0.2, 0.8], [0.4, 0.6]])
        >>> accuracy.result()
        0.5
    """

    name = "categorical_accuracy"
    of_rows = True
    _keeps_labels = True
    _direction = "up"

    def write_rows(self, targets: NDArray[Any], predictions: Floats, rows: Doubles) -> None:
        _write_correct(targets, predictions, rows)


class SparseCategoricalAccuracy(CategoricalAccuracy):
    """Share of examples whose largest prediction is that of their label, for labels (n,) or (n, 1).

    Example:
        >>> SparseCategoricalAccuracy()([2, 1], [[0.1, 0.6, 0.3], [0.05, 0.95, 0]])
        0.5
    """

    name = "sparse_categorical_accuracy"
    of_labels = True

    def targets(self, y_true: Any, outputs: int) -> NDArray[Any]:
        return _LABELS.check_targets("y_true", y_true, outputs)


class TopKCategoricalAccuracy(MeanOverRows):
    """Share of examples whose class is among the k largest predictions, for one-hot targets.

    Args:
        k: number of predictions that may be correct, at least 1.
        name: the metric's name.
        dtype: a type of real numbers, which changes no result.

    Raises:
        ValueError: if `k` is below 1.
        TypeError: if `k` is not an integer.

    Example:
        >>> TopKCategoricalAccuracy(k=2)([[0, 0, 1], [0, 1, 0]], [[0.1, 0.9, 0.8], [0.05, 0.95, 0]])
        1.0
    """

    name = "top_k_categorical_accuracy"
    of_rows = True
    _keeps_labels = True
    _direction = "up"

    def __init__(self, k: int = 5, name: str | None = None, dtype: Any = None) -> None:
        super().__init__(name, dtype)
        self.k = checks.integer("k", k, least=1)

    def rows(self, targets: NDArray[Any], predictions: Floats) -> Floats:
        right = np.take_along_axis(predictions, as_classes(targets)[:, None], axis=1)
        rows: Floats = ((predictions > right).sum(axis=1) < self.k).astype(np.float32)
        return rows


class SparseTopKCategoricalAccuracy(TopKCategoricalAccuracy):
    """Share of examples whose label is among the k largest predictions, for labels (n,) or (n, 1).

    Args:
        k: number of predictions that may be correct, at least 1.
        name: the metric's name.
        dtype: a type of real numbers, which changes no result.
        from_sorted_ids: whether predictions are labels, (n, k) or more, with the best first, and not scores.

    Raises:
        ValueError, TypeError: if an argument is wrong.

    Example:
        >>> SparseTopKCategoricalAccuracy(k=1, from_sorted_ids=True)([2, 1], [[1, 0, 3], [1, 2, 3]])
        0.5
    """

    name = "sparse_top_k_categorical_accuracy"
    of_labels = True

    def __init__(self, k: int = 5, name: str | None = None, dtype: Any = None, from_sorted_ids: bool = False) -> None:
        super().__init__(k, name, dtype)
        self.from_sorted_ids = bool(from_sorted_ids)

    def rows(self, targets: NDArray[Any], predictions: Floats) -> Floats:
        if not self.from_sorted_ids:
            return super().rows(targets, predictions)
        rows: Floats = (predictions[:, : self.k] == targets).any(axis=1).astype(np.float32)
        return rows

    def targets(self, y_true: Any, outputs: int) -> NDArray[Any]:
        if self.from_sorted_ids:  # which may be above the number of predictions
            return column("y_true", y_true)
        return _LABELS.check_targets("y_true", y_true, outputs)


class AccuracyByShape(ByKernel):
    """The metric of the name "accuracy": `BinaryAccuracy` for one output, `CategoricalAccuracy` for several or labels.

    When a user calls the metric, targets (n,) or (n, 1) with several outputs are labels.
    """

    name = "accuracy"
    _direction = "up"
    _keeps_labels = True
    _is_binary = False  # whether the last batch had one output

    def write_rows(self, targets: NDArray[Any], predictions: Floats, rows: Doubles) -> None:
        self._is_binary = predictions.shape[1] == 1 and not are_labels(targets)
        if self._is_binary:
            kernels.binary_accuracy(predictions, targets, 0.5, rows)
        else:
            _write_correct(targets, predictions, rows)

    def targets(self, y_true: Any, outputs: int) -> NDArray[Any]:
        array = checks.numeric("y_true", y_true)
        if outputs > 1 and (array.ndim == 1 or (array.ndim == 2 and array.shape[1] == 1)):
            return _LABELS.check_targets("y_true", array, outputs)
        return super().targets(array, outputs)

    def __repr__(self) -> str:
        return f"{(BinaryAccuracy if self._is_binary else CategoricalAccuracy).__name__}(name={self.name!r})"


def _write_correct(targets: NDArray[Any], predictions: Floats, rows: Doubles) -> None:
    """Writes 1 for each row whose largest prediction is that of the target's class, else 0."""
    if are_labels(targets):
        kernels.sparse_categorical_accuracy(predictions, targets, rows)
    else:
        kernels.categorical_accuracy(predictions, targets, rows)


def binary_accuracy(y_true: Any, y_pred: Any, threshold: float = 0.5) -> Floats:
    """Returns 1 for each correct output, else 0: targets and predictions (n, C) to (n, C); errors as the class."""
    metric = BinaryAccuracy(threshold=threshold)
    targets, predictions, _ = metric._pair(y_true, y_pred)
    rows = metric.rows(targets.reshape(-1, 1), predictions.reshape(-1, 1))
    return rows.reshape(np.shape(y_pred))


def categorical_accuracy(y_true: Any, y_pred: Any) -> Floats:
    """Returns 1 for each correct row, else 0: targets and predictions (n, C) to (n,); errors as the class."""
    return CategoricalAccuracy.per_row(y_true, y_pred)


def sparse_categorical_accuracy(y_true: Any, y_pred: Any) -> Floats:
    """Returns 1 for each correct row, else 0: labels (n,) and predictions (n, C) to (n,); errors as the class."""
    return SparseCategoricalAccuracy.per_row(y_true, y_pred)


def top_k_categorical_accuracy(y_true: Any, y_pred: Any, k: int = 5) -> Floats:
    """Returns 1 for each correct row, else 0: targets and predictions (n, C) to (n,); errors as the class."""
    return TopKCategoricalAccuracy.per_row(y_true, y_pred, k=k)


def sparse_top_k_categorical_accuracy(y_true: Any, y_pred: Any, k: int = 5, from_sorted_ids: bool = False) -> Floats:
    """Returns 1 for each correct row, else 0: labels (n,) and predictions (n, C) to (n,); errors as the class."""
    return SparseTopKCategoricalAccuracy.per_row(y_true, y_pred, k=k, from_sorted_ids=from_sorted_ids)


FUNCTIONS: dict[Any, type[Metric]] = {
    binary_accuracy: BinaryAccuracy,
    categorical_accuracy: CategoricalAccuracy,
    sparse_categorical_accuracy: SparseCategoricalAccuracy,
    sparse_top_k_categorical_accuracy: SparseTopKCategoricalAccuracy,
    top_k_categorical_accuracy: TopKCategoricalAccuracy,
}
