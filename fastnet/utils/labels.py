"""One-hot labels: integer classes as rows with one 1, and the check of such labels."""

import sys
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastnet import checks
from fastnet.checks import Floats


def to_categorical(x: Any, num_classes: int | None = None) -> Floats:
    """Converts integer labels to one-hot rows.

    Args:
        x: labels, whole numbers in [0, num_classes), of any shape. A last axis of length 1 is dropped.
        num_classes: the length of a row; by default the largest label + 1.

    Returns:
        float32 array of x's shape plus an axis of length `num_classes`, with 1 at the label and 0 elsewhere.

    Raises:
        ValueError: if a label is negative, too large or not a whole number.
        MemoryError: if there is not enough memory for rows of `num_classes` numbers.
        TypeError: if `x` does not hold numbers, or `num_classes` is not an integer.

    Example:
        >>> to_categorical([2, 0, 1])
        array([[0., 0., 1.],
               [1., 0., 0.],
               [0., 1., 0.]], dtype=float32)
    """
    labels = checks.numeric("x", x)
    if num_classes is not None:
        num_classes = checks.integer("num_classes", num_classes, least=1)
    if labels.ndim > 1 and labels.shape[-1] == 1:
        labels = labels[..., 0]
    flat = labels.reshape(-1)
    if num_classes is not None and num_classes > sys.maxsize // 4:
        raise ValueError(f"num_classes must be a number of classes, got {num_classes}")
    check_labels(flat, num_classes)
    classes = num_classes
    if classes is None:
        if flat.size == 0:
            raise ValueError("x holds no labels, so num_classes must be given")
        classes = max(1, int(flat.max()) + 1)
    try:
        if flat.size * classes > sys.maxsize // 4:
            raise MemoryError
        rows = np.zeros((flat.size, classes), np.float32)
    except MemoryError:
        room = f"{flat.size:,} rows of {classes:,} numbers, one for each class, do not fit into memory"
        if num_classes is None:
            raise ValueError(f"label {flat.max()} at index {flat.argmax()} is too large: {room}") from None
        raise MemoryError(room) from None
    rows[np.arange(flat.size), flat.astype(np.intp)] = 1
    return rows.reshape(*labels.shape, classes)


def check_labels(labels: NDArray[Any], classes: int | None) -> None:
    """Checks that numbers, (n,), are labels: whole numbers in [0, classes).

    Args:
        labels: the numbers.
        classes: the number of classes; None if it has no limit.

    Raises:
        ValueError: if not. The message names the first wrong number and its index.
    """
    if labels.dtype.kind == "f":
        with np.errstate(invalid="ignore"):  # R's NA is a NaN that signals
            broken = np.flatnonzero((labels != np.floor(labels)) | np.isinf(labels))  # finds NaN too: NaN != NaN
        if broken.size:
            raise ValueError(f"label {labels[broken[0]]} at index {broken[0]} is not a whole number")
    outside = np.flatnonzero((labels < 0) | (False if classes is None else labels >= classes))
    if outside.size:
        limit = max(1, int(labels.max()) + 1) if classes is None else classes
        raise ValueError(f"label {labels[outside[0]]} at index {outside[0]} is not in [0, {limit})")
