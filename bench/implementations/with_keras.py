"""The tutorial in Keras 3 on each of its backends, without its progress bar, which takes time."""

from __future__ import annotations

import os
from typing import Any

import numpy as np

from implementations import EPSILON, LEARNING_RATE, RHO, Gate, Network, Trainer, only_the_tutorial


class OnTensorFlow(Trainer):
    """The same script for all backends."""

    backend = "tensorflow"

    def __init__(self, network: Network, threads: int) -> None:
        only_the_tutorial(network)
        os.environ["KERAS_BACKEND"] = self.backend  # Keras reads it at its first import, so `import keras` must follow
        self._limit(threads)
        import keras

        keras.utils.set_random_seed(0)
        stack: list[Any] = [keras.Input((network.widths[0],))]
        for units in network.widths[1:-1]:
            stack.append(keras.layers.Dense(units, activation="relu"))
            if network.dropout:
                stack.append(keras.layers.Dropout(network.dropout))
        stack.append(keras.layers.Dense(network.widths[-1], activation="softmax"))
        self._model = keras.Sequential(stack)
        self._model.compile(
            keras.optimizers.RMSprop(LEARNING_RATE, rho=RHO, epsilon=EPSILON),
            "categorical_crossentropy",
            metrics=["accuracy"],
        )
        self._network = network

    def _limit(self, threads: int) -> None:
        import tensorflow as tf

        tf.config.threading.set_intra_op_parallelism_threads(threads)

    def _targets(self, labels: Any) -> Any:
        return np.eye(self._network.widths[-1], dtype=np.float32)[labels]

    def load(self, x: Any, labels: Any) -> None:
        from keras.callbacks import LambdaCallback

        self._x, self._y = x, self._targets(labels)
        self._gate = Gate(lambda: self._fit(1_000_000, stop))
        stop = LambdaCallback(
            on_epoch_begin=lambda epoch, logs: self._gate.begin(), on_epoch_end=lambda epoch, logs: self._gate.end(logs)
        )

    def _fit(self, epochs: int, *extra: Any) -> Any:
        batch = self._network.batch
        return self._model.fit(
            self._x, self._y, batch_size=batch, epochs=epochs, verbose=0, callbacks=list(extra)
        ).history

    def epoch(self) -> tuple[float, float]:
        return self._gate.one()

    def train(self, epochs: int, verbose: int = 0) -> tuple[float, float]:
        history = self._fit(epochs)
        return history["loss"][-1], history["accuracy"][-1]

    def evaluate(self, x: Any, labels: Any) -> tuple[float, float]:
        loss, accuracy = self._model.evaluate(x, self._targets(labels), batch_size=1000, verbose=0)
        return loss, accuracy

    def predict(self, x: Any) -> Any:
        return self._model.predict(x, batch_size=1000, verbose=0)  # faster than its default of 32


class OnJax(OnTensorFlow):
    """On JAX."""

    backend = "jax"

    def _limit(self, threads: int) -> None:
        """Does nothing, since XLA uses the cores that the process may use."""


class OnTorch(OnTensorFlow):
    """On PyTorch."""

    backend = "torch"

    def _limit(self, threads: int) -> None:
        import torch

        torch.set_num_threads(threads)
