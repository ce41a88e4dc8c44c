"""What a stream can show: colours by the environment, characters by the encoding."""

import fcntl
import io
import os
import pty
import struct
import sys
import termios
from types import SimpleNamespace

import pytest

from fastnet import terminal


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("NO_COLOR", "FORCE_COLOR", "COLORTERM", "WT_SESSION", "TERM"):
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
    assert terminal.colors(Terminal()) == on_terminal
    assert terminal.colors(io.StringIO()) == in_file


def test_a_closed_stream_and_a_stand_in_show_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    closed = io.StringIO()
    closed.close()
    for stream in (closed, object()):
        assert terminal.colors(stream) == 0  # type: ignore[arg-type]
        assert terminal.columns(stream) is None  # type: ignore[arg-type]
        assert not terminal.redraws(stream)  # type: ignore[arg-type]
        assert not terminal.is_terminal(stream)  # type: ignore[arg-type]


def test_a_missing_standard_output_shows_only_ascii(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLORTERM", "truecolor")
    monkeypatch.setattr(sys, "stdout", None)
    assert terminal.colors() == 0
    assert terminal.columns() is None
    assert not terminal.is_terminal(sys.stdout)
    assert terminal.shows("a")
    assert not terminal.shows("█")


@pytest.mark.parametrize(
    ("encoding", "shown"), [("utf-8", "▀▄█░▒▓┤└●"), ("cp437", "▀▄█░▒▓┤└"), ("cp1252", ""), ("ascii", ""), ("none", "")]
)
def test_characters(encoding: str, shown: str) -> None:
    stream = SimpleNamespace(encoding=encoding)
    assert "".join(letter for letter in "▀▄█░▒▓┤└●" if terminal.shows(letter, stream)) == shown  # type: ignore[arg-type]


def test_the_width_is_the_terminals() -> None:
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 43, 0, 0))
    with open(slave, "w") as stream:
        assert terminal.columns(stream) == 43
        assert terminal.is_terminal(stream)
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 0, 0, 0, 0))
        assert terminal.columns(stream) is None  # as of a serial line, whose width nobody knows
    os.close(master)


def test_codes_take_no_room() -> None:
    assert terminal.width_of("\x1b[38;5;231;48;5;16m▀\x1b[0m ab") == 4
