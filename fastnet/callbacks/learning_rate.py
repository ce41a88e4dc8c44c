"""LearningRateScheduler and ReduceLROnPlateau: change the learning rate from epoch to epoch."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from fastnet import checks
from fastnet.callbacks.base import Callback, Logs
from fastnet.callbacks.monitor import Monitor
from fastnet.optimizers import Optimizer
from fastnet.terminal.progress import say


def _optimizer(callback: Callback) -> Optimizer:
    optimizer: Optimizer | None = callback.model.optimizer
    if optimizer is None:
        raise checks.NotCompiledError(f"{type(callback).__name__} needs an optimizer: call compile() first")
    return optimizer


def _check_no_schedule(callback: Callback) -> None:
    """Checks that the optimizer has no schedule of its own, which would also set the learning rate.

    Raises:
        TypeError: if it has one.
    """
    schedule = _optimizer(callback)._schedule
    if schedule is not None:
        raise TypeError(
            f"{type(callback).__name__} sets the learning rate, but the optimizer's learning rate already follows "
            f"{schedule!r}: leave out the callback, or make the optimizer with a number, as in learning_rate=0.001"
        )


class LearningRateScheduler(Callback):
    """Sets the learning rate at the beginning of each epoch and adds ``learning_rate`` to the logs.

    Args:
        schedule: function of the epoch, from 0, and the current learning rate. It returns the new learning rate. A
            function of the epoch alone is accepted too.
        verbose: 1 prints the learning rate of each epoch.

    Raises:
        TypeError: if `schedule` is not callable; before the first epoch, if the optimizer has a schedule of its own.
        ValueError: in training, if `schedule` does not return a finite number of at least 0.
    """

    def __init__(self, schedule: Callable[..., float], verbose: int = 0) -> None:
        if not callable(schedule):
            raise TypeError(f"schedule must be a function of the epoch and the learning rate, got {schedule!r}")
        self.schedule = schedule
        self.verbose = verbose

    def on_train_begin(self, logs: Logs | None = None) -> None:
        _check_no_schedule(self)

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        _check_no_schedule(self)
        optimizer = _optimizer(self)
        arguments: tuple[Any, ...] = (epoch, float(optimizer.learning_rate))
        try:
            inspect.signature(self.schedule).bind(*arguments)
        except TypeError:
            arguments = (epoch,)
        except ValueError:
            pass  # some built-in functions have no signature
        returned = self.schedule(*arguments)
        try:
            optimizer.learning_rate = checks.number("the learning rate", returned, least=0)
        except (TypeError, ValueError) as error:
            raise ValueError(
                f"schedule returned {returned!r} for epoch {epoch}; expected a finite number of at least 0"
            ) from error
        if self.verbose:
            say(f"\nEpoch {epoch + 1}: LearningRateScheduler setting learning rate to {optimizer.learning_rate}.")

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        if logs is not None:
            logs["learning_rate"] = float(_optimizer(self).learning_rate)


class ReduceLROnPlateau(Monitor):
    """Multiplies the learning rate by `factor` when a metric has not improved for `patience` epochs.

    It adds the epoch's ``learning_rate`` to the logs.

    Args:
        monitor: name of the metric in the logs.
        factor: number in [0, 1).
        patience: number of epochs without improvement after which the learning rate is reduced.
        verbose: 1 prints a line at each reduction.
        mode: ``"min"`` if less is better, ``"max"`` if more is better, ``"auto"`` to ask the metric.
        min_delta: smallest change that counts as an improvement; `epsilon` in older scripts.
        cooldown: number of epochs after a reduction in which epochs without improvement are not counted.
        min_lr: lower bound of the learning rate.

    Raises:
        ValueError, TypeError: if an argument is wrong; before the first epoch, if "auto" does not know the direction,
            if `monitor` is an array of several numbers, or if the optimizer has a schedule of its own.
    """

    def __init__(
        self,
        monitor: str = "val_loss",
        factor: float = 0.1,
        patience: int = 10,
        verbose: int = 0,
        mode: str = "auto",
        min_delta: float = 1e-4,
        cooldown: int = 0,
        min_lr: float = 0.0,
        **kwargs: Any,
    ) -> None:
        min_delta = checks.keywords("ReduceLROnPlateau", kwargs, ("epsilon",)).get("epsilon", min_delta)
        super().__init__(monitor, mode, min_delta)
        self.factor = checks.number("factor", factor, least=0, below=1)
        self.patience = checks.integer("patience", patience, least=0)
        self.verbose = verbose
        self.cooldown = checks.integer("cooldown", cooldown, least=0)
        self.min_lr = checks.number("min_lr", min_lr, least=0)
        self._reset()

    _remembered = "wait", "best", "cooldown_counter"

    def _reset(self) -> None:
        self.best = None
        self.wait = 0
        self.cooldown_counter = 0

    def in_cooldown(self) -> bool:
        """Returns whether epochs are not counted yet after the last reduction."""
        return self.cooldown_counter > 0

    def on_train_begin(self, logs: Logs | None = None) -> None:
        super().on_train_begin(logs)
        _check_no_schedule(self)
        self._reset()

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        optimizer = _optimizer(self)
        current = self.value(logs)
        rate = float(optimizer.learning_rate)
        if logs is not None:
            logs["learning_rate"] = rate
        if current is None:
            return
        if self.in_cooldown():
            self.cooldown_counter -= 1
            self.wait = 0
        if self.improves(current, self.best):
            self.best = current
            self.wait = 0
        elif not self.in_cooldown():
            self.wait += 1
            if self.wait >= self.patience and rate > self.min_lr:
                optimizer.learning_rate = max(rate * self.factor, self.min_lr)
                self.cooldown_counter = self.cooldown
                self.wait = 0
                if self.verbose:
                    say(f"\nEpoch {epoch + 1}: ReduceLROnPlateau reducing learning rate to {optimizer.learning_rate}.")
