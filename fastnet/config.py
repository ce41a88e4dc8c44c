"""The settings of Keras's module of this name. fastnet has one value of each, and refuses to set another."""

from __future__ import annotations

from typing import Any

from fastnet.backend import backend, set_backend

__all__ = [
    "backend", "epsilon", "floatx", "image_data_format", "set_backend", "set_epsilon", "set_floatx",
    "set_image_data_format",
]  # fmt: skip

_EPSILON = 1e-7


def floatx() -> str:
    """Returns the type of all weights and results, ``"float32"``."""
    return "float32"


def set_floatx(value: str) -> None:
    """Accepts ``"float32"``; raises ValueError for any other type."""
    _only("floatx", value, floatx())


def epsilon() -> float:
    """Returns the small number that keeps logarithms and quotients finite, 1e-7. The kernels contain it."""
    return _EPSILON


def set_epsilon(value: float) -> None:
    """Accepts 1e-7; raises ValueError for any other number."""
    _only("epsilon", value, epsilon())


def image_data_format() -> str:
    """Returns the place of an image's colours in its shape, ``"channels_last"``."""
    return "channels_last"


def set_image_data_format(data_format: str) -> None:
    """Accepts ``"channels_last"``; raises ValueError for any other value."""
    _only("data_format", data_format, image_data_format())


def _only(argument: str, value: Any, expected: Any) -> None:
    if value != expected:
        raise ValueError(f"{argument} must be {expected!r}, the only one that fastnet has, got {value!r}")
