"""Loss: what all losses share; what a model asks of one, and what users call."""

import math
from typing import Any

import numpy as np

from fastnet import checks
from fastnet.activations import Activation
from fastnet.checks import Floats
from fastnet.kernels.panels import own_arrays, zeros

MEAN = "sum_over_batch_size"  # Keras's name for the mean of the rows
_REDUCTIONS = (MEAN, "mean", "sum", "none", None)


class Loss:
    """Base of all losses.

    A subclass says in `call` what each row's loss is and in `derivative` its gradient. A model calls `check_targets`
    once a data set and `gradient` once a batch; users call the object, with arrays.

    Args:
        name: what the loss is called, by default its class's name in small letters.
        reduction: what calling the object makes of the rows' losses: ``"sum_over_batch_size"`` or ``"mean"``, or
            ``"sum"``, or None, which leaves them. A model trains on the mean only.

    Raises:
        ValueError: if there is no such reduction.
        TypeError: if the name is no text.

    Example:
        >>> class Quartic(Loss):
        ...     def call(self, y_true, y_pred):
        ...         return ((y_pred - y_true) ** 4).mean(axis=1)
        ...     def derivative(self, y_true, y_pred):
        ...         return 4 * (y_pred - y_true) ** 3 / y_true.shape[1]
        >>> Quartic()([[1.0, 2.0]], [[3.0, 2.0]])
        8.0
    """

    name = "loss"
    of_labels = False  # whether its targets come as labels, which `check_targets` makes one-hot rows of

    def __init__(self, name: str | None = None, reduction: str | None = MEAN) -> None:
        if name is not None:
            if not isinstance(name, str):
                raise TypeError(f"name must be a str, got {name!r}")
            self.name = name
        if reduction not in _REDUCTIONS:
            raise ValueError(f"reduction must be one of {', '.join(map(repr, _REDUCTIONS))}, got {reduction!r}")
        self.reduction = reduction
        self._gradients = np.zeros((0, 0), np.float32)

    def call(self, y_true: Floats, y_pred: Floats) -> Floats:
        """The loss of each row, (n,), for targets and predictions (n, C)."""
        raise NotImplementedError

    def derivative(self, y_true: Floats, y_pred: Floats) -> Floats:
        """The gradient of each row's loss by its predictions, (n, C)."""
        raise NotImplementedError

    def per_row(self, y_true: Any, y_pred: Any) -> Floats:
        """The loss of each row, (n,), for targets and predictions (n, C) of any numeric type.

        Raises:
            ValueError, TypeError: if the arrays are not of that kind or shape.
        """
        predictions = checks.features("y_pred", y_pred)
        targets = self.check_targets("y_true", y_true, predictions.shape[1])
        checks.same_length(targets, predictions, "y_true and y_pred")
        with np.errstate(all="ignore"):  # what is not finite shows in the loss
            return self.call(targets, predictions)

    def __call__(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> Any:
        """The mean loss of predictions (n, C) for targets (n, C), weighted if weights (n,) are given, as a float.

        Another `reduction` gives the sum, or the rows' losses.

        Raises:
            ValueError, TypeError: if the arrays are not of that kind or shape.
        """
        rows = self.per_row(y_true, y_pred)
        if sample_weight is not None:
            rows = rows * checks.sample_weights("sample_weight", sample_weight, len(rows))
        if self.reduction in ("none", None):
            return rows
        total = float(rows.sum(dtype=np.float64))
        return total if self.reduction == "sum" else total / len(rows)

    def takes_logits(self, activation: Activation) -> bool:
        """Whether `gradient` contains this activation of the last layer, which then leaves it out."""
        return False

    def advice(self, activation: Activation | None, units: int) -> str | None:
        """What to change if a model's last layer fits this loss badly, in one sentence, else None.

        Args:
            activation: the last layer's, or None if it is not known.
            units: the number of outputs.
        """
        if units == 1 and activation is not None and activation.name == "softmax":
            return f"softmax over 1 unit is always 1, so {self.name} cannot improve: use the activation 'sigmoid'"
        return None

    def check_targets(self, argument: str, y: Any, units: int) -> Floats:
        """`y` as float32 targets, (n, units), for a model with `units` outputs.

        Raises:
            ValueError, TypeError: if they do not fit.
        """
        array = checks.numeric(argument, y)
        if array.ndim == 1 and units == 1:
            array = array[:, None]
        if array.ndim != 2 or array.shape[1] != units:
            raise checks.ShapeError(wrong_shape(argument, array.shape, units))
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
        return weigh(rows, dy, weights), output, dy

    def _workspace(self, output: Floats) -> Floats:
        if len(output) > len(self._gradients) or output.shape[1] != self._gradients.shape[1]:
            self._gradients = zeros(output.shape)
        return self._gradients[: len(output)]

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(own_arrays(state))

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments that are not the defaults."""
        named = {"name": self.name} if self.name != type(self).name else {}
        return arguments(self) | named

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{k}={v!r}' for k, v in self.get_config().items())})"


class MeanOverOutputs(Loss):
    """Base of the losses that are a mean over a row's outputs, each of which counts by itself."""

    def elements(self, y_true: Floats, y_pred: Floats) -> Floats:
        """The loss of each output, (n, C)."""
        raise NotImplementedError

    def slopes(self, y_true: Floats, y_pred: Floats) -> Floats:
        """The derivative of each output's loss by its prediction, (n, C)."""
        raise NotImplementedError

    def call(self, y_true: Floats, y_pred: Floats) -> Floats:
        rows: Floats = self.elements(y_true, y_pred).mean(axis=1)
        return rows

    def derivative(self, y_true: Floats, y_pred: Floats) -> Floats:
        gradient: Floats = self.slopes(y_true, y_pred) / y_true.shape[1]
        return gradient


def weigh(rows: Floats, dy: Floats, weights: Floats | None) -> float:
    """The sum of the rows' losses; with weights both they and the gradients' rows are multiplied."""
    if weights is None:
        return math.fsum(rows.tolist())
    dy *= weights[:, None]
    return math.fsum((rows * weights).tolist())


def wrong_shape(argument: str, shape: tuple[int, ...], units: int) -> str:
    """The message for targets that do not have as many columns as the model has outputs."""
    hint = f", or a last layer of {shape[1]} units" if len(shape) == 2 and shape[1] else ""
    return f"{argument} has shape {shape}, but the model has {units} outputs: expected (n, {units}){hint}"


def arguments(thing: Any) -> dict[str, Any]:
    """The arguments of an object's constructor that are its attributes too, and not the defaults; without the name."""
    found = {}
    import inspect

    for parameter in inspect.signature(type(thing)).parameters.values():
        if parameter.name != "name" and hasattr(thing, parameter.name):
            value = getattr(thing, parameter.name)
            if value != parameter.default:
                found[parameter.name] = value
    return found
