"""What all plots share: matplotlib, an axes to draw into, colors that the color-blind can tell apart."""

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
    """The module.

    Raises:
        ImportError: with what to type, if it is not installed.
    """
    try:
        import matplotlib
    except ImportError:
        raise ImportError(
            "fastnet.plotting needs matplotlib, which is not installed: python -m pip install matplotlib"
        ) from None
    return matplotlib


def literal(text: str) -> str:
    """The text as matplotlib shows it unchanged: dollars are no formula, and control characters are escapes."""
    return screen.printable(str(text)).replace("$", r"\$")


def axes_or_new(ax: Axes | None, width: float, height: float) -> Axes:
    """`ax`, or the only axes of a new figure of so many inches, which pyplot knows."""
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
    """A text `up` points above a place, whatever the scale of the axes; in the style's own color if None."""
    ax.annotate(text, (x, y), (0, up), textcoords="offset points", ha="center", va="bottom", fontsize=size, color=color)


def points_of(ax: Axes) -> tuple[float, float]:
    """How wide and high the axes is about to be, in points: before the layout, so about."""
    box = ax.get_window_extent()
    return 72 * box.width / ax.figure.dpi, 72 * box.height / ax.figure.dpi


def mosaic(images: NDArray[Any], columns: int, room: int) -> tuple[NDArray[Any], list[tuple[int, int]]]:
    """The images (n, h, w) as one, row by row, with `room` pixels above each, and where each one's corner is.

    What is between them is NaN, which matplotlib leaves blank.
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
