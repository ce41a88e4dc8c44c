"""fastnet's random number generator, for initial weights, the order of the examples, and dropout."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Iterator
from typing import Any

import numpy as np

from fastnet import checks
from fastnet.registered import is_description

_generator: np.random.Generator | None = None  # made when first needed, since importing numpy.random takes time


class _Own(threading.local):
    """The generator from which this thread draws instead of that of the program."""

    generator: np.random.Generator | None = None


_own = _Own()


@contextlib.contextmanager
def drawing_from(source: np.random.Generator) -> Iterator[None]:
    """Makes this thread draw from `source` in the ``with`` block. The generator of the program stays as it is."""
    before, _own.generator = _own.generator, source
    try:
        yield
    finally:
        _own.generator = before


def generator() -> np.random.Generator:
    """Returns the generator in use; `fastnet.utils.set_random_seed` replaces that of the program."""
    global _generator
    if _own.generator is not None:
        return _own.generator
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


class SeedGenerator:
    """A sequence of seeds: a whole number, and the number of the seeds before.

    Args:
        seed: the whole number, at least 0; by default a random one.
        name: a name, which has no effect.
    """

    def __init__(self, seed: int | None = None, name: str | None = None) -> None:
        self.seed = seed_of_kernel() >> 33 if seed is None else checks.integer("seed", seed, least=0)
        self.name = name or "seed_generator"
        self._given = seed
        self._count = 0

    def next(self, ordered: bool = True) -> tuple[int, int]:
        """Returns the next seed, a pair of numbers. `ordered` is accepted for compatibility with Keras."""
        self._count += 1
        return self.seed, self._count - 1

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments."""
        return {"seed": self._given, "name": self.name}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> SeedGenerator:
        """Makes a new sequence, which starts at its beginning."""
        return cls(**config)


def checked_seed(value: Any) -> Any:
    """Checks the argument `seed` of a user: None, a whole number, a SeedGenerator or the description of one.

    Raises:
        TypeError: if it is something else.
        ValueError: if it is a negative number.
    """
    if value is None or hasattr(value, "next"):
        return value
    if is_description(value) and value["class_name"] == "SeedGenerator":
        return SeedGenerator.from_config(value["config"])
    return checks.integer("seed", value, least=0)


def generator_of(value: Any) -> np.random.Generator:
    """Returns a generator for a checked seed.

    None gives the generator in use; a whole number the same new one each time; a SeedGenerator another each time.
    """
    if value is None:
        return generator()
    return np.random.default_rng(np.asarray(value.next()) if hasattr(value, "next") else value)


def _renew_lock() -> None:
    """Renews the generator's lock in a child process, since a thread of the parent may have held it."""
    global _generator
    if _generator is not None:
        state = _generator.bit_generator.state
        _generator = np.random.default_rng()
        _generator.bit_generator.state = state


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew_lock)
