"""The orthogonal initializer."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastnet.checks import float32_number
from fastnet.initializers.base import Shape
from fastnet.initializers.random import Random


class Orthogonal(Random):
    """A random matrix with orthogonal columns of length `gain`; if there are fewer rows, the rows are orthogonal.

    The matrix is Q of the QR decomposition of a normal matrix. Its signs are chosen so that all orthogonal matrices
    are equally likely. In a shape of more axes, all but the last count as one. The last bits depend on NumPy's LAPACK.

    Source: A. Saxe et al., "Exact solutions to the nonlinear dynamics of learning in deep linear neural networks",
    2014.

    Args:
        gain: length of the columns or rows.
        seed: an integer for the same numbers at every call; None for fastnet's generator.

    Raises:
        ValueError: if a number is out of its range; in a call, if the shape has fewer than two axes.
        TypeError: if an argument is not a number.
    """

    def __init__(self, gain: float = 1.0, seed: Any = None) -> None:
        super().__init__(seed)
        self.gain = float32_number("gain", gain)

    def fill(self, shape: Shape) -> NDArray[Any]:
        if len(shape) < 2:
            raise ValueError(f"Orthogonal can only fill a shape of two or more axes, got {shape}")
        rows, columns = math.prod(shape[:-1]), shape[-1]
        normal = self._generator().standard_normal((max(rows, columns), min(rows, columns)))
        q, r = np.linalg.qr(normal)
        q *= np.where(np.diag(r) < 0, -1.0, 1.0)
        return self.gain * (q if rows >= columns else q.T).reshape(shape)
