"""The sparse products, on each instruction set: the dense products' bits, whatever the batch and the zeros."""

import tracemalloc

import numpy as np
import pytest
from helpers import isa_module, isa_parameters, panels_of, with_padding

from fastnet.kernels import (
    ADAGRAD,
    ADAM,
    LINEAR,
    MOMENTUM,
    NADAM,
    NESTEROV,
    RELU,
    RMSPROP,
    SGD,
    TANH,
    padded,
    reference,
)

pytestmark = pytest.mark.parametrize("isa", isa_parameters())
SHAPES = [(1, 1, 1), (1, 784, 10), (2, 3, 17), (4, 5, 33), (5, 4, 100), (7, 13, 31), (16, 16, 16), (29, 101, 70)]
SHAPES += [(131, 257, 53), (128, 784, 512)]
each_index = pytest.mark.parametrize("index", [np.uint16, np.int32])
RATES = np.array([1e-3, 0.9, 0.99, 1e-7, 0.6, 0])


def sparse(rng: np.random.Generator, *shape: int) -> np.ndarray:
    """About one number in six is not zero; some rows and columns are empty, some zeros negative."""
    x = rng.standard_normal(shape).astype(np.float32) * (rng.random(shape) < 1 / 6)
    x[:, rng.random(shape[1]) < 0.1] = -0.0
    x[rng.random(shape[0]) < 0.1] = 0
    return x.astype(np.float32)


def csr_of(k, x: np.ndarray, scale: float = 1.0, index: type = np.uint16) -> tuple:
    """indptr, indices and values that the kernels make of x, in arrays full of nonsense."""
    floats, octets = (None, x) if x.dtype == np.uint8 else (x, None)
    indptr = np.zeros(len(x) + 1, np.intp)
    k.csr_count(floats, octets, indptr[1:])
    np.cumsum(indptr, out=indptr)
    indices, values = np.full(indptr[-1], 7, index), np.full(indptr[-1], np.nan, np.float32)
    k.csr_compress(floats, octets, scale, indptr, indices, values)
    return indptr, indices, values


def csc_of(k, csr: tuple, rows: np.ndarray, columns: int) -> tuple:
    most = int((csr[0][rows + 1] - csr[0][rows]).sum())
    csc = np.full((2, columns + 1), -7, np.intp), np.full((2, most + 3, 2), -7, np.int32)
    k.csr_transpose(*csr, rows, *csc)
    for copies in csc:
        np.testing.assert_array_equal(*copies)
    return csc


@each_index
@pytest.mark.parametrize("scale", [1.0, 1 / 255])
@pytest.mark.parametrize("kind", [np.float32, np.uint8])
@pytest.mark.parametrize("shape", [(1, 1), (3, 9), (7, 10), (128, 784)])
def test_compressed_rows_are_those_of_the_twin(
    isa: str, shape: tuple[int, int], kind: type, scale: float, index: type
) -> None:
    x = sparse(np.random.default_rng(7), *shape)
    if kind is np.uint8:
        x = (np.abs(x) * 50).astype(np.uint8)
    found, expected = (csr_of(k, x, scale, index) for k in (isa_module(isa), reference))
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_array_equal(one, other)


def test_nan_counts_as_a_number(isa: str) -> None:
    indptr, indices, values = csr_of(isa_module(isa), np.array([[0, np.nan, 0, 2]], np.float32))
    assert indptr.tolist() == [0, 2]
    assert indices.tolist() == [1, 3]
    assert np.isnan(values[0])


@each_index
@pytest.mark.parametrize(("batch", "inputs", "units"), SHAPES)
def test_forward_has_the_bits_of_the_dense_product(isa: str, batch: int, inputs: int, units: int, index: type) -> None:
    k = isa_module(isa)
    rng = np.random.default_rng(6)
    x = sparse(rng, batch + 3, inputs)
    rows = rng.permutation(batch + 3)[:batch]
    w, bias = panels_of(rng.standard_normal((inputs, units))), rng.standard_normal(padded(units)).astype(np.float32)
    for activation in (LINEAR, RELU, TANH):
        dense, skipping = (np.full((batch, padded(units) + 16), np.nan, np.float32) for _ in range(2))
        k.gemm_bias_act(np.ascontiguousarray(x[rows]), w, bias, activation, dense)
        k.csrmm_bias_act(*csr_of(k, x, 1.0, index), rows, w, bias, activation, skipping, np.empty(batch, np.intp))
        np.testing.assert_array_equal(dense, skipping)
        assert np.isnan(skipping[:, padded(units) :]).all()
        single = np.zeros((1, padded(units)), np.float32)
        k.gemv_bias_act(x[rows[:1]], w, bias, activation, single, np.empty(3 + inputs, np.intp))
        np.testing.assert_array_equal(single, dense[:1, : padded(units)])


@pytest.mark.parametrize("scale", [1.0, 1 / 255, 0.1])
def test_bytes_have_the_bits_of_the_dense_arrays_numbers(isa: str, scale: float) -> None:
    octets = np.arange(256, dtype=np.uint8).reshape(8, 32)
    dense = octets.astype(np.float32) * np.float32(scale)
    for one, other in zip(csr_of(isa_module(isa), octets, scale), csr_of(isa_module(isa), dense), strict=True):
        np.testing.assert_array_equal(one, other)


@each_index
@pytest.mark.parametrize("shape", [(1, 1), (3, 9), (40, 10), (128, 784)])
def test_a_batch_by_columns_is_that_of_the_twin(isa: str, shape: tuple[int, int], index: type) -> None:
    k = isa_module(isa)
    rng = np.random.default_rng(9)
    x, rows = sparse(rng, *shape), rng.permutation(shape[0])
    csr = csr_of(k, x, 1.0, index)
    for one, other in zip(csc_of(k, csr, rows, shape[1]), csc_of(reference, csr, rows, shape[1]), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("rule", [None, SGD, MOMENTUM, NESTEROV, RMSPROP, ADAM, ADAGRAD, NADAM])
@pytest.mark.parametrize(("batch", "inputs", "units"), SHAPES)
def test_backward_has_the_bits_of_the_dense_product(
    isa: str, batch: int, inputs: int, units: int, rule: int | None
) -> None:
    k = isa_module(isa)
    rng = np.random.default_rng(6)
    x, dz = sparse(rng, batch, inputs), with_padding(rng.standard_normal((batch, units)), padded(units), 0)
    w, bias = panels_of(rng.standard_normal((inputs, units))), rng.standard_normal(padded(units)).astype(np.float32)
    csc = csc_of(k, csr_of(k, x), np.arange(batch), inputs)
    if rule is None:
        dense, skipping = ([np.full_like(w, np.nan), np.full_like(bias, np.nan)] for _ in range(2))
        k.gemm_tn(x, dz, *dense)
        k.csrmm_tn(*csc, dz, *skipping)
    else:
        state = [w, w**2, w**4, bias, bias**2, bias**4]
        dense, skipping, without = ([a.copy() for a in state] for _ in range(3))
        k.gemm_tn_update(x, dz, rule, *dense, RATES)
        k.csrmm_tn_update(*csc, dz, rule, *skipping, RATES)
        k.csrmm_tn_update(*csc, dz, rule, *without[:3], *(a[:0] for a in without[3:]), RATES)  # there is no bias
        for one, other in zip(dense[:3] + state[3:], without, strict=True):
            np.testing.assert_array_equal(one, other)
    for one, other in zip(dense, skipping, strict=True):
        np.testing.assert_array_equal(one, other)


def test_kernels_agree_with_their_twins(isa: str) -> None:
    k = isa_module(isa)
    rng = np.random.default_rng(4)
    x, dz = sparse(rng, 9, 21), with_padding(rng.standard_normal((9, 18)), 32, 0)
    w, bias, rows = panels_of(rng.standard_normal((21, 18))), rng.random(32, np.float32), rng.permutation(9)
    results = []
    for module in (k, reference):
        csr = csr_of(module, x)
        csc = csc_of(module, csr, rows, 21)
        y, dw, db = np.zeros((9, 48), np.float32), np.zeros_like(w), np.zeros_like(bias)
        state = [w.copy(), w * 0, w * 0, bias.copy(), bias * 0, bias * 0]
        module.csrmm_bias_act(*csr, rows, w, bias, RELU, y, np.empty(9, np.intp))
        module.csrmm_tn(*csc, dz, dw, db)
        module.csrmm_tn_update(*csc, dz, ADAM, *state, RATES)
        results.append((y, dw, db, *state))
    for one, other in zip(*results, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-5)


def test_bits_do_not_depend_on_the_number_of_threads(isa: str) -> None:
    k = isa_module(isa)
    rng = np.random.default_rng(5)
    x, dz = sparse(rng, 128, 784), with_padding(rng.standard_normal((128, 500)), 512, 0)
    w, bias, rows = panels_of(rng.standard_normal((784, 500))), rng.random(512, np.float32), rng.permutation(128)
    results = []
    before = k.get_threads()
    try:
        for threads in (1, 2, 3, 7):
            k.set_threads(threads, 2)
            csr = csr_of(k, x)
            csc = csc_of(k, csr, rows, 784)
            y, state = np.zeros((128, 512), np.float32), [w.copy(), w * 0, w * 0, bias.copy(), bias * 0, bias * 0]
            k.csrmm_bias_act(*csr, rows, w, bias, RELU, y, np.empty(128, np.intp))
            k.csrmm_tn_update(*csc, dz, RMSPROP, *state, RATES)
            used = csc[0][0, -1]
            results.append(b"".join(a.tobytes() for a in (y, *state, csc[0], csc[1][:, :used])))
    finally:
        k.set_threads(before, before)
    assert len(set(results)) == 1


def test_the_twins_read_only_the_numbers_of_their_batch(isa: str) -> None:
    rng = np.random.default_rng(3)
    x = (rng.random((20000, 64)) < 0.5).astype(np.uint8)
    csr, rows = csr_of(isa_module(isa), x), np.arange(8)
    w, bias, y = panels_of(rng.standard_normal((64, 16))), np.zeros(16, np.float32), np.empty((8, 16), np.float32)
    tracemalloc.start()
    try:
        reference.csrmm_bias_act(*csr, rows, w, bias, RELU, y, np.empty(8, np.intp))
        reference.csr_transpose(*csr, rows, np.empty((1, 65), np.intp), np.empty((1, 512, 2), np.int32))
        assert tracemalloc.get_traced_memory()[1] < 100_000  # there are 640,000 numbers in the whole matrix
    finally:
        tracemalloc.stop()
