"""CSVLogger: the file's lines."""

import csv
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from callbacks.scripted import run

from fastnet import Sequential
from fastnet.callbacks import CSVLogger
from fastnet.layers import Dense, Input

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


def test_a_name_that_no_file_can_hold_is_written_all_the_same(tmp_path: Path) -> None:
    run(CSVLogger(tmp_path / "log.csv"), [{"loss\ud800": 0.5}])
    assert (tmp_path / "log.csv").read_text(encoding="utf-8").split() == ["epoch,loss?", "0,0.5"]


def test_append_goes_on_below_and_in_the_columns_that_are_there(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    run(CSVLogger(path, append=True), LOGS)
    run(CSVLogger(path, append=True), [{"acc": 1.0}, {"loss": 0.125, "val_loss": 3.0, "acc": 1.0}])
    assert path.read_bytes() == (
        b"epoch,acc,loss,val_loss\r\n0,0.25,0.5,NA\r\n1,0.75,0.25,NA\r\n0,1.0,NA,NA\r\n1,1.0,0.125,3.0\r\n"
    )


def test_what_is_missing_later_is_na_and_arrays_are_one_cell(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    logs: list[Any] = [{"loss": 0.5, "f1": [0.5, 1.0]}, {"loss": 0.25}]
    run(CSVLogger(path), logs)
    assert path.read_text().split("\n")[1:3] == ['0,"""[0.5, 1.0]""",0.5', "1,NA,0.25"]


@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_a_name_that_comes_later_gets_a_column(tmp_path: Path, separator: str) -> None:
    path = tmp_path / "log.csv"
    run(
        CSVLogger(path, separator),
        [{"loss": 1.0, "f1": "a, b; c"}, {"loss": 2.0, "val_loss": 3.0, "new": 4.0}, {"f1": 5.0}, {"other": 6.0}],
    )
    with open(path, newline="") as file:
        rows = list(csv.reader(file, delimiter=separator))
    assert rows == [
        ["epoch", "f1", "loss", "new", "val_loss", "other"],
        ["0", "a, b; c", "1.0", "NA", "NA", "NA"],
        ["1", "NA", "2.0", "4.0", "3.0", "NA"],
        ["2", "5.0", "NA", "NA", "NA", "NA"],
        ["3", "NA", "NA", "NA", "NA", "6.0"],
    ]
    assert [name.name for name in tmp_path.iterdir()] == ["log.csv"]


@pytest.mark.parametrize("validation_freq", [2, 3, [3], 1])
def test_validation_columns_are_there_however_often_it_runs(tmp_path: Path, validation_freq: Any) -> None:
    path = tmp_path / "log.csv"
    model = Sequential([Input((2,)), Dense(1)])
    model.compile("sgd", "mse", metrics=["mae"])
    x, y = np.ones((4, 2)), np.ones(4)
    history = model.fit(
        x, y, epochs=4, verbose=0, validation_data=(x, y), validation_freq=validation_freq, callbacks=CSVLogger(path)
    ).history
    with open(path, newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["epoch", "loss", "mae", "val_loss", "val_mae"]
    for name, values in history.items():
        assert [float(row[name]) for row in rows if row[name] != "NA"] == values


def test_a_file_that_was_cut_within_a_line_is_gone_on_with_in_a_new_one(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    path.write_bytes(b"epoch,acc,loss\r\n0,0.25,0.5\r\n1,0.7")
    run(CSVLogger(path, append=True), [{"acc": 1.0, "loss": 0.5, "val_loss": 2.0}])
    assert path.read_text().split() == ["epoch,acc,loss,val_loss", "0,0.25,0.5,NA", "1,0.7,NA,NA", "0,1.0,0.5,2.0"]


def test_what_stands_above_the_header_stays_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    path.write_text("my experiment\n")
    for _ in range(2):
        run(CSVLogger(path, append=True), [{"loss": 0.5}])
    run(CSVLogger(path, append=True), [{"loss": 0.5, "val_loss": 2.0}])
    assert path.read_text().splitlines() == [
        "my experiment", "epoch,loss,val_loss", "0,0.5,NA", "0,0.5,NA", "0,0.5,2.0",
    ]  # fmt: skip


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


@pytest.mark.parametrize("append", [False, True])
def test_a_file_that_is_read_only_stays(tmp_path: Path, append: bool) -> None:
    path = tmp_path / "log.csv"
    path.write_text("mine")
    path.chmod(0o444)
    with pytest.raises(PermissionError, match=r"read-only.*log\.csv"):
        run(CSVLogger(path, append=append), LOGS)
    assert path.read_text() == "mine"
    run(CSVLogger("/dev/null"), LOGS)
