"""BackupAndRestore: continues an interrupted training, with the same result as without the interruption."""

from __future__ import annotations

import contextlib
import os
import warnings
from typing import Any

from fastnet.callbacks.base import Callback, Logs
from fastnet.callbacks.model_checkpoint import check_save_freq

_FILE = "latest.safetensors"


class BackupAndRestore(Callback):
    """Saves the state of a training after each epoch, and continues from it if the training starts again.

    The file holds the weights, the optimizer's state, the learning rate, the epoch and the random generators. It is
    replaced in one step, so it is never half written. A `fit` that finds the file starts with the next epoch. It ends
    with the same bits as a training that was never interrupted, if the model, the data, the arguments and the number of
    epochs are the same. When the training ends, the file is removed.

    Put this callback last in the list: it then saves what the others changed. The state of other callbacks, such as the
    patience of EarlyStopping, is not saved.

    `fastnet.models.load_model` can read the file.

    Args:
        backup_dir: a folder for the file alone. It is created if it does not exist.
        save_freq: ``"epoch"``. Nothing is saved within an epoch, because the order of the examples would be lost.
        double_checkpoint: accepted as in Keras, but not needed: no file is ever half written.
        delete_checkpoint: whether to remove the file when the training ends.

    Raises:
        ValueError, TypeError: if an argument is wrong; when a training begins, if the model cannot be saved.
        ModelFormatError: in training, if the file is damaged or belongs to another model.
        OSError: in training, if the file cannot be read or written.
    """

    def __init__(
        self,
        backup_dir: str | os.PathLike[str],
        save_freq: Any = "epoch",
        double_checkpoint: bool = False,
        delete_checkpoint: bool = True,
    ) -> None:
        if not os.fspath(backup_dir):
            raise ValueError("backup_dir is empty; expected a folder")
        if check_save_freq(save_freq) != "epoch":
            raise ValueError(
                f"save_freq must be 'epoch', got {save_freq!r}: a training continues only at an epoch's start, where "
                "it ends with the same bits"
            )
        self.backup_dir = os.fspath(backup_dir)
        self.save_freq = save_freq
        self.double_checkpoint = bool(double_checkpoint)
        self.delete_checkpoint = bool(delete_checkpoint)
        self._path = os.path.join(self.backup_dir, _FILE)

    def on_train_begin(self, logs: Logs | None = None) -> None:
        from fastnet import saving

        saving.check_savable(self.model, training=True)  # fails now, not after the first epoch
        if os.path.lexists(self._path):
            epoch = saving.restore_training(self.model, self._path)
            self.model._initial_epoch = min(epoch, self.params["epochs"])

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        from fastnet import saving

        os.makedirs(self.backup_dir, exist_ok=True)
        try:
            saving.save_training(self.model, self._path, epoch + 1)
        except saving.NotFiniteError as error:
            warnings.warn(f"BackupAndRestore did not save: {error}", RuntimeWarning, stacklevel=2)

    def on_train_end(self, logs: Logs | None = None) -> None:
        if self.delete_checkpoint:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(self._path)
            with contextlib.suppress(OSError):  # the folder holds other files: leave it
                os.rmdir(self.backup_dir)
