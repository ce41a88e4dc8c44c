"""The update rules and the search for NaN, on each instruction set, against their twins."""

import numpy as np
import pytest
from helpers import isa_module, isa_parameters

from fastnet.kernels import ADAGRAD, ADAM, MOMENTUM, NADAM, NESTEROV, RMSPROP, SGD, reference

pytestmark = pytest.mark.parametrize("isa", isa_parameters())


def test_one_step_is_the_formula_with_epsilon_inside_the_root(isa: str) -> None:
    w, v = np.full(16, 1, np.float32), np.zeros(16, np.float32)
    isa_module(isa).update(RMSPROP, w, np.full(16, 1e-3, np.float32), v, v, np.array([0.5, 0.9, 0, 1e-2, 0]))
    np.testing.assert_allclose(v, 1e-7, rtol=1e-6)
    np.testing.assert_allclose(w, 1 - 0.5 * 1e-3 / np.sqrt(1e-7 + 1e-2), rtol=1e-6)


def test_a_zero_gradient_moves_nothing_but_the_state_decays(isa: str) -> None:
    w, v = np.full(16, 1.25, np.float32), np.full(16, 2, np.float32)
    isa_module(isa).update(RMSPROP, w, np.zeros(16, np.float32), v, v, np.array([0.1, 0.9, 0, 1e-7, 0]))
    assert (w == 1.25).all()
    np.testing.assert_array_equal(v, np.float32(0.9) * np.float32(2))


@pytest.mark.parametrize("rule", [SGD, MOMENTUM, NESTEROV, RMSPROP, ADAM, ADAGRAD, NADAM])
def test_update_follows_its_twin_in_float64_over_many_steps(isa: str, rule: int) -> None:
    rng = np.random.default_rng(0)
    n = 16 * 37
    single = [rng.standard_normal(n).astype(np.float32), np.zeros(n, np.float32), np.zeros(n, np.float32)]
    double = [a.astype(np.float64) for a in single]
    rates = np.array([0.01, 0.9, 0.99, 1e-7, 0.6])
    for _ in range(20):
        g = rng.standard_normal(n).astype(np.float32)
        isa_module(isa).update(rule, single[0], g, *single[1:], rates)
        reference.update(rule, double[0], g.astype(np.float64), *double[1:], rates)
    for one, other in zip(single, double, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=2e-5)


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
