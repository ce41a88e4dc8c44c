"""Small pictures as PNG in a data URI, written by hand: a digit, or the weights of a unit.

Source of the format: W3C, "Portable Network Graphics (PNG) Specification (Third Edition)", 2025.
"""

from __future__ import annotations

import base64
import struct
import zlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

SIDE_LIMIT = 64  # pixels; of a larger picture only some are taken

_POSITIVE, _NEGATIVE = (214, 96, 13), (43, 99, 201)  # orange and blue, which the colour-blind tell apart
_LEVELS = 127  # of each sign


def png(pixels: NDArray[np.uint8], palette: bytes = b"", opacity: bytes = b"") -> bytes:
    """A PNG file.

    Args:
        pixels: (h, w) shades from black to white or, with a palette, numbers of its entries.
        palette, opacity: of each entry red, green and blue, and how opaque it is.
    """
    rows = b"".join(b"\0" + row.tobytes() for row in pixels)  # each row begins with its filter: none
    height, width = pixels.shape
    chunks = [
        (b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 3 if palette else 0, 0, 0, 0)),
        (b"PLTE", palette),
        (b"tRNS", opacity),
        (b"IDAT", zlib.compress(rows, 9)),
        (b"IEND", b""),
    ]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        for name, data in chunks
        if data or name == b"IEND"
    )


def uri(data: bytes) -> str:
    return f"data:image/png;base64,{base64.b64encode(data).decode()}"


def shades(image: NDArray[Any], low: float, high: float, ink: bool) -> str:
    """An image, (h, w), in shades of grey from `low` to `high`, as a data URI; with `ink` the greatest is black."""
    levels = np.clip((_shrunk(image) - low) / ((high - low) or 1) * 255, 0, 255)
    return uri(png(np.rint(255 - levels if ink else levels).astype(np.uint8)))


def signed(values: NDArray[Any], most: float) -> str:
    """Numbers, (h, w), from -`most` in blue over 0, which is transparent, to `most` in orange, as a data URI."""
    levels = np.clip(_shrunk(values) / (most or 1) * _LEVELS, -_LEVELS, _LEVELS) + _LEVELS
    palette = bytes([*_NEGATIVE] * _LEVELS + [*_POSITIVE] * (_LEVELS + 1))
    opacity = bytes(abs(i - _LEVELS) * 255 // _LEVELS for i in range(2 * _LEVELS + 1))
    return uri(png(np.rint(levels).astype(np.uint8), palette, opacity))


def heat(shares: NDArray[Any]) -> str:
    """Shares of 1, (h, w), as blue of that opacity, as a data URI."""
    levels = np.rint(np.clip(shares, 0, 1) * 255).astype(np.uint8)
    return uri(png(levels, bytes([*_NEGATIVE] * 256), bytes(range(256))))


def _shrunk(image: NDArray[Any]) -> NDArray[np.float64]:
    step = -(-max(image.shape) // SIDE_LIMIT)
    return image[::step, ::step].astype(np.float64)
