"""A case for each kernel: a call on suitable arrays, with its operations and bytes. Used by the other benchmarks.

A case counts the operations of the mathematics. A multiply-add counts as two, anything else as one, also a root or an
exponential. It does not count products with zeros that a kernel skips. It counts the bytes of an array once for each
time that the kernel must read or write it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from fastnet import kernels
from fastnet.arrays.panels import pack, zeros

RMSPROP, ADAM = getattr(kernels, "RMSPROP", 3), getattr(kernels, "ADAM", 4)
NO_WEIGHTS = np.zeros(0, np.float32)
DENSITY = 0.19  # of the pixels of MNIST

# The learning rate is 0, so that repeated updates do not change the weights.
RATES = np.array([0.0, 0.9, 0.999, 1e-7, 0.0, 0.0])


@dataclass
class Case:
    """A call of a kernel, with the operations that it does and the bytes that it moves."""

    kernel: str
    shape: str
    flops: int
    traffic: int
    call: Callable[[], Any]
    numpy: Callable[[], Any] | None = None  # the same in NumPy, into existing arrays

    @property
    def name(self) -> str:
        return f"{self.kernel} {self.shape}"


def function(name: str) -> Any:
    """Returns the kernel of this name. Raises AttributeError if this fastnet has none."""
    return getattr(kernels, name, None) or getattr(kernels._chosen, name)


def _floats(*shape: int) -> Any:
    return np.random.default_rng(0).standard_normal(shape, np.float32)


def _aligned(size: int) -> Any:
    """Makes an array that begins at a cache line, as the weights of a layer do."""
    array = zeros((size,))
    array[:] = _floats(size)
    return array


def _rows(rows: int, columns: int) -> Any:
    """Makes zeros in the layout of a layer's workspace: each row is an odd number of panels."""
    return zeros((rows, (kernels.padded(columns) // kernels.PANEL | 1) * kernels.PANEL))


def _gradient(rows: int, columns: int) -> Any:
    dz = _rows(rows, columns)
    dz[:, :columns] = _floats(rows, columns)
    return dz


def gemm_bias_act(batch: int, inputs: int, units: int) -> Case:
    x, w, bias, y = _floats(batch, inputs), _floats(inputs, units), _floats(units), np.empty((batch, units), np.float32)
    arguments = x, pack(w), _padded(bias), kernels.RELU, _rows(batch, units)
    kernel = function("gemm_bias_act")

    def by_numpy() -> None:
        np.matmul(x, w, out=y)
        np.add(y, bias, out=y)
        np.maximum(y, 0, out=y)

    flops, traffic = 2 * batch * inputs * units, 4 * (x.size + w.size + y.size)
    return Case("gemm_bias_act", f"{batch}x{inputs}x{units}", flops, traffic, lambda: kernel(*arguments), by_numpy)


def gemv_bias_act(inputs: int, units: int) -> Case:
    x, (w, _, _, bias, _, _), kernel = _floats(1, inputs), _weights(inputs, units), function("gemv_bias_act")
    arguments = x, w, bias, kernels.RELU, _rows(1, units), np.zeros(3 + inputs, np.intp)
    flops, traffic = 2 * inputs * units, 4 * (inputs + inputs * units + units)
    return Case("gemv_bias_act", f"{inputs}x{units}", flops, traffic, lambda: kernel(*arguments))


def gemm_nt(batch: int, inputs: int, units: int) -> Case:
    dz, w, dx = _gradient(batch, units), _floats(inputs, units), np.empty((batch, inputs), np.float32)
    out = _rows(batch, inputs)
    arguments = dz, pack(w), units, out, kernels.LINEAR, out
    kernel, plain = function("gemm_nt"), np.ascontiguousarray(dz[:, :units])
    flops, traffic = 2 * batch * inputs * units, 4 * (batch * units + w.size + dx.size)
    return Case(
        "gemm_nt",
        f"{batch}x{inputs}x{units}",
        flops,
        traffic,
        lambda: kernel(*arguments),
        lambda: np.matmul(plain, w.T, out=dx),
    )


def _padded(bias: Any) -> Any:
    return np.pad(bias, (0, kernels.padded(len(bias)) - len(bias)))


def _weights(inputs: int, units: int) -> tuple[Any, ...]:
    """Makes a layer's kernel, bias, and two state arrays for each."""
    w, bias = pack(_floats(inputs, units)), _padded(_floats(units))
    return w, zeros(w.shape), zeros(w.shape), bias, zeros(bias.shape), zeros(bias.shape)


def gemm_tn(batch: int, inputs: int, units: int, update: bool = False) -> Case:
    x, dz, dw = _floats(batch, inputs), _gradient(batch, units), np.empty((inputs, units), np.float32)
    w, s, t, bias, bias_s, bias_t = _weights(inputs, units)
    flops, traffic = 2 * batch * inputs * units, 4 * (x.size + batch * units + dw.size)
    shape, plain = f"{batch}x{inputs}x{units}", np.ascontiguousarray(dz[:, :units])
    if update:
        kernel = function("gemm_tn_update")
        arguments = x, dz, RMSPROP, w, s, t, bias, bias_s, bias_t, RATES
        return Case("gemm_tn_update", shape, flops + 9 * dw.size, traffic + 12 * dw.size, lambda: kernel(*arguments))
    kernel = function("gemm_tn")
    return Case("gemm_tn", shape, flops, traffic, lambda: kernel(x, dz, w, bias), lambda: np.matmul(x.T, plain, out=dw))


class _Csr:
    """A batch with nonzeros at random places as compressed rows, and memory for its compressed columns."""

    def __init__(self, batch: int, inputs: int, density: float) -> None:
        rng = np.random.default_rng(0)
        x = rng.random((batch, inputs), np.float32) * (rng.random((batch, inputs)) < density)
        self.nnz = int(np.count_nonzero(x))
        indices = np.nonzero(x)[1].astype(np.uint16)
        indptr = np.concatenate([[0], np.count_nonzero(x, axis=1).cumsum()]).astype(np.intp)
        self.rows = indptr, indices, x[x != 0], np.arange(batch, dtype=np.intp)
        copies = kernels.get_num_threads()
        self.columns = np.zeros((copies, inputs + 1), np.intp), np.zeros((copies, self.nnz, 2), np.int32)


def csrmm_bias_act(batch: int, inputs: int, units: int, density: float = DENSITY) -> Case:
    x, kernel = _Csr(batch, inputs, density), function("csrmm_bias_act")
    w, _, _, bias, _, _ = _weights(inputs, units)
    arguments = *x.rows, w, bias, kernels.RELU, _rows(batch, units), np.zeros(batch, np.intp)
    traffic = 6 * x.nnz + 4 * (inputs * units + batch * units)
    shape = f"{batch}x{inputs}x{units} at {density}"
    return Case("csrmm_bias_act", shape, 2 * x.nnz * units, traffic, lambda: kernel(*arguments))


def csr_compress(rows: int, inputs: int, density: float = DENSITY) -> Case:
    """Measures both passes over a data set: counting the nonzeros, and writing them."""
    rng, count, compress = np.random.default_rng(0), function("csr_count"), function("csr_compress")
    x = rng.random((rows, inputs), np.float32) * (rng.random((rows, inputs)) < density)
    nnz, indptr = int(np.count_nonzero(x)), np.zeros(rows + 1, np.intp)
    indices, values = np.zeros(nnz, np.uint16), np.zeros(nnz, np.float32)

    def both() -> None:
        count(x, None, indptr[1:])
        np.cumsum(indptr, out=indptr)
        compress(x, None, 1.0, indptr, indices, values)

    return Case("csr_compress", f"{rows}x{inputs} at {density}", 0, 8 * x.size + 6 * nnz, both)


def csr_transpose(batch: int, inputs: int, density: float = DENSITY) -> Case:
    x, kernel = _Csr(batch, inputs, density), function("csr_transpose")
    shape = f"{batch}x{inputs} at {density}"
    return Case("csr_transpose", shape, 0, 14 * x.nnz, lambda: kernel(*x.rows, *x.columns))


def csrmm_tn(batch: int, inputs: int, units: int, update: bool = False, density: float = DENSITY) -> Case:
    x, dz = _Csr(batch, inputs, density), _gradient(batch, units)
    function("csr_transpose")(*x.rows, *x.columns)
    w, s, t, bias, bias_s, bias_t = _weights(inputs, units)
    size = inputs * units
    flops, traffic = 2 * x.nnz * units, 8 * x.nnz + 4 * (batch * units + size)
    shape = f"{batch}x{inputs}x{units} at {density}"
    if update:
        kernel = function("csrmm_tn_update")
        arguments = *x.columns, dz, RMSPROP, w, s, t, bias, bias_s, bias_t, RATES
        return Case("csrmm_tn_update", shape, flops + 9 * size, traffic + 12 * size, lambda: kernel(*arguments))
    kernel = function("csrmm_tn")
    return Case("csrmm_tn", shape, flops, traffic, lambda: kernel(*x.columns, dz, w, bias))


def softmax_crossentropy(batch: int, classes: int) -> Case:
    from fastnet.kernels import reference

    z, p, dz = _gradient(batch, classes), _rows(batch, classes), _rows(batch, classes)
    t = np.eye(classes, dtype=np.float32)[np.random.default_rng(0).integers(0, classes, batch)]
    arguments = z, t, NO_WEIGHTS, p, dz, np.zeros(batch)
    kernel, twin = function("softmax_crossentropy"), reference.softmax_crossentropy
    shape, size = f"{batch}x{classes}", batch * classes
    return Case(
        "softmax_crossentropy", shape, 8 * size, 16 * size, lambda: kernel(*arguments), lambda: twin(*arguments)
    )


def softmax(batch: int, classes: int) -> Case:
    z, p, kernel = _gradient(batch, classes), _rows(batch, classes), function("softmax")
    size = batch * classes
    return Case("softmax", f"{batch}x{classes}", 5 * size, 8 * size, lambda: kernel(z, classes, p))


def softmax_backward(batch: int, classes: int) -> Case:
    p, dp, kernel = _gradient(batch, classes), _gradient(batch, classes), function("softmax_backward")
    size = batch * classes
    return Case("softmax_backward", f"{batch}x{classes}", 5 * size, 12 * size, lambda: kernel(p, classes, dp))


def activation(name: str, batch: int, units: int, backward: bool = False) -> Case:
    """Measures an activation that is computed on its own, not in the epilogue of a product."""
    epilogues = {"sigmoid": kernels.SIGMOID, "tanh": kernels.TANH}
    y, dy = _gradient(batch, units), _gradient(batch, units)
    family = "activation" if name in epilogues else "pointwise"
    which = (epilogues[name],) if name in epilogues else (getattr(kernels, name.upper()), 1.0, 1.0, 0.0)
    kernel = function(f"{family}_{'backward' if backward else 'forward'}")
    arguments = (*which, y, dy) if backward else (*which, y)
    moved = 12 if backward else 8
    return Case(kernel.__name__, f"{name} of {batch}x{units}", 0, moved * y.size, lambda: kernel(*arguments))


def dropout(batch: int, units: int) -> Case:
    x, y, kernel = _gradient(batch, units), _gradient(batch, units), function("dropout")
    seed = np.ones(1, np.uint64)
    return Case("dropout", f"{batch}x{units}", 0, 8 * x.size, lambda: kernel(x, y, units, 0.2, seed))


def gather(batch: int, columns: int, kind: type) -> Case:
    """Measures the copy of a batch from a data set that does not fit into the caches."""
    rows = np.random.default_rng(0).permutation(60_000)[:batch]
    data, target, kernel = np.ones((60_000, columns), kind), _floats(batch, columns), function("gather")
    sources = (None, data) if kind is np.uint8 else (data, None)
    traffic = (data.itemsize + 4) * target.size
    return Case(
        "gather",
        f"{batch}x{columns} of {data.dtype}",
        0,
        traffic,
        lambda: kernel(*sources, rows, target),
        lambda: np.copyto(target, data[rows]),
    )


def all_finite(rows: int, columns: int) -> Case:
    x, kernel = _floats(rows * columns), function("all_finite")
    return Case("all_finite", f"{rows}x{columns}", 0, 4 * x.size, lambda: kernel(x))


def sparse_softmax_crossentropy(batch: int, classes: int) -> Case:
    z, p, dz, kernel = *(_gradient(batch, classes) for _ in range(3)), function("sparse_softmax_crossentropy")
    arguments = z, classes, _labels(batch, classes), NO_WEIGHTS, p, dz, np.zeros(batch)
    size = batch * classes
    return Case("sparse_softmax_crossentropy", f"{batch}x{classes}", 8 * size, 12 * size, lambda: kernel(*arguments))


def binary_crossentropy(batch: int, outputs: int) -> Case:
    z, p, dz, kernel = *(_gradient(batch, outputs) for _ in range(3)), function("binary_crossentropy")
    arguments = z, _floats(batch, outputs), NO_WEIGHTS, p, dz, np.zeros(batch)
    size = batch * outputs
    return Case("binary_crossentropy", f"{batch}x{outputs}", 10 * size, 16 * size, lambda: kernel(*arguments))


def pointwise_loss(batch: int, outputs: int) -> Case:
    y, dy, kernel = _gradient(batch, outputs), _gradient(batch, outputs), function("pointwise_loss")
    arguments = kernels.SQUARED_ERROR, 0.0, y, _floats(batch, outputs), NO_WEIGHTS, dy, np.zeros(batch)
    size = batch * outputs
    return Case("pointwise_loss", f"{batch}x{outputs}", 6 * size, 12 * size, lambda: kernel(*arguments))


def accuracy(name: str, batch: int, classes: int) -> Case:
    p, rows, kernel = _gradient(batch, classes), np.zeros(batch), function(name)
    arguments: tuple[Any, ...] = p, _floats(batch, classes), rows
    if name == "sparse_categorical_accuracy":
        arguments = p[:, :classes], _labels(batch, classes), rows
    elif name == "binary_accuracy":
        arguments = p, _floats(batch, classes), 0.5, rows
    size = batch * classes
    return Case(name, f"{batch}x{classes}", 2 * size, 8 * size, lambda: kernel(*arguments))


def add_rows(batch: int) -> Case:
    rows, sums, kernel = np.zeros(batch), np.zeros(2), function("add_rows")
    return Case("add_rows", f"{batch}", batch, 8 * batch, lambda: kernel(rows, NO_WEIGHTS, sums))


def accumulate() -> Case:
    values, sums, kernel = np.zeros(2), np.zeros(2), function("accumulate")
    return Case("accumulate", "2", 2, 48, lambda: kernel(values, sums))


def _labels(batch: int, classes: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, classes, (batch, 1), np.int32)


def update(size: int, rule: str = "RMSprop") -> Case:
    w, g, s, t, kernel = _aligned(size), _aligned(size), zeros((size,)), _aligned(size), function("update")
    number, flops, moved = {"RMSprop": (RMSPROP, 9, 5), "Adam": (ADAM, 12, 7)}[rule]
    t *= t  # Adam's second state is a mean square, which is not negative
    arguments = number, w, g, s, t, RATES
    return Case("update", f"{rule} of {size:,}", flops * size, 4 * moved * size, lambda: kernel(*arguments))


Maker = Callable[[], Case]

_PRODUCTS = [(128, 784, 512), (128, 512, 512), (128, 512, 10), (1024, 784, 512), (127, 783, 511)]

# Functions, because making the arrays takes time and a kernel may be missing.
CASES: dict[str, Maker] = {
    **{f"gemm_bias_act-{b}x{k}x{n}": lambda b=b, k=k, n=n: gemm_bias_act(b, k, n) for b, k, n in _PRODUCTS},
    "gemm_bias_act-1x784x512": lambda: gemm_bias_act(1, 784, 512),
    "gemv_bias_act-784x512": lambda: gemv_bias_act(784, 512),
    **{f"gemm_nt-{b}x{k}x{n}": lambda b=b, k=k, n=n: gemm_nt(b, k, n) for b, k, n in _PRODUCTS},
    **{f"gemm_tn-{b}x{k}x{n}": lambda b=b, k=k, n=n: gemm_tn(b, k, n) for b, k, n in _PRODUCTS},
    **{f"gemm_tn_update-{b}x{k}x{n}": lambda b=b, k=k, n=n: gemm_tn(b, k, n, True) for b, k, n in _PRODUCTS},
    "csrmm_bias_act-128x784x512": lambda: csrmm_bias_act(128, 784, 512),
    "csr_compress-2000x784": lambda: csr_compress(2000, 784),
    "csr_transpose-128x784": lambda: csr_transpose(128, 784),
    "csrmm_tn-128x784x512": lambda: csrmm_tn(128, 784, 512),
    "csrmm_tn_update-128x784x512": lambda: csrmm_tn(128, 784, 512, True),
    "softmax_crossentropy-128x10": lambda: softmax_crossentropy(128, 10),
    "softmax_crossentropy-10000x10": lambda: softmax_crossentropy(10000, 10),
    "softmax-10000x10": lambda: softmax(10000, 10),
    "softmax_backward-128x10": lambda: softmax_backward(128, 10),
    **{f"activation_forward-{name}": lambda name=name: activation(name, 128, 512) for name in ("sigmoid", "tanh")},
    **{f"pointwise_forward-{name}": lambda name=name: activation(name, 128, 512) for name in ("elu", "silu", "gelu")},
    "activation_backward-sigmoid": lambda: activation("sigmoid", 128, 512, True),
    "pointwise_backward-gelu": lambda: activation("gelu", 128, 512, True),
    "dropout-128x512": lambda: dropout(128, 512),
    "gather-128x784-bytes": lambda: gather(128, 784, np.uint8),
    "gather-128x784-floats": lambda: gather(128, 784, np.float32),
    "all_finite-2000x784": lambda: all_finite(2000, 784),
    "sparse_softmax_crossentropy-128x10": lambda: sparse_softmax_crossentropy(128, 10),
    **{f"binary_crossentropy-{b}x{n}": lambda b=b, n=n: binary_crossentropy(b, n) for b, n in ((32, 1), (10000, 10))},
    **{f"pointwise_loss-{b}x{n}": lambda b=b, n=n: pointwise_loss(b, n) for b, n in ((32, 1), (10000, 4))},
    "categorical_accuracy-128x10": lambda: accuracy("categorical_accuracy", 128, 10),
    "sparse_categorical_accuracy-128x10": lambda: accuracy("sparse_categorical_accuracy", 128, 10),
    "binary_accuracy-128x1": lambda: accuracy("binary_accuracy", 128, 1),
    "add_rows-128": lambda: add_rows(128),
    "accumulate-2": accumulate,
    "update-RMSprop": lambda: update(400_000),
    "update-Adam": lambda: update(400_000, "Adam"),
}


def make(name: str) -> tuple[Case | None, str]:
    """Makes a case and calls it once. Returns None and the reason if this fastnet cannot run it."""
    try:
        case = CASES[name]()
        case.call()
    except (AttributeError, TypeError, ValueError) as error:
        return None, str(error)
    return case, ""


def without_case() -> list[str]:
    """Lists the kernels that have no case here, unless they are part of another's or have no work for a processor."""
    return sorted({*kernels.NAMES} - {name.split("-")[0] for name in CASES} - {"csr_count", *kernels.BETWEEN})
