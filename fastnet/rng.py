"""The one random number generator of fastnet: initial weights and the order of the examples come from it."""

from __future__ import annotations

import numpy as np

_generator: np.random.Generator | None = None  # made when it is first needed: NumPy imports its part for it only then


def generator() -> np.random.Generator:
    """The generator in use; `fastnet.utils.set_random_seed` replaces it."""
    global _generator
    if _generator is None:
        _generator = np.random.default_rng()
    return _generator


def seed(value: int) -> None:
    """Starts a new sequence, the same for the same `value`."""
    global _generator
    _generator = np.random.default_rng(value)
