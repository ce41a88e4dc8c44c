"""pad_sequences: sequences of different lengths as the rows of one array."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastnet import checks

_SIDES = {"pre": True, "post": False}


def pad_sequences(
    sequences: Any,
    maxlen: int | None = None,
    dtype: Any = "int32",
    padding: str = "pre",
    truncating: str = "pre",
    value: Any = 0.0,
) -> NDArray[Any]:
    """Makes rows of one length: shorter sequences are filled up, longer ones are cut.

    Args:
        sequences: a list of n sequences. The entries of a sequence are numbers, or arrays of one shape.
        maxlen: the length of the rows; by default that of the longest sequence.
        dtype: the type of the array.
        padding: where a short sequence is filled up, ``"pre"`` before it or ``"post"`` after it.
        truncating: where a long sequence is cut, ``"pre"`` at its beginning or ``"post"`` at its end.
        value: what fills up the rows.

    Returns:
        Array (n, maxlen, *shape of an entry).

    Raises:
        ValueError: if the entries have different shapes, or an argument is unknown.
        TypeError: if `sequences` is not a list of sequences.

    Example:
        >>> pad_sequences([[1], [2, 3], [4, 5, 6]], maxlen=2)
        array([[0, 1],
               [2, 3],
               [5, 6]], dtype=int32)
    """
    before, from_end = checks.choose("padding", padding, _SIDES), checks.choose("truncating", truncating, _SIDES)
    if not hasattr(sequences, "__len__") or not all(hasattr(sequence, "__len__") for sequence in sequences):
        raise TypeError(f"sequences must be a list of sequences, got {sequences!r:.80}")
    length = max(map(len, sequences), default=0) if maxlen is None else checks.integer("maxlen", maxlen, least=1)
    kept = [np.asarray(s[-length:] if from_end else s[:length], dtype) for s in sequences]
    shape = next((entries.shape[1:] for entries in kept if len(entries)), ())
    rows = np.full((len(kept), length, *shape), value, dtype)
    for i, entries in enumerate(kept):
        if not len(entries):
            continue
        if entries.shape[1:] != shape:
            raise ValueError(f"sequence {i} has entries of shape {entries.shape[1:]}; expected {shape}, as before")
        rows[i, length - len(entries) if before else 0 :][: len(entries)] = entries
    return rows
