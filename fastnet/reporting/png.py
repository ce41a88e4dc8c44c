"""Writes small images, such as a digit or the weights of a unit, as PNG in a data URI.

Source of the format: W3C, "Portable Network Graphics (PNG) Specification (Third Edition)", 2025.
"""

from __future__ import annotations

import base64
import struct
import zlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

SIDE_LIMIT = 64  # pixels; a larger image is reduced to every second pixel, every third and so on

_POSITIVE, _NEGATIVE = (214, 96, 13), (43, 99, 201)  # orange and blue, which colour-blind people can tell apart
_LEVELS = 127  # number of shades for each sign


def png(pixels: NDArray[np.uint8], palette: bytes = b"", opacity: bytes = b"") -> bytes:
    """Returns the bytes of a PNG file.

    Args:
        pixels: (h, w) shades from black (0) to white (255) or, with a palette, indices into it.
        palette: red, green and blue of each entry.
        opacity: opacity of each entry, from 0 to 255.
    """
    rows = b"".join(b"\0" + row.tobytes() for row in pixels)  # each row begins with 0: no filter
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
    """Returns a PNG file as a data URI."""
    return f"data:image/png;base64,{base64.b64encode(data).decode()}"


def shades(image: NDArray[Any], low: float, high: float, ink: bool) -> str:
    """Draws an image (h, w) in shades of grey, `low` black and `high` white, or the reverse with `ink`."""
    levels = np.clip((_shrunk(image) - low) / ((high - low) or 1) * 255, 0, 255)
    return uri(png(np.rint(255 - levels if ink else levels).astype(np.uint8)))


def signed(values: NDArray[Any], most: float) -> str:
    """Draws numbers (h, w): -`most` is blue, 0 is transparent, `most` is orange."""
    levels = np.clip(_shrunk(values) / (most or 1) * _LEVELS, -_LEVELS, _LEVELS) + _LEVELS
    palette = bytes([*_NEGATIVE] * _LEVELS + [*_POSITIVE] * (_LEVELS + 1))
    opacity = bytes(abs(i - _LEVELS) * 255 // _LEVELS for i in range(2 * _LEVELS + 1))
    return uri(png(np.rint(levels).astype(np.uint8), palette, opacity))


def heat(shares: NDArray[Any]) -> str:
    """Draws shares (h, w) between 0 and 1 in blue, with the share as opacity."""
    levels = np.rint(np.clip(shares, 0, 1) * 255).astype(np.uint8)
    return uri(png(levels, bytes([*_NEGATIVE] * 256), bytes(range(256))))


def _shrunk(image: NDArray[Any]) -> NDArray[np.float64]:
    step = -(-max(image.shape) // SIDE_LIMIT)
    return image[::step, ::step].astype(np.float64)
