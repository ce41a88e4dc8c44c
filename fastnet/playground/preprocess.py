"""What a network that learned MNIST must be shown of a drawing: the digit at the size and place of MNIST's digits.

The page does the same in JavaScript (`lookAt` in page.html); this is its twin, for tests and for use in Python.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastnet import checks

SIDE = 28  # pixels of an MNIST image
BOX = 20  # of them, that a digit is high, or wide if it is wider than high
CENTRE = 14.5  # where its centre of mass is to be: the middle of the fifteenth pixel, as it is in MNIST


def look_at(drawing: Any) -> NDArray[np.uint8]:
    """The image that the network sees of a drawing.

    The digit, cut out, is scaled into a box of 20 x 20 with its proportions kept: each pixel of the small image is the
    mean ink of the piece of paper that it covers. Then the box is moved by whole pixels until the centre of mass is
    in the middle of the image, or as near to it as the image's edge allows.
    Source: Y. LeCun et al., "The MNIST database of handwritten digits", on how NIST's images became MNIST's.

    Args:
        drawing: (height, width), any size; ink from 0, none, to 255.

    Returns:
        uint8 (28, 28); all zero for a blank sheet.

    Raises:
        ValueError: if the drawing is of another shape, or holds numbers that are not from 0 to 255.
        TypeError: if it does not hold numbers.
    """
    ink = np.asarray(checks.numeric("drawing", drawing), np.float64)
    if ink.ndim != 2:
        raise ValueError(f"drawing has shape {ink.shape}; expected (height, width)")
    if ink.size and not (ink.min() >= 0 and ink.max() <= 255):  # not: NaN is neither
        raise ValueError("drawing holds numbers that are not from 0 to 255")
    rows, columns = np.flatnonzero(ink.any(axis=1)), np.flatnonzero(ink.any(axis=0))
    if not len(rows):
        return np.zeros((SIDE, SIDE), np.uint8)
    digit = ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    scale = BOX / max(digit.shape)
    down, across = (_shares(digit.sum(axis=1 - axis), scale) for axis in (0, 1))
    return np.floor(down @ digit @ across.T + 0.5).astype(np.uint8)


def _shares(mass: NDArray[np.float64], scale: float) -> NDArray[np.float64]:
    """How much of each pixel of the image a row, or a column, of the digit covers: (28, len(mass)).

    Args:
        mass: the ink in each row, or column.
        scale: how large a row becomes.
    """
    place = np.arange(len(mass)) * scale  # where each begins, counted from the digit's edge
    middle = (mass * (place + scale / 2)).sum() / mass.sum()
    start = np.clip(np.floor(CENTRE - middle + 0.5), 0, SIDE - np.ceil(len(mass) * scale - 1e-9))
    pixels = np.arange(SIDE)[:, None]
    ends = np.minimum(start + place + scale, pixels + 1), np.maximum(start + place, pixels)
    covered: NDArray[np.float64] = np.maximum(ends[0] - ends[1], 0)
    return covered
