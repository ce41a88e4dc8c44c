"""The seed of all random numbers."""

import random

import numpy as np

from fastnet import checks, rng


def set_random_seed(seed: int) -> None:
    """Seeds all random numbers: initial weights and shuffling repeat bit for bit, on any number of threads.

    It also seeds Python's `random` and NumPy's global generator, as Keras does.

    Args:
        seed: a whole number in [0, 2**32).

    Raises:
        TypeError: if `seed` is not an integer.
        ValueError: if `seed` is out of range.
    """
    value = checks.integer("seed", seed, least=0)
    if value >= 2**32:
        raise ValueError(f"seed must be below 2**32, got {value}")
    random.seed(value)
    np.random.seed(value)  # noqa: NPY002, users of Keras expect it
    rng.seed(value)
