"""Shared parts of all plots: matplotlib, axes to draw into, colors that color-blind people can tell apart."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fastnet.terminal import screen

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Source: M. Okabe and K. Ito, "Color universal design", 2008.
BLUE, ORANGE, GREEN, RED, PINK, SKY = "#0072b2", "#e69f00", "#009e73", "#d55e00", "#cc79a7", "#56b4e9"
CURVES = (BLUE, RED, GREEN, PINK, ORANGE, SKY)

GAP = 2  # pixels between two images of a mosaic


def require_matplotlib() -> Any:
    """Returns the module matplotlib.

    Raises:
        ImportError: if it is not installed; the message has the command that installs it.
    """
    try:
        import matplotlib
    except ImportError:
        raise ImportError(
            "fastnet.plotting needs matplotlib, which is not installed: python -m pip install matplotlib"
        ) from None
    return matplotlib


def literal(text: str) -> str:
    """Escapes a text for matplotlib: dollars do not start a formula, control characters become visible."""
    return screen.printable(str(text)).replace("$", r"\$")


def axes_or_new(ax: Axes | None, width: float, height: float) -> Axes:
    """Returns `ax`; if it is None, the axes of a new pyplot figure of this width and height in inches."""
    require_matplotlib()
    if ax is not None:
        from matplotlib.axes import Axes

        if not isinstance(ax, Axes):
            raise TypeError(f"ax must be an axes of matplotlib or None, got {ax!r}")
        return ax
    from matplotlib import pyplot as plt

    return plt.subplots(figsize=(width, height), layout="constrained")[1]


def write_above(
    ax: Axes, x: float, y: float, text: str, color: str | None = None, size: float = 8, up: float = 2
) -> None:
    """Writes a text `up` points above (x, y), whatever the scale of the axes; None is the style's color."""
    ax.annotate(text, (x, y), (0, up), textcoords="offset points", ha="center", va="bottom", fontsize=size, color=color)


def points_of(ax: Axes) -> tuple[float, float]:
    """Returns the approximate width and height of the axes in points, before the layout."""
    box = ax.get_window_extent()
    return 72 * box.width / ax.figure.dpi, 72 * box.height / ax.figure.dpi


def mosaic(images: NDArray[Any], columns: int, room: int) -> tuple[NDArray[Any], list[tuple[int, int]]]:
    """Puts images (n, h, w) into one, row by row; returns it and the top left corner of each image.

    The space between them is NaN, which matplotlib leaves blank.

    Args:
        images: the images.
        columns: number of images in a row.
        room: number of free pixels above each image.
    """
    n, height, width = images.shape
    columns = min(columns, n)
    rows = math.ceil(n / columns)
    whole = np.full((rows * (height + room) + GAP, columns * (width + GAP) + GAP), np.nan)
    corners = []
    for i, image in enumerate(images):
        top, left = i // columns * (height + room) + room, i % columns * (width + GAP) + GAP
        whole[top : top + height, left : left + width] = image
        corners.append((top, left))
    return whole, corners
