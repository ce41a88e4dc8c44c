"""fastnet.mnist, the program: its options, its exit codes, what it prints, and how well it reads digits."""

import fcntl
import gzip
import io
import os
import pty
import re
import select
import socket
import struct
import subprocess
import sys
import termios
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import platformdirs
import pytest
from helpers import on_terminal

import fastnet
from fastnet import datasets
from fastnet import mnist as program

OPTIONS = (
    "--data",
    "--epochs",
    "--batch-size",
    "--units",
    "--seed",
    "--threads",
    "--verbose",
    "--mistakes",
    "--plots",
    "--report",
)
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
def _colors(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the one who runs the tests has chosen for colours changes nothing."""
    for name in ("NO_COLOR", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)


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
    assert y_train[1] == 8
    assert "digit, an 8:\n" + 3 * f"{28 * '██'}\n" + "\nThe network" in out
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


def test_the_results_of_the_evaluation_are_printed_once(capsys: pytest.CaptureFixture[str]) -> None:
    for verbose in ("0", "1", "2"):
        part = run(capsys, "--verbose", verbose).partition("never seen")[2].partition("The first ten")[0]
        assert re.fullmatch(r"\n=+\nloss      \d+\.\d{4}\naccuracy  [01]\.\d{4}\n\n", part)


@pytest.mark.usefixtures("threads")
def test_more_threads_than_cores_are_said_not_to_be_had(capsys: pytest.CaptureFixture[str]) -> None:
    cores = fastnet.show_config(print_fn=None)["cores"]
    out = run(capsys, "--threads", "999999")
    assert f" on {cores} thread" in out
    assert "\n(--threads 999999 asks for more cores than there are)\n" in out
    assert "asks for" not in run(capsys, "--threads", str(cores))


@pytest.mark.parametrize("columns", [40, 80, 120, 0])
def test_on_a_real_terminal_every_line_of_the_training_fits(columns: int) -> None:
    lines = on_terminal(["-m", "fastnet.mnist", *QUICK, "--epochs", "2", "--mistakes"], columns, b"q\n")
    first, last = lines.index("Training"), next(i for i, line in enumerate(lines) if line.startswith("Evaluation"))
    assert max(map(len, lines[first:last])) <= (columns or 80)
    assert [line for line in lines if re.match(r"469/469 .*- loss: ", line)] != []
    assert re.search(r"^1/\d+: an? \d, read as an? \d", "\n".join(lines), re.MULTILINE)


@pytest.mark.parametrize(
    ("variable", "value", "message"),
    [
        ("FASTNET_ISA", "x86_v9", "FASTNET_ISA is 'x86_v9'; expected one of baseline, x86_v3, x86_v4"),
        ("FASTNET_NUM_THREADS", "two", "FASTNET_NUM_THREADS is 'two'; expected a whole number of at least 1"),
        ("FASTNET_NUM_THREADS", "0", "FASTNET_NUM_THREADS is '0'; expected a whole number of at least 1"),
        ("FASTNET_NUM_THREADS", "-3", "FASTNET_NUM_THREADS is '-3'; expected a whole number of at least 1"),
        ("FASTNET_BACKEND", "numpy", "FASTNET_BACKEND is 'numpy'; expected 'compiled' or 'reference'"),
        ("FASTNET_DATA", "/no/such/folder", "FASTNET_DATA: /no/such/folder does not exist"),
        ("FASTNET_DATA", "~no_such_user/x", "FASTNET_DATA: ~no_such_user/x does not exist"),
    ],
)
def test_a_wrong_variable_of_the_environment_is_said_in_one_line(variable: str, value: str, message: str) -> None:
    process = subprocess.run(
        [sys.executable, "-m", "fastnet.mnist"],
        env=os.environ | {variable: value},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (process.returncode, process.stderr) == (1, f"error: {message}\n")


def test_an_empty_folder_name_means_none(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    for blank in ("", " "):
        monkeypatch.setenv("FASTNET_DATA", blank)
        assert program.main([*QUICK, "--data", "auto"]) == 0
        assert "training on synthetic digits" in capsys.readouterr().err


def test_a_reader_that_has_seen_enough_gets_no_traceback() -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "fastnet.mnist", *QUICK], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stdout
    assert process.stderr
    process.stdout.readline()
    process.stdout.close()
    assert process.stderr.read() == b""
    process.stderr.close()
    assert process.wait(60) == 1


@pytest.mark.parametrize(
    ("value", "meant"), [("mnsit", "mnist"), ("MNIST", "mnist"), ("sinthetic", "synthetic"), ("zzz", ""), ("", "")]
)
def test_an_unknown_data_set_is_told_what_is_possible(
    value: str, meant: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert program.main(["--data", value]) == 1
    error = capsys.readouterr().err
    hint = f"; did you mean {meant!r}?" if meant else "."
    assert error.startswith(f"error: {value or repr(value)} does not exist{hint} --data takes auto, mnist, synthetic, ")
    assert "the path of a folder with the four MNIST files" in error
    assert error.count("\n") == 1


@pytest.mark.parametrize(("verbose", "lines"), [("auto", 1), ("0", 0), ("1", 1), ("2", 1)])
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


def test_the_readme_shows_what_the_program_prints(mnist_folder: Path) -> None:
    readme = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
    sample = next(block for block in readme.split("```\n") if block.startswith("The data\n"))

    def lines_of(lines: list[str]) -> list[str]:
        """Without what differs from machine to machine: the folder, the speed, the last digits."""
        text = re.sub(r"^from .* \(FASTNET_DATA\)", "from", "\n".join(lines), flags=re.MULTILINE)
        text = re.sub(r"\[=+\] - \d+s \d+(m|µ)?s/step", "bar", text)
        return re.sub(r"\d+\.\d+( s an epoch on \d+ threads?)?", "number", text).split("\n")

    printed = lines_of(on_terminal(["-m", "fastnet.mnist"], 80, FASTNET_DATA=str(mnist_folder)))
    shown = lines_of([line for line in sample.split("\n") if line])
    place = -1
    for line in shown:  # in this order, and what is left out is marked
        if line != "...":
            place = printed.index(line, place + 1)
    assert shown.count("...") == 3
    assert all(len(line) <= 80 for line in sample.split("\n"))


# Curves, mistakes, plots and report


def test_after_several_epochs_there_are_curves(capsys: pytest.CaptureFixture[str]) -> None:
    out = run(capsys, "--epochs", "3")
    assert re.search(r"^loss +accuracy\n.+ ┤.+ ┤", out, re.MULTILINE)
    assert "┤" not in run(capsys, "--epochs", "1").partition("Training")[2]


@pytest.mark.parametrize("epochs", ["1", "3", "100"])
def test_one_line_begins_with_accuracy_for_programs_that_read_it(
    epochs: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (line,) = re.findall(r"^accuracy\b.*", run(capsys, "--epochs", epochs), re.MULTILINE)
    assert re.fullmatch(r"accuracy  [01]\.\d{4}", line)


def test_in_a_pipe_ten_mistakes_are_printed_and_nobody_is_asked(
    few_digits: datasets.mnist.Data, capsys: pytest.CaptureFixture[str]
) -> None:
    out = run(capsys, "--mistakes")
    found = re.findall(r"^(\d+)/(\d+): an? (\d), read as an? (\d)", out, re.MULTILINE)
    assert [int(number) for number, *_ in found] == list(range(1, 11))
    assert all(true != read for *_, true, read in found)
    accuracy = re.search(r"^accuracy +(\S+)$", out, re.MULTILINE)
    assert accuracy
    assert {int(total) for _, total, *_ in found} == {round(40 * (1 - float(accuracy[1])))}
    surest = [max(map(float, re.findall(r"(\d+\.\d)%", part))) for part in re.split(r"^\d+/\d+: ", out, flags=re.M)[1:]]
    assert surest == sorted(surest, reverse=True)
    assert "\x1b" not in out
    assert max(map(len, out.partition("it got wrong")[2].splitlines())) <= 80


def test_an_8_has_another_article_than_the_other_digits(capsys: pytest.CaptureFixture[str]) -> None:
    probabilities = np.eye(10)[np.roll(np.arange(10), -1)]
    program.walk(np.zeros((10, 28, 28), np.uint8), np.arange(10, dtype=np.uint8), probabilities)
    read = re.findall(r": (an? \d), read as (an? \d)", capsys.readouterr().out)
    names = [f"{'an' if digit == 8 else 'a'} {digit}" for digit in range(10)]
    assert read == list(zip(names, names[1:] + names[:1], strict=True))


def test_who_made_no_mistake_is_told_so(capsys: pytest.CaptureFixture[str]) -> None:
    program.walk(np.zeros((2, 28, 28), np.uint8), np.array([1, 0], np.uint8), np.array([[0.1, 0.9], [0.8, 0.2]]))
    assert capsys.readouterr().out == "0 of 2\n"


@pytest.mark.parametrize(
    ("answers", "shown"),
    [([b"\n", b"\n", b"q\n"], 3), ([b"Q\n"], 1), ([b"\x04"], 1), ([b"\n", b"\x03"], 2)],
    ids=["q", "at once", "end of input", "Ctrl-C"],
)
def test_on_a_terminal_one_walks_through_the_mistakes(answers: list[bytes], shown: int, tmp_path: Path) -> None:
    (tmp_path / "run.py").write_text(
        "import signal, numpy as np\n"
        "from fastnet.mnist import walk\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)  # a job in the background ignores it\n"
        "walk(np.full((4, 28, 28), 200, np.uint8), np.zeros(4, np.uint8), np.full((4, 2), [0.2, 0.8]))\n"
    )
    environment = {name: value for name, value in os.environ.items() if "COLOR" not in name}
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 60, 0, 0))
    settings = termios.tcgetattr(master)
    process = subprocess.Popen(
        [sys.executable, str(tmp_path / "run.py")],
        stdin=slave,
        stdout=slave,
        stderr=slave,
        env=environment | {"TERM": "xterm-256color", "PYTHONIOENCODING": "utf-8"},
        start_new_session=True,
        preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),  # so that Ctrl-C reaches it
    )
    os.close(slave)
    seen, left = b"", list(answers)
    try:
        while True:
            if not left and answers[-1] == b"\x03" and not select.select([master], [], [], 2)[0]:
                os.write(master, b"\x03")  # the first came after the prompt, but before Python waited for an answer
            try:
                seen += os.read(master, 65536)
            except OSError:  # the other side is closed
                break
            assert seen.count(b"q to end: ") <= len(answers), seen.decode()
            if left and seen.count(b"q to end: ") > len(answers) - len(left):
                os.write(master, left.pop(0))
        assert process.wait(30) == 0
        assert termios.tcgetattr(master) == settings
    finally:
        process.kill()
        process.wait()
        os.close(master)
    assert re.findall(rb"(\d+)/4: a 0, read as a 1 ", seen) == [b"%d" % (i + 1) for i in range(shown)]
    assert seen.count(b"q to end: ") == len(answers)
    assert b"\x1b[38;5;" in seen
    assert seen.rindex(b"\x1b[0m") > seen.rindex(b"\x1b[38")  # the colours end with the picture
    assert b"Traceback" not in seen
    assert seen.endswith(b"\n")


ABOUT = "Tested on 40 digits from fastnet.datasets.synthetic: digits drawn by a program."


def test_what_is_to_be_written_gets_model_history_and_test_digits(
    few_digits: datasets.mnist.Data, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _, (x_test, y_test) = few_digits
    calls = []

    def stand_in(result: Any) -> Any:
        def write(model: Any, history: Any, x: Any, y: Any, path: Path, **how: Any) -> Any:
            assert model.predict(x, verbose=0).shape == (40, 10)
            assert len(history.history["loss"]) == 2
            assert x is x_test
            assert y is y_test
            calls.append((path, how))
            return result

        return write

    monkeypatch.setattr("fastnet.plotting.require_matplotlib", lambda: None)
    monkeypatch.setattr("fastnet.plotting.save_all", stand_in([Path("a.png"), Path("b.png")]))
    monkeypatch.setattr(fastnet, "report", stand_in(Path("page.html")), raising=False)
    plots, page = tmp_path / "deep" / "plots", tmp_path / "other" / "page.html"
    out = run(capsys, "--epochs", "2", "--seed", "7", "--plots", str(plots), "--report", str(page))
    assert calls == [(plots, {}), (page, {"about": ABOUT, "batch_size": 128, "seed": 7})]
    assert out.endswith("\nPlots\n=====\na.png\nb.png\n\nReport\n======\npage.html\n")
    assert (
        list(plots.iterdir()) == list(page.parent.iterdir()) == []
    )  # the folders are there, and nothing is left behind


def test_the_report_does_not_tell_where_on_this_machine_the_data_are(
    few_digits: datasets.mnist.Data, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    place = str(tmp_path / "somebody")
    (tmp_path / "somebody").mkdir()
    monkeypatch.setattr(datasets.mnist, "load_data_and_source", lambda path: (few_digits, f"{place} (FASTNET_DATA)"))
    page = tmp_path / "page.html"
    assert program.main([*QUICK, "--data", place, "--report", str(page)]) == 0
    text = page.read_text(encoding="utf-8")
    assert "Tested on 40 digits from MNIST." in text
    assert "somebody" not in text
    assert str(tmp_path) not in text


def test_plots_and_a_report_are_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("matplotlib", reason="needs matplotlib, which is not installed")
    page = tmp_path / "page.html"
    out = run(capsys, "--plots", str(tmp_path / "plots"), "--report", str(page))
    written = sorted((tmp_path / "plots").iterdir())
    assert len(written) >= 5
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in written)
    assert all(f"\n{path}\n" in out for path in [*written, page])
    text = page.read_text(encoding="utf-8")
    assert text.lower().startswith("<!doctype html>")
    assert "batch_size=128" in text


@pytest.mark.parametrize("option", ["--plots", "--report"])
def test_what_cannot_be_written_is_said_before_the_training(
    option: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("fastnet.plotting.require_matplotlib", lambda: None)
    (tmp_path / "file").write_text("in the way")
    assert program.main([*QUICK, option, str(tmp_path / "file" / "x")]) == 1
    captured = capsys.readouterr()
    assert captured.err.startswith(f"error: {option}: nothing can be written into {tmp_path / 'file'}")
    assert captured.err.count("\n") == 1
    assert captured.out == ""


@pytest.mark.parametrize("name", ["", "."])
def test_a_report_that_would_be_a_folder_is_refused(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert program.main([*QUICK, "--report", name and str(tmp_path)]) == 1
    captured = capsys.readouterr()
    assert captured.err == f"error: --report: {tmp_path if name else '.'} is a folder; expected a file's name\n"
    assert captured.out == ""


def test_plots_without_matplotlib_say_what_to_type_before_the_training(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    assert program.main([*QUICK, "--plots", str(tmp_path / "plots")]) == 1
    captured = capsys.readouterr()
    assert "python -m pip install matplotlib" in captured.err
    assert captured.out == ""
    assert not (tmp_path / "plots").exists()
