"""Intersection over union (IoU): how well the examples of each class are found, from a confusion matrix.

IoU of a class = TP / (TP + FP + FN): the examples that are of the class and predicted so, over those that are either.
It is also called the Jaccard index, after P. Jaccard, "The Distribution of the Flora in the Alpine Zone", 1912.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastnet import checks
from fastnet.arrays.labels import are_labels
from fastnet.checks import Floats
from fastnet.metrics.base import Checked, spread
from fastnet.metrics.confusion import divide

_MOST_CLASSES = 4096  # the matrix then takes 134 MB; a model file from an untrusted source cannot ask for more


class IoU(Checked):
    """Mean IoU of chosen classes; a class that neither occurs nor is predicted does not count.

    Where the target or the prediction is no class from 0 to K - 1, an example does not count either.

    Args:
        num_classes: the number K of classes, at most 4096.
        target_class_ids: the classes to average over, such as ``[0, 2]``.
        name: the metric's name.
        dtype: a type of real numbers, which changes no result.
        ignore_class: if given, targets of this class do not count. It need not be below K.
        sparse_y_true: whether targets are classes, of any shape; if not, the class is where they are largest on `axis`.
        sparse_y_pred: the same for predictions. A fraction is cut off: 0.9 is class 0.
        axis: the axis of the classes; the last one in a training.

    Raises:
        ValueError, TypeError: if an argument is wrong.

    Example:
        >>> IoU(num_classes=2, target_class_ids=[0])([0, 0, 1, 1], [0, 1, 0, 1])
        0.3333333333333333
    """

    name = "io_u"
    _direction = "up"
    _keeps_labels = True

    def __init__(
        self,
        num_classes: int,
        target_class_ids: Any,
        name: str | None = None,
        dtype: Any = None,
        ignore_class: int | None = None,
        sparse_y_true: bool = True,
        sparse_y_pred: bool = True,
        axis: int = -1,
    ) -> None:
        super().__init__(name, dtype)
        self.num_classes = checks.integer("num_classes", num_classes, least=1)
        if self.num_classes > _MOST_CLASSES:
            raise ValueError(f"num_classes must be at most {_MOST_CLASSES}, got {self.num_classes}")
        self.target_class_ids = [
            checks.integer("target_class_ids", each, least=0) for each in checks.entries(target_class_ids)
        ]
        if not self.target_class_ids or max(self.target_class_ids) >= self.num_classes:
            raise ValueError(f"target_class_ids must be classes below {self.num_classes}, got {target_class_ids!r}")
        self.ignore_class = (
            None if ignore_class is None else checks.integer("ignore_class", ignore_class, least=-(2**31))
        )
        self.sparse_y_true, self.sparse_y_pred = bool(sparse_y_true), bool(sparse_y_pred)
        self.axis = checks.integer("axis", axis, least=-32)
        self.total_cm = self._counter("total_confusion_matrix", (self.num_classes, self.num_classes))

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Adds targets and predictions of any shape, with weights of that shape, one an example, or one number.

        Raises:
            ValueError, TypeError: if an array has another type or shape.
        """
        targets = self._classes("y_true", y_true, self.sparse_y_true)
        weights = None if sample_weight is None else spread(sample_weight, targets.shape).reshape(-1)
        self._add_classes(targets, self._classes("y_pred", y_pred, self.sparse_y_pred), weights)

    def add(self, targets: NDArray[Any], predictions: Floats, weights: Floats | None) -> None:
        is_sparse = self.sparse_y_true or are_labels(targets)
        real = targets if is_sparse else targets.argmax(axis=1)[:, None]
        found = self._predicted(predictions) if self.sparse_y_pred else predictions.argmax(axis=1)[:, None]
        self._add_classes(real, found, None if weights is None else np.repeat(weights, real.shape[1]))

    def _predicted(self, predictions: NDArray[Any]) -> NDArray[Any]:
        """Returns the class of each prediction that is not a score of several classes."""
        return predictions

    def _classes(self, argument: str, value: Any, sparse: bool) -> NDArray[Any]:
        array = np.atleast_1d(checks.as_float32(argument, checks.numeric(argument, value)))
        if sparse:
            return self._predicted(array) if argument == "y_pred" else array
        if not -array.ndim <= self.axis < array.ndim:
            raise ValueError(f"{argument} has shape {array.shape}, which has no axis {self.axis} for the classes")
        classes: NDArray[Any] = array.argmax(axis=self.axis)
        return classes

    def _add_classes(self, targets: NDArray[Any], predictions: NDArray[Any], weights: Floats | None) -> None:
        """Adds targets and predictions that are classes, of the same shape, with weights (N,) or None."""
        if targets.size != predictions.size:
            raise ValueError(
                f"y_true is {targets.shape} classes and y_pred {predictions.shape}; expected the same number. Give "
                "sparse_y_true=False or sparse_y_pred=False for what has a score for each class"
            )
        t, p = targets.reshape(-1), predictions.reshape(-1)
        counts = (t >= 0) & (t < self.num_classes) & (p >= 0) & (p < self.num_classes)  # NaN is no class, either
        if self.ignore_class is not None:
            counts &= t != self.ignore_class
        at = t[counts].astype(np.int64) * self.num_classes + p[counts].astype(np.int64)
        each = None if weights is None else weights[counts].astype(np.float64)
        cells = np.bincount(at, each, self.num_classes**2)
        self.total_cm.packed += cells.reshape(self.num_classes, self.num_classes)

    def result(self) -> float:
        """Returns the mean IoU; 0 before the first batch."""
        matrix = self.total_cm.numpy().astype(np.float64)
        found = np.diag(matrix)
        either = matrix.sum(axis=0) + matrix.sum(axis=1) - found
        ious = divide(found, either)[self.target_class_ids]
        return float(divide(ious.sum(), (either[self.target_class_ids] > 1e-9).sum()))


class BinaryIoU(IoU):
    """Mean IoU of the classes 0 and 1, of predictions that are class 1 from a threshold on.

    Args:
        target_class_ids: the classes to average over: ``[0]``, ``[1]`` or ``[0, 1]``.
        threshold: predictions of at least this number are class 1.
        name: the metric's name.
        dtype: a type of real numbers, which changes no result.

    Example:
        >>> round(BinaryIoU([0, 1], threshold=0.3)([0, 1, 0, 1], [0.1, 0.2, 0.4, 0.7]), 4)
        0.3333
    """

    name = "binary_io_u"

    def __init__(
        self, target_class_ids: Any = (0, 1), threshold: float = 0.5, name: str | None = None, dtype: Any = None
    ) -> None:
        super().__init__(2, target_class_ids, name, dtype)
        self.threshold = checks.number("threshold", threshold, least=-np.inf)

    def _predicted(self, predictions: NDArray[Any]) -> NDArray[Any]:
        return np.where(np.isnan(predictions), np.nan, predictions >= np.float32(self.threshold))


class MeanIoU(IoU):
    """Mean IoU of all classes; arguments as `IoU`, without `target_class_ids`.

    Example:
        >>> round(MeanIoU(num_classes=2)([0, 0, 1, 1], [0, 1, 0, 1], [0.3, 0.3, 0.3, 0.1]), 4)
        0.2381
    """

    name = "mean_io_u"

    def __init__(
        self,
        num_classes: int,
        name: str | None = None,
        dtype: Any = None,
        ignore_class: int | None = None,
        sparse_y_true: bool = True,
        sparse_y_pred: bool = True,
        axis: int = -1,
    ) -> None:
        chosen = range(checks.integer("num_classes", num_classes, least=1))
        super().__init__(num_classes, chosen, name, dtype, ignore_class, sparse_y_true, sparse_y_pred, axis)


class OneHotIoU(IoU):
    """Mean IoU of chosen classes, for one-hot targets and predictions with a score for each class.

    The arguments are those of `IoU`, without `sparse_y_true`.
    """

    name = "one_hot_io_u"

    def __init__(
        self,
        num_classes: int,
        target_class_ids: Any,
        name: str | None = None,
        dtype: Any = None,
        ignore_class: int | None = None,
        sparse_y_pred: bool = False,
        axis: int = -1,
    ) -> None:
        super().__init__(num_classes, target_class_ids, name, dtype, ignore_class, False, sparse_y_pred, axis)


class OneHotMeanIoU(MeanIoU):
    """Mean IoU of all classes, for one-hot targets and predictions with a score for each class.

    The arguments are those of `MeanIoU`, without `sparse_y_true`.
    """

    name = "one_hot_mean_io_u"

    def __init__(
        self,
        num_classes: int,
        name: str | None = None,
        dtype: Any = None,
        ignore_class: int | None = None,
        sparse_y_pred: bool = False,
        axis: int = -1,
    ) -> None:
        super().__init__(num_classes, name, dtype, ignore_class, False, sparse_y_pred, axis)
