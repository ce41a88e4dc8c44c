"""Finds out what a stream can show: redrawn lines, its width, its characters and colours."""

import os
import re
import sys
from typing import TextIO

_USUAL = 80  # assumed columns of a terminal that does not report them
_CODES = re.compile(r"\x1b\[[0-9;]*m")
# Control characters, line separators, changes of the writing direction, and characters without a width.
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\xad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff]")
_TRUE_COLOR = re.compile(r".*-direct\d*|xterm-kitty|xterm-ghostty|alacritty|foot|wezterm")  # values of TERM


def is_terminal(stream: TextIO | None) -> bool:
    """Returns whether the stream is a terminal; False if there is no stream, as in programs without a console."""
    try:
        return stream is not None and stream.isatty()
    except (AttributeError, ValueError):  # a stand-in for a stream, or a closed one
        return False


def redraws(stream: TextIO) -> bool:
    """Returns whether a carriage return lets a line be redrawn: on a terminal or in a notebook."""
    return _is_notebook(stream) or is_terminal(stream)


def columns(stream: TextIO | None = None) -> int | None:
    """Returns the width of a stream's terminal; None if there is no terminal, or its width is unknown.

    The environment variable COLUMNS can make the text narrower than the window, and gives the width if the terminal
    does not report it. It cannot make a line longer than the window.

    Args:
        stream: the stream; by default standard output.
    """
    reported = _reported(stream or sys.stdout)
    if reported is None:
        return None
    wanted = os.environ.get("COLUMNS", "").strip()
    known = [reported, int(wanted) if wanted.isdecimal() and len(wanted) < 10 else 0]
    return min((width for width in known if width), default=None)


def room(stream: TextIO) -> int | None:
    """Returns how many columns a line can have without wrapping; None for no limit, as in a file or a notebook.

    It is one less than the width of the window, because some terminals wrap as soon as the last column is written. A
    terminal that reports 0 columns is assumed to have 80.
    """
    width = columns(stream) or (_USUAL if _reported(stream) == 0 else None)
    return None if width is None else width - 1


def is_passed_on(stream: TextIO) -> bool:
    """Returns whether mpirun passes the output on: to its ranks, even a file looks like a terminal without a width."""
    return "OMPI_COMM_WORLD_SIZE" in os.environ and _reported(stream) == 0


def _reported(stream: TextIO | None) -> int | None:
    """Returns the columns that the terminal reports, 0 if it does not know them; None if there is no terminal."""
    if stream is None or _is_notebook(stream):  # a notebook's file may be the terminal in which Jupyter was started
        return None
    try:
        return os.get_terminal_size(stream.fileno()).columns
    except (AttributeError, OSError, TypeError, ValueError):
        return 0 if _is_rs_console(stream) and is_terminal(stream) else None


def _is_notebook(stream: TextIO) -> bool:
    return type(stream).__module__.startswith("ipykernel.")


def _is_rs_console(stream: TextIO) -> bool:
    """Returns whether R's package reticulate passes the output on to a console such as RStudio's."""
    return type(stream).__module__ == "rpytools.output"


def shows(text: str, stream: TextIO | None = None) -> bool:
    """Returns whether the stream, by default standard output, can encode the text."""
    encoding = getattr(stream or sys.stdout, "encoding", None) or "ascii"
    try:
        text.encode(encoding)
    except (UnicodeEncodeError, LookupError):
        return False
    return True


def printable(text: str, keep: str = "", stream: TextIO | None = None) -> str:
    """Replaces control characters by escapes such as \\x1b, and halves of surrogate pairs by question marks.

    Names come from users and files. A control character in a name could move the cursor or break a table. Half of a
    surrogate pair cannot be encoded, so printing it would raise an error.

    Args:
        text: any text.
        keep: control characters to keep, such as a newline.
        stream: the stream that will show it. Characters that it cannot encode become escapes too.

    Example:
        >>> print(printable("a\\x1b[31m\\ud800"))
        a\\x1b[31m?
    """
    whole = text.encode("utf-8", "replace").decode()
    escaped = _CONTROL.sub(lambda found: found[0] if found[0] in keep else ascii(found[0])[1:-1], whole)
    encoding = getattr(stream, "encoding", None)  # a StringIO has no encoding and accepts every character
    return escaped.encode(encoding, "backslashreplace").decode(encoding) if encoding else escaped


def colors(stream: TextIO | None = None) -> int:
    """Returns how many colours the stream, by default standard output, can show: 2^24, 256 or 0.

    The environment decides, as in other programs. NO_COLOR (https://no-color.org) forbids colours. FORCE_COLOR
    (https://force-color.org) asks for them even without a terminal. COLORTERM and TERM describe the terminal; over ssh
    there is only TERM. WT_SESSION is set by Windows Terminal. A terminal with 16 colours has too few greys, so it
    counts as 0.
    """
    environment = os.environ
    if environment.get("NO_COLOR"):
        return 0
    forced = environment.get("FORCE_COLOR", "") not in ("", "0")
    term = environment.get("TERM", "")
    if not forced and (term == "dumb" or not is_terminal(stream or sys.stdout)):
        return 0
    if environment.get("COLORTERM") in ("truecolor", "24bit") or environment.get("WT_SESSION"):
        return 2**24
    if _TRUE_COLOR.fullmatch(term):
        return 2**24
    return 256 if forced or "256color" in term else 0


def width_of(line: str) -> int:
    """Returns the width of a line in columns. Colour codes have no width; East Asian characters have two columns."""
    text = _CODES.sub("", line)
    return len(text) if text.isascii() else sum(map(_width_of_letter, text))


def cut(line: str, width: int) -> str:
    """Cuts a line without colour codes to at most `width` columns."""
    while width_of(line) > width:
        line = line[:-1]
    return line


def _width_of_letter(letter: str) -> int:
    import unicodedata

    if unicodedata.category(letter) in ("Mn", "Me", "Cf"):  # an accent on the letter before, or a joining mark
        return 0
    return 2 if unicodedata.east_asian_width(letter) in "WF" else 1
