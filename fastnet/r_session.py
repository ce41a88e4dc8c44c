"""R: whether fastnet runs inside an R session, over R's package reticulate, and what is written differently there."""

import sys

NA = -(2**31)  # how a missing whole number of R arrives; R itself has no such number


def is_running() -> bool:
    """Returns whether this Python was started by reticulate, whose own Python package is rpytools."""
    return "rpytools" in sys.modules


def code(python: str, r: str) -> str:
    """Returns code for a hint, in the language in which the user writes."""
    return r if is_running() else python
