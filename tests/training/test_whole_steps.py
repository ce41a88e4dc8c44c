"""A training step is whole, or it did not happen: no memory, Ctrl-C, an exception in code of the user's own, a fork."""

import os
import pickle
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fastnet import Sequential, callbacks, constraints, layers, optimizers, utils
from fastnet.layers import Dense, Input

RNG = np.random.default_rng(5)
X = RNG.standard_normal((96, 6), np.float32)
Y = np.eye(3, dtype=np.float32)[RNG.integers(0, 3, 96)]


@pytest.fixture
def _listens() -> Iterator[None]:
    """Ctrl-C raises KeyboardInterrupt, also where the tests run in the background and it would be ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


class Failing(constraints.Constraint):
    """Raises at the call number that is asked for, counted down by `left`."""

    def __init__(self, error: BaseException, left: int) -> None:
        self.error, self.left = error, left

    def __call__(self, w: Any) -> Any:
        self.left -= 1
        if self.left == 0:
            raise self.error
        return w


def digest(model: Sequential) -> tuple[Any, ...]:
    """All that a step changes: weights, moving averages, the optimizer's state, the number of steps."""
    optimizer = model.optimizer
    assert optimizer is not None
    arrays = [v.packed for v in model.weights] + [optimizer._slots[key] for key in optimizer._slots]
    return optimizer._iterations, *(array.tobytes() for array in arrays if array.any())


@pytest.mark.parametrize("left", [1, 2, 3, 4])
@pytest.mark.parametrize(
    "optimizer",
    [
        lambda: optimizers.RMSprop(0.1),
        lambda: optimizers.Adam(0.1, clipnorm=1.0),
        lambda: optimizers.RMSprop(0.1, momentum=0.5, centered=True, global_clipnorm=1.0),
        lambda: optimizers.SGD(0.1, weight_decay=0.1),
        lambda: optimizers.Adam(0.1, amsgrad=True),
        lambda: optimizers.Muon(0.1),
        lambda: optimizers.RMSprop(0.1, use_ema=True, gradient_accumulation_steps=2),
    ],
)
@pytest.mark.parametrize("error", [ValueError("refused"), KeyboardInterrupt(), MemoryError()])
def test_an_exception_in_an_update_puts_all_back(error: BaseException, optimizer: Callable[[], Any], left: int) -> None:
    utils.set_random_seed(0)
    fails = Failing(error, left)
    model = Sequential(
        [
            Input((6,)),
            Dense(5, "relu", kernel_constraint=fails),
            layers.BatchNormalization(),
            Dense(4, "relu"),
            Dense(3, "softmax", kernel_constraint=fails),
        ]
    )
    model.compile(optimizer(), "categorical_crossentropy")
    state = digest(model)
    while fails.left > 2:
        model.train_on_batch(X[:32], Y[:32])
        state = digest(model)
    with pytest.raises(type(error)):  # the next step's first or second constraint
        model.train_on_batch(X[:32], Y[:32])
    assert digest(model) == state
    model.train_on_batch(X[:32], Y[:32])
    assert digest(model)[0] == state[0] + 1


@pytest.mark.parametrize("fails_at", [1, 2, 4])
def test_no_memory_in_an_update_that_is_numpy_puts_all_back(monkeypatch: pytest.MonkeyPatch, fails_at: int) -> None:
    model = Sequential([Input((6,)), Dense(5, "relu"), Dense(3, "softmax")])
    model.compile(optimizers.RMSprop(0.1, momentum=0.5, centered=True), "categorical_crossentropy")
    model.train_on_batch(X[:32], Y[:32])
    state, sqrt, calls = digest(model), np.sqrt, []

    def no_memory(x: Any) -> Any:
        calls.append(x)
        if len(calls) == fails_at:
            raise MemoryError
        return sqrt(x)

    monkeypatch.setattr(np, "sqrt", no_memory)
    with pytest.raises(MemoryError):
        model.train_on_batch(X[:32], Y[:32])
    assert digest(model) == state


class Unstable(layers.Layer):
    """Passes its input on; raises in the way back when told to."""

    fails = False

    def call(self, x: Any) -> Any:
        return x + 0

    def gradient(self, x: Any, y: Any, dy: Any) -> Any:
        if self.fails:
            raise MemoryError
        return dy


@pytest.mark.parametrize("optimizer", ["rmsprop", "adam", "sgd", "adagrad", "nadam"])
def test_an_exception_on_the_way_back_changes_nothing(optimizer: str) -> None:
    unstable = Unstable()
    model = Sequential(
        [Input((6,)), Dense(5, "relu"), unstable, layers.BatchNormalization(), Dense(4, "relu"), Dense(3, "softmax")]
    )
    model.compile(optimizer, "categorical_crossentropy")
    model.train_on_batch(X, Y)
    before = digest(model)
    unstable.fails = True
    with pytest.raises(MemoryError):
        model.fit(X, Y, verbose=0)
    assert digest(model) == before
    unstable.fails = False
    model.fit(X, Y, verbose=0)
    assert digest(model)[0] == before[0] + 3


SHORT = """
import resource, sys
import numpy as np
import fastnet as k
from fastnet import layers as L
k.set_num_threads(1)
rng = np.random.default_rng(0)
x, y = rng.random((600, 300), np.float32), np.eye(10, dtype="f4")[rng.integers(0, 10, 600)]

class Double(L.Layer):
    def call(self, x):
        return 2 * x
    def gradient(self, x, y, dy):
        return 2 * dy

def new():
    k.utils.set_random_seed(1)
    model = k.Sequential([
        k.Input((300,)), L.Dense(400, "relu"), L.BatchNormalization(), Double(), L.Dropout(0.2), L.Dense(300, "gelu"),
        L.Dense(10, "softmax"),
    ])
    model.compile(eval(sys.argv[1]), "categorical_crossentropy", metrics=["accuracy"])
    return model

def state(model):
    slots = model.optimizer._slots
    arrays = [v.packed for v in model.weights] + [slots[key] for key in slots]
    return hash(tuple(a.tobytes() for a in arrays if a.any()))

model = new()
states = [state(model)]
record = k.callbacks.LambdaCallback(on_train_batch_end=lambda b, logs: states.append(state(model)))
model.fit(x, y, batch_size=100, epochs=1, verbose=0, callbacks=[record])

def used():
    return int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()

ends, bad = [], 0
for extra in range(0, 9_000_000, 150_000):
    model = new()
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (used() + extra, hard))
    try:
        model.fit(x, y, batch_size=100, epochs=1, verbose=0)
        ends.append("done")
    except MemoryError:
        ends.append("short")
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))
    bad += state(model) != states[model.optimizer.iterations]
print(bad, "short" in ends, "done" in ends)
"""


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="needs /proc to see how much memory is used")
@pytest.mark.parametrize("optimizer", ["'adam'", "k.optimizers.RMSprop(clipnorm=1.0, momentum=0.5)"])
def test_memory_that_runs_out_leaves_whole_steps(optimizer: str) -> None:
    run = subprocess.run(
        [sys.executable, "-c", SHORT, optimizer], capture_output=True, text=True, timeout=120, check=False
    )
    assert run.stdout.split() == ["0", "True", "True"], run.stdout + run.stderr


@pytest.mark.usefixtures("_listens")
def test_ctrl_c_in_a_loop_of_single_batches_leaves_a_whole_step() -> None:
    utils.set_random_seed(3)
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((64, 200), np.float32), np.eye(4, dtype=np.float32)[np.arange(64) % 4]
    for delay in range(12):
        model = Sequential([Input((200,)), Dense(300, "relu"), Dense(300, "relu"), Dense(4, "softmax")])
        model.compile("rmsprop", "categorical_crossentropy")
        model.train_on_batch(x, y)
        press = threading.Timer(0.02 + 0.0007 * delay, os.kill, (os.getpid(), signal.SIGINT))
        last = digest(model)
        press.start()
        try:
            for _ in range(10**6):
                model.train_on_batch(x, y)
                last = digest(model)
        except KeyboardInterrupt:
            pass
        press.join()
        now = digest(model)
        if now[0] != last[0]:  # it came after the step, before `last` was set: the step must be the next one, whole
            assert now[0] == last[0] + 1
            twin = Sequential.from_config(model.get_config())
            twin.compile("rmsprop", "categorical_crossentropy")
            assert sum(a != b for a, b in zip(now[1:], last[1:], strict=True)) == len(now) - 1
        else:
            assert now == last


@pytest.mark.usefixtures("_listens")
def test_a_second_ctrl_c_does_not_part_an_update_of_kernels(monkeypatch: pytest.MonkeyPatch) -> None:
    from fastnet import kernels

    model = Sequential([Input((6,)), Dense(5, "relu"), Dense(4, "relu"), Dense(3, "softmax")])
    model.compile("rmsprop", "categorical_crossentropy")
    update, calls = kernels.gemm_tn_update, []

    def pressed(*arguments: Any) -> None:
        calls.append(1)
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)
        update(*arguments)

    monkeypatch.setattr(kernels, "gemm_tn_update", pressed)
    with pytest.raises(KeyboardInterrupt):
        model.fit(X, Y, batch_size=96, verbose=0)
    assert len(calls) == 3
    assert model.optimizer is not None
    assert model.optimizer.iterations == 1


@pytest.mark.parametrize("mode", ["r", "r+", "c"])
@pytest.mark.parametrize("optimizer", ["rmsprop", "adam", optimizers.SGD(momentum=0.5, clipnorm=1.0)])
def test_a_model_whose_arrays_are_mapped_from_a_file_trains(tmp_path: Path, mode: Any, optimizer: Any) -> None:
    import joblib

    model = Sequential(
        [Input((6,)), layers.Normalization(), Dense(64, "relu"), layers.BatchNormalization(), Dense(3, "softmax")]
    )
    model.compile(optimizer, "categorical_crossentropy", metrics=["accuracy", "Precision", "AUC"])
    model.fit(X, Y, verbose=0)
    joblib.dump(model, tmp_path / "m.joblib")
    file = (tmp_path / "m.joblib").read_bytes()
    mapped = joblib.load(tmp_path / "m.joblib", mmap_mode=mode)
    utils.set_random_seed(1)
    first = model.fit(X, Y, verbose=0, validation_data=(X, Y)).history
    utils.set_random_seed(1)
    assert mapped.fit(X, Y, verbose=0, validation_data=(X, Y)).history == first
    assert mapped.predict(X, verbose=0).tobytes() == model.predict(X, verbose=0).tobytes()
    assert (tmp_path / "m.joblib").read_bytes() == file


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
@pytest.mark.parametrize("copied", [False, True])
def test_a_child_can_use_a_model_that_another_thread_was_using(copied: bool) -> None:
    inside, go_on = threading.Event(), threading.Event()

    class Wait(callbacks.Callback):
        def on_predict_batch_begin(self, batch: int, logs: Any = None) -> None:
            inside.set()
            go_on.wait(30)

    model = Sequential([Input((6,)), Dense(5, "relu"), Dense(3, "softmax")])
    model.compile("rmsprop", "categorical_crossentropy")
    if copied:
        model = pickle.loads(pickle.dumps(model))
    worker = threading.Thread(target=lambda: model.predict(X, verbose=0, callbacks=[Wait()]))
    worker.start()
    assert inside.wait(30)
    child = os.fork()
    if child == 0:
        signal.alarm(20)  # ends a child that waits for ever
        model.predict(X, verbose=0)
        model.fit(X, Y, verbose=0)
        model.pop()
        os._exit(7)
    status = os.waitpid(child, 0)[1]
    go_on.set()
    worker.join()
    assert os.waitstatus_to_exitcode(status) == 7
