"""Draws digits that look handwritten: data of MNIST's shapes and types, without a file or a network.

There are a few ways of writing each digit. A way is a list of strokes, and a stroke is a list of points that the pen
passes. For each image, the points are moved a little, and a smooth curve is drawn through them. The digit is then
scaled, slanted, turned and shifted. The pen's ink is spread over the 28 x 28 pixels, thick or thin, with varying
pressure. About a fifth of the pixels are nonzero, as in MNIST. The tutorial's network gets 97 to 99 % of them right.
"""

import re

import numpy as np
from numpy.typing import NDArray

from fastnet import checks

Bytes = NDArray[np.uint8]
Floats = NDArray[np.float32]
Stroke = list[tuple[float, float]]

_TRAIN, _TEST = 60000, 10000
_SIDE = 28
_BOX = 19.0  # height of a digit in pixels, before it is scaled
_CHUNK = 250  # images drawn at once, so few that their pixels stay in the processor's cache
_STEPS = 7  # points drawn between two of a stroke's points

# Ways of writing each digit: strokes, divided by /, of points x,y in hundredths of a square, y downwards.
_WAYS = {
    0: ("55,4 28,15 13,50 25,88 52,97 80,78 86,42 72,12 50,4", "70,12 42,5 17,35 20,75 48,96 78,75 82,35 60,6 40,10"),
    1: (
        "50,2 50,35 50,66 50,98",
        "32,24 44,14 53,2 / 53,2 52,50 52,98",
        "30,22 52,3 / 52,3 51,50 50,95 / 25,96 50,95 78,96",
    ),
    2: (
        "16,26 32,7 62,5 78,25 64,52 38,76 12,95 / 12,95 50,92 90,93",
        "20,22 45,4 76,18 70,48 42,82 20,94 14,80 32,76 55,90 90,94",
    ),
    3: (
        "16,14 45,3 76,17 68,38 40,47 / 40,47 75,54 84,76 60,95 30,94 12,82",
        "14,8 50,6 80,8 / 80,8 62,25 42,40 / 42,40 76,50 82,76 55,96 16,88",
    ),
    4: (
        "24,5 17,30 14,52 / 14,52 50,55 88,50 / 74,6 70,50 64,97",
        "62,4 36,32 8,64 / 8,64 50,63 93,62 / 62,4 62,50 62,97",
        "22,8 20,35 38,50 68,42 78,10 / 78,10 74,50 66,97",
    ),
    5: (
        "80,6 55,6 30,8 / 30,8 26,26 22,44 / 22,44 52,36 80,54 76,84 46,97 14,87",
        "84,4 60,10 36,8 24,42 50,42 74,58 68,86 40,97 14,92",
    ),
    6: ("70,3 42,22 22,55 24,85 50,97 77,82 74,60 50,52 24,70", "48,2 30,30 20,68 36,94 66,93 78,70 56,54 32,64 24,80"),
    7: (
        "12,10 50,7 86,8 / 86,8 64,40 48,70 40,97",
        "14,12 50,6 84,10 68,42 50,70 40,97 / 34,50 58,49 80,48",
        "14,24 18,8 50,10 82,6 / 82,6 68,40 60,97",
    ),
    8: (
        "74,16 46,4 24,20 44,44 72,64 74,88 46,97 22,82 40,54 68,34 74,16",
        "50,47 24,28 42,5 70,14 66,38 50,47 / 50,47 20,68 34,95 68,93 78,68 50,47",
    ),
    9: (
        "76,24 52,5 24,20 28,44 54,46 76,24 / 76,24 74,60 62,97",
        "74,12 40,6 20,30 42,50 70,34 76,10 76,50 60,88 26,94",
    ),
}


def load_data(seed: int = 0) -> tuple[tuple[Bytes, Bytes], tuple[Bytes, Bytes]]:
    """Draws the digits. The same seed gives the same digits.

    Args:
        seed: a whole number, at least 0.

    Returns:
        ``(x_train, y_train), (x_test, y_test)``: uint8 arrays (60000, 28, 28), (60000,), (10000, 28, 28), (10000,).

    Raises:
        TypeError: if `seed` is not an integer.
        ValueError: if it is negative.
    """
    rng = np.random.default_rng(checks.integer("seed", seed, least=0))
    labels = rng.integers(0, 10, _TRAIN + _TEST).astype(np.uint8)
    way = rng.random(len(labels))
    images = np.empty((len(labels), _SIDE, _SIDE), np.uint8)
    for digit, ways in _WAYS.items():
        for i, text in enumerate(ways):
            strokes = _strokes(text)
            own = np.flatnonzero((labels == digit) & ((way * len(ways)).astype(int) == i))
            basis, links = _curve(strokes)
            points = np.concatenate([np.array(stroke, np.float32) for stroke in strokes])
            for start in range(0, len(own), _CHUNK):
                chosen = own[start : start + _CHUNK]
                images[chosen] = _draw(points, basis, links, len(chosen), rng)
    return (images[:_TRAIN], labels[:_TRAIN]), (images[_TRAIN:], labels[_TRAIN:])


def _strokes(text: str) -> list[Stroke]:
    return [[(int(x) / 100, int(y) / 100) for x, y in re.findall(r"(\d+),(\d+)", part)] for part in text.split("/")]


def _curve(strokes: list[Stroke]) -> tuple[Floats, NDArray[np.bool_]]:
    """Returns the matrix that turns the strokes' points into smooth curves, and which pieces of them have ink.

    The curves are Catmull-Rom splines (E. Catmull and R. Rom, "A class of local interpolating splines", 1974). Between
    two points of a stroke, the curve is a cubic polynomial in t through both. Its slope at a point is half the
    difference of the two neighbouring points.
    """
    count = sum(len(stroke) for stroke in strokes)
    rows, links = [], []
    first = 0
    for stroke in strokes:
        last = first + len(stroke) - 1
        for i in range(first, last):
            for t in np.arange(_STEPS + (i == last - 1)) / _STEPS:
                row = np.zeros(count)
                weights = (
                    (-t + 2 * t**2 - t**3) / 2,
                    (2 - 5 * t**2 + 3 * t**3) / 2,
                    (t + 4 * t**2 - 3 * t**3) / 2,
                    (-(t**2) + t**3) / 2,
                )
                for point, weight in zip(range(i - 1, i + 3), weights, strict=True):
                    row[min(max(point, first), last)] += weight
                rows.append(row)
                links.append(True)
        links[-1] = False  # the pen is lifted
        first = last + 1
    return np.array(rows, np.float32), np.array(links[:-1])


def _draw(points: Floats, basis: Floats, links: NDArray[np.bool_], count: int, rng: np.random.Generator) -> Bytes:
    """Draws `count` images, (count, 28, 28), of one way of writing a digit."""

    def normal(*shape: int) -> Floats:
        return rng.standard_normal((count, *shape), np.float32)

    def uniform(low: float, high: float) -> Floats:
        return (low + (high - low) * rng.random(count, np.float32))[:, None]

    sloppiness = uniform(0.02, 0.1)[:, :, None]
    moved = points.T + sloppiness * normal(*points.T.shape)
    x, y = np.einsum("ncp,tp->cnt", moved, basis) - np.float32(0.5)

    # Bend the whole image, then scale and slant it, then rotate it.
    x = x + uniform(-0.25, 0.25) * (y * y - np.float32(0.08))
    y = y + uniform(-0.18, 0.18) * (x * x - np.float32(0.08))
    scale = uniform(0.82, 1.08) * np.float32(_BOX)
    x, y = scale * uniform(0.62, 1.12) * (x - np.float32(0.22) * normal(1) * y), scale * y
    angle = np.float32(0.14) * normal(1)
    x, y = np.cos(angle) * x - np.sin(angle) * y, np.sin(angle) * x + np.cos(angle) * y

    # Put the centre of the ink in the middle of the image, as in MNIST, then move it a little.
    middle = np.float32((_SIDE - 1) / 2)
    x = x - x.mean(axis=1, keepdims=True) + middle + np.float32(0.5) * normal(1)
    y = y - y.mean(axis=1, keepdims=True) + middle + np.float32(0.5) * normal(1)

    # Ink is proportional to the length of the pen's path and to its pressure, which varies along the path.
    way = np.hypot(np.diff(x, axis=1), np.diff(y, axis=1)) * links
    pressure = 1 + uniform(0.0, 0.35) * np.sin(
        uniform(1, 9) * np.linspace(0, 1, way.shape[1], dtype=np.float32) + uniform(0, 6.3)
    )
    ink = _splat((x[:, 1:] + x[:, :-1]) / 2, (y[:, 1:] + y[:, :-1]) / 2, way * pressure)

    # A pen has a width: spread the ink. Then strong ink saturates and weak ink vanishes.
    spread = uniform(0.13, 0.26)[:, :, None]
    for axis in (1, 2, 1, 2):
        share = spread * ink
        ink -= 2 * share
        towards, shares = np.moveaxis(ink, axis, 0), np.moveaxis(share, axis, 0)
        towards[1:] += shares[:-1]
        towards[:-1] += shares[1:]
    thickness = uniform(2.2, 4.4)[:, :, None]
    grain = np.frombuffer(rng.bytes(ink.size), np.uint8).reshape(ink.shape).astype(np.float32)
    ink = (thickness * ink - np.float32(0.2)) * (np.float32(200) + np.float32(0.5) * grain)
    return np.clip(ink, 0, 255, out=ink).astype(np.uint8)


def _splat(x: Floats, y: Floats, weight: Floats) -> Floats:
    """Makes images from points: each point adds its weight to the four pixels around it."""
    count = len(x)
    weight = weight * ((x >= 0) & (x < _SIDE - 1) & (y >= 0) & (y < _SIDE - 1))  # points outside the image leave no ink
    x, y = np.clip(x, 0, _SIDE - 1.001), np.clip(y, 0, _SIDE - 1.001)
    column, row = x.astype(np.int32), y.astype(np.int32)
    right, down = x - column, y - row
    at = (np.arange(count, dtype=np.int32)[:, None] * _SIDE + row) * _SIDE + column
    size = count * _SIDE * _SIDE
    total = np.zeros(size)
    for offset, share in (
        (0, (1 - right) * (1 - down)),
        (1, right * (1 - down)),
        (_SIDE, (1 - right) * down),
        (_SIDE + 1, right * down),
    ):
        total += np.bincount((at + offset).ravel(), (weight * share).ravel(), size)
    return total.reshape(count, _SIDE, _SIDE).astype(np.float32)
