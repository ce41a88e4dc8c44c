"""BackupAndRestore: a training that can be interrupted at any moment and taken up again, with the same result."""

from __future__ import annotations

import contextlib
import os
import warnings
from typing import Any

from fastnet.callbacks.base import Callback, Logs
from fastnet.callbacks.model_checkpoint import check_save_freq

_FILE = "latest.safetensors"


class BackupAndRestore(Callback):
    """Keeps the state of a training in a file, and goes on from there if the training begins anew.

    After each epoch the file is replaced, as a whole or not at all: weights, the optimizer's state, the learning rate,
    the epoch, and the random generators. A fit that finds it begins with the epoch after it and ends with the same
    bits as one that was never interrupted: the same model, data, arguments and number of epochs are up to you, and it
    should be the last of the callbacks, so that it saves what they changed. What other callbacks remember, such as the
    patience of EarlyStopping, begins anew. When the training ends the file is removed.

    The file is a model's: `fastnet.models.load_model` reads it.

    Args:
        backup_dir: a folder of its own for the file; it is made if it is not there.
        save_freq: ``"epoch"``; in the middle of an epoch nothing is saved, since its order would be lost.
        double_checkpoint: accepted as in Keras; not needed here, where no file is ever half written.
        delete_checkpoint: whether to remove the file when the training ends.

    Raises:
        ValueError, TypeError: if an argument is not of that kind; when a training begins, if the model cannot be saved.
        ModelFormatError: in training, if the file is damaged or another model's.
        OSError: in training, if it cannot be read or written.
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
                f"save_freq must be 'epoch', got {save_freq!r}: a training is taken up again only at an epoch's start, "
                "where it ends with the same bits"
            )
        self.backup_dir = os.fspath(backup_dir)
        self.save_freq = save_freq
        self.double_checkpoint = bool(double_checkpoint)
        self.delete_checkpoint = bool(delete_checkpoint)
        self._path = os.path.join(self.backup_dir, _FILE)

    def on_train_begin(self, logs: Logs | None = None) -> None:
        from fastnet import saving

        saving.check_savable(self.model, training=True)  # now, not after an epoch that would be lost
        if os.path.lexists(self._path):
            epoch = saving.restore_training(self.model, self._path)
            self.model._initial_epoch = min(epoch, self.params["epochs"])  # what is behind the end need not be skipped

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
            with contextlib.suppress(OSError):  # something else is in there: not ours to remove
                os.rmdir(self.backup_dir)
