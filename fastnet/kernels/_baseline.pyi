"""Types of the kernels; the modules of all instruction sets have the same functions. float32 arrays unless said."""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Bytes = NDArray[np.uint8]
Places = NDArray[np.intp]
Rates = NDArray[np.float64]
Columns = NDArray[np.uint16] | NDArray[np.int32]
Entries = NDArray[np.int32]

PANEL: int
COMPILER: str
FLAGS: str

def x86_level() -> int: ...
def set_threads(threads: int, cores: int) -> None: ...
def get_threads() -> int: ...
def thread_start_failed() -> bool: ...
def activation_forward(activation: int, y: Floats) -> None: ...
def activation_backward(activation: int, y: Floats, dy: Floats) -> None: ...
def all_finite(x: Floats) -> bool: ...
def count_correct(p: Floats, t: Floats) -> int: ...
def csr_compress(
    floats: Floats | None,
    octets: Bytes | None,
    scale: float,
    indptr: Places,
    indices: Columns,
    values: Floats,
) -> None: ...
def csr_count(floats: Floats | None, octets: Bytes | None, counts: Places) -> None: ...
def csr_transpose(
    indptr: Places,
    indices: Columns,
    values: Floats,
    rows: Places,
    ends: Places,
    entries: Entries,
) -> None: ...
def csrmm_bias_act(
    indptr: Places,
    indices: Columns,
    values: Floats,
    rows: Places,
    w: Floats,
    bias: Floats,
    activation: int,
    y: Floats,
) -> None: ...
def csrmm_tn(ends: Places, entries: Entries, dz: Floats, dw: Floats, db: Floats) -> None: ...
def csrmm_tn_update(
    ends: Places,
    entries: Entries,
    dz: Floats,
    rule: int,
    w: Floats,
    s: Floats,
    t: Floats,
    bias: Floats,
    bias_s: Floats,
    bias_t: Floats,
    rates: Rates,
) -> None: ...
def dropout(x: Floats, y: Floats, columns: int, rate: float, seed: int) -> None: ...
def pointwise_forward(which: int, a: float, b: float, c: float, y: Floats) -> None: ...
def pointwise_backward(which: int, a: float, b: float, c: float, z: Floats, dy: Floats) -> None: ...
def gemm_bias_act(x: Floats, w: Floats, bias: Floats, activation: int, y: Floats) -> None: ...
def gemm_nt(dz: Floats, w: Floats, dx: Floats, activation: int, y: Floats) -> None: ...
def gemm_tn(x: Floats, dz: Floats, dw: Floats, db: Floats) -> None: ...
def gemm_tn_update(
    x: Floats,
    dz: Floats,
    rule: int,
    w: Floats,
    s: Floats,
    t: Floats,
    bias: Floats,
    bias_s: Floats,
    bias_t: Floats,
    rates: Rates,
) -> None: ...
def gemv_bias_act(x: Floats, w: Floats, bias: Floats, activation: int, y: Floats) -> None: ...
def softmax(z: Floats, classes: int, p: Floats) -> None: ...
def softmax_backward(p: Floats, classes: int, dp: Floats) -> None: ...
def softmax_crossentropy(z: Floats, t: Floats, p: Floats, dz: Floats, loss: Floats, clip: bool = True) -> float: ...
def update(
    rule: int,
    w: Floats,
    g: Floats,
    s: Floats,
    t: Floats,
    rates: Rates,
) -> None: ...
