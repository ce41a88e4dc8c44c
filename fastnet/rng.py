"""fastnet's random number generator, which draws initial weights and the order of the examples."""

from __future__ import annotations

import os

import numpy as np

_generator: np.random.Generator | None = None  # made at first use, because NumPy imports numpy.random only then


def generator() -> np.random.Generator:
    """Returns the generator in use; `fastnet.utils.set_random_seed` replaces it."""
    global _generator
    if _generator is None:
        _generator = np.random.default_rng()
    return _generator


def seed(value: int) -> None:
    """Replaces the generator by a new one, which gives the same sequence for the same `value`."""
    global _generator
    _generator = np.random.default_rng(value)


def _renew_lock() -> None:
    """Copies the generator in a child process: another thread may have held its lock when the process forked."""
    global _generator
    if _generator is not None:
        state = _generator.bit_generator.state
        _generator = np.random.default_rng()
        _generator.bit_generator.state = state


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew_lock)
