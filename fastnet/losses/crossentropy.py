"""Crossentropies: - sum target * log(probability), computed together with the softmax or sigmoid before it."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastnet import checks, kernels
from fastnet.activations import Activation, Sigmoid, Softmax, softmax
from fastnet.arrays.labels import are_labels, as_rows
from fastnet.arrays.panels import zeros
from fastnet.checks import Floats
from fastnet.losses.base import NO_WEIGHTS, BuiltIn, Doubles, Loss, wrong_shape
from fastnet.losses.reduction import MEAN, shares
from fastnet.recorded import is_ours
from fastnet.utils import check_labels

CLIP = 1e-7  # probabilities are clipped to [CLIP, 1 - CLIP], as in Keras

_SIGMOIDS = ("sigmoid", "hard_sigmoid")  # activations whose outputs are probabilities, each by itself


class Crossentropy(BuiltIn):
    """Base of the losses of probabilities, which a model may also give as logits."""

    _probabilities = np.zeros((0, 0), np.float32)

    def __init__(
        self,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        axis: int = -1,
        reduction: str | None = MEAN,
        name: str | None = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(reduction, name, dtype)
        self.axis = checks.integer("axis", axis, least=-64)
        self.from_logits = bool(from_logits)
        self.label_smoothing = checks.number("label_smoothing", label_smoothing, least=0)
        if self.label_smoothing > 1:
            raise ValueError(f"label_smoothing must be in [0, 1], got {self.label_smoothing!r}")

    def _is_taped(self, logits: bool) -> bool:
        return self._is_fused(logits) and is_ours(type(self).gradient)

    def _is_fused(self, logits: bool) -> bool:
        """Returns whether a kernel computes the loss from logits."""
        return (logits or self.from_logits) and not self._is_overridden

    def _workspaces(self, output: Floats) -> tuple[Floats, Floats, Doubles]:
        """Returns the arrays of the probabilities, (B, ld), of the gradient, (B, ld), and of the rows' losses, (B,)."""
        dy, batch = self._workspace(output), len(output)
        if self._probabilities.shape != self._gradients.shape:
            self._probabilities = zeros(self._gradients.shape)
        return self._probabilities[:batch], dy, self._rows[:batch]


class CategoricalCrossentropy(Crossentropy):
    """- sum of target * log(prediction) over the classes, the mean over examples.

    Predictions are divided by their row sum and clipped to [1e-7, 1 - 1e-7] for the logarithm, as in Keras. The loss of
    a row is then at most 16.1. If the last activation of the model is softmax, one kernel computes both. The loss is
    still clipped, but the gradient with respect to the logits is prediction - target, without the clip.

    With ``from_logits=True`` nothing is clipped: the loss of a row grows with its logits and has no upper limit.

    Args:
        from_logits: whether the outputs of the model are logits, not probabilities.
        label_smoothing: share s of each target that all classes divide among them, in [0, 1]: t (1 - s) + s / C.
            Source: C. Szegedy et al., "Rethinking the Inception Architecture for Computer Vision", 2016, section 7.
        axis: the axis of the classes, the last by default. A model trains with the last only.
        reduction, name, dtype: as for `Loss`.

    Raises:
        ValueError: if `label_smoothing` is not in [0, 1].
        TypeError: if `label_smoothing` is not a number.

    Example:
        >>> loss = CategoricalCrossentropy()
        >>> round(loss([[0, 1, 0]], [[0.05, 0.95, 0]]), 4)
        0.0513
    """

    name = "categorical_crossentropy"
    of_rows = True

    def call(self, y_true: Floats, y_pred: Floats) -> Floats:
        targets = self._smooth(y_true)
        return _rows_of_logits(targets, y_pred) if self.from_logits else _rows_of(targets, y_pred)

    def derivative(self, y_true: Floats, y_pred: Floats) -> Floats:
        targets = self._smooth(y_true)
        if self.from_logits:
            return softmax(y_pred) * targets.sum(axis=1, keepdims=True) - targets
        return _gradient_by_probabilities(targets, y_pred)

    def takes_logits(self, activation: Activation) -> bool:
        return isinstance(activation, Softmax) and not (self.from_logits or self._is_overridden)

    def advice(self, activation: Activation | None, units: int) -> str | None:
        if units == 1:
            return (
                f"{self.shown} with 1 unit knows one class only and cannot improve: for two classes use the loss "
                "'binary_crossentropy' and the activation 'sigmoid', or 2 units"
            )
        if activation is None:
            return None
        if self.from_logits:
            return _twice(self, activation)
        if activation.name != "softmax":
            return (
                f"{self.shown} expects probabilities, but the last activation is {activation.name!r}: use "
                f"activation='softmax' there, or {type(self).__name__}(from_logits=True) with no activation"
            )
        return None

    def check_targets(self, argument: str, y: Any, units: int) -> Floats:
        array = checks.numeric(argument, y)
        if array.ndim == 1 or (array.ndim == 2 and array.shape[1] == 1 and units > 1):
            raise ValueError(
                f"{argument} has shape {array.shape}, but {self.shown} expects one-hot rows of {units} classes. "
                f"If {argument} holds labels, use fastnet.utils.to_categorical({argument}, {units}), "
                "or the loss 'sparse_categorical_crossentropy'"
            )
        if array.ndim != 2 or array.shape[1] != units:
            raise checks.ShapeError(wrong_shape(argument, array.shape, units))
        targets = checks.as_float32(argument, array)
        sums = np.ascontiguousarray(targets.T).sum(axis=0, dtype=np.float64)  # faster than sums of short rows
        distances = np.abs(sums - 1)
        if targets.size and (targets.min() < 0 or distances.max() > 1e-3):
            broken = np.flatnonzero((targets.min(axis=1) < 0) | (distances > 1e-3))
            raise ValueError(
                f"{argument} is not one-hot at row {broken[0]}: {np.array2string(targets[broken[0]], threshold=12)}. "
                f"{self.shown} expects rows that are not negative and add to 1; for rows of several labels use the "
                "loss 'binary_crossentropy' and the activation 'sigmoid'"
            )
        return targets

    def gradient(
        self,
        output: Floats,
        targets: NDArray[Any],
        logits: bool,
        weights: Floats | None = None,
        units: int | None = None,
    ) -> tuple[Doubles, Floats, Floats]:
        if not self._is_fused(logits):
            return super().gradient(output, targets, logits, weights)
        p, dy, rows = self._workspaces(output)
        by = NO_WEIGHTS if weights is None else weights
        kernels.softmax_crossentropy(output, targets, by, p, dy, rows, self.label_smoothing, logits)
        return self._sum(rows, weights), (p if logits else output), dy

    def _smooth(self, targets: Floats) -> Floats:
        # Not in check_targets, since metrics need the targets as they are.
        s = self.label_smoothing
        return targets * (1 - s) + s / targets.shape[1] if s else targets


class SparseCategoricalCrossentropy(CategoricalCrossentropy):
    """`CategoricalCrossentropy` for targets that are labels: integers in [0, C), of shape (n,) or (n, 1).

    Args:
        from_logits: whether the outputs of the model are logits, not probabilities. Nothing is clipped then.
        ignore_class: a label whose rows do not count, such as -1 for "unknown"; None if all rows count. The loss of
            these rows is 0, and the mean is that of the other rows.
        reduction, name, dtype: as for `Loss`.

    Raises:
        TypeError: if `ignore_class` is not an integer.

    Example:
        >>> loss = SparseCategoricalCrossentropy()
        >>> round(loss([1, 2], [[0.05, 0.95, 0], [0.1, 0.8, 0.1]]), 3)
        1.177
    """

    name = "sparse_categorical_crossentropy"
    of_labels = True
    _keeps_labels = True

    def __init__(
        self,
        from_logits: bool = False,
        ignore_class: int | None = None,
        reduction: str | None = MEAN,
        name: str | None = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(from_logits, reduction=reduction, name=name, dtype=dtype)
        self.ignore_class = ignore_class
        if ignore_class is not None:
            self.ignore_class = checks.integer("ignore_class", ignore_class, least=np.iinfo(np.int32).min)

    def call(self, y_true: NDArray[Any], y_pred: Floats) -> Floats:
        targets = self._targets(y_true, y_pred.shape[1])
        rows = super().call(targets, y_pred)
        return rows if self.ignore_class is None else np.where(targets.any(axis=1), rows, y_pred.dtype.type(0))

    def derivative(self, y_true: NDArray[Any], y_pred: Floats) -> Floats:
        return super().derivative(self._targets(y_true, y_pred.shape[1]), y_pred)

    def _targets(self, targets: NDArray[Any], classes: int) -> NDArray[Any]:
        """Returns one-hot rows for labels or one-hot rows; a row of zeros for the class to ignore."""
        rows, ignored = as_rows(targets, classes), self.ignore_class
        if ignored is None or not 0 <= ignored < classes:
            return rows
        return np.where(rows[:, ignored, None] == 1, rows.dtype.type(0), rows)

    def _counted(self, y_true: Any, losses: NDArray[Any]) -> NDArray[np.bool_] | None:
        if self.ignore_class is None:
            return None
        counted: NDArray[np.bool_] = np.reshape(y_true, losses.shape) != self.ignore_class
        return counted

    def _is_taped(self, logits: bool) -> bool:
        return self.ignore_class is None and super()._is_taped(logits)

    def check_targets(self, argument: str, y: Any, units: int) -> NDArray[Any]:
        """Returns labels (n,) or (n, 1) as (n, 1) int32; errors as for `Loss.check_targets`."""
        array = checks.numeric(argument, y)
        if array.ndim == 2 and array.shape[1] == units > 1:
            raise ValueError(
                f"{argument} has shape {array.shape}, but {self.shown} expects labels, (n,). "
                f"If {argument} holds one-hot rows, use the loss 'categorical_crossentropy'"
            )
        if array.ndim not in (1, 2) or (array.ndim == 2 and array.shape[1] != 1):
            raise ValueError(f"{argument} has shape {array.shape}, but {self.shown} expects labels, (n,) or (n, 1)")
        labels = array.reshape(-1)
        try:
            check_labels(
                labels if self.ignore_class is None else np.where(labels == self.ignore_class, 0, labels), units
            )
        except ValueError as error:
            raise ValueError(
                f"{argument}: {error}; the model has {units} outputs, so {self.shown} expects whole numbers "
                f"from 0 to {units - 1}"
            ) from None
        return labels.astype(np.int32)[:, None]

    @property
    def _is_coupled(self) -> bool:  # type: ignore[override]
        return self.ignore_class is not None  # the mean is that over the rows that count

    def gradient(
        self,
        output: Floats,
        targets: NDArray[Any],
        logits: bool,
        weights: Floats | None = None,
        units: int | None = None,
    ) -> tuple[Doubles, Floats, Floats]:
        if self.ignore_class is not None and are_labels(targets):
            counts = targets != self.ignore_class
            share, targets = shares(counts[:, 0]), targets * counts
            weights = share if weights is None else share * weights
        if units is None or not are_labels(targets) or not self._is_fused(logits) or self.label_smoothing:
            return super().gradient(output, as_rows(targets, units), logits, weights)
        p, dy, rows = self._workspaces(output)
        by = NO_WEIGHTS if weights is None else weights
        kernels.sparse_softmax_crossentropy(output, units, targets, by, p, dy, rows, logits)
        return self._sum(rows, weights), (p if logits else output), dy


class BinaryCrossentropy(Crossentropy):
    """- t log p - (1 - t) log(1 - p), the mean over outputs and examples.

    Probabilities are clipped to [1e-7, 1 - 1e-7] for the logarithms, as in Keras. If the last activation of the model
    is sigmoid, both are computed in one step. The loss is still clipped, but the gradient with respect to the logits is
    (p - t) / C, without the clip.

    With ``from_logits=True`` nothing is clipped.

    Args:
        from_logits: whether the outputs of the model are logits, not probabilities.
        label_smoothing: share s by which targets move towards 1/2, in [0, 1]: t (1 - s) + s / 2.
        axis: the axis of the outputs, the last by default. A model trains with the last only.
        reduction, name, dtype: as for `Loss`.

    Raises:
        ValueError: if `label_smoothing` is not in [0, 1].
        TypeError: if `label_smoothing` is not a number.

    Example:
        >>> loss = BinaryCrossentropy()
        >>> round(loss([[0, 1], [0, 0]], [[0.6, 0.4], [0.4, 0.6]]), 3)
        0.815
    """

    name = "binary_crossentropy"

    def call(self, y_true: Floats, y_pred: Floats) -> Floats:
        t = self._smooth(y_true)
        if self.from_logits:
            log_p, log_rest = _log_sigmoids(y_pred)
        else:
            p = np.clip(y_pred, CLIP, 1 - CLIP)
            log_p, log_rest = np.log(p), np.log(1 - p)
        return _binary_rows(t, log_p, log_rest)

    def derivative(self, y_true: Floats, y_pred: Floats) -> Floats:
        t, outputs = self._smooth(y_true), y_true.shape[1]
        if self.from_logits:
            return (np.exp(_log_sigmoids(y_pred)[0]) - t) / outputs
        p = np.clip(y_pred, CLIP, 1 - CLIP)
        return np.where(p == y_pred, (p - t) / (p * (1 - p)), y_pred.dtype.type(0)) / outputs

    def takes_logits(self, activation: Activation) -> bool:
        return isinstance(activation, Sigmoid) and not (self.from_logits or self._is_overridden)

    def advice(self, activation: Activation | None, units: int) -> str | None:
        if activation is None:
            return None
        if self.from_logits:
            return _twice(self, activation)
        if activation.name == "softmax" and units > 1:
            return (
                f"{self.shown} takes each of the {units} outputs by itself, but the last activation 'softmax' makes "
                "them one distribution: use the loss 'categorical_crossentropy', or the activation 'sigmoid'"
            )
        if activation.name not in _SIGMOIDS:
            return (
                f"{self.shown} expects probabilities, but the last activation is {activation.name!r}: use "
                f"activation='sigmoid' there, or {type(self).__name__}(from_logits=True) with no activation"
            )
        return None

    def check_targets(self, argument: str, y: Any, units: int) -> Floats:
        targets = super().check_targets(argument, y, units)
        if targets.size and not (targets.min() >= 0 and targets.max() <= 1):
            row, column = (int(i) for i in np.argwhere((targets < 0) | (targets > 1))[0])
            value = targets[row, column]
            hint = f". For labels -1 and 1 use ({argument} + 1) / 2, or the loss 'hinge'" if value == -1 else ""
            hint = f". For labels of more than two classes use one unit each and {_SPARSE!r}" if value > 1 else hint
            raise ValueError(
                f"{argument} holds {value:g} at row {row}, column {column}; {self.shown} expects numbers from 0 to 1"
                f"{hint}"
            )
        return targets

    def gradient(
        self,
        output: Floats,
        targets: NDArray[Any],
        logits: bool,
        weights: Floats | None = None,
        units: int | None = None,
    ) -> tuple[Doubles, Floats, Floats]:
        if not self._is_fused(logits):
            return super().gradient(output, targets, logits, weights)
        p, dy, rows = self._workspaces(output)
        by = NO_WEIGHTS if weights is None else weights
        kernels.binary_crossentropy(output, targets, by, p, dy, rows, self.label_smoothing, logits)
        return self._sum(rows, weights), (p if logits else output), dy

    def _smooth(self, targets: Floats) -> Floats:
        s = self.label_smoothing
        return targets * (1 - s) + 0.5 * s if s else targets


_SPARSE = SparseCategoricalCrossentropy.name


def _twice(loss: Loss, activation: Activation) -> str | None:
    """Returns the advice for a loss from logits after an activation that already returns probabilities."""
    if activation.name not in ("softmax", *_SIGMOIDS):
        return None
    return (
        f"{loss.name} with from_logits=True computes the probabilities itself, but the last activation is "
        f"{activation.name!r}: leave out one of them"
    )


def _rows_of(targets: Floats, p: Floats) -> Floats:
    """Returns - sum t log(clip(p / sum p)) of each row."""
    with np.errstate(all="ignore"):  # the loss of a row of zeros is NaN
        shares = np.clip(p / p.sum(axis=1, keepdims=True), CLIP, 1 - CLIP)
        rows: Floats = -(targets * np.log(shares)).sum(axis=1)
    return rows


def _rows_of_logits(targets: Floats, z: Floats) -> Floats:
    """Returns - sum t log softmax(z) of each row, without a clip."""
    with np.errstate(all="ignore"):
        shifted = z - z.max(axis=1, keepdims=True)
        log_p = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
        # The difference of two large logits may be infinite in float32, and 0 * infinity is NaN.
        rows: Floats = -np.multiply(targets, log_p, out=np.zeros_like(log_p), where=targets != 0).sum(axis=1)
    return rows


def _gradient_by_probabilities(targets: Floats, p: Floats) -> Floats:
    """Returns the gradient of `_rows_of` with respect to p: (sum t - t / q) / s for q = p / s, s = sum p."""
    with np.errstate(all="ignore"):
        s = p.sum(axis=1, keepdims=True)
        q = p / s
        # The terms that are clipped are constant.
        t = np.where((q > CLIP) & (q < 1 - CLIP), targets, p.dtype.type(0))
        pull = t.sum(axis=1, keepdims=True) - np.where(t != 0, t / q, p.dtype.type(0))
        gradient: Floats = pull / s
    return gradient


def _log_sigmoids(z: Floats) -> tuple[Floats, Floats]:
    """Returns log p and log(1 - p) for p = 1 / (1 + exp(-z)). Nothing overflows, since exp gets no positive number."""
    common = np.log1p(np.exp(-np.abs(z)))
    return np.minimum(z, 0) - common, -np.maximum(z, 0) - common


def _binary_rows(t: Floats, log_p: Floats, log_rest: Floats) -> Floats:
    return -(t * log_p + (1 - t) * log_rest).mean(axis=1)


def categorical_crossentropy(
    y_true: Any, y_pred: Any, from_logits: bool = False, label_smoothing: float = 0.0, axis: int = -1
) -> Floats:
    """Returns the loss of each row, (n,), for targets and predictions (n, C); see `CategoricalCrossentropy`."""
    return CategoricalCrossentropy(from_logits, label_smoothing, axis).per_row(y_true, y_pred)


def sparse_categorical_crossentropy(
    y_true: Any, y_pred: Any, from_logits: bool = False, ignore_class: int | None = None, axis: int = -1
) -> Floats:
    """Returns the loss of each row, (n,), for labels (n,), predictions (n, C); see `SparseCategoricalCrossentropy`."""
    loss = SparseCategoricalCrossentropy(from_logits, ignore_class)
    loss.axis = checks.integer("axis", axis, least=-64)
    return loss.per_row(y_true, y_pred)


def binary_crossentropy(
    y_true: Any, y_pred: Any, from_logits: bool = False, label_smoothing: float = 0.0, axis: int = -1
) -> Floats:
    """Returns the loss of each row, (n,), for targets and predictions (n, C); see `BinaryCrossentropy`."""
    return BinaryCrossentropy(from_logits, label_smoothing, axis).per_row(y_true, y_pred)
