"""What a stream can show: colours by the environment, characters by the encoding."""

import io
import os
import pty
import sys
import termios
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any, TextIO

import pytest

from fastnet.terminal import screen


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("NO_COLOR", "FORCE_COLOR", "COLORTERM", "WT_SESSION", "TERM", "COLUMNS"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize(
    ("environment", "on_terminal", "in_file"),
    [
        ({}, 0, 0),
        ({"TERM": "xterm"}, 0, 0),
        ({"TERM": "xterm-256color"}, 256, 0),
        ({"TERM": "xterm-256color", "COLORTERM": "truecolor"}, 2**24, 0),
        ({"TERM": "xterm", "COLORTERM": "24bit"}, 2**24, 0),
        ({"WT_SESSION": "1"}, 2**24, 0),
        ({"TERM": "xterm-kitty"}, 2**24, 0),
        ({"TERM": "foot"}, 2**24, 0),
        ({"TERM": "xterm-direct"}, 2**24, 0),
        ({"TERM": "xterm-kitty", "NO_COLOR": "1"}, 0, 0),
        ({"TERM": "dumb", "COLORTERM": "truecolor"}, 0, 0),
        ({"TERM": "xterm-256color", "NO_COLOR": "1"}, 0, 0),
        ({"TERM": "xterm-256color", "NO_COLOR": ""}, 256, 0),  # empty is not set, says no-color.org
        ({"FORCE_COLOR": "1"}, 256, 256),
        ({"FORCE_COLOR": "0", "TERM": "xterm-256color"}, 256, 0),
        ({"FORCE_COLOR": "1", "COLORTERM": "truecolor"}, 2**24, 2**24),
        ({"FORCE_COLOR": "1", "NO_COLOR": "1"}, 0, 0),
    ],
)
def test_colors(environment: dict[str, str], on_terminal: int, in_file: int, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert screen.colors(Terminal()) == on_terminal
    assert screen.colors(io.StringIO()) == in_file


def test_a_closed_stream_and_a_stand_in_show_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    closed = io.StringIO()
    closed.close()
    for stream in (closed, object()):
        assert screen.colors(stream) == 0  # type: ignore[arg-type]
        assert screen.columns(stream) is None  # type: ignore[arg-type]
        assert not screen.redraws(stream)  # type: ignore[arg-type]
        assert not screen.is_terminal(stream)  # type: ignore[arg-type]


def test_a_missing_standard_output_shows_only_ascii(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLORTERM", "truecolor")
    monkeypatch.setattr(sys, "stdout", None)
    assert screen.colors() == 0
    assert screen.columns() is None
    assert not screen.is_terminal(sys.stdout)
    assert screen.shows("a")
    assert not screen.shows("█")


@pytest.mark.parametrize(
    ("encoding", "shown"), [("utf-8", "▀▄█░▒▓┤└●"), ("cp437", "▀▄█░▒▓┤└"), ("cp1252", ""), ("ascii", ""), ("none", "")]
)
def test_characters(encoding: str, shown: str) -> None:
    stream = SimpleNamespace(encoding=encoding)
    assert "".join(letter for letter in "▀▄█░▒▓┤└●" if screen.shows(letter, stream)) == shown  # type: ignore[arg-type]


@pytest.fixture
def window() -> Iterator[TextIO]:
    """A terminal of 43 columns."""
    master, slave = pty.openpty()
    termios.tcsetwinsize(slave, (24, 43))
    with open(slave, "w", encoding="utf-8") as stream:
        yield stream
    os.close(master)


def test_the_width_is_the_terminals(window: TextIO) -> None:
    assert screen.is_terminal(window)
    assert (screen.columns(window), screen.room(window)) == (43, 42)
    termios.tcsetwinsize(window.fileno(), (0, 0))
    assert screen.columns(window) is None  # as of a serial line, whose width nobody knows
    assert screen.room(window) == 79


@pytest.mark.parametrize(
    ("text", "of_43", "of_0"),
    [("30", 30, 30), ("50", 43, 50), (" 30 ", 30, 30)]
    + [(text, 43, None) for text in ("", "0", "-5", "wide", "3.5", 5000 * "9")],
)
def test_the_environment_can_make_it_narrower_or_say_it_where_the_terminal_does_not(
    text: str, of_43: int, of_0: int | None, window: TextIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", text)
    assert screen.columns(window) == of_43
    termios.tcsetwinsize(window.fileno(), (0, 0))
    assert screen.columns(window) == of_0
    assert screen.columns(io.StringIO()) is None  # a file has no width


def test_a_notebook_has_no_width_but_that_of_the_terminal_where_it_was_started(window: TextIO) -> None:
    cell = type("OutStream", (io.StringIO,), {"__module__": "ipykernel.iostream", "fileno": window.fileno})()
    assert screen.columns(cell) is None
    assert screen.room(cell) is None
    assert screen.redraws(cell)


@pytest.mark.parametrize(("interactive", "room"), [(True, 79), (False, None)])
def test_rs_console_is_assumed_to_have_the_usual_width(interactive: bool, room: int | None) -> None:
    class OutputRemap:
        """As reticulate's: it has the attributes of Python's own output, such as a file number, but no terminal."""

        def isatty(self) -> bool:
            return interactive

        def fileno(self) -> int:
            raise OSError

    OutputRemap.__module__ = "rpytools.output"
    console: Any = OutputRemap()
    assert (screen.redraws(console), screen.room(console)) == (interactive, room)


def test_codes_take_no_room_and_wide_letters_two_columns() -> None:
    assert screen.width_of("\x1b[38;5;231;48;5;16m▀\x1b[0m ab") == 4
    assert screen.width_of("正確 e\u0301ｗ▒…") == 4 + 1 + 1 + 2 + 2
    assert [screen.cut("a正確b", width) for width in (6, 5, 4, 3, 0)] == ["a正確b", "a正確", "a正", "a正", ""]


def test_what_does_not_show_is_escaped() -> None:
    utf8, ascii_only = (SimpleNamespace(encoding=name) for name in ("utf-8", "ascii"))
    for stream, text in ((utf8, "正 a"), (ascii_only, r"\u6b63 a"), (io.StringIO(), "正 a")):
        assert screen.printable("正 a", stream=stream) == text  # type: ignore[arg-type]
    assert screen.printable("a\n\r\x1b[2J\ud800", stream=utf8) == r"a\n\r\x1b[2J?"  # type: ignore[arg-type]
