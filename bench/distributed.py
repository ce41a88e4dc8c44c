"""Measures what docs/distributed.md computes with: the time of a training step on two ranks, and of its Allreduce.

    python bench/distributed.py [--rounds 30] [--network tutorial small big]

It starts itself, also with `mpirun -n 2`. Each time is the least of all rounds, since other programs only add to it. It
prints two tables. The first one has, for each network,

- the step of one process with one thread and with two;
- the computation of a rank: the step of a distributed training of one rank, with half of the batch and one thread;
- an Allreduce of two ranks on a buffer of the size of the gradients, and the sum of both, which the model predicts;
- the step of two ranks with one thread each.

The second table has the computation of a rank with two threads, on smaller and smaller parts of the batch, and the line
a + b rows through these times.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import subprocess
import sys
import time
from typing import Any

# The layers' sizes and the batch. The first one is the tutorial's.
NETWORKS: dict[str, tuple[list[int], int]] = {
    "tutorial": ([784, 512, 10], 128),
    "small": ([13, 64, 64, 1], 32),
    "big": ([784, 2048, 2048, 2048, 10], 256),
}
STEPS = {"tutorial": 10, "small": 50, "big": 2}  # that are measured together
GROUPS = 8  # of these in an epoch
SHARES = (1, 2, 4, 8, 16)


def numbers_of(name: str) -> int:
    """Returns the number of weights."""
    sizes, _ = NETWORKS[name]
    return sum((inputs + 1) * outputs for inputs, outputs in itertools.pairwise(sizes))


def step_time(name: str, rounds: int, share: int = 1, distribution: Any = None) -> float:
    """Returns the least seconds of a step.

    Args:
        name: the network.
        rounds: epochs. The fastest group of steps in them counts.
        share: the batch is divided by it.
        distribution: the ranks, or None.
    """
    import numpy as np

    import fastnet as keras

    sizes, batch = NETWORKS[name]
    batch //= share
    rng = np.random.default_rng(0)
    x = rng.random((batch * STEPS[name] * GROUPS, sizes[0]), np.float32)
    x[rng.random(x.shape, np.float32) > 0.19] = 0  # as many nonzeros as in a digit
    last = sizes[-1]
    y = rng.integers(0, last, len(x)) if last > 1 else rng.random((len(x), 1), np.float32)
    layers = keras.layers
    hidden = [layers.Dense(units, "relu") for units in sizes[1:-1]]
    model = keras.Sequential([keras.Input((sizes[0],)), *hidden, layers.Dense(last, "softmax" if last > 1 else None)])
    loss = "sparse_categorical_crossentropy" if last > 1 else "mse"

    class Clock(keras.callbacks.Callback):
        def __init__(self) -> None:
            self.least, self.before = np.inf, 0.0

        def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
            now = time.perf_counter()
            if batch > STEPS[name]:  # not the first ones of an epoch
                self.least = min(self.least, (now - self.before) / STEPS[name])
            self.before = now

    clock = Clock()
    model.compile("rmsprop", loss, distribution=distribution, steps_per_execution=STEPS[name])
    model.fit(x, y, batch_size=batch, epochs=1 + rounds, verbose=0, callbacks=clock)
    return clock.least


def as_rank(names: list[str], rounds: int) -> dict[str, dict[str, float]]:
    """Measures as one of two ranks; only the first one returns the times."""
    import numpy as np
    from mpi4py import MPI

    from fastnet.arrays.panels import zeros
    from fastnet.distributed import DataParallel

    distribution = DataParallel()
    found = {}
    for name in names:
        step = step_time(name, rounds, 1, distribution)
        buffer, least = zeros((numbers_of(name),)), np.inf
        for _ in range(10 * rounds):
            distribution.communicator.Barrier()
            start = time.perf_counter()
            distribution.communicator.Allreduce(MPI.IN_PLACE, buffer)
            least = min(least, time.perf_counter() - start)
        found[name] = {"2 ranks": step, "Allreduce": least}
    return found if distribution.rank == 0 else {}


def alone(names: list[str], rounds: int) -> dict[str, dict[str, float]]:
    """Measures one process, by itself and as a rank."""
    import fastnet as keras
    from fastnet.distributed import DataParallel

    found = {name: {"process": step_time(name, rounds)} for name in names}
    keras.Model._is_shared = property(lambda self: self._distribution is not None)  # type: ignore[assignment]
    distribution = DataParallel()
    for name in names:
        found[name] |= {f"rank, 1/{share}": step_time(name, rounds, share, distribution) for share in SHARES}
    return found


def measured(kind: str, threads: int, start: list[str], arguments: argparse.Namespace) -> dict[str, dict[str, float]]:
    """Measures in a fresh process, or two."""
    command = [sys.executable, __file__, "--rounds", str(arguments.rounds), "--network", *arguments.network]
    environment = os.environ | {"FASTNET_NUM_THREADS": str(threads)}
    run = subprocess.run(
        [*start, *command, "--as", kind], env=environment, stdout=subprocess.PIPE, text=True, check=True
    )
    found: dict[str, dict[str, float]] = json.loads(run.stdout)
    return found


def table(head: list[str], rows: list[list[Any]]) -> None:
    """Prints a table for a page; times in microseconds."""
    print("| " + " | ".join(head) + " |\n|" + "---|" * len(head))
    for row in rows:
        print("| " + " | ".join(f"{1e6 * cell:,.1f}" if isinstance(cell, float) else cell for cell in row) + " |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--network", nargs="+", choices=NETWORKS, default=list(NETWORKS))
    parser.add_argument("--as", dest="kind", choices=["rank", "alone"], help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.kind:
        measure = as_rank if arguments.kind == "rank" else alone
        found = measure(arguments.network, arguments.rounds)
        if found:
            print(json.dumps(found), flush=True)
        return
    import numpy as np

    root = ["--allow-run-as-root"] if os.geteuid() == 0 else []
    ranks = measured("rank", 1, ["mpirun", *root, "--oversubscribe", "-n", "2"], arguments)
    one, two = (measured("alone", threads, [], arguments) for threads in (1, 2))
    print(f"microseconds of a step, the least of {arguments.rounds} rounds")
    head = ["network", "MB", "1 thread", "2 threads", "a rank, half of the batch", "Allreduce", "predicted", "2 ranks"]
    rows = []
    for name in arguments.network:
        half, reduce = one[name]["rank, 1/2"], ranks[name]["Allreduce"]
        megabytes = f"{4e-6 * numbers_of(name):.2f}"
        times = one[name]["process"], two[name]["process"], half, reduce, half + reduce, ranks[name]["2 ranks"]
        rows.append([name, megabytes, *times])
    table(head, rows)
    print("\na rank with two threads")
    lines = []
    for name in arguments.network:
        times = [two[name][f"rank, 1/{share}"] for share in SHARES]
        b, a = np.polyfit([NETWORKS[name][1] / share for share in SHARES], times, 1)
        lines.append([name, *times, float(a), float(b)])
    table(["network", "whole batch", *(f"1/{share}" for share in SHARES[1:]), "a", "b"], lines)


if __name__ == "__main__":
    main()
