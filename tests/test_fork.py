"""A child of a process that has trained trains as well: with all its threads, and to the same bits."""

import os
import subprocess
import sys

import pytest

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")

TRAIN = """
import hashlib, os, signal, threading, warnings
import multiprocessing
import numpy as np
import fastnet as keras

# Newer Pythons warn of a fork in a process with threads; that it works is what is shown here.
warnings.filterwarnings("ignore", "This process .* is multi-threaded", DeprecationWarning)
keras.kernels._chosen.set_threads(3, 3)
rng = np.random.default_rng(0)
X = rng.standard_normal((300, 200), np.float32)
Y = np.eye(10, dtype=np.float32)[rng.integers(0, 10, 300)]

def own_threads():
    return len(os.listdir("/proc/self/task")) if os.path.isdir("/proc/self/task") else 3

def train(_=None):
    signal.alarm(60)  # a hang ends the process that hangs
    keras.utils.set_random_seed(7)
    model = keras.Sequential(
        [
            keras.Input((200,)),
            keras.layers.Dense(256, activation="relu"),
            keras.layers.Dense(10, activation="softmax"),
        ]
    )
    model.compile(optimizer="rmsprop", loss="categorical_crossentropy", metrics=["accuracy"])
    losses = model.fit(X, Y, batch_size=128, epochs=2, verbose=0).history["loss"]
    bits = b"".join(np.ascontiguousarray(w).tobytes() for w in model.get_weights()) + np.array(losses).tobytes()
    return hashlib.sha256(bits + model.predict(X, verbose=0).tobytes()).hexdigest()

def in_a_child(f):
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.write(writer, repr(f()).encode())
        finally:
            os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as answer:
        text = answer.read()
    os.waitpid(child, 0)
    return text and eval(text)
"""


def python(code: str) -> list[str]:
    """The lines that the code prints in a new interpreter, after the text above."""
    run = subprocess.run(
        [sys.executable, "-W", "error", "-c", TRAIN + code],
        # NumPy's own library starts threads too; one thread of it leaves ours to be counted.
        env=os.environ | {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=150,
        check=False,
    )
    assert run.returncode == 0, run.stdout + run.stderr
    return run.stdout.splitlines()


def test_children_and_their_children_train_to_the_same_bits_with_all_threads() -> None:
    code = """
def child():
    before = own_threads()
    mine = train()
    return mine, own_threads() - before, in_a_child(lambda: (train(), own_threads()))

first = train()
threads = own_threads()
for _ in range(3):
    mine, started, (of_grandchild, threads_of_grandchild) = in_a_child(child)
    print(mine == first == of_grandchild, threads, started + 1, threads_of_grandchild)
print(train() == first, own_threads())
"""
    assert python(code) == ["True 3 3 3"] * 3 + ["True 3"]


def test_a_child_forked_while_another_thread_trains_is_not_caught_in_its_work() -> None:
    code = """
first = train()
stop = threading.Event()
def train_on():
    model = keras.Sequential([keras.Input((200,)), keras.layers.Dense(256), softmax])
    model.compile(optimizer="rmsprop", loss="categorical_crossentropy")
    while not stop.is_set():
        model.fit(X, Y, batch_size=128, epochs=1, verbose=0)
softmax = keras.layers.Dense(10, activation="softmax")
thread = threading.Thread(target=train_on)
thread.start()
try:
    print([in_a_child(train) == first for _ in range(5)])
finally:
    stop.set()
    thread.join()
"""
    assert python(code) == [str([True] * 5)]


def test_a_multiprocessing_pool_trains_in_its_workers() -> None:
    code = """
first = train()
with multiprocessing.get_context("fork").Pool(2) as pool:
    print([digest == first for digest in pool.map_async(train, range(4), chunksize=1).get(timeout=120)])
"""
    assert python(code) == [str([True] * 4)]
