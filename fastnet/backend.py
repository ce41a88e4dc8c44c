"""Chooses the backend: the compiled kernels, or the same mathematics in plain NumPy to read and debug.

``FASTNET_BACKEND=reference`` chooses NumPy from the start, `set_backend` at any time. Both give the same numbers up to
rounding. The compiled kernels give the same bits on any number of threads.
"""

from __future__ import annotations

import importlib
import sys
from typing import TYPE_CHECKING, Any

from fastnet import checks, kernels

if TYPE_CHECKING:
    from fastnet.config import epsilon, floatx, image_data_format, set_epsilon, set_floatx, set_image_data_format
    from fastnet.session import clear_session, get_uid

__all__ = [
    "backend", "clear_session", "epsilon", "floatx", "get_uid", "image_data_format", "set_backend", "set_epsilon",
    "set_floatx", "set_image_data_format",
]  # fmt: skip

_NAMES = {"compiled": "compiled", "reference": "reference"}


def __getattr__(name: str) -> Any:
    """Imports what Keras's module of this name has too, when it is first used."""
    if name not in __all__:
        raise checks.no_such(sys.modules[__name__], "fastnet.backend has no", name, sys._getframe(1))
    home = "session" if name in ("clear_session", "get_uid") else "config"
    return getattr(importlib.import_module(f"fastnet.{home}"), name)


def __dir__() -> list[str]:
    """Returns all names, also those that were not used yet."""
    return sorted({*globals(), *__all__})


def backend() -> str:
    """Returns the backend in use, ``"compiled"`` or ``"reference"``."""
    return kernels.backend


def set_backend(backend: str) -> None:
    """Chooses the kernels for all following computations.

    Args:
        backend: ``"compiled"`` or ``"reference"``.

    Raises:
        ValueError: if there is no backend of that name.
        TypeError: if `backend` is not a string.
    """
    kernels.use_backend(checks.choose("backend", backend, _NAMES))
