"""Every kernel again in plain NumPy: the text to learn from, and the oracle of the tests.

Same names, same arguments, same arrays changed in place as the compiled kernels, which add speed and nothing else.
All of it computes in the type of the arrays it is given, so with float64 arrays it is also the exact arithmetic that
float32 results are measured against.

    B  rows of a batch      K  inputs of a layer      N  its units or classes      P  columns of a panel

Weights come in panels, (N / P, K, P), as `fastnet/kernels/panels.py` lays them out; `matrix` shows one as (K, N).
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastnet.kernels import RELU

Array = NDArray[Any]


def matrix(panels: Array) -> Array:
    """Panels (N/P, K, P) as the matrix (K, N), padding included."""
    return panels.transpose(1, 0, 2).reshape(panels.shape[1], -1)


def _panels(whole: Array, panel: int) -> Array:
    return whole.reshape(whole.shape[0], -1, panel).transpose(1, 0, 2)


def gemm_bias_act(x: Array, w: Array, bias: Array, activation: int, y: Array, *lists: Array) -> None:
    """Y = act(X W + bias). Lists of what is not zero only save time, so here they are not read."""
    z = x[:, : w.shape[1]] @ matrix(w) + bias
    y[:, : z.shape[1]] = np.maximum(z, 0) if activation == RELU else z


def gemm_nt(dz: Array, w: Array, dx: Array) -> None:
    """dX = dZ W^T."""
    inputs = w.shape[1]
    dx[:, :inputs] = dz[:, : w.shape[0] * w.shape[2]] @ matrix(w).T
    dx[:, inputs:] = 0


def gemm_tn(x: Array, dz: Array, dw: Array, db: Array, *lists: Array) -> None:
    """dW = X^T dZ, db = column sums of dZ."""
    dz = dz[:, : len(db)]
    dw[:] = _panels(x[:, : dw.shape[1]].T @ dz, dw.shape[2])
    db[:] = dz.sum(axis=0)


def gemm_tn_rmsprop(
    x: Array,
    dz: Array,
    w: Array,
    bias: Array,
    v: Array,
    bias_v: Array,
    learning_rate: float,
    rho: float,
    epsilon: float,
    *lists: Array,
) -> None:
    """`gemm_tn`, then `rmsprop` on the kernel and on the bias."""
    dw, db = np.empty_like(w), np.empty_like(bias)
    gemm_tn(x, dz, dw, db)
    rmsprop(w, dw, v, None, None, learning_rate, rho, 0.0, epsilon)
    rmsprop(bias, db, bias_v, None, None, learning_rate, rho, 0.0, epsilon)


def nonzero_columns(x: Array, steps: Array, counts: Array, values: Array) -> None:
    """For each few rows of x, the columns at which one of them is not zero, and their values there."""
    height = values.shape[2]
    for block, list_of_steps in enumerate(steps):
        rows = x[block * height : (block + 1) * height]
        columns = np.flatnonzero(rows.any(axis=0))
        counts[block] = len(columns)
        list_of_steps[: len(columns)] = columns
        values[block, : len(columns), : len(rows)] = rows[:, columns].T


def nonzero_rows(x: Array, steps: Array, counts: Array, values: Array) -> None:
    """`nonzero_columns` of x^T."""
    nonzero_columns(x.T, steps, counts, values)


def rmsprop(
    w: Array,
    g: Array,
    v: Array,
    mean: Array | None,
    velocity: Array | None,
    learning_rate: float,
    rho: float,
    momentum: float,
    epsilon: float,
) -> None:
    """v <- rho v + (1 - rho) g^2;  w <- w - learning_rate g / sqrt(v + epsilon);  or centered, or with momentum."""
    v[:] = rho * v + (1 - rho) * g * g
    variance = v
    if mean is not None:
        mean[:] = rho * mean + (1 - rho) * g
        variance = v - mean * mean
    step = learning_rate * g / np.sqrt(variance + epsilon)
    if velocity is not None:
        velocity[:] = step = momentum * velocity + step
    w -= step


def softmax(z: Array, classes: int, p: Array) -> None:
    """p = exp(z - max) / its row sums."""
    e = np.exp(z[:, :classes] - z[:, :classes].max(axis=1, keepdims=True))
    p[:, :classes] = e / e.sum(axis=1, keepdims=True)
    p[:, classes:] = 0


def softmax_crossentropy(z: Array, t: Array, p: Array, dz: Array, loss: Array) -> float:
    """p = softmax(z), loss = -sum t log p by row, dz = (p sum t - t) / B; returns the sum of the rows' losses."""
    batch, classes = t.shape
    softmax(z, classes, p)
    shifted = z[:, :classes] - z[:, :classes].max(axis=1, keepdims=True)
    log_p = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    one = np.float32(1)
    loss[:] = -(t * np.clip(log_p, np.log(1e-7), np.log(float(one - np.float32(1e-7))))).sum(axis=1)
    dz[:, :classes] = (p[:, :classes] * t.sum(axis=1, keepdims=True) - t) / batch
    dz[:, classes:] = 0
    return float(loss.sum(dtype=np.float64))


def softmax_backward(p: Array, classes: int, dp: Array) -> None:
    """dz = p (dp - sum dp p), in place of dp."""
    p, d = p[:, :classes], dp[:, :classes]
    d[:] = p * (d - (d * p).sum(axis=1, keepdims=True))
    dp[:, classes:] = 0


def relu_backward(y: Array, dy: Array) -> None:
    """dz = dy where y > 0, else 0, in place of dy."""
    dy[y <= 0] = 0


def count_correct(p: Array, t: Array) -> int:
    """How many rows have their greatest prediction where their greatest target is."""
    return int((p[:, : t.shape[1]].argmax(axis=1) == t.argmax(axis=1)).sum())


def all_finite(x: Array) -> bool:
    """True if no element is NaN or infinite."""
    return bool(np.isfinite(x).all())
