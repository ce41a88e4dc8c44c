"""Compares fastnet's speed with all of its targets, one line each.

    python bench/table.py [--only epoch networks ...] [--rounds 5] [--json FILE]
    python bench/table.py --only networks --markdown        the networks' table for a page

Most targets are ratios to another library or to the machine's peak, measured in turns in one run on the same cores.
So they mean the same on another machine. The **ratio of the least times** of both sides decides: what disturbs a
program only makes it slower. Both times are in the table, and beside it the median of the ratios of each round.
A line says so if its library is missing. The program takes some minutes. `--examples` and `--rounds` shorten it.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import common
import implementations
import peers
import worker
from peers import LIMIT, OURS, PING, UNITS, Result, Setting

RIVALS = {"jax-scan": "JAX scan", "torch": "PyTorch", "numpy": "NumPy"}  # of the networks

# How many times faster than JAX's scan and than PyTorch fastnet should be.
TARGETS = {
    "4-16-3": (2.5, 100),
    "4-16-16-3": (2.5, 100),
    "4-64-64-3": (1.5, 10),
    "4-64-64-3:128": (1.5, 10),
    "13-64-64-1": (1.5, 10),
    "8-16-1": (2.5, 10),
    "4-32-16-4:200": (2, 10),
    "4-32-16-4:10000": (2, 10),
    "784-2048-2048-2048-10": (1,),
    "1024-1024-1024-10": (1,),
}


class Line(NamedTuple):
    """A line of the table."""

    what: str
    target: str
    measured: str
    reached: bool | None  # None: there is nothing to compare with
    ours: str = ""
    other: str = ""
    median: str = ""


def at_least(what: str, value: float | None, target: float, unit: str = " x", missing: str = "not installed") -> Line:
    if value is None:
        return Line(what, f">= {target:g}{unit}", missing, None)
    return Line(what, f">= {target:g}{unit}", f"{common.figure(value)}{unit}", value >= target)


def at_most(what: str, value: float | None, target: float, unit: str = "", missing: str = "not measured") -> Line:
    if value is None:
        return Line(what, f"<= {target:g}{unit}", missing, None)
    return Line(what, f"<= {target:g}{unit}", f"{common.figure(value)}{unit}", value <= target)


def _both(line: Line, result: Result, name: str, to: str) -> Line:
    """Adds the least times of fastnet and of the other to the line, and the median of the ratios `name` to `to`."""
    unit, scale = UNITS.get(result.case, ("s", 1.0))
    times = {side: f"{common.figure(min(result.samples[side]) * scale)} {unit}" for side in (name, to)}
    ours = OURS if OURS in times else to
    other = name if ours == to else to
    return line._replace(ours=times[ours], other=times[other], median=f"{common.figure(result.ratio(name, to))} x")


def _faster(result: Result, what: str, targets: dict[str, float], to: str = OURS) -> Iterator[Line]:
    """Yields a line for each peer: how many times faster fastnet is, by the least times."""
    for name, target in targets.items():
        known = name in result.samples and to in result.samples
        title = f"{what}, faster than {implementations.ENTRIES[name].title}"
        line = at_least(title, result.best_ratio(name, to) if known else None, target, missing="not measured")
        yield _both(line, result, name, to) if known else line


Rows = Callable[[Setting, dict[str, Any]], Iterator[Line]]


def _measured(case: str, setting: Setting, raw: dict[str, Any]) -> Result:
    result = peers.measure(case, setting)
    raw[case] = {"samples": result.samples, "details": result.details, "notes": result.notes}
    for note in result.notes:
        print(f"{case}: {note}", file=sys.stderr)
    if PING in result.samples:
        print(f"{case}: a cache line went from core to core and back in {peers.line_time(result)} ns", flush=True)
    return result


def epoch(setting: Setting, raw: dict[str, Any]) -> Iterator[Line]:
    result = _measured("epoch", setting, raw)
    yield from _faster(result, "epoch (the goal is 5 x)", {"jax-scan": 4})
    yield from _faster(result, "epoch", {"torch": 6.5, "numpy": 11, "keras-tensorflow": 14})
    known = LIMIT in result.samples
    line = at_most("epoch against the dense limit", result.best_ratio(OURS, LIMIT) if known else None, 0.42, " x")
    yield _both(line, result, OURS, LIMIT) if known else line


def networks(setting: Setting, raw: dict[str, Any]) -> Iterator[Line]:
    """Measures the small and the large networks. Their samples are short, so there are three times as many rounds."""
    names = [name for name in setting.names if name in (OURS, *RIVALS)]
    for case, targets in TARGETS.items():
        result = _measured(case, replace(setting, names=names, rounds=3 * setting.rounds), raw)
        yield from _faster(result, case, dict(zip(RIVALS, targets, strict=False)))


def markdown(raw: dict[str, Any]) -> str:
    """Formats a table of the networks: the least times, their ratio, and the median of the ratios in brackets."""
    rivals = [cell for title in RIVALS.values() for cell in (f"{title}, µs", "(median)")]
    header = ["network", "fastnet, µs", *rivals, "from core to core and back, ns"]
    rows = []
    for case in TARGETS:
        result = Result(case, raw[case]["samples"])
        row = [peers.described(implementations.NETWORKS[case]), f"**{common.figure(min(result.samples[OURS]) * 1e6)}**"]
        for name in RIVALS:
            if name in result.samples:
                least, ratios = min(result.samples[name]) * 1e6, (result.best_ratio(name), result.ratio(name))
                row += [common.figure(least), "{} x ({})".format(*map(common.figure, ratios))]
            else:
                row += ["", ""]
        rows.append([*row, peers.line_time(result)])
    return "\n".join(f"| {' | '.join(row)} |" for row in (header, ["---"] * len(header), *rows))


def start(setting: Setting, raw: dict[str, Any]) -> Iterator[Line]:
    result = _measured("start", setting, raw)
    rivals = [name for name in result.samples if name not in (OURS, worker.PROGRAM)]
    fastest = min(rivals, key=lambda name: min(result.samples[name])) if rivals else None
    for name in (OURS, worker.PROGRAM):
        if name in result.samples:
            title = "python -m fastnet.mnist" if name == worker.PROGRAM else "process start to five epochs"
            yield from _faster(result, title, {fastest: 5} if fastest else {}, to=name)


def dense(setting: Setting, raw: dict[str, Any]) -> Iterator[Line]:
    yield from _faster(_measured("dense", setting, raw), "dense input", {"jax-scan": 1.3, "torch": 2})


def deep(setting: Setting, raw: dict[str, Any]) -> Iterator[Line]:
    yield from _faster(_measured("deep", setting, raw), "784-512-512-10 with dropout", {"jax-scan": 2.5, "torch": 3})


def kernels(setting: Setting, raw: dict[str, Any]) -> Iterator[Line]:
    import cases
    import peak

    from fastnet import kernels as compiled

    compiled.set_num_threads(setting.threads)
    rounds = max(5, setting.rounds)

    def compare(name: str, others: dict[str, Callable[[], float]]) -> tuple[Any, dict[str, list[float]]]:
        """Takes interleaved samples of a case, of its version in NumPy if there is one, and of `others`."""
        case, why_not = cases.make(name)
        if case is None:
            print(f"{name}: {why_not}", file=sys.stderr)
            return None, {}
        samples: dict[str, Callable[[], float]] = {OURS: lambda: common.seconds(case.call, least=0.02), **others}
        if case.numpy is not None:
            samples["numpy"] = lambda: common.seconds(case.numpy, least=0.02)
        taken = common.interleaved(samples, rounds, common.PAUSE)
        raw[name] = taken
        return case, taken

    try:
        peak.flops(setting.threads, runs=1)
        roof: dict[str, Callable[[], float]] = {"peak": lambda: peak.flops(setting.threads)}
    except peak.NoCompilerError as error:
        print(error, file=sys.stderr)
        roof = {}
    for kernel, what in (("gemm_bias_act", "matmul + add + maximum"), ("gemm_nt", "matmul"), ("gemm_tn", "matmul")):
        case, taken = compare(f"{kernel}-128x784x512", roof)
        share = None
        if taken and roof:
            share = 100 * statistics.median(case.flops / t / p for t, p in zip(taken[OURS], taken["peak"], strict=True))
        yield at_least(f"{kernel} 128 x 784 x 512 of peak", share, 90, " %", "not measured")
        ratio = common.ratio(taken["numpy"], taken[OURS]) if taken else None
        yield at_least(f"{kernel}, faster than NumPy's {what}", ratio, 1.15, missing="no such kernel")
    for shape in ("128x10", "10000x10"):
        _, taken = compare(f"softmax_crossentropy-{shape}", {})
        ratio = common.ratio(taken["numpy"], taken[OURS]) if taken else None
        yield at_least(f"softmax_crossentropy {shape}, faster than the NumPy text", ratio, 10, missing="no such kernel")
    size = 3 * 4 * 400_000
    moving = {"walk": lambda: peak.bandwidth("update", size, setting.threads)} if roof else {}
    case, taken = compare("update-RMSprop", moving)
    share = None
    if taken and moving:
        share = 100 * statistics.median(case.traffic / t / b for t, b in zip(taken[OURS], taken["walk"], strict=True))
    level = peak.level_of(size, setting.threads)
    yield at_least(f"RMSprop of 400,000 weights, of the roof of {level}", share, 85, " %", "not measured")


def predict(setting: Setting, raw: dict[str, Any]) -> Iterator[Line]:
    one = _measured("predict1", setting, raw)
    yield at_most("predict of one image", min(one.samples[OURS]) * 1e6, 8, " µs")
    yield from _faster(one, "predict of one image", {"onnxruntime": 1})
    yield from _faster(_measured("predict10k", setting, raw), "predict of 10,000 images", {"numpy": 4})


def calls(setting: Setting, raw: dict[str, Any]) -> Iterator[Line]:
    """Times calls that take little data, in this process, with the network and the batch of a student."""
    import fastnet

    network = implementations.NETWORKS["4-16-3"]
    ours: Any = implementations.make(OURS, network, setting.threads)
    x, y = implementations.examples_of(network)
    x, y = x[: network.batch], fastnet.utils.to_categorical(y[: network.batch], network.widths[-1])
    row, model = x[:1].copy(), ours._model
    work: dict[str, tuple[Callable[[], Any], float]] = {
        "predict of one row": (lambda: model.predict(row, verbose=0), 4),
        "train_on_batch": (lambda: model.train_on_batch(x, y), 21),
        "fit of one batch": (lambda: model.fit(x, y, batch_size=len(x), verbose=0), 46),
    }
    samples = {what: lambda call=call: common.seconds(call, least=0.02) for what, (call, _) in work.items()}
    raw["calls"] = taken = common.interleaved(samples, 3 * setting.rounds)
    for what, (_, target) in work.items():
        yield at_most(f"{what}, 4-16-3", min(taken[what]) * 1e6, target, " µs")


def scaling(setting: Setting, raw: dict[str, Any]) -> Iterator[Line]:
    workers = {n: worker.Worker(OURS, "epoch", n, setting.folder, setting.examples) for n in (1, 2)}
    try:
        for one in workers.values():
            one.ready()
        samples = {str(n): one.sample for n, one in workers.items()}
        taken = common.interleaved(samples, setting.rounds, common.PAUSE)
    finally:
        for one in workers.values():
            one.close()
    raw["scaling"] = taken
    result = Result("scaling", taken)
    yield _both(at_least("epoch, 1 to 2 threads", result.best_ratio("1", "2"), 1.8), result, "1", "2")


def memory(setting: Setting, raw: dict[str, Any]) -> Iterator[Line]:
    result = _measured("memory", setting, raw)
    own = worker.PROGRAM if worker.PROGRAM in result.samples else OURS
    total = result.details[own]["peak"] / 1e6
    title = "python -m fastnet.mnist" if own == worker.PROGRAM else "the tutorial"
    yield at_most(f"peak memory of {title}", total, 200, " MB")


def import_time(setting: Setting, raw: dict[str, Any]) -> Iterator[Line]:
    result = _measured("import", replace(setting, names=[OURS]), raw)
    yield at_most("import fastnet, beyond NumPy", min(result.samples[OURS]) * 1e3, 15, " ms")


def install(setting: Setting, raw: dict[str, Any]) -> Iterator[Line]:
    """Times an installation from a copy of the repository, so that this tree's extensions are not built again."""
    with tempfile.TemporaryDirectory(prefix="fastnet-install-") as folder:
        leave = shutil.ignore_patterns(".*", "*.so", "build", "*.egg-info", "__pycache__", "_*.c")
        tree = shutil.copytree(Path(__file__).parents[1], Path(folder) / "tree", ignore=leave)
        command = [sys.executable, "-m", "pip", "install", "--no-deps", "--target", f"{folder}/target", str(tree)]
        done: list[int] = []
        elapsed = common.seconds(lambda: done.append(subprocess.run(command, capture_output=True).returncode))
    raw["install"] = elapsed
    yield at_most("pip install .", None if done[0] else elapsed, 60, " s", "pip failed")


SECTIONS: dict[str, Rows] = {
    "epoch": epoch,
    "networks": networks,
    "start": start,
    "dense": dense,
    "deep": deep,
    "kernels": kernels,
    "predict": predict,
    "calls": calls,
    "scaling": scaling,
    "memory": memory,
    "import": import_time,
    "install": install,
}


def main() -> None:
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    usual = [name for name in SECTIONS if name != "install"]
    p.add_argument(
        "--only",
        nargs="+",
        choices=SECTIONS,
        default=usual,
        metavar="SECTION",
        help=f"{', '.join(SECTIONS)}; all but the last",
    )
    peers.add_options(p)
    p.add_argument("--markdown", action="store_true", help="print the networks' table in Markdown too")
    options = p.parse_args()
    if options.markdown and "networks" not in options.only:
        p.error("--markdown needs the section networks")
    cores = common.cores()
    common.use_threads(max(2, options.threads))  # `scaling` needs two
    raw: dict[str, Any] = {"facts": common.facts(options.threads)}
    names = peers.choose(options.peers)
    lines: list[Line] = []
    with tempfile.TemporaryDirectory(prefix="fastnet-bench-") as folder:
        source, is_mnist = peers.save_idx(Path(folder), options.data)
        is_mnist = is_mnist and options.examples >= 60000
        setting = Setting(names, options.threads, options.rounds, folder, options.examples, options.epochs, is_mnist)
        print("\n".join(raw["facts"]), f"data     {source}, {options.rounds} rounds", sep="\n", flush=True)
        if cores < 2:
            print("only one core: these measurements are not valid")
        for name in options.only:
            print(f"... {name}", file=sys.stderr, flush=True)
            lines += SECTIONS[name](setting, raw)
    words = {True: "yes", False: "NO", None: "-"}
    print()
    header = ["what", "fastnet", "other", "measured", "median", "target", "reached"]
    rows = [[x.what, x.ours, x.other, x.measured, x.median, x.target, words[x.reached]] for x in lines]
    print(common.table(header, rows))
    if options.markdown:
        print(f"\n{markdown(raw)}")
    raw["lines"] = [line._asdict() for line in lines]
    common.write_json(options.json, raw)


if __name__ == "__main__":
    main()
