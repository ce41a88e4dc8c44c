"""A training by script: callbacks are led through given logs, with no more of a model than they look at."""

from typing import Any

from fastnet.callbacks import Callback
from fastnet.optimizers import SGD


class StubModel:
    """What callbacks look at."""

    def __init__(self, learning_rate: float = 1.0) -> None:
        self.optimizer = SGD(learning_rate)
        self._metrics: list[Any] = []
        self.weights: list[Any] = []
        self.stop_training = False
        self.epoch = -1

    def get_weights(self) -> list[Any]:
        return []

    def set_weights(self, weights: list[Any]) -> None: ...


def run(callback: Callback, logs: list[dict[str, float]], model: Any = None) -> list[dict[str, float]]:
    """Epoch by epoch until the logs, or the callback, end it; returns the logs as the callback left them."""
    model = model or StubModel()
    callback.set_model(model)
    callback.set_params({"epochs": len(logs), "steps": 1, "verbose": 0})
    model.stop_training = False
    callback.on_train_begin()
    left: list[dict[str, float]] = []
    for epoch, given in enumerate(logs):
        model.epoch = epoch
        callback.on_epoch_begin(epoch)
        left.append(dict(given))
        callback.on_epoch_end(epoch, left[-1])
        if model.stop_training:
            break
    callback.on_train_end(left[-1])
    return left
