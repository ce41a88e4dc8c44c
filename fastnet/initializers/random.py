"""Random initializers whose spread is an argument."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastnet import checks, rng
from fastnet.checks import float32_number
from fastnet.initializers.base import Filler, Shape


class Random(Filler):
    """Base of the random initializers.

    Args:
        seed: an integer of at least 0 makes every call return the same numbers; None draws from fastnet's generator,
            which `utils.set_random_seed` seeds; a `fastnet.random.SeedGenerator` gives each call other numbers.

    Raises:
        ValueError: if `seed` is negative.
        TypeError: if `seed` is of another type.
    """

    def __init__(self, seed: Any = None) -> None:
        self.seed = rng.checked_seed(seed)

    def _generator(self) -> np.random.Generator:
        return rng.generator_of(self.seed)

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        return config | {"seed": checks.describe(self.seed)} if hasattr(self.seed, "next") else config


class RandomNormal(Random):
    """Numbers from a normal distribution.

    Args:
        mean: mean of the distribution.
        stddev: its standard deviation, at least 0.
        seed: an integer for the same numbers at every call; None for fastnet's generator.

    Raises:
        ValueError: if a number is out of its range.
        TypeError: if an argument is not a number.
    """

    def __init__(self, mean: float = 0.0, stddev: float = 0.05, seed: Any = None) -> None:
        super().__init__(seed)
        self.mean = float32_number("mean", mean)
        self.stddev = float32_number("stddev", stddev, least=0)

    def fill(self, shape: Shape) -> NDArray[Any]:
        return self._generator().normal(self.mean, self.stddev, shape)


class TruncatedNormal(RandomNormal):
    """Normal numbers; those more than two standard deviations from the mean are drawn again.

    The standard deviation of the result is 0.88 `stddev`. Arguments and errors are those of `RandomNormal`.
    """

    def fill(self, shape: Shape) -> NDArray[Any]:
        return self.mean + self.stddev * truncated_normal(self._generator(), shape)


class RandomUniform(Random):
    """Numbers from a uniform distribution.

    Args:
        minval: the least number.
        maxval: the greatest number, at least `minval`.
        seed: an integer for the same numbers at every call; None for fastnet's generator.

    Raises:
        ValueError: if a number is out of its range.
        TypeError: if an argument is not a number.
    """

    def __init__(self, minval: float = -0.05, maxval: float = 0.05, seed: Any = None) -> None:
        super().__init__(seed)
        self.minval = float32_number("minval", minval)
        self.maxval = float32_number("maxval", maxval)
        if self.maxval < self.minval:
            raise ValueError(f"maxval must be at least minval, {self.minval!r}, got {self.maxval!r}")

    def fill(self, shape: Shape) -> NDArray[Any]:
        return self._generator().uniform(self.minval, self.maxval, shape)


def truncated_normal(generator: np.random.Generator, shape: Shape) -> NDArray[np.float64]:
    """Returns standard normal numbers within two of 0; those outside, one in 22, are drawn again."""
    numbers = np.asarray(generator.standard_normal(shape))
    flat = numbers.reshape(-1)
    outside = np.flatnonzero(np.abs(flat) > 2)
    while outside.size:
        flat[outside] = generator.standard_normal(outside.size)
        outside = outside[np.abs(flat[outside]) > 2]
    return flat.reshape(shape)
