"""Copies: examples that occur several times, in a training whose every step takes all examples.

Such a step adds up the gradients of all examples. Here equal examples become one, with the sum of their weights, in an
order that does not depend on that of the rows. So an example with weight 3 trains the same network as three copies of
it, to the last bit, and the order of the rows does not matter.
"""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from fastnet.sklearn.examples import Examples


def merged(data: Examples) -> Examples:
    """Merges equal examples, and leaves out those of weight 0.

    Returns:
        The examples that are left, in the order of a hash of their numbers. The weights are None if all are 1.
    """
    totals: dict[bytes, float] = {}
    places: dict[bytes, int] = {}
    for place, key in enumerate(_keys(data.x, data.targets)):
        totals[key] = totals.get(key, 0.0) + (1.0 if data.weights is None else float(data.weights[place]))
        places.setdefault(key, place)
    kept = sorted(key for key in totals if totals[key] > 0)
    sums = np.array([totals[key] for key in kept])
    return data.rows(np.array([places[key] for key in kept]))._replace(weights=None if (sums == 1).all() else sums)


def _keys(x: Any, targets: NDArray[Any]) -> list[bytes]:
    """Returns a hash of each example: of its target, and of its nonzeros, whatever the form and the type of X."""
    rows = csr_array(x, dtype=np.float32, copy=True)
    rows.sum_duplicates()
    rows.eliminate_zeros()
    columns = rows.indices.astype(np.int64)
    parts = [slice(start, end) for start, end in zip(rows.indptr[:-1], rows.indptr[1:], strict=True)]
    return [_hash(target, columns[part], rows.data[part]) for target, part in zip(targets, parts, strict=True)]


def _hash(*arrays: NDArray[Any]) -> bytes:
    digest = hashlib.blake2b(digest_size=16)
    for array in arrays:
        digest.update(array.tobytes())
    return digest.digest()
