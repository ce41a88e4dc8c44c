"""What a stream can show: whether it redraws a line, how wide it is, which characters and how many colours it knows."""

import os
import re
import sys
from typing import TextIO

_USUAL = 80  # columns of a terminal that does not report them
_CODES = re.compile(r"\x1b\[[0-9;]*m")
# Control characters, line separators, changes of the writing direction, and what has no width.
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\xad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff]")
_TRUE_COLOR = re.compile(r".*-direct\d*|xterm-kitty|xterm-ghostty|alacritty|foot|wezterm")  # values of TERM


def is_terminal(stream: TextIO | None) -> bool:
    """Whether somebody sits there; not if there is no stream, as in a program without a console."""
    try:
        return stream is not None and stream.isatty()
    except (AttributeError, ValueError):  # a stand-in for a stream, or a closed one
        return False


def redraws(stream: TextIO) -> bool:
    """Whether a carriage return takes the cursor back to the line's beginning: a terminal, or a notebook's cell."""
    return _is_notebook(stream) or is_terminal(stream)


def columns(stream: TextIO | None = None) -> int | None:
    """The width of the terminal, by default standard output's; None if there is no terminal, or it reports 0 columns.

    COLUMNS, if it is set, can make the text narrower than the window, or say how wide a terminal is that does not
    report it. It makes no line longer than the window.
    """
    reported = _reported(stream or sys.stdout)
    if reported is None:
        return None
    wanted = os.environ.get("COLUMNS", "").strip()
    known = [reported, int(wanted) if wanted.isdecimal() and len(wanted) < 10 else 0]
    return min((width for width in known if width), default=None)


def room(stream: TextIO) -> int | None:
    """How many columns a line may take without wrapping; None if it may take any, as in a file or a notebook.

    One less than the window has: some terminals begin a new line as soon as the last column is written. A terminal
    that reports 0 columns is taken to have 80.
    """
    width = columns(stream) or (_USUAL if _reported(stream) == 0 else None)
    return None if width is None else width - 1


def _reported(stream: TextIO | None) -> int | None:
    """The columns that the stream's terminal reports, 0 if it does not know them; None if there is no terminal."""
    if stream is None or _is_notebook(stream):  # whose file, if there is one, is the terminal that Jupyter runs in
        return None
    try:
        return os.get_terminal_size(stream.fileno()).columns
    except (AttributeError, OSError, TypeError, ValueError):
        return None


def _is_notebook(stream: TextIO) -> bool:
    return type(stream).__module__.startswith("ipykernel.")


def shows(text: str, stream: TextIO | None = None) -> bool:
    """Whether the stream, by default standard output, can encode the text."""
    encoding = getattr(stream or sys.stdout, "encoding", None) or "ascii"
    try:
        text.encode(encoding)
    except (UnicodeEncodeError, LookupError):
        return False
    return True


def printable(text: str, keep: str = "", stream: TextIO | None = None) -> str:
    """The text with control characters as escapes, such as \\x1b, and halves of surrogate pairs as question marks.

    A name comes from a user or a file. A control character in it could move the cursor or break a table, and half of a
    surrogate pair cannot be encoded, so that printing or writing it would end in an error.

    Args:
        text: any text.
        keep: control characters that stay as they are, such as a newline.
        stream: where it will be written; what cannot be encoded there is an escape too.

    Example:
        >>> print(printable("a\\x1b[31m\\ud800"))
        a\\x1b[31m?
    """
    whole = text.encode("utf-8", "replace").decode()
    escaped = _CONTROL.sub(lambda found: found[0] if found[0] in keep else ascii(found[0])[1:-1], whole)
    encoding = getattr(stream, "encoding", None)  # a StringIO has none, and takes all
    return escaped.encode(encoding, "backslashreplace").decode(encoding) if encoding else escaped


def colors(stream: TextIO | None = None) -> int:
    """How many colours the stream, by default standard output, shows: 2^24, 256, or 0 where codes would be noise.

    The environment decides as users know it from other programs: NO_COLOR (https://no-color.org) forbids colours,
    FORCE_COLOR (https://force-color.org) asks for them also where there is no terminal, COLORTERM and TERM say what
    the terminal can (TERM alone behind ssh, which drops COLORTERM), WT_SESSION that it is Windows Terminal. A terminal
    of 16 colours has too few greys: none.
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
    """How many columns a line takes; codes for colours take none, and letters of East Asian scripts two."""
    text = _CODES.sub("", line)
    return len(text) if text.isascii() else sum(map(_width_of_letter, text))


def cut(line: str, width: int) -> str:
    """The beginning of a line without codes, in at most `width` columns."""
    while width_of(line) > width:
        line = line[:-1]
    return line


def _width_of_letter(letter: str) -> int:
    import unicodedata

    if unicodedata.category(letter) in ("Mn", "Me", "Cf"):  # an accent on the letter before, or a mark for joining
        return 0
    return 2 if unicodedata.east_asian_width(letter) in "WF" else 1
