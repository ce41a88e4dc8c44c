"""The tutorial in fastnet, with progress bar and metrics."""

from __future__ import annotations

from typing import Any

import fastnet
from fastnet import callbacks, layers
from fastnet.utils import set_random_seed, to_categorical
from implementations import Gate, Network, NotSupportedError, Trainer


class Stop(callbacks.Callback):
    """Waits at a gate before each epoch."""

    def __init__(self, gate: Gate) -> None:
        self._gate = gate

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self._gate.begin()

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        self._gate.end(logs)


class Fastnet(Trainer):
    """The code of the README, with optional dropout."""

    def __init__(self, network: Network, threads: int) -> None:
        fastnet.set_num_threads(threads)
        set_random_seed(0)
        stack: list[Any] = [layers.Input((network.inputs,))]
        for units in network.hidden:
            stack.append(layers.Dense(units, activation="relu"))
            if network.dropout:
                if not hasattr(layers, "Dropout"):
                    raise NotSupportedError("this fastnet has no layers.Dropout")
                stack.append(layers.Dropout(network.dropout))
        stack.append(layers.Dense(network.classes, activation="softmax"))
        self._model = fastnet.Sequential(stack)
        self._model.compile("rmsprop", "categorical_crossentropy", metrics=["accuracy"])
        self._network = network

    def load(self, x: Any, labels: Any) -> None:
        self._x, self._targets = x, to_categorical(labels, self._network.classes)
        self._gate = Gate(lambda: self._fit(1_000_000, Stop(self._gate)))

    def _fit(self, epochs: int, *extra: callbacks.Callback) -> Any:
        batch = self._network.batch
        return self._model.fit(
            self._x, self._targets, batch_size=batch, epochs=epochs, verbose=1, callbacks=extra
        ).history

    def epoch(self) -> tuple[float, float]:
        return self._gate.one()

    def train(self, epochs: int) -> tuple[float, float]:
        history = self._fit(epochs)
        return history["loss"][-1], history["accuracy"][-1]

    def evaluate(self, x: Any, labels: Any) -> tuple[float, float]:
        loss, accuracy = self._model.evaluate(x, to_categorical(labels, self._network.classes), verbose=1)
        return loss, accuracy

    def predict(self, x: Any) -> Any:
        return self._model.predict(x, verbose=0)
