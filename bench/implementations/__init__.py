"""The tutorial's network in several libraries, one file for each: the list of them, and their common base class.

Each is written as users of that library would write it. All compute the same in float32: layers of relu, softmax,
crossentropy, RMSprop with Keras's defaults, and batches of 128 in a new random order in each epoch. All report loss and
accuracy. Only scikit-learn has no RMSprop and uses Adam.
"""

from __future__ import annotations

import importlib
import importlib.util
import queue
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

LEARNING_RATE, RHO, EPSILON = 1e-3, 0.9, 1e-7


@dataclass(frozen=True)
class Network:
    """The sizes of a network of Dense layers with relu, optional dropout after each, and a last one with softmax."""

    hidden: tuple[int, ...] = (512,)
    dropout: float = 0.0
    inputs: int = 784
    classes: int = 10
    batch: int = 128

    @property
    def widths(self) -> tuple[int, ...]:
        return (self.inputs, *self.hidden, self.classes)

    def training_flops(self, examples: int) -> int:
        """Counts the multiplications and additions of an epoch's products: Y, dW, and dX except in the first layer."""
        products = [a * b for a, b in zip(self.widths, self.widths[1:], strict=False)]
        return 2 * examples * (3 * sum(products) - products[0])


class NotSupportedError(Exception):
    """The library does not support a case. The message says what is missing."""


class Trainer:
    """Base class of the libraries. It is made once, which is timed only in the case `start`."""

    def __init__(self, network: Network, threads: int) -> None:
        raise NotImplementedError

    def load(self, x: Any, labels: Any) -> None:
        """Takes the training examples, float32 (n, inputs), and integer labels (n,)."""
        raise NotImplementedError

    def epoch(self) -> tuple[float, float]:
        """Trains one epoch. Returns its loss and accuracy (NaN if the library does not report it)."""
        raise NotImplementedError

    def train(self, epochs: int) -> tuple[float, float]:
        """Trains some epochs as a user would. Returns the loss and accuracy of the last one."""
        for _ in range(epochs):
            results = self.epoch()
        return results

    def evaluate(self, x: Any, labels: Any) -> tuple[float, float]:
        """Computes loss and accuracy on other examples."""
        raise NotImplementedError

    def predict(self, x: Any) -> Any:
        """Computes probabilities (n, classes), as a NumPy array."""
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
