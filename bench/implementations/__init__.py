"""The tutorial's network in several libraries, one file a library: who they are, and what each must be able to do.

Every one is written as its own users would write it. They compute the same: layers of relu, softmax, crossentropy,
RMSprop with Keras's defaults (scikit-learn has none and takes Adam), batches of 128 in a new random order each epoch,
in float32, and report loss and accuracy.
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
    """Dense layers of relu, each followed by dropout if there is some, and one of softmax."""

    hidden: tuple[int, ...] = (512,)
    dropout: float = 0.0
    inputs: int = 784
    classes: int = 10
    batch: int = 128

    @property
    def widths(self) -> tuple[int, ...]:
        return (self.inputs, *self.hidden, self.classes)

    def training_flops(self, examples: int) -> int:
        """Multiplications and additions of an epoch's matrix products: Y, dW and, but for the first layer, dX."""
        products = [a * b for a, b in zip(self.widths, self.widths[1:], strict=False)]
        return 2 * examples * (3 * sum(products) - products[0])


class NotSupportedError(Exception):
    """The library cannot do this; the message says what."""


class Trainer:
    """What the benchmarks ask of a library. Made once; making it is not timed but in the case `start`."""

    def __init__(self, network: Network, threads: int) -> None:
        raise NotImplementedError

    def load(self, x: Any, labels: Any) -> None:
        """Takes the training examples, float32 (n, inputs), and integer labels (n,)."""
        raise NotImplementedError

    def epoch(self) -> tuple[float, float]:
        """One walk through the examples; returns loss and accuracy over it (NaN for one that the library hides)."""
        raise NotImplementedError

    def train(self, epochs: int) -> tuple[float, float]:
        """Some epochs as a user asks for them; returns the last one's loss and accuracy."""
        for _ in range(epochs):
            results = self.epoch()
        return results

    def evaluate(self, x: Any, labels: Any) -> tuple[float, float]:
        """Loss and accuracy on other examples."""
        raise NotImplementedError

    def predict(self, x: Any) -> Any:
        """Probabilities (n, classes), as a NumPy array."""
        raise NotImplementedError


class Gate:
    """Stops a `fit` of many epochs after each, so that an epoch can be timed without what a fit does before its first.

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
        """Lets one epoch pass; returns its loss and accuracy."""
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
    """A library, and where its class is."""

    title: str
    file: str  # of this folder
    maker: str  # its class
    needs: tuple[str, ...]  # packages
    usual: bool = True  # compared if installed, without being asked for
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
    """The packages of the library that are not installed."""
    return [package for package in ENTRIES[name].needs if importlib.util.find_spec(package) is None]


def make(name: str, network: Network, threads: int) -> Trainer:
    """Imports the library and makes its network.

    Raises:
        ImportError: if it is not installed.
        NotSupportedError: if it cannot do what the network asks for.
    """
    entry = ENTRIES[name]
    module = importlib.import_module(f"implementations.{entry.file}")
    trainer: Trainer = getattr(module, entry.maker)(network, threads)
    return trainer


def version(name: str) -> str:
    """The library's version, with its backend's."""
    from importlib import metadata

    distributions = metadata.packages_distributions()

    def of(package: str) -> str:
        if package in distributions:
            return metadata.version(distributions[package][0])
        return getattr(importlib.import_module(package), "__version__", "")

    return ", ".join(f"{package} {of(package)}" for package in ENTRIES[name].needs)
