"""EarlyStopping: ends a training that no longer improves."""

from __future__ import annotations

import math

from fastnet import checks
from fastnet.callbacks.base import Logs
from fastnet.callbacks.monitor import Monitor
from fastnet.checks import Floats
from fastnet.terminal.progress import say


class EarlyStopping(Monitor):
    """Ends the training when a metric has not improved for `patience` epochs.

    Args:
        monitor: name of the metric in the logs.
        min_delta: smallest change that counts as an improvement.
        patience: number of epochs without improvement after which training stops.
        verbose: 1 prints a line when training stops.
        mode: ``"min"`` if less is better, ``"max"`` if more is better, ``"auto"`` to ask the metric.
        baseline: an improvement resets the count of epochs only if it is also better than this value.
        restore_best_weights: whether to end with the weights of the best epoch instead of the last one.
        start_from_epoch: number of epochs to skip before monitoring.

    Attributes:
        stopped_epoch: the epoch after which training stopped, or 0.
        best: the best value so far.
        best_epoch: the epoch of the best value.
        best_weights: the weights of that epoch, with `restore_best_weights`.

    Raises:
        ValueError, TypeError: if an argument is wrong; before the first epoch, if "auto" does not know the direction,
            or if `monitor` is an array of several numbers.
    """

    def __init__(
        self,
        monitor: str = "val_loss",
        min_delta: float = 0,
        patience: int = 0,
        verbose: int = 0,
        mode: str = "auto",
        baseline: float | None = None,
        restore_best_weights: bool = False,
        start_from_epoch: int = 0,
    ) -> None:
        super().__init__(monitor, mode, min_delta)
        self.patience = checks.integer("patience", patience, least=0)
        self.verbose = verbose
        self.baseline = None if baseline is None else checks.number("baseline", baseline, least=-math.inf)
        self.restore_best_weights = bool(restore_best_weights)
        self.start_from_epoch = checks.integer("start_from_epoch", start_from_epoch, least=0)
        self._reset()

    _remembered = "wait", "stopped_epoch", "best", "best_epoch", "best_weights"

    def _reset(self) -> None:
        self.wait = 0
        self.stopped_epoch = 0
        self.best = None
        self.best_epoch = 0
        self.best_weights: list[Floats] | None = None

    def on_train_begin(self, logs: Logs | None = None) -> None:
        super().on_train_begin(logs)
        self._reset()

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        current = self.value(logs)
        if current is None or epoch < self.start_from_epoch:
            return
        if self.restore_best_weights and self.best_weights is None:
            self._keep(epoch)
        self.wait += 1
        if self.improves(current, self.best):
            self.best = current
            self._keep(epoch)
            if self.baseline is None or self.improves(current, self.baseline):
                self.wait = 0
        elif self.wait >= self.patience and epoch > 0:
            self.stopped_epoch = epoch
            self.model.stop_training = True

    def on_train_end(self, logs: Logs | None = None) -> None:
        if self.stopped_epoch and self.verbose:
            say(f"Epoch {self.stopped_epoch + 1}: early stopping")
        if self.best_weights is not None:
            if self.verbose:
                say(f"Restoring model weights from the end of the best epoch: {self.best_epoch + 1}.")
            try:
                self.model.set_weights(self.best_weights)
            except ValueError:  # it refuses weights that are not finite, but the best epoch may have no others
                for variable, value in zip(self.model.weights, self.best_weights, strict=True):
                    variable.packed[...] = variable.pack(value)

    def _keep(self, epoch: int) -> None:
        self.best_epoch = epoch
        if self.restore_best_weights:
            self.best_weights = self.model.get_weights()
