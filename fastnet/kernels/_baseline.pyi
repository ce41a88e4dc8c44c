"""Types of the kernels; the modules of all instruction sets have the same functions. float32 arrays throughout."""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Ints = NDArray[np.int32]

PANEL: int
SKIP: int
lanes: int

def x86_level() -> int: ...
def set_threads(threads: int, cores: int) -> None: ...
def get_threads() -> int: ...
def thread_start_failed() -> bool: ...
def gemm_bias_act(
    x: Floats,
    w: Floats,
    bias: Floats,
    activation: int,
    y: Floats,
    steps: Ints | None = None,
    counts: Ints | None = None,
    values: Floats | None = None,
) -> None: ...
def gemm_nt(dz: Floats, w: Floats, dx: Floats) -> None: ...
def gemm_tn(
    x: Floats,
    dz: Floats,
    dw: Floats,
    db: Floats,
    steps: Ints | None = None,
    counts: Ints | None = None,
    values: Floats | None = None,
) -> None: ...
def gemm_tn_rmsprop(
    x: Floats,
    dz: Floats,
    w: Floats,
    bias: Floats,
    v: Floats,
    bias_v: Floats,
    learning_rate: float,
    rho: float,
    epsilon: float,
    steps: Ints | None = None,
    counts: Ints | None = None,
    values: Floats | None = None,
) -> None: ...
def nonzero_columns(x: Floats, steps: Ints, counts: Ints, values: Floats) -> None: ...
def nonzero_rows(x: Floats, steps: Ints, counts: Ints, values: Floats) -> None: ...
def rmsprop(
    w: Floats,
    g: Floats,
    v: Floats,
    mean: Floats | None,
    velocity: Floats | None,
    learning_rate: float,
    rho: float,
    momentum: float,
    epsilon: float,
) -> None: ...
def softmax(z: Floats, classes: int, p: Floats) -> None: ...
def softmax_crossentropy(z: Floats, t: Floats, p: Floats, dz: Floats, loss: Floats) -> float: ...
def softmax_backward(p: Floats, classes: int, dp: Floats) -> None: ...
def relu_backward(y: Floats, dy: Floats) -> None: ...
def count_correct(p: Floats, t: Floats) -> int: ...
def all_finite(x: Floats) -> bool: ...
