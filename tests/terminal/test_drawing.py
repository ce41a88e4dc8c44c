"""Pictures as text, on streams that show colours, blocks or only ASCII, wide and narrow."""

from __future__ import annotations

import io
import re
from typing import Any

import numpy as np
import pytest

from fastnet.terminal import drawing, screen

RING = np.zeros((28, 28), np.uint8)
RING[6:22, 6:22] = 255
RING[10:18, 10:18] = 0


class Stream(io.StringIO):
    """A stand-in for a terminal, or for a file."""

    def __init__(self, encoding: str = "utf-8", terminal: bool = True) -> None:
        super().__init__()
        self._encoding, self._terminal = encoding, terminal

    @property
    def encoding(self) -> str:  # type: ignore[override]
        return self._encoding

    def isatty(self) -> bool:
        return self._terminal


@pytest.fixture
def width(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Sets the window's width."""
    monkeypatch.setattr(screen, "columns", lambda stream=None: None)
    return lambda n: monkeypatch.setattr(screen, "columns", lambda stream=None: n)


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("NO_COLOR", "FORCE_COLOR", "COLORTERM", "WT_SESSION"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm")


def decoded(text: str) -> np.ndarray:
    """The greys of half blocks in 24-bit colours, two rows a line."""
    rows = []
    for line in text.split("\n"):
        runs = re.findall(r"\x1b\[38;2;(\d+);\1;\1;48;2;(\d+);\2;\2m(▀+)", line)
        rows += [[int(run[i]) for run in runs for _ in run[2]] for i in (0, 1)]
    return np.array(rows)


def test_in_colours_every_pixel_is_there(width: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLORTERM", "truecolor")
    image = np.arange(8 * 28, dtype=np.uint8).reshape(8, 28)
    text = drawing.digit(image, stream=Stream())
    np.testing.assert_array_equal(decoded(text), image)
    assert all(line.endswith("\x1b[0m") for line in text.split("\n"))


def test_an_odd_number_of_rows_is_filled_up_with_paper(width: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLORTERM", "truecolor")
    seen = decoded(drawing.digit(np.full((3, 2), 9), stream=Stream()))
    np.testing.assert_array_equal(seen, [[9, 9], [9, 9], [9, 9], [0, 0]])


@pytest.mark.parametrize(
    ("grey", "code"),
    [(0, 16), (3, 16), (4, 232), (12, 232), (13, 233), (128, 244), (238, 255), (246, 255), (247, 231), (255, 231)],
)
def test_of_256_colours_the_nearest_grey_is_taken(
    grey: int, code: int, width: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    image = np.array([[255, grey], [255, grey]])
    other = f"\x1b[38;5;{code};48;5;{code}m" if grey != 255 else ""  # what is set already is not set again
    assert drawing.digit(image, stream=Stream()) == f"\x1b[38;5;231;48;5;231m▀{other}▀\x1b[0m"


def test_colours_on_an_encoding_without_blocks_are_left_out(width: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLORTERM", "truecolor")
    assert drawing.digit([[0, 255, 9]], stream=Stream("cp1252")) == "  @@.."


@pytest.mark.parametrize(("encoding", "ink"), [("utf-8", "█"), ("cp437", "█"), ("ascii", "@"), ("latin-1", "@")])
def test_without_colours_ink_is_dense(encoding: str, ink: str, width: Any) -> None:
    text = drawing.digit(RING, stream=Stream(encoding, terminal=False))
    text.encode(encoding)
    lines = text.split("\n")
    assert len(lines) == 16  # empty rows are left out
    assert lines[0] == " " * 12 + ink * 32
    assert lines[5] == " " * 12 + ink * 8 + " " * 16 + ink * 8


def test_shades_grow_with_the_ink_and_the_least_is_seen(width: Any) -> None:
    assert drawing.digit([[0, 1, 64, 128, 255]], stream=Stream()) == "  ░░▒▒▓▓██"
    assert drawing.digit([[0, 1, 64, 128, 255]], stream=Stream("ascii")) == "  ..++##@@"


@pytest.mark.parametrize(("encoding", "text"), [("utf-8", " ▄▀█"), ("cp437", " ▄▀█"), ("cp1252", " @@@")])
def test_in_a_narrow_window_a_character_holds_two_pixels(encoding: str, text: str, width: Any) -> None:
    width(7)
    assert drawing.digit([[0, 0, 255, 255], [0, 255, 0, 255]], stream=Stream(encoding)) == text
    assert drawing.digit([[0, 0, 255, 255], [0, 255, 0, 255]], width=7, stream=Stream(encoding)) == text


@pytest.mark.parametrize("colors", ["", "truecolor"])
@pytest.mark.parametrize("encoding", ["utf-8", "ascii"])
@pytest.mark.parametrize("columns", [100, 56, 40, 28, 20, 9, 1])
def test_no_line_is_wider_than_the_window(
    columns: int, encoding: str, colors: str, width: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLORTERM", colors)
    width(columns)
    text = drawing.digit(RING, stream=Stream(encoding))
    assert max(screen.width_of(line) for line in text.split("\n")) <= columns
    assert any(mark in text for mark in "▀█@")


def test_an_empty_image_is_a_line() -> None:
    assert drawing.digit(np.zeros((28, 28)), stream=Stream(terminal=False)) == ""


def test_pictures_stand_side_by_side_as_the_window_allows(width: Any) -> None:
    pictures, captions = ["ab\n\x1b[31mc\x1b[0m", "xyz\nuvw", "q"], ["one", "two", "three"]
    expected = "one  two\nab   xyz\n\x1b[31mc\x1b[0m    uvw\n\nthree\nq"
    width(14)
    assert drawing.side_by_side(pictures, captions, stream=Stream()) == expected
    assert drawing.side_by_side(pictures, captions, 8, Stream()) == expected
    assert drawing.side_by_side(pictures, captions, 15, Stream()).count("\n\n") == 0
    assert drawing.side_by_side(pictures, captions, 7, Stream()).count("\n\n") == 2


@pytest.mark.parametrize(("share", "text"), [(0, ""), (1, "████"), (0.5, "██"), (0.28, "█▏"), (-1, ""), (2, "████")])
def test_bars(share: float, text: str) -> None:
    assert drawing.bar(share, 4, Stream()) == text
    assert drawing.bar(share, 4, Stream("cp437")) == "#" * min(max(round(4 * share), 0), 4)


PROBABILITIES = [0.0, 0.75, *[0.0] * 7, 0.25]


@pytest.mark.parametrize("encoding", ["utf-8", "cp437", "ascii"])
@pytest.mark.parametrize("columns", [20, 28, 40, 46, 47, 60, 80, 100])
def test_an_answer_stays_in_the_window(columns: int, encoding: str, width: Any) -> None:
    width(columns)
    lines = drawing.answer(RING, PROBABILITIES, ("a 0", "probabilities"), stream=Stream(encoding)).split("\n")
    assert max(map(len, lines)) <= columns
    assert any(re.search(r"1  75\.0% [█#]", line) for line in lines)
    assert any(re.search("[█@]{16}" if columns >= 28 else "[█@]{8}", line) for line in lines)  # not made smaller
    assert ("probabilities" in lines[0]) == (columns >= 47)  # beside the digit, or below it


def test_of_no_known_width_an_answer_takes_80_columns(width: Any) -> None:
    lines = drawing.answer(RING, PROBABILITIES, ("a 0", "probabilities"), stream=Stream(terminal=False)).split("\n")
    assert len(lines) == 11
    assert lines[2].endswith("1  75.0% " + 15 * "█")
    assert lines[10].endswith("9  25.0% █████")


@pytest.mark.parametrize(
    ("encoding", "lines"),
    [
        ("utf-8", ["3 ┤    ▀", "  │       ▀", "1 ┤ ▄", "  └─────────", "    1     3"]),
        ("cp437", ["3 ┤    ▀", "  │       ▀", "1 ┤ ▄", "  └─────────", "    1     3"]),
        ("cp1252", ["3 +    '", "  |       '", "1 + .", "  +---------", "    1     3"]),
    ],
)
def test_a_curve_has_its_marks_in_their_places(encoding: str, lines: list[str], width: Any) -> None:
    assert drawing.curve([1, 3, 2], height=3, stream=Stream(encoding)).split("\n") == lines


@pytest.mark.parametrize("values", [[2.0], [1, 1, 1], [float("nan"), 1, 2], [1, float("-inf"), 2], [1e-9, 1e9]])
def test_curves_of_odd_numbers_have_a_mark_for_each_that_is_finite(values: list[float], width: Any) -> None:
    text = drawing.curve(values, stream=Stream())
    assert text.count("▀") + text.count("▄") == sum(np.isfinite(values))
    assert text.count("┤") == (1 if len({value for value in values if np.isfinite(value)}) == 1 else 2)


@pytest.mark.parametrize("values", [[], [float("nan")], [float("inf")]])
def test_of_no_finite_number_there_is_no_curve(values: list[float]) -> None:
    assert drawing.curve(values) == "no finite value"


@pytest.mark.parametrize("epochs", [2, 12, 20, 70, 200])
@pytest.mark.parametrize("columns", [12, 30, 80])
def test_a_long_curve_stays_in_the_window_and_has_both_ends(columns: int, epochs: int, width: Any) -> None:
    width(columns)
    lines = drawing.curve(list(range(epochs)), stream=Stream()).split("\n")
    assert max(map(len, lines)) <= columns
    assert re.fullmatch(rf" +1 *{epochs}", lines[-1])
    marks = sum(line.count("▀") + line.count("▄") for line in lines)
    assert marks == min(epochs, columns - len(f"{epochs - 1} ┤"))
    assert lines[0][-1] == "▀"
