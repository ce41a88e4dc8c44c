"""Checks the arguments that fit, evaluate and predict share."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from fastnet import checks
from fastnet.callbacks import Callback


def check_batch_size(value: Any) -> int:
    """Returns the number of examples in a batch: 32 for None."""
    return 32 if value is None else checks.integer("batch_size", value, least=1)


def check_frequency(value: Any) -> int | set[int]:
    """Returns the argument `validation_freq`: a number of epochs, or the numbers of some epochs, counted from 1."""
    if isinstance(value, list | tuple | set | range | np.ndarray) and not checks.is_number(value):
        return {checks.integer("validation_freq", number, least=1) for number in value}
    return checks.integer("validation_freq", value, least=1)


def is_due(epochs: int, frequency: int | set[int]) -> bool:
    """Tells whether to evaluate after this many epochs."""
    return epochs in frequency if isinstance(frequency, set) else epochs % frequency == 0


def check_steps(argument: str, value: Any) -> int | None:
    """Returns a number of batches, or None for all."""
    return None if value is None else checks.integer(argument, value, least=1)


def check_needs_no_arrays(validation_split: float, sample_weight: Any) -> None:
    """Raises a ValueError if an argument of `fit` needs arrays, for a training on a source of batches."""
    if validation_split:
        raise ValueError("validation_split needs arrays; with a generator, use validation_data")
    if sample_weight is not None:
        raise ValueError("sample_weight needs arrays; a generator can yield (x, y, sample_weight)")


def check_sparse(sparse: Any) -> None:
    """Checks the argument `sparse` of `fit`."""
    if not (isinstance(sparse, bool) or (isinstance(sparse, str) and sparse == "auto")):
        raise ValueError(f"sparse must be True, False or 'auto', got {sparse!r}")


def check_callbacks(callbacks: Any) -> list[Callback]:
    """Returns a new list of the callbacks."""
    is_several = isinstance(callbacks, Iterable) and not isinstance(callbacks, Callback)
    entries = [] if callbacks is None else list(callbacks) if is_several else [callbacks]
    for entry in entries:
        if not isinstance(entry, Callback):
            raise TypeError(f"callbacks must be fastnet.callbacks.Callback objects, got {entry!r}")
    return entries
