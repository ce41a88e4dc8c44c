"""The activations of pointwise.pxi, on each instruction set: accurate over the whole range, there and back."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from helpers import isa_module, isa_parameters
from scipy.special import erfc, expit

from fastnet.kernels import CLIPPED_RELU, ELU, GELU, GELU_TANH, SILU, SOFTPLUS, reference

A, B, C = 0.25, 2.0, 0.5  # exact in float32
FORMULAS: dict[int, Callable[[Any], Any]] = {
    CLIPPED_RELU: lambda x: np.where(x <= C, A * (x - C), np.minimum(x, B)),
    ELU: lambda x: np.where(x > 0, B * x, A * np.expm1(np.minimum(x, 0))),
    SOFTPLUS: lambda x: np.logaddexp(0, x),
    SILU: lambda x: x * expit(x),
    GELU: lambda x: x * erfc(-x / math.sqrt(2)) / 2,
    GELU_TANH: lambda x: x * expit(2 * math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)),
}

pytestmark = pytest.mark.parametrize("isa", isa_parameters())
each = pytest.mark.parametrize("which", FORMULAS)


def points() -> np.ndarray:
    """Numbers of all sizes and both signs, densely where the functions bend; a row of whole panels."""
    sizes = np.geomspace(1e-12, 80, 20_000)
    return np.concatenate([-sizes, sizes, np.linspace(-12, 12, 24_000)]).astype(np.float32)[None]


@each
def test_accurate_to_the_last_digits(isa: str, which: int) -> None:
    x = points()
    y = x.copy()
    isa_module(isa).pointwise_forward(which, A, B, C, y)
    exact = FORMULAS[which](x.astype(np.float64))
    # The approximate gelu has an exponential of a number up to 100, and multiplies that number's rounding error.
    np.testing.assert_allclose(y, exact, rtol=2e-5 if which == GELU_TANH else 6e-7, atol=1e-32)


@each
def test_the_way_back_is_the_slope(isa: str, which: int) -> None:
    x, h = points(), 1e-5
    x = x[:, np.min([np.abs(x[0] - corner) for corner in (0, C, B)], axis=0) > 2 * h]
    x = np.ascontiguousarray(x[:, : x.size // 16 * 16])
    exact = x.astype(np.float64)
    slope = (FORMULAS[which](exact + h) - FORMULAS[which](exact - h)) / (2 * h)
    dy = np.full_like(x, 3)
    isa_module(isa).pointwise_backward(which, A, B, C, x, dy)
    np.testing.assert_allclose(dy, 3 * slope, rtol=3e-6, atol=2e-6)


@each
def test_it_is_its_twin(isa: str, which: int) -> None:
    rng = np.random.default_rng(0)
    z = (4 * rng.standard_normal((7, 32))).astype(np.float32)
    dy = rng.standard_normal((7, 32)).astype(np.float32)
    results = []
    for module in (isa_module(isa), reference):
        y, gradient = z.copy(), dy.copy()
        module.pointwise_forward(which, A, B, C, y)
        module.pointwise_backward(which, A, B, C, z, gradient)
        results.append((y, gradient))
    for one, other in zip(*results, strict=True):
        np.testing.assert_allclose(one, other, rtol=3e-6, atol=1e-6)


@each
@pytest.mark.parametrize("a", [0.0, A])
def test_the_ends_of_the_range_and_nan(isa: str, which: int, a: float) -> None:
    z = np.array([[np.inf, -np.inf, np.nan, 3e38, -3e38, 0, -0.0, 1e-40] * 2], np.float32)
    y, dy = z.copy(), np.ones_like(z)
    isa_module(isa).pointwise_forward(which, a, B, C, y)
    isa_module(isa).pointwise_backward(which, a, B, C, z, dy)
    assert np.isnan(y[0, 2])
    assert not np.isnan(np.delete(y[0, :8], 2)).any()
    assert not np.isnan(np.delete(dy[0, :8], 2)).any()
    assert y[0, 0] == (B if which == CLIPPED_RELU else np.inf)
    low = {CLIPPED_RELU: -np.inf if a else 0.0, ELU: -a}.get(which, 0.0)
    assert y[0, 1] == low


def test_at_a_corner_the_flatter_piece_counts(isa: str) -> None:
    z = np.array([[C, B, 0.75, 3.0] * 4], np.float32)
    dy = np.ones_like(z)
    isa_module(isa).pointwise_backward(CLIPPED_RELU, A, B, C, z, dy)
    np.testing.assert_array_equal(dy[0, :4], [A, 0, 1, 0])


@each
def test_bits_do_not_depend_on_the_number_of_threads(isa: str, which: int) -> None:
    k = isa_module(isa)
    z = points().reshape(-1, 16)
    before, results = k.get_threads(), set()
    try:
        for threads in (1, 2, 7):
            k.set_threads(threads, 2)
            y, dy = z.copy(), np.ones_like(z)
            k.pointwise_forward(which, A, B, C, y)
            k.pointwise_backward(which, A, B, C, z, dy)
            results.add(y.tobytes() + dy.tobytes())
    finally:
        k.set_threads(before, before)
    assert len(results) == 1
