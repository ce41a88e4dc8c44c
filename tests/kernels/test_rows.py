"""The kernels that move rows, on each instruction set: every number arrives, and nothing else is touched."""

import numpy as np
import pytest
from helpers import isa_module, isa_parameters

from fastnet.kernels import reference

pytestmark = pytest.mark.parametrize("isa", isa_parameters())
SHAPES = [(1, 1), (2, 1), (1, 17), (3, 5), (7, 16), (5, 33), (130, 257), (3, 30_001), (3000, 7)]
each_shape = pytest.mark.parametrize(("rows", "columns"), SHAPES)
SPECIAL = np.array([np.nan, np.inf, -np.inf, -0.0, 1e-45, 3e38], np.float32)


def numbers(*shape: int) -> np.ndarray:
    """Normal numbers; one in three is NaN, infinite, or another special number."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal(shape).astype(np.float32)
    return np.where(rng.random(shape) < 1 / 3, rng.choice(SPECIAL, shape), x).astype(np.float32)


@each_shape
def test_gather_takes_rows_in_any_order_also_twice(isa: str, rows: int, columns: int) -> None:
    x, target = numbers(rows + 2, columns), np.full((rows, columns), 7, np.float32)
    order = np.random.default_rng(1).integers(0, rows + 2, rows)
    isa_module(isa).gather(x, None, order, target)
    assert target.tobytes() == x[order].tobytes()


@each_shape
def test_gathered_bytes_are_their_numbers(isa: str, rows: int, columns: int) -> None:
    octets = np.resize(np.arange(256, dtype=np.uint8), (rows + 2, columns))
    order, target = np.random.default_rng(1).integers(0, rows + 2, rows), np.full((rows, columns), 7, np.float32)
    isa_module(isa).gather(None, octets, order, target)
    assert target.tobytes() == octets[order].astype(np.float32).tobytes()


@each_shape
def test_scatter_puts_rows_back_and_leaves_the_others_alone(isa: str, rows: int, columns: int) -> None:
    x, order = numbers(rows, columns + 3), np.random.default_rng(1).permutation(rows + 2)[:rows]
    target = np.full((rows + 2, columns), 7, np.float32)
    isa_module(isa).scatter(x, order, target)
    assert target[order].tobytes() == x[:, :columns].tobytes()
    assert (np.delete(target, order, axis=0) == 7).all()


@each_shape
def test_copy_keeps_every_bit_and_to_its_columns(isa: str, rows: int, columns: int) -> None:
    x, y = numbers(rows, columns + 3), np.full((rows, columns + 5), 7, np.float32)
    isa_module(isa).copy(x, y, columns)
    assert y[:, :columns].tobytes() == x[:, :columns].tobytes()
    assert (y[:, columns:] == 7).all()


@each_shape
def test_rescale_has_the_bits_of_its_twin(isa: str, rows: int, columns: int) -> None:
    x = numbers(rows, columns + 3)
    found, expected = (np.full((rows, columns + 5), 7, np.float32) for _ in range(2))
    isa_module(isa).rescale(x, found, columns, 1 / 255, -0.1)
    with np.errstate(all="ignore"):
        reference.rescale(x, expected, columns, 1 / 255, -0.1)
    np.testing.assert_array_equal(found, expected)
    assert (found[:, columns:] == 7).all()


def test_without_rows_or_columns_nothing_is_touched(isa: str) -> None:
    k, none = isa_module(isa), np.zeros(0, np.intp)
    y = np.full((3, 4), 7, np.float32)
    k.gather(numbers(5, 4), None, none, y)
    k.scatter(y[:0], none, y)
    k.copy(y[:0], y, 4)
    k.copy(numbers(3, 4), y, 0)
    k.rescale(y[:0], y, 4, 2.0, 1.0)
    k.rescale(numbers(3, 4), y, 0, 2.0, 1.0)
    assert (y == 7).all()


@pytest.mark.parametrize("n", [0, 1, 2, 7, 1000])
def test_shuffle_writes_every_number_once_as_its_twin_does(isa: str, n: int) -> None:
    for seed in (0, 1, 2**64 - 1, 12345678901234567890):
        order, expected = (np.full(n, -1) for _ in range(2))
        isa_module(isa).shuffle(order, seed)
        reference.shuffle(expected, seed)
        np.testing.assert_array_equal(order, expected)
        assert sorted(order.tolist()) == list(range(n))


def test_shuffle_makes_all_orders_equally_often(isa: str) -> None:
    k, order, counts = isa_module(isa), np.zeros(4, np.intp), np.zeros((4, 4, 4, 4), int)
    for seed in np.random.default_rng(0).integers(2**64, size=48_000, dtype=np.uint64):
        k.shuffle(order, int(seed))
        counts[tuple(order)] += 1
    found = counts[counts > 0]
    assert len(found) == 24
    # A sum of squares that exceeds the 0.9999 quantile of chi-squared with 23 degrees of freedom would be a bias.
    assert ((found - 2000) ** 2 / 2000).sum() < 58.6
