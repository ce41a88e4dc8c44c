"""Shared by the benchmarks: limits to cores, interleaved rounds, tables, and facts about the machine."""

from __future__ import annotations

import json
import os
import platform
import statistics
import sys
import textwrap
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

# Libraries read these at their first import. XLA reads none; `use_threads` limits it by the cores of the process.
THREAD_VARIABLES = (
    "FASTNET_NUM_THREADS",
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "TF_NUM_INTRAOP_THREADS",
)
QUIET = {"TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": "", "JAX_PLATFORMS": "cpu"}

# Seconds. The idle threads of a BLAS wait actively for a tenth of a second, and occupy a core until they sleep.
PAUSE = 0.3


def environment(threads: int) -> dict[str, str]:
    """Returns this process's environment variables, with `threads` threads for every library."""
    return {**os.environ, **QUIET, **dict.fromkeys(THREAD_VARIABLES, str(threads))}


def use_threads(threads: int) -> None:
    """Limits this process and its children to `threads` cores and threads. Call it before NumPy's first import."""
    os.environ.update(environment(threads))
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:threads])


def cores() -> int:
    """Returns the number of cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def seconds(call: Callable[[], Any], least: float = 0.0) -> float:
    """Measures the seconds of one call, as the mean of calls that together take `least` seconds."""
    count, start = 0, time.perf_counter()
    while True:
        call()
        count += 1
        elapsed = time.perf_counter() - start
        if elapsed >= least:
            return elapsed / count


def interleaved(
    samples: Mapping[str, Callable[[], float]], rounds: int, pause: float = 0.0, warm_up: bool = True
) -> dict[str, list[float]]:
    """Takes one sample of each in every round, so that a drift of the machine's speed affects all alike.

    With `warm_up`, an additional first round does not count.
    """
    taken: dict[str, list[float]] = {name: [] for name in samples}
    for turn in range(rounds + warm_up):
        for name, sample in samples.items():
            time.sleep(pause)
            value = sample()
            if turn >= warm_up:
                taken[name].append(value)
    return taken


def ratio(numerators: Sequence[float], denominators: Sequence[float]) -> float:
    """Computes the median of the ratios of each round. A slow moment of the machine affects both and cancels."""
    return statistics.median(a / b for a, b in zip(numerators, denominators, strict=True))


def facts(threads: int) -> list[str]:
    """Describes the machine and the versions, in lines."""
    import numpy as np

    import fastnet
    from fastnet import kernels

    config: Any = np.show_config(mode="dicts")
    blas = config.get("Build Dependencies", {}).get("blas", {})
    return [
        f"machine  {_processor()}, {platform.system()} {platform.machine()}, {cores()} cores to use",
        f"fastnet  {fastnet.__version__}, instruction set {kernels.isa}, {threads} thread{'s' * (threads > 1)}",
        f"Python   {platform.python_version()}, NumPy {np.__version__} "
        f"(BLAS: {blas.get('name', 'unknown')} {blas.get('version', '')})",
    ]


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or "unknown processor"


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Formats a table: the first column aligned to the left, the others to the right."""
    lines = [list(header), *map(list, rows)]
    widths = [max(len(line[i]) for line in lines) for i in range(len(header))]
    lines.insert(1, ["-" * width for width in widths])
    return "\n".join(
        "  ".join(cell.rjust(w) if i else cell.ljust(w) for i, (cell, w) in enumerate(zip(line, widths, strict=True)))
        for line in lines
    )


def figure(number: float) -> str:
    """Formats a number with three significant digits, without an exponent if possible."""
    if number == 0 or not 1e-4 < abs(number) < 1e7:
        return f"{number:.3g}"
    digits = 2 - len(f"{abs(number):.0f}") + (abs(number) < 1) + 1
    if abs(number) < 1:
        return f"{float(f'{number:.3g}'):.6f}".rstrip("0")
    return f"{number:,.{max(0, digits)}f}"


def write_json(path: str | None, content: Any) -> None:
    """Writes the raw numbers if there is a path."""
    if path:
        Path(path).write_text(json.dumps(content, indent=2) + "\n")


def pyplot() -> Any:
    """Returns matplotlib.pyplot for drawing into files. Ends with a hint if matplotlib is missing."""
    try:
        import matplotlib
    except ImportError:
        sys.exit("A picture needs matplotlib: python -m pip install matplotlib")
    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    return plt


def bars(path: str, title: str, unit: str, values: Mapping[str, float], highlight: str) -> None:
    """Draws a horizontal bar for each name, the shortest on top."""
    plt = pyplot()
    names = sorted(values, key=values.__getitem__, reverse=True)
    fig, axes = plt.subplots(figsize=(8, 1 + 0.4 * len(names)), layout="constrained")
    colors = ["tab:orange" if name == highlight else "tab:blue" for name in names]
    drawn = axes.barh(names, [values[name] for name in names], color=colors)
    axes.bar_label(drawn, [figure(values[name]) for name in names], padding=3)
    axes.margins(x=0.12)
    axes.set_xlabel(unit)
    fig.suptitle(textwrap.fill(title, 80), fontsize="medium")
    axes.spines[["top", "right"]].set_visible(False)
    fig.savefig(path, dpi=150)
    plt.close(fig)
