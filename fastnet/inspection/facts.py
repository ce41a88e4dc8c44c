"""Facts about a model and its data, for reports, plots and the playground."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fastnet import checks, layers, losses
from fastnet.arrays.labels import as_classes
from fastnet.checks import Floats, is_scipy_sparse
from fastnet.layers import Dense
from fastnet.recorded import MODELS
from fastnet.utils import to_categorical

Labels = NDArray[np.intp]

# Kinds of task: one of several classes; several labels, each yes or no; numbers (regression).
CLASSES, LABELS, NUMBERS = "classes", "labels", "numbers"

_OF_CLASSES = (losses.CategoricalCrossentropy, losses.CategoricalHinge)
_OF_YES_OR_NO = (losses.BinaryCrossentropy, losses.Hinge, losses.SquaredHinge)
_LEAST_FLAT, _LEAST_SIDE = 8, 4  # smallest side of an image, as a row of numbers and as a square


# The model ------------------------------------------------------------------------------------------------------------


def check_built(model: Any) -> None:
    """Checks that a model is a `Sequential` and has weights.

    Raises:
        TypeError: if it is not a model of fastnet.
        ValueError: if it has no weights yet.
    """
    if not isinstance(model, MODELS["Functional"]):  # of which Sequential is a subclass
        raise TypeError(f"model must be a fastnet.Sequential, got {model!r:.200}")
    if not model.built:
        raise ValueError("the model has no weights yet; call fit() first, or give it an Input")


def check_trained(model: Any) -> None:
    """Checks that a model was trained and has finite weights.

    Raises:
        TypeError: if it is not a model of fastnet.
        ValueError: if it was never trained, or a weight is NaN or infinite.
    """
    check_built(model)
    for variable in model.weights:
        if not np.isfinite(variable.numpy()).all():
            raise ValueError(
                f"the model's weights in {variable.name} hold NaN or infinite numbers: its training diverged. "
                "Try a smaller learning rate, or clip the gradients (clipnorm=1.0)"
            )
    if is_untrained(model):
        raise ValueError("the model was never trained: its optimizer has made no step; call fit() before its report")


def is_untrained(model: Any) -> bool:
    """Returns whether no step was made and all biases are still zero, as they are before a training."""
    if model.optimizer is not None and model.optimizer.iterations:
        return False
    biases = [layer.bias for layer in dense_layers(model) if layer.bias is not None]
    return bool(biases) and not any(bias.numpy().any() for bias in biases)


def dense_layers(model: Any) -> list[Dense]:
    """Returns the model's Dense layers, from the input to the output."""
    return [layer for layer in model._layers if isinstance(layer, Dense)]


def kind_of(model: Any) -> str:
    """Returns the kind of task, which follows from the loss and the last activation."""
    units = (model.output_shape or (None, 1))[-1] or 1
    activation = _last_activation(model)
    if isinstance(model.loss, _OF_CLASSES) or (activation == "softmax" and units > 1):
        return CLASSES
    if isinstance(model.loss, _OF_YES_OR_NO) or activation == "sigmoid":
        return CLASSES if units == 1 else LABELS
    return NUMBERS


def names_of(model: Any, examples: Examples | None, class_names: Any) -> list[str]:
    """Returns the names of the classes or outputs; by default their numbers.

    Raises:
        TypeError: if `class_names` is not a list of strings.
        ValueError: if it has another length than the classes or outputs.
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


def side_of(model: Any) -> int | None:
    """Returns the side of an example that may be a square image: (s, s), (s, s, 1) or s * s numbers; else None."""
    shape = tuple(n or 0 for n in (model.input_shape or ())[1:])
    if len(shape) == 1:
        side = math.isqrt(shape[0])
        return side if side * side == shape[0] and side >= _LEAST_FLAT else None
    is_square = len(shape) in (2, 3) and shape[0] == shape[1] >= _LEAST_SIDE and shape[2:] in ((), (1,))
    return shape[0] if is_square else None


def _last_activation(model: Any) -> str | None:
    """Returns the name of the activation that makes the outputs; None if there is none."""
    last = model._layers[-1]
    if isinstance(last, layers.Softmax):
        return "softmax"
    return getattr(getattr(last, "activation", None), "name", None)


# Arrays ---------------------------------------------------------------------------------------------------------------


def images_of(argument: str, x: Any) -> NDArray[Any]:
    """Converts arrays (n, h, h), (n, h, h, 1) or (n, h * h) to square images (n, h, h).

    Raises:
        ValueError, TypeError: if the array has another type or shape.
    """
    array = checks.numeric(argument, x)
    if array.ndim == 4 and array.shape[-1] == 1:
        array = array[..., 0]
    if array.ndim == 2:
        side = math.isqrt(array.shape[1])
        if side * side == array.shape[1] > 0:
            array = array.reshape(len(array), side, side)
    if array.ndim != 3 or array.shape[1] != array.shape[2] or not array.size:
        raise ValueError(
            f"{argument} has shape {np.shape(x)}; expected square images, (n, 28, 28) or (n, 784) or alike"
        )
    return array


def labels_of(argument: str, y: Any, count: int | None = None) -> Labels:
    """Converts true labels (n,) or (n, 1), or one-hot rows (n, classes), to labels (n,).

    Rows may also be shares that sum to 1; the label is the largest.

    Args:
        argument: the argument's name, for the message.
        y: labels or rows.
        count: the number of examples, if it is known.

    Raises:
        ValueError, TypeError: if the array has another type, shape or number of rows.
    """
    array = checks.numeric(argument, y)
    if not np.isfinite(array).all():
        raise ValueError(f"{argument} holds NaN or infinite numbers")
    if array.ndim == 2 and array.shape[1] > 1:
        if (array < 0).any() or (np.abs(array.sum(axis=1) - 1) > 1e-3).any():
            raise ValueError(f"{argument} has shape {array.shape}, but its rows are not one-hot: they do not sum to 1")
        array = array.argmax(axis=1)
    elif array.ndim == 2:
        array = array[:, 0]
    if array.ndim != 1 or not array.size:
        raise ValueError(f"{argument} has shape {array.shape}; expected labels (n,), or a row a class, (n, classes)")
    if count is not None and len(array) != count:
        raise ValueError(f"{argument} has {len(array)} labels for {count} examples")
    labels = array.astype(np.intp)
    if (labels != array).any() or labels.min() < 0:
        raise ValueError(f"{argument} holds labels that are not whole numbers from 0 on")
    return labels


def predicted_of(argument: str, y: Any, count: int | None = None) -> Labels:
    """Converts a model's outputs to predicted labels (n,).

    The label is the largest output of a row; for a single probability, (n, 1), it is 1 above 0.5. Labels (n,) or (n, 1)
    are accepted too. Arguments and errors as `labels_of`.
    """
    array = checks.numeric(argument, y)
    if array.ndim == 2 and array.shape[1] > 1 and np.isfinite(array).all():
        return labels_of(argument, array.argmax(axis=1), count)
    if array.ndim == 2 and array.shape[1] == 1 and array.dtype.kind == "f" and len(array):
        p = probabilities_of(argument, array, len(array) if count is None else count)
        return labels_of(argument, p.argmax(axis=1))
    return labels_of(argument, array, count)


def probabilities_of(argument: str, p: Any, count: int) -> NDArray[np.float64]:
    """Checks probabilities and returns them as (n, classes); a single column p becomes (1 - p, p).

    Raises:
        ValueError, TypeError: if a number is not in [0, 1], or there are not `count` rows.
    """
    array = checks.numeric(argument, p).astype(np.float64)
    if array.ndim == 1:
        array = array[:, None]
    if array.ndim != 2 or len(array) != count:
        raise ValueError(f"{argument} has shape {array.shape}; expected ({count}, classes)")
    if not (array.min() >= 0 and array.max() <= 1 + 1e-6):  # not: NaN is neither
        raise ValueError(f"{argument} holds {array.min():g} to {array.max():g}; expected probabilities, from 0 to 1")
    return np.hstack([1 - array, array]) if array.shape[1] == 1 else array


def for_labels(argument: str, labels: Labels, p: NDArray[Any]) -> NDArray[Any]:
    """Checks that `p`, (n, classes), has a column for each label, and returns it.

    Raises:
        ValueError: if a label has no column.
    """
    if labels.max() >= p.shape[1]:
        raise ValueError(f"{argument} holds the label {labels.max()}, but there are outputs for {p.shape[1]} classes")
    return p


def confusions(true: Labels, predicted: Labels, classes: int) -> NDArray[np.intp]:
    """Counts examples by true class (rows) and predicted class (columns)."""
    return np.bincount(true * classes + predicted, minlength=classes * classes).reshape(classes, classes)


# What the model predicts ----------------------------------------------------------------------------------------------


class Examples(NamedTuple):
    """A data set and the model's results on it.

    Attributes:
        x: the examples, an array or a SciPy matrix in CSR format.
        y: the targets, as they were given.
        targets: the targets (n, C), float32, or labels (n, 1), int32.
        outputs: the model's outputs (n, C), float32.
        results: dict of the loss and the metrics.
        kind: `CLASSES`, `LABELS` or `NUMBERS`.
        truth: (n,) the true class of each example, for `CLASSES`.
        predicted: (n,) the predicted class of each example, for `CLASSES`.
        scores: (n, classes) a score for each class or label, unless `kind` is `NUMBERS`. The largest is predicted.
        probable: whether the scores are probabilities.
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
        """Returns some of the examples as a dense array."""
        part = self.x[which]
        return np.asarray(part.toarray() if is_scipy_sparse(part) else part)


def examples_of(model: Any, x: Any, y: Any) -> Examples | None:
    """Evaluates the model and predicts; returns None without data.

    Args:
        model: a built and compiled model.
        x: examples, or None.
        y: targets, or None. For classes, both labels (n,) and one-hot rows (n, C) are accepted.

    Raises:
        NotCompiledError: if the model is not compiled.
        TypeError, ValueError: if one of x and y is missing, or x, y or the outputs do not fit.
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
        kind = NUMBERS  # for example the pixels that an autoencoder learns
    if kind == LABELS and ((data.targets > 0.5).sum(axis=1) == 1).all():
        kind = CLASSES
    scores, probable = _scores(model, outputs) if kind != NUMBERS else (outputs, False)
    of_one = kind == CLASSES and units == 1  # targets are 0 and 1, or -1 and 1
    truth = (data.targets[:, 0] > 0.5).astype(np.intp) if of_one else as_classes(data.targets)
    x = x.tocsr() if is_scipy_sparse(x) else x  # only now, because predict has checked it
    return Examples(x, y, data.targets, outputs, results, kind, truth, scores.argmax(axis=1), scores, probable)


def _one_hot(y: NDArray[Any], units: int) -> Floats:
    try:
        return to_categorical(y.reshape(-1), units)
    except ValueError as error:
        raise ValueError(f"y: {error}; the model has {units} outputs") from None


def _scores(model: Any, outputs: Floats) -> tuple[Floats, bool]:
    """Returns a score for each class, and whether scores are probabilities. One output gives two classes."""
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


def predictions_of(model: Any, x: Any, y: Any) -> tuple[Labels, NDArray[np.float64]]:
    """Returns the true labels (n,) and the model's probabilities (n, classes).

    Raises:
        ValueError, TypeError: if the model has no weights, its outputs are not probabilities, or x or y do not fit.
    """
    check_built(model)
    p = model.predict(x, verbose=0)
    true = labels_of("y", y, len(p))
    return true, for_labels("y", true, probabilities_of("the model's output", p.reshape(len(p), -1), len(p)))
