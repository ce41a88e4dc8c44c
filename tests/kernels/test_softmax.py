"""Softmax, crossentropy and accuracy, on each instruction set, against float64."""

import numpy as np
import pytest
from helpers import isa_module, isa_parameters, with_padding

from fastnet.kernels import reference

pytestmark = pytest.mark.parametrize("isa", isa_parameters())


NONE = np.zeros(0, np.float32)  # no weights


def crossentropy(
    k, z: np.ndarray, t: np.ndarray, clip: bool = True, weights: np.ndarray = NONE, smoothing: float = 0
) -> tuple[float, np.ndarray, np.ndarray, np.ndarray]:
    """The sum of the rows, p, dz and the rows for logits (B, C) and one-hot rows, or labels if t is an int32 column."""
    row = -(-z.shape[1] // 16) * 16
    whole = with_padding(z, row)
    p, dz, rows = np.full_like(whole, np.nan), np.full_like(whole, np.nan), np.full(len(z), np.nan)
    if t.dtype == np.int32:
        k.sparse_softmax_crossentropy(whole, z.shape[1], t, weights, p, dz, rows, clip)
    else:
        k.softmax_crossentropy(whole, t, weights, p, dz, rows, smoothing, clip)
    assert (p[:, z.shape[1] :] == 0).all()
    assert (dz[:, z.shape[1] :] == 0).all()
    return sum(rows.tolist()), p[:, : z.shape[1]], dz[:, : z.shape[1]], rows


def crossentropy64(z: np.ndarray, t: np.ndarray, *others: object) -> tuple[float, np.ndarray, np.ndarray, np.ndarray]:
    """The same by the twin, in float64."""
    z, t = z.astype(np.float64), t.astype(np.float64)
    p, dz, rows = np.zeros_like(z), np.zeros_like(z), np.zeros(len(z))
    reference.softmax_crossentropy(z, t, NONE, p, dz, rows, *others)
    return rows.sum(), p, dz, rows


@pytest.mark.parametrize("classes", [1, 2, 10, 15, 16, 17, 100])
@pytest.mark.parametrize("scale", [0.01, 1, 30])
def test_softmax_crossentropy_lies_near_float64(isa: str, classes: int, scale: float) -> None:
    rng = np.random.default_rng(classes)
    z = (scale * rng.standard_normal((37, classes))).astype(np.float32)
    t = np.eye(classes, dtype=np.float32)[rng.integers(0, classes, 37)]
    total, p, dz, rows = crossentropy(isa_module(isa), z, t)
    total64, p64, dz64, rows64 = crossentropy64(z, t)
    np.testing.assert_allclose(p, p64, rtol=2e-6 * max(1, scale), atol=float(np.finfo(np.float32).tiny))
    np.testing.assert_allclose(dz, dz64, rtol=1e-5, atol=2e-7 / 37)
    np.testing.assert_allclose(rows, rows64, rtol=1e-5, atol=3e-7 * max(1, scale))
    assert total == pytest.approx(total64, rel=1e-5, abs=1e-5)


def test_targets_may_be_any_distribution(isa: str) -> None:
    rng = np.random.default_rng(0)
    z, t = rng.standard_normal((8, 5)).astype(np.float32), rng.dirichlet(np.ones(5), 8).astype(np.float32)
    total, _, dz, _ = crossentropy(isa_module(isa), z, t)
    total64, _, dz64, _ = crossentropy64(z, t)
    assert total == pytest.approx(total64, rel=1e-5)
    np.testing.assert_allclose(dz, dz64, atol=1e-7)


def test_huge_logits_neither_overflow_nor_become_nan(isa: str) -> None:
    z = np.array([[1e38, -1e38, 0], [3e38, 3e38, 3e38], [-np.inf, 0, 0]], np.float32)
    total, p, dz, _ = crossentropy(isa_module(isa), z, np.eye(3, dtype=np.float32)[[0, 1, 2]])
    np.testing.assert_allclose(p, [[1, 0, 0], [1 / 3, 1 / 3, 1 / 3], [0, 0.5, 0.5]], rtol=1e-6)
    assert np.isfinite(total)
    assert np.isfinite(dz).all()


def test_a_hopeless_prediction_costs_as_much_as_in_keras(isa: str) -> None:
    total, *_ = crossentropy(isa_module(isa), np.array([[0, 1000]], np.float32), np.array([[1, 0]], np.float32))
    assert total == pytest.approx(-np.log(1e-7), rel=1e-6)


@pytest.mark.parametrize("classes", [1, 3, 16, 17])
def test_without_the_clip_the_loss_alone_is_another(isa: str, classes: int) -> None:
    rng = np.random.default_rng(classes)
    z = (100 * rng.standard_normal((37, classes))).astype(np.float32)
    t = np.eye(classes, dtype=np.float32)[rng.integers(0, classes, 37)]
    _, p, dz, clipped = crossentropy(isa_module(isa), z, t)
    total, *others, rows = crossentropy(isa_module(isa), z, t, False)
    assert others[0].tobytes() == p.tobytes()
    assert others[1].tobytes() == dz.tobytes()
    z64 = z.astype(np.float64)
    expected = (
        np.log(np.exp(z64 - z64.max(axis=1, keepdims=True)).sum(axis=1)) + z64.max(axis=1) - (t * z64).sum(axis=1)
    )
    np.testing.assert_allclose(rows, expected, rtol=1e-6, atol=1e-5)
    assert total == pytest.approx(expected.sum(), rel=1e-6)
    assert classes == 1 or (rows > 17).any()
    assert clipped.max() < 16.2


def test_without_the_clip_logits_that_overflow_cost_nothing_where_the_target_is_zero(isa: str) -> None:
    z = np.array([[3e38, -3e38], [3e38, -3e38]], np.float32)
    *_, rows = crossentropy(isa_module(isa), z, np.eye(2, dtype=np.float32), False)
    np.testing.assert_array_equal(rows, [0, np.inf])


def test_nan_logits_give_a_nan_loss(isa: str) -> None:
    z, t = np.array([[np.nan, 1.0]], np.float32), np.array([[1, 0]], np.float32)
    for clip in (True, False):
        total, p, *_ = crossentropy(isa_module(isa), z, t, clip)
        assert np.isnan(total)
        assert np.isnan(p).all()


@pytest.mark.parametrize("classes", [1, 3, 16, 17])
def test_smoothing_moves_the_targets_to_all_classes(isa: str, classes: int) -> None:
    rng = np.random.default_rng(classes)
    z = rng.standard_normal((31, classes)).astype(np.float32)
    t = np.eye(classes, dtype=np.float32)[rng.integers(0, classes, 31)]
    smoothed = t * np.float32(1 - 0.3) + np.float32(0.3 / classes)
    found, expected = crossentropy(isa_module(isa), z, t, smoothing=0.3), crossentropy(isa_module(isa), z, smoothed)
    assert [part.tobytes() for part in found[1:]] == [part.tobytes() for part in expected[1:]]
    np.testing.assert_allclose(found[3], crossentropy64(z, t, 0.3)[3], rtol=1e-5, atol=3e-7)


def test_weights_multiply_the_gradient_alone(isa: str) -> None:
    rng = np.random.default_rng(0)
    z, weights = rng.standard_normal((31, 3)).astype(np.float32), rng.random(31).astype(np.float32)
    labels = rng.integers(0, 3, (31, 1), np.int32)
    for t in (np.eye(3, dtype=np.float32)[labels[:, 0]], labels):
        _, p, dz, rows = crossentropy(isa_module(isa), z, t)
        _, *found = crossentropy(isa_module(isa), z, t, weights=weights)
        assert [part.tobytes() for part in found] == [p.tobytes(), (dz * weights[:, None]).tobytes(), rows.tobytes()]


@pytest.mark.parametrize("classes", [1, 3, 16, 17])
@pytest.mark.parametrize("batch", [0, 1, 31])
@pytest.mark.parametrize("clip", [True, False])
def test_labels_give_the_bits_of_one_hot_rows(isa: str, classes: int, batch: int, clip: bool) -> None:
    rng = np.random.default_rng(batch)
    z = (30 * rng.standard_normal((batch, classes))).astype(np.float32)
    if batch > 3:
        z[:3, 0] = np.nan, np.inf, -np.inf
    labels = rng.integers(0, classes, (batch, 1), np.int32)
    one_hot = np.eye(classes, dtype=np.float32)[labels[:, 0]]
    for module in (isa_module(isa), reference):
        with np.errstate(all="ignore"):
            by_labels, by_rows = (crossentropy(module, z, t, clip) for t in (labels, one_hot))
        for one, other in zip(by_labels, by_rows, strict=True):
            np.testing.assert_array_equal(one, other)


def test_exp_is_accurate_over_its_whole_range(isa: str) -> None:
    # softmax([0, x]) = exp(x) / (1 + exp(x)) shows exp for each x <= 0.
    x = np.linspace(-87.3, 0, 200_001, dtype=np.float32)
    z = np.zeros((len(x), 16), np.float32)
    z[:, 1] = x
    isa_module(isa).softmax(z, 2, z)
    e = np.exp(x.astype(np.float64))
    np.testing.assert_allclose(z[:, 1], e / (1 + e), rtol=5 * 2.0**-24, atol=0)


def test_softmax_works_in_place_and_rows_add_to_one(isa: str) -> None:
    z = with_padding(np.random.default_rng(0).standard_normal((300, 10)), 16)
    isa_module(isa).softmax(z, 10, z)
    np.testing.assert_allclose(z.sum(axis=1), 1, rtol=1e-6)


def test_softmax_backward_matches_its_twin(isa: str) -> None:
    rng = np.random.default_rng(0)
    p = with_padding(rng.dirichlet(np.ones(10), 7), 16, 0)
    d = with_padding(rng.standard_normal((7, 10)), 16, 0)
    expected = d.copy()
    reference.softmax_backward(p, 10, expected)
    isa_module(isa).softmax_backward(p, 10, d)
    np.testing.assert_allclose(d, expected, atol=1e-6)
