"""The progress bar: its format, when it draws, and what it costs."""

import io
import os
import pty
import re
import subprocess
import sys
import termios
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from helpers import on_terminal

from fastnet import Sequential, callbacks
from fastnet.layers import Dense
from fastnet.terminal import progress
from fastnet.terminal.progress import ProgressBar, check_verbose, format_duration, format_step, format_values


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
    monkeypatch.setattr(progress.screen, "columns", lambda stream: 40)
    ProgressBar(469, verbose=1).update(79, lambda: VALUES)
    assert screen.getvalue() == "\r 79/469 [..] - ETA: 0s - loss: 0.1114 …"


@pytest.mark.parametrize(
    ("columns", "line"),
    [
        (120, "469/469 [==============================] - 1s 2ms/step - loss: 0.1032 - accuracy: 0.9697"),
        (80, "469/469 [=====================] - 1s 2ms/step - loss: 0.1032 - accuracy: 0.9697"),
        (60, "469/469 [=] - 1s 2ms/step - loss: 0.1032 - accuracy: 0.9697"),
        (59, "469/469 - 1s 2ms/step - loss: 0.1032 - accuracy: 0.9697"),
        (55, "469/469 [=============] - 1s 2ms/step - loss: 0.1032 …"),
        (40, "469/469 - 1s 2ms/step - loss: 0.1032 …"),
        (38, "469/469 [==========] - loss: 0.1032 …"),
        (30, "469/469 [==] - loss: 0.1032 …"),
        (25, "469/469 - loss: 0.1032 …"),
        (20, "469/469 [=======] …"),
        (8, "469/469"),
        (5, "469/"),
        (1, ""),
    ],
)
def test_the_line_that_stays_fits_the_window(
    columns: int, line: str, screen: Terminal, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress.screen, "columns", lambda stream: columns)
    bar = ProgressBar(469, verbose=1)
    clock.now = 0.94
    bar.finish({"loss": 0.1032, "accuracy": 0.9697})
    assert screen.getvalue() == f"\r{line}\n"


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("genauigkeit_" + 70 * "x", " …"),
        ("正確さ", " - 正確さ: 0.5000"),  # three letters, six columns
        (20 * "正", " …"),
        ("e\u0301t\u00e9", " - e\u0301t\u00e9: 0.5000"),  # an accent of its own takes no column
        ("two\nlines\x1b[2J", r" - two\nlines\x1b[2J: 0.5000"),
        ("\ud800", r" - ?: 0.5000"),
    ],
)
def test_names_of_any_length_and_script_fit(
    name: str, shown: str, screen: Terminal, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress.screen, "columns", lambda stream: 70)
    bar = ProgressBar(9, verbose=1)
    clock.now = 0.01
    bar.finish({"loss": 0.25, name: 0.5})
    line = screen.getvalue().strip()
    assert line.endswith(f" - 0s 1ms/step - loss: 0.2500{shown}")
    wide = sum(letter == "正" or letter in "確さ" for letter in line) - line.count("\u0301")
    assert len(line) + wide <= 69


def test_a_name_that_the_stream_cannot_encode_is_escaped(monkeypatch: pytest.MonkeyPatch, clock: Clock) -> None:
    stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    monkeypatch.setattr(sys, "stdout", stream)
    bar = ProgressBar(1, verbose=2)
    bar.finish({"loss": 0.5, "genauigkeit_ä": 0.5})
    stream.seek(0)
    assert stream.read() == "1/1 - 0s - 0us/step - loss: 0.5000 - genauigkeit_\\xe4: 0.5000\n"


def test_a_window_that_shrinks_is_not_overrun_by_the_blanks_that_erase(
    screen: Terminal, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    columns = 100
    monkeypatch.setattr(progress.screen, "columns", lambda stream: columns)
    bar = ProgressBar(469, verbose=1)
    bar.update(79, lambda: VALUES)
    columns, clock.now = 40, 1.0
    bar.update(80, lambda: VALUES)
    assert len(screen.getvalue().rpartition("\r")[2]) == 39


def test_before_the_first_step_is_done_nothing_is_drawn(screen: Terminal, clock: Clock) -> None:
    bar = ProgressBar(2, verbose=1)
    bar.update(0, lambda: VALUES)
    assert screen.getvalue() == ""
    bar.update(1, lambda: VALUES)
    assert "1/2 [" in screen.getvalue()


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


def test_a_notebooks_line_is_not_cut_to_the_terminal_in_which_jupyter_runs(
    monkeypatch: pytest.MonkeyPatch, clock: Clock
) -> None:
    master, slave = pty.openpty()
    termios.tcsetwinsize(slave, (24, 40))
    stream = type("OutStream", (io.StringIO,), {"__module__": "ipykernel.iostream", "fileno": lambda self: slave})()
    monkeypatch.setattr(sys, "stdout", stream)
    bar = ProgressBar(469, verbose=1)
    bar.update(79, lambda: VALUES)
    assert stream.getvalue().endswith(" - ETA: 0s - loss: 0.1114 - accuracy: 0.9679")
    bar.finish(VALUES | {f"val_{name}": value for name, value in VALUES.items()})
    assert stream.getvalue().endswith("val_loss: 0.1114 - val_accuracy: 0.9679\n")
    assert 30 * "=" in stream.getvalue()
    os.close(slave)
    os.close(master)


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


def test_huge_values_are_shown_with_an_exponent() -> None:
    values = {"loss": 1.5e30, "a": -2e9, "b": 123456789.0, "c": float("inf"), "d": float("nan")}
    assert format_values(values) == " - loss: 1.5000e+30 - a: -2.0000e+09 - b: 123456789.0000 - c: inf - d: nan"


def test_a_name_that_would_move_the_cursor_is_shown_as_escapes() -> None:
    assert format_values({"a\x1b[2J\ud800": 0.5}) == r" - a\x1b[2J?: 0.5000"


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


LOOPS = """
import numpy as np, fastnet
from fastnet.terminal import progress

progress.INTERVAL = 0  # each step is drawn

class Watch(fastnet.callbacks.Callback):
    pass

def generator(rows, batch_size, with_targets=True):
    for i in range(0, rows, batch_size):
        yield (x[i : min(i + batch_size, rows)], y[i : min(i + batch_size, rows)])[: 1 + with_targets]

x, y = np.ones((300, 2), "f4"), np.tile([1.0, 0.0], (300, 1))
model = fastnet.Sequential([fastnet.layers.Input((2,)), fastnet.layers.Dense(2, activation="softmax")])
model.compile("adam", "categorical_crossentropy", ["accuracy", "mae", "top_k_categorical_accuracy"])
for verbose in ("auto", 1, 2, 0):
    for rows, batch_size in [(1, None), (31, None), (32, None), (33, None), (3, 1000), (300, 7), (300, 299), (300, 1)]:
        how = {"batch_size": batch_size, "verbose": verbose, "callbacks": [Watch()]}
        a, b = x[:rows], y[:rows]
        history = model.fit(a, b, epochs=2, validation_data=(a, b), **how)
        assert len(history.history) == 8
        model.fit(a, b, **how)
        model.evaluate(a, b, **how)
        model.predict(a, **how)
    model.fit(x, y, validation_split=0.5, validation_freq=2, epochs=2, verbose=verbose)
    model.predict(x[:0], verbose=verbose)
    for rows in (1, 64, 65):
        model.fit(generator(rows, 32), validation_data=generator(rows, 32), verbose=verbose)
        model.evaluate(generator(rows, 32), verbose=verbose)
        model.predict(generator(rows, 32, False), verbose=verbose)
    model.fit(generator(300, 32), epochs=2, steps_per_epoch=3, verbose=verbose)
    model.evaluate(x, y, batch_size=32, steps=2, verbose=verbose)
    model.predict(x, batch_size=32, steps=2, verbose=verbose)
    model.train_on_batch(x, y), model.test_on_batch(x[:1], y[:1]), model.predict_on_batch(x[:1])
"""


@pytest.mark.parametrize(
    ("columns", "given", "limit"),
    [(40, "", 39), (80, "", 79), (120, "", 119), (0, "", 79), (0, "50", 49), (80, "50", 49), (40, "200", 39)],
)
def test_on_a_real_terminal_every_loop_runs_and_every_line_fits(columns: int, given: str, limit: int) -> None:
    lines = on_terminal(["-W", "ignore", "-c", LOOPS], columns, **({"COLUMNS": given} if given else {}))
    unfinished = r" *\d+/(\d+( \[[=>.]+\])?|Unknown)( - ETA: \d+s)?"
    finished = r"(?P<n>\d+)/(?P=n)( \[=+\])? - \d+s( -)? \d+(m|µ)s/step"
    values = r"( - \w+: [\d.e+-]+)*( …)? *"
    for line in lines:
        assert len(line) <= limit
        assert re.fullmatch(rf"(?:Epoch \d/\d|(?:{unfinished}|{finished}){values})", line), line
    assert any("/Unknown" in line for line in lines)
    assert any(" …" in line for line in lines)  # four metrics, and those of the validation


@pytest.mark.parametrize(("columns", "more"), [(0, ""), (80, " …")])
def test_mpirun_gets_whole_lines_for_a_log_file(columns: int, more: str) -> None:
    """mpirun gives its ranks a terminal of 0 columns, also if its own output is a file."""
    code = """
from fastnet.terminal.progress import ProgressBar
ProgressBar(10, verbose=2).finish({"a_long_name_of_a_metric_" + str(i): 0.5 for i in range(3)})
"""
    (line,) = on_terminal(["-c", code], columns, OMPI_COMM_WORLD_SIZE="2")
    assert line.endswith(more or " - a_long_name_of_a_metric_2: 0.5000")


@pytest.mark.parametrize("columns", [40, 80])
def test_the_window_may_change_during_a_fit(columns: int) -> None:
    code = f"""
import numpy as np, fastnet, termios
from fastnet.terminal import progress
progress.INTERVAL = 0

class Resize(fastnet.callbacks.Callback):
    def on_train_batch_end(self, batch, logs=None):
        if batch == 10:
            print("resized")
            termios.tcsetwinsize(1, (24, {columns}))

model = fastnet.Sequential([fastnet.layers.Dense(2, activation="softmax")])
model.compile(loss="categorical_crossentropy", metrics=["accuracy"])
model.fit(np.ones((1000, 2)), np.tile([1.0, 0.0], (1000, 1)), batch_size=10, callbacks=Resize())
"""
    lines = on_terminal(["-c", code], columns=120 - columns)
    where = next(i for i, line in enumerate(lines) if line.endswith("resized"))
    assert max(map(len, lines[1:where])) == 119 - columns
    assert max(map(len, lines[where + 1 :])) == columns - 1


def test_the_bar_of_a_prediction_has_no_values() -> None:
    code = """
import numpy as np, fastnet
from fastnet.terminal import progress
progress.INTERVAL = 0
model = fastnet.Sequential([fastnet.layers.Dense(3)])
model.predict(np.ones((3000, 2)))
"""
    lines = on_terminal(["-c", code], columns=80)
    assert any("ETA" in line for line in lines)
    assert not any("outputs" in line for line in lines)


class Broken(io.StringIO):
    """A stream that takes nothing."""

    def __init__(self, error: Exception, terminal: bool) -> None:
        super().__init__()
        self._error = error
        self._terminal = terminal

    def isatty(self) -> bool:
        return self._terminal

    def write(self, text: str) -> int:
        raise self._error

    def flush(self) -> None:
        raise self._error


def train_with_all_that_prints() -> dict[str, Any]:
    """A training with a bar, and with callbacks that say what they do."""
    x, y = np.ones((100, 2)), np.tile([1.0, 0.0], (100, 1))
    model = Sequential([Dense(2, activation="softmax")])
    model.compile("sgd", "categorical_crossentropy", ["accuracy"])
    talkers = [
        callbacks.EarlyStopping("accuracy", patience=2, verbose=1, restore_best_weights=True),
        callbacks.ReduceLROnPlateau("accuracy", patience=1, verbose=1),
        callbacks.LearningRateScheduler(lambda epoch, rate: rate, verbose=1),
    ]
    history = model.fit(x, y, epochs=5, callbacks=talkers, validation_split=0.1)
    assert model.evaluate(x, y, return_dict=True).keys() == {"loss", "accuracy"}
    assert model.predict(x[:1]).shape == (1, 2)
    return history.history


@pytest.mark.parametrize("terminal", [True, False])
@pytest.mark.parametrize("error", [BrokenPipeError(), OSError(28, "full"), ValueError("closed"), RuntimeError("odd")])
def test_an_output_that_fails_ends_no_training(
    error: Exception, terminal: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress, "INTERVAL", 0)
    expected = train_with_all_that_prints()
    monkeypatch.setattr(sys, "stdout", Broken(error, terminal))
    assert train_with_all_that_prints().keys() == expected.keys()


@pytest.mark.parametrize("how", ["closed", "none", "without flush"])
def test_an_output_that_is_not_there_ends_no_training(how: str, monkeypatch: pytest.MonkeyPatch) -> None:
    stream: Any = {"closed": io.StringIO(), "none": None, "without flush": SimpleNamespace(write=len)}[how]
    if how == "closed":
        stream.close()
    monkeypatch.setattr(sys, "stdout", stream)
    assert len(train_with_all_that_prints()["loss"]) == 3  # patience


def test_a_reader_that_goes_away_ends_no_training() -> None:
    code = """
import os, sys, numpy as np, fastnet
class Stop(fastnet.callbacks.Callback):
    def on_epoch_end(self, epoch, logs=None):
        if epoch == 0:
            sys.stdin.readline()  # by now nobody reads
model = fastnet.Sequential([fastnet.layers.Dense(2, activation="softmax")])
model.compile(loss="categorical_crossentropy")
history = model.fit(np.ones((50, 2)), np.tile([1.0, 0.0], (50, 1)), epochs=3, callbacks=Stop())
os.write(2, b"%d epochs" % len(history.history["loss"]))
os._exit(0)
"""
    process = subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stdin
    assert process.stdout
    assert process.stderr
    assert process.stdout.readline() == b"Epoch 1/3\n"
    process.stdout.close()
    process.stdin.write(b"\n")
    process.stdin.close()
    assert process.stderr.read() == b"3 epochs"
    process.stderr.close()
    assert process.wait(60) == 0


def test_a_real_terminal_sees_one_line_an_epoch() -> None:
    code = """
import numpy as np, fastnet
model = fastnet.Sequential([fastnet.layers.Dense(2, activation="softmax")])
model.compile(loss="categorical_crossentropy")
model.fit(np.ones((1000, 2)), np.tile([1.0, 0.0], (1000, 1)), batch_size=10)
"""
    lines = on_terminal(["-c", code], columns=120)
    assert lines[0] == "Epoch 1/1"
    assert re.fullmatch(r"100/100 \[={30}\] - 0s \d+(m|µ)s/step - loss: [\d.e-]+ *", lines[-1])
    assert all(re.fullmatch(r" *\d+/100 \[[>=.]{30}\] - ETA: \d+s - loss: [\d.e-]+ *", line) for line in lines[1:-1])
