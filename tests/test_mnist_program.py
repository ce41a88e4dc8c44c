"""fastnet.mnist, the program: its options, its exit codes, what it prints, and how well it reads digits."""

import gzip
import io
import os
import re
import socket
import struct
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import platformdirs
import pytest

from fastnet import datasets
from fastnet import mnist as program

OPTIONS = ("--data", "--epochs", "--batch-size", "--units", "--seed", "--threads", "--verbose")
QUICK = ["--data", "synthetic", "--units", "8", "--epochs", "1"]


@pytest.fixture(autouse=True)
def offline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[str, ...]]:
    """No digits on the disk and none from the network; the mirrors that refuse connections."""
    for name, folder in (("HOME", "home"), ("XDG_CACHE_HOME", "home/.cache")):
        monkeypatch.setenv(name, str(tmp_path / folder))
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.setenv(name, "127.0.0.1")
    monkeypatch.delenv("FASTNET_DATA", raising=False)
    with socket.socket() as deaf:  # bound, but not listening
        deaf.bind(("127.0.0.1", 0))
        mirrors = tuple(f"http://127.0.0.1:{deaf.getsockname()[1]}/{name}" for name in ("a/", "mnist.npz"))
        monkeypatch.setattr(datasets.mnist, "MIRRORS", mirrors)
        yield mirrors


@pytest.fixture(autouse=True)
def few_digits(monkeypatch: pytest.MonkeyPatch) -> datasets.mnist.Data:
    """The synthetic digits become few: 300 to train, 40 to test."""
    rng = np.random.default_rng(1)
    y_train, y_test = (rng.integers(0, 10, n, np.uint8) for n in (300, 40))
    x_train, x_test = (rng.integers(0, 256, (n, 28, 28), np.uint8) for n in (300, 40))
    x_train[1, 3:], x_train[1, :3] = 0, 255  # the drawing: three black rows
    data = (x_train, y_train), (x_test, y_test)
    monkeypatch.setattr(datasets.synthetic, "load_data", lambda: data)
    return data


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """What the program prints; it must succeed, and say nothing on stderr."""
    assert program.main([*QUICK, *arguments]) == 0
    captured = capsys.readouterr()
    assert captured.err == ""
    return captured.out


def results(output: str) -> list[str]:
    """Loss, accuracy and predictions: what does not depend on the machine's speed."""
    return re.findall(r"^(?:loss|accuracy|predicted) .*", output, re.MULTILINE)


def test_the_tutorial_has_all_its_parts(few_digits: datasets.mnist.Data, capsys: pytest.CaptureFixture[str]) -> None:
    (_, y_train), (_, y_test) = few_digits
    out = run(capsys)
    headings = re.findall(r"^\n(.+)\n=+$", out, re.MULTILINE)
    assert headings == [
        "The data",
        "The network",
        "Training",
        "Evaluation on digits that it has never seen",
        "The first ten test digits",
        "Times",
    ]
    assert "from fastnet.datasets.synthetic" in out
    assert re.search(r"^x_train +uint8 \(300, 28, 28\) ", out, re.MULTILINE)
    assert re.search(r"^y_test +uint8 \(40,\) +" + " ".join(map(str, y_test[:10])), out, re.MULTILINE)
    assert f"a {y_train[1]}:\n" + 3 * f"{28 * '██'}\n" + "\nThe network" in out
    assert re.search(r"^accuracy  [01]\.\d{4}$", out, re.MULTILINE)
    assert re.search(r"^predicted ( \d){10}$", out, re.MULTILINE)
    assert f"\ntrue       {' '.join(map(str, y_test[:10]))}\n" in out
    assert re.search(r"^training +\d+\.\d{3} s$", out, re.MULTILINE)


def test_help_tells_every_option(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as exited:
        program.main(["--help"])
    out = capsys.readouterr().out
    assert exited.value.code == 0
    assert set(OPTIONS) <= set(re.findall(r"^  (--[a-z-]+) ", out, re.MULTILINE))
    assert "examples:\n  python -m fastnet.mnist " in out


@pytest.mark.parametrize("epochs", [1, 3])
def test_epochs(epochs: int, capsys: pytest.CaptureFixture[str]) -> None:
    assert re.findall(r"^Epoch .*", run(capsys, "--epochs", str(epochs)), re.MULTILINE) == [
        f"Epoch {i + 1}/{epochs}" for i in range(epochs)
    ]


@pytest.mark.parametrize(("size", "steps"), [("128", 3), ("100", 3), ("7", 43), ("1000", 1)])
def test_batch_size(size: str, steps: int, capsys: pytest.CaptureFixture[str]) -> None:
    assert re.search(rf"^Epoch 1/1\n{steps}/{steps} - ", run(capsys, "--batch-size", size), re.MULTILINE)


def test_units(capsys: pytest.CaptureFixture[str]) -> None:
    assert "Total params: 15,910 " in run(capsys, "--units", "20")  # 785 * 20 + 21 * 10


def test_seed_decides_the_numbers(capsys: pytest.CaptureFixture[str]) -> None:
    first, again, other = (results(run(capsys, *seed)) for seed in ((), ("--seed", "0"), ("--seed", "1")))
    assert first == again
    assert first[0] != other[0]


@pytest.mark.usefixtures("threads")
def test_threads_do_not_change_the_numbers(capsys: pytest.CaptureFixture[str]) -> None:
    many = results(run(capsys))
    one = run(capsys, "--threads", "1")
    assert " on 1 thread" in one
    assert results(one) == many


@pytest.mark.parametrize(("verbose", "lines"), [("auto", 2), ("0", 0), ("1", 2), ("2", 2)])
def test_verbose(verbose: str, lines: int, capsys: pytest.CaptureFixture[str]) -> None:
    assert len(re.findall(r"^\d+/\d+ ", run(capsys, "--verbose", verbose), re.MULTILINE)) == lines


@pytest.mark.parametrize(
    ("option", "value"),
    [(option, value) for option in ("--epochs", "--batch-size", "--units", "--threads") for value in ("0", "-1", "x")]
    + [("--epochs", "1.5"), ("--epochs", ""), ("--units", "1e3"), ("--epochs", 5000 * "9")]
    + [("--seed", value) for value in ("-1", "0.5", "x", str(2**32))]
    + [("--verbose", "3"), ("--unknown", "1")],
)
def test_a_bad_option_is_refused_with_its_name_and_exit_code_2(
    option: str, value: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as exited:
        program.main([f"{option}={value}"])
    captured = capsys.readouterr()
    assert exited.value.code == 2
    assert option in captured.err.splitlines()[-1]
    assert captured.out == ""


def test_mnist_that_cannot_be_had_is_an_error(offline: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    assert program.main(["--data", "mnist"]) == 1
    captured = capsys.readouterr()
    assert captured.err.startswith("error: MNIST was not found")
    for place in (str(platformdirs.user_cache_path("fastnet") / "mnist"), *offline, "FASTNET_DATA", "What to do"):
        assert place in captured.err
    assert "The network" not in captured.out


def test_auto_falls_back_on_synthetic_digits_and_says_so_in_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert program.main([*QUICK, "--data", "auto"]) == 0
    captured = capsys.readouterr()
    assert re.fullmatch(r"MNIST was not found.*synthetic digits instead\.\n", captured.err)
    assert "from fastnet.datasets.synthetic" in captured.out
    assert "Epoch 1/1" in captured.out


def test_auto_does_not_hide_that_a_named_folder_is_bad(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("FASTNET_DATA", str(tmp_path / "nowhere"))
    assert program.main([]) == 1
    captured = capsys.readouterr()
    assert captured.err == f"error: FASTNET_DATA: {tmp_path / 'nowhere'} does not exist\n"
    assert "The network" not in captured.out


@pytest.mark.parametrize("trouble", ["absent", "empty folder", "corrupt"])
def test_a_bad_path_is_an_error(trouble: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "digits"
    if trouble != "absent":
        path.mkdir()
    if trouble == "corrupt":
        for file in ("train-images-idx3", "train-labels-idx1", "t10k-images-idx3", "t10k-labels-idx1"):
            (path / f"{file}-ubyte.gz").write_bytes(gzip.compress(struct.pack(">HBBI", 0, 8, 1, 0)))
    assert program.main(["--data", str(path)]) == 1
    captured = capsys.readouterr()
    assert captured.err.startswith(f"error: {path}")
    assert captured.err.count("\n") == 1
    assert "The network" not in captured.out


def test_ctrl_c_ends_it_without_a_traceback(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted() -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(datasets.synthetic, "load_data", interrupted)
    assert program.main(QUICK) == 130
    assert capsys.readouterr().err == "interrupted\n"


def test_a_terminal_that_knows_only_ascii_gets_ascii(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    monkeypatch.setattr(sys, "stdout", stream)
    assert program.main(QUICK) == 0
    stream.seek(0)
    assert 28 * "@@" in stream.read()


def test_everybodys_first_run_reads_real_digits(mnist_folder: Path) -> None:
    process = subprocess.run(
        [sys.executable, "-m", "fastnet.mnist"],
        env={**os.environ, "FASTNET_DATA": str(mnist_folder), "PYTHONIOENCODING": "utf-8"},
        capture_output=True,
        encoding="utf-8",
        timeout=250,
    )
    out = process.stdout
    assert (process.returncode, process.stderr) == (0, "")
    assert f"from {mnist_folder} (FASTNET_DATA)" in out
    assert re.findall(r"^Epoch (\d)/5\n(\d+/\d+) - ", out, re.MULTILINE) == [(str(i), "469/469") for i in range(1, 6)]
    accuracy = re.search(r"^accuracy  (\d\.\d{4})$", out, re.MULTILINE)
    assert accuracy
    assert float(accuracy[1]) >= 0.975
    assert "predicted  7 2 1 0 4 1 4 9 5 9\ntrue       7 2 1 0 4 1 4 9 5 9\n" in out
