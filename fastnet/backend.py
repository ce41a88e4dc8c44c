"""Chooses the backend: the compiled kernels, or the same mathematics in plain NumPy to read and debug.

``FASTNET_BACKEND=reference`` chooses NumPy from the start, `set_backend` at any time. Both give the same numbers up to
rounding. The compiled kernels give the same bits on any number of threads.
"""

from __future__ import annotations

from fastnet import checks, kernels
from fastnet.config import backend, epsilon, floatx, image_data_format, set_epsilon, set_floatx, set_image_data_format
from fastnet.session import clear_session, get_uid

__all__ = [
    "backend", "clear_session", "epsilon", "floatx", "get_uid", "image_data_format", "set_backend", "set_epsilon",
    "set_floatx", "set_image_data_format",
]  # fmt: skip

_NAMES = {"compiled": "compiled", "reference": "reference"}


def set_backend(name: str) -> None:
    """Chooses the kernels for all following computations.

    Args:
        name: ``"compiled"`` or ``"reference"``.

    Raises:
        ValueError: if there is no backend of that name.
        TypeError: if `name` is not a string.
    """
    kernels.use_backend(checks.choose("backend", name, _NAMES))
