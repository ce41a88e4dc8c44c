"""BackupAndRestore: continues an interrupted training, with the same result as without the interruption."""

from __future__ import annotations

import contextlib
import os
import warnings
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from fastnet import rng
from fastnet.callbacks.base import Callback, Logs
from fastnet.callbacks.model_checkpoint import SaveFrequency, check_save_freq

if TYPE_CHECKING:
    from fastnet.saving.training import Restored

_FILE = "latest.safetensors"


class BackupAndRestore(SaveFrequency, Callback):
    """Saves the state of a training regularly, and continues from it if the training starts again.

    The file holds the weights, the optimizer's state, the learning rate, the random generators, the place in the
    training and what the other callbacks remember, such as the patience of EarlyStopping. It is replaced in one step,
    so it is never half written. A `fit` that finds the file goes on from there. It ends with the same bits as a
    training that was never interrupted, if the model, the data, the arguments and the number of epochs are the same.
    When the training ends, the file is removed.

    With a number of batches as `save_freq`, a training goes on in the middle of an epoch: the order of the examples and
    the sums of the loss and the metrics are in the file too. `on_epoch_begin` is called again for this epoch. A
    generator is not advanced: it must go on itself.

    Put this callback last in the list: it then saves and restores what the others changed. Of a callback of your own,
    it saves the attributes that `_remembered` names: see `Callback`. Of a metric of your own, it saves the variables,
    arrays and numbers among the attributes.

    `fastnet.models.load_model` can read the file.

    Args:
        backup_dir: a folder for the file alone. It is created if it does not exist.
        save_freq: ``"epoch"``, or the number of batches after which to save.
        double_checkpoint: accepted as in Keras, but not needed: no file is ever half written.
        delete_checkpoint: whether to remove the file when the training ends.

    Raises:
        ValueError, TypeError: if an argument is wrong; when a training begins, if the model cannot be saved.
        ModelFormatError: in training, if the file is damaged or belongs to another model.
        OSError: in training, if the file cannot be read or written.
    """

    _remembered = SaveFrequency._counts

    def __init__(
        self,
        backup_dir: str | os.PathLike[str],
        save_freq: Any = "epoch",
        double_checkpoint: bool = False,
        delete_checkpoint: bool = True,
    ) -> None:
        if not os.fspath(backup_dir):
            raise ValueError("backup_dir is empty; expected a folder")
        self.backup_dir = os.fspath(backup_dir)
        self.save_freq = check_save_freq(save_freq)
        self._idle = frozenset({"on_train_batch_end"} if self.save_freq == "epoch" else ())
        self.double_checkpoint = bool(double_checkpoint)
        self.delete_checkpoint = bool(delete_checkpoint)
        self._path = os.path.join(self.backup_dir, _FILE)
        self._current_epoch = 0
        self.given: bytes | None = None  # in a distributed training, the content of rank 0's file

    def content(self) -> bytes | None:
        """Returns the content of the file, or None if there is none."""
        with contextlib.suppress(FileNotFoundError), open(self._path, "rb") as file:
            return file.read()
        return None

    @contextlib.contextmanager
    def _file(self) -> Iterator[str]:
        """Yields the path of the file, or of a copy of rank 0's."""
        if self._writes or self.given is None:
            yield self._path if self._writes else ""
            return
        import tempfile

        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, _FILE)
            with open(path, "wb") as file:
                file.write(self.given)
            yield path

    def on_train_begin(self, logs: Logs | None = None) -> None:
        from fastnet import saving

        self._restored: Restored | None = None
        in_epoch = self.save_freq != "epoch"
        saving.check_savable(self.model, training=True, in_epoch=in_epoch)  # fails now, not after the first epoch
        with self._file() as path:
            if not os.path.lexists(path):
                return
            restored = saving.restore_training(self.model, path, self.model._callbacks)
        place = restored.place
        self._current_epoch = place.epoch
        self.model._initial_epoch = self.params["epochs"] if place.stopped else min(place.epoch, self.params["epochs"])
        if place.order is not None and self.model._initial_epoch == place.epoch:
            self._restored = restored

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        self._current_epoch = epoch
        if self._restored is not None:
            place = self._restored.place
            assert place.order is not None
            rng.generator().bit_generator.state = place.order
            if self._restored.rate is not None:  # a LearningRateScheduler before this callback may have changed it
                self.model.optimizer.learning_rate = self._restored.rate
            self.model._begin_epoch = self._leave_out
        self._order = rng.generator().bit_generator.state

    def _leave_out(self, batches: Iterator[Any]) -> int:
        """Leaves out the batches that the interrupted training has seen; returns their number."""
        from fastnet.saving.training import set_sums

        assert self._restored is not None
        step = 0  # a loop, since iter(batches) would begin another epoch
        while step < self._restored.place.step and next(batches, None) is not None:
            step += 1
        rng.generator().bit_generator.state = self._restored.generator
        set_sums(self._restored.sums)
        self._restored = None
        return step

    def on_train_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        if self._is_due(batch):
            from fastnet import saving

            self._save(saving.Place(self._current_epoch, batch + 1, self._order, self.model.stop_training))

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        from fastnet import saving

        self._current_epoch = epoch + 1
        if self.save_freq == "epoch":
            self._save(saving.Place(epoch + 1, stopped=self.model.stop_training))

    def _save(self, place: Any) -> None:
        from fastnet import saving

        if not self._writes:
            return
        os.makedirs(self.backup_dir, exist_ok=True)
        try:
            saving.save_training(self.model, self._path, place, self.model._callbacks)
        except saving.NotFiniteError as error:
            warnings.warn(f"BackupAndRestore did not save: {error}", RuntimeWarning, stacklevel=2)

    def on_train_end(self, logs: Logs | None = None) -> None:
        if self.delete_checkpoint and self._writes:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(self._path)
            with contextlib.suppress(OSError):  # the folder holds other files: leave it
                os.rmdir(self.backup_dir)
