"""Subject: everything that the sections of a report show, checked before anything is written."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from fastnet.callbacks import History
from fastnet.inspection.facts import Examples
from fastnet.inspection.profiling import Profile

if TYPE_CHECKING:
    from fastnet.models import Sequential


class Record(NamedTuple):
    """The record of a training: the epochs' numbers, from 1, and the recorded numbers by name."""

    epochs: list[int]
    values: dict[str, list[float]]
    left_out: list[str]  # names without exactly one number per epoch


class Subject(NamedTuple):
    """Everything that the sections of a report show."""

    model: Sequential
    record: Record | None
    examples: Examples | None
    names: list[str]
    side: int | None  # side of an example that is a square image
    profile: Profile | None
    batch_size: int | None
    seed: int | None
    about: str


def record_of(history: Any) -> Record | None:
    """Checks the history that `fit` returned, or its dict, and converts it to numbers.

    Raises:
        TypeError: if it is not a history, or holds something other than numbers.
        ValueError: if it is empty.
    """
    if history is None:
        return None
    values = history.history if isinstance(history, History) else history
    if not isinstance(values, Mapping):
        raise TypeError(f"history must be what fit() returned, or its .history, got {history!r:.200}")
    kept: dict[str, list[float]] = {}
    left_out = []
    for name, entries in values.items():
        if not isinstance(name, str) or isinstance(entries, str) or not hasattr(entries, "__len__"):
            raise TypeError(f"history must hold lists of numbers by name, got {name!r}: {entries!r:.80}")
        if any(np.ndim(entry) for entry in entries):
            left_out.append(name)
            continue
        try:
            kept[name] = [float(entry) for entry in entries]
        except (TypeError, ValueError):
            raise TypeError(f"history[{name!r}] must hold numbers, got {entries!r:.80}") from None
    count = max((len(entries) for entries in kept.values()), default=0)
    if count == 0:
        raise ValueError("history is empty: it has no epoch; give what a fit() of at least 1 epoch returned, or None")
    left_out += [name for name, entries in kept.items() if len(entries) != count]
    epochs = [epoch + 1 for epoch in history.epoch] if isinstance(history, History) else []
    if len(epochs) != count:
        epochs = list(range(1, count + 1))
    return Record(epochs, {name: v for name, v in kept.items() if len(v) == count}, left_out)
