"""Losses: how wrong a prediction is, and in which direction."""

import math
from typing import Any

import numpy as np

from fastnet import checks, kernels
from fastnet.activations import Activation, Softmax, softmax
from fastnet.checks import Floats
from fastnet.kernels.panels import zeros

_CLIP = 1e-7  # Keras's: a probability is taken to be at least this, and at most 1 minus this


class Loss:
    """Base of all losses.

    A subclass says in `call` what each row's loss is and in `derivative` its gradient. A model calls `check_targets`
    once a data set and `gradient` once a batch; users call the object, with arrays.
    """

    name = "loss"

    def __init__(self) -> None:
        self._gradients = np.zeros((0, 0), np.float32)

    def call(self, y_true: Floats, y_pred: Floats) -> Floats:
        """The loss of each row, (n,), for targets and predictions (n, C)."""
        raise NotImplementedError

    def derivative(self, y_true: Floats, y_pred: Floats) -> Floats:
        """The gradient of each row's loss by its predictions, (n, C)."""
        raise NotImplementedError

    def __call__(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> float:
        """The mean loss of predictions (n, C) for targets (n, C), weighted if weights (n,) are given.

        Raises:
            ValueError, TypeError: if the arrays are not of that kind or shape.
        """
        predictions = checks.features("y_pred", y_pred)
        targets = self.check_targets("y_true", y_true, predictions.shape[1])
        checks.same_length(targets, predictions, "y_true and y_pred")
        rows = self.call(targets, predictions)
        if sample_weight is not None:
            rows = rows * checks.sample_weights("sample_weight", sample_weight, len(rows))
        return float(rows.mean(dtype=np.float64))

    def takes_logits(self, activation: Activation) -> bool:
        """Whether `gradient` contains this activation of the last layer, which then leaves it out."""
        return False

    def check_targets(self, argument: str, y: Any, units: int) -> Floats:
        """`y` as float32 targets, (n, units), for a model with `units` outputs.

        Raises:
            ValueError, TypeError: if they do not fit.
        """
        array = checks.numeric(argument, y)
        if array.ndim == 1 and units == 1:
            array = array[:, None]
        if array.ndim != 2 or array.shape[1] != units:
            raise ValueError(
                f"{argument} has shape {array.shape}, but the model has {units} outputs: expected (n, {units})"
            )
        return checks.as_float32(argument, array)

    def gradient(
        self, output: Floats, targets: Floats, logits: bool, weights: Floats | None = None
    ) -> tuple[float, Floats, Floats]:
        """The loss of a batch, its predictions, and the loss's gradient by `output`.

        Args:
            output: (B, ld) float32, the last layer's output or, with `logits`, its pre-activation.
            targets: (B, C) float32, checked.
            logits: whether `output` is the pre-activation; only where `takes_logits` said so.
            weights: (B,) float32, how much each row counts, or None.

        Returns:
            The sum of the rows' losses; the predictions, (B, ld); the gradient of the batch's mean loss, (B, ld). The
            arrays are workspaces that the next call writes again.
        """
        classes, batch = targets.shape[1], len(output)
        predictions = output[:, :classes]
        dy = self._workspace(output)
        with np.errstate(all="ignore"):  # what is not finite shows in the loss
            rows = self.call(targets, predictions)
            dy[:, :classes] = self.derivative(targets, predictions) * np.float32(1 / batch)
        return _weigh(rows, dy, weights), output, dy

    def _workspace(self, output: Floats) -> Floats:
        if len(output) > len(self._gradients) or output.shape[1] != self._gradients.shape[1]:
            self._gradients = zeros(output.shape)
        return self._gradients[: len(output)]

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments that are not the defaults."""
        return {}

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{k}={v!r}' for k, v in self.get_config().items())})"


def _weigh(rows: Floats, dy: Floats, weights: Floats | None) -> float:
    """The sum of the rows' losses; with weights both they and the gradients' rows are multiplied."""
    if weights is None:
        return math.fsum(rows.tolist())
    dy *= weights[:, None]
    return math.fsum((rows * weights).tolist())


class CategoricalCrossentropy(Loss):
    """- sum over classes of target * log(prediction), the mean over examples.

    Predictions are divided by their row sum and kept in [1e-7, 1 - 1e-7] for the logarithm, as in Keras. The softmax
    before it is computed with it, as one: the gradient by the logits is prediction - target, whatever underflows.

    Args:
        from_logits: the model's output are logits, not probabilities.

    Example:
        >>> loss = CategoricalCrossentropy()
        >>> round(loss([[0, 1, 0]], [[0.05, 0.95, 0]]), 4)
        0.0513
    """

    name = "categorical_crossentropy"

    def __init__(self, from_logits: bool = False) -> None:
        super().__init__()
        self.from_logits = bool(from_logits)
        self._probabilities = np.zeros((0, 0), np.float32)
        self._rows = np.zeros(0, np.float32)

    def call(self, y_true: Floats, y_pred: Floats) -> Floats:
        return _rows_of(y_true, softmax(y_pred) if self.from_logits else y_pred)

    def takes_logits(self, activation: Activation) -> bool:
        return isinstance(activation, Softmax) and not self.from_logits

    def check_targets(self, argument: str, y: Any, units: int) -> Floats:
        array = checks.numeric(argument, y)
        if array.ndim == 1 or (array.ndim == 2 and array.shape[1] == 1 and units > 1):
            raise ValueError(
                f"{argument} has shape {array.shape}, but {self.name} expects one-hot rows of {units} classes. "
                f"If {argument} holds labels, use fastnet.utils.to_categorical({argument}, {units})"
            )
        if array.ndim != 2 or array.shape[1] != units:
            raise ValueError(
                f"{argument} has shape {array.shape}, but the model has {units} outputs: expected (n, {units})"
            )
        targets = checks.as_float32(argument, array)
        broken = np.flatnonzero(
            (targets.min(axis=1, initial=0) < 0) | (np.abs(targets.sum(axis=1, dtype=np.float64) - 1) > 1e-3)
        )
        if broken.size:
            raise ValueError(
                f"{argument} is not one-hot at row {broken[0]}: {np.array2string(targets[broken[0]], threshold=12)}. "
                f"{self.name} expects rows that are not negative and add to 1"
            )
        return targets

    def gradient(
        self, output: Floats, targets: Floats, logits: bool, weights: Floats | None = None
    ) -> tuple[float, Floats, Floats]:
        if not (logits or self.from_logits):
            return super().gradient(output, targets, logits, weights)
        batch, dy = len(output), self._workspace(output)
        if self._probabilities.shape != self._gradients.shape:
            self._probabilities, self._rows = zeros(self._gradients.shape), np.zeros(len(self._gradients), np.float32)
        p, rows = self._probabilities[:batch], self._rows[:batch]
        total = kernels.softmax_crossentropy(output, targets, p, dy, rows)
        return (total if weights is None else _weigh(rows, dy, weights)), p, dy

    def derivative(self, y_true: Floats, y_pred: Floats) -> Floats:
        return _gradient_by_probabilities(y_true, y_pred)

    def get_config(self) -> dict[str, Any]:
        return {"from_logits": True} if self.from_logits else {}


def _rows_of(targets: Floats, p: Floats) -> Floats:
    """- sum t log(clip(p / sum p)) of each row."""
    with np.errstate(all="ignore"):  # a row of zeros has no shares: its loss is NaN, visibly
        shares = np.clip(p / p.sum(axis=1, keepdims=True), _CLIP, 1 - _CLIP)
        rows: Floats = -(targets * np.log(shares)).sum(axis=1)
    return rows


def _gradient_by_probabilities(targets: Floats, p: Floats) -> Floats:
    """The gradient of `_rows_of` by p: (sum t - t / q) / s, q = p / s, s = sum p, where not clipped."""
    with np.errstate(all="ignore"):
        s = p.sum(axis=1, keepdims=True)
        q = p / s
        t = np.where((q > _CLIP) & (q < 1 - _CLIP), targets, np.float32(0))
        pull = t.sum(axis=1, keepdims=True) - np.where(t != 0, t / q, np.float32(0))
        gradient: Floats = pull / s
    return gradient


def categorical_crossentropy(y_true: Any, y_pred: Any, from_logits: bool = False) -> Floats:
    """The crossentropy of each row: targets (n, C) and predictions (n, C) to losses (n,); errors as the class."""
    loss = CategoricalCrossentropy(from_logits)
    predictions = checks.features("y_pred", y_pred)
    targets = loss.check_targets("y_true", y_true, predictions.shape[1])
    checks.same_length(targets, predictions, "y_true and y_pred")
    return _rows_of(targets, softmax(predictions) if from_logits else predictions)


_BY_NAME: dict[str, type[CategoricalCrossentropy]] = {
    "categorical_crossentropy": CategoricalCrossentropy,
    "CategoricalCrossentropy": CategoricalCrossentropy,
}


def get(identifier: Any) -> Loss:
    """The loss of a name, of the function of that name, or the object itself.

    Raises:
        ValueError: if there is none of that name.
        TypeError: if it is neither a name nor a loss.
    """
    if isinstance(identifier, Loss):
        return identifier
    if identifier is categorical_crossentropy:
        return CategoricalCrossentropy()
    return checks.choose("loss", identifier, _BY_NAME)()
