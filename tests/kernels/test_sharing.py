"""Threads of a program that compute at the same time share fastnet's threads."""

import os
import subprocess
import sys
import threading
from collections.abc import Callable

import numpy as np
import pytest

import fastnet
from fastnet import kernels
from fastnet.callbacks import LambdaCallback
from fastnet.layers import Dense, Input


def share() -> int:
    return kernels._chosen.get_share()


@pytest.mark.parametrize(("total", "computing", "expected"), [(4, 1, 4), (4, 2, 2), (4, 3, 1), (2, 3, 1), (7, 2, 3)])
def test_each_has_an_equal_share(total: int, computing: int, expected: int, threads: Callable[[int], None]) -> None:
    threads(total)
    meet, shares = threading.Barrier(computing), []

    def compute() -> None:
        with kernels.sharing_cores(), kernels.sharing_cores():  # a computation in a callback of another counts once
            meet.wait(30)
            shares.append(share())
            meet.wait(30)

    workers = [threading.Thread(target=compute) for _ in range(computing)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert shares == [expected] * computing
    assert share() == kernels.get_num_threads() == total


def test_fit_evaluate_and_predict_share(threads: Callable[[int], None]) -> None:
    threads(2)
    seen = []
    watch = LambdaCallback(
        on_train_batch_end=lambda *_: seen.append(share()),
        on_test_batch_end=lambda *_: seen.append(share()),
        on_predict_batch_end=lambda *_: seen.append(share()),
    )
    x, model = np.ones((4, 3), np.float32), fastnet.Sequential([Input((3,)), Dense(1)]).compile("sgd", "mse")
    for call in (
        lambda: model.fit(x, x[:, 0], verbose=0, callbacks=watch),
        lambda: model.evaluate(x, x[:, 0], verbose=0, callbacks=watch),
        lambda: model.predict(x, verbose=0, callbacks=watch),
    ):
        call()
        with_another = threading.Thread(target=call)
        with kernels.sharing_cores():
            with_another.start()
            with_another.join()
    assert seen == [2, 1] * 3
    with pytest.raises(ValueError):
        model.fit(x, x[:3, 0])
    assert share() == 2


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")
def test_a_child_does_not_share_with_the_threads_of_its_parent(threads: Callable[[int], None]) -> None:
    code = """
import os, threading
from fastnet import kernels
kernels._chosen.set_threads(4, 4)
begun, end = threading.Event(), threading.Event()
def other():
    with kernels.sharing_cores():
        begun.set()
        end.wait(30)
thread = threading.Thread(target=other)
thread.start()
begun.wait(30)
with kernels.sharing_cores():
    print(kernels._chosen.get_share(), flush=True)
    if os.fork() == 0:
        print(kernels._chosen.get_share(), flush=True)
        os._exit(0)
    os.wait()
end.set()
thread.join()
print(kernels._chosen.get_share())
"""
    run = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, timeout=60, check=False
    )
    assert run.stdout.split() == ["2", "4", "4"], run.stderr


@pytest.mark.parametrize(
    ("before", "variables", "expected"),
    [
        ("", {}, "False False"),
        ("", {"FASTNET_NUM_THREADS": "1"}, "True True"),
        ("", {"OMP_NUM_THREADS": "1"}, "True True"),
        ("kernels.set_num_threads(1)", {}, "True False"),
    ],
)
def test_who_has_chosen_the_number_of_threads(before: str, variables: dict[str, str], expected: str) -> None:
    """A call of set_num_threads counts in the process that made it; the environment is for its children too."""
    code = f"""
import os
from fastnet import kernels
{before}
print(kernels.is_told_threads(), flush=True)
if os.fork() == 0:
    print(kernels.is_told_threads(), flush=True)
    os._exit(0)
os.wait()
"""
    inherited = {name: value for name, value in os.environ.items() if not name.endswith("_NUM_THREADS")}
    run = subprocess.run(
        [sys.executable, "-c", code], env=inherited | variables, capture_output=True, text=True, timeout=60, check=False
    )
    assert " ".join(run.stdout.split()) == expected, run.stderr
