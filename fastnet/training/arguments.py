"""Checks the arguments that fit, evaluate and predict share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fastnet import checks
from fastnet.callbacks import Callback


def check_batch_size(value: Any) -> int:
    """Returns the number of examples in a batch: 32 for None."""
    return 32 if value is None else checks.integer("batch_size", value, least=1)


def check_frequency(validation_freq: Any) -> Callable[[int], bool]:
    """Makes a function that tells whether to evaluate after an epoch, counted from 1."""
    if isinstance(validation_freq, list | tuple | set):
        numbers = {checks.integer("validation_freq", number, least=1) for number in validation_freq}
        return lambda number: number in numbers
    every = checks.integer("validation_freq", validation_freq, least=1)
    return lambda number: number % every == 0


def check_steps(argument: str, value: Any) -> int | None:
    """Returns a number of batches, or None for all."""
    return None if value is None else checks.integer(argument, value, least=1)


def check_sparse(sparse: Any) -> None:
    """Checks the argument `sparse` of `fit`."""
    if not (isinstance(sparse, bool) or (isinstance(sparse, str) and sparse == "auto")):
        raise ValueError(f"sparse must be True, False or 'auto', got {sparse!r}")


def check_callbacks(callbacks: Any) -> list[Callback]:
    """Returns a new list of the callbacks."""
    entries = [callbacks] if isinstance(callbacks, Callback) else list(callbacks or [])
    for entry in entries:
        if not isinstance(entry, Callback):
            raise TypeError(f"callbacks must be fastnet.callbacks.Callback objects, got {entry!r}")
    return entries
