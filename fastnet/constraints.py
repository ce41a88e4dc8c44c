"""Constraints: project a layer's weights onto the allowed set after each training step."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from fastnet import checks
from fastnet.checks import Floats
from fastnet.recorded import Recorded
from fastnet.registered import resolve

_EPSILON = np.float32(1e-7)  # Keras's value: avoids a division by zero


class Constraint(Recorded):
    """Base class of all constraints. Called with an array, it returns the nearest allowed array.

    This class itself allows every array. A subclass defines `__call__`.
    """

    def __call__(self, w: Floats) -> Floats:
        """Computes the nearest allowed array, in w's shape."""
        return w

    def projected(self, w: Floats, of: str) -> Floats:
        """Returns the nearest allowed array as float32.

        Raises:
            ValueError, TypeError: if a subclass does not return numbers in w's shape.
        """
        return checks.same_shape(f"{of}: what the constraint {type(self).__name__} returned", self(w), w.shape)

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments."""
        return {}

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{k}={v!r}' for k, v in self._shown().items())})"


def _axis(axis: Any) -> Any:
    """Checks `axis`: an integer, several, or None for all axes."""
    if axis is None or checks.is_number(axis):
        return None if axis is None else checks.integer("axis", axis, least=-64)
    return tuple(checks.integer("axis", entry, least=-64) for entry in axis)


def _norms(w: Floats, axis: Any) -> Floats:
    return np.sqrt(np.square(np.asarray(w, order="C")).sum(axis=axis, keepdims=True))  # type: ignore[no-any-return]


class MaxNorm(Constraint):
    """Limits the length (Euclidean norm) of each unit's weight vector to `max_value`.

    Args:
        max_value: the largest length, at least 0.
        axis: the axis along which the norm is computed; 0 for a kernel (inputs, units).

    Source: N. Srivastava et al., "Dropout: a simple way to prevent neural networks from overfitting", 2014.
    """

    def __init__(self, max_value: float = 2, axis: int = 0) -> None:
        self.max_value = checks.number("max_value", max_value, least=0)
        self.axis = _axis(axis)

    def __call__(self, w: Floats) -> Floats:
        norms = _norms(w, self.axis)
        return w * (np.clip(norms, 0, np.float32(self.max_value)) / (_EPSILON + norms))

    def get_config(self) -> dict[str, Any]:
        return {"max_value": self.max_value, "axis": self.axis}


class NonNeg(Constraint):
    """Sets negative weights to 0."""

    def __call__(self, w: Floats) -> Floats:
        return np.maximum(w, np.float32(0))


class UnitNorm(Constraint):
    """Scales each unit's weight vector to the length (Euclidean norm) 1.

    Args:
        axis: the axis along which the norm is computed; 0 for a kernel (inputs, units).
    """

    def __init__(self, axis: int = 0) -> None:
        self.axis = _axis(axis)

    def __call__(self, w: Floats) -> Floats:
        return w / (_EPSILON + _norms(w, self.axis))

    def get_config(self) -> dict[str, Any]:
        return {"axis": self.axis}


class MinMaxNorm(Constraint):
    """Moves the length (Euclidean norm) of each unit's weight vector towards [min_value, max_value].

    The new length is rate * limited + (1 - rate) * old, where `limited` is the old length, limited to that range.

    Args:
        min_value: the least length, at least 0.
        max_value: the largest length, at least 0.
        rate: the share of the way that each step goes, at least 0; 1 goes all of it.
        axis: the axis along which the norm is computed; 0 for a kernel (inputs, units).

    Raises:
        ValueError, TypeError: if an argument is invalid.
    """

    def __init__(self, min_value: float = 0.0, max_value: float = 1.0, rate: float = 1.0, axis: int = 0) -> None:
        self.min_value = checks.number("min_value", min_value, least=0)
        self.max_value = checks.number("max_value", max_value, least=0)
        self.rate = checks.number("rate", rate, least=0)
        self.axis = _axis(axis)

    def __call__(self, w: Floats) -> Floats:
        norms = _norms(w, self.axis)
        rate, limited = np.float32(self.rate), np.clip(norms, np.float32(self.min_value), np.float32(self.max_value))
        moved: Floats = w * ((rate * limited + (1 - rate) * norms) / (_EPSILON + norms))
        return moved

    def get_config(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in ("min_value", "max_value", "rate", "axis")}


max_norm = MaxNorm
min_max_norm = MinMaxNorm
non_neg = NonNeg
unit_norm = UnitNorm

CLASSES: dict[str, type[Constraint]] = {
    "MaxNorm": MaxNorm,
    "MinMaxNorm": MinMaxNorm,
    "NonNeg": NonNeg,
    "UnitNorm": UnitNorm,
}
_BY_NAME: dict[str, type[Constraint]] = {
    "max_norm": MaxNorm,
    "min_max_norm": MinMaxNorm,
    "non_neg": NonNeg,
    "unit_norm": UnitNorm,
    **CLASSES,
}


def get(identifier: Any, argument: str = "constraint") -> Constraint | None:
    """Returns the constraint of a name, a class, a description, a given constraint itself, or None.

    Raises:
        ValueError, TypeError: as `checks.build`.
    """
    identifier = resolve(identifier)
    if identifier is None or isinstance(identifier, Constraint):
        return identifier
    if isinstance(identifier, type) and issubclass(identifier, Constraint):
        return identifier()
    return checks.build(argument, identifier, _BY_NAME)


def serialize(constraint: Constraint | None) -> dict[str, Any] | None:
    """Returns the name and the arguments, as `get` takes them."""
    return None if constraint is None else checks.describe(constraint)


def deserialize(config: Any, custom_objects: Mapping[str, Any] | None = None) -> Constraint | None:
    """Returns the constraint of a result of `serialize`; `custom_objects` are your own classes by name."""
    return get(checks.own(config, custom_objects))
