"""ModelCheckpoint: saves the model during training."""

from __future__ import annotations

import math
import os
import warnings
from typing import Any

from fastnet import checks
from fastnet.callbacks.base import Logs
from fastnet.callbacks.history import Spellings
from fastnet.callbacks.monitor import Monitor
from fastnet.terminal.progress import say


class SaveFrequency:
    """The part of a callback that saves after some batches: counts the batches since the last save."""

    save_freq: Any
    _last_batch_seen = -1  # in this epoch
    _batches = 0  # since the last save
    _counts = "_last_batch_seen", "_batches"

    def _is_due(self, batch: int) -> bool:
        """Counts the batches up to this one, and tells whether to save now. A call may be for several batches."""
        if self.save_freq == "epoch":
            return False
        before = self._last_batch_seen if self._last_batch_seen < batch else -1  # another epoch
        self._batches += batch - before
        self._last_batch_seen = batch
        if self._batches < self.save_freq:
            return False
        self._batches = 0
        return True


class ModelCheckpoint(SaveFrequency, Monitor):
    """Saves the model, or its weights, after each epoch or after a number of batches.

    A file is replaced in one step, so it is never half written. If a weight is NaN or infinite, the model is not saved:
    a warning says so, and the last good file stays.

    Args:
        filepath: the file's path, which ends in ``.safetensors`` or ``.keras``; with `save_weights_only`, in
            ``.weights.safetensors`` or ``.weights.h5``. It may be a template, such as
            ``"{epoch:02d}-{val_loss:.2f}.safetensors"``. The template is filled with the epoch, from 1, and the logs;
            also with the batch, from 1, if `save_freq` is a number. Missing folders are created.
        monitor: name of the metric in the logs that decides which model is best.
        verbose: 1 prints a line at each save.
        save_best_only: whether to save only when `monitor` has improved.
        save_weights_only: whether to save only the weights.
        mode: ``"min"`` if less is better, ``"max"`` if more is better, ``"auto"`` to ask the metric.
        save_freq: ``"epoch"``, or the number of batches after which to save. After a batch, the logs are means over the
            epoch so far.
        initial_value_threshold: with `save_best_only`, the value that the first saved model must improve on.

    Raises:
        ValueError, TypeError: if an argument is wrong; before the first epoch, if the model cannot be saved, if "auto"
            does not know the direction with `save_best_only`, or if `monitor` or a name in `filepath` is an array of
            several numbers.
        ImportError: before the first epoch, if h5py is not installed, which Keras's formats need.
        KeyError: in training, if a name in `filepath` is not in the logs.
        OSError: in training, if a file cannot be written.
    """

    def __init__(
        self,
        filepath: str | os.PathLike[str],
        monitor: str = "val_loss",
        verbose: int = 0,
        save_best_only: bool = False,
        save_weights_only: bool = False,
        mode: str = "auto",
        save_freq: Any = "epoch",
        initial_value_threshold: float | None = None,
    ) -> None:
        from fastnet import saving

        super().__init__(monitor, mode)
        self.save_weights_only = bool(save_weights_only)
        self.filepath = saving.check_suffix("filepath", filepath, weights=self.save_weights_only)
        self.verbose = verbose
        self.save_best_only = bool(save_best_only)
        self.save_freq = check_save_freq(save_freq)
        self._idle = frozenset({"on_train_batch_end"} if self.save_freq == "epoch" else ())
        if initial_value_threshold is not None:
            self.best = checks.number("initial_value_threshold", initial_value_threshold, least=-math.inf)
        self._epoch = 0

    _remembered = "best", *SaveFrequency._counts

    def on_train_begin(self, logs: Logs | None = None) -> None:
        from fastnet import saving

        if self.save_best_only:
            super().on_train_begin(logs)
        import string  # takes a millisecond, and most programs have no ModelCheckpoint

        for _, field, _, _ in string.Formatter().parse(self.filepath):
            if field:
                self.refuse_several(field)
        saving.check_savable(self.model, path=self.filepath)  # fails now, not after the first epoch

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        self._epoch = epoch

    def on_train_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        if self._is_due(batch):
            self._save(self._epoch, logs or {}, {"batch": batch + 1})

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        if self.save_freq == "epoch":
            self._save(epoch, logs or {}, {})

    def _save(self, epoch: int, logs: Logs, place: dict[str, int]) -> None:
        path = self._path(epoch, logs, place)
        if not self._wanted(epoch, logs, path) or not self._writes:
            return
        folder = os.path.dirname(path)
        if folder:
            os.makedirs(folder, exist_ok=True)
        if save_finite(self, path, weights_only=self.save_weights_only) and self.verbose:
            say(f"\nEpoch {epoch + 1}: finished saving model to {path}")

    def _path(self, epoch: int, logs: Logs, place: dict[str, int]) -> str:
        values: Spellings[Any] = Spellings({"epoch": epoch + 1, **place, **logs})
        try:
            return self.filepath.format_map(values)
        except KeyError as error:
            name = str(error.args[0])
            raise KeyError(
                f"filepath {self.filepath!r} names {name!r}, which is not in the logs"
                f"{checks.suggestion(name, sorted(values))}"
            ) from None
        except (TypeError, ValueError) as error:  # a format such as :.2f of something that is not a number
            raise ValueError(f"filepath {self.filepath!r} cannot be filled with {dict(values)}: {error}") from error

    def _wanted(self, epoch: int, logs: Logs, path: str) -> bool:
        if not self.save_best_only:
            if self.verbose:
                say(f"\nEpoch {epoch + 1}: saving model to {path}")
            return True
        current = self.value(logs)
        if current is None:  # saves without a value to compare, as Keras does
            return True
        before = "None" if self.best is None else f"{self.best:.5f}"
        better = self.improves(current, self.best)
        if self.verbose and better:
            say(f"\nEpoch {epoch + 1}: {self.monitor} improved from {before} to {current:.5f}, saving model to {path}")
        elif self.verbose:
            say(f"\nEpoch {epoch + 1}: {self.monitor} did not improve from {before}")
        if better:
            self.best = current
        return better


def check_save_freq(value: Any) -> Any:
    """Checks that `value` is ``"epoch"`` or a number of batches of at least 1.

    Raises:
        ValueError, TypeError: if it is neither.
    """
    if isinstance(value, str):
        return checks.choose("save_freq", value, {"epoch": "epoch"})
    return checks.integer("save_freq", value, least=1)


def save_finite(callback: Monitor, path: str, weights_only: bool) -> bool:
    """Saves the model if its weights are finite; returns whether it saved."""
    from fastnet import saving

    try:
        if weights_only:
            saving.save_weights(callback.model, path)
        else:
            saving.save_model(callback.model, path)
    except saving.NotFiniteError as error:
        warnings.warn(f"{type(callback).__name__} did not save: {error}", RuntimeWarning, stacklevel=4)
        return False
    return True
