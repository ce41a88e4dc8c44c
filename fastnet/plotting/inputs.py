"""What the plots are given, checked: images, labels, probabilities, a model that takes images."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fastnet import checks

if TYPE_CHECKING:
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
    if array.ndim != 3 or not array.size:
        raise ValueError(f"{argument} has shape {array.shape}; expected images, (n, 28, 28) or (n, 784) or alike")
    return array


def labels_of(argument: str, y: Any, count: int | None = None) -> Labels:
    """Labels (n,) of labels (n,) or (n, 1), or of one-hot rows or probabilities (n, classes): the greatest.

    Raises:
        ValueError, TypeError: if it is no such array, or has not `count` rows.
    """
    array = checks.numeric(argument, y)
    if array.ndim == 2:
        array = array.argmax(axis=1) if array.shape[1] > 1 else array[:, 0]
    if array.ndim != 1 or not array.size:
        raise ValueError(f"{argument} has shape {array.shape}; expected labels (n,), or a row a class, (n, classes)")
    if count is not None and len(array) != count:
        raise ValueError(f"{argument} has {len(array)} labels for {count} examples")
    labels = array.astype(np.intp)
    if (labels != array).any() or labels.min() < 0:
        raise ValueError(f"{argument} holds labels that are not whole numbers from 0 on")
    return labels


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
    if not (array.min() >= 0 and array.max() <= 1 + 1e-6):
        raise ValueError(f"{argument} holds {array.min():g} to {array.max():g}; expected probabilities, from 0 to 1")
    return np.hstack([1 - array, array]) if array.shape[1] == 1 else array


def predictions_of(model: Sequential, x: Any, y: Any) -> tuple[Labels, NDArray[np.float64]]:
    """True labels, and the model's probabilities, (n, classes).

    Raises:
        ValueError, TypeError: if the model has no weights, or x or y do not fit it.
    """
    if not model.built:
        raise ValueError("model has no weights yet; train it, or give it an Input, before plotting what it does")
    p = model.predict(x, verbose=0)
    return labels_of("y", y, len(p)), probabilities_of("the model's output", p.reshape(len(p), -1), len(p))
