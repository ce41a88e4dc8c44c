"""The profile: measures the time of each kernel in a training step.

During a profile, a wrapper around each kernel takes the time. Without a profile there is no wrapper, so it costs
nothing. The number of operations of a kernel, and the least bytes that it must move, follow from its arrays' shapes.
"""

from __future__ import annotations

import copy
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from fastnet import checks, kernels, rng
from fastnet.callbacks import Callback
from fastnet.inspection.tables import Cells, Table


class Row(NamedTuple):
    """One kernel: its calls, their seconds, floating-point operations and least bytes moved, in total."""

    kernel: str
    calls: int
    seconds: float
    flops: float
    bytes: float


class Profile(Table[Row]):
    """The result of a profile, one row per kernel, the slowest first. It prints as a table.

    Attributes:
        steps: number of training steps.
        seconds: their total time.
        peak: floating-point operations per second of a large dense product, measured after the steps.
    """

    def __init__(self, rows: list[Row], steps: int, seconds: float, peak: float) -> None:
        super().__init__(sorted(rows, key=lambda row: -row.seconds))
        self.steps = steps
        self.seconds = seconds
        self.peak = peak

    def _cells(self) -> Cells:
        steps, whole = max(1, self.steps), self.seconds or 1.0
        head = ("kernel", "calls/step", "us/step", "share", "GFLOP/s", "of roof", "MB/step")
        rows = []
        for row in self:
            rate = row.flops / row.seconds if row.seconds else 0.0
            rows.append(
                (
                    row.kernel,
                    f"{row.calls / steps:.1f}",
                    f"{row.seconds / steps * 1e6:.1f}",
                    f"{row.seconds / whole:.0%}",
                    f"{rate / 1e9:.1f}",
                    f"{rate / self.peak:.0%}",
                    f"{row.bytes / steps / 1e6:.2f}",
                )
            )
        rest = self.seconds - sum(row.seconds for row in self)
        rows.append(("around the kernels", "", f"{rest / steps * 1e6:.1f}", f"{rest / whole:.0%}", "", "", ""))
        return Cells(
            f"{self.steps} steps, {self.seconds / steps * 1e6:.0f} us each",
            head,
            rows,
            f"roof: {self.peak / 1e9:.0f} GFLOP/s, a dense product of 256 x 1024 x 1024 on these threads",
        )


def _gemm(x: Any, w: Any, *_: Any) -> float:
    return 2.0 * len(x) * float(w.size)


def _csr(indptr: Any, rows: Any, w: Any) -> float:
    return 2.0 * float((indptr[rows + 1] - indptr[rows]).sum()) * float(w.shape[0] * w.shape[2])


# Floating-point operations of a call, computed from its arguments. Other kernels count none.
_FLOPS: dict[str, Any] = {
    "gemm_bias_act": _gemm,
    "gemv_bias_act": lambda x, w, *_: 2.0 * np.count_nonzero(x) * w.shape[0] * w.shape[2],
    "gemm_nt": _gemm,
    "gemm_tn": lambda x, dz, dw, *_: _gemm(x, dw),
    "gemm_tn_update": lambda x, dz, rule, w, *_: _gemm(x, w),
    "csrmm_bias_act": lambda indptr, indices, values, rows, w, *_: _csr(indptr, rows, w),
    "csrmm_tn": lambda ends, entries, dz, dw, *_: 2.0 * float(ends[0, -1]) * dw.shape[0] * dw.shape[2],
    "csrmm_tn_update": lambda ends, entries, dz, rule, w, *_: 2.0 * float(ends[0, -1]) * w.shape[0] * w.shape[2],
}
_WHOLE_SET = ("csrmm_bias_act", "csr_transpose")  # their first arrays are those of the data set, not of the batch


def _bytes(name: str, arguments: tuple[Any, ...]) -> float:
    """Returns the bytes of the arrays of a call, each counted once."""
    sizes = sum(a.nbytes for a in arguments if isinstance(a, np.ndarray))
    if name in _WHOLE_SET:
        indptr, indices, values, rows = arguments[:4]
        whole = indptr.nbytes + indices.nbytes + values.nbytes
        share = float((indptr[rows + 1] - indptr[rows]).sum()) / max(1, indptr[-1])
        sizes += int(whole * share) - whole
    return float(sizes)


def _peak() -> float:
    """Measures the rate of a large dense product in operations per second; returns the best of eight."""
    x, w = np.ones((256, 1024), np.float32), np.ones((64, 1024, 16), np.float32)
    bias, y = np.zeros(1024, np.float32), np.zeros((256, 1040), np.float32)
    best = float("inf")
    for _ in range(8):
        start = time.perf_counter()
        kernels._chosen.gemm_bias_act(x, w, bias, kernels.LINEAR, y)
        best = min(best, time.perf_counter() - start)
    return 2 * 256 * 1024 * 1024 / best


class _Clock(Callback):
    """Counts the steps and the seconds of the epochs, without the work that `fit` does once."""

    steps, seconds = 0, 0.0

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self.seconds -= time.perf_counter()

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        self.seconds += time.perf_counter()

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        self.steps += 1


def profile(
    model: Any, x: Any, y: Any, batch_size: int = 32, epochs: int = 1, print_fn: Callable[[str], Any] | None = None
) -> Profile:
    """Trains a copy of the model for some epochs and measures the time of each kernel.

    Args:
        model: a compiled model; it is not changed.
        x: examples, as for `fit`.
        y: targets, as for `fit`.
        batch_size: examples per step.
        epochs: number of epochs to measure.
        print_fn: function that gets the table as text. By default nothing is printed.

    Returns:
        The Profile: rows of kernel, calls, seconds, operations and bytes. It includes kernels of other Python threads.

    Raises:
        RuntimeError, ValueError, TypeError: as `fit`.
    """
    epochs = checks.integer("epochs", epochs, least=1)
    model = copy.deepcopy(model)
    state = rng.generator().bit_generator.state
    totals: dict[str, list[float]] = {}

    def timed(name: str, kernel: Callable[..., Any]) -> Callable[..., Any]:
        flops = _FLOPS.get(name, lambda *_: 0.0)

        def call(*arguments: Any) -> Any:
            start = time.perf_counter()
            result = kernel(*arguments)
            seconds = time.perf_counter() - start
            total = totals.setdefault(name, [0, 0.0, 0.0, 0.0, 0.0])
            for i, value in enumerate((1, seconds, flops(*arguments), _bytes(name, arguments))):
                total[i] += value
            total[4] += time.perf_counter() - start - seconds  # the time that counting took
            return result

        return call

    clock = _Clock()
    originals = {name: getattr(kernels, name) for name in kernels.NAMES}
    try:
        model.fit(x, y, batch_size=batch_size, epochs=1, verbose=0)  # not measured: allocates the workspaces
        for name, kernel in originals.items():
            setattr(kernels, name, timed(name, kernel))
        model.fit(x, y, batch_size=batch_size, epochs=epochs, verbose=0, callbacks=[clock])
    finally:
        for name, kernel in originals.items():
            setattr(kernels, name, kernel)
        rng.generator().bit_generator.state = state
    seconds = clock.seconds - sum(total[4] for total in totals.values())
    rows = [
        Row(name, int(t[0]), t[1], t[2], t[3])
        for name, t in totals.items()
        if name not in ("csr_count", "csr_compress")
    ]
    result = Profile(rows, clock.steps, seconds, _peak())
    if print_fn is not None:
        print_fn(str(result))
    return result
