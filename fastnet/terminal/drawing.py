"""Draws pictures as text, for a terminal or a file: digits, bars and curves. screen.py knows what a stream can show."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any, TextIO

import numpy as np
from numpy.typing import NDArray

from fastnet.terminal import screen

PAGE = 80  # columns for a stream without a width, such as a file

_SHADES, _ASCII = " ░▒▓█", " .+#@"
_HALVES = " ▄▀█"  # nothing, lower, upper, both
_EIGHTHS = "▏▎▍▌▋▊▉█"
_RESET = "\x1b[0m"


def digit(image: Any, width: int | None = None, stream: TextIO | None = None) -> str:
    """Draws an image as text, without empty rows at the top and bottom.

    With colours, ink is light on dark, and a character shows two pixels, one above the other. Without colours, dense
    characters are ink, and a pixel takes two characters. If that is too wide, a character shows two pixels, each black
    or blank. If that is still too wide, the image is halved.

    Args:
        image: array (h, w) with ink from 0 (none) to 255.
        width: number of columns to use; by default the window's.
        stream: the stream that will show it; by default standard output.

    Example:
        >>> import numpy as np
        >>> one = np.zeros((5, 6), np.uint8)
        >>> one[1:4, 3] = 255
        >>> print(digit(one, width=8))
           @
           @
    """
    pixels = _used(np.asarray(image, np.uint8))
    width = width or screen.columns(stream) or 2 * pixels.shape[1]
    colors = screen.colors(stream)
    halves = screen.shows(_HALVES, stream)
    if 2 * pixels.shape[1] <= width and not (colors and halves):
        shades = _SHADES if screen.shows(_SHADES, stream) else _ASCII
        return _text(_letters(pixels, shades, 2))
    while pixels.shape[1] > max(width, 1):
        pixels = _pooled(pixels, 2)
    if not halves:
        return _text(_letters(_pooled(pixels, 1), _ASCII, 1))
    return _text(_colored(pixels, colors) if colors else _black(pixels))


def side_by_side(
    pictures: Sequence[str], captions: Sequence[str], width: int | None = None, stream: TextIO | None = None
) -> str:
    """Puts pictures next to each other, each below its caption, as many in a row as there is room for.

    Args:
        pictures: the pictures as text.
        captions: a caption for each picture.
        width: number of columns to use; by default the window's, or 80.
        stream: the stream that will show it; by default standard output.

    Example:
        >>> print(side_by_side(["##\\n##", "###"], ["two", "one"]))
        two  one
        ##   ###
        ##
    """
    limit = width or screen.columns(stream) or PAGE
    rows: list[list[tuple[list[str], int]]] = []
    used = limit
    for picture, caption in zip(pictures, captions, strict=True):
        lines = [caption, *picture.split("\n")]
        wide = max(screen.width_of(line) for line in lines)
        if not rows or used + 2 + wide > limit:
            rows.append([])
            used = -2
        rows[-1].append((lines, wide))
        used += 2 + wide
    return "\n\n".join(_text(_beside(row)) for row in rows)


def bar(share: float, width: int = 20, stream: TextIO | None = None) -> str:
    """Draws a bar for `share`, from 0 to 1, with `width` characters for 1; in eighths of a character if possible.

    Example:
        >>> bar(0.5, width=8)
        '####'
    """
    length = min(max(share, 0.0), 1.0) * width
    if not screen.shows(_EIGHTHS, stream):
        return "#" * round(length)
    eighths = round(8 * length)
    return "█" * (eighths // 8) + (_EIGHTHS[eighths % 8 - 1] if eighths % 8 else "")


def answer(
    image: Any,
    probabilities: Sequence[float],
    captions: tuple[str, str],
    width: int | None = None,
    stream: TextIO | None = None,
) -> str:
    """Draws a digit and, beside or below it, the probability of each class as a bar.

    Args:
        image: array (h, w) with ink from 0 (none) to 255.
        probabilities: probability of each class, (C,).
        captions: captions of the digit and of the bars.
        width: number of columns to use; by default the window's, or 80.
        stream: the stream that will show it; by default standard output.
    """
    limit = width or screen.columns(stream) or PAGE
    label = len("0 100.0% ")
    beside = limit - np.shape(image)[1] - 2 - label  # columns left for bars beside the digit
    length = max(1, min(20, limit - label if beside < 8 else beside))
    room = limit if beside < 8 else limit - 2 - label - length
    bars = [f"{i} {share:6.1%} {bar(share, length, stream)}" for i, share in enumerate(probabilities)]
    return side_by_side([digit(image, room, stream), _text(bars)], captions, limit, stream)


def curve(values: Sequence[float], width: int | None = None, height: int = 6, stream: TextIO | None = None) -> str:
    """Draws a small plot with one number per epoch, its range at the side, and the epochs' range below.

    Numbers that are not finite leave a gap. If there are more epochs than columns, some are left out.

    Args:
        values: one number per epoch.
        width: number of columns to use; by default the window's, or 80.
        height: number of rows, from the largest number to the smallest.
        stream: the stream that will show it; by default standard output.

    Example:
        >>> print(curve([0.4, 0.2, 0.1], height=2))
        0.4 + '
        0.1 +    '  .
            +---------
              1     3
    """
    numbers = np.asarray(values, float)
    finite = numbers[np.isfinite(numbers)]
    if not len(finite):
        return "no finite value"
    plain = not screen.shows("┤│└─▀▄", stream)
    tick, side, corner, floor, upper, lower = "+|+-'." if plain else "┤│└─▀▄"
    most, least = finite.max(), finite.min()
    labels = [f"{most:.4g}", *[""] * (height - 2), f"{least:.4g}" if least < most else ""]
    margin = max(map(len, labels))
    room = max(2, (width or screen.columns(stream) or PAGE) - margin - 2)
    shown = np.unique(np.linspace(0, len(numbers) - 1, min(len(numbers), room)).round().astype(int))
    step = min(3, room // len(shown))  # columns per epoch
    rows = [[" "] * (step * len(shown)) for _ in labels]
    for column, number in enumerate(numbers[shown]):
        if math.isfinite(number):
            place = round((2 * height - 1) * ((most - number) / (most - least) if most > least else 0))
            rows[place // 2][step * column + step // 2] = lower if place % 2 else upper
    lines = [
        f"{label:>{margin}} {tick if label else side}{''.join(row)}" for label, row in zip(labels, rows, strict=True)
    ]
    lines.append(" " * (margin + 1) + corner + floor * len(rows[0]))
    last = str(len(numbers)) if len(numbers) > 1 else ""
    lines.append(" " * (margin + 2 + step // 2) + "1" + last.rjust(step * (len(shown) - 1)))
    return _text(lines)


def _text(lines: Iterator[str] | Sequence[str]) -> str:
    return "\n".join(line.rstrip() for line in lines)


def _used(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Removes empty rows at the top and bottom; keeps one row of an empty image."""
    rows = np.flatnonzero(pixels.any(axis=1))
    return pixels[rows[0] : rows[-1] + 1] if len(rows) else pixels[:1]


def _pooled(pixels: NDArray[np.uint8], across: int) -> NDArray[np.uint8]:
    """Replaces each block of 2 x `across` pixels by the one with the most ink, so that no stroke is lost."""
    height, width = pixels.shape
    padded = np.pad(pixels, ((0, height % 2), (0, width % across)))
    pooled: NDArray[np.uint8] = padded.reshape(len(padded) // 2, 2, -1, across).max(axis=(1, 3))
    return pooled


def _letters(pixels: NDArray[np.uint8], shades: str, times: int) -> Iterator[str]:
    """Writes each pixel as `times` characters of its shade. Any ink, however little, is visible."""
    levels = (pixels.astype(int) * (len(shades) - 1) + 254) // 255
    return ("".join(times * shades[level] for level in row) for row in levels.tolist())


def _pairs(pixels: NDArray[np.uint8]) -> Iterator[list[tuple[int, int]]]:
    """Returns for each line of text the pairs of pixels, upper and lower."""
    padded = np.pad(pixels, ((0, len(pixels) % 2), (0, 0))).tolist()
    return (list(zip(*rows, strict=True)) for rows in zip(padded[::2], padded[1::2], strict=True))


def _black(pixels: NDArray[np.uint8]) -> Iterator[str]:
    return ("".join(_HALVES[2 * (upper > 127) + (lower > 127)] for upper, lower in row) for row in _pairs(pixels))


def _colored(pixels: NDArray[np.uint8], colors: int) -> Iterator[str]:
    """Writes two pixels as the foreground and background colours of a character, with codes only at changes."""
    for row in _pairs(pixels):
        line, before = "", None
        for pair in row:
            if pair != before:
                line += f"\x1b[38;{_grey(pair[0], colors)};48;{_grey(pair[1], colors)}m"
            line, before = line + "▀", pair
        yield line + _RESET


def _grey(value: int, colors: int) -> str:
    """Returns the colour code of a grey. Of 256 colours, 16 is black, 231 white, and 232 to 255 are 8, 18 ... 238."""
    if colors > 256:
        return f"2;{value};{value};{value}"
    return f"5;{16 if value < 4 else 231 if value > 246 else 232 + min(max(value - 3, 0) // 10, 23)}"


def _beside(blocks: Sequence[tuple[list[str], int]]) -> Iterator[str]:
    """Joins blocks of lines side by side; each block is padded to its width, with two blanks between blocks."""
    for i in range(max(len(lines) for lines, _ in blocks)):
        cells = [(lines[i] if i < len(lines) else "", wide) for lines, wide in blocks]
        yield "  ".join(text + " " * (wide - screen.width_of(text)) for text, wide in cells)
