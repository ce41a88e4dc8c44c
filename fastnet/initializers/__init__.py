"""Initializers: how the weights of a layer begin. Each returns an array of a given shape.

Your own initializer is a class with `__call__(shape)`, or a function that takes a shape:

    class Halves(Initializer):
        def __call__(self, shape, dtype=None):
            return np.full(shape, 0.5, np.float32)

    Dense(10, kernel_initializer=Halves())
"""

from collections.abc import Mapping
from typing import Any, overload

import numpy as np

from fastnet import checks
from fastnet.initializers.base import Function, Initializer, initial_value
from fastnet.initializers.constant import Constant, Identity, Ones, Zeros
from fastnet.initializers.orthogonal import Orthogonal
from fastnet.initializers.random import RandomNormal, RandomUniform, TruncatedNormal
from fastnet.initializers.variance_scaling import (
    GlorotNormal,
    GlorotUniform,
    HeNormal,
    HeUniform,
    LecunNormal,
    LecunUniform,
    VarianceScaling,
)
from fastnet.registered import resolve

__all__ = [
    "Constant", "GlorotNormal", "GlorotUniform", "HeNormal", "HeUniform", "Identity", "Initializer", "LecunNormal",
    "LecunUniform", "Ones", "Orthogonal", "RandomNormal", "RandomUniform", "TruncatedNormal", "VarianceScaling",
    "Zeros", "constant", "deserialize", "get", "glorot_normal", "glorot_uniform", "he_normal", "he_uniform", "identity",
    "initial_value", "lecun_normal", "lecun_uniform", "ones", "orthogonal", "random_normal", "random_uniform",
    "serialize", "truncated_normal", "variance_scaling", "zeros",
]  # fmt: skip

zeros = Zeros
ones = Ones
constant = Constant
identity = Identity
random_normal = RandomNormal
random_uniform = RandomUniform
truncated_normal = TruncatedNormal
variance_scaling = VarianceScaling
glorot_normal = GlorotNormal
glorot_uniform = GlorotUniform
he_normal = HeNormal
he_uniform = HeUniform
lecun_normal = LecunNormal
lecun_uniform = LecunUniform
orthogonal = Orthogonal

_BY_NAME: dict[str, type[Initializer]] = {
    name: kind for name, kind in globals().items() if isinstance(kind, type) and issubclass(kind, Initializer)
}
del _BY_NAME["Initializer"], _BY_NAME["Function"]
CLASSES: dict[str, type[Initializer]] = {kind.__name__: kind for kind in _BY_NAME.values()}
_BY_NAME |= {  # other spellings that Keras accepts
    "zero": Zeros,
    "one": Ones,
    "normal": RandomNormal,
    "uniform": RandomUniform,
    "IdentityInitializer": Identity,
    "OrthogonalInitializer": Orthogonal,
}


@overload
def get(identifier: None) -> None: ...
@overload
def get(identifier: Any, argument: str = "initializer") -> Initializer: ...
def get(identifier: Any, argument: str = "initializer") -> Initializer | None:
    """Returns the initializer that an argument stands for.

    Args:
        identifier: a name; a description as `serialize` returns it; an `Initializer`; a class, which stands for an
            object with the default arguments; an array, which stands for `Constant`; a function that takes a shape and
            returns an array; or None, which is returned. Layers refuse None.
        argument: the argument's name in errors.

    Raises:
        ValueError: if there is no initializer of that name.
        TypeError: if `identifier` is of another type.
    """
    identifier = resolve(identifier)
    if isinstance(identifier, Initializer) or (identifier is None and argument == "initializer"):
        return identifier
    if isinstance(identifier, type) and issubclass(identifier, Initializer):
        return identifier()
    if callable(identifier) and not isinstance(identifier, type):
        return Function(identifier)
    if isinstance(identifier, np.ndarray):
        return Constant(identifier)
    return checks.build(argument, identifier, _BY_NAME)


def serialize(initializer: Initializer) -> dict[str, Any]:
    """Returns class and arguments, as `get` takes them."""
    return checks.describe(initializer)


def deserialize(config: Any, custom_objects: Mapping[str, Any] | None = None) -> Initializer | None:
    """Returns the initializer of a result of `serialize`; `custom_objects` are your own classes by name."""
    return get(checks.own(config, custom_objects))
