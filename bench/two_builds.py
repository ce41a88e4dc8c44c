"""Compares two builds of fastnet: the times of calls in which Python takes most of the time.

    python bench/two_builds.py FOLDER OTHER_FOLDER [ROUNDS]

Each folder holds a `fastnet` with its compiled kernels: a checkout, or the target of `python -m pip install --target`.
Each build runs in a process of its own, and the two take turns. The table has the least time of a call in all rounds.
"""

import json
import os
import subprocess
import sys
import timeit
from collections.abc import Callable
from typing import Any

import numpy as np

CALLS = 2000  # of each kind in a round


def cases() -> dict[str, Callable[[], Any]]:
    """The calls that are timed, by name."""
    import fastnet
    from fastnet import kernels

    fastnet.set_num_threads(1)
    fastnet.utils.set_random_seed(1)
    generator = np.random.default_rng(1)
    x = generator.random((32, 4), dtype="float32")
    y = fastnet.utils.to_categorical(generator.integers(3, size=32), 3)
    model = fastnet.Sequential([fastnet.layers.Dense(16, activation="relu"), fastnet.layers.Dense(3, "softmax")])
    model.compile("adam", "categorical_crossentropy")
    model.fit(x, y, verbose=0)
    one = x[:1]
    few, w, bias, result = np.ones((1, 16), "f"), np.ones((1, 16, 16), "f"), np.ones(16, "f"), np.empty((1, 16), "f")
    return {
        "predict, one row": lambda: model.predict(one, verbose=0),
        "model(x), one row": lambda: model(one),
        "train_on_batch, 32 rows": lambda: model.train_on_batch(x, y),
        "the smallest kernel": lambda: kernels.gemm_bias_act(few, w, bias, 1, result),
    }


def work() -> None:
    """Times every call once for each line that comes in; one line of JSON each: microseconds by name."""
    calls = cases()
    for _ in sys.stdin:
        times = {name: timeit.timeit(call, number=CALLS) / CALLS * 1e6 for name, call in calls.items()}
        print(json.dumps(times), flush=True)


def main(folders: list[str], rounds: int) -> None:
    """Lets the two builds take turns and prints the table."""
    least: list[dict[str, float]] = [{}, {}]
    workers = [
        subprocess.Popen(
            [sys.executable, __file__],
            cwd=folder,
            env=os.environ | {"PYTHONPATH": folder},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for folder in folders
    ]
    for _ in range(rounds):
        for worker, best in zip(workers, least, strict=True):
            assert worker.stdin is not None
            assert worker.stdout is not None
            worker.stdin.write("\n")
            worker.stdin.flush()
            for name, time in json.loads(worker.stdout.readline()).items():
                best[name] = min(time, best.get(name, time))
    for worker in workers:
        worker.communicate()
    print("| microseconds | first | second | |\n|---|---|---|---|")
    for name in least[0]:
        first, second = (best[name] for best in least)
        print(f"| {name} | {first:.2f} | {second:.2f} | {second / first:.2f} x |")


if __name__ == "__main__":
    if len(sys.argv) == 1:
        work()
    else:
        main(sys.argv[1:3], int(sys.argv[3]) if len(sys.argv) > 3 else 100)
