"""The kernels of losses.pxi, on each instruction set: against their twins and float64, in bits, and at the edges."""

from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from helpers import isa_module, isa_parameters, with_padding

from fastnet.kernels import ABSOLUTE_ERROR, HUBER, SQUARED_ERROR, padded, reference

Array = np.ndarray[Any, Any]
NONE = np.zeros(0, np.float32)  # no weights

SIZES = pytest.mark.parametrize(
    ("batch", "outputs"), [(b, c) for b in (0, 1, 31) for c in (1, 3, 16, 17)], ids=lambda n: str(n)
)
ISAS = pytest.mark.parametrize("isa", isa_parameters())
KINDS = pytest.mark.parametrize("which", [SQUARED_ERROR, ABSOLUTE_ERROR, HUBER])


@pytest.fixture
def k(isa: str) -> Iterator[ModuleType]:
    module = isa_module(isa)
    before = module.get_threads()
    yield module
    module.set_threads(before, before)


def arrays(batch: int, outputs: int, scale: float = 2.0) -> tuple[Array, Array, Array]:
    """Predictions with NaN in their padding, targets from 0 to 1, and weights."""
    rng = np.random.default_rng(batch + outputs)
    y = with_padding(scale * rng.standard_normal((batch, outputs)), padded(outputs))
    return y, rng.random((batch, outputs), np.float32), rng.random(batch, np.float32)


def pointwise(k: Any, which: int, y: Array, t: Array, weights: Array = NONE, dtype: type = np.float32) -> Any:
    dy, rows = np.full((len(y), padded(t.shape[1])), np.nan, dtype), np.full(len(y), np.nan)
    k.pointwise_loss(which, 0.75, y, t, weights, dy, rows)
    return dy, rows


def binary(k: Any, z: Array, t: Array, weights: Array = NONE, smoothing: float = 0.0, clip: bool = True) -> Any:
    p, dz, rows = np.full_like(z, np.nan), np.full_like(z, np.nan), np.full(len(z), np.nan)
    k.binary_crossentropy(z, t, weights, p, dz, rows, smoothing, clip)
    return p, dz, rows


@ISAS
@SIZES
@KINDS
@pytest.mark.parametrize("weighted", [False, True])
def test_pointwise_losses_are_their_twins(k: ModuleType, which: int, batch: int, outputs: int, weighted: bool) -> None:
    y, t, weights = arrays(batch, outputs)
    weights = weights if weighted else NONE
    dy, rows = pointwise(k, which, y, t, weights)
    dy64, rows64 = pointwise(reference, which, y.astype(float), t.astype(float), weights, np.float64)
    np.testing.assert_allclose(dy, dy64, rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(rows, rows64, rtol=1e-5, atol=1e-6)
    assert not dy[:, outputs:].any()
    only_rows = np.empty(batch)
    k.pointwise_loss(which, 0.75, y, t, weights, np.zeros((0, 16), np.float32), only_rows)
    assert only_rows.tobytes() == rows.tobytes()
    view = np.empty(batch)
    k.pointwise_loss(which, 0.75, y[:, :outputs], t, weights, np.zeros((0, 16), np.float32), view)
    assert view.tobytes() == rows.tobytes()


@ISAS
@KINDS
@pytest.mark.parametrize("outputs", [1, 3, 17])
def test_gradients_have_the_bits_of_numpy(k: ModuleType, which: int, outputs: int) -> None:
    y, t, weights = arrays(31, outputs)
    y[0, 0], t[0, 0] = t[1, 0], t[1, 0]  # no error
    e = y[:, :outputs] - t
    slopes = {SQUARED_ERROR: 2 * e, ABSOLUTE_ERROR: np.sign(e), HUBER: np.clip(e, -0.75, 0.75)}[which]
    expected = slopes / outputs * np.float32(1 / 31) * weights[:, None]
    assert pointwise(k, which, y, t, weights)[0][:, :outputs].tobytes() == expected.tobytes()


@ISAS
@KINDS
def test_nan_and_infinite_predictions_stay_visible(k: ModuleType, which: int) -> None:
    y, t = np.array([[np.nan], [np.inf], [-np.inf]], np.float32), np.zeros((3, 1), np.float32)
    dy, rows = pointwise(k, which, y, t)
    assert np.isnan(rows[0])
    assert np.isnan(dy[0, 0])
    np.testing.assert_array_equal(rows[1:], np.inf)
    slope = {SQUARED_ERROR: np.inf, ABSOLUTE_ERROR: 1 / 3, HUBER: 0.25}[which]
    np.testing.assert_allclose(dy[1:, 0], [slope, -slope])


@ISAS
@SIZES
@pytest.mark.parametrize(("smoothing", "clip"), [(0.0, True), (0.3, True), (0.0, False), (0.3, False)])
def test_binary_crossentropy_lies_near_float64(
    k: ModuleType, batch: int, outputs: int, smoothing: float, clip: bool
) -> None:
    z, t, weights = arrays(batch, outputs, 20.0)
    t = np.rint(t)
    for w in (NONE, weights):
        p, dz, rows = binary(k, z, t, w, smoothing, clip)
        p64, dz64, rows64 = binary(reference, z.astype(float), t.astype(float), w, smoothing, clip)
        np.testing.assert_allclose(p, p64, rtol=1e-6)
        np.testing.assert_allclose(dz, dz64, rtol=1e-5, atol=1e-7)
        np.testing.assert_allclose(rows, rows64, rtol=2e-6, atol=1e-7)


@ISAS
def test_binary_crossentropy_is_sigmoid_and_a_difference_in_bits(k: ModuleType) -> None:
    z, t, weights = arrays(31, 3)
    expected = np.nan_to_num(z)
    k.activation_forward(2, expected)
    p, dz, _ = binary(k, z, t, weights, 0.3)
    assert p[:, :3].tobytes() == expected[:, :3].tobytes()
    difference = p[:, :3] - (t * (1 - 0.3) + 0.5 * 0.3)
    difference *= np.float32(1 / 93)
    assert dz[:, :3].tobytes() == (difference * weights[:, None]).tobytes()


@ISAS
def test_binary_crossentropy_of_huge_logits_neither_overflows_nor_is_nan(k: ModuleType) -> None:
    z, t = with_padding(np.array([[3e38], [-3e38], [3e38], [-3e38]]), 16), np.array([[1], [0], [0], [1]], np.float32)
    p, dz, rows = binary(k, z, t)
    np.testing.assert_array_equal(p[:, 0], [1, 0, 1, 0])
    np.testing.assert_array_equal(dz[:, 0], [0, 0, 0.25, -0.25])
    rest = 1 - float(np.float32(1 - 1e-7))
    np.testing.assert_allclose(rows, [rest, rest, -np.log(rest), -np.log(1e-7)], rtol=1e-6)
    np.testing.assert_allclose(binary(k, z, t, clip=False)[2], [0, 0, 3e38, 3e38], rtol=1e-6)
    for clip in (True, False):
        p, dz, rows = binary(k, with_padding(np.array([[np.nan], [0]]), 16), t[:2], clip=clip)
        np.testing.assert_array_equal(np.isnan([p[:, 0], dz[:, 0], rows]), [[True, False]] * 3)


@ISAS
@SIZES
def test_accuracies_are_their_twins(k: ModuleType, batch: int, outputs: int) -> None:
    rng = np.random.default_rng(batch)
    p = with_padding(rng.integers(0, 3, (batch, outputs)) / 2, padded(outputs), 9)
    t = rng.integers(0, 2, (batch, outputs)).astype(np.float32)
    labels = rng.integers(0, outputs, (batch, 1), np.int32)
    for name, arguments in (
        ("categorical_accuracy", (p, t)),
        ("categorical_accuracy", (p[:, :outputs], t)),
        ("sparse_categorical_accuracy", (p[:, :outputs], labels)),
        ("binary_accuracy", (p, t, 0.25)),
    ):
        found, expected = np.full(batch, np.nan), np.full(batch, np.nan)
        getattr(k, name)(*arguments, found)
        getattr(reference, name)(*arguments, expected)
        np.testing.assert_array_equal(found, expected)


@ISAS
def test_the_greatest_prediction_is_the_first_of_equal_ones_or_the_first_nan_as_in_numpy(k: ModuleType) -> None:
    nan = np.nan
    rows = [[1, 1, 0], [0, 1, 1], [nan, 1, 2], [5, nan, 9], [5, 9, nan], [nan] * 3, [-np.inf] * 3, [-0.0, 0.0, -1]]
    p = np.array(rows, np.float32)
    for label in range(3):
        labels, found = np.full((len(p), 1), label, np.int32), np.full((2, len(p)), nan)
        k.sparse_categorical_accuracy(p, labels, found[0])
        k.categorical_accuracy(p, np.eye(3, dtype=np.float32)[labels[:, 0]], found[1])
        np.testing.assert_array_equal(found, [p.argmax(axis=1) == label] * 2)


@ISAS
def test_a_prediction_of_nan_or_at_the_threshold_says_no(k: ModuleType) -> None:
    p, rows = np.array([[np.nan, 0.5, 0.6, np.inf]], np.float32), np.zeros(1)
    k.binary_accuracy(p, np.array([[0, 0, 1, 0.5]], np.float32), 0.5, rows)
    assert rows[0] == 0.75


@ISAS
def test_rows_are_added_in_index_order(k: ModuleType) -> None:
    rng = np.random.default_rng(0)
    rows, weights = rng.standard_normal(10_000) * 10.0 ** rng.integers(-9, 9, 10_000), rng.random(10_000, np.float32)
    sums = np.array([3.0, 4.0])
    k.add_rows(rows, NONE, sums)
    assert sums.tolist() == [3 + sum(rows.tolist()), 4 + 10_000]
    k.add_rows(rows, weights, sums, True)
    assert sums.tolist() == [sum((rows * weights.astype(float)).tolist()), sum(weights.tolist())]
    k.add_rows(rows, weights, sums, True, True)
    assert sums[1] == 10_000
    total = sums.copy()
    k.accumulate(sums, total)
    assert total.tolist() == (2 * sums).tolist()
    k.add_rows(rows[:0], NONE, sums, True)
    assert sums.tolist() == [0, 0]


def calls(k: ModuleType) -> Iterator[Callable[[], bytes]]:
    """Calls of all kernels that share their rows among threads, each of which returns the bits of its results."""
    y, t, weights = arrays(3000, 3)
    whole, rows = np.nan_to_num(y), np.empty(3000)
    for which in (SQUARED_ERROR, ABSOLUTE_ERROR, HUBER):
        yield lambda which=which: b"".join(part.tobytes() for part in pointwise(k, which, y, t, weights))
    for clip in (True, False):
        yield lambda clip=clip: b"".join(part.tobytes() for part in binary(k, y, t, weights, 0.1, clip))
    labels = t.argmax(axis=1).astype(np.int32)[:, None]
    for call in (
        lambda: k.categorical_accuracy(y, t, rows),
        lambda: k.sparse_categorical_accuracy(y[:, :3], labels, rows),
        lambda: k.binary_accuracy(y, np.rint(t), 0.5, rows),
    ):
        yield lambda call=call: call() or rows.tobytes()
    p, dz = np.empty_like(y), np.empty_like(y)
    for call in (
        lambda: k.softmax_crossentropy(y, t, weights, p, dz, rows, 0.1),
        lambda: k.sparse_softmax_crossentropy(y, 3, labels, weights, p, dz, rows),
    ):
        yield lambda call=call: call() or p.tobytes() + dz.tobytes() + rows.tobytes()

    def backward() -> bytes:
        dp = whole.copy()
        k.softmax_backward(whole, 3, dp)
        return dp.tobytes()

    yield backward


@ISAS
def test_bits_do_not_depend_on_the_number_of_threads(k: ModuleType) -> None:
    for call in calls(k):
        found = set()
        for threads in (1, 2, 3):
            k.set_threads(threads, 3)
            found.add(call())
        assert len(found) == 1


@pytest.mark.parametrize("isa", isa_parameters()[-1:])
def test_avx2_and_avx512_give_the_same_bits(k: ModuleType) -> None:
    for one, other in zip(calls(isa_module("x86_v3")), calls(k), strict=True):
        assert one() == other()
