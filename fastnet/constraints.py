"""Constraints: each projects a layer's weights onto the allowed set after each step of training."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastnet import checks
from fastnet.checks import Floats
from fastnet.recorded import Recorded

_EPSILON = np.float32(1e-7)  # Keras's: keeps a quotient from zero


class Constraint(Recorded):
    """Base of all constraints: called with an array, returns the nearest one that is allowed."""

    def __call__(self, w: Floats) -> Floats:
        """Computes the nearest allowed array, of w's shape."""
        raise NotImplementedError(f"{type(self).__name__} has no __call__()")

    def projected(self, w: Floats, of: str) -> Floats:
        """The nearest allowed array as float32.

        Raises:
            ValueError, TypeError: if a subclass returns something else than numbers of w's shape.
        """
        return checks.same_shape(f"{of}: what the constraint {type(self).__name__} returned", self(w), w.shape)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {}

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{k}={v!r}' for k, v in self._shown().items())})"


def _norms(w: Floats, axis: Any) -> Floats:
    norms: Floats = np.sqrt(np.square(w).sum(axis=axis, keepdims=True))
    return norms


class MaxNorm(Constraint):
    """Shrinks what is longer than `max_value`: for a kernel (inputs, units) and axis 0, each unit's weights.

    Args:
        max_value: a length of at least 0.
        axis: along which the length is taken.

    Source: N. Srivastava et al., "Dropout: a simple way to prevent neural networks from overfitting", 2014.
    """

    def __init__(self, max_value: float = 2, axis: int = 0) -> None:
        self.max_value = checks.number("max_value", max_value, least=0)
        self.axis = axis

    def __call__(self, w: Floats) -> Floats:
        norms = _norms(w, self.axis)
        return w * (np.clip(norms, 0, np.float32(self.max_value)) / (_EPSILON + norms))

    def get_config(self) -> dict[str, Any]:
        return {"max_value": self.max_value, "axis": self.axis}


class NonNeg(Constraint):
    """Makes 0 of what is below it."""

    def __call__(self, w: Floats) -> Floats:
        return np.maximum(w, np.float32(0))


class UnitNorm(Constraint):
    """Gives each unit's weights the length 1.

    Args:
        axis: along which the length is taken.
    """

    def __init__(self, axis: int = 0) -> None:
        self.axis = axis

    def __call__(self, w: Floats) -> Floats:
        return w / (_EPSILON + _norms(w, self.axis))

    def get_config(self) -> dict[str, Any]:
        return {"axis": self.axis}


max_norm = MaxNorm
non_neg = NonNeg
unit_norm = UnitNorm

CLASSES: dict[str, type[Constraint]] = {"MaxNorm": MaxNorm, "NonNeg": NonNeg, "UnitNorm": UnitNorm}
_BY_NAME: dict[str, type[Constraint]] = {"max_norm": MaxNorm, "non_neg": NonNeg, "unit_norm": UnitNorm, **CLASSES}


def get(identifier: Any, argument: str = "constraint") -> Constraint | None:
    """The constraint of a name, with its defaults, the object itself, or None.

    Raises:
        ValueError: if there is none of that name.
        TypeError: if it is of another type.
    """
    if identifier is None or isinstance(identifier, Constraint):
        return identifier
    return checks.build(argument, identifier, _BY_NAME)


def serialize(constraint: Constraint | None) -> dict[str, Any] | None:
    """Name and arguments, as `get` takes them."""
    return None if constraint is None else checks.describe(constraint)
