"""Pictures as text, for a terminal or a file: digits, bars and curves. screen.py says what a stream can show."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any, TextIO

import numpy as np
from numpy.typing import NDArray

from fastnet.terminal import screen

PAGE = 80  # columns of what has no width of its own, as a file

_SHADES, _ASCII = " ░▒▓█", " .+#@"
_HALVES = " ▄▀█"  # nothing, lower, upper, both
_EIGHTHS = "▏▎▍▌▋▊▉█"
_RESET = "\x1b[0m"


def digit(image: Any, width: int | None = None, stream: TextIO | None = None) -> str:
    """An image as text, empty rows above and below left out.

    With colours ink is light on dark, and a character holds two pixels, one above the other. Without, ink is dense, and
    a pixel takes two characters; where the room is too narrow for that, a character again holds two pixels, and then is
    black or blank. Where even that is too wide, the image is halved.

    Args:
        image: (h, w), ink from 0, none, to 255.
        width: the columns that it may take; by default the window's.
        stream: what it is for; by default standard output.

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
    """Texts next to one another, each under its caption, as many in a row as there is room for.

    Args:
        pictures, captions: as many of one as of the other.
        width: the columns that they may take; by default the window's, or 80.
        stream: what they are for; by default standard output.

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
    """A bar of `share`, from 0 to 1, of `width` characters, to an eighth of one where the stream shows them.

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
    """A digit, and beside it, or below it where the room is narrow, the probability of each class as a bar.

    Args:
        image: (h, w), ink from 0, none, to 255.
        probabilities: (C,), from 0 to 1.
        captions: of the digit and of the probabilities.
        width: the columns that it may take; by default the window's, or 80.
        stream: what it is for; by default standard output.
    """
    limit = width or screen.columns(stream) or PAGE
    label = len("0 100.0% ")
    beside = limit - np.shape(image)[1] - 2 - label  # the columns left for the bars
    length = max(1, min(20, limit - label if beside < 8 else beside))
    room = limit if beside < 8 else limit - 2 - label - length
    bars = [f"{i} {share:6.1%} {bar(share, length, stream)}" for i, share in enumerate(probabilities)]
    return side_by_side([digit(image, room, stream), _text(bars)], captions, limit, stream)


def curve(values: Sequence[float], width: int | None = None, height: int = 6, stream: TextIO | None = None) -> str:
    """A small plot of a number an epoch; at the side the greatest and the least, below the first and the last epoch.

    Numbers that are not finite leave a gap. Of more epochs than there are columns, some are left out.

    Args:
        values: a number an epoch.
        width: the columns that it may take; by default the window's, or 80.
        height: the rows between the greatest and the least, with theirs.
        stream: what it is for; by default standard output.

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
    step = min(3, room // len(shown))  # columns an epoch
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
    """Without the empty rows above and below; one row of an empty image."""
    rows = np.flatnonzero(pixels.any(axis=1))
    return pixels[rows[0] : rows[-1] + 1] if len(rows) else pixels[:1]


def _pooled(pixels: NDArray[np.uint8], across: int) -> NDArray[np.uint8]:
    """Of two pixels down, and so many across, the one with most ink, so that no stroke is lost."""
    height, width = pixels.shape
    padded = np.pad(pixels, ((0, height % 2), (0, width % across)))
    pooled: NDArray[np.uint8] = padded.reshape(len(padded) // 2, 2, -1, across).max(axis=(1, 3))
    return pooled


def _letters(pixels: NDArray[np.uint8], shades: str, times: int) -> Iterator[str]:
    """A pixel so many times a shade; the least ink is seen."""
    levels = (pixels.astype(int) * (len(shades) - 1) + 254) // 255
    return ("".join(times * shades[level] for level in row) for row in levels.tolist())


def _pairs(pixels: NDArray[np.uint8]) -> Iterator[list[tuple[int, int]]]:
    """Line by line the pixels one above the other."""
    padded = np.pad(pixels, ((0, len(pixels) % 2), (0, 0))).tolist()
    return (list(zip(*rows, strict=True)) for rows in zip(padded[::2], padded[1::2], strict=True))


def _black(pixels: NDArray[np.uint8]) -> Iterator[str]:
    return ("".join(_HALVES[2 * (upper > 127) + (lower > 127)] for upper, lower in row) for row in _pairs(pixels))


def _colored(pixels: NDArray[np.uint8], colors: int) -> Iterator[str]:
    """The upper pixel is the letter's colour, the lower its ground's; a code stands only where they change."""
    for row in _pairs(pixels):
        line, before = "", None
        for pair in row:
            if pair != before:
                line += f"\x1b[38;{_grey(pair[0], colors)};48;{_grey(pair[1], colors)}m"
            line, before = line + "▀", pair
        yield line + _RESET


def _grey(value: int, colors: int) -> str:
    """A grey as a terminal's colour; of 256 colours number 16 is black, 231 white, and 232 to 255 are 8, 18 ... 238."""
    if colors > 256:
        return f"2;{value};{value};{value}"
    return f"5;{16 if value < 4 else 231 if value > 246 else 232 + min(max(value - 3, 0) // 10, 23)}"


def _beside(blocks: Sequence[tuple[list[str], int]]) -> Iterator[str]:
    """Line by line blocks of so many columns, two blanks between."""
    for i in range(max(len(lines) for lines, _ in blocks)):
        cells = [(lines[i] if i < len(lines) else "", wide) for lines, wide in blocks]
        yield "  ".join(text + " " * (wide - screen.width_of(text)) for text, wide in cells)
