"""Compares the kernels with the two limits of this machine: its computing speed and its memory bandwidth.

    python bench/roofline.py [--threads 2] [--plot roofline.png]

A kernel with few operations per byte is limited by the bandwidth of the cache or memory that holds its arrays. A kernel
with many operations per byte is limited by the multipliers. Its roof is the lower limit. This program measures both.
"""

from __future__ import annotations

import argparse
import statistics
import sys
from typing import Any, NamedTuple

import common

# The kernels in the picture. The table has all.
SHOWN = (
    "gemm_bias_act-128x784x512",
    "gemm_nt-128x784x512",
    "gemm_tn-128x784x512",
    "gemm_tn_update-128x784x512",
    "gemm_bias_act-128x512x10",
    "gemv_bias_act-784x512",
    "csrmm_bias_act-128x784x512",
    "csrmm_tn-128x784x512",
    "csrmm_tn_update-128x784x512",
    "softmax_crossentropy-10000x10",
    "update-RMSprop",
    "update-Adam",
)

OFFSETS = ((4, 3), (-12, 3), (4, -10), (-12, -10))  # of a number from its point, varied against overlaps


class Point(NamedTuple):
    """A kernel in the picture."""

    key: str  # in cases.CASES
    name: str
    intensity: float  # operations per byte
    rate: float  # operations per second
    level: str  # the cache or memory that holds its arrays
    roof: float  # operations per second


def measure(threads: int, rounds: int) -> tuple[float, dict[str, float], list[Point]]:
    """Measures the peak operations per second, the bytes per second of each level, and a point for each kernel."""
    import cases
    import peak

    made = {name: cases.make(name)[0] for name in cases.CASES}
    usable = {name: case for name, case in made.items() if case is not None and case.flops}
    samples: dict[str, Any] = {
        name: lambda c=case: common.seconds(c.call, least=0.003) for name, case in usable.items()
    }
    samples[""] = lambda: peak.flops(threads)
    taken = common.interleaved(samples, rounds)
    top = max(taken.pop(""))
    memory = {
        level: max(peak.bandwidth(walk, peak.size_at(level, threads), threads) for walk in ("read", "update"))
        for level in peak.LEVELS
    }
    points = []
    for name, case in usable.items():
        level = peak.level_of(case.traffic, threads)
        intensity = case.flops / case.traffic
        rate = case.flops / statistics.median(taken[name])
        points.append(Point(name, case.name, intensity, rate, level, min(top, intensity * memory[level])))
    return top, memory, points


def draw(path: str, title: str, top: float, memory: dict[str, float], points: list[Point]) -> None:
    """Draws the picture: logarithmic axes, a number at each point, and the names in a legend."""
    plt = common.pyplot()
    fig, axes = plt.subplots(figsize=(10, 6.5), layout="constrained")
    low, high = min(p.intensity for p in points) / 2, max(p.intensity for p in points) * 2
    colors = dict(zip(memory, ("tab:green", "tab:orange", "tab:red"), strict=True))
    axes.plot([low, high], [top / 1e9] * 2, color="black", label=f"multiply-adds, {top / 1e9:.0f} GFLOP/s")
    for level, rate in memory.items():
        ridge = min(high, top / rate)
        label = f"{level}, {rate / 1e9:.0f} GB/s"
        axes.plot([low, ridge], [low * rate / 1e9, ridge * rate / 1e9], color=colors[level], label=label)
    for number, point in enumerate((p for p in points if p.key in SHOWN), 1):
        at = point.intensity, point.rate / 1e9
        axes.plot(*at, "o", color=colors[point.level], markersize=5, label=f"{number}  {point.name}")
        axes.annotate(str(number), at, xytext=OFFSETS[number % 4], textcoords="offset points", fontsize=8)
    axes.set(xscale="log", yscale="log", xlabel="operations per byte", ylabel="GFLOP/s")
    fig.suptitle(title, fontsize="medium")
    axes.grid(which="both", alpha=0.2)
    fig.legend(loc="outside right upper", fontsize=8, frameon=False)
    fig.savefig(path, dpi=150)
    plt.close(fig)


def main() -> None:
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--threads", type=int, default=min(2, common.cores()))
    p.add_argument("--rounds", type=int, default=7)
    p.add_argument("--plot", metavar="FILE.png")
    p.add_argument("--json", metavar="FILE", help="write the raw numbers")
    options = p.parse_args()
    if options.plot:
        common.pyplot()  # ends at once if matplotlib is missing
    common.use_threads(options.threads)
    import peak

    facts = common.facts(options.threads)
    print("\n".join(facts))
    try:
        top, memory, points = measure(options.threads, options.rounds)
    except peak.NoCompilerError as error:
        sys.exit(str(error))
    bandwidths = ", ".join(f"{level} {rate / 1e9:.0f} GB/s" for level, rate in memory.items())
    print(f"roofs    {top / 1e9:.0f} GFLOP/s; {bandwidths}\n")
    rows = [
        [
            p.name,
            f"{p.intensity:.2f}",
            common.figure(p.rate / 1e9),
            p.level,
            f"{p.roof / 1e9:.0f}",
            f"{p.rate / p.roof:.0%}",
        ]
        for p in points
    ]
    print(common.table(["kernel", "operations per byte", "GFLOP/s", "arrays in", "roof", "reached"], rows))
    if options.plot:
        draw(options.plot, f"{facts[0][9:]}; {options.threads} threads", top, memory, points)
    common.write_json(
        options.json,
        {"facts": facts, "flops": top, "bandwidth": memory, "points": [point._asdict() for point in points]},
    )


if __name__ == "__main__":
    main()
