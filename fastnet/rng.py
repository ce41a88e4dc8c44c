"""The one random number generator of fastnet: initial weights and the order of the examples come from it."""

import numpy as np

_generator = np.random.default_rng()


def generator() -> np.random.Generator:
    """The generator in use; `fastnet.utils.set_random_seed` replaces it."""
    return _generator


def seed(value: int) -> None:
    """Starts a new sequence, the same for the same `value`."""
    global _generator
    _generator = np.random.default_rng(value)
