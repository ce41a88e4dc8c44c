"""The update rules, what comes before a step, and the search for NaN, on each instruction set, against their twins."""

import math

import numpy as np
import pytest
from helpers import isa_module, isa_parameters

from fastnet.kernels import ADAGRAD, ADAM, MOMENTUM, NADAM, NESTEROV, RMSPROP, SGD, reference

pytestmark = pytest.mark.parametrize("isa", isa_parameters())


def test_one_step_is_the_formula_with_epsilon_inside_the_root(isa: str) -> None:
    w, v = np.full(16, 1, np.float32), np.zeros(16, np.float32)
    isa_module(isa).update(RMSPROP, w, np.full(16, 1e-3, np.float32), v, v, np.array([0.5, 0.9, 0, 1e-2, 0, 0]))
    np.testing.assert_allclose(v, 1e-7, rtol=1e-6)
    np.testing.assert_allclose(w, 1 - 0.5 * 1e-3 / np.sqrt(1e-7 + 1e-2), rtol=1e-6)


def test_a_zero_gradient_moves_nothing_but_the_state_decays(isa: str) -> None:
    w, v = np.full(16, 1.25, np.float32), np.full(16, 2, np.float32)
    isa_module(isa).update(RMSPROP, w, np.zeros(16, np.float32), v, v, np.array([0.1, 0.9, 0, 1e-7, 0, 0]))
    assert (w == 1.25).all()
    np.testing.assert_array_equal(v, np.float32(0.9) * np.float32(2))


@pytest.mark.parametrize("rule", [SGD, MOMENTUM, NESTEROV, RMSPROP, ADAM, ADAGRAD, NADAM])
def test_update_follows_its_twin_in_float64_over_many_steps(isa: str, rule: int) -> None:
    rng = np.random.default_rng(0)
    n = 16 * 37
    single = [rng.standard_normal(n).astype(np.float32), np.zeros(n, np.float32), np.zeros(n, np.float32)]
    double = [a.astype(np.float64) for a in single]
    rates = np.array([0.01, 0.9, 0.99, 1e-7, 0.6, 0])
    for _ in range(20):
        g = rng.standard_normal(n).astype(np.float32)
        isa_module(isa).update(rule, single[0], g, *single[1:], rates)
        reference.update(rule, double[0], g.astype(np.float64), *double[1:], rates)
    for one, other in zip(single, double, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=2e-5)


SPECIAL = np.array([np.nan, np.inf, -np.inf, 0, -0.0, 1e-40, -1e-40, 3e38] * 2, np.float32)


def test_the_penalty_is_that_of_float64_numbers(isa: str) -> None:
    rng = np.random.default_rng(0)
    for n in (16, 48, 16 * 1001):
        w = rng.standard_normal(n).astype(np.float32)
        exact = w.astype(np.float64)
        total = np.array([5.0, np.nan])
        isa_module(isa).penalty(w, 0.3, 0.7, 12.0, total)
        expected = 5 + 12 * (0.3 * math.fsum(abs(exact)) + 0.7 * math.fsum(exact**2))
        assert total[0] == pytest.approx(expected, rel=1e-13)
        assert np.isnan(total[1])


def test_the_penalty_of_nothing_is_0_and_that_of_nan_or_infinity_is_not_finite(isa: str) -> None:
    k = isa_module(isa)
    total = np.array([5.0])
    k.penalty(np.zeros(32, np.float32), 1.0, 1.0, 7.0, total)
    k.penalty(np.zeros(0, np.float32), 1.0, 1.0, 7.0, total)
    assert total[0] == 5
    for bad, is_expected in ((np.nan, np.isnan), (np.inf, np.isposinf), (-np.inf, np.isposinf)):
        w, total = np.zeros(32, np.float32), np.zeros(1)
        w[17] = bad
        k.penalty(w, 1.0, 1.0, 7.0, total)
        assert is_expected(total[0])


@pytest.mark.parametrize(("l1", "l2"), [(0.1, 0.3), (0.0, 0.3), (0.1, 0.0)])
def test_the_gradient_of_the_penalty_has_the_bits_of_the_twin(isa: str, l1: float, l2: float) -> None:
    rng = np.random.default_rng(0)
    for n in (16, 48, 16 * 3001):
        w, found = (rng.standard_normal(n).astype(np.float32) for _ in range(2))
        w[:16] = SPECIAL
        expected = found.copy()
        isa_module(isa).penalty_gradient(found, w, l1, l2)
        with np.errstate(all="ignore"):
            reference.penalty_gradient(expected, w, l1, l2)
        np.testing.assert_array_equal(found, expected)
        assert np.isnan(found[0])


@pytest.mark.parametrize("limit", [0.0, 0.3, 1e-40])
def test_a_clipped_gradient_lies_between_the_limits_and_nan_stays_nan(isa: str, limit: float) -> None:
    rng = np.random.default_rng(0)
    for n in (16, 48, 16 * 3001):
        found = rng.standard_normal(n).astype(np.float32)
        found[:16] = SPECIAL
        expected = np.clip(found, -np.float32(limit), np.float32(limit))
        isa_module(isa).clip(found, limit)
        np.testing.assert_array_equal(found, expected)
        assert np.isnan(found[0])


def test_weights_decay_by_the_last_of_the_rates(isa: str) -> None:
    rng = np.random.default_rng(0)
    for n in (16, 48, 16 * 3001):
        found = rng.standard_normal(n).astype(np.float32)
        found[:16] = SPECIAL
        with np.errstate(all="ignore"):
            expected = found - found * np.float32(0.07)
        isa_module(isa).decay(found, np.array([np.nan] * 5 + [0.07]))
        np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("first", [0, 1, 999, 10**6])
@pytest.mark.parametrize(("beta_1", "beta_2"), [(0.9, 0.999), (0.0, 0.0), (0.123, 1 - 2**-53)])
def test_the_rates_of_adam_have_the_bits_of_pythons_formula(isa: str, first: int, beta_1: float, beta_2: float) -> None:
    before = np.random.default_rng(0).random((70, 6))
    found = before.copy()
    isa_module(isa).adam_rates(found, first, beta_1, beta_2, 1e-7)
    for i, (one, old) in enumerate(zip(found.tolist(), before.tolist(), strict=True)):
        t = first + i + 1
        rate = old[0] * math.sqrt(1 - math.pow(beta_2, t)) / (1 - math.pow(beta_1, t))
        assert one == [rate, beta_1, beta_2, 1e-7, 0, old[5]]


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("n", [1, 15, 64, 70_001])
def test_all_finite_finds_one_bad_number_anywhere(isa: str, n: int, bad: float) -> None:
    k = isa_module(isa)
    x = np.full(n, 3e38, np.float32)
    assert k.all_finite(x)
    for place in {0, n // 2, n - 1}:
        x[place] = bad
        assert not k.all_finite(x)
        x[place] = 1
    assert k.all_finite(x[:0])
