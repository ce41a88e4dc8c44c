"""fastnet's random number generator, for initial weights, the order of the examples, and dropout."""

from __future__ import annotations

import os

import numpy as np

_generator: np.random.Generator | None = None  # made when first needed, since importing numpy.random takes time


def generator() -> np.random.Generator:
    """Returns the generator in use; `fastnet.utils.set_random_seed` replaces it."""
    global _generator
    if _generator is None:
        _generator = np.random.default_rng()
    return _generator


def seed_of_kernel() -> int:
    """Draws 64 random bits, from which a kernel makes its own random numbers."""
    return int(generator().integers(2**64, dtype=np.uint64))


def seed(value: int) -> None:
    """Starts a new random sequence; the same `value` gives the same sequence."""
    global _generator
    _generator = np.random.default_rng(value)


def _renew_lock() -> None:
    """Renews the generator's lock in a child process, since a thread of the parent may have held it."""
    global _generator
    if _generator is not None:
        state = _generator.bit_generator.state
        _generator = np.random.default_rng()
        _generator.bit_generator.state = state


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew_lock)
