"""to_categorical."""

from typing import Any

import numpy as np
import pytest

from fastnet.utils import to_categorical


def test_labels_become_rows() -> None:
    rows = to_categorical([3, 0, 1], 5)
    assert rows.dtype == np.float32
    np.testing.assert_array_equal(rows, np.eye(5)[[3, 0, 1]])
    assert to_categorical([3, 0]).shape == (2, 4)
    assert to_categorical(np.zeros((2, 3), int), 4).shape == (2, 3, 4)
    np.testing.assert_array_equal(to_categorical([[2], [1]]), np.eye(3)[[2, 1]])
    np.testing.assert_array_equal(to_categorical(np.array([1.0, 0.0])), np.eye(2)[[1, 0]])
    np.testing.assert_array_equal(to_categorical([True, False], 2), np.eye(2)[[1, 0]])
    assert to_categorical(np.array([], int), 3).shape == (0, 3)
    np.testing.assert_array_equal(to_categorical(2), [0, 0, 1])
    np.testing.assert_array_equal(to_categorical([True, False]), np.eye(2)[[1, 0]])
    assert to_categorical(np.zeros((2, 0), int), 3).shape == (2, 0, 3)
    assert to_categorical(np.float16([2048])).shape == (1, 2049)  # 2049 is not a float16


@pytest.mark.parametrize(
    ("labels", "classes", "error", "message"),
    [
        ([0, 10], 10, ValueError, r"label 10 at index 1 is not in \[0, 10\)"),
        ([0, -1], 10, ValueError, r"label -1 at index 1 is not in \[0, 10\)"),
        ([0, -1], None, ValueError, "label -1"),
        (np.array([2**32], np.uint64), 10, ValueError, "label 4294967296"),
        (np.array([2**64 - 1], np.uint64), 10, ValueError, "label 18446744073709551615"),
        ([0.5], 3, ValueError, "label 0.5 at index 0 is not a whole number"),
        ([np.nan], 3, ValueError, "not a whole number"),
        ([0, np.nan], None, ValueError, "label nan at index 1 is not a whole number"),
        ([0, np.inf], None, ValueError, "label inf at index 1 is not a whole number"),
        ([-np.inf], 3, ValueError, "label -inf at index 0 is not a whole number"),
        ([0, 1e30], None, ValueError, r"label 1e\+30 at index 1 is too large: 2 rows of .* do not fit into memory"),
        ([0, 2**62], None, ValueError, "label 4611686018427387904 at index 1 is too large"),
        ([2**50], None, ValueError, "label 1125899906842624 at index 0 is too large"),
        (np.array([2**64 - 1], np.uint64), None, ValueError, "label 18446744073709551615 at index 0 is too large"),
        ([0], 2**50, MemoryError, "1 rows of 1,125,899,906,842,624 numbers"),
        pytest.param([0.0], 10**400, ValueError, "num_classes must be a number of classes", id="10**400"),
        ([], 2**70, ValueError, "num_classes must be a number of classes"),
        ([[1], [2, 3]], None, ValueError, "its rows have different lengths"),
        ([1j], None, TypeError, "x has dtype complex128"),
        ([1], True, TypeError, "num_classes"),
        (["a"], 3, TypeError, "x has dtype"),
        (None, 3, TypeError, "x is None"),
        ([1], 0, ValueError, "num_classes"),
        ([1], 2.5, TypeError, "num_classes"),
        (np.array([], int), None, ValueError, "no labels"),
    ],
)
def test_bad_labels(labels: Any, classes: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        to_categorical(labels, classes)
