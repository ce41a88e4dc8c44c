"""Converts a user's number to an integer: 512, np.int64(512), and 512.0, because R writes 512 as a float."""

import operator
from typing import Any

import numpy as np


def as_int(value: Any) -> int:
    """Returns a whole number of any type of Python or NumPy, also in an array without dimensions, as an int.

    Raises:
        TypeError: if it is no whole number, such as 2.5 or NaN, or is a bool.

    Example:
        >>> as_int(np.array(512.0))
        512
    """
    if isinstance(value, np.ndarray) and value.ndim == 0:
        value = value[()]
    if isinstance(value, bool | np.bool_):
        raise TypeError("a bool is not a number of things")
    return int(value) if isinstance(value, float | np.floating) and value.is_integer() else operator.index(value)
