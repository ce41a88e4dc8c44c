"""What a report speaks of: the arguments, checked before anything is written, and what the model makes of the data."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fastnet import checks, layers, losses
from fastnet.callbacks import History
from fastnet.checks import Floats, is_scipy_sparse
from fastnet.playground.page import is_untrained
from fastnet.utils import to_categorical

if TYPE_CHECKING:
    from fastnet.inspection.profiling import Profile
    from fastnet.models import Sequential

CLASSES, LABELS, NUMBERS = "classes", "labels", "numbers"  # one of several; several yes or no; quantities

_OF_CLASSES = (losses.CategoricalCrossentropy, losses.CategoricalHinge)
_OF_YES_OR_NO = (losses.BinaryCrossentropy, losses.Hinge, losses.SquaredHinge)
_LEAST_FLAT, _LEAST_SIDE = 8, 4  # of an image: 4 or 16 numbers in a row are seldom one


class Record(NamedTuple):
    """A training: its epochs' numbers, from 1, and of each name the numbers that were recorded."""

    epochs: list[int]
    values: dict[str, list[float]]
    left_out: list[str]  # what is not one number an epoch


class Examples(NamedTuple):
    """A data set and what the model makes of it.

    Attributes:
        x, y: as they were given; x an array or a SciPy matrix in CSR form.
        targets, outputs: (n, C) float32.
        results: the loss and the metrics by name.
        kind: `CLASSES`, `LABELS` or `NUMBERS`.
        truth, predicted: (n,) numbers of classes, if `kind` is `CLASSES`.
        scores: (n, classes), the greatest of which is predicted, if `kind` is not `NUMBERS`.
        probable: whether those are probabilities.
    """

    x: Any
    y: NDArray[Any]
    targets: Floats
    outputs: Floats
    results: dict[str, Any]
    kind: str
    truth: NDArray[np.intp]
    predicted: NDArray[np.intp]
    scores: Floats
    probable: bool

    def rows(self, which: Any) -> NDArray[Any]:
        """Some of the examples, dense, as they were given."""
        part = self.x[which]
        return np.asarray(part.toarray() if is_scipy_sparse(part) else part)


class Subject(NamedTuple):
    """All that the sections show."""

    model: Sequential
    record: Record | None
    examples: Examples | None
    names: list[str]
    side: int | None  # of an example, if it is a square image
    profile: Profile | None
    batch_size: int | None
    seed: int | None
    about: str


def check_model(model: Any) -> None:
    """Refuses what is no trained model.

    Raises:
        TypeError, ValueError: as `report`.
    """
    from fastnet.models import Sequential

    if not isinstance(model, Sequential):
        raise TypeError(f"model must be a fastnet.Sequential, got {model!r:.200}")
    if not model.built:
        raise ValueError("the model has no weights yet: call fit() before its report")
    for variable in model.weights:
        if not np.isfinite(variable.numpy()).all():
            raise ValueError(
                f"the model's weights in {variable.name} hold NaN or infinite numbers: its training diverged. "
                "Try a smaller learning rate, or clip the gradients (clipnorm=1.0)"
            )
    if is_untrained(model):
        raise ValueError("the model was never trained: its optimizer has made no step; call fit() before its report")


def record_of(history: Any) -> Record | None:
    """What `fit` returned, or its dict, as numbers.

    Raises:
        TypeError, ValueError: as `report`.
    """
    if history is None:
        return None
    values = history.history if isinstance(history, History) else history
    if not isinstance(values, Mapping):
        raise TypeError(f"history must be what fit() returned, or its .history, got {history!r:.200}")
    kept: dict[str, list[float]] = {}
    left_out = []
    for name, entries in values.items():
        if not isinstance(name, str) or isinstance(entries, str) or not hasattr(entries, "__len__"):
            raise TypeError(f"history must hold lists of numbers by name, got {name!r}: {entries!r:.80}")
        if any(np.ndim(entry) for entry in entries):
            left_out.append(name)
            continue
        try:
            kept[name] = [float(entry) for entry in entries]
        except (TypeError, ValueError):
            raise TypeError(f"history[{name!r}] must hold numbers, got {entries!r:.80}") from None
    count = max((len(entries) for entries in kept.values()), default=0)
    if count == 0:
        raise ValueError("history is empty: it has no epoch; give what a fit() of at least 1 epoch returned, or None")
    left_out += [name for name, entries in kept.items() if len(entries) != count]
    epochs = [epoch + 1 for epoch in history.epoch] if isinstance(history, History) else []
    if len(epochs) != count:
        epochs = list(range(1, count + 1))
    return Record(epochs, {name: v for name, v in kept.items() if len(v) == count}, left_out)


def examples_of(model: Sequential, x: Any, y: Any) -> Examples | None:
    """Evaluates and predicts; None without data.

    Raises:
        NotCompiledError, TypeError, ValueError: as `report`.
    """
    if (x is None) != (y is None):
        given, other = ("x", "y") if y is None else ("y", "x")
        raise ValueError(f"{given} without {other}: give both, examples and what is true of them, or neither")
    if x is None:
        return None
    loss, _ = model._compiled()
    if model.output_shape is None or len(model.output_shape) != 2:
        raise ValueError(f"the model's outputs have shape {model.output_shape}; with x and y expected (None, units)")
    units = model.output_shape[1] or 0
    x = x if is_scipy_sparse(x) else checks.numeric("x", x)
    y = checks.numeric("y", y)
    kind = kind_of(model)
    wanted = y
    is_labels = y.ndim == 1 or (y.ndim == 2 and y.shape[1] == 1)
    if kind == CLASSES and units > 1 and is_labels and not loss.of_labels:
        wanted = _one_hot(y, units)
    elif loss.of_labels and y.ndim == 2 and y.shape[1] == units > 1:
        wanted = y.argmax(axis=1)
    data = model._data(loss, x, wanted)
    outputs = model.predict(x, verbose=0)
    if not np.isfinite(outputs).all():
        raise ValueError("the model's outputs for x hold NaN or infinite numbers")
    results = model.evaluate(x, wanted, verbose=0, return_dict=True)
    if (kind == LABELS or (kind == CLASSES and units == 1)) and not np.isin(data.targets, (-1, 0, 1)).all():
        kind = NUMBERS  # such as an image's shades, of an autoencoder
    if kind == LABELS and ((data.targets > 0.5).sum(axis=1) == 1).all():
        kind = CLASSES
    scores, probable = _scores(model, outputs) if kind != NUMBERS else (outputs, False)
    if kind == CLASSES and units == 1:
        truth = (data.targets[:, 0] > 0.5).astype(np.intp)  # of 0 and 1, or -1 and 1
    else:
        truth = data.targets.argmax(axis=1)
    x = x.tocsr() if is_scipy_sparse(x) else x  # not before it was checked
    return Examples(x, y, data.targets, outputs, results, kind, truth, scores.argmax(axis=1), scores, probable)


def kind_of(model: Sequential) -> str:
    """What the outputs mean, by the loss and the last activation."""
    units = (model.output_shape or (None, 1))[-1] or 1
    activation = _last_activation(model)
    if isinstance(model.loss, _OF_CLASSES) or (activation == "softmax" and units > 1):
        return CLASSES
    if isinstance(model.loss, _OF_YES_OR_NO) or activation == "sigmoid":
        return CLASSES if units == 1 else LABELS
    return NUMBERS


def names_of(model: Sequential, examples: Examples | None, class_names: Any) -> list[str]:
    """The names of the classes or outputs; by default their numbers.

    Raises:
        TypeError, ValueError: as `report`.
    """
    units = (model.output_shape or (None, 1))[-1] or 1
    kind = examples.kind if examples is not None else kind_of(model)
    count = 2 if units == 1 and kind == CLASSES else units
    if class_names is None:
        return [str(i) for i in range(count)]
    if isinstance(class_names, str) or not isinstance(class_names, Sequence | np.ndarray):
        raise TypeError(f"class_names must be a list of names, got {class_names!r:.200}")
    names = list(class_names)
    if not all(isinstance(name, str) for name in names):
        raise TypeError(f"class_names must hold strings, got {class_names!r:.200}")
    if len(names) != count:
        raise ValueError(f"class_names has {len(names)} names, but the model tells {count} apart")
    return names


def side_of(model: Sequential) -> int | None:
    """The side of the square image that an example is: (s, s), (s, s, 1) or s * s numbers, s at least 8; else None."""
    shape = tuple(n or 0 for n in (model.input_shape or ())[1:])
    if len(shape) == 1:
        side = math.isqrt(shape[0])
        return side if side * side == shape[0] and side >= _LEAST_FLAT else None
    is_square = len(shape) in (2, 3) and shape[0] == shape[1] >= _LEAST_SIDE and shape[2:] in ((), (1,))
    return shape[0] if is_square else None


def _one_hot(y: NDArray[Any], units: int) -> Floats:
    try:
        return to_categorical(y.reshape(-1), units)
    except ValueError as error:
        raise ValueError(f"y: {error}; the model has {units} outputs") from None


def _scores(model: Sequential, outputs: Floats) -> tuple[Floats, bool]:
    """Of each class a score, and whether it is a probability; a single output makes two classes."""
    activation = _last_activation(model)
    if getattr(model.loss, "from_logits", False):
        z = outputs.astype(np.float64)
        if isinstance(model.loss, losses.BinaryCrossentropy):
            outputs = (0.5 * (1 + np.tanh(z / 2))).astype(np.float32)
        else:
            powers = np.exp(z - z.max(axis=1, keepdims=True))
            outputs = (powers / powers.sum(axis=1, keepdims=True)).astype(np.float32)
        probable = True
    else:
        probable = activation in ("softmax", "sigmoid")
    if outputs.shape[1] > 1:
        return outputs, probable
    return np.hstack([1 - outputs if probable else -outputs, outputs]), probable


def _last_activation(model: Sequential) -> str | None:
    last = model.layers[-1]
    if isinstance(last, layers.Softmax):
        return "softmax"
    return getattr(getattr(last, "activation", None), "name", None)
