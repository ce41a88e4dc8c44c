"""Times each kernel by shape and threads with pytest-benchmark, and compares it with the machine's peak.

    python -m pytest bench/test_kernels.py [-k gemm_tn] [--benchmark-json FILE]

The table at the end and `extra_info` of the JSON also hold GFLOP/s, percent of the peak, and GB/s.
"""

from __future__ import annotations

from typing import Any

import cases
import common
import peak
import pytest

from fastnet import kernels

pytest.importorskip("pytest_benchmark", reason="python -m pip install pytest-benchmark")

THREADS = sorted({1, min(2, common.cores()), common.cores()})


def measured_peak(threads: int) -> float | None:
    """Measures the peak again before each kernel, since the processor's speed drifts."""
    try:
        return peak.flops(threads)
    except peak.NoCompilerError:
        return None


@pytest.fixture(params=THREADS, ids=lambda n: f"{n}t")
def threads(request: pytest.FixtureRequest) -> Any:
    before = kernels.get_num_threads()
    kernels.set_num_threads(request.param)
    yield request.param
    kernels.set_num_threads(before)


@pytest.mark.benchmark(max_time=0.25, min_time=0.0005, warmup=True, warmup_iterations=20, disable_gc=True)
@pytest.mark.parametrize("name", cases.CASES)
def test_kernel(benchmark: Any, name: str, threads: int, results: list[list[str]]) -> None:
    case, why_not = cases.make(name)
    if case is None:
        pytest.skip(why_not)
    roof = measured_peak(threads)
    benchmark.group = case.kernel
    benchmark(case.call)
    if benchmark.stats is None:  # --benchmark-disable
        return
    seconds = benchmark.stats.stats.median
    info = {"threads": threads, "shape": case.shape, "GB/s": case.traffic / seconds / 1e9}
    if case.flops:
        info["GFLOP/s"] = case.flops / seconds / 1e9
        if roof:
            info["percent of peak"] = 100 * case.flops / seconds / roof
    benchmark.extra_info.update(info)
    shown = [common.figure(info[key]) if key in info else "" for key in ("GFLOP/s", "percent of peak", "GB/s")]
    results.append([case.name, str(threads), common.figure(seconds * 1e6), *shown])
