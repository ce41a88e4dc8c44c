"""Draws charts as inline SVG: lines, points and columns. The page's style sets colours and text sizes."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from fastnet.inspection.markup import Markup, join, tag

WIDTH, HEIGHT = 440, 270
LEFT, RIGHT, TOP, BOTTOM = 60, 14, 14, 44


class Line(NamedTuple):
    """A line through points, in their order. A y that is not finite leaves a gap."""

    name: str
    x: Sequence[float]
    y: Sequence[float]


class _Frame:
    """The axes of a chart: their ranges, and the positions of numbers in the drawing."""

    def __init__(self, x: tuple[float, float], y: tuple[float, float]) -> None:
        self.x, self.y = _wide(*x), _wide(*y)

    def across(self, x: float) -> float:
        return LEFT + (x - self.x[0]) / (self.x[1] - self.x[0]) * (WIDTH - LEFT - RIGHT)

    def down(self, y: float) -> float:
        return HEIGHT - BOTTOM - (y - self.y[0]) / (self.y[1] - self.y[0]) * (HEIGHT - TOP - BOTTOM)

    def axes(self, x_name: str, y_name: str, whole: bool = False) -> Markup:
        """Draws grid, numbers and names of the axes; with `whole`, the x axis has whole numbers only."""
        right, bottom = WIDTH - RIGHT, HEIGHT - BOTTOM
        parts = []
        for y in ticks(*self.y):
            at = f"{self.down(y):.1f}"
            parts.append(tag("path", d=f"M{LEFT} {at}H{right}", class_="grid"))
            parts.append(tag("text", _short(y), x=LEFT - 7, y=at, dy=".35em", text_anchor="end"))
        for x in ticks(*self.x, whole=whole):
            parts.append(tag("text", _short(x), x=f"{self.across(x):.1f}", y=bottom + 18, text_anchor="middle"))
        parts.append(tag("path", d=f"M{LEFT} {bottom}H{right}", class_="axis"))
        middle = (LEFT + right) / 2
        parts.append(tag("text", x_name, x=middle, y=HEIGHT - 6, text_anchor="middle"))
        parts.append(
            tag(
                "text",
                y_name,
                transform=f"translate(13 {(TOP + bottom) / 2}) rotate(-90)",
                text_anchor="middle",
                class_="y-name",
            )
        )
        return join(*parts)


def lines(series: Sequence[Line], x_name: str, y_name: str, label: str) -> Markup:
    """Draws up to two lines over whole numbers, such as epochs. Values that are not finite are not drawn."""
    xs = [x for line in series for x in line.x]
    ys = [y for line in series for y in line.y if math.isfinite(y)] or [0.0]
    frame = _Frame((min(xs), max(xs)), _padded(min(ys), max(ys)))
    parts = [frame.axes(x_name, y_name, whole=True)]
    for i, line in enumerate(series):
        places = [
            (frame.across(x), frame.down(y)) if math.isfinite(y) else None for x, y in zip(line.x, line.y, strict=True)
        ]
        path = "".join(
            f"{'L' if i and places[i - 1] else 'M'}{place[0]:.1f} {place[1]:.1f}"
            for i, place in enumerate(places)
            if place
        )
        if path:
            parts.append(tag("path", d=path, class_=f"line s{i + 1}"))
        if len(line.x) <= 40:
            parts += [_mark(*place, i) for place in places if place]
    return _drawing(label, *parts)


def _mark(x: float, y: float, series: int) -> Markup:
    """Draws a disc for the first line, a square for the second, so that no colour is needed to tell them apart."""
    if series == 0:
        return tag("circle", cx=f"{x:.1f}", cy=f"{y:.1f}", r=4, class_="mark s1")
    return tag("rect", x=f"{x - 3.7:.1f}", y=f"{y - 3.7:.1f}", width=7.4, height=7.4, class_="mark s2")


def points(x: Sequence[float], y: Sequence[float], x_name: str, y_name: str, label: str) -> Markup:
    """Draws points on axes with the same range, and the diagonal y = x."""
    both = _padded(min(*x, *y), max(*x, *y))
    frame = _Frame(both, both)
    low, high = frame.x
    diagonal = f"M{frame.across(low):.1f} {frame.down(low):.1f}L{frame.across(high):.1f} {frame.down(high):.1f}"
    dots = (
        tag("circle", cx=f"{frame.across(a):.1f}", cy=f"{frame.down(b):.1f}", r=3) for a, b in zip(x, y, strict=True)
    )
    return _drawing(
        label, frame.axes(x_name, y_name), tag("path", d=diagonal, class_="diagonal"), tag("g", *dots, class_="points")
    )


def columns(edges: Sequence[float], counts: Sequence[int], x_name: str, y_name: str, label: str) -> Markup:
    """Draws a histogram: the count between each two neighbouring edges."""
    frame = _Frame((edges[0], edges[-1]), (0, max(counts) * 1.05))
    base = frame.down(0)
    bars = []
    for left, right, count in zip(edges[:-1], edges[1:], counts, strict=True):
        x, top = frame.across(left), frame.down(count)
        width = max(frame.across(right) - x - 1.5, 0.5)
        bars.append(tag("rect", x=f"{x:.1f}", y=f"{top:.1f}", width=f"{width:.1f}", height=f"{base - top:.1f}"))
    return _drawing(label, frame.axes(x_name, y_name), tag("g", *bars, class_="columns"))


def ticks(low: float, high: float, whole: bool = False, most: int = 6) -> list[float]:
    """Returns round numbers from `low` to `high`, in steps of 1, 2 or 5 times a power of ten.

    Example:
        >>> ticks(0.03, 0.27)
        [0.05, 0.1, 0.15, 0.2, 0.25]
    """
    rough = (high - low) / most
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough * 0.999)
    if whole:
        step = max(1.0, step)
    return list(_multiples(low, high, step))


def _multiples(low: float, high: float, step: float) -> Iterator[float]:
    first = math.ceil(low / step - 1e-9)
    for i in range(first, math.floor(high / step + 1e-9) + 1):
        yield float(f"{i * step:.10g}")


def _short(value: float) -> str:
    """Writes a number beside an axis, in full if there is room, so that different numbers look different."""
    return f"{value:.10g}" if value == 0 or 1e-4 <= abs(value) < 1e5 else f"{value:.3g}"


def _padded(low: float, high: float) -> tuple[float, float]:
    """Adds a little room on both sides of a range; a range without negative numbers stays so."""
    room = (high - low) * 0.06
    return (max(0.0, low - room) if low >= 0 else low - room), high + room


def _wide(low: float, high: float) -> tuple[float, float]:
    """Widens a range that is empty, or too narrow for floats."""
    least = max(abs(low), abs(high), 1e-30) * 1e-6
    if high - low > least:
        return low, high
    room = abs(low) * 0.1 or 0.5
    return low - room, high + room


def _drawing(label: str, *parts: Markup) -> Markup:
    return tag("svg", *parts, viewBox=f"0 0 {WIDTH} {HEIGHT}", role="img", aria_label=label, class_="chart")
