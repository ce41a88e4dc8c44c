"""TensorBoard: writes the results of a training to files that the program TensorBoard shows.

The files are written by the package tensorboardX: https://tensorboardx.readthedocs.io
"""

from __future__ import annotations

import os
import time
from typing import Any

import numpy as np

from fastnet import checks
from fastnet.callbacks.base import Callback, Logs

_MISSING = 'callbacks.TensorBoard needs the package tensorboardX: python -m pip install "fastnet-mlp[tensorboard]"'


class TensorBoard(Callback):
    """Writes the loss, the metrics and, if asked, the weights to files for the program TensorBoard.

    To look at them: ``python -m pip install tensorboard``, then ``tensorboard --logdir=logs``. The results of the
    training are in the folder ``train``, those of the validation in ``validation``, as in Keras:

    - ``epoch_loss`` and so on after each epoch, and ``epoch_learning_rate``;
    - ``batch_loss`` and so on after some batches, if `update_freq` asks for it: means over the epoch so far;
    - ``evaluation_loss_vs_iterations`` and so on after each evaluation;
    - ``dense/kernel/histogram`` and so on, if `histogram_freq` asks for it.

    Args:
        log_dir: the folder. It is created if it does not exist.
        histogram_freq: the number of epochs from one histogram of each weight to the next; 0 for none.
        write_steps_per_second: whether to write ``epoch_steps_per_second``.
        update_freq: ``"epoch"``, ``"batch"``, or the number of batches from one result to the next.
        write_graph: accepted for compatibility with Keras, and ignored, as there.
        write_images, profile_batch, embeddings_freq, embeddings_metadata: not supported; only their defaults are
            accepted.

    Raises:
        ValueError, TypeError: if an argument is wrong.
        ModuleNotFoundError: if the package tensorboardX is missing.
        OSError: in training, if a file cannot be written.
    """

    def __init__(
        self,
        log_dir: str | os.PathLike[str] = "logs",
        histogram_freq: int = 0,
        write_graph: bool = True,
        write_images: bool = False,
        write_steps_per_second: bool = False,
        update_freq: Any = "epoch",
        profile_batch: Any = 0,
        embeddings_freq: int = 0,
        embeddings_metadata: Any = None,
    ) -> None:
        for name, value in ("write_images", write_images), ("profile_batch", profile_batch):
            if value:
                raise ValueError(f"{name} is {value!r}, but fastnet's TensorBoard writes numbers and histograms only")
        if embeddings_freq or embeddings_metadata:
            raise ValueError("embeddings_freq must be 0 and embeddings_metadata None: fastnet has no embeddings")
        self.log_dir = os.fspath(log_dir)
        self.histogram_freq = checks.integer("histogram_freq", histogram_freq, least=0)
        self.write_steps_per_second = bool(write_steps_per_second)
        if isinstance(update_freq, str):
            update_freq = checks.choose("update_freq", update_freq, {"epoch": "epoch", "batch": 1})
        self.update_freq = update_freq if update_freq == "epoch" else checks.integer("update_freq", update_freq, 1)
        self._idle = frozenset({"on_train_batch_end"} if self.update_freq == "epoch" else ())
        try:
            import tensorboardX
        except ModuleNotFoundError as error:
            raise ModuleNotFoundError(_MISSING, name=error.name) from None
        self._make_writer = tensorboardX.SummaryWriter
        self._writers: dict[str, Any] = {}
        self._trains = False
        self._batches = 0  # in this training

    def _write(self, folder: str, values: dict[str, Any], step: int) -> None:
        """Writes numbers; of a metric that is an array, its mean."""
        if not self._writes:
            return
        for name, value in values.items():
            self._writer(folder).add_scalar(name, float(np.mean(value)), step)

    def _writer(self, folder: str) -> Any:
        if folder not in self._writers:  # as in Keras, a folder that nobody needs is not made
            self._writers[folder] = self._make_writer(os.path.join(self.log_dir, folder))
        return self._writers[folder]

    def _close(self) -> None:
        for writer in self._writers.values():
            writer.close()
        self._writers = {}

    @property
    def _iterations(self) -> int:
        return int(self.model.optimizer.iterations)

    def on_train_begin(self, logs: Logs | None = None) -> None:
        self._trains, self._batches = True, 0

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        self._start = time.perf_counter(), self._iterations

    def on_train_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        self._batches += 1
        if self.update_freq != "epoch" and self._batches % self.update_freq == 0:
            self._write("train", {f"batch_{name}": value for name, value in (logs or {}).items()}, self._batches)

    def on_test_end(self, logs: Logs | None = None) -> None:
        values = {f"evaluation_{name}_vs_iterations": value for name, value in (logs or {}).items()}
        self._write("validation", values, self._iterations)
        if not self._trains:
            self._close()

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        train: dict[str, Any] = {"learning_rate": float(self.model.optimizer.learning_rate)}
        train |= {name: value for name, value in (logs or {}).items() if not name.startswith("val_")}
        if self.write_steps_per_second:
            start, before = self._start
            train["steps_per_second"] = (self._iterations - before) / (time.perf_counter() - start)
        validation = {name[4:]: value for name, value in (logs or {}).items() if name.startswith("val_")}
        for folder, values in ("train", train), ("validation", validation):
            self._write(folder, {f"epoch_{name}": value for name, value in values.items()}, epoch)
        if self.histogram_freq and epoch % self.histogram_freq == 0 and self._writes:
            for layer in self.model._layers:
                for variable in layer.weights:
                    name = f"{layer.name}/{variable.name.rpartition('/')[2]}/histogram"
                    self._writer("train").add_histogram(name, variable.numpy(), epoch)
        for writer in self._writers.values():
            writer.flush()

    def on_train_end(self, logs: Logs | None = None) -> None:
        self._trains = False
        self._close()

    def __getstate__(self) -> dict[str, Any]:
        return vars(self) | {"_writers": {}}
