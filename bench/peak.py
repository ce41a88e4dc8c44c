"""Measures this machine's peak: multiply-adds per second, bytes per second from each level of its memory, and the time
that a cache line needs from one core to the other and back.

    python bench/peak.py [--threads 1 2]

A few lines of C (peak.c) do the work. They are compiled for this processor when needed. The best of some short runs
counts, because a peak is a speed that was reached at least once.
"""

from __future__ import annotations

import argparse
import ctypes
import functools
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import common

LEVELS = ("L2", "L3", "memory")
_WALKS = {"read": 1, "update": 3}  # how many arrays each reads in parallel


class NoCompilerError(RuntimeError):
    """There is no C compiler, so the peak cannot be measured."""


@functools.cache
def _library() -> ctypes.CDLL:
    compiler = next((c for c in ("cc", "gcc", "clang") if shutil.which(c)), None)
    if compiler is None:
        raise NoCompilerError("the machine's peak is measured by a C program, and no C compiler (cc) was found")
    source = Path(__file__).with_name("peak.c")
    folder = tempfile.TemporaryDirectory(prefix="fastnet-peak-")
    target = Path(folder.name) / "peak.so"
    error = ""
    for native in (["-march=native"], ["-mcpu=native"], []):  # compilers for ARM use the second
        command = [compiler, "-O3", *native, "-ffp-contract=fast", "-shared", "-fPIC", str(source), "-o", str(target)]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode == 0:
            break
        error = done.stderr
    else:
        raise NoCompilerError(f"{compiler} could not compile {source.name}: {error}")
    library = ctypes.CDLL(str(target))
    library.folder = folder  # keeps the folder as long as the library
    pointer = ctypes.c_void_p
    library.ping_pong.argtypes = [pointer, ctypes.c_long, ctypes.c_long]
    library.ping_pong.restype = None
    library.multiply_add.argtypes = [ctypes.c_long, ctypes.c_float]
    library.walk_read.argtypes = [pointer, ctypes.c_size_t, ctypes.c_long]
    library.walk_update.argtypes = [pointer, pointer, pointer, ctypes.c_size_t, ctypes.c_long]
    for function in (library.multiply_add, library.walk_read, library.walk_update):
        function.restype = ctypes.c_float
    return library


def _together(work: Sequence[Callable[[], Any]]) -> float:
    """Runs each `work` on a thread (ctypes releases the GIL). Returns the seconds from first start to last end."""
    gate = threading.Barrier(len(work))
    times: list[tuple[float, float]] = []

    def run(task: Callable[[], Any]) -> None:
        gate.wait()
        start = time.perf_counter()
        task()
        times.append((start, time.perf_counter()))

    threads = [threading.Thread(target=run, args=(task,)) for task in work]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return max(end for _, end in times) - min(start for start, _ in times)


def _turns(call: Callable[[int], Any], target: float) -> int:
    """Finds how many turns of `call` take `target` seconds."""
    turns = 1
    while True:
        start = time.perf_counter()
        call(turns)
        elapsed = time.perf_counter() - start
        if elapsed > target / 4:
            return max(1, round(turns * target / elapsed))
        turns *= 4


def flops(threads: int, runs: int = 5, duration: float = 0.02) -> float:
    """Measures the peak of multiply-adds in float32, in operations per second of all threads together.

    Raises:
        NoCompilerError: if there is no C compiler.
    """
    library = _library()

    def work(turns: int) -> None:
        library.multiply_add(turns, 0.5)

    turns = _turns(work, duration)
    operations = turns * library.operations() * threads
    return max(operations / _together([functools.partial(work, turns)] * threads) for _ in range(runs))


def bandwidth(walk: str, size: int, threads: int, runs: int = 5, duration: float = 0.02) -> float:
    """Measures the bytes per second that `threads` threads move, each in its own part of `size` bytes.

    Args:
        walk: ``"read"`` reads one array. ``"update"`` reads three and writes two of them, as an optimizer does.
        size: bytes of all arrays of all threads.
        threads: the number of threads.
        runs: how many times to measure; the best run counts.
        duration: seconds of one run.

    Raises:
        NoCompilerError: if there is no C compiler.
    """
    import numpy as np

    library = _library()
    arrays = _WALKS[walk]
    step = 8 * library.lanes()
    n = max(1, size // (4 * arrays * threads * step)) * step
    # 64 more floats between two arrays: at a distance of a power of two they would share the same cache sets.
    memory = [np.zeros(arrays * (n + 64), np.float32) for _ in range(threads)]

    def work(part: Any, turns: int) -> None:
        at = [part.ctypes.data + 4 * i * (n + 64) for i in range(arrays)]
        (library.walk_read if walk == "read" else library.walk_update)(*at, n, turns)

    turns = _turns(functools.partial(work, memory[0]), duration)
    moved = 4 * n * threads * turns * (1 if walk == "read" else 5)
    return max(moved / _together([functools.partial(work, part, turns) for part in memory]) for _ in range(runs))


def ping_pong(runs: int = 5, turns: int = 10_000) -> float:
    """Measures the seconds that a cache line needs from the first core of this process to the second one and back.

    The cores of a virtual machine can share a cache at some times and not at others. So a time of two threads means
    little without this figure.

    Raises:
        NoCompilerError: if there is no C compiler.
    """
    library, word = _library(), (ctypes.c_long * 48)()  # with a cache line or more on each side of the word in use
    at = ctypes.addressof(word) + 24 * ctypes.sizeof(ctypes.c_long)

    def work(first: int) -> None:
        if hasattr(os, "sched_setaffinity"):  # of this thread alone
            os.sched_setaffinity(0, {sorted(os.sched_getaffinity(0))[first]})
        library.ping_pong(at, turns, first)

    def once() -> float:
        ctypes.memset(at, 0, ctypes.sizeof(ctypes.c_long))
        return _together([functools.partial(work, first) for first in (0, 1)]) / turns

    return min(once() for _ in range(runs))


@functools.cache
def caches() -> dict[str, int]:
    """Returns the bytes of a core's L2 and of the shared L3 cache. Guesses if the system does not report them."""
    found = {"L2": 1 << 20, "L3": 16 << 20}
    for index in Path("/sys/devices/system/cpu/cpu0/cache").glob("index*"):
        try:
            level, kind, size = ((index / name).read_text().strip() for name in ("level", "type", "size"))
        except OSError:
            continue
        if f"L{level}" in found and kind != "Instruction" and size.endswith("K"):
            found[f"L{level}"] = int(size[:-1]) << 10
    return found


def level_of(size: int, threads: int) -> str:
    """Returns the nearest level that holds `size` bytes, divided among the threads."""
    if size <= caches()["L2"] * threads:
        return "L2"
    return "L3" if size <= caches()["L3"] else "memory"


def size_at(level: str, threads: int) -> int:
    """Returns a size that certainly lies at this level: half of a cache, or several times L3 for memory."""
    l2, l3 = caches()["L2"], caches()["L3"]
    return {"L2": l2 * threads // 2, "L3": max(2 * l2 * threads, l3 // 2), "memory": max(4 * l3, 128 << 20)}[level]


def main() -> None:
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--threads", type=int, nargs="+", default=sorted({1, common.cores()}))
    options = p.parse_args()
    rows = []
    try:
        for threads in options.threads:
            walks = [bandwidth(walk, size_at(level, threads), threads) for level in LEVELS for walk in _WALKS]
            rows.append([str(threads), f"{flops(threads) / 1e9:.1f}", *(f"{rate / 1e9:.0f}" for rate in walks)])
    except NoCompilerError as error:
        sys.exit(str(error))
    sizes = ", ".join(f"{level} {size >> 10:,} KB" for level, size in caches().items())
    print(f"vectors of {_library().lanes()} floats, {sizes}")
    header = ["threads", "GFLOP/s", *(f"{level} {walk} GB/s" for level in LEVELS for walk in _WALKS)]
    print(common.table(header, rows))
    if common.cores() > 1:
        print(f"a cache line goes from one core to another and back in {ping_pong() * 1e9:.0f} ns")


if __name__ == "__main__":
    main()
