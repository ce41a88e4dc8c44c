"""CSVLogger: the results of each epoch as a line of a file."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import numpy as np

from fastnet.callbacks.base import Callback, Logs


class CSVLogger(Callback):
    """Writes a line an epoch: its number, from 0, and the logs in the order of their names.

    The file is opened for each line, so that it is whole whenever a training ends.

    Args:
        filename: the file's path.
        separator: what stands between two values.
        append: whether to go on with a file that exists, in its columns, instead of writing it anew.

    Raises:
        TypeError, ValueError: if an argument is not of that kind.
        OSError: in training, if the file cannot be written.
    """

    def __init__(self, filename: str | os.PathLike[str], separator: str = ",", append: bool = False) -> None:
        if not isinstance(separator, str):
            raise TypeError(f"separator must be a character such as ',', got {separator!r}")
        if len(separator) != 1:
            raise ValueError(f"separator must be a single character, got {separator!r}")
        self.filename = os.fspath(filename)
        self.sep = separator
        self.append = bool(append)
        self.keys: list[str] | None = None

    def on_train_begin(self, logs: Logs | None = None) -> None:
        import csv

        self.keys = None
        with open(self.filename, "a+" if self.append else "w+", encoding="utf-8", newline="") as file:
            file.seek(0)
            header = next(csv.reader(file, delimiter=self.sep), None)
        if header and header[0] == "epoch":
            self.keys = header[1:]

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        logs = logs or {}
        if self.keys is None:
            self.keys = sorted(logs)
            self._write(["epoch", *self.keys])
        self._write([epoch, *(_text(logs.get(key, "NA")) for key in self.keys)])

    def _write(self, row: Sequence[Any]) -> None:
        import csv

        with open(self.filename, "a", encoding="utf-8", newline="") as file:
            csv.writer(file, delimiter=self.sep).writerow(row)


def _text(value: Any) -> Any:
    """A list or an array as one cell, as Keras writes it."""
    if isinstance(value, str) or np.ndim(value) == 0:
        return value
    return f'"[{", ".join(map(str, value))}]"'
