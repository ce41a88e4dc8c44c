"""Labels: targets that are the numbers of classes, (n, 1) int32, and the one-hot rows that stand for them.

A data set keeps its labels, since a row of 1,000 classes would take 4,000 bytes. Only what needs rows makes them, batch
by batch. Checked targets of the type int32 are labels; all others are float32.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray


def are_labels(targets: NDArray[Any]) -> bool:
    """Returns whether checked targets are labels, (n, 1) int32."""
    return targets.dtype == np.int32


def as_rows(targets: NDArray[Any], classes: int | None) -> NDArray[Any]:
    """Returns labels as one-hot rows, (n, classes) float32; other targets unchanged.

    A label outside [0, classes), which a loss may ignore, becomes a row of zeros.

    Raises:
        TypeError: if targets are labels, and the number of classes is unknown.
    """
    if not are_labels(targets):
        return targets
    if classes is None:
        raise TypeError("with targets that are labels, give the number of outputs: gradient(..., units=10)")
    rows, labels = np.zeros((len(targets), classes), np.float32), targets[:, 0]
    known = np.flatnonzero((labels >= 0) & (labels < classes))
    rows[known, labels[known]] = 1
    return rows


def as_classes(targets: NDArray[Any]) -> NDArray[np.intp]:
    """Returns the class of each row, (n,): the label, or where the row is greatest."""
    return targets[:, 0].astype(np.intp) if are_labels(targets) else targets.argmax(axis=1)
