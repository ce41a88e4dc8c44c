"""The tutorial with scikit-learn's MLPClassifier, which has no RMSprop but Adam, and reports no accuracy."""

from __future__ import annotations

import math
import warnings
from typing import Any

import numpy as np
from sklearn.metrics import log_loss
from sklearn.neural_network import MLPClassifier

from implementations import LEARNING_RATE, Network, NotSupportedError, Trainer, only_the_tutorial


class Classifier(Trainer):
    """Trains an epoch with `partial_fit` of all examples, which shuffles them and makes batches."""

    def __init__(self, network: Network, threads: int) -> None:
        only_the_tutorial(network)
        if network.dropout:
            raise NotSupportedError("MLPClassifier has no dropout")
        # It warns that ten examples make no batch of 128, which does no harm.
        warnings.simplefilter("ignore", UserWarning)
        self._model = MLPClassifier(
            network.widths[1:-1], alpha=0, batch_size=network.batch, learning_rate_init=LEARNING_RATE, random_state=0
        )
        self._network = network

    def load(self, x: Any, labels: Any) -> None:
        self._x, self._labels = x, labels

    def epoch(self) -> tuple[float, float]:
        self._model.partial_fit(self._x, self._labels, classes=np.arange(self._network.widths[-1]))
        return self._model.loss_, math.nan

    def evaluate(self, x: Any, labels: Any) -> tuple[float, float]:
        p = self.predict(x)
        return log_loss(labels, p, labels=self._model.classes_), float((p.argmax(axis=1) == labels).mean())

    def predict(self, x: Any) -> Any:
        if not hasattr(self._model, "coefs_"):  # the first fit makes the weights
            classes = np.arange(self._network.widths[-1])
            few = np.random.default_rng(0).random((len(classes), self._network.widths[0]), np.float32)
            self._model.partial_fit(few, classes, classes=classes)
        return self._model.predict_proba(x)
