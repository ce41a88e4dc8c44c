"""A network in several libraries, one file for each: the networks, the list of libraries, and their common base class.

Each is written as users of that library would write it. All compute the same in float32, with Keras's defaults for the
optimizer, and with batches in a new random order in each epoch. All report the loss, and the accuracy of classes. Only
scikit-learn has no RMSprop and uses Adam for the tutorial.
"""

from __future__ import annotations

import importlib
import importlib.util
import queue
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

LEARNING_RATE, RHO, BETA_1, BETA_2, EPSILON = 1e-3, 0.9, 0.9, 0.999, 1e-7
LOSSES = {"softmax": "categorical_crossentropy", "sigmoid": "binary_crossentropy", "linear": "mean_squared_error"}


@dataclass(frozen=True)
class Network:
    """A network of Dense layers and its training. The defaults are the tutorial's.

    Dropout follows each hidden layer. The activation of the last layer, `output`, also decides the loss.
    """

    widths: tuple[int, ...] = (784, 512, 10)
    activation: str = "relu"
    output: str = "softmax"
    dropout: float = 0.0
    optimizer: str = "rmsprop"
    batch: int = 128
    rows: int = 60000
    epochs: int = 1  # of a sample

    @property
    def loss(self) -> str:
        return LOSSES[self.output]

    @property
    def full(self) -> bool:
        """Whether a step takes all rows, which then are not shuffled."""
        return self.batch == self.rows

    @property
    def steps(self) -> int:
        """The steps of an epoch."""
        return -(-self.rows // self.batch)

    def training_flops(self, examples: int) -> int:
        """Counts the multiplications and additions of an epoch's products: Y, dW, and dX except in the first layer."""
        products = [a * b for a, b in zip(self.widths, self.widths[1:], strict=False)]
        return 2 * examples * (3 * sum(products) - products[0])


def _adam(*widths: int, **changes: Any) -> Network:
    return Network(widths, optimizer="adam", **{"batch": 32, "rows": 3200, **changes})


_TANH = {"activation": "tanh", "output": "linear"}

# Cases of their own, with made data. A sample of fastnet takes 20 ms or more. The network with tanh is the example
# in the documentation of SimpleChains.jl, which shows 0.49 s for 10,000 steps of all 10,000 rows, on a machine that it
# does not name: https://github.com/PumasAI/SimpleChains.jl/blob/main/docs/src/examples/smallmlp.md
NETWORKS = {
    "4-16-3": _adam(4, 16, 3, epochs=150),
    "4-16-16-3": _adam(4, 16, 16, 3, epochs=100),
    "4-64-64-3": _adam(4, 64, 64, 3, epochs=20),
    "4-64-64-3:128": _adam(4, 64, 64, 3, batch=128, rows=12800, epochs=6),
    "13-64-64-1": _adam(13, 64, 64, 1, output="linear", batch=1, rows=506, epochs=15),
    "8-16-1": _adam(8, 16, 1, output="sigmoid", epochs=150),
    "4-32-16-4:200": _adam(4, 32, 16, 4, **_TANH, batch=200, rows=200, epochs=1000),
    "4-32-16-4:10000": _adam(4, 32, 16, 4, **_TANH, batch=10000, rows=10000, epochs=30),
    "784-2048-2048-2048-10": _adam(784, 2048, 2048, 2048, 10, rows=640),
    "1024-1024-1024-10": _adam(1024, 1024, 1024, 10, batch=1024, rows=8192),
}


def network_of(case: str) -> Network:
    """Returns the network of a case, which is the tutorial's if its name says no other."""
    return NETWORKS.get(case, Network((784, 512, 512, 10), dropout=0.2) if case == "deep" else Network())


def examples_of(network: Network) -> tuple[Any, Any]:
    """Makes examples that can be learned, always the same: normal features, and targets by a fixed random network."""
    import numpy as np

    rng = np.random.default_rng(1)
    inputs, outputs = network.widths[0], network.widths[-1]
    x = rng.standard_normal((network.rows, inputs), np.float32)
    hidden = np.tanh(x @ rng.standard_normal((inputs, 8), np.float32) / np.float32(inputs**0.5))
    z = hidden @ rng.standard_normal((8, outputs), np.float32)
    return x, {"softmax": z.argmax(axis=1), "sigmoid": (z > 0).astype(np.float32), "linear": z}[network.output]


def batches(x: Any, y: Any, network: Network, rng: Any) -> Iterator[tuple[Any, Any]]:
    """Yields the batches of an epoch of NumPy arrays: all rows as they are, or rows in a new random order."""
    if network.full:
        yield x, y
        return
    order = rng.permutation(len(x))
    for start in range(0, len(x), network.batch):
        rows = order[start : start + network.batch]
        yield x[rows], y[rows]


class NotSupportedError(Exception):
    """The library does not support a case. The message says what is missing."""


def only_the_tutorial(network: Network) -> None:
    """Refuses the networks of `NETWORKS`."""
    if network.optimizer != "rmsprop":
        raise NotSupportedError("written for the tutorial only")


class Trainer:
    """Base class of the libraries. It is made once, which is timed only in the case `start`."""

    def __init__(self, network: Network, threads: int) -> None:
        raise NotImplementedError

    def load(self, x: Any, y: Any) -> None:
        """Takes the training examples, float32 (n, inputs).

        The targets are integer labels (n,) for softmax, otherwise float32 (n, outputs).
        """
        raise NotImplementedError

    def epoch(self) -> tuple[float, float]:
        """Trains one epoch. Returns its loss and accuracy (NaN if the library does not report it)."""
        raise NotImplementedError

    def train(self, epochs: int, verbose: int = 0) -> tuple[float, float]:
        """Trains some epochs as a user would. Returns the loss and accuracy of the last one.

        With `verbose` 1, fastnet draws its bar.
        """
        for _ in range(epochs):
            results = self.epoch()
        return results

    def evaluate(self, x: Any, labels: Any) -> tuple[float, float]:
        """Computes loss and accuracy on other examples."""
        raise NotImplementedError

    def predict(self, x: Any) -> Any:
        """Computes the outputs (n, outputs), as a NumPy array."""
        raise NotImplementedError


class Gate:
    """Stops a long `fit` after each epoch, to time an epoch without the preparations of a fit.

    The fit runs on a thread. Its callback calls `begin` and `end` at the two ends of an epoch.
    """

    def __init__(self, fit: Callable[[], Any]) -> None:
        self._go = threading.Semaphore(0)
        self._logs: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._fit = fit
        self._thread: threading.Thread | None = None

    def _run(self) -> None:
        try:
            self._fit()
        except BaseException as error:
            self._logs.put(error)

    def begin(self) -> None:
        self._go.acquire()

    def end(self, logs: Any) -> None:
        self._logs.put((logs["loss"], logs["accuracy"]))

    def one(self) -> tuple[float, float]:
        """Runs one epoch. Returns its loss and accuracy."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, daemon=True)
            self._thread.start()
        self._go.release()
        logs: Any = self._logs.get()
        if isinstance(logs, BaseException):
            raise logs
        loss, accuracy = logs
        return loss, accuracy


class Entry(NamedTuple):
    """A library, and the place of its class."""

    title: str
    file: str  # in this folder
    maker: str  # the name of its class
    needs: tuple[str, ...]  # packages
    usual: bool = True  # compared by default if installed
    trains: bool = True
    start_of: str = ""  # what a user's program imports


ENTRIES: dict[str, Entry] = {
    "fastnet": Entry("fastnet", "ours", "Fastnet", ("fastnet",), start_of="fastnet"),
    "jax-scan": Entry("JAX, an epoch in one scan", "with_jax", "Scan", ("jax",), start_of="jax, jax.numpy"),
    "jax": Entry("JAX, a call a step", "with_jax", "Step", ("jax",), start_of="jax, jax.numpy"),
    "torch": Entry("PyTorch, eager", "with_torch", "Eager", ("torch",), start_of="torch"),
    "numpy": Entry("NumPy, by hand", "by_hand", "ByHand", ("numpy",), start_of="numpy"),
    "keras-jax": Entry("Keras on JAX", "with_keras", "OnJax", ("keras", "jax"), start_of="keras"),
    "keras-tensorflow": Entry(
        "Keras on TensorFlow", "with_keras", "OnTensorFlow", ("keras", "tensorflow"), start_of="keras"
    ),
    "sklearn": Entry(
        "scikit-learn (Adam)", "with_sklearn", "Classifier", ("sklearn",), start_of="sklearn.neural_network"
    ),
    "onnxruntime": Entry(
        "ONNX Runtime", "with_onnxruntime", "Session", ("onnx", "onnxruntime"), trains=False, start_of="onnxruntime"
    ),
    "torch-compile": Entry("PyTorch, torch.compile", "with_torch", "Compiled", ("torch",), False, start_of="torch"),
    "keras-torch": Entry("Keras on PyTorch", "with_keras", "OnTorch", ("keras", "torch"), False, start_of="keras"),
}


def missing(name: str) -> list[str]:
    """Lists the packages of the library that are not installed."""
    return [package for package in ENTRIES[name].needs if importlib.util.find_spec(package) is None]


def make(name: str, network: Network, threads: int) -> Trainer:
    """Imports the library and makes its network.

    Raises:
        ImportError: if the library is not installed.
        NotSupportedError: if it does not support a part of the network.
    """
    entry = ENTRIES[name]
    module = importlib.import_module(f"implementations.{entry.file}")
    trainer: Trainer = getattr(module, entry.maker)(network, threads)
    return trainer


def version(name: str) -> str:
    """Returns the versions of the library and its backend."""
    from importlib import metadata

    distributions = metadata.packages_distributions()

    def of(package: str) -> str:
        if package in distributions:
            return metadata.version(distributions[package][0])
        return getattr(importlib.import_module(package), "__version__", "")

    return ", ".join(f"{package} {of(package)}" for package in ENTRIES[name].needs)
