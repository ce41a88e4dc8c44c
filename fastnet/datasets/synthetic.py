"""Digits that look handwritten, drawn here from strokes: MNIST's shapes and types without a file or a network.

Each digit has a few ways of writing it, each a list of strokes, each stroke a list of points that the pen passes. For
every image the points are moved a little, a smooth curve is laid through them, the whole is scaled, slanted, turned and
shifted, and the pen's ink is spread over the 28 x 28 pixels, thick or thin, with uneven pressure. About a fifth of the
pixels is not zero, as in MNIST, and the tutorial's network learns them to between 97 and 99 %.
"""

import numpy as np
from numpy.typing import NDArray

from fastnet import checks

Bytes = NDArray[np.uint8]
Floats = NDArray[np.float32]
Stroke = list[tuple[float, float]]

_TRAIN, _TEST = 60000, 10000
_SIDE = 28
_BOX = 19.0  # pixels that a digit is high before it is scaled
_CHUNK = 1000  # images drawn at once: their pixels stay in the cache
_STEPS = 7  # points drawn between two of a stroke's points

# Ways of writing each digit: strokes of points (x, y) in a unit square, y downwards.
_WAYS: list[list[list[Stroke]]] = [
    [
        [[(0.55, 0.04), (0.28, 0.15), (0.13, 0.5), (0.25, 0.88), (0.52, 0.97), (0.8, 0.78), (0.86, 0.42), (0.72, 0.12), (0.5, 0.04)]],
        [[(0.7, 0.12), (0.42, 0.05), (0.17, 0.35), (0.2, 0.75), (0.48, 0.96), (0.78, 0.75), (0.82, 0.35), (0.6, 0.06), (0.4, 0.1)]],
    ],
    [
        [[(0.5, 0.02), (0.5, 0.35), (0.5, 0.66), (0.5, 0.98)]],
        [[(0.32, 0.24), (0.44, 0.14), (0.53, 0.02)], [(0.53, 0.02), (0.52, 0.5), (0.52, 0.98)]],
        [[(0.3, 0.22), (0.52, 0.03)], [(0.52, 0.03), (0.51, 0.5), (0.5, 0.95)], [(0.25, 0.96), (0.5, 0.95), (0.78, 0.96)]],
    ],
    [
        [[(0.16, 0.26), (0.32, 0.07), (0.62, 0.05), (0.78, 0.25), (0.64, 0.52), (0.38, 0.76), (0.12, 0.95)], [(0.12, 0.95), (0.5, 0.92), (0.9, 0.93)]],
        [[(0.2, 0.22), (0.45, 0.04), (0.76, 0.18), (0.7, 0.48), (0.42, 0.82), (0.2, 0.94), (0.14, 0.8), (0.32, 0.76), (0.55, 0.9), (0.9, 0.94)]],
    ],
    [
        [[(0.16, 0.14), (0.45, 0.03), (0.76, 0.17), (0.68, 0.38), (0.4, 0.47)], [(0.4, 0.47), (0.75, 0.54), (0.84, 0.76), (0.6, 0.95), (0.3, 0.94), (0.12, 0.82)]],
        [[(0.14, 0.08), (0.5, 0.06), (0.8, 0.08)], [(0.8, 0.08), (0.62, 0.25), (0.42, 0.4)], [(0.42, 0.4), (0.76, 0.5), (0.82, 0.76), (0.55, 0.96), (0.16, 0.88)]],
    ],
    [
        [[(0.24, 0.05), (0.17, 0.3), (0.14, 0.52)], [(0.14, 0.52), (0.5, 0.55), (0.88, 0.5)], [(0.74, 0.06), (0.7, 0.5), (0.64, 0.97)]],
        [[(0.62, 0.04), (0.36, 0.32), (0.08, 0.64)], [(0.08, 0.64), (0.5, 0.63), (0.93, 0.62)], [(0.62, 0.04), (0.62, 0.5), (0.62, 0.97)]],
        [[(0.22, 0.08), (0.2, 0.35), (0.38, 0.5), (0.68, 0.42), (0.78, 0.1)], [(0.78, 0.1), (0.74, 0.5), (0.66, 0.97)]],
    ],
    [
        [[(0.8, 0.06), (0.55, 0.06), (0.3, 0.08)], [(0.3, 0.08), (0.26, 0.26), (0.22, 0.44)], [(0.22, 0.44), (0.52, 0.36), (0.8, 0.54), (0.76, 0.84), (0.46, 0.97), (0.14, 0.87)]],
        [[(0.84, 0.04), (0.6, 0.1), (0.36, 0.08), (0.24, 0.42), (0.5, 0.42), (0.74, 0.58), (0.68, 0.86), (0.4, 0.97), (0.14, 0.92)]],
    ],
    [
        [[(0.7, 0.03), (0.42, 0.22), (0.22, 0.55), (0.24, 0.85), (0.5, 0.97), (0.77, 0.82), (0.74, 0.6), (0.5, 0.52), (0.24, 0.7)]],
        [[(0.48, 0.02), (0.3, 0.3), (0.2, 0.68), (0.36, 0.94), (0.66, 0.93), (0.78, 0.7), (0.56, 0.54), (0.32, 0.64), (0.24, 0.8)]],
    ],
    [
        [[(0.12, 0.1), (0.5, 0.07), (0.86, 0.08)], [(0.86, 0.08), (0.64, 0.4), (0.48, 0.7), (0.4, 0.97)]],
        [[(0.14, 0.12), (0.5, 0.06), (0.84, 0.1), (0.68, 0.42), (0.5, 0.7), (0.4, 0.97)], [(0.34, 0.5), (0.58, 0.49), (0.8, 0.48)]],
        [[(0.14, 0.24), (0.18, 0.08), (0.5, 0.1), (0.82, 0.06)], [(0.82, 0.06), (0.68, 0.4), (0.6, 0.97)]],
    ],
    [
        [[(0.74, 0.16), (0.46, 0.04), (0.24, 0.2), (0.44, 0.44), (0.72, 0.64), (0.74, 0.88), (0.46, 0.97), (0.22, 0.82), (0.4, 0.54), (0.68, 0.34), (0.74, 0.16)]],
        [[(0.5, 0.47), (0.24, 0.28), (0.42, 0.05), (0.7, 0.14), (0.66, 0.38), (0.5, 0.47)], [(0.5, 0.47), (0.2, 0.68), (0.34, 0.95), (0.68, 0.93), (0.78, 0.68), (0.5, 0.47)]],
    ],
    [
        [[(0.76, 0.24), (0.52, 0.05), (0.24, 0.2), (0.28, 0.44), (0.54, 0.46), (0.76, 0.24)], [(0.76, 0.24), (0.74, 0.6), (0.62, 0.97)]],
        [[(0.74, 0.12), (0.4, 0.06), (0.2, 0.3), (0.42, 0.5), (0.7, 0.34), (0.76, 0.1), (0.76, 0.5), (0.6, 0.88), (0.26, 0.94)]],
    ],
]  # fmt: skip


def load_data(seed: int = 0) -> tuple[tuple[Bytes, Bytes], tuple[Bytes, Bytes]]:
    """Draws the digits; the same for the same seed.

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
    for digit, ways in enumerate(_WAYS):
        for i, strokes in enumerate(ways):
            own = np.flatnonzero((labels == digit) & ((way * len(ways)).astype(int) == i))
            basis, links = _curve(strokes)
            points = np.concatenate([np.array(stroke, np.float32) for stroke in strokes])
            for start in range(0, len(own), _CHUNK):
                chosen = own[start : start + _CHUNK]
                images[chosen] = _draw(points, basis, links, len(chosen), rng)
    return (images[:_TRAIN], labels[:_TRAIN]), (images[_TRAIN:], labels[_TRAIN:])


def _curve(strokes: list[Stroke]) -> tuple[Floats, NDArray[np.bool_]]:
    """The matrix that makes smooth curves of the strokes' points, and which of their pieces are ink.

    Catmull-Rom splines (E. Catmull and R. Rom, "A class of local interpolating splines", 1974): between two points of a
    stroke the curve is a cubic in t through both, whose slope at each is half the way between its neighbours.
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
    """`count` images, (count, 28, 28), of one way of writing a digit."""

    def normal(*shape: int) -> Floats:
        return rng.standard_normal((count, *shape), np.float32)

    def uniform(low: float, high: float) -> Floats:
        return (low + (high - low) * rng.random(count, np.float32))[:, None]

    sloppiness = uniform(0.01, 0.075)[:, :, None]
    moved = points + sloppiness * normal(*points.shape)
    x, y = np.moveaxis(np.einsum("tp,npc->ntc", basis, moved) - np.float32(0.5), 2, 0)

    # Curvature: a bow of the whole sheet. Then scale and slant, then a turn.
    x = x + uniform(-0.25, 0.25) * (y * y - np.float32(0.08))
    y = y + uniform(-0.18, 0.18) * (x * x - np.float32(0.08))
    scale = uniform(0.82, 1.08) * np.float32(_BOX)
    x, y = scale * uniform(0.62, 1.12) * (x - np.float32(0.22) * normal(1) * y), scale * y
    angle = np.float32(0.14) * normal(1)
    x, y = np.cos(angle) * x - np.sin(angle) * y, np.sin(angle) * x + np.cos(angle) * y

    # As in MNIST the digit's middle, here of its ink, is put in the middle of the image, and here moved a little.
    middle = np.float32((_SIDE - 1) / 2)
    x = x - x.mean(axis=1, keepdims=True) + middle + np.float32(0.5) * normal(1)
    y = y - y.mean(axis=1, keepdims=True) + middle + np.float32(0.5) * normal(1)

    # Ink is proportional to the way of the pen, and to a pressure that wanders along it.
    way = np.hypot(np.diff(x, axis=1), np.diff(y, axis=1)) * links
    pressure = 1 + uniform(0.0, 0.35) * np.sin(
        uniform(1, 9) * np.linspace(0, 1, way.shape[1], dtype=np.float32) + uniform(0, 6.3)
    )
    ink = _splat((x[:, 1:] + x[:, :-1]) / 2, (y[:, 1:] + y[:, :-1]) / 2, way * pressure)

    # A pen has a width: spread the ink, then let strong ink saturate and weak ink vanish.
    spread = uniform(0.13, 0.27)[:, :, None]
    for _ in range(2):
        ink[:, 1:-1] = (1 - 2 * spread) * ink[:, 1:-1] + spread * (ink[:, :-2] + ink[:, 2:])
        ink[:, :, 1:-1] = (1 - 2 * spread) * ink[:, :, 1:-1] + spread * (ink[:, :, :-2] + ink[:, :, 2:])
    thickness = uniform(1.7, 4.2)[:, :, None]
    grain = 1 + np.float32(0.12) * normal(_SIDE, _SIDE)
    return (np.clip((thickness * ink - np.float32(0.16)) * grain, 0, 1) * 255).astype(np.uint8)


def _splat(x: Floats, y: Floats, weight: Floats) -> Floats:
    """Images to which each point adds its weight, shared among the four pixels around it."""
    count = len(x)
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
