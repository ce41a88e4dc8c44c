"""Compares fastnet with the installed libraries: the tutorial, side by side on the same cores.

    python bench/peers.py                                   one epoch, in each round
    python bench/peers.py --what epoch start predict1       more cases
    python bench/peers.py --what networks                   small and large networks, microseconds a step
    python bench/peers.py --plot epoch.png --json epoch.json

Each library has one turn in each round, so that a drift of the machine's speed affects all alike. The table shows the
median and the least time. It compares both with fastnet: by the median of the ratios in the same round, and by the
ratio of the least times. The first round warms up and does not count, except for cases that run whole processes.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import common
import implementations
import peak
import worker

CASES = {
    "epoch": "an epoch of the tutorial (784-512-10), steady state, fastnet with its bar and metrics",
    "start": "a whole process that reads the files, trains and evaluates, fastnet with its bar",
    "dense": "an epoch on standard-normal input without zeros",
    "deep": "an epoch of 784-512-512-10 with dropout 0.2",
    "predict1": "predict of one image with the public API",
    "predict10k": "predict of the 10,000 test images",
    "memory": "peak memory of the job of `start`, minus that of a process that has imported NumPy",
    "import": "time to import the library, minus that of NumPy",
    "ping-pong": "a cache line from one core to the other and back; cases with threads show it too",
}


def described(network: implementations.Network) -> str:
    """Describes one of the networks in words."""
    rows = f"all {network.rows:,} rows" if network.full else f"batch {network.batch:,}"
    loss = network.loss.replace("_", " ")
    return f"{'-'.join(map(str, network.widths))}, {rows}, {network.activation}, {loss}, Adam"


CASES |= {case: f"a step of {described(network)}" for case, network in implementations.NETWORKS.items()}
UNITS = {"predict1": ("µs", 1e6), "predict10k": ("ms", 1e3), "import": ("ms", 1e3), "memory": ("MB", 1e-6)}
UNITS |= {"ping-pong": ("ns", 1e9), **dict.fromkeys(implementations.NETWORKS, ("µs", 1e6))}
OURS = "fastnet"
LIMIT = "dense limit"  # the time of an epoch's matrix products at the machine's peak
PING = "ping-pong"  # the time of a cache line from one core to the other and back
NO_LIBRARY = (LIMIT, PING)


@dataclass
class Result:
    """The result of a case: one sample per round for each library."""

    case: str
    samples: dict[str, list[float]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    details: dict[str, dict[str, Any]] = field(default_factory=dict)

    def median(self, name: str) -> float:
        return statistics.median(self.samples[name])

    def ratio(self, name: str, to: str = OURS) -> float:
        """Computes the median of the ratios of each round."""
        return common.ratio(self.samples[name], self.samples[to])

    def best_ratio(self, name: str, to: str = OURS) -> float:
        """Computes the ratio of the least times."""
        return min(self.samples[name]) / min(self.samples[to])


@dataclass
class Setting:
    """The options that are the same for all cases."""

    names: list[str]
    threads: int
    rounds: int
    folder: str  # of the IDX files
    examples: int
    epochs: int
    is_mnist: bool


def measure(case: str, setting: Setting) -> Result:
    """Measures a case with every library that supports it. The notes name the others."""
    result = Result(case)
    names = [name for name in setting.names if implementations.ENTRIES[name].trains or case.startswith(("pre", "imp"))]
    if case in ("start", "memory"):
        _whole_runs(result, names, setting)
    elif case == "import":
        _imports(result, names, setting)
    elif case == PING:
        _rounds(result, [], setting)
    else:
        _rounds(result, names, setting)
    return result


def _rounds(result: Result, names: list[str], setting: Setting) -> None:
    workers: list[worker.Worker] = []
    samples: dict[str, Callable[[], float]] = {}
    try:
        for name in names:
            one = worker.Worker(name, result.case, setting.threads, setting.folder, setting.examples)
            workers.append(one)
            try:
                one.ready()
                one.sample()  # warms up: compiles, fills caches
            except (worker.UnableError, worker.WorkerError) as error:
                result.notes.append(f"{name} is left out: {error}")
                continue
            samples[name] = one.sample
            result.details[name] = {"version": one.version}
        try:
            if result.case in ("epoch", "dense", "deep"):
                flops = implementations.network_of(result.case).training_flops(setting.examples)
                peak.flops(setting.threads, runs=1)
                samples[LIMIT] = lambda: flops / peak.flops(setting.threads)
            if setting.threads > 1 and common.cores() > 1:
                peak.ping_pong(runs=1)
                samples[PING] = peak.ping_pong
        except peak.NoCompilerError as error:
            result.notes.append(f"no dense limit and no ping-pong: {error}")
        result.samples = common.interleaved(samples, setting.rounds, common.PAUSE, warm_up=False)
    finally:
        for one in workers:
            one.close()


def _whole_runs(result: Result, names: list[str], setting: Setting) -> None:
    arguments = ("start", setting.threads, setting.folder, setting.examples, setting.epochs)
    names = [*names, worker.PROGRAM] if OURS in names and setting.is_mnist else list(names)
    base = worker.run_once(worker.BASE, *arguments)[1]["peak"] if result.case == "memory" else 0
    result.samples = {name: [] for name in names}
    for _ in range(1 if result.case == "memory" else setting.rounds):
        for name in list(result.samples):
            time.sleep(common.PAUSE)
            try:
                elapsed, answer = worker.run_once(name, *arguments)
            except (worker.UnableError, worker.WorkerError) as error:
                result.notes.append(f"{name} is left out: {error}")
                del result.samples[name]
                continue
            result.samples[name].append(answer["peak"] - base if result.case == "memory" else elapsed)
            result.details[name] = answer
    if base:
        result.notes.append(f"a process that has imported NumPy: {base / 1e6:.0f} MB")


def _imports(result: Result, names: list[str], setting: Setting) -> None:
    def sample(name: str) -> float:
        modules = implementations.ENTRIES[name].start_of
        code = f"import numpy, time; t = time.perf_counter(); import {modules}; print(time.perf_counter() - t)"
        environment = common.environment(setting.threads) | {"KERAS_BACKEND": name.split("-")[-1]}  # read by Keras only
        done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
        return float(done.stdout.split()[-1])

    kinds = {implementations.ENTRIES[name].needs: name for name in reversed(names) if name != "numpy"}
    samples = {name: lambda name=name: sample(name) for name in reversed(kinds.values())}
    result.samples = common.interleaved(samples, setting.rounds)


def report(result: Result, setting: Setting) -> str:
    """Formats the results of a case as a table."""
    unit, scale = UNITS.get(result.case, ("s", 1.0))
    rows = []
    known = OURS in result.samples
    shown = [name for name in result.samples if name != PING or result.case == PING]
    for name in sorted(shown, key=result.median):
        entry = implementations.ENTRIES.get(name)
        title = entry.title if entry else name
        if name == worker.PROGRAM:
            title = f"python -m {worker.PROGRAM}"
        own = result.samples[name]
        detail = result.details.get(name, {})
        test = detail.get("test_accuracy")
        rows.append(
            [
                title,
                common.figure(statistics.median(own) * scale),
                common.figure(min(own) * scale),
                f"{result.ratio(name):.2f}" if known else "",
                f"{result.best_ratio(name):.2f}" if known else "",
                detail.get("version", "") or (f"test accuracy {test:.4f}" if test else ""),
            ]
        )
    text = f"{result.case}: {CASES[result.case]}\n"
    text += common.table(["", f"median {unit}", "least", "x fastnet", "least x", ""], rows)
    if LIMIT in result.samples and known:
        flops = implementations.network_of(result.case).training_flops(setting.examples)
        rate = flops / result.median(LIMIT)
        text += (
            f"\nThe dense limit is {flops / 1e9:.1f} GFLOP at the {rate / 1e9:.0f} GFLOP/s measured in each round; "
            f"fastnet takes {result.ratio(OURS, LIMIT):.2f} of its time."
        )
    if PING in result.samples:
        text += f"\nA cache line went from one core to the other and back in {line_time(result)} ns."
    return "\n".join([text, *result.notes])


def line_time(result: Result) -> str:
    """Returns the nanoseconds of the ping-pong: one figure, or the least and the largest. Empty if not measured."""
    taken = result.samples.get(PING, [])
    return " to ".join(dict.fromkeys(f"{1e9 * end(taken):.0f}" for end in (min, max) if taken))


def save_idx(target: Path, what: str) -> tuple[str, bool]:
    """Writes the digits as uncompressed IDX files. Returns their description and whether they are MNIST."""
    from fastnet.datasets import mnist, synthetic

    is_mnist = what != "synthetic"
    try:
        data = mnist.load_data(None if what == "auto" else what) if is_mnist else synthetic.load_data()
    except FileNotFoundError:
        if what != "auto":
            raise
        data, is_mnist = synthetic.load_data(), False
    arrays = [array for pair in data for array in pair]
    for file, array in zip(worker.FILES, arrays, strict=True):
        header = bytes([0, 0, 8, array.ndim]) + b"".join(n.to_bytes(4, "big") for n in array.shape)
        (target / file).write_bytes(header + array.tobytes())
    return "MNIST" if is_mnist else "synthetic digits", is_mnist


def add_options(p: argparse.ArgumentParser) -> None:
    """Adds the options that table.py shares."""
    p.add_argument("--rounds", type=int, default=5, help="counted turns of each")
    p.add_argument("--threads", type=int, default=min(2, common.cores()))
    p.add_argument("--data", default="auto", help="auto, synthetic, or a folder with MNIST's files")
    p.add_argument("--examples", type=int, default=60000, help="training examples to take, for a quick look")
    p.add_argument("--epochs", type=int, default=5, help="of the case `start`")
    p.add_argument("--peers", nargs="+", choices=implementations.ENTRIES, help="instead of the usual ones installed")
    p.add_argument("--json", metavar="FILE", help="write the raw numbers")


def choose(asked: list[str] | None) -> list[str]:
    """Chooses the libraries to compare. fastnet is always the first."""
    usual = [name for name, entry in implementations.ENTRIES.items() if entry.usual]
    names = [name for name in asked or usual if not implementations.missing(name)]
    for name in sorted(set(asked or usual) - set(names)):
        print(f"{name} is left out: not installed ({', '.join(implementations.missing(name))})")
    return [OURS, *(name for name in names if name != OURS)]


def main() -> None:
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument(
        "--what",
        nargs="+",
        choices=[*CASES, "networks", "all"],
        default=["epoch"],
        metavar="CASE",
        help=f"{', '.join(CASES)}, networks (all cases that are named by their sizes), all",
    )
    add_options(p)
    p.add_argument("--plot", metavar="FILE.png", help="draw the first case")
    options = p.parse_args()
    if options.plot:
        common.pyplot()  # ends at once if matplotlib is missing
    common.use_threads(options.threads)
    raw: dict[str, Any] = {"facts": common.facts(options.threads)}
    names = choose(options.peers)
    with tempfile.TemporaryDirectory(prefix="fastnet-bench-") as folder:
        source, is_mnist = save_idx(Path(folder), options.data)
        is_mnist = is_mnist and options.examples >= 60000
        setting = Setting(names, options.threads, options.rounds, folder, options.examples, options.epochs, is_mnist)
        print("\n".join(raw["facts"]), f"data     {source}, {options.rounds} rounds", sep="\n")
        groups: dict[str, Iterable[str]] = {"all": CASES, "networks": implementations.NETWORKS}
        for case in [case for what in options.what for case in groups.get(what, [what])]:
            result = measure(case, setting)
            print(f"\n{report(result, setting)}", flush=True)
            raw[case] = {"samples": result.samples, "details": result.details, "notes": result.notes}
            if options.plot:
                unit, scale = UNITS.get(case, ("s", 1.0))
                titles = {name: e.title for name, e in implementations.ENTRIES.items()}
                medians = {
                    titles.get(name, name): result.median(name) * scale for name in result.samples if name != PING
                }
                common.bars(options.plot, f"{CASES[case]}, {options.threads} threads", unit, medians, titles[OURS])
                options.plot = None
    common.write_json(options.json, raw)


if __name__ == "__main__":
    main()
