"""How the weights of a layer begin: each initializer makes an array of a given shape."""

import math
from typing import Any

import numpy as np

from fastnet import checks, rng
from fastnet.checks import Floats


class Initializer:
    """Base of all initializers: called with a shape, returns a float32 array of it."""

    def __call__(self, shape: tuple[int, ...]) -> Floats:
        raise NotImplementedError

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments that are not the defaults."""
        return {}

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{k}={v!r}' for k, v in self.get_config().items())})"


class Zeros(Initializer):
    """All zeros: where a bias begins."""

    def __call__(self, shape: tuple[int, ...]) -> Floats:
        return np.zeros(shape, np.float32)


class GlorotUniform(Initializer):
    """Uniform in [-limit, limit], limit = sqrt(6 / (inputs + units)): signals and gradients keep their variance.

    Source: X. Glorot and Y. Bengio, "Understanding the difficulty of training deep feedforward neural networks", 2010.

    Args:
        seed: an integer for a sequence of its own; by default fastnet's, which `utils.set_random_seed` seeds.
    """

    def __init__(self, seed: int | None = None) -> None:
        self.seed = None if seed is None else checks.integer("seed", seed, least=0)

    def __call__(self, shape: tuple[int, ...]) -> Floats:
        generator = rng.generator() if self.seed is None else np.random.default_rng(self.seed)
        limit = math.sqrt(6 / (shape[0] + shape[-1]))
        return generator.uniform(-limit, limit, shape).astype(np.float32)

    def get_config(self) -> dict[str, Any]:
        return {} if self.seed is None else {"seed": self.seed}


_BY_NAME: dict[str, type[Initializer]] = {
    "zeros": Zeros,
    "Zeros": Zeros,
    "glorot_uniform": GlorotUniform,
    "GlorotUniform": GlorotUniform,
}


def get(identifier: Any, argument: str = "initializer") -> Initializer:
    """The initializer of a name, or the object itself.

    Raises:
        ValueError: if there is none of that name.
        TypeError: if it is neither a name nor an initializer.
    """
    if isinstance(identifier, Initializer):
        return identifier
    return checks.build(argument, identifier, _BY_NAME)


def serialize(initializer: Initializer) -> dict[str, Any]:
    """Name and arguments, as `get` takes them."""
    return checks.describe(initializer)
