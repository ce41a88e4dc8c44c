"""normalize, split_dataset, and packed batches."""

from typing import Any

import numpy as np
import pytest

from fastnet.utils import normalize, pack_x_y_sample_weight, set_random_seed, split_dataset, unpack_x_y_sample_weight

X, Y = np.arange(20).reshape(10, 2), np.arange(10)


@pytest.mark.parametrize("axis", [0, 1, 2, -1])
@pytest.mark.parametrize("order", [1, 2, 3, np.inf])
def test_vectors_get_the_length_1(axis: int, order: float) -> None:
    x = np.random.default_rng(0).normal(size=(3, 4, 5)).astype(np.float32)
    found = normalize(x, axis, order)
    sizes = np.abs(np.moveaxis(found.astype(np.float64), axis, -1))
    lengths = sizes.max(-1) if order == np.inf else (sizes**order).sum(-1) ** (1 / order)
    np.testing.assert_allclose(lengths, 1, rtol=1e-6)
    np.testing.assert_allclose(
        found / np.abs(found).max(axis, keepdims=True), x / np.abs(x).max(axis, keepdims=True), 1e-5
    )
    assert found.dtype == np.float32


def test_zeros_stay_zeros_and_whole_numbers_become_fractions() -> None:
    np.testing.assert_array_equal(normalize([[3, 4], [0, 0]]), [[0.6, 0.8], [0, 0]])
    np.testing.assert_array_equal(normalize([3, 4]), [0.6, 0.8])


@pytest.mark.parametrize(("x", "axis", "error"), [([1], 1, ValueError), (3, -1, ValueError), (["a"], -1, TypeError)])
def test_bad_vectors(x: Any, axis: int, error: type[Exception]) -> None:
    with pytest.raises(error, match="x"):
        normalize(x, axis)


@pytest.mark.parametrize(
    ("left", "right", "sizes"),
    [
        (0.8, None, (8, 2)),
        (None, 0.3, (7, 3)),
        (3, None, (3, 7)),
        (2, 3, (2, 3)),
        (0.25, 0.25, (2, 2)),
        (3, 0.5, (3, 5)),
    ],
)
def test_sizes_of_the_parts(left: Any, right: Any, sizes: tuple[int, int]) -> None:
    (x_left, y_left), (x_right, y_right) = split_dataset((X, Y), left, right)
    np.testing.assert_array_equal(x_left, X[: sizes[0]])
    np.testing.assert_array_equal(y_right, Y[len(Y) - sizes[1] :])
    assert (len(y_left), len(x_right)) == sizes


def test_the_form_of_the_data_set_is_kept() -> None:
    left, right = split_dataset({"a": X, "b": [Y, (X, Y)]}, 4)
    assert sorted(left) == ["a", "b"]
    assert type(left["b"]) is list
    assert type(right["b"][1]) is tuple
    np.testing.assert_array_equal(right["b"][1][1], Y[4:])
    only, _ = split_dataset(X, 0.5)
    np.testing.assert_array_equal(only, X[:5])


def test_shuffled_arrays_stay_together() -> None:
    (x, y), (x_right, y_right) = split_dataset([X, Y], 0.5, shuffle=True, seed=7)
    np.testing.assert_array_equal(x[:, 0], 2 * y)
    assert sorted([*y, *y_right]) == list(range(10))
    assert list(y) != list(range(5))
    np.testing.assert_array_equal(split_dataset([X, Y], 0.5, shuffle=True, seed=7)[1][0], x_right)
    set_random_seed(1)
    first = split_dataset(Y, 0.5, shuffle=True)[0]
    assert list(split_dataset(Y, 0.5, shuffle=True)[0]) != list(first)
    set_random_seed(1)
    np.testing.assert_array_equal(split_dataset(Y, 0.5, shuffle=True)[0], first)


@pytest.mark.parametrize(
    ("data", "left", "right", "error", "message"),
    [
        (Y, None, None, ValueError, "left_size or right_size must be given"),
        (Y, 1.0, None, ValueError, r"left_size must be a share in \(0, 1\)"),
        (Y, None, -0.5, ValueError, "right_size must be a share"),
        (Y, 0, None, ValueError, "left_size must be at least 1"),
        (Y, 10, None, ValueError, "into 10 and 0"),
        (Y, 6, 5, ValueError, "into 6 and 5"),
        (Y, 0.01, None, ValueError, "into 0 and 10"),
        (Y, "half", None, TypeError, "left_size must be an integer"),
        ((X, Y[:3]), 0.5, None, ValueError, r"arrays of one length, got \[3, 10\]"),
        ([], 0.5, None, ValueError, "arrays of one length"),
        (3, 0.5, None, TypeError, "dataset must be an array"),
        (np.array(3), 0.5, None, TypeError, "dataset must be an array"),
    ],
)
def test_bad_splits(data: Any, left: Any, right: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        split_dataset(data, left, right)


def test_batches_are_packed_and_unpacked() -> None:
    assert pack_x_y_sample_weight(X) is X
    assert pack_x_y_sample_weight([X]) == ([X],)
    for given in ((X, Y), (X, Y, Y)):
        packed = pack_x_y_sample_weight(*given)
        assert packed == given
        found = unpack_x_y_sample_weight(list(packed))
        assert found == (*given, None)[:3]
    assert unpack_x_y_sample_weight(X) == (X, None, None)
    assert unpack_x_y_sample_weight((X,)) == (X, None, None)
    with pytest.raises(ValueError, match="got 4 entries"):
        unpack_x_y_sample_weight((X, Y, Y, Y))
