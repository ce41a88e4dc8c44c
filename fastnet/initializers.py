"""How the weights of a layer begin: each initializer makes an array of a given shape.

One of your own is a class with `__call__(shape)`, or a function that takes a shape:

    class Halves(Initializer):
        def __call__(self, shape, dtype=None):
            return np.full(shape, 0.5, np.float32)

    Dense(10, kernel_initializer=Halves())
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastnet import checks, rng
from fastnet.checks import Floats
from fastnet.recorded import Recorded

Shape = tuple[int, ...]
_LARGEST = float(np.finfo(np.float32).max)


class Initializer(Recorded):
    """Base of all initializers: called with a shape, returns a float32 array of it."""

    def __call__(self, shape: Shape, dtype: Any = None) -> Floats:
        raise NotImplementedError(f"{type(self).__name__} has no __call__()")

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments that are not the defaults."""
        return {}

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{k}={v!r}' for k, v in self._shown().items())})"


class Filler(Initializer):
    """Base of fastnet's own, which say in `fill` what to make of a shape; their arguments are their attributes."""

    def __call__(self, shape: Shape, dtype: Any = None) -> Floats:
        """A new array.

        Args:
            shape: a number or several, each at least 0.
            dtype: ``"float32"`` or None, which is the same.

        Raises:
            ValueError, TypeError: if it is no shape, or not one that the initializer can fill.
        """
        if dtype not in (None, "float32", np.float32):
            raise ValueError(f"dtype must be 'float32', the only one that fastnet computes in, got {dtype!r}")
        if isinstance(shape, int | np.integer):
            shape = (int(shape),)
        try:
            dimensions = tuple(shape)
        except TypeError:
            raise TypeError(f"shape must be a shape such as (784, 10), got {shape!r}") from None
        return np.asarray(self.fill(tuple(checks.integer("shape", n, least=0) for n in dimensions)), np.float32)

    def fill(self, shape: Shape) -> NDArray[Any]:
        raise NotImplementedError

    def get_config(self) -> dict[str, Any]:
        import inspect

        arguments = inspect.signature(type(self)).parameters.items()
        return {name: getattr(self, name) for name, p in arguments if getattr(self, name) != p.default}


class Random(Filler):
    """Base of the random ones.

    Args:
        seed: an integer for a sequence of its own, the same at every call; by default fastnet's, which
            `utils.set_random_seed` seeds.

    Raises:
        ValueError, TypeError: if it is not an integer of at least 0.
    """

    def __init__(self, seed: int | None = None) -> None:
        self.seed = None if seed is None else checks.integer("seed", seed, least=0)

    def _generator(self) -> np.random.Generator:
        return rng.generator() if self.seed is None else np.random.default_rng(self.seed)


# Constant -------------------------------------------------------------------------------------------------------------


class Zeros(Filler):
    """All zeros: where a bias begins."""

    def fill(self, shape: Shape) -> NDArray[Any]:
        return np.zeros(shape, np.float32)


class Ones(Filler):
    """All ones: where a factor begins."""

    def fill(self, shape: Shape) -> NDArray[Any]:
        return np.ones(shape, np.float32)


class Constant(Filler):
    """The same number everywhere.

    Args:
        value: a number.

    Raises:
        ValueError, TypeError: if it is not a finite one.

    Example:
        >>> Constant(0.5)((2,))
        array([0.5, 0.5], dtype=float32)
    """

    def __init__(self, value: float = 0.0) -> None:
        self.value = _finite("value", value)

    def fill(self, shape: Shape) -> NDArray[Any]:
        return np.full(shape, self.value, np.float32)


class Identity(Filler):
    """A matrix with `gain` on its diagonal and zeros elsewhere; it need not be square.

    Args:
        gain: a number.

    Raises:
        ValueError, TypeError: if it is not a finite one; when called, if the shape is not that of a matrix.
    """

    def __init__(self, gain: float = 1.0) -> None:
        self.gain = _finite("gain", gain)

    def fill(self, shape: Shape) -> NDArray[Any]:
        if len(shape) != 2:
            raise ValueError(f"Identity can only fill a matrix, got shape {shape}")
        return np.float32(self.gain) * np.eye(*shape, dtype=np.float32)


# Random, of a given spread --------------------------------------------------------------------------------------------


class RandomNormal(Random):
    """Normal, with this mean and standard deviation.

    Args:
        mean: a number.
        stddev: a number of at least 0.
        seed: as for `Random`.

    Raises:
        ValueError, TypeError: if an argument is not of that kind.
    """

    def __init__(self, mean: float = 0.0, stddev: float = 0.05, seed: int | None = None) -> None:
        super().__init__(seed)
        self.mean = _finite("mean", mean)
        self.stddev = _finite("stddev", stddev, least=0)

    def fill(self, shape: Shape) -> NDArray[Any]:
        return self._generator().normal(self.mean, self.stddev, shape)


class TruncatedNormal(RandomNormal):
    """Normal, but what is more than two standard deviations from the mean is drawn again.

    `stddev` is that of the distribution before; afterwards it is 0.88 of that. Arguments and errors as `RandomNormal`.
    """

    def fill(self, shape: Shape) -> NDArray[Any]:
        return self.mean + self.stddev * _truncated(self._generator(), shape)


class RandomUniform(Random):
    """Uniform from `minval` to `maxval`.

    Args:
        minval, maxval: numbers, the second not below the first.
        seed: as for `Random`.

    Raises:
        ValueError, TypeError: if an argument is not of that kind.
    """

    def __init__(self, minval: float = -0.05, maxval: float = 0.05, seed: int | None = None) -> None:
        super().__init__(seed)
        self.minval = _finite("minval", minval)
        self.maxval = _finite("maxval", maxval)
        if self.maxval < self.minval:
            raise ValueError(f"maxval must be at least minval, {self.minval!r}, got {self.maxval!r}")

    def fill(self, shape: Shape) -> NDArray[Any]:
        return self._generator().uniform(self.minval, self.maxval, shape)


# Random, of a spread that the shape decides ---------------------------------------------------------------------------


class VarianceScaling(Random):
    """Random with mean 0 and variance scale / n, n the number of inputs, of outputs, or the mean of both.

    Sums of n products then have the variance of a single factor, whatever n is.

    Args:
        scale: a number above 0.
        mode: ``"fan_in"`` for the inputs, ``"fan_out"`` for the outputs, ``"fan_avg"`` for the mean.
        distribution: ``"truncated_normal"``, also called ``"normal"``, ``"untruncated_normal"``, or ``"uniform"``,
            which is within sqrt(3 scale / n) of 0.
        seed: as for `Random`.

    Raises:
        ValueError, TypeError: if an argument is not of that kind.
    """

    def __init__(
        self,
        scale: float = 1.0,
        mode: str = "fan_in",
        distribution: str = "truncated_normal",
        seed: int | None = None,
    ) -> None:
        super().__init__(seed)
        self.scale = _finite("scale", scale, least=0)
        if not self.scale:
            raise ValueError(f"scale must be above 0, got {scale!r}")
        self.mode = checks.choose("mode", mode, {name: name for name in ("fan_in", "fan_out", "fan_avg")})
        self.distribution = checks.choose("distribution", distribution, _DISTRIBUTIONS)

    def fill(self, shape: Shape) -> NDArray[Any]:
        inputs, outputs = _fans(shape)
        n = max(1.0, {"fan_in": inputs, "fan_out": outputs, "fan_avg": (inputs + outputs) / 2}[self.mode])
        generator = self._generator()
        if self.distribution == "uniform":
            limit = math.sqrt(3 * self.scale / n)
            return generator.uniform(-limit, limit, shape)
        if self.distribution == "untruncated_normal":
            return generator.normal(0, math.sqrt(self.scale / n), shape)
        return math.sqrt(self.scale / n) / _TRUNCATED_STDDEV * _truncated(generator, shape)


class GlorotUniform(VarianceScaling):
    """Uniform in [-limit, limit], limit = sqrt(6 / (inputs + units)): signals and gradients keep their variance.

    Source: X. Glorot and Y. Bengio, "Understanding the difficulty of training deep feedforward neural networks", 2010.

    Args:
        seed: as for `Random`.
    """

    def __init__(self, seed: int | None = None) -> None:
        super().__init__(1, "fan_avg", "uniform", seed)


class GlorotNormal(VarianceScaling):
    """Truncated normal with variance 2 / (inputs + units); source and argument as `GlorotUniform`."""

    def __init__(self, seed: int | None = None) -> None:
        super().__init__(1, "fan_avg", "truncated_normal", seed)


class HeUniform(VarianceScaling):
    """Uniform in [-limit, limit], limit = sqrt(6 / inputs): for relu, which halves what it is given.

    Source: K. He et al., "Delving deep into rectifiers", 2015.

    Args:
        seed: as for `Random`.
    """

    def __init__(self, seed: int | None = None) -> None:
        super().__init__(2, "fan_in", "uniform", seed)


class HeNormal(VarianceScaling):
    """Truncated normal with variance 2 / inputs; source and argument as `HeUniform`."""

    def __init__(self, seed: int | None = None) -> None:
        super().__init__(2, "fan_in", "truncated_normal", seed)


class LecunUniform(VarianceScaling):
    """Uniform in [-limit, limit], limit = sqrt(3 / inputs).

    Source: Y. LeCun et al., "Efficient backprop", 1998.

    Args:
        seed: as for `Random`.
    """

    def __init__(self, seed: int | None = None) -> None:
        super().__init__(1, "fan_in", "uniform", seed)


class LecunNormal(VarianceScaling):
    """Truncated normal with variance 1 / inputs, as selu wants it; source and argument as `LecunUniform`."""

    def __init__(self, seed: int | None = None) -> None:
        super().__init__(1, "fan_in", "truncated_normal", seed)


class Orthogonal(Random):
    """A random matrix whose columns, or rows if there are fewer, are orthogonal and of length `gain`.

    It is the Q of a normal matrix's QR decomposition, its signs chosen so that no orthogonal matrix is more likely than
    another. All axes but the last are taken for one. The last bits are those of NumPy's LAPACK.

    Source: A. Saxe et al., "Exact solutions to the nonlinear dynamics of learning in deep linear neural networks",
    2014.

    Args:
        gain: a number.
        seed: as for `Random`.

    Raises:
        ValueError, TypeError: if an argument is not of that kind; when called, if the shape has fewer than two axes.
    """

    def __init__(self, gain: float = 1.0, seed: int | None = None) -> None:
        super().__init__(seed)
        self.gain = _finite("gain", gain)

    def fill(self, shape: Shape) -> NDArray[Any]:
        if len(shape) < 2:
            raise ValueError(f"Orthogonal can only fill a shape of two or more axes, got {shape}")
        rows, columns = math.prod(shape[:-1]), shape[-1]
        normal = self._generator().standard_normal((max(rows, columns), min(rows, columns)))
        q, r = np.linalg.qr(normal)
        q *= np.where(np.diag(r) < 0, -1.0, 1.0)
        return self.gain * (q if rows >= columns else q.T).reshape(shape)


class Function(Initializer):
    """A function of a shape as an initializer; it works, but cannot be described, so a model with it is not saved.

    Args:
        function: called with a shape, returns an array of it.
    """

    def __init__(self, function: Callable[..., Any]) -> None:
        self.function = function

    def __call__(self, shape: Shape, dtype: Any = None) -> Floats:
        array = np.asarray(self.function(shape), np.float32)
        if array.shape != tuple(shape):
            raise ValueError(f"initializer {self.function!r} returned shape {array.shape}, expected {tuple(shape)}")
        return array

    def get_config(self) -> dict[str, Any]:
        raise TypeError(
            f"the initializer {self.function!r} is a function and cannot be described: make it a subclass of "
            "fastnet.initializers.Initializer"
        )

    def __repr__(self) -> str:
        return f"Function({self.function!r})"


def _finite(argument: str, value: Any, least: float = -_LARGEST) -> float:
    """`value` as a float that float32 has too."""
    return checks.number(argument, value, least=least, below=_LARGEST)


def _fans(shape: Shape) -> tuple[int, int]:
    """Inputs and outputs of an array of weights; of more than two axes, the first are a convolution's window."""
    if len(shape) < 2:
        n = math.prod(shape)
        return n, n
    window = math.prod(shape[:-2])
    return shape[-2] * window, shape[-1] * window


_DISTRIBUTIONS = {name: name for name in ("truncated_normal", "untruncated_normal", "uniform")} | {
    "normal": "truncated_normal"
}
# Of a normal distribution cut off at two: sqrt(1 - 4 phi(2) / (2 Phi(2) - 1)).
_TRUNCATED_STDDEV = math.sqrt(1 - 4 * math.exp(-2) / math.sqrt(2 * math.pi) / math.erf(math.sqrt(2)))


def _truncated(generator: np.random.Generator, shape: Shape) -> NDArray[np.float64]:
    """Normal numbers within two of 0: those outside, one of 22, are drawn again."""
    numbers = np.asarray(generator.standard_normal(shape))
    flat = numbers.reshape(-1)
    outside = np.flatnonzero(np.abs(flat) > 2)
    while outside.size:
        flat[outside] = generator.standard_normal(outside.size)
        outside = outside[np.abs(flat[outside]) > 2]
    return flat.reshape(shape)


# By name --------------------------------------------------------------------------------------------------------------

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

CLASSES: dict[str, type[Initializer]] = {
    kind.__name__: kind
    for kind in (
        Zeros, Ones, Constant, Identity, RandomNormal, RandomUniform, TruncatedNormal, VarianceScaling, GlorotNormal,
        GlorotUniform, HeNormal, HeUniform, LecunNormal, LecunUniform, Orthogonal,
    )
}  # fmt: skip
_BY_NAME: dict[str, type[Initializer]] = {
    "zeros": Zeros,
    "ones": Ones,
    "constant": Constant,
    "identity": Identity,
    "random_normal": RandomNormal,
    "random_uniform": RandomUniform,
    "truncated_normal": TruncatedNormal,
    "variance_scaling": VarianceScaling,
    "glorot_normal": GlorotNormal,
    "glorot_uniform": GlorotUniform,
    "he_normal": HeNormal,
    "he_uniform": HeUniform,
    "lecun_normal": LecunNormal,
    "lecun_uniform": LecunUniform,
    "orthogonal": Orthogonal,
    # Keras's other spellings
    "zero": Zeros,
    "one": Ones,
    "normal": RandomNormal,
    "uniform": RandomUniform,
    "IdentityInitializer": Identity,
    "OrthogonalInitializer": Orthogonal,
    **CLASSES,
}


def get(identifier: Any, argument: str = "initializer") -> Initializer:
    """The initializer of a name, the object itself, or one of a class's defaults or of a function of the shape.

    Raises:
        ValueError: if there is none of that name.
        TypeError: if it is of another type.
    """
    if isinstance(identifier, Initializer):
        return identifier
    if isinstance(identifier, type) and issubclass(identifier, Initializer):
        return identifier()
    if callable(identifier) and not isinstance(identifier, type):
        return Function(identifier)
    return checks.build(argument, identifier, _BY_NAME)


def initial_value(initializer: Initializer, shape: Shape, owner: str) -> Floats:
    """The array of this shape with which a weight begins.

    Args:
        initializer: called with the shape.
        shape: the weight's.
        owner: what the weight is called in errors, as in ``dense/kernel``.

    Raises:
        ValueError: if the initializer returns an array of another shape, or a number that is not finite.
        TypeError: if it does not return numbers.
    """
    returned = f"{owner}: what the initializer {initializer!r} returned"
    array = checks.numeric(returned, initializer(shape))
    if array.shape != shape:
        raise ValueError(f"{returned} has shape {array.shape}; expected {shape}")
    return checks.as_float32(returned, array)


def serialize(initializer: Initializer) -> dict[str, Any]:
    """Name and arguments, as `get` takes them."""
    return checks.describe(initializer)
