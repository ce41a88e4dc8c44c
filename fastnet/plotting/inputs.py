"""What the plots are given, checked: images, labels, probabilities, a model that takes images."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastnet import checks
from fastnet.models import Sequential

Labels = NDArray[np.intp]


def images_of(argument: str, x: Any) -> NDArray[Any]:
    """Square images (n, h, h) of x: (n, h, h), (n, h, h, 1) or (n, h * h).

    Raises:
        ValueError, TypeError: if it is no such array.
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
    """Labels (n,) of labels (n,) or (n, 1), or of one-hot rows (n, classes), which may be shares: the greatest.

    Raises:
        ValueError, TypeError: if it is no such array, or has not `count` rows.
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
    """Labels (n,) of what a model put out: the greatest of a row, or whether a single probability, (n, 1), is over 0.5.

    Or labels (n,) or (n, 1), as `labels_of` takes them.

    Raises:
        ValueError, TypeError: if it is no such array, or has not `count` rows.
    """
    array = checks.numeric(argument, y)
    if array.ndim == 2 and array.shape[1] > 1 and np.isfinite(array).all():
        return labels_of(argument, array.argmax(axis=1), count)
    if array.ndim == 2 and array.shape[1] == 1 and array.dtype.kind == "f" and len(array):
        p = probabilities_of(argument, array, len(array) if count is None else count)
        return labels_of(argument, p.argmax(axis=1))
    return labels_of(argument, array, count)


def probabilities_of(argument: str, p: Any, count: int) -> NDArray[np.float64]:
    """Probabilities (n, classes); a single column p becomes (1 - p, p).

    Raises:
        ValueError, TypeError: if they are not between 0 and 1, or not `count` rows.
    """
    array = checks.numeric(argument, p).astype(np.float64)
    if array.ndim == 1:
        array = array[:, None]
    if array.ndim != 2 or len(array) != count:
        raise ValueError(f"{argument} has shape {array.shape}; expected ({count}, classes)")
    if not (array.min() >= 0 and array.max() <= 1 + 1e-6):  # not: NaN is neither
        raise ValueError(f"{argument} holds {array.min():g} to {array.max():g}; expected probabilities, from 0 to 1")
    return np.hstack([1 - array, array]) if array.shape[1] == 1 else array


def check_model(model: Any) -> None:
    """Refuses what is no model, and one that has no weights yet.

    Raises:
        TypeError, ValueError: accordingly.
    """
    if not isinstance(model, Sequential):
        raise TypeError(f"model must be a fastnet.Sequential, got {model!r}")
    if not model.built:
        raise ValueError("model has no weights yet; train it, or give it an Input, before plotting what it does")


def predictions_of(model: Any, x: Any, y: Any) -> tuple[Labels, NDArray[np.float64]]:
    """True labels, and the model's probabilities, (n, classes).

    Raises:
        ValueError, TypeError: if the model has no weights, its outputs are no probabilities, or x or y do not fit it.
    """
    check_model(model)
    p = model.predict(x, verbose=0)
    true = labels_of("y", y, len(p))
    return true, for_labels("y", true, probabilities_of("the model's output", p.reshape(len(p), -1), len(p)))


def for_labels(argument: str, labels: Labels, p: NDArray[Any]) -> NDArray[Any]:
    """`p`, (n, classes), if it has a column for each of the labels.

    Raises:
        ValueError: if not.
    """
    if labels.max() >= p.shape[1]:
        raise ValueError(f"{argument} holds the label {labels.max()}, but there are outputs for {p.shape[1]} classes")
    return p
