"""What a stream can show: whether it redraws a line, how wide it is, which characters it knows."""

import os
import sys
from typing import TextIO


def redraws(stream: TextIO) -> bool:
    """Whether a carriage return takes the cursor back to the line's beginning: a terminal, or a notebook's cell."""
    if type(stream).__module__.startswith("ipykernel."):
        return True
    try:
        return stream.isatty()
    except (AttributeError, ValueError):  # a stand-in for a stream, or a closed one
        return False


def columns(stream: TextIO) -> int | None:
    """The terminal's width; None if the stream has none, as a notebook's."""
    try:
        return os.get_terminal_size(stream.fileno()).columns or None
    except (AttributeError, OSError, ValueError):
        return None


def shows(text: str, stream: TextIO | None = None) -> bool:
    """Whether the stream, by default standard output, can encode the text."""
    encoding = getattr(stream or sys.stdout, "encoding", None) or "ascii"
    try:
        text.encode(encoding)
    except (UnicodeEncodeError, LookupError):
        return False
    return True
