"""pad_sequences."""

from typing import Any

import numpy as np
import pytest

from fastnet.utils import pad_sequences

LISTS = [[1], [2, 3], [], [4, 5, 6]]


@pytest.mark.parametrize(
    ("named", "rows"),
    [
        ({}, [[0, 0, 1], [0, 2, 3], [0, 0, 0], [4, 5, 6]]),
        ({"padding": "post"}, [[1, 0, 0], [2, 3, 0], [0, 0, 0], [4, 5, 6]]),
        ({"maxlen": 2}, [[0, 1], [2, 3], [0, 0], [5, 6]]),
        ({"maxlen": 2, "truncating": "post", "value": 9}, [[9, 1], [2, 3], [9, 9], [4, 5]]),
        ({"maxlen": 4, "padding": "post", "value": -1}, [[1, -1, -1, -1], [2, 3, -1, -1], [-1] * 4, [4, 5, 6, -1]]),
    ],
)
def test_rows_have_one_length(named: Any, rows: Any) -> None:
    found = pad_sequences(LISTS, **named)
    assert found.dtype == np.int32
    np.testing.assert_array_equal(found, rows)


def test_entries_may_be_arrays_or_text() -> None:
    found = pad_sequences([np.ones((1, 2)), np.zeros((0, 2)), np.full((3, 2), 2.0)], dtype="float32", maxlen=2)
    np.testing.assert_array_equal(found, [[[0, 0], [1, 1]], [[0, 0], [0, 0]], [[2, 2], [2, 2]]])
    words = pad_sequences([["a"], ["b", "cd"]], dtype=object, value="-")
    assert words.tolist() == [["-", "a"], ["b", "cd"]]
    assert pad_sequences([]).shape == (0, 0)


@pytest.mark.parametrize(
    ("sequences", "named", "error", "message"),
    [
        ([[1], 2], {}, TypeError, "sequences must be a list of sequences"),
        (3, {}, TypeError, "sequences must be a list of sequences"),
        ([np.ones((1, 2)), np.ones((1, 3))], {}, ValueError, r"sequence 1 has entries of shape \(3,\)"),
        (LISTS, {"padding": "left"}, ValueError, "unknown padding 'left'"),
        (LISTS, {"truncating": "left"}, ValueError, "unknown truncating 'left'"),
        (LISTS, {"maxlen": 0}, ValueError, "maxlen must be at least 1"),
    ],
)
def test_bad_sequences(sequences: Any, named: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        pad_sequences(sequences, **named)
