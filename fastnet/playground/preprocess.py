"""Prepares a drawing for a network that learned MNIST: gives the digit the size and place of MNIST's digits.

The page does the same in JavaScript (`lookAt` in page.html). This twin is for tests and for use in Python.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastnet import checks

SIDE = 28  # side of an MNIST image in pixels
BOX = 20  # the longer side of a digit in pixels
CENTRE = 14.5  # position of the digit's centre of mass: the middle of the fifteenth pixel, as in MNIST


def look_at(drawing: Any) -> NDArray[np.uint8]:
    """Turns a drawing into the image that the network sees.

    The digit is cut out and scaled to fit a box of 20 x 20 pixels, with its proportions kept. Each pixel is the mean
    ink of the area that it covers. Then the box is moved by whole pixels until the centre of mass is in the middle of
    the image, or as near as the image's edge allows.
    Source: Y. LeCun et al., "The MNIST database of handwritten digits", on how MNIST was made from NIST's images.

    Args:
        drawing: array (height, width) of any size, with ink from 0 (none) to 255.

    Returns:
        uint8 array (28, 28); all zeros for an empty drawing.

    Raises:
        ValueError: if the drawing has another shape, or holds numbers outside 0 to 255.
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
    """Returns how much of each pixel of the image each row (or column) of the digit covers: (28, len(mass)).

    Args:
        mass: the ink in each row (or column).
        scale: the height of a scaled row, in pixels.
    """
    place = np.arange(len(mass)) * scale  # start of each row, measured from the digit's edge
    middle = (mass * (place + scale / 2)).sum() / mass.sum()
    start = np.clip(np.floor(CENTRE - middle + 0.5), 0, SIDE - np.ceil(len(mass) * scale - 1e-9))
    pixels = np.arange(SIDE)[:, None]
    ends = np.minimum(start + place + scale, pixels + 1), np.maximum(start + place, pixels)
    covered: NDArray[np.float64] = np.maximum(ends[0] - ends[1], 0)
    return covered
