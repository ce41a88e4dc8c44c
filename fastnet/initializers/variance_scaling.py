"""Random initializers whose spread follows from the numbers of inputs and outputs: Glorot, He, LeCun."""

from __future__ import annotations

import math
from typing import Any

from numpy.typing import NDArray

from fastnet import checks
from fastnet.initializers.base import Shape
from fastnet.initializers.random import Random, truncated_normal

_DISTRIBUTIONS = {name: name for name in ("truncated_normal", "untruncated_normal", "uniform")} | {
    "normal": "truncated_normal"
}
# Standard deviation of the normal distribution that is truncated at 2: sqrt(1 - 4 phi(2) / (2 Phi(2) - 1)).
_TRUNCATED_STDDEV = math.sqrt(1 - 4 * math.exp(-2) / math.sqrt(2 * math.pi) / math.erf(math.sqrt(2)))


class VarianceScaling(Random):
    """Random numbers with mean 0 and variance scale / n, where n depends on the shape.

    A sum of n products then has the variance of a single factor, for any n.

    Args:
        scale: a number above 0.
        mode: what n is: ``"fan_in"`` for the number of inputs, ``"fan_out"`` for the number of outputs, ``"fan_avg"``
            for the mean of both.
        distribution: ``"truncated_normal"``, also called ``"normal"``; ``"untruncated_normal"``; or ``"uniform"``,
            whose numbers are within sqrt(3 scale / n) of 0.
        seed: an integer for the same numbers at every call; None for fastnet's generator.
        input_axes, output_axes: lists of axes. If both are given, the number of inputs and that of outputs are the
            products of the shape's lengths along them.

    Raises:
        ValueError: if a number is out of its range, or a name is unknown.
        TypeError: if an argument is of another type.
    """

    def __init__(
        self,
        scale: float = 1.0,
        mode: str = "fan_in",
        distribution: str = "truncated_normal",
        seed: int | None = None,
        input_axes: Any = None,
        output_axes: Any = None,
    ) -> None:
        super().__init__(seed)
        self.scale = checks.float32_number("scale", scale, least=0)
        if not self.scale:
            raise ValueError(f"scale must be above 0, got {scale!r}")
        self.mode = checks.choose("mode", mode, {name: name for name in ("fan_in", "fan_out", "fan_avg")})
        self.distribution = checks.choose("distribution", distribution, _DISTRIBUTIONS, any_case=True)
        self.input_axes, self.output_axes = input_axes, output_axes

    def fill(self, shape: Shape) -> NDArray[Any]:
        inputs, outputs = _fans(shape)
        if self.input_axes is not None and self.output_axes is not None:
            inputs, outputs = (math.prod(shape[i] for i in axes) for axes in (self.input_axes, self.output_axes))
        n = max(1.0, {"fan_in": inputs, "fan_out": outputs, "fan_avg": (inputs + outputs) / 2}[self.mode])
        generator = self._generator()
        if self.distribution == "uniform":
            limit = math.sqrt(3 * self.scale / n)
            return generator.uniform(-limit, limit, shape)
        if self.distribution == "untruncated_normal":
            return generator.normal(0, math.sqrt(self.scale / n), shape)
        return math.sqrt(self.scale / n) / _TRUNCATED_STDDEV * truncated_normal(generator, shape)


class GlorotUniform(VarianceScaling):
    """Uniform in [-limit, limit], limit = sqrt(6 / (inputs + outputs)): signals and gradients keep their variance.

    Source: X. Glorot and Y. Bengio, "Understanding the difficulty of training deep feedforward neural networks", 2010.

    Args:
        seed: an integer for the same numbers at every call; None for fastnet's generator.
    """

    def __init__(self, seed: int | None = None) -> None:
        super().__init__(1, "fan_avg", "uniform", seed)


class GlorotNormal(VarianceScaling):
    """Truncated normal with variance 2 / (inputs + outputs); source and argument as in `GlorotUniform`."""

    def __init__(self, seed: int | None = None) -> None:
        super().__init__(1, "fan_avg", "truncated_normal", seed)


class HeUniform(VarianceScaling):
    """Uniform in [-limit, limit], limit = sqrt(6 / inputs): for relu, which sets half of its inputs to zero.

    Source: K. He et al., "Delving deep into rectifiers", 2015.

    Args:
        seed: an integer for the same numbers at every call; None for fastnet's generator.
    """

    def __init__(self, seed: int | None = None) -> None:
        super().__init__(2, "fan_in", "uniform", seed)


class HeNormal(VarianceScaling):
    """Truncated normal with variance 2 / inputs; source and argument as in `HeUniform`."""

    def __init__(self, seed: int | None = None) -> None:
        super().__init__(2, "fan_in", "truncated_normal", seed)


class LecunUniform(VarianceScaling):
    """Uniform in [-limit, limit], limit = sqrt(3 / inputs).

    Source: Y. LeCun et al., "Efficient backprop", 1998.

    Args:
        seed: an integer for the same numbers at every call; None for fastnet's generator.
    """

    def __init__(self, seed: int | None = None) -> None:
        super().__init__(1, "fan_in", "uniform", seed)


class LecunNormal(VarianceScaling):
    """Truncated normal with variance 1 / inputs, for selu; source and argument as in `LecunUniform`."""

    def __init__(self, seed: int | None = None) -> None:
        super().__init__(1, "fan_in", "truncated_normal", seed)


def _fans(shape: Shape) -> tuple[int, int]:
    """Returns the numbers of inputs and outputs; axes before the last two are the window of a convolution."""
    if len(shape) < 2:
        n = math.prod(shape)
        return n, n
    window = math.prod(shape[:-2])
    return shape[-2] * window, shape[-1] * window
