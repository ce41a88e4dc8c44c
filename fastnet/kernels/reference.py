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
    ABSOLUTE_ERROR,
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
    SQUARED_ERROR,
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


def gemv_bias_act(x: Array, w: Array, bias: Array, activation: int, y: Array, workspace: Array) -> None:
    """y = act(x W + bias) for one row."""
    gemm_bias_act(x, w, bias, activation, y)


def gemm_nt(dz: Array, w: Array, units: int, dx: Array, activation: int, y: Array) -> None:
    """dX = dZ W^T, times act' if the layer before has an activation."""
    inputs = w.shape[1]
    product = dz[:, :units] @ matrix(w)[:, :units].T
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
    dw, db = np.empty_like(w), np.empty(w.shape[0] * w.shape[2], w.dtype)
    gemm_tn(x, dz, dw, db)
    update(rule, w, dw, s, t, rates)
    if len(bias):
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
    indptr: Array,
    indices: Array,
    values: Array,
    rows: Array,
    w: Array,
    bias: Array,
    activation: int,
    y: Array,
    order: Array,
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
    rate, m, n, epsilon, k = (float(number) for number in rates[:5])
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


def penalty(w: Array, l1: float, l2: float, examples: float, total: Array) -> None:
    """total[0] += (l1 sum |w| + l2 sum w^2) examples."""
    w = w.astype(np.float64)
    total[0] += (l1 * np.abs(w).sum() + l2 * (w * w).sum()) * examples


def penalty_gradient(g: Array, w: Array, l1: float, l2: float) -> None:
    """g += l1 sign(w) + 2 l2 w."""
    g += g.dtype.type(l1) * np.sign(w) + g.dtype.type(2 * l2) * w


def clip(g: Array, limit: float) -> None:
    """g = min(max(g, -limit), limit)."""
    np.clip(g, -limit, limit, out=g)


def decay(w: Array, rates: Array) -> None:
    """w -= w rates[5]."""
    w -= w * w.dtype.type(rates[5])


def adam_rates(rates: Array, first: int, beta_1: float, beta_2: float, epsilon: float) -> None:
    """The numbers for ADAM in some steps, the first of which is number `first` from 0."""
    for i in range(len(rates)):
        t = first + i + 1
        rates[i, 0] = rates[i, 0] * math.sqrt(1 - math.pow(beta_2, t)) / (1 - math.pow(beta_1, t))
    rates[:, 1:5] = beta_1, beta_2, epsilon, 0


def dropout(x: Array, y: Array, columns: int, rate: float, seed: Array) -> None:
    """y = x / (1 - rate) where a hash of the place and the seed is at least 2^32 rate, else 0."""
    first, second = (np.uint32(int(seed[0]) >> shift & 0xFFFFFFFF) for shift in (0, 32))
    h = np.arange(len(x) * columns, dtype=np.uint32) * np.uint32(0x9E3779B9) + first
    h = (h ^ (h >> np.uint32(16))) * np.uint32(0x7FEB352D) ^ second
    h = (h ^ (h >> np.uint32(15))) * np.uint32(0x846CA68B)
    h = (h ^ (h >> np.uint32(16))) * np.uint32(0x7FEB352D)
    h ^= h >> np.uint32(15)
    keep = (h >= np.uint32(int(rate * 2**32))).reshape(len(x), columns)
    y[:, :columns] = np.where(keep, x[:, :columns] * x.dtype.type(1 / (1 - rate)), 0)


def shuffle(order: Array, seed: int) -> None:
    """The numbers 0 to n - 1 in a random order."""
    seed, bits = int(seed), 2**64
    for i in range(len(order)):
        seed = (seed + 0x9E3779B97F4A7C15) % bits
        z = (seed ^ (seed >> 30)) * 0xBF58476D1CE4E5B9 % bits
        z = (z ^ (z >> 27)) * 0x94D049BB133111EB % bits
        j = ((z ^ (z >> 31)) >> 32) * (i + 1) >> 32
        order[i] = order[j]
        order[j] = i


def gather(source: Array | None, octets: Array | None, rows: Array, target: Array) -> None:
    """target = some rows of a data set."""
    x = octets if source is None else source
    assert x is not None
    target[:] = x[rows]


def scatter(source: Array, rows: Array, target: Array) -> None:
    """The rows of a batch go to their places in target."""
    target[rows] = source[:, : target.shape[1]]


def copy(x: Array, y: Array, columns: int) -> None:
    """y = x in the first columns."""
    y[:, :columns] = x[:, :columns]


def rescale(x: Array, y: Array, columns: int, scale: float, offset: float) -> None:
    """y = x scale + offset in the first columns."""
    y[:, :columns] = x[:, :columns] * x.dtype.type(scale) + x.dtype.type(offset)


def mark_update(total: Array) -> None:
    """Does nothing: only compiled kernels are recorded."""


def softmax(z: Array, classes: int, p: Array) -> None:
    """p = exp(z - max) / its row sums."""
    e = np.exp(z[:, :classes] - z[:, :classes].max(axis=1, keepdims=True))
    p[:, :classes] = e / e.sum(axis=1, keepdims=True)
    p[:, classes:] = 0


def softmax_crossentropy(
    z: Array, t: Array, weights: Array, p: Array, dz: Array, rows: Array, smoothing: float = 0, clip: bool = True
) -> None:
    """p = softmax(z), rows = -sum t log p, dz = (p sum t - t) / B w, for targets t (1 - smoothing) + smoothing / C.

    With `clip` the logarithm is kept in [log 1e-7, log(1 - 1e-7)].
    """
    batch, classes = t.shape
    t = t * (1 - smoothing) + smoothing / classes
    softmax(z, classes, p)
    shifted = z[:, :classes] - z[:, :classes].max(axis=1, keepdims=True)
    log_p = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    if clip:
        log_p = np.clip(log_p, np.log(1e-7), np.log(float(np.float32(1) - np.float32(1e-7))))
    rows[:] = -np.multiply(t, log_p, out=np.zeros_like(log_p), where=t != 0).sum(axis=1, dtype=np.float64)
    dz[:, :classes] = (p[:, :classes] * t.sum(axis=1, keepdims=True) - t) / batch * _factors(weights, z)
    dz[:, classes:] = 0


def sparse_softmax_crossentropy(
    z: Array, classes: int, labels: Array, weights: Array, p: Array, dz: Array, rows: Array, clip: bool = True
) -> None:
    """`softmax_crossentropy` of targets that are 1 at the label and 0 elsewhere."""
    t = (labels == np.arange(classes)).astype(z.dtype)
    softmax_crossentropy(z, t, weights, p, dz, rows, clip=clip)


def _factors(weights: Array, y: Array) -> Array:
    """The weights of the rows as a column; ones if there are none."""
    return weights[:, None] if len(weights) else np.ones((len(y), 1), y.dtype)


def softmax_backward(p: Array, classes: int, dp: Array) -> None:
    """dz = p (dp - sum dp p), in place of dp."""
    p, d = p[:, :classes], dp[:, :classes]
    d[:] = p * (d - (d * p).sum(axis=1, keepdims=True))
    dp[:, classes:] = 0


def pointwise_loss(which: int, delta: float, y: Array, t: Array, weights: Array, dy: Array, rows: Array) -> None:
    """rows = mean over outputs of f(y - t), dy = f'(y - t) / C / B w."""
    batch, outputs = t.shape
    e = y[:, :outputs] - t
    if which == SQUARED_ERROR:
        losses, slopes = e * e, 2 * e
    elif which == ABSOLUTE_ERROR:
        losses, slopes = np.abs(e), np.sign(e)
    else:
        losses = np.where(np.abs(e) <= delta, e * e / 2, delta * np.abs(e) - delta * delta / 2)
        slopes = np.clip(e, -delta, delta)
    rows[:] = losses.mean(axis=1, dtype=np.float64)
    if len(dy):
        dy[:, :outputs] = slopes / outputs / batch * _factors(weights, y)
        dy[:, outputs:] = 0


def binary_crossentropy(
    z: Array, t: Array, weights: Array, p: Array, dz: Array, rows: Array, smoothing: float = 0, clip: bool = True
) -> None:
    """p = sigmoid(z), rows = -mean(s log p + (1 - s) log(1 - p)), dz = (p - s) / (B C) w, s the smoothed targets."""
    batch, outputs = t.shape
    s = t * (1 - smoothing) + smoothing / 2
    z = z[:, :outputs]
    p[:, :outputs] = activate(SIGMOID, z)
    common = np.log1p(np.exp(-np.abs(z)))
    log_p, log_rest = np.minimum(z, 0) - common, -np.maximum(z, 0) - common
    if clip:
        greatest = float(np.float32(1) - np.float32(1e-7))
        log_p = np.clip(log_p, np.log(1e-7), np.log(greatest))
        log_rest = np.clip(log_rest, np.log(1 - greatest), np.log(greatest))
    rows[:] = -(s * log_p + (1 - s) * log_rest).mean(axis=1, dtype=np.float64)
    dz[:, :outputs] = (p[:, :outputs] - s) / (batch * outputs) * _factors(weights, z)
    p[:, outputs:] = dz[:, outputs:] = 0


def categorical_accuracy(p: Array, t: Array, rows: Array) -> None:
    """1 where the greatest prediction of a row is where its greatest target is, else 0."""
    rows[:] = p[:, : t.shape[1]].argmax(axis=1) == t.argmax(axis=1)


def sparse_categorical_accuracy(p: Array, labels: Array, rows: Array) -> None:
    """1 where the greatest prediction of a row is that of its label, else 0."""
    rows[:] = p.argmax(axis=1) == labels[:, 0]


def binary_accuracy(p: Array, t: Array, threshold: float, rows: Array) -> None:
    """Share of each row's outputs for which a prediction above the threshold, as 1 or 0, is the target."""
    rows[:] = ((p[:, : t.shape[1]] > threshold) == t).mean(axis=1)


def add_rows(rows: Array, weights: Array, sums: Array, restart: bool = False, count_rows: bool = False) -> None:
    """sums += sum of rows * weights, sum of the weights; each number after the other, in float64."""
    if restart:
        sums[:] = 0
    sums[0] += sum((rows * weights.astype(np.float64) if len(weights) else rows).tolist())
    sums[1] += sum(weights.tolist()) if len(weights) and not count_rows else len(rows)


def accumulate(values: Array, sums: Array) -> None:
    """sums += values."""
    sums += values


def all_finite(x: Array) -> bool:
    """True if no element is NaN or infinite."""
    return bool(np.isfinite(x).all())
