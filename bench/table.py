"""Compares fastnet's speed with all of its targets, one line each.

    python bench/table.py [--only epoch kernels ...] [--rounds 5] [--json FILE]

Most targets are ratios to another library or to the machine's peak, measured at the same time on the same cores.
So they mean the same on another machine. A line says so if its library is missing. The program takes some minutes.
`--examples` and `--rounds` shorten it.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import common
import implementations
import peers
import worker
from peers import LIMIT, OURS, Result, Setting


class Line(NamedTuple):
    """A line of the table."""

    what: str
    target: str
    measured: str
    reached: bool | None  # None: there is nothing to compare with


def at_least(what: str, value: float | None, target: float, unit: str = " x", missing: str = "not installed") -> Line:
    if value is None:
        return Line(what, f">= {target:g}{unit}", missing, None)
    return Line(what, f">= {target:g}{unit}", f"{common.figure(value)}{unit}", value >= target)


def at_most(what: str, value: float | None, target: float, unit: str = "", missing: str = "not measured") -> Line:
    if value is None:
        return Line(what, f"<= {target:g}{unit}", missing, None)
    return Line(what, f"<= {target:g}{unit}", f"{common.figure(value)}{unit}", value <= target)


def _faster(result: Result, what: str, targets: dict[str, float]) -> Iterator[Line]:
    """Yields a line for each peer: how many times faster fastnet is."""
    for name, target in targets.items():
        known = name in result.samples and OURS in result.samples
        title = f"{what}, faster than {implementations.ENTRIES[name].title}"
        yield at_least(title, result.ratio(name) if known else None, target, missing="not measured")


Rows = Callable[[Setting, dict[str, Any]], Iterator[Line]]


def _measured(case: str, setting: Setting, raw: dict[str, Any]) -> Result:
    result = peers.measure(case, setting)
    raw[case] = {"samples": result.samples, "details": result.details, "notes": result.notes}
    for note in result.notes:
        print(f"{case}: {note}", file=sys.stderr)
    return result


def epoch(setting: Setting, raw: dict[str, Any]) -> Iterator[Line]:
    result = _measured("epoch", setting, raw)
    yield from _faster(result, "epoch", {"jax-scan": 5, "torch": 8, "numpy": 11, "keras-tensorflow": 14})
    limit = result.ratio(OURS, LIMIT) if LIMIT in result.samples else None
    yield at_most("epoch against the dense limit", limit, 0.35)


def start(setting: Setting, raw: dict[str, Any]) -> Iterator[Line]:
    result = _measured("start", setting, raw)
    rivals = [name for name in result.samples if name not in (OURS, worker.PROGRAM)]
    fastest = min(rivals, key=result.median) if rivals else None
    for name in (OURS, worker.PROGRAM):
        if name in result.samples:
            title = "python -m fastnet.mnist" if name == worker.PROGRAM else "process start to five epochs"
            ratio = result.ratio(fastest, name) if fastest else None
            yield at_least(f"{title}, faster than the fastest peer ({fastest})", ratio, 5)


def dense(setting: Setting, raw: dict[str, Any]) -> Iterator[Line]:
    yield from _faster(_measured("dense", setting, raw), "dense input", {"jax-scan": 1.25, "torch": 2})


def deep(setting: Setting, raw: dict[str, Any]) -> Iterator[Line]:
    yield from _faster(_measured("deep", setting, raw), "784-512-512-10 with dropout", {"torch": 3})


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
    yield at_most("predict of one image", one.median(OURS) * 1e6, 8, " µs")
    yield from _faster(one, "predict of one image", {"onnxruntime": 1})
    yield from _faster(_measured("predict10k", setting, raw), "predict of 10,000 images", {"numpy": 4})


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
    yield at_least("epoch, 1 to 2 threads", common.ratio(taken["1"], taken["2"]), 1.8)


def memory(setting: Setting, raw: dict[str, Any]) -> Iterator[Line]:
    result = _measured("memory", setting, raw)
    own = worker.PROGRAM if worker.PROGRAM in result.samples else OURS
    beyond = result.median(own) / 1e6
    total = result.details[own]["peak"] / 1e6
    title = "python -m fastnet.mnist" if own == worker.PROGRAM else "the tutorial"
    yield at_most(f"peak memory of {title}", total, 250, " MB")
    weights = 784 * 512 + 512 + 512 * 10 + 10
    # The data as in its files, 70,000 images with one byte per pixel and label; the weights and one state array.
    needed = (70_000 * (784 + 1) + 2 * 4 * weights) / 1e6
    yield at_most("the same, beyond NumPy's import (data + model + 60 MB)", beyond, round(needed + 60), " MB")


def import_time(setting: Setting, raw: dict[str, Any]) -> Iterator[Line]:
    only = Setting(**{**vars(setting), "names": [OURS]})
    result = _measured("import", only, raw)
    yield at_most("import fastnet, beyond NumPy", result.median(OURS) * 1e3, 15, " ms")


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
    "start": start,
    "dense": dense,
    "deep": deep,
    "kernels": kernels,
    "predict": predict,
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
    options = p.parse_args()
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
    print(common.table(["what", "target", "measured", "reached"], [[*line[:3], words[line.reached]] for line in lines]))
    raw["lines"] = [line._asdict() for line in lines]
    common.write_json(options.json, raw)


if __name__ == "__main__":
    main()
