"""Measures what docs/distributed.md computes with: the time of a training step on two ranks, and of its Allreduce.

    python bench/distributed.py [--rounds 30] [--network tutorial small big]

It starts itself with `mpirun -n 2`. Each time is the least of all rounds, since other programs only add to it. For each
network it measures

- the step of one process with one thread and with two, on the whole batch and on half of it;
- the step of two ranks with one thread each;
- an Allreduce of two ranks on a buffer of the size of the gradients.

The last column is what the model of the page predicts for two ranks: the step on half of the batch, and the Allreduce.
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


def numbers_of(name: str) -> int:
    """Returns the number of weights."""
    sizes, _ = NETWORKS[name]
    return sum((inputs + 1) * outputs for inputs, outputs in itertools.pairwise(sizes))


def step_time(name: str, share: int, rounds: int, distribution: Any = None, recorded: bool = True) -> float:
    """Returns the least seconds of a step.

    Args:
        name: the network.
        share: the batch is divided by it.
        rounds: epochs. The fastest group of steps in them counts.
        distribution: the ranks, or None.
        recorded: whether steps may be repeated without Python, which several ranks cannot do.
    """
    import numpy as np

    import fastnet as keras
    from fastnet.training import loop

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

    clock, player = Clock(), loop._player
    if not recorded:
        loop._player = lambda *_: None
    model.compile("rmsprop", loss, distribution=distribution, steps_per_execution=STEPS[name])
    try:
        model.fit(x, y, batch_size=batch, epochs=1 + rounds, verbose=0, callbacks=clock)
    finally:
        loop._player = player
    return clock.least


def as_rank(names: list[str], rounds: int) -> None:
    """Measures as one of two ranks; rank 0 prints the results as JSON."""
    import numpy as np
    from mpi4py import MPI

    from fastnet.arrays.panels import zeros
    from fastnet.distributed import DataParallel

    distribution = DataParallel()
    found = {}
    for name in names:
        step = step_time(name, 1, rounds, distribution)
        buffer, least = zeros((numbers_of(name),)), np.inf
        for _ in range(100 * rounds):
            distribution.communicator.Barrier()
            start = time.perf_counter()
            distribution.communicator.Allreduce(MPI.IN_PLACE, buffer)
            least = min(least, time.perf_counter() - start)
        found[name] = {"two ranks": step, "allreduce": least}
    if distribution.rank == 0:
        print(json.dumps(found))


def measured(names: list[str], rounds: int) -> dict[str, dict[str, float]]:
    """Measures all networks in fresh processes."""
    base = [sys.executable, __file__, "--rounds", str(rounds), "--network", *names]
    environment = os.environ | {"FASTNET_NUM_THREADS": "1"}
    root = ["--allow-run-as-root"] if os.geteuid() == 0 else []
    ranks = subprocess.run(
        ["mpirun", *root, "--oversubscribe", "-n", "2", *base, "--as-rank"],
        env=environment, stdout=subprocess.PIPE, text=True, check=True,
    ).stdout  # fmt: skip
    found: dict[str, dict[str, float]] = json.loads(ranks.splitlines()[-1])
    for threads in 1, 2:
        one = subprocess.run(
            [*base, "--alone"], env=os.environ | {"FASTNET_NUM_THREADS": str(threads)}, stdout=subprocess.PIPE,
            text=True, check=True,
        ).stdout  # fmt: skip
        for name, times in json.loads(one.splitlines()[-1]).items():
            found[name] |= {f"{what}, {threads}": value for what, value in times.items()}
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--network", nargs="+", choices=NETWORKS, default=list(NETWORKS))
    parser.add_argument("--as-rank", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--alone", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.as_rank:
        as_rank(arguments.network, arguments.rounds)
        return
    if arguments.alone:
        kinds = {"whole": (1, True), "whole in Python": (1, False), "half in Python": (2, False)}
        print(json.dumps({
            name: {what: step_time(name, share, arguments.rounds, None, recorded)
                   for what, (share, recorded) in kinds.items()}
            for name in arguments.network
        }))  # fmt: skip
        return
    columns = (
        "network", "kB", "1 thread", "2 threads", "1 thread, Python", "half, Python", "Allreduce", "2 ranks",
        "predicted",
    )  # fmt: skip
    print("microseconds of a step, the least of", arguments.rounds, "rounds")
    print("| " + " | ".join(columns) + " |\n|" + "---|" * len(columns))
    for name, times in measured(arguments.network, arguments.rounds).items():
        half = times["half in Python, 1"]
        shown = [times["whole, 1"], times["whole, 2"], times["whole in Python, 1"], half, times["allreduce"]]
        shown += [times["two ranks"], half + times["allreduce"]]
        kilobytes = f"{4 * numbers_of(name) / 1e3:,.1f}"
        print(f"| {name} | {kilobytes} | " + " | ".join(f"{1e6 * seconds:,.1f}" for seconds in shown) + " |")


if __name__ == "__main__":
    main()
