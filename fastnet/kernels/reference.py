"""Every kernel again in plain NumPy: the text to learn from, and the oracle of the tests.

Same names, same arguments, same arrays changed in place as the compiled kernels, which add speed and nothing else.
All of it computes in the type of the arrays it is given, so with float64 arrays it is also the exact arithmetic that
float32 results are measured against.

    B  rows of a batch      K  inputs of a layer      N  its units or classes      P  columns of a panel

Weights come in panels, (N / P, K, P), as `fastnet/arrays/panels.py` lays them out; `matrix` shows one as (K, N).
"""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastnet.kernels import (
    ADAGRAD,
    ADAM,
    CLIPPED_RELU,
    ELU,
    GELU,
    MOMENTUM,
    NADAM,
    NESTEROV,
    RELU,
    RMSPROP,
    SGD,
    SIGMOID,
    SILU,
    SOFTPLUS,
    TANH,
)

Array = NDArray[Any]


def matrix(panels: Array) -> Array:
    """Panels (N/P, K, P) as the matrix (K, N), padding included."""
    return panels.transpose(1, 0, 2).reshape(panels.shape[1], panels.shape[0] * panels.shape[2])


def _panels(whole: Array, panel: int) -> Array:
    return whole.reshape(whole.shape[0], whole.shape[1] // panel, panel).transpose(1, 0, 2)


def activate(activation: int, z: Array) -> Array:
    """The activation of sums z."""
    e = np.exp(-np.abs(z))
    y: Array = {RELU: np.maximum(z, 0), SIGMOID: np.where(z < 0, e, 1) / (1 + e), TANH: np.tanh(z)}.get(activation, z)
    return y


def differentiate(activation: int, y: Array, dy: Array) -> Array:
    """dy act'(z), for y = act(z)."""
    slope: Array = {RELU: ~(y <= 0), SIGMOID: y * (1 - y), TANH: 1 - y * y}.get(activation, np.ones(1, y.dtype))
    product: Array = dy * slope
    return product


def activation_forward(activation: int, y: Array) -> None:
    """y = act(y), in place."""
    y[:] = activate(activation, y)


def activation_backward(activation: int, y: Array, dy: Array) -> None:
    """dz = dy act'(z), in place of dy."""
    dy[:] = differentiate(activation, y, dy)


def formula(which: int, a: float, b: float, c: float, z: Array) -> Array:
    """Activations with numbers of their own, of sums z."""
    below = np.minimum(z, 0)
    if which == CLIPPED_RELU:
        y: Array = np.where(z <= c, a * (z - c) if a else 0, np.minimum(z, b))
    elif which == ELU:
        y = np.where(z > 0, b * z, a * np.expm1(below))
    elif which == SOFTPLUS:
        y = np.maximum(z, 0) + np.log1p(np.exp(-np.abs(z)))
    elif which == SILU:
        y = np.maximum(z, -200) * activate(SIGMOID, z)
    elif which == GELU:
        y = np.maximum(z, -40) * _normal_cdf(z)
    else:
        y = np.maximum(z, -40) * activate(SIGMOID, 2 * _gelu_inner(z))
    return y


def pointwise_slope(which: int, a: float, b: float, c: float, z: Array) -> Array:
    """The derivative of `formula` by z."""
    near = np.clip(z, -200, 200) if which == SILU else np.clip(z, -40, 40)  # infinity times 0 is NaN
    if which == CLIPPED_RELU:
        slope: Array = np.where(z <= c, a, np.where(z >= b, 0, 1))
    elif which == ELU:
        slope = np.where(z > 0, b, a * np.exp(np.minimum(z, 0)))
    elif which == SOFTPLUS:
        slope = activate(SIGMOID, z)
    elif which == SILU:
        slope = activate(SIGMOID, near) * (1 + near * activate(SIGMOID, -near))
    elif which == GELU:
        slope = _normal_cdf(near) + near * np.exp(-near * near / 2) * (2 * np.pi) ** -0.5
    else:
        u = 2 * _gelu_inner(near)
        du = 2 * (2 / np.pi) ** 0.5 * (1 + 3 * 0.044715 * near * near)
        slope = activate(SIGMOID, u) + near * activate(SIGMOID, u) * activate(SIGMOID, -u) * du
    return slope.astype(z.dtype)


def _gelu_inner(z: Array) -> Array:
    z = np.clip(z, -40, 40)
    result: Array = (2 / np.pi) ** 0.5 * (z + 0.044715 * z**3)
    return result


def _normal_cdf(z: Array) -> Array:
    """The normal distribution's probability of a number below z; the math library's erfc, number by number."""
    halves = [0.5 * math.erfc(-x * 0.5**0.5) for x in z.reshape(-1).tolist()]
    return np.array(halves, z.dtype).reshape(z.shape)


def pointwise_forward(which: int, a: float, b: float, c: float, y: Array) -> None:
    """y = f(y), in place."""
    with np.errstate(all="ignore"):
        y[:] = formula(which, a, b, c, y)


def pointwise_backward(which: int, a: float, b: float, c: float, z: Array, dy: Array) -> None:
    """dz = dy f'(z), in place of dy."""
    with np.errstate(all="ignore"):
        dy *= pointwise_slope(which, a, b, c, z)


def gemm_bias_act(x: Array, w: Array, bias: Array, activation: int, y: Array) -> None:
    """Y = act(X W + bias)."""
    z = x[:, : w.shape[1]] @ matrix(w) + bias
    y[:, : z.shape[1]] = activate(activation, z)


gemv_bias_act = gemm_bias_act


def gemm_nt(dz: Array, w: Array, dx: Array, activation: int, y: Array) -> None:
    """dX = dZ W^T, times act' if the layer before has an activation."""
    inputs = w.shape[1]
    product = dz[:, : w.shape[0] * w.shape[2]] @ matrix(w).T
    dx[:, :inputs] = differentiate(activation, y[:, :inputs], product)
    panels = -(-inputs // w.shape[2]) * w.shape[2]
    dx[:, inputs:panels] = 0


def gemm_tn(x: Array, dz: Array, dw: Array, db: Array) -> None:
    """dW = X^T dZ, db = column sums of dZ."""
    dz = dz[:, : len(db)]
    dw[:] = _panels(x[:, : dw.shape[1]].T @ dz, dw.shape[2])
    db[:] = dz.sum(axis=0)


def gemm_tn_update(
    x: Array,
    dz: Array,
    rule: int,
    w: Array,
    s: Array,
    t: Array,
    bias: Array,
    bias_s: Array,
    bias_t: Array,
    rates: Array,
) -> None:
    """`gemm_tn`, then `update` of the kernel and of the bias."""
    dw, db = np.empty_like(w), np.empty_like(bias)
    gemm_tn(x, dz, dw, db)
    update(rule, w, dw, s, t, rates)
    update(rule, bias, db, bias_s, bias_t, rates)


def _csr_rows(indptr: Array, indices: Array, values: Array, rows: Array, columns: int) -> Array:
    """Some rows of a CSR matrix as a dense matrix."""
    x = np.zeros((len(rows), columns), values.dtype)
    for n, row in enumerate(rows):
        q = slice(indptr[row], indptr[row + 1])
        x[n, indices[q]] = values[q]
    return x


def csr_count(floats: Array | None, octets: Array | None, counts: Array) -> None:
    """How many numbers of each row are not zero."""
    x = octets if floats is None else floats
    assert x is not None
    counts[:] = (x != 0).sum(axis=1)


def csr_compress(
    floats: Array | None, octets: Array | None, scale: float, indptr: Array, indices: Array, values: Array
) -> None:
    """The nonzeros, row by row, each times `scale`, and their columns."""
    x = octets if floats is None else floats
    assert x is not None
    rows, columns = np.nonzero(x)
    indices[:] = columns
    values[:] = x[rows, columns].astype(values.dtype) * values.dtype.type(scale)


def csrmm_bias_act(
    indptr: Array, indices: Array, values: Array, rows: Array, w: Array, bias: Array, activation: int, y: Array
) -> None:
    """Y = act(X W + bias), X some rows of a CSR matrix."""
    gemm_bias_act(_csr_rows(indptr, indices, values, rows, w.shape[1]), w, bias, activation, y)


def csr_transpose(indptr: Array, indices: Array, values: Array, rows: Array, ends: Array, entries: Any) -> None:
    """The batch by columns, in copies: the row and the number's bits of each entry, and where each column's end."""
    places = np.concatenate([np.arange(indptr[row], indptr[row + 1]) for row in rows] or [np.zeros(0, int)])
    sample = np.repeat(np.arange(len(rows)), indptr[rows + 1] - indptr[rows])
    order = np.argsort(indices[places], kind="stable")
    entries[:, : len(order), 0] = sample[order]
    entries[:, : len(order), 1] = values[places][order].view(np.int32)
    ends[:, 0] = 0
    ends[:, 1:] = np.cumsum(np.bincount(indices[places], minlength=ends.shape[1] - 1))


def _csc_matrix(ends: Array, entries: Array, batch: int) -> Array:
    """A batch by columns, of which all copies are the same, as a dense matrix (B, K)."""
    counts = np.diff(ends[0])  # of each column
    entries = entries[0, : counts.sum()]
    x = np.zeros((batch, len(counts)), np.float32)
    x[entries[:, 0], np.repeat(np.arange(len(counts)), counts)] = entries[:, 1].copy().view(np.float32)
    return x


def csrmm_tn(ends: Array, entries: Array, dz: Array, dw: Array, db: Array) -> None:
    """`gemm_tn` of a batch by columns."""
    gemm_tn(_csc_matrix(ends, entries, len(dz)), dz, dw, db)


def csrmm_tn_update(ends: Array, entries: Array, dz: Array, rule: int, *others: Any) -> None:
    """`gemm_tn_update` of a batch by columns."""
    gemm_tn_update(_csc_matrix(ends, entries, len(dz)), dz, rule, *others)


def update(rule: int, w: Array, g: Array, s: Array, t: Array, rates: Array) -> None:
    """One step of an optimizer along the gradient g, with its state s and t; the formulas are the code."""
    rate, m, n, epsilon, k = (float(number) for number in rates)
    if rule == RMSPROP:
        s[:] = m * s + (1 - m) * g * g
        w -= rate * g / np.sqrt(s + epsilon)
    elif rule == ADAGRAD:
        s += g * g
        w -= rate * g / np.sqrt(s + epsilon)
    elif rule in (ADAM, NADAM):
        s += (g - s) * (1 - m)
        t += (g * g - t) * (1 - n)
        w -= rate * (s if rule == ADAM else g + k * s) / (np.sqrt(t) + epsilon)
    elif rule == SGD:
        w -= rate * g
    else:
        assert rule in (MOMENTUM, NESTEROV)
        s[:] = m * s - rate * g
        w += m * s - rate * g if rule == NESTEROV else s


def dropout(x: Array, y: Array, columns: int, rate: float, seed: int) -> None:
    """y = x / (1 - rate) where a hash of the place and the seed is at least 2^32 rate, else 0."""
    h = np.arange(len(x) * columns, dtype=np.uint32) * np.uint32(0x9E3779B9) + np.uint32(seed & 0xFFFFFFFF)
    h = (h ^ (h >> np.uint32(16))) * np.uint32(0x7FEB352D) ^ np.uint32(seed >> 32)
    h = (h ^ (h >> np.uint32(15))) * np.uint32(0x846CA68B)
    h = (h ^ (h >> np.uint32(16))) * np.uint32(0x7FEB352D)
    h ^= h >> np.uint32(15)
    keep = (h >= np.uint32(int(rate * 2**32))).reshape(len(x), columns)
    y[:, :columns] = np.where(keep, x[:, :columns] * x.dtype.type(1 / (1 - rate)), 0)


def softmax(z: Array, classes: int, p: Array) -> None:
    """p = exp(z - max) / its row sums."""
    e = np.exp(z[:, :classes] - z[:, :classes].max(axis=1, keepdims=True))
    p[:, :classes] = e / e.sum(axis=1, keepdims=True)
    p[:, classes:] = 0


def softmax_crossentropy(z: Array, t: Array, p: Array, dz: Array, loss: Array, clip: bool = True) -> float:
    """p = softmax(z), loss = -sum t log p by row, dz = (p sum t - t) / B; returns the sum of the rows' losses.

    With `clip` the logarithm is kept in [log 1e-7, log(1 - 1e-7)].
    """
    batch, classes = t.shape
    softmax(z, classes, p)
    shifted = z[:, :classes] - z[:, :classes].max(axis=1, keepdims=True)
    log_p = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    if clip:
        log_p = np.clip(log_p, np.log(1e-7), np.log(float(np.float32(1) - np.float32(1e-7))))
    loss[:] = -np.multiply(t, log_p, out=np.zeros_like(t), where=t != 0).sum(axis=1)
    dz[:, :classes] = (p[:, :classes] * t.sum(axis=1, keepdims=True) - t) / batch
    dz[:, classes:] = 0
    return float(loss.sum(dtype=np.float64))


def softmax_backward(p: Array, classes: int, dp: Array) -> None:
    """dz = p (dp - sum dp p), in place of dp."""
    p, d = p[:, :classes], dp[:, :classes]
    d[:] = p * (d - (d * p).sum(axis=1, keepdims=True))
    dp[:, classes:] = 0


def count_correct(p: Array, t: Array) -> int:
    """How many rows have their greatest prediction where their greatest target is."""
    return int((p[:, : t.shape[1]].argmax(axis=1) == t.argmax(axis=1)).sum())


def all_finite(x: Array) -> bool:
    """True if no element is NaN or infinite."""
    return bool(np.isfinite(x).all())
