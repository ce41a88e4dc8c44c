"""`fastnet.random`: random arrays with Keras's arguments, for layers and initializers of your own.

The argument `seed` of each function is one of three:

- None: the numbers go on from those before. `fastnet.utils.set_random_seed` starts them.
- a whole number: each call returns the same numbers.
- a SeedGenerator: each call returns other numbers, and the same generator makes the same sequence of calls.

(The file is not called random.py, which would hide Python's own module from programs that are run in this folder.)
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastnet import checks, rng
from fastnet.checks import Floats
from fastnet.initializers.random import truncated_normal as standard_truncated_normal
from fastnet.rng import SeedGenerator

__all__ = [
    "SeedGenerator", "categorical", "dropout", "normal", "randint", "shuffle", "truncated_normal", "uniform",
]  # fmt: skip


def normal(shape: Any, mean: float = 0.0, stddev: float = 1.0, dtype: Any = None, seed: Any = None) -> Floats:
    """Draws from the normal distribution of this mean and standard deviation."""
    checks.float32_only(dtype)
    z = _generator(seed).standard_normal(_shape(shape), np.float32)
    return np.asarray(np.float32(mean) + np.float32(stddev) * z, np.float32)


def truncated_normal(shape: Any, mean: float = 0.0, stddev: float = 1.0, dtype: Any = None, seed: Any = None) -> Floats:
    """Draws from the normal distribution; numbers beyond two standard deviations are drawn again."""
    checks.float32_only(dtype)
    z = standard_truncated_normal(_generator(seed), _shape(shape))
    return np.asarray(mean + stddev * z, np.float32)


def uniform(shape: Any, minval: float = 0.0, maxval: float = 1.0, dtype: Any = None, seed: Any = None) -> Floats:
    """Draws numbers in [minval, maxval), all equally likely; whole numbers if `dtype` is one of integers."""
    if dtype is not None and np.dtype(dtype).kind in "iu":
        return randint(shape, int(minval), int(maxval), dtype, seed)
    checks.float32_only(dtype)
    u = _generator(seed).random(_shape(shape), np.float32)
    return np.asarray(np.float32(minval) + np.float32(maxval - minval) * u, np.float32)


def randint(shape: Any, minval: int, maxval: int, dtype: Any = "int32", seed: Any = None) -> NDArray[Any]:
    """Draws whole numbers in [minval, maxval), all equally likely."""
    low, high = (checks.integer(name, n, -(2**63)) for name, n in (("minval", minval), ("maxval", maxval)))
    drawn: NDArray[Any] = np.asarray(_generator(seed).integers(low, high, _shape(shape)), dtype)
    return drawn


def categorical(logits: Any, num_samples: int, dtype: Any = "int32", seed: Any = None) -> NDArray[Any]:
    """Draws classes, (rows, num_samples), whose probabilities are the softmax of each row of `logits`.

    The greatest of the sums of logits and Gumbel noise, -log(-log u), is class i with the probability of class i.
    """
    z = checks.features("logits", logits)[:, None, :]
    u = _generator(seed).random((len(z), checks.integer("num_samples", num_samples, least=0), z.shape[2]))
    drawn: NDArray[Any] = (z - np.log(-np.log(np.maximum(u, 1e-300)))).argmax(-1).astype(dtype)
    return drawn


def dropout(inputs: Any, rate: float, noise_shape: Any = None, seed: Any = None) -> Floats:
    """Sets each number to zero with probability `rate`, and divides the others by 1 - rate.

    Args:
        inputs: array of any shape.
        rate: a number in [0, 1).
        noise_shape: the shape of the mask, which is broadcast; by default that of `inputs`.
        seed: see the head of this module.
    """
    x = checks.as_float32("inputs", checks.numeric("inputs", inputs))
    keep = np.float32(1 - checks.number("rate", rate, least=0, below=1))
    mask = _generator(seed).random(x.shape if noise_shape is None else _shape(noise_shape), np.float32) < keep
    return np.asarray(np.where(mask, x / keep, np.float32(0)), np.float32)


def shuffle(x: Any, axis: int = 0, seed: Any = None) -> NDArray[Any]:
    """Returns a copy of x with its entries along an axis in a random order."""
    shuffled: NDArray[Any] = _generator(seed).permutation(np.asarray(x), checks.integer("axis", axis, least=-64))
    return shuffled


def _shape(shape: Any) -> tuple[int, ...]:
    return tuple(checks.integer("shape", n, least=0) for n in checks.entries(shape))


def _generator(seed: Any) -> np.random.Generator:
    return rng.generator_of(rng.checked_seed(seed))
