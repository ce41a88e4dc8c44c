"""`Loss`, the base of all losses: what a model calls, and what users call.

What a user's class returns is checked at each call, before a kernel or a metric sees it.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from fastnet import checks, kernels
from fastnet.activations import Activation
from fastnet.arrays.labels import as_rows
from fastnet.arrays.panels import own_arrays, zeros
from fastnet.checks import Floats
from fastnet.losses.reduction import MEAN, REDUCTIONS, reduced, same_rank
from fastnet.recorded import Recorded, is_ours
from fastnet.terminal.screen import printable

NO_WEIGHTS = np.zeros(0, np.float32)  # for a kernel: all rows count alike
_WORKSPACES = ("_gradients", "_probabilities", "_rows", "_total")  # attributes that the next batch overwrites

Doubles = NDArray[np.float64]


class Loss(Recorded):
    """Base of all losses.

    A subclass computes the loss of each row in `call`, and its gradient with respect to the predictions in
    `derivative`. fastnet does not derive gradients from Python code, so a model refuses a loss that has only `call`.

    A model calls `check_targets` once for a data set and `gradient` once for each batch. Users call the object itself.

    Args:
        name: the name in messages and files; each class has a default.
        reduction: how a call combines the losses of the rows: ``"sum_over_batch_size"`` or ``"mean"`` for their mean,
            ``"mean_with_sample_weight"`` for their sum divided by that of the weights, ``"sum"`` for their sum,
            ``"none"`` or None for no change. A model trains on the mean only.
        dtype: ``"float32"``, the only type; None means the same.

    Raises:
        ValueError: if there is no such reduction, or `dtype` is another.
        TypeError: if the name is not a str.

    Example:
        >>> class Quartic(Loss):
        ...     def call(self, y_true, y_pred):
        ...         return ((y_pred - y_true) ** 4).mean(axis=1)
        ...     def derivative(self, y_true, y_pred):
        ...         return 4 * (y_pred - y_true) ** 3 / y_true.shape[1]
        >>> Quartic()([[1.0, 2.0]], [[3.0, 2.0]])
        8.0
    """

    _kept = ("name",)
    name = "loss"
    reduction: str | None = MEAN
    dtype = "float32"
    of_labels = False  # whether its targets are labels
    of_rows = False  # whether the loss is of a whole row, not of each output by itself
    _direction: ClassVar[str] = "down"  # a smaller loss is better
    _is_overridden: ClassVar[bool] = False  # whether a user's class computes the loss or its gradient
    _is_coupled = False  # whether the loss of a row depends on the other rows of its batch
    _keeps_labels: ClassVar[bool] = (
        False  # whether `check_targets` returns labels, (n, 1) int32; a user's methods get rows
    )
    _needs_labels: ClassVar[bool] = False  # whether `call` takes labels only, not the one-hot rows that stand for them
    _gradients = np.zeros((0, 0), np.float32)
    _rows = np.zeros(0)
    _total: Doubles

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if is_ours(cls):
            return
        for name, checked in _CHECKED.items():
            if name in vars(cls):
                setattr(cls, name, checked(vars(cls)[name]))
        cls._is_overridden = cls._is_overridden or any(
            name in vars(cls) for name in ("call", "elements", "derivative", "slopes")
        )

    def __init__(self, name: str | None = None, reduction: str | None = MEAN, dtype: Any = None) -> None:
        if name is not None:
            if not isinstance(name, str):
                raise TypeError(f"name must be a str, got {name!r}")
            self.name = name
        if reduction not in REDUCTIONS:
            raise ValueError(f"reduction must be one of {', '.join(map(repr, REDUCTIONS))}, got {reduction!r}")
        self.reduction = reduction
        checks.float32_only(dtype)

    @property
    def shown(self) -> str:
        """The name for messages, without the control characters that a model file may contain."""
        return printable(self.name)

    def call(self, y_true: Floats, y_pred: Floats) -> Floats:
        """Returns the loss of each row, (n,), or of each output, (n, C), for targets and predictions (n, C).

        The loss of a row is then the mean over its outputs.
        """
        raise NotImplementedError(f"{type(self).__name__} has no call()")

    def derivative(self, y_true: Floats, y_pred: Floats) -> Floats:
        """Returns the gradient of each row's loss with respect to its predictions, (n, C)."""
        raise NotImplementedError(f"{type(self).__name__} has no derivative(), so no model can be trained with it")

    def per_row(self, y_true: Any, y_pred: Any) -> Floats:
        """Returns the loss of each row, (...), for predictions (..., C); an array (C,) is one row.

        Args:
            y_true: targets as the loss takes them: of the shape of the predictions, or labels of the shape (...).
            y_pred: predictions. If the loss has an `axis`, the outputs C are there.

        Raises:
            ValueError: if the shapes do not fit, or the loss does not take such targets.
            TypeError: if an argument does not hold numbers.
        """
        targets, predictions = self._pair(y_true, y_pred)
        outer, units = predictions.shape[:-1], predictions.shape[-1]
        if len(outer) != 1:  # the rows lie along several axes, or there is one
            targets = targets.reshape(-1, 1 if self.of_labels else units)
            predictions = predictions.reshape(-1, units)
        targets = self.check_targets("y_true", targets, units)
        checks.same_length(targets, predictions, "y_true and y_pred")
        with np.errstate(all="ignore"):  # the loss reports NaN and infinity
            return self.call(targets, predictions).reshape(outer)

    def __call__(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> Any:
        """Returns the mean loss as a float; another `reduction` gives the sum, or the losses of the rows.

        Args:
            y_true: targets, (n, C) or as the loss takes them.
            y_pred: predictions, (n, C). There may be more axes of rows in front, or none: an array (C,) is one row.
            sample_weight: factors of the rows' losses: (n,), one number for all, or None.

        Raises:
            ValueError: if the shapes do not fit, or the loss does not take such targets.
            TypeError: if an argument does not hold numbers.
        """
        is_users = next(kind for kind in type(self).__mro__ if is_ours(kind)) is Loss  # not one of fastnet's losses
        losses = self._by_users_call(y_true, y_pred) if is_users else self.per_row(y_true, y_pred)
        return reduced(losses, sample_weight, self.reduction, self._counted(y_true, losses))

    def _pair(self, y_true: Any, y_pred: Any) -> tuple[NDArray[Any], Floats]:
        """Returns targets and predictions with the outputs along the last axis; checks all shapes but those (n, C)."""
        predictions = checks.as_float32("y_pred", checks.numeric("y_pred", y_pred))
        targets = checks.numeric("y_true", y_true)
        if not self.of_labels:
            targets, predictions = same_rank(targets, predictions)
        shape, axis = predictions.shape, self.axis if isinstance(self, BuiltIn) else -1
        if not -len(shape) <= axis < len(shape):
            raise ValueError(f"y_pred has shape {shape}; expected predictions (..., C), with an axis {axis}")
        if len(shape) == 2 and axis in (-1, 1):
            return targets, predictions
        outer = shape[: axis % len(shape)] + shape[axis % len(shape) + 1 :]
        if targets.shape not in ([outer, (*outer, 1)] if self.of_labels else [shape]):
            expected = f"{outer}, one label a row" if self.of_labels else f"{shape}, the same"
            raise checks.ShapeError(f"y_true has shape {targets.shape} and y_pred {shape}; expected y_true {expected}")
        if not predictions.size:
            raise ValueError(f"y_pred has shape {shape}, which holds no number")
        if not self.of_labels:
            targets = np.moveaxis(targets, axis, -1)
        return targets, np.ascontiguousarray(np.moveaxis(predictions, axis, -1))

    def _by_users_call(self, y_true: Any, y_pred: Any) -> NDArray[Any]:
        """Returns what a user's own `call` returns, of whatever shape, for arrays of the same shape."""
        targets, predictions = self._pair(y_true, y_pred)
        if predictions.ndim == 2:
            targets = self.check_targets("y_true", targets, predictions.shape[1])
            checks.same_length(targets, predictions, "y_true and y_pred")
        targets = checks.as_float32("y_true", targets)
        method = getattr(type(self).call, "__wrapped__", type(self).call)
        return real_array(f"the loss {self.name!r}", _bound(method, self)(targets.copy(), predictions.copy()))

    def _counted(self, y_true: Any, losses: NDArray[Any]) -> NDArray[np.bool_] | None:
        """Returns whether each of the rows' losses counts; None if all do."""
        return None

    def takes_logits(self, activation: Activation) -> bool:
        """Returns whether `gradient` computes this activation of the last layer, which then omits it."""
        return False

    def advice(self, activation: Activation | None, units: int) -> str | None:
        """Returns one sentence on what to change if the last layer does not suit this loss, else None.

        Args:
            activation: the activation of the last layer, or None if it is unknown.
            units: the number of outputs.
        """
        if units == 1 and activation is not None and activation.name == "softmax":
            return f"softmax over 1 unit is always 1, so {self.shown} cannot improve: use the activation 'sigmoid'"
        return None

    def check_targets(self, argument: str, y: Any, units: int) -> NDArray[Any]:
        """Returns `y` as float32 targets, (n, units).

        Args:
            argument: the name of `y` in errors.
            y: the targets.
            units: the number of outputs of the model.

        Raises:
            ValueError: if the targets do not fit the model or the loss.
            TypeError: if `y` does not hold numbers.
        """
        array = checks.numeric(argument, y)
        if array.ndim == 1 and units == 1:
            array = array[:, None]
        if array.ndim != 2 or array.shape[1] != units:
            raise checks.ShapeError(wrong_shape(argument, array.shape, units))
        return checks.as_float32(argument, array)

    def gradient(
        self,
        output: Floats,
        targets: NDArray[Any],
        logits: bool,
        weights: Floats | None = None,
        units: int | None = None,
    ) -> tuple[Doubles, Floats, Floats]:
        """Returns the loss of a batch, the predictions, and the gradient with respect to `output`.

        Args:
            output: (B, ld) float32, the output of the last layer or, with `logits`, its weighted sums.
            targets: (B, C) float32 or, if the loss takes labels, (B, 1) int32; checked.
            logits: whether `output` holds the weighted sums; possible only if `takes_logits` returned True.
            weights: (B,) float32, factors of the rows' losses, or None.
            units: the number of outputs C, which labels do not tell; not needed with other targets.

        Returns:
            The sum of the rows' losses and the number of rows, (2,) float64; the predictions, (B, ld); the gradient of
            the batch's mean loss, (B, ld). The next call overwrites the arrays. A user's own `gradient` returns the sum
            as a number.
        """
        classes, batch = targets.shape[1], len(output)
        predictions = output[:, :classes]
        dy = self._workspace(output)
        with np.errstate(all="ignore"):
            rows = self.call(targets, predictions)
            dy[:, :classes] = self.derivative(targets, predictions) * np.float32(1 / batch)
        if weights is not None:
            dy *= weights[:, None]
        return self._sum(np.ascontiguousarray(rows, np.float64), weights), output, dy

    def _is_taped(self, logits: bool) -> bool:
        """Returns whether `gradient` runs kernels only, so that a training step can be recorded and repeated."""
        return False

    def _workspace(self, output: Floats) -> Floats:
        """Returns the gradient's array, of the shape of `output`. Its padding is 0."""
        if len(output) > len(self._gradients) or output.shape[1] != self._gradients.shape[1]:
            self._gradients = zeros(output.shape)
            self._rows = np.zeros(len(output))
        return self._gradients[: len(output)]

    def _sum(self, rows: Doubles, weights: Floats | None) -> Doubles:
        """Returns the weighted sum of the rows' losses and the number of rows, in an array that keeps its address."""
        if "_total" not in vars(self):
            self._total = np.zeros(2)
        kernels.add_rows(rows, NO_WEIGHTS if weights is None else weights, self._total, True, True)
        return self._total

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name not in _WORKSPACES}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(own_arrays(state))

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments, without `dtype`."""
        names = [name for name in inspect.signature(type(self)).parameters if name != "dtype" and hasattr(self, name)]
        return {name: getattr(self, name) for name in ("name", "reduction", *names)}

    def _shown(self) -> dict[str, Any]:
        usual = {parameter.name: parameter.default for parameter in inspect.signature(type(self)).parameters.values()}
        usual |= {"name": type(self).name, "reduction": MEAN}
        return {name: value for name, value in super()._shown().items() if value != usual.get(name, self)}

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{k}={v!r}' for k, v in self._shown().items())})"


class BuiltIn(Loss):
    """Base of fastnet's own losses: `Loss` with the arguments in the order that Keras has them in there."""

    axis: Any = -1  # the axis of the outputs
    _axes: ClassVar[tuple[Any, ...]] = (-1, 1)  # those that can be computed for rows (n, C), as a model has them

    def __init__(self, reduction: str | None = MEAN, name: str | None = None, dtype: Any = None) -> None:
        super().__init__(name, reduction, dtype)


class MeanOverOutputs(BuiltIn):
    """Base of the losses that are a mean over the outputs of a row, each of which has a loss of its own."""

    _which: ClassVar[int | None] = None  # the loss's number in `kernels.pointwise_loss`; None if it is not in there

    def elements(self, y_true: Floats, y_pred: Floats) -> Floats:
        """Returns the loss of each output, (n, C)."""
        raise NotImplementedError

    def slopes(self, y_true: Floats, y_pred: Floats) -> Floats:
        """Returns the derivative of each output's loss with respect to its prediction, (n, C)."""
        raise NotImplementedError

    def call(self, y_true: Floats, y_pred: Floats) -> Floats:
        return self.elements(y_true, y_pred).mean(axis=1)

    def derivative(self, y_true: Floats, y_pred: Floats) -> Floats:
        return self.slopes(y_true, y_pred) / y_true.shape[1]

    def gradient(
        self,
        output: Floats,
        targets: NDArray[Any],
        logits: bool,
        weights: Floats | None = None,
        units: int | None = None,
    ) -> tuple[Doubles, Floats, Floats]:
        if not self._has_kernel:
            return super().gradient(output, targets, logits, weights)
        dy = self._workspace(output)
        rows = self._rows[: len(output)]
        self._compute(targets, output, NO_WEIGHTS if weights is None else weights, dy, rows)
        return self._sum(rows, weights), output, dy

    @property
    def _has_kernel(self) -> bool:
        return self._which is not None and not self._is_overridden

    def _is_taped(self, logits: bool) -> bool:
        return self._has_kernel and is_ours(type(self).gradient)

    def _compute(self, targets: Floats, predictions: Floats, weights: Floats, dy: Floats, rows: Doubles) -> None:
        """Writes the gradient and the loss of each row by the kernel; an empty `dy` is left out."""
        assert self._which is not None
        kernels.pointwise_loss(self._which, getattr(self, "delta", 0.0), predictions, targets, weights, dy, rows)


def function_of(kind: type[Loss]) -> Callable[[Any, Any], Floats]:
    """Returns the function form of a loss without arguments, such as `mean_squared_error`."""

    def function(y_true: Any, y_pred: Any) -> Floats:
        return kind().per_row(y_true, y_pred)

    function.__name__ = function.__qualname__ = kind.name
    function.__module__ = kind.__module__  # where pickle looks for it
    function.__annotations__ = {"y_true": Any, "y_pred": Any, "return": Floats}
    function.__doc__ = f"""Returns the loss of each row, (n,), as `{kind.__name__}` defines it.

    Args:
        y_true: targets, (n, C).
        y_pred: predictions, (n, C). There may be more axes of rows in front, or none.

    Raises:
        ValueError: if the shapes do not fit, or the loss does not take such targets.
        TypeError: if an argument does not hold numbers.
    """
    return function


# Checks of what a user's code returns -------------------------------------------------------------------------------


def real_array(whose: str, value: Any) -> NDArray[Any]:
    """Returns what a user's code returned as an array of real numbers; `whose` names the code in errors.

    Raises:
        TypeError: if `value` does not hold real numbers.
    """
    try:
        array: NDArray[Any] = np.asarray(value)
    except ValueError:
        raise TypeError(f"{whose} returned rows of different lengths; expected an array of real numbers") from None
    if array.dtype.kind not in "biuf":
        what = f" ({type(value).__name__})" if array.dtype.kind == "O" else ""
        raise TypeError(f"{whose} returned dtype {array.dtype}{what}; expected real numbers")
    return array


def check_rows(loss: Loss, value: Any, length: int) -> NDArray[Any]:
    """Returns the loss of each row, (length,), after a user's code returned one number a row or an output."""
    whose = f"the loss {loss.name!r}"
    rows = real_array(whose, value)
    if rows.ndim == 2 and len(rows) == length and rows.size:
        rows = rows.mean(axis=1)
    if rows.shape != (length,):
        raise ValueError(f"{whose} returned shape {rows.shape}; expected one number a row, ({length},)")
    return rows


def check_slopes(loss: Loss, value: Any, shape: tuple[int, ...]) -> NDArray[Any]:
    """Returns what a user's code returned as the gradient with respect to the predictions, of this shape."""
    whose = f"the gradient of the loss {loss.name!r}"
    gradient = real_array(whose, value)
    if gradient.shape != shape:
        raise ValueError(
            f"{whose} returned shape {gradient.shape}; expected that of y_pred, {shape}: the gradient of each row's "
            "loss with respect to its predictions"
        )
    return gradient


Method = Callable[..., Any]


def _bound(method: Any, self: Loss) -> Method:
    return method.__get__(self, type(self)) if hasattr(method, "__get__") else method


def _rows_for(loss: Loss, targets: NDArray[Any], predictions: Floats) -> Floats:
    """Returns a copy of the targets for a user's code, which gets one-hot rows instead of labels."""
    return as_rows(targets, predictions.shape[1]).copy() if loss._keeps_labels else targets.copy()


def _checked_call(method: Method) -> Method:
    @functools.wraps(method)
    def call(self: Loss, y_true: Floats, y_pred: Floats) -> Any:
        # Copies, since a user's code may write into them, and they belong to the data set and the last layer.
        return check_rows(self, _bound(method, self)(_rows_for(self, y_true, y_pred), y_pred.copy()), len(y_pred))

    return call


def _checked_slopes(method: Method) -> Method:
    @functools.wraps(method)
    def slopes(self: Loss, y_true: Floats, y_pred: Floats) -> Any:
        return check_slopes(self, _bound(method, self)(_rows_for(self, y_true, y_pred), y_pred.copy()), y_pred.shape)

    return slopes


def _checked_gradient(method: Method) -> Method:
    @functools.wraps(method)
    def gradient(
        self: Loss,
        output: Floats,
        targets: NDArray[Any],
        logits: bool,
        weights: Floats | None = None,
        units: int | None = None,
    ) -> tuple[Doubles, Floats, Floats]:
        if self._keeps_labels:
            targets = as_rows(targets, output.shape[1] if units is None else units)
        whose = f"gradient() of the loss {self.name!r}"
        returned = _bound(method, self)(output, targets, logits, weights)
        if not isinstance(returned, tuple) or len(returned) != 3:
            raise TypeError(
                f"{whose} returned {type(returned).__name__}; expected a tuple of three: the sum of the rows' losses, "
                "the predictions, the gradient"
            )
        total = real_array(f"{whose}, as the sum of the rows' losses,", returned[0])
        if total.size != 1 and total.shape != (2,):  # (2,) is what fastnet's own gradient() returns
            raise ValueError(f"{whose} returned shape {total.shape} as the sum of the rows' losses; expected a number")
        rows, outputs = targets.shape
        predictions = real_array(f"{whose}, as the predictions,", returned[1])
        if predictions.shape not in ((rows, outputs), output.shape):
            raise ValueError(f"{whose} returned predictions of shape {predictions.shape}; expected {output.shape}")
        slopes = real_array(f"{whose}, as the gradient,", returned[2])
        if slopes.shape not in ((rows, outputs), output.shape):
            raise ValueError(
                f"{whose} returned a gradient of shape {slopes.shape}; expected that of output, {output.shape}"
            )
        dy = self._workspace(output)
        dy[:, :outputs] = slopes[:, :outputs]
        dy[:, outputs:] = 0  # the kernels sum whole rows
        sums = self._sum(np.array([total.flat[0]], np.float64), None)
        sums[1] = rows
        return sums, np.ascontiguousarray(predictions, np.float32), dy

    return gradient


def _checked_targets(method: Method) -> Method:
    @functools.wraps(method)
    def check_targets(self: Loss, argument: str, y: Any, units: int) -> NDArray[Any]:
        whose = f"check_targets() of the loss {self.name!r}"
        targets = real_array(whose, _bound(method, self)(argument, y, units))
        if self._keeps_labels and targets.dtype == np.int32 and targets.ndim == 2 and targets.shape[1] == 1:
            if targets.size and not (targets.min() >= 0 and targets.max() < units):
                raise ValueError(f"{whose} returned labels outside [0, {units})")
            return np.ascontiguousarray(targets)
        if targets.ndim != 2 or targets.shape[1] != units:
            raise ValueError(f"{whose} returned shape {targets.shape}; expected (n, {units})")
        return checks.as_float32(argument, targets)

    return check_targets


_VALUES, _SLOPES = ("call", "elements"), ("derivative", "slopes", "gradient")
_CHECKED: dict[str, Callable[[Method], Method]] = {
    "call": _checked_call,
    "elements": _checked_slopes,
    "derivative": _checked_slopes,
    "slopes": _checked_slopes,
    "gradient": _checked_gradient,
    "check_targets": _checked_targets,
}


def check_trainable(loss: Loss) -> None:
    """Refuses a user's loss that has no gradient.

    Raises:
        TypeError: if `call` or `derivative` is missing.
    """
    kinds = type(loss).__mro__

    def first(names: tuple[str, ...]) -> type:
        return next(kind for kind in kinds if any(name in vars(kind) for name in names))

    values, slopes = first(_VALUES), first(_SLOPES)
    if values is Loss and type(loss).gradient is Loss.gradient:
        raise TypeError(
            f"the loss {loss.name!r} has no call(): {type(loss).__name__} needs call(y_true, y_pred), which returns "
            "the loss of each row, (n,), and derivative(y_true, y_pred), which returns its gradient, (n, C)"
        )
    if not is_ours(values) and is_ours(slopes):
        raise TypeError(
            f"the loss {loss.name!r} comes without its gradient, which fastnet does not derive from Python code: add a "
            f"method derivative(self, y_true, y_pred) to {values.__name__}, which returns the gradient of each row's "
            "loss with respect to its predictions, (n, C)"
        )


def check_axis(loss: Loss) -> None:
    """Refuses a loss whose `axis` is not that of the outputs of a model, (n, C); raises ValueError."""
    if isinstance(loss, BuiltIn) and loss.axis not in loss._axes:
        raise ValueError(
            f"a model has its outputs along the last axis, but {loss!r} has axis={loss.axis}; leave it out, or call "
            "the loss by hand"
        )


def wrong_shape(argument: str, shape: tuple[int, ...], units: int) -> str:
    """Returns the message for targets whose number of columns is not the number of outputs."""
    hint = f", or a last layer of {shape[1]} units" if len(shape) == 2 and shape[1] else ""
    return f"{argument} has shape {shape}, but the model has {units} outputs: expected (n, {units}){hint}"
