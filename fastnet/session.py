"""Session: what fastnet keeps between models, which is the numbers in automatic names."""

from __future__ import annotations

import gc
from collections import Counter

_counts: Counter[str] = Counter()


def get_uid(prefix: str = "") -> int:
    """Returns 1 for the first call with a prefix, then 2, 3 and so on. `clear_session` starts again at 1."""
    _counts[prefix] += 1
    return _counts[prefix]


def clear_session(free_memory: bool = True) -> None:
    """Starts the numbers in automatic names again, and frees the memory of models that are no longer used.

    Random numbers go on as they were; `fastnet.utils.set_random_seed` starts them again.

    Args:
        free_memory: whether Python looks for unused objects at once. This takes some milliseconds.
    """
    _counts.clear()
    if free_memory:
        gc.collect()
