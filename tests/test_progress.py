"""The progress bar: its format, when it draws, and what it costs."""

import io
import os
import pty
import re
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest

from fastnet import Sequential, progress
from fastnet.layers import Dense
from fastnet.progress import ProgressBar, check_verbose, format_duration, format_step, format_values


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    encoding = "utf-8"  # type: ignore[assignment]

    def isatty(self) -> bool:
        return True


class Clock:
    """A clock that the test turns."""

    now = 0.0

    def perf_counter(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(progress, "time", clock)
    return clock


@pytest.fixture
def screen(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    terminal = Terminal()
    monkeypatch.setattr(progress, "sys", SimpleNamespace(stdout=terminal))  # pytest itself replaces sys.stdout
    return terminal


VALUES = {"loss": 0.11144, "accuracy": 0.96789}


def test_the_line_is_the_tutorials(screen: Terminal, clock: Clock) -> None:
    bar = ProgressBar(469, verbose=1)
    clock.now = 0.2
    bar.update(79, lambda: VALUES)
    assert screen.getvalue() == "\r 79/469 [====>.........................] - ETA: 1s - loss: 0.1114 - accuracy: 0.9679"
    clock.now = 0.94
    bar.finish({"loss": 0.1032, "accuracy": 0.9697})
    last = screen.getvalue().rpartition("\r")[2]
    assert last == "469/469 [==============================] - 1s 2ms/step - loss: 0.1032 - accuracy: 0.9697\n"


def test_it_is_redrawn_about_ten_times_a_second_and_asks_for_values_only_then(screen: Terminal, clock: Clock) -> None:
    bar = ProgressBar(10_000, verbose=1)
    asked = []
    for step in range(1, 10_000):
        clock.now = step / 1000
        bar.update(step, lambda: asked.append(1) or VALUES)  # type: ignore[func-returns-value]
    assert 90 <= len(asked) <= 101
    assert screen.getvalue().count("\r") == len(asked)


def test_a_shorter_line_leaves_nothing_of_a_longer_one(screen: Terminal, clock: Clock) -> None:
    bar = ProgressBar(100, verbose=1)
    bar.update(1, lambda: {"a_metric_with_a_long_name": 1.0})
    long = len(screen.getvalue()) - 1
    clock.now = 1
    bar.update(2, dict)
    assert len(screen.getvalue().rpartition("\r")[2]) == long


def test_a_line_never_wraps_while_it_is_redrawn(
    screen: Terminal, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress.terminal, "columns", lambda stream: 40)
    ProgressBar(469, verbose=1).update(79, lambda: VALUES)
    assert len(screen.getvalue()) - 1 == 39


def test_an_interrupted_line_is_ended(screen: Terminal, clock: Clock) -> None:
    bar = ProgressBar(10, verbose=1)
    bar.update(1, dict)
    bar.close()
    bar.close()
    assert screen.getvalue().count("\n") == 1


@pytest.mark.parametrize("verbose", [1, 2])
def test_without_a_terminal_there_is_one_plain_line(
    verbose: int, capsys: pytest.CaptureFixture[str], clock: Clock
) -> None:
    bar = ProgressBar(469, verbose)
    for step in range(1, 470):
        clock.now = step
        bar.update(step, lambda: VALUES)
    bar.finish(VALUES)
    assert capsys.readouterr().out == "469/469 - 469s - 1s/step - loss: 0.1114 - accuracy: 0.9679\n"


def test_verbose_2_is_plain_on_a_terminal_too(screen: Terminal, clock: Clock) -> None:
    bar = ProgressBar(10, verbose=2)
    bar.update(3, lambda: VALUES)
    clock.now = 0.001
    bar.finish({})
    assert screen.getvalue() == "10/10 - 0s - 100µs/step\n"


def test_verbose_0_shows_nothing(screen: Terminal) -> None:
    bar = ProgressBar(10, verbose=0)
    bar.update(3, lambda: VALUES)
    bar.finish(VALUES)
    bar.close()
    assert screen.getvalue() == ""


def test_a_missing_stdout_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", None)
    bar = ProgressBar(10, verbose=1)
    bar.update(1, dict)
    bar.finish({})


def test_a_notebooks_cell_is_redrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = type("OutStream", (io.StringIO,), {"__module__": "ipykernel.iostream"})()
    monkeypatch.setattr(sys, "stdout", stream)
    bar = ProgressBar(10, verbose=1)
    bar.update(1, dict)
    bar.finish({})
    assert stream.getvalue().count("\r") == 2


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0s"), (1.4, "1s"), (59.6, "1:00"), (185, "3:05"), (3600, "1:00:00"), (3723, "1:02:03")]
)
def test_durations(seconds: float, text: str) -> None:
    assert format_duration(seconds) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(12.3, "12s"), (1, "1s"), (0.9994, "999ms"), (0.9996, "1s"), (2e-3, "2ms"), (3e-4, "300µs")],
)  # fmt: skip
def test_times_a_step(seconds: float, text: str) -> None:
    assert format_step(seconds) == f"{text}/step"


def test_small_values_are_shown_with_an_exponent() -> None:
    assert format_values({"loss": 1.2345e-4, "gain": -0.5}) == " - loss: 1.2345e-04 - gain: -0.5000"


@pytest.mark.parametrize(("given", "level"), [("auto", 1), (0, 0), (1, 1), (2, 2), (True, 1), (np.int64(2), 2)])
def test_verbose_values(given: object, level: int) -> None:
    assert check_verbose(given) == level


def test_a_terminal_that_knows_no_micro_gets_us(monkeypatch: pytest.MonkeyPatch, clock: Clock) -> None:
    stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    monkeypatch.setattr(sys, "stdout", stream)
    bar = ProgressBar(10, verbose=2)
    clock.now = 0.001
    bar.finish({})
    stream.seek(0)
    assert stream.read() == "10/10 - 0s - 100us/step\n"


def test_fit_and_evaluate_show_their_steps(capsys: pytest.CaptureFixture[str]) -> None:
    x, y = np.ones((10_000, 2)), np.tile([1.0, 0.0], (10_000, 1))
    model = Sequential([Dense(2, activation="softmax")])
    model.compile(loss="categorical_crossentropy", metrics=["accuracy"])
    model.fit(x, y, epochs=2, batch_size=128)
    model.evaluate(x, y)
    model.predict(x)
    lines = capsys.readouterr().out.splitlines()
    step = r"\d+s - \d+(m|µ|)s/step"
    metrics = r" - loss: [\d.e-]+ - accuracy: [\d.]+"
    expected = [r"Epoch 1/2", f"79/79 - {step}{metrics}", r"Epoch 2/2", f"79/79 - {step}{metrics}"]
    expected += [f"313/313 - {step}{metrics}", f"313/313 - {step}"]
    assert len(lines) == len(expected)
    for line, pattern in zip(lines, expected, strict=True):
        assert re.fullmatch(pattern, line), line


def test_a_real_terminal_sees_one_line_an_epoch() -> None:
    code = """
import numpy as np, fastnet
model = fastnet.Sequential([fastnet.layers.Dense(2, activation="softmax")])
model.compile(loss="categorical_crossentropy")
model.fit(np.ones((1000, 2)), np.tile([1.0, 0.0], (1000, 1)), batch_size=10)
"""
    master, slave = pty.openpty()
    subprocess.run([sys.executable, "-c", code], stdout=slave, check=True, timeout=60)
    os.close(slave)
    seen = os.read(master, 100_000).decode()
    os.close(master)
    lines = [line.rpartition("\r")[2] for line in seen.replace("\r\n", "\n").rstrip("\n").split("\n")]
    assert lines[0] == "Epoch 1/1"
    assert re.fullmatch(r"100/100 \[={30}\] - 0s \d+(m|µ)s/step - loss: [\d.e-]+ *", lines[1])
    assert len(lines) == 2
