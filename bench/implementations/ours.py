"""A network in fastnet, with metrics, and for the tutorial with the progress bar."""

from __future__ import annotations

import math
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
        stack: list[Any] = [layers.Input((network.widths[0],))]
        for units in network.widths[1:-1]:
            stack.append(layers.Dense(units, activation=network.activation))
            if network.dropout:
                if not hasattr(layers, "Dropout"):
                    raise NotSupportedError("this fastnet has no layers.Dropout")
                stack.append(layers.Dropout(network.dropout))
        stack.append(layers.Dense(network.widths[-1], activation=network.output))
        self._model = fastnet.Sequential(stack)
        metrics = [] if network.output == "linear" else ["accuracy"]
        self._model.compile(network.optimizer, network.loss, metrics=metrics)
        self._network = network

    def _targets(self, y: Any) -> Any:
        return to_categorical(y, self._network.widths[-1]) if self._network.output == "softmax" else y

    def load(self, x: Any, y: Any) -> None:
        self._x, self._y = x, self._targets(y)
        self._gate = Gate(lambda: self._fit(1_000_000, 1, Stop(self._gate)))

    def _fit(self, epochs: int, verbose: int, *extra: callbacks.Callback) -> Any:
        batch, shuffle = self._network.batch, not self._network.full
        return self._model.fit(
            self._x, self._y, batch_size=batch, epochs=epochs, verbose=verbose, callbacks=extra, shuffle=shuffle
        ).history

    def epoch(self) -> tuple[float, float]:
        return self._gate.one()

    def train(self, epochs: int, verbose: int = 0) -> tuple[float, float]:
        history = self._fit(epochs, verbose)
        return history["loss"][-1], history.get("accuracy", [math.nan])[-1]

    def evaluate(self, x: Any, y: Any) -> tuple[float, float]:
        loss, accuracy = self._model.evaluate(x, self._targets(y), verbose=1)
        return loss, accuracy

    def predict(self, x: Any) -> Any:
        return self._model.predict(x, verbose=0)
