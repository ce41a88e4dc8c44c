"""The one random number generator of fastnet: initial weights and the order of the examples come from it."""

from __future__ import annotations

import os

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


def _renew_lock() -> None:
    """In a child process: a generator that a thread of the parent was drawing from would stay locked here."""
    global _generator
    if _generator is not None:
        state = _generator.bit_generator.state
        _generator = np.random.default_rng()
        _generator.bit_generator.state = state


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew_lock)
