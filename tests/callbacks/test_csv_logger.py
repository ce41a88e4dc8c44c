"""CSVLogger: the file's lines."""

from pathlib import Path
from typing import Any

import pytest
from callbacks.scripted import run

from fastnet.callbacks import CSVLogger

LOGS = [{"loss": 0.5, "acc": 0.25}, {"loss": 0.25, "acc": 0.75}]


def test_a_line_an_epoch(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    path.write_text("what was there before")
    for _ in range(2):
        run(CSVLogger(path), LOGS)
        assert path.read_bytes() == b"epoch,acc,loss\r\n0,0.25,0.5\r\n1,0.75,0.25\r\n"


def test_the_separator(tmp_path: Path) -> None:
    run(CSVLogger(str(tmp_path / "log.csv"), separator=";"), LOGS)
    assert (tmp_path / "log.csv").read_text().split("\n")[0] == "epoch;acc;loss"


def test_append_goes_on_in_the_columns_that_are_there(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    run(CSVLogger(path, append=True), LOGS)
    run(CSVLogger(path, append=True), [{"loss": 0.125, "val_loss": 3.0, "acc": 1.0}])
    assert path.read_text().split() == ["epoch,acc,loss", "0,0.25,0.5", "1,0.75,0.25", "0,1.0,0.125"]


def test_what_is_missing_later_is_na_and_arrays_are_one_cell(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    logs: list[Any] = [{"loss": 0.5, "f1": [0.5, 1.0]}, {"loss": 0.25, "new": 1.0}]
    run(CSVLogger(path), logs)
    assert path.read_text().split("\n")[1:3] == ['0,"""[0.5, 1.0]""",0.5', "1,NA,0.25"]


def test_the_file_is_whole_after_each_epoch(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    logger = CSVLogger(path)
    logger.on_train_begin()
    logger.on_epoch_end(0, {"loss": 1.0})
    assert path.read_text().split() == ["epoch,loss", "0,1.0"]


def test_errors(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="separator must be a single character, got ', '"):
        CSVLogger("x.csv", separator=", ")
    with pytest.raises(TypeError, match="separator must be"):
        CSVLogger("x.csv", separator=None)  # type: ignore[arg-type]
    with pytest.raises(FileNotFoundError):
        run(CSVLogger(tmp_path / "none" / "x.csv"), LOGS)
