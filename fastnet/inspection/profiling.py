"""The profile: measures the time of each kernel in a training step.

If the step is recorded (training/tape.py), the profile measures the repeated step: C takes the time of each entry of
the tape. Any other step runs in Python, and a wrapper around each kernel takes the time. Without a profile there is no
wrapper, so it costs nothing. The number of operations of a kernel, and the least bytes that it must move, follow from
its arguments.

Taking the time is a part of what is measured. For a repeated step it costs some 30 nanoseconds an entry, about half of
them around the kernels. The entries are run one by one, so threads wait for each other more often than they usually do.
"""

from __future__ import annotations

import contextlib
import copy
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from fastnet import checks, kernels, rng
from fastnet.callbacks import Callback
from fastnet.inspection.tables import Cells, Table

_ENDLESS = 10**9  # epochs: the clock ends the training
_PATIENCE = 1.0  # seconds from the start in which a recorded step may choose its number of threads


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
        is_repeated: whether the steps were repeated without Python.
    """

    def __init__(self, rows: list[Row], steps: int, seconds: float, peak: float, is_repeated: bool) -> None:
        super().__init__(sorted(rows, key=lambda row: -row.seconds))
        self.steps = steps
        self.seconds = seconds
        self.peak = peak
        self.is_repeated = is_repeated

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
        how = "a step repeated without Python" if self.is_repeated else "each step run in Python"
        return Cells(
            f"{self.steps} steps, {self.seconds / steps * 1e6:.1f} us each: {how}",
            head,
            rows,
            f"roof: {self.peak / 1e9:.0f} GFLOP/s, a dense product of 256 x 1024 x 1024 on these threads",
        )


def _gemm(x: Any, w: Any, *_: Any) -> float:
    return 2.0 * len(x) * float(w.size)


# Floating-point operations of a call, computed from its arguments. Other kernels count none.
_FLOPS: dict[str, Any] = {
    "gemm_bias_act": _gemm,
    "gemv_bias_act": lambda x, w, *_: 2.0 * np.count_nonzero(x) * w.shape[0] * w.shape[2],
    "gemm_nt": _gemm,
    "gemm_tn": lambda x, dz, dw, *_: _gemm(x, dw),
    "gemm_tn_update": lambda x, dz, rule, w, *_: _gemm(x, w),
}
_WEIGHTS = {"csrmm_bias_act": 4, "csrmm_tn": 3, "csrmm_tn_update": 4}  # the place of the weights of sparse products
_DATA = {"csrmm_bias_act": 3, "csr_transpose": 3, "gather": 2}  # how many arguments are the data set, before its rows


class _Calls(list[Row]):
    """Calls of kernels, one row for each call or for all its repetitions.

    Of a sparse data set, a batch counts with the mean number of nonzeros. So the calls of an epoch are right together,
    and a repeated call need not be looked at each time.
    """

    _nonzeros = 0.0  # in a batch, as the last kernel that got the data set could tell

    def add(self, kernel: str, arguments: tuple[Any, ...], seconds: float, calls: int = 1) -> None:
        moved = float(sum(a.nbytes for a in arguments if isinstance(a, np.ndarray)))
        if kernel in _DATA:
            at = _DATA[kernel]
            data = [a for a in arguments[:at] if a is not None]
            share = len(arguments[at]) / max(1, len(data[0]) - (len(data) == 3))  # indptr has one number more
            moved -= (1 - share) * sum(a.nbytes for a in data)
            if len(data) == 3:
                self._nonzeros = share * float(data[0][-1])
        if kernel in _WEIGHTS:
            w = arguments[_WEIGHTS[kernel]]
            flops = 2.0 * self._nonzeros * w.shape[0] * w.shape[2]
        else:
            flops = _FLOPS.get(kernel, lambda *_: 0.0)(*arguments)
        self.append(Row(kernel, calls, seconds, calls * flops, calls * moved))

    def by_kernel(self) -> list[Row]:
        """Returns the sums of each kernel's rows."""
        sums: dict[str, Any] = {}
        for kernel, *numbers in self:
            sums[kernel] = np.add(sums.get(kernel, 0), numbers)
        return [Row(kernel, int(calls), *map(float, others)) for kernel, (calls, *others) in sums.items()]


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
    """Lets a fit warm up, measures some epochs, and ends the fit.

    It warms up for an epoch, which allocates the workspaces, records the steps and prepares the processor's caches. A
    recorded step also has to choose its number of threads. The work that `fit` does once is not measured.

    Args:
        epochs: the number of epochs to measure.
        stack: gets what must be undone after the fit.

    Attributes:
        steps, seconds: the number of steps measured, and their total time.
        calls: the calls of kernels in these steps.
        recorded: the steps that were repeated without Python.
    """

    def __init__(self, epochs: int, stack: contextlib.ExitStack) -> None:
        self._left, self._stack = epochs, stack
        self._start = time.perf_counter()
        self._is_warm = False
        self._counting = 0.0  # seconds that the counting of operations took
        self.calls = _Calls()
        self.recorded: list[Any] = []
        self.steps, self.seconds = 0, 0.0

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        if self._is_warm:
            self.steps -= self.model.optimizer._iterations
            self.seconds -= time.perf_counter()

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        if self._is_warm:
            self.seconds += time.perf_counter() - self._counting
            self.steps += self.model.optimizer._iterations
            self._counting = 0.0
            self._left -= 1
            if not self._left:
                self.model.stop_training = True
                self._read()
            return
        self.recorded = [step for step in self.model._tapes._steps if step.is_valid()]
        if not self.recorded:
            self._stack.enter_context(kernels.observed(self._observe, wait=True))
        elif self._is_choosing:
            return
        for step in self.recorded:
            step.is_timed = True
        self._is_warm = True

    @property
    def _is_choosing(self) -> bool:
        """Whether the recorded step of whole batches still chooses its number of threads."""
        largest = max(self.recorded, key=lambda step: step.size)
        return not largest.pace.is_settled and time.perf_counter() < self._start + _PATIENCE

    def _observe(self, name: str, kernel: Callable[..., Any], arguments: tuple[Any, ...]) -> Any:
        start = time.perf_counter()
        result = kernel(*arguments)
        seconds = time.perf_counter() - start
        if name not in ("mark_update", "shuffle"):  # one does nothing, the other belongs to an epoch
            self.calls.add(name, arguments, seconds)
        self._counting += time.perf_counter() - start - seconds
        return result

    def _read(self) -> None:
        """Reads what the recorded steps have measured."""
        for step in self.recorded:
            steps, calls = step.timed()
            for call, seconds in calls:
                if call.entries:
                    self.calls.add(call.kernel, call.arguments, seconds, steps)


def profile(
    model: Any, x: Any, y: Any, batch_size: int = 32, epochs: int = 1, print_fn: Callable[[str], Any] | None = None
) -> Profile:
    """Trains a copy of the model for some epochs and measures the time of each kernel.

    Args:
        model: a compiled model; it is not changed.
        x: examples, as for `fit`.
        y: targets, as for `fit`.
        batch_size: examples per step.
        epochs: number of epochs to measure. Before them, one or more epochs are not measured.
        print_fn: function that gets the table as text. By default nothing is printed.

    Returns:
        The Profile: rows of kernel, calls, seconds, operations and bytes.

    Raises:
        RuntimeError, ValueError, TypeError: as `fit`. ValueError also if x has no second epoch.
    """
    epochs = checks.integer("epochs", epochs, least=1)
    model = copy.deepcopy(model)
    state = rng.generator().bit_generator.state
    try:
        with contextlib.ExitStack() as stack:
            clock = _Clock(epochs, stack)
            model.fit(x, y, batch_size=batch_size, epochs=_ENDLESS, verbose=0, callbacks=[clock])
    finally:
        rng.generator().bit_generator.state = state
    if not clock.steps:
        raise ValueError("x has batches for one epoch; a profile needs a second one, since the first is not measured")
    result = Profile(clock.calls.by_kernel(), clock.steps, clock.seconds, _peak(), bool(clock.recorded))
    if print_fn is not None:
        print_fn(str(result))
    return result
