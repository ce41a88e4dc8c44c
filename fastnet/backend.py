"""The backend: the compiled kernels, or the same mathematics in plain NumPy, for reading, for debugging, for proving.

``FASTNET_BACKEND=reference`` chooses the NumPy ones from the start, `set_backend` at any time. A training on either
gives the same numbers up to rounding; the compiled one gives the same bits every time, whatever the threads.
"""

from __future__ import annotations

from fastnet import checks, kernels

_NAMES = {"compiled": "compiled", "reference": "reference"}


def backend() -> str:
    """``"compiled"`` or ``"reference"``."""
    return kernels.backend


def set_backend(name: str) -> None:
    """Computes with these kernels from now on.

    Raises:
        ValueError: if there is none of that name.
        TypeError: if it is no name.
    """
    kernels.use_backend(checks.choose("backend", name, _NAMES))
