"""The activations of the kernels, on each instruction set: accurate over the whole range, and NaN stays visible."""

import numpy as np
import pytest
from helpers import isa_module, isa_parameters

from fastnet.kernels import RELU, SIGMOID, TANH, reference

pytestmark = pytest.mark.parametrize("isa", isa_parameters())


@pytest.mark.parametrize("activation", [SIGMOID, TANH])
def test_accurate_within_3_units_in_the_last_place(isa: str, activation: int) -> None:
    x = np.concatenate([-np.geomspace(1e-30, 87, 40_000), [0], np.geomspace(1e-30, 87, 39_999)]).astype(np.float32)
    y = x.reshape(1, -1).copy()
    isa_module(isa).activation_forward(activation, y)
    exact = np.tanh(x.astype(np.float64)) if activation == TANH else 1 / (1 + np.exp(-x.astype(np.float64)))
    assert (np.abs(y[0] - exact) <= 3 * np.spacing(np.abs(exact).astype(np.float32))).all()


@pytest.mark.parametrize("activation", [RELU, SIGMOID, TANH])
def test_the_ends_of_the_range_and_nan(isa: str, activation: int) -> None:
    y = np.array([[np.inf, -np.inf, np.nan, 3e38, -3e38, 0, -0.0, 1e-40] * 2], np.float32)
    isa_module(isa).activation_forward(activation, y)
    low = -1 if activation == TANH else 0
    high = {RELU: np.inf}.get(activation, 1)
    assert (y[0, 0], y[0, 1]) == (high, low)
    assert np.isnan(y[0, 2])
    assert np.isfinite(y[0, 3:8]).all()


@pytest.mark.parametrize("activation", [RELU, SIGMOID, TANH])
def test_the_way_back_is_that_of_the_twin(isa: str, activation: int) -> None:
    rng = np.random.default_rng(0)
    y, dy = rng.uniform(-1, 1, (7, 32)).astype(np.float32), rng.standard_normal((7, 32)).astype(np.float32)
    expected = dy.copy()
    isa_module(isa).activation_backward(activation, y, dy)
    reference.activation_backward(activation, y, expected)
    np.testing.assert_allclose(dy, expected, rtol=1e-6, atol=1e-7)


def test_relu_keeps_the_gradient_where_the_output_is_positive(isa: str) -> None:
    y = np.array([[0, 1, -0.0, 1e-45, np.nan, 2, 0, 3] * 2], np.float32)
    dy = np.arange(1, 17, dtype=np.float32)[None]
    isa_module(isa).activation_backward(RELU, y, dy)
    np.testing.assert_array_equal(dy, [[0, 2, 0, 4, 5, 6, 0, 8, 0, 10, 0, 12, 13, 14, 0, 16]])
