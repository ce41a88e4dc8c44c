"""The dense products, on each instruction set: exact on integers, within the proven bound, blind to padding."""

from itertools import product

import numpy as np
import pytest
from helpers import isa_module, isa_parameters, panels_of, sum_bound, with_padding

from fastnet.kernels import (
    ADAGRAD,
    ADAM,
    LINEAR,
    MOMENTUM,
    NADAM,
    NESTEROV,
    PANEL,
    RELU,
    RMSPROP,
    SGD,
    SIGMOID,
    TANH,
    padded,
    reference,
)
from fastnet.kernels.reference import matrix

pytestmark = pytest.mark.parametrize("isa", isa_parameters())
SHAPES = [
    (1, 1, 1),
    (1, 784, 10),
    (2, 3, 17),
    (7, 13, 31),
    (16, 16, 16),
    (29, 101, 64),
    (128, 784, 512),
    (131, 257, 53),
]


def integers(rng: np.random.Generator, *shape: int) -> np.ndarray:
    """Small whole numbers: their products and sums are exact in float32, so any order gives the same bits."""
    return rng.integers(-8, 9, shape).astype(np.float32)


@pytest.mark.parametrize("batch", [1, 2, 3, 5, 6, 13, 14, 15, 33])
def test_all_three_products_are_exact_on_integers_for_every_small_shape(isa: str, batch: int) -> None:
    k = isa_module(isa)
    rng = np.random.default_rng(batch)
    for inputs, units in product([1, 2, 7, 15, 16, 17, 33], [1, 3, 15, 16, 17, 40]):
        x, w, dz, bias = (
            integers(rng, batch, inputs),
            integers(rng, inputs, units),
            integers(rng, batch, units),
            integers(rng, padded(units)),
        )
        y = np.full((batch, padded(units) + 16), np.nan, np.float32)
        k.gemm_bias_act(with_padding(x, inputs + 3), panels_of(w, np.nan), bias, LINEAR, y)
        np.testing.assert_array_equal(y[:, :units], x @ w + bias[:units])
        k.gemm_bias_act(with_padding(x, inputs + 3), panels_of(w, np.nan), bias, RELU, y)
        np.testing.assert_array_equal(y[:, :units], np.maximum(x @ w + bias[:units], 0))
        dx = np.full((batch, padded(inputs) + 16), np.nan, np.float32)
        k.gemm_nt(with_padding(dz, units + 3), panels_of(w, np.nan), units, dx, LINEAR, dx)
        np.testing.assert_array_equal(dx[:, :inputs], dz @ w.T)
        np.testing.assert_array_equal(dx[:, inputs : padded(inputs)], 0)
        dw, db = np.full_like(panels_of(w), np.nan), np.full(padded(units), np.nan, np.float32)
        k.gemm_tn(with_padding(x, inputs + 3), with_padding(dz, padded(units) + 16), dw, db)
        np.testing.assert_array_equal(matrix(dw)[:, :units], x.T @ dz)
        np.testing.assert_array_equal(db[:units], dz.sum(axis=0))


@pytest.mark.parametrize(("batch", "inputs", "units"), SHAPES)
def test_products_lie_within_the_proven_bound_of_float64(isa: str, batch: int, inputs: int, units: int) -> None:
    k = isa_module(isa)
    rng = np.random.default_rng(1)
    x, w, dz = (rng.standard_normal(s).astype(np.float32) for s in ((batch, inputs), (inputs, units), (batch, units)))
    bias = rng.standard_normal(padded(units)).astype(np.float32)
    x64, w64, dz64, b64 = (a.astype(np.float64) for a in (x, w, dz, bias[:units]))
    y = np.empty((batch, padded(units)), np.float32)
    k.gemm_bias_act(x, panels_of(w), bias, LINEAR, y)
    error = np.abs(y[:, :units] - (x64 @ w64 + b64))
    assert (error <= sum_bound(inputs, np.abs(x64) @ np.abs(w64) + np.abs(b64))).all()
    dx = np.empty((batch, padded(inputs)), np.float32)
    k.gemm_nt(dz, panels_of(w, np.nan), units, dx, LINEAR, dx)
    error = np.abs(dx[:, :inputs] - dz64 @ w64.T)
    assert (error <= sum_bound(units, np.abs(dz64) @ np.abs(w64).T)).all()
    dw, db = np.empty_like(panels_of(w)), np.empty(padded(units), np.float32)
    k.gemm_tn(x, with_padding(dz, padded(units), 0), dw, db)
    error = np.abs(matrix(dw)[:, :units] - x64.T @ dz64)
    assert (error <= sum_bound(batch, np.abs(x64).T @ np.abs(dz64))).all()
    assert (np.abs(db[:units] - dz64.sum(axis=0)) <= sum_bound(batch, np.abs(dz64).sum(axis=0))).all()


def test_a_deep_product_continues_its_sums_across_blocks_of_the_depth(isa: str) -> None:
    # gemm_nt transposes 128 units at a time: 700 of them take six rounds, and a row of them must still be exact.
    rng = np.random.default_rng(2)
    dz, w = integers(rng, 5, 700), integers(rng, 33, 700)
    dx = np.empty((5, padded(33)), np.float32)
    isa_module(isa).gemm_nt(dz, panels_of(w, np.nan), 700, dx, LINEAR, dx)
    np.testing.assert_array_equal(dx[:, :33], dz @ w.T)


@pytest.mark.parametrize("rule", [SGD, MOMENTUM, NESTEROV, RMSPROP, ADAM, ADAGRAD, NADAM])
@pytest.mark.parametrize(("batch", "inputs", "units"), SHAPES)
def test_fused_update_has_the_bits_of_product_then_update(
    isa: str, batch: int, inputs: int, units: int, rule: int
) -> None:
    k = isa_module(isa)
    rng = np.random.default_rng(3)
    x, w = rng.standard_normal((batch, inputs), np.float32), rng.standard_normal((inputs, units)).astype(np.float32)
    dz = with_padding(rng.standard_normal((batch, units)), padded(units), 0)
    kernel = [panels_of(w), *(rng.random(panels_of(w).shape, np.float32) for _ in range(2))]
    bias = [rng.random(padded(units), np.float32) for _ in range(3)]
    rates = np.array([1e-3, 0.9, 0.99, 1e-7, 0.6, 0])
    fused = [a.copy() for a in (*kernel, *bias)]
    k.gemm_tn_update(x, dz, rule, *fused, rates)
    dw, db = np.empty_like(kernel[0]), np.empty_like(bias[0])
    k.gemm_tn(x, dz, dw, db)
    for (w_, s, t), g in ((kernel, dw), (bias, db)):
        k.update(rule, w_.reshape(-1), g.reshape(-1), s.reshape(-1), t.reshape(-1), rates)
    for one, other in zip(fused, (*kernel, *bias), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("rule", [SGD, MOMENTUM, NESTEROV, RMSPROP, ADAM, ADAGRAD, NADAM])
@pytest.mark.parametrize(("batch", "inputs", "units"), SHAPES)
def test_a_kernel_without_a_bias_takes_the_step_of_one_with_a_bias(
    isa: str, batch: int, inputs: int, units: int, rule: int
) -> None:
    k = isa_module(isa)
    rng = np.random.default_rng(3)
    x, dz = rng.standard_normal((batch, inputs), np.float32), rng.standard_normal((batch, padded(units)), np.float32)
    state = [rng.random((padded(units) // PANEL, inputs, PANEL), np.float32) for _ in range(3)]
    rates = np.array([1e-3, 0.9, 0.99, 1e-7, 0.6, 0])
    without, with_bias = ([a.copy() for a in state] for _ in range(2))
    k.gemm_tn_update(x, dz, rule, *without, *(np.empty(0, np.float32) for _ in range(3)), rates)
    k.gemm_tn_update(x, dz, rule, *with_bias, *(np.ones(padded(units), np.float32) for _ in range(3)), rates)
    for one, other, before in zip(without, with_bias, state, strict=True):
        assert one.tobytes() == other.tobytes()
        assert one is not without[0] or one.tobytes() != before.tobytes()


@pytest.mark.parametrize("activation", [RELU, SIGMOID, TANH])
def test_epilogues_have_the_bits_of_product_then_activation(isa: str, activation: int) -> None:
    k = isa_module(isa)
    rng = np.random.default_rng(8)
    x, w = rng.standard_normal((31, 21), np.float32), panels_of(rng.standard_normal((21, 37)))
    dz, bias = with_padding(rng.standard_normal((31, 37)), 48, 0), rng.standard_normal(48).astype(np.float32)
    fused, apart = np.zeros((31, 48), np.float32), np.zeros((31, 48), np.float32)
    k.gemm_bias_act(x, w, bias, activation, fused)
    k.gemm_bias_act(x, w, bias, LINEAR, apart)
    k.activation_forward(activation, apart)
    np.testing.assert_array_equal(fused, apart)
    y, dx = np.zeros((31, 32), np.float32), np.zeros((31, 32), np.float32)
    y[:, :21] = rng.uniform(-1, 1, (31, 21))
    expected = np.zeros_like(dx)
    k.gemm_nt(dz, w, 37, dx, activation, y)
    k.gemm_nt(dz, w, 37, expected, LINEAR, y)
    k.activation_backward(activation, y, expected)
    np.testing.assert_array_equal(dx, expected)


def test_kernels_agree_with_their_twins(isa: str) -> None:
    k = isa_module(isa)
    rng = np.random.default_rng(4)
    x, dz = rng.standard_normal((9, 21), np.float32), with_padding(rng.standard_normal((9, 18)), 32, 0)
    w, bias = panels_of(rng.standard_normal((21, 18))), rng.random(32, np.float32)
    for compiled, twin in ((k, reference), (reference, k)):  # both ways: neither may change its inputs
        results = []
        for module in (compiled, twin):
            y, dx = np.zeros((9, 48), np.float32), np.zeros((9, 32), np.float32)
            dw, db = np.zeros_like(w), np.zeros_like(bias)
            module.gemm_bias_act(x, w, bias, RELU, y)
            module.gemm_nt(dz, w, 18, dx, LINEAR, dx)
            module.gemm_tn(x, dz, dw, db)
            results.append((y, dx, dw, db))
        for one, other in zip(*results, strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(("batch", "inputs", "units"), [(128, 784, 512), (131, 257, 53), (300, 64, 10)])
def test_bits_do_not_depend_on_the_number_of_threads(isa: str, batch: int, inputs: int, units: int) -> None:
    k = isa_module(isa)
    rng = np.random.default_rng(5)
    x, dz = (
        rng.standard_normal((batch, inputs), np.float32),
        with_padding(rng.standard_normal((batch, units)), padded(units), 0),
    )
    w, bias = panels_of(rng.standard_normal((inputs, units))), rng.random(padded(units), np.float32)
    results = []
    before = k.get_threads()
    try:
        for threads in (1, 2, 3, 7):
            k.set_threads(threads, 2)
            y, dx = np.zeros((batch, padded(units)), np.float32), np.zeros((batch, padded(inputs)), np.float32)
            state = [w.copy(), w * 0, w * 0, bias.copy(), bias * 0, bias * 0]
            k.gemm_bias_act(x, w, bias, RELU, y)
            k.gemm_nt(dz, w, units, dx, LINEAR, dx)
            k.gemm_tn_update(x, dz, ADAM, *state, np.array([1e-3, 0.9, 0.99, 1e-7, 0, 0]))
            results.append(b"".join(a.tobytes() for a in (y, dx, *state)))
    finally:
        k.set_threads(before, before)
    assert len(set(results)) == 1


def test_nan_passes_through_product_and_relu(isa: str) -> None:
    x = np.array([[np.nan, 1], [1, 1]], np.float32)
    y = np.empty((2, 16), np.float32)
    isa_module(isa).gemm_bias_act(x, panels_of(np.ones((2, 3))), np.zeros(16, np.float32), RELU, y)
    assert np.isnan(y[0, :3]).all()
    assert (y[1, :3] == 2).all()
