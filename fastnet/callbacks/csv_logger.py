"""CSVLogger: writes the results of each epoch to a CSV file."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Any

import numpy as np

from fastnet.callbacks.base import Callback, Logs


class CSVLogger(Callback):
    """Writes one line for each epoch: its number, from 0, and the logs, sorted by name.

    The file is closed after each line, so it is complete whenever a training ends. A value that an epoch does not have
    is written as ``NA``. If a name appears later, such as ``val_loss`` with ``validation_freq=3``, the file is written
    again with a new last column, which holds ``NA`` in the earlier lines.

    Args:
        filename: the file's path.
        separator: the character between two values.
        append: whether to continue an existing file instead of replacing it.

    Raises:
        TypeError, ValueError: if an argument is wrong.
        PermissionError: in training, if the file is read-only.
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
        from fastnet.saving.files import check_writable

        if not self._writes:
            return
        check_writable(self.filename)
        self.keys = None
        with open(self.filename, "a+" if self.append else "w+", encoding="utf-8", newline="") as file:
            file.seek(0)
            text = file.read()
            if text and not text.endswith(("\n", "\r")):  # a process was killed while it wrote the last line
                file.write("\r\n")
        headers = [row for row in self._rows(text) if row[:1] == ["epoch"]]
        if headers:
            self.keys = headers[-1][1:]

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        logs = logs or {}
        if not self._writes:
            return
        if self.keys is None:
            self.keys = sorted(logs)
            self._write([["epoch", *self.keys]])
        new = sorted(set(logs) - set(self.keys))
        if new:
            self._widen(new)
        self._write([[epoch, *(_text(logs.get(key, "NA")) for key in self.keys)]])

    def _widen(self, new: list[str]) -> None:
        """Adds columns to the lines of the file, from the last header on."""
        from fastnet.saving.files import replace_file

        assert self.keys is not None
        with open(self.filename, encoding="utf-8", newline="") as file:
            rows = list(self._rows(file.read()))
        header = max((i for i, row in enumerate(rows) if row == ["epoch", *self.keys]), default=len(rows))
        columns = 1 + len(self.keys)
        for row in rows[header:]:
            if row:
                row += ["NA"] * (columns - len(row) + len(new))
        if header < len(rows):
            rows[header][columns:] = new
        self.keys = self.keys + new
        replace_file(os.path.realpath(self.filename), self._lines(rows).encode(errors="replace"))

    def _rows(self, text: str) -> Iterable[list[str]]:
        import csv
        import io

        return csv.reader(io.StringIO(text, newline=""), delimiter=self.sep)

    def _lines(self, rows: Iterable[Iterable[Any]]) -> str:
        import csv
        import io

        text = io.StringIO(newline="")
        csv.writer(text, delimiter=self.sep).writerows(rows)
        return text.getvalue()

    def _write(self, rows: Iterable[Iterable[Any]]) -> None:
        with open(self.filename, "a", encoding="utf-8", errors="replace", newline="") as file:
            file.write(self._lines(rows))


def _text(value: Any) -> Any:
    """Returns the text of a cell; a list or an array is one cell, as in Keras."""
    if isinstance(value, str) or np.ndim(value) == 0:
        return value
    return f'"[{", ".join(map(str, value))}]"'
