"""Measures the time of an epoch against hidden units, batch size, density of the input, and threads.

    python bench/scaling.py [--what units batch density threads] [--plot scaling.png]

Each line changes one setting of the tutorial's network. It shows the time of the last epoch of a short fit. The zeros
are at random places. This is the worst case, because in a real digit neighbouring pixels are zero together.
"""

from __future__ import annotations

import argparse
import inspect
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import common

SWEEPS: dict[str, tuple[float, ...]] = {
    "units": (16, 32, 64, 128, 256, 512, 1024, 2048),
    "batch": (8, 16, 32, 64, 128, 256, 512, 1024),
    "density": (0.02, 0.05, 0.1, 0.19, 0.3, 0.4, 0.5, 0.6, 0.8, 1.0),
    "threads": (),  # depends on the machine; `main` fills it in
}
LABELS = {"units": "hidden units", "density": "share of nonzero inputs", "batch": "batch size"}
EPOCHS = 2


@dataclass(frozen=True)
class Run:
    """The settings of one measurement. The defaults are the tutorial's."""

    units: int = 512
    batch: int = 128
    density: float = 0.19
    threads: int = 1
    sparse: bool | None = None  # None: fastnet decides


def inputs(examples: int, density: float) -> Any:
    """Makes examples of 784 numbers, of which the share `density` is nonzero."""
    import numpy as np

    rng = np.random.default_rng(0)
    x = rng.random((examples, 784), np.float32)
    x[rng.random(x.shape, np.float32) >= density] = 0
    return x


def sampler(run: Run, examples: int) -> Callable[[], float]:
    """Makes a function that trains a new network with these settings and returns the seconds of its last epoch."""
    import numpy as np

    from fastnet import Input, Sequential, callbacks, set_num_threads
    from fastnet.layers import Dense

    class Clock(callbacks.Callback):
        def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
            self.start = time.perf_counter()

        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            self.seconds = time.perf_counter() - self.start

    targets = np.eye(10, dtype=np.float32)[np.random.default_rng(1).integers(0, 10, examples)]
    x = inputs(examples, run.density)
    choice = {} if run.sparse is None else {"sparse": run.sparse}

    def sample() -> float:
        set_num_threads(run.threads)
        model = Sequential([Input((784,)), Dense(run.units, activation="relu"), Dense(10, activation="softmax")])
        model.compile("rmsprop", "categorical_crossentropy", ["accuracy"])
        clock = Clock()
        model.fit(x, targets, batch_size=run.batch, epochs=EPOCHS, verbose=0, callbacks=[clock], **choice)
        return clock.seconds

    return sample


def can_choose() -> bool:
    """Tells whether this fastnet's `fit` has the argument `sparse`."""
    from fastnet import Sequential

    return "sparse" in inspect.signature(Sequential.fit).parameters


def sweep(what: str, values: Sequence[float], threads: int, examples: int, rounds: int) -> dict[str, list[float]]:
    """Measures the median seconds of an epoch of 60,000 examples, in a list for each way to treat zeros."""
    kinds: dict[str, bool | None] = {"fastnet": None}
    if what == "density" and can_choose():
        kinds |= {"skipping zeros": True, "multiplying zeros": False}
    samples = {}
    for value in values:
        for kind, sparse in kinds.items():
            run = Run(**{"threads": threads, what: value, "sparse": sparse})  # type: ignore[arg-type]
            samples[f"{kind} {value}"] = sampler(run, examples)
    taken = common.interleaved(samples, rounds)
    scale = 60000 / examples
    return {kind: [statistics.median(taken[f"{kind} {value}"]) * scale for value in values] for kind in kinds}


def rows(what: str, values: Sequence[float], medians: dict[str, list[float]]) -> tuple[list[str], list[list[str]]]:
    """Makes the header and the rows of the table."""
    header = [what, *(f"{kind}, s" for kind in medians)]
    if what == "threads":
        header.append("times faster")
    lines = []
    for i, value in enumerate(values):
        line = [f"{value:g}", *(common.figure(seconds[i]) for seconds in medians.values())]
        if what == "threads":
            line.append(f"{medians['fastnet'][0] / medians['fastnet'][i]:.2f}")
        lines.append(line)
    return header, lines


def draw(path: str, results: dict[str, tuple[Sequence[float], dict[str, list[float]]]], title: str) -> None:
    """Draws the curves of each sweep, side by side."""
    plt = common.pyplot()
    columns = min(2, len(results))
    height = -(-len(results) // columns)
    fig, grid = plt.subplots(
        height, columns, figsize=(4.5 * columns, 3.4 * height), layout="constrained", squeeze=False
    )
    for axes in grid.flat[len(results) :]:
        axes.set_visible(False)
    for axes, (what, (values, medians)) in zip(grid.flat, results.items(), strict=False):
        for kind, seconds in medians.items():
            axes.plot(values, seconds, "o-", label=kind)
        if what != "density":
            axes.set_xscale("log", base=2)
            axes.set_xticks(values, [f"{value:g}" for value in values], fontsize=8)
            axes.minorticks_off()
        if what == "units":
            axes.set_yscale("log", base=2)
            axes.yaxis.set_major_formatter(lambda seconds, _: common.figure(seconds))
        else:
            axes.set_ylim(0, 1.05 * axes.get_ylim()[1])
        if len(medians) > 1:
            axes.legend(frameon=False)
        axes.set_xlabel(LABELS.get(what, what))
        axes.set_ylabel("s per epoch of 60,000 examples")
        axes.grid(alpha=0.3)
    fig.suptitle(title, fontsize="medium")
    fig.savefig(path, dpi=150)
    plt.close(fig)


def main() -> None:
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--what", nargs="+", choices=SWEEPS, default=list(SWEEPS))
    p.add_argument("--threads", type=int, default=min(2, common.cores()), help="threads in all sweeps but `threads`")
    p.add_argument("--examples", type=int, default=12800, help="training examples; the seconds are scaled to 60,000")
    p.add_argument("--rounds", type=int, default=5)
    p.add_argument("--values", nargs="+", type=float, help="the values of a single sweep, instead of the usual ones")
    p.add_argument("--plot", metavar="FILE.png")
    p.add_argument("--json", metavar="FILE", help="write the raw numbers")
    options = p.parse_args()
    if options.plot:
        common.pyplot()  # ends at once if matplotlib is missing
    most = common.cores()
    if "threads" not in options.what:
        common.use_threads(options.threads)
    SWEEPS["threads"] = tuple(sorted({2**i for i in range(most.bit_length()) if 2**i <= most} | {most}))
    facts = common.facts(options.threads)
    print("\n".join(facts))
    results: dict[str, tuple[Sequence[float], dict[str, list[float]]]] = {}
    for what in options.what:
        values = SWEEPS[what]
        if options.values and len(options.what) == 1:
            values = tuple(options.values)
        if what != "density":
            values = tuple(int(value) for value in values)
        medians = sweep(what, values, options.threads, options.examples, options.rounds)
        results[what] = values, medians
        print(f"\n{common.table(*rows(what, values, medians))}", flush=True)
    if options.plot:
        draw(options.plot, results, f"{facts[0][9:]}; {options.threads} threads")
    common.write_json(
        options.json,
        {"facts": facts, **{what: {"values": values, "seconds": s} for what, (values, s) in results.items()}},
    )


if __name__ == "__main__":
    main()
