"""Activation functions: what a layer makes of its weighted sums.

Three things belong to each, side by side: the function on an array, for whoever calls it; whether a product's epilogue
computes it in passing; and the way back, which turns the gradient by the output into the gradient by the sums.

One of your own is a class with the function and its derivative, both of the sums, element by element:

    class Square(Activation):
        def __call__(self, x):
            return x * x

        def derivative(self, x):
            return 2 * x

    Dense(10, activation=Square())
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from fastnet import checks, kernels
from fastnet.checks import Floats
from fastnet.recorded import Recorded

_LARGEST = float(np.finfo(np.float32).max)
_QUIET: dict[str, Any] = {"over": "ignore", "under": "ignore", "invalid": "ignore"}  # NaN and infinity speak themselves


class Activation(Recorded):
    """Base of all activations. A subclass has `__call__` and `derivative`; the rest is for speed.

    `forward` and `backward` work in place on a layer's workspace, (B, ld) float32, of which `units` columns count.

    Attributes:
        name: by which a saved layer finds it: that of the class, unless the class gives one.
        epilogue: what the product before it computes in passing.
        of_sums: whether `backward` needs the sums z, as `derivative` does, instead of the output y.
        elementwise: whether each output depends on one sum only.
    """

    name = "Activation"
    epilogue = kernels.LINEAR
    of_sums = True
    elementwise = True

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "name" not in vars(cls):
            cls.name = cls.__name__

    def __call__(self, x: Any) -> Floats:
        """The function of x, an array of any shape whose last axis is the units'; x stays as it is."""
        raise NotImplementedError(f"{type(self).__name__} has no __call__()")

    def derivative(self, x: Any) -> Floats:
        """The function's derivative at each number of x, an array of x's shape."""
        raise NotImplementedError(f"{type(self).__name__} has no derivative(), so a model cannot be trained through it")

    def forward(self, z: Floats, units: int) -> None:
        """Makes y of the sums z."""
        sums = z[:, :units]
        sums[:] = self._of_shape(self(sums), sums, "__call__")

    def backward(self, y: Floats, dy: Floats, units: int) -> None:
        """Makes dz of dy, for the layer's output y, or its sums z if `of_sums`; zeros behind the columns stay."""
        sums = y[:, :units]
        dy[:, :units] *= self._of_shape(self.derivative(sums), sums, "derivative")

    def _of_shape(self, result: Any, x: Floats, method: str) -> Floats:
        """What a method returned; a broadcast would hide that it mixed the units."""
        array = np.asarray(result, np.float32)
        if array.shape != x.shape:
            raise ValueError(
                f"activation {self.name!r}: {method}() returned shape {array.shape} for sums of shape {x.shape}"
            )
        return array

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments that are not the defaults."""
        return {}

    def __repr__(self) -> str:
        config = self._shown()
        if not config and _BY_NAME.get(self.name) is not None:
            return self.name
        return f"{type(self).__name__}({', '.join(f'{k}={v!r}' for k, v in config.items())})"


class Formula(Activation):
    """Base of fastnet's own that are rare and plain NumPy: `value` and `slope` of float32 arrays with axes."""

    def value(self, x: Floats) -> Floats:
        raise NotImplementedError

    def slope(self, x: Floats) -> Floats:
        raise NotImplementedError

    def __call__(self, x: Any) -> Floats:
        z, shape = _float32(x)
        with np.errstate(**_QUIET):
            return self.value(z).reshape(shape)

    def derivative(self, x: Any) -> Floats:
        z, shape = _float32(x)
        with np.errstate(**_QUIET):
            return self.slope(z).reshape(shape)

    def forward(self, z: Floats, units: int) -> None:
        with np.errstate(**_QUIET):
            z[:, :units] = self.value(z[:, :units])

    def backward(self, y: Floats, dy: Floats, units: int) -> None:
        with np.errstate(**_QUIET):
            dy[:, :units] *= self.slope(y[:, :units])


class ByKernel(Activation):
    """Base of fastnet's own that the kernels of formula.pxi compute; their mathematics is there.

    Attributes:
        which: the kernel's number for it.
        numbers: what the kernel calls a, b and c.
    """

    which: int
    numbers: tuple[float, float, float] = (0.0, 0.0, 0.0)

    def __call__(self, x: Any) -> Floats:
        z, shape = _float32(x)
        rows = _row_of(z)
        kernels.formula_forward(self.which, *self.numbers, rows)
        return rows[0, : z.size].reshape(shape)

    def derivative(self, x: Any) -> Floats:
        z, shape = _float32(x)
        rows = _row_of(z)
        slopes = np.ones_like(rows)
        kernels.formula_backward(self.which, *self.numbers, rows, slopes)
        return slopes[0, : z.size].reshape(shape)

    def forward(self, z: Floats, units: int) -> None:
        kernels.formula_forward(self.which, *self.numbers, z)

    def backward(self, y: Floats, dy: Floats, units: int) -> None:
        kernels.formula_backward(self.which, *self.numbers, y, dy)


class Linear(Activation):
    """x itself; its gradient is 1."""

    name = "linear"
    of_sums = False

    def __call__(self, x: Any) -> Floats:
        z, shape = _float32(x)
        return z.reshape(shape)

    def derivative(self, x: Any) -> Floats:
        return np.ones(np.shape(x), np.float32)

    def forward(self, z: Floats, units: int) -> None:
        pass

    def backward(self, y: Floats, dy: Floats, units: int) -> None:
        pass


class InEpilogue(Activation):
    """Base of those that a product's epilogue computes, and whose way back is a kernel too."""

    of_sums = False

    def __call__(self, x: Any) -> Floats:
        z, shape = _float32(x)
        return _kernel(self.epilogue, z).reshape(shape)

    def forward(self, z: Floats, units: int) -> None:
        kernels.activation_forward(self.epilogue, z)

    def backward(self, y: Floats, dy: Floats, units: int) -> None:
        kernels.activation_backward(self.epilogue, y, dy)


class Relu(InEpilogue):
    """max(x, 0); its gradient is 1 where the output is positive, else 0."""

    name = "relu"
    epilogue = kernels.RELU

    def __call__(
        self, x: Any, negative_slope: float = 0.0, max_value: float | None = None, threshold: float = 0.0
    ) -> Floats:
        """max(x, 0), or what `ClippedRelu` makes of x with these arguments."""
        if (negative_slope, max_value, threshold) == (0.0, None, 0.0):
            return super().__call__(x)
        return ClippedRelu(negative_slope, max_value, threshold)(x)

    def derivative(self, x: Any) -> Floats:
        z, shape = _float32(x)
        return (~(z <= 0)).astype(np.float32).reshape(shape)


class Sigmoid(InEpilogue):
    """1 / (1 + exp(-x)): a number between 0 and 1; its gradient is y (1 - y)."""

    name = "sigmoid"
    epilogue = kernels.SIGMOID

    def derivative(self, x: Any) -> Floats:
        z, shape = _float32(x)
        return (_sigmoid(z) * _sigmoid(-z)).reshape(shape)


class Tanh(InEpilogue):
    """The hyperbolic tangent: a number between -1 and 1; its gradient is 1 - y^2."""

    name = "tanh"
    epilogue = kernels.TANH

    def derivative(self, x: Any) -> Floats:
        z, shape = _float32(x)
        with np.errstate(**_QUIET):  # 1 - y^2 would cancel where y is almost 1
            return (4 * _sigmoid(2 * z) * _sigmoid(-2 * z)).reshape(shape)


class Softmax(Activation):
    """exp(x) / sum exp(x) over the last axis: positive numbers that add to 1."""

    name = "softmax"
    of_sums = False
    elementwise = False

    def __call__(self, x: Any, axis: int = -1) -> Floats:
        """The softmax along an axis of x.

        Raises:
            ValueError: if x has no such axis.
        """
        z, shape = _float32(x)
        if not -len(shape) <= checks.integer("axis", axis, least=-64) < len(shape):
            raise ValueError(f"axis is {axis}, but x has shape {shape}")
        if not z.size:
            return z
        z = np.moveaxis(z, axis, -1)
        rows = z.reshape(-1, z.shape[-1])
        whole = np.zeros((len(rows), kernels.padded(rows.shape[1])), np.float32)
        whole[:, : rows.shape[1]] = rows
        self.forward(whole, rows.shape[1])
        return np.ascontiguousarray(np.moveaxis(whole[:, : rows.shape[1]].reshape(z.shape), -1, axis))

    def derivative(self, x: Any) -> Floats:
        raise NotImplementedError("softmax mixes the units, so it has no derivative by element; see backward()")

    def forward(self, z: Floats, units: int) -> None:
        kernels.softmax(z, units, z)

    def backward(self, y: Floats, dy: Floats, units: int) -> None:
        kernels.softmax_backward(y, units, dy)


class ClippedRelu(ByKernel):
    """`max_value` where x is above it, x where it is above `threshold`, else negative_slope (x - threshold).

    The gradient is that of the piece, and at a corner that of the flatter piece, as TensorFlow has it.

    Args:
        negative_slope: a number.
        max_value: a number of at least 0, or None, which is no limit.
        threshold: a number.

    Raises:
        ValueError, TypeError: if an argument is not of that kind.

    Example:
        >>> ClippedRelu(max_value=6)([-1, 3, 9])
        array([0., 3., 6.], dtype=float32)
    """

    which = kernels.CLIPPED_RELU

    def __init__(self, negative_slope: float = 0.0, max_value: float | None = None, threshold: float = 0.0) -> None:
        self.negative_slope = _finite("negative_slope", negative_slope)
        self.max_value = None if max_value is None else _finite("max_value", max_value, least=0)
        self.threshold = _finite("threshold", threshold)
        self.numbers = self.negative_slope, math.inf if self.max_value is None else self.max_value, self.threshold

    def get_config(self) -> dict[str, Any]:
        config: dict[str, Any] = {}
        if self.negative_slope:
            config["negative_slope"] = self.negative_slope
        if self.max_value is not None:
            config["max_value"] = self.max_value
        if self.threshold:
            config["threshold"] = self.threshold
        return config


class Relu6(ClippedRelu):
    """min(max(x, 0), 6)."""

    name = "relu6"

    def __init__(self) -> None:
        super().__init__(max_value=6)

    def get_config(self) -> dict[str, Any]:
        return {}


class LeakyRelu(ClippedRelu):
    """x where it is positive, else negative_slope x.

    Source: A. Maas et al., "Rectifier nonlinearities improve neural network acoustic models", 2013.

    Args:
        negative_slope: a number.

    Raises:
        ValueError, TypeError: if it is not a finite one.

    Example:
        >>> LeakyRelu(0.1)([-10, 10])
        array([-1., 10.], dtype=float32)
    """

    name = "leaky_relu"

    def __init__(self, negative_slope: float = 0.2) -> None:
        super().__init__(negative_slope)

    def __call__(self, x: Any, negative_slope: float | None = None) -> Floats:
        """The function, with another slope if one is given."""
        return super().__call__(x) if negative_slope is None else LeakyRelu(negative_slope)(x)

    def get_config(self) -> dict[str, Any]:
        return {} if self.negative_slope == 0.2 else {"negative_slope": self.negative_slope}


class HardSigmoid(Formula):
    """x / 6 + 1/2, but at least 0 and at most 1: straight lines along a sigmoid."""

    name = "hard_sigmoid"

    def value(self, x: Floats) -> Floats:
        # (x + 3) / 6, in which nothing is rounded near -3
        result: Floats = np.clip(x + np.float32(3), np.float32(0), np.float32(6)) / np.float32(6)
        return result

    def slope(self, x: Floats) -> Floats:
        return np.where(np.abs(x) >= 3, np.float32(0), np.float32(1 / 6))


class Softplus(ByKernel):
    """log(1 + exp(x)): a smooth max(x, 0), whose derivative is the sigmoid."""

    name = "softplus"
    which = kernels.SOFTPLUS


class Softsign(Formula):
    """x / (1 + |x|): a number between -1 and 1; its derivative is 1 / (1 + |x|)^2."""

    name = "softsign"

    def value(self, x: Floats) -> Floats:
        x = _within(x, _LARGEST)
        return np.divide(x, np.float32(1) + np.abs(x), dtype=np.float32)

    def slope(self, x: Floats) -> Floats:
        result: Floats = np.square(np.float32(1) / (np.float32(1) + np.abs(x)))
        return result


class Elu(ByKernel):
    """x where it is positive, else alpha (exp(x) - 1).

    Source: D.-A. Clevert et al., "Fast and accurate deep network learning by exponential linear units (ELUs)", 2016.

    Args:
        alpha: a number.

    Raises:
        ValueError, TypeError: if it is not a finite one.

    Example:
        >>> Elu(alpha=2)([-1000, 3])
        array([-2.,  3.], dtype=float32)
    """

    name = "elu"
    which = kernels.ELU
    _factor = 1.0  # of the whole

    def __init__(self, alpha: float = 1.0) -> None:
        self.alpha = _finite("alpha", alpha)
        self.numbers = self._factor * self.alpha, self._factor, 0.0

    def __call__(self, x: Any, alpha: float | None = None) -> Floats:
        """The function, with another alpha if one is given."""
        return super().__call__(x) if alpha is None else Elu(alpha)(x)

    def get_config(self) -> dict[str, Any]:
        return {} if self.alpha == 1 else {"alpha": self.alpha}


SELU_ALPHA, SELU_SCALE = 1.6732632423543772, 1.0507009873554805


class Selu(Elu):
    """scale x where x is positive, else scale alpha (exp(x) - 1).

    With scale 1.0507 and alpha 1.6733, layers whose kernels begin as "lecun_normal" keep mean 0 and variance 1.
    Source: G. Klambauer et al., "Self-normalizing neural networks", 2017.
    """

    name = "selu"
    _factor = SELU_SCALE

    def __init__(self) -> None:
        super().__init__(SELU_ALPHA)

    def __call__(self, x: Any) -> Floats:  # type: ignore[override]  # alpha is not for choice here
        return super().__call__(x)

    def get_config(self) -> dict[str, Any]:
        return {}


class Gelu(ByKernel):
    """x Phi(x), Phi the normal distribution's probability of a number below x.

    Source: D. Hendrycks and K. Gimpel, "Gaussian error linear units (GELUs)", 2016.

    Args:
        approximate: whether to take sigmoid(2 sqrt(2 / pi) (x + 0.044715 x^3)) for Phi(x), as the source does with a
            tanh: at most 0.0005 off, and faster.

    Raises:
        TypeError: if it is no bool.

    Example:
        >>> Gelu()([-1000, 0, 1000])
        array([  -0.,    0., 1000.], dtype=float32)
    """

    name = "gelu"

    def __init__(self, approximate: bool = False) -> None:
        if not isinstance(approximate, bool | np.bool_):
            raise TypeError(f"approximate must be True or False, got {approximate!r}")
        self.approximate = bool(approximate)
        self.which = kernels.GELU_TANH if self.approximate else kernels.GELU

    def __call__(self, x: Any, approximate: bool | None = None) -> Floats:
        """The function; exact or not if `approximate` says so."""
        return super().__call__(x) if approximate is None else Gelu(approximate)(x)

    def get_config(self) -> dict[str, Any]:
        return {"approximate": True} if self.approximate else {}


class Silu(ByKernel):
    """x sigmoid(x), also called swish.

    Source: P. Ramachandran et al., "Searching for activation functions", 2017.
    """

    name = "silu"
    which = kernels.SILU


class Exponential(Formula):
    """exp(x): infinity above 88.7, where float32 ends."""

    name = "exponential"

    def value(self, x: Floats) -> Floats:
        result: Floats = np.exp(x)
        return result

    slope = value


# What the formulas are made of ----------------------------------------------------------------------------------------


def _float32(x: Any) -> tuple[Floats, tuple[int, ...]]:
    """A copy of x as float32 with at least one axis, and x's shape."""
    array = checks.numeric("x", x)
    with np.errstate(**_QUIET):
        return np.atleast_1d(array.astype(np.float32)), array.shape


def _finite(argument: str, value: Any, least: float = -_LARGEST) -> float:
    """`value` as a float that float32 has too."""
    return checks.number(argument, value, least=least, below=_LARGEST)


def _within(x: Floats, limit: float) -> Floats:
    """x, but at least -limit and at most limit; NaN stays."""
    result: Floats = np.clip(x, np.float32(-limit), np.float32(limit))
    return result


def _row_of(x: Floats) -> Floats:
    """The numbers of x in one row, as kernels want them, (1, ld)."""
    row = np.zeros((1, kernels.padded(x.size)), np.float32)
    row[0, : x.size] = x.reshape(-1)
    return row


def _kernel(which: int, x: Floats) -> Floats:
    """An epilogue's function on an array of any shape."""
    row = _row_of(x)
    kernels.activation_forward(which, row)
    return row[0, : x.size].reshape(x.shape)


def _sigmoid(x: Floats) -> Floats:
    return _kernel(kernels.SIGMOID, x)


# By name --------------------------------------------------------------------------------------------------------------

linear = Linear()
relu = Relu()
relu6 = Relu6()
leaky_relu = LeakyRelu()
sigmoid = Sigmoid()
hard_sigmoid = HardSigmoid()
tanh = Tanh()
softmax = Softmax()
softplus = Softplus()
softsign = Softsign()
elu = Elu()
selu = Selu()
gelu = Gelu()
silu = swish = Silu()
exponential = Exponential()

_ALL: tuple[Activation, ...] = (
    linear, relu, relu6, leaky_relu, sigmoid, hard_sigmoid, tanh, softmax, softplus, softsign, elu, selu, gelu, silu,
    exponential,
)  # fmt: skip
NAMES = tuple(activation.name for activation in _ALL)
_BY_NAME: dict[str, Activation] = {activation.name: activation for activation in _ALL} | {"swish": silu}
CLASSES: dict[str, type[Activation]] = {type(thing).__name__: type(thing) for thing in _ALL} | {
    "ClippedRelu": ClippedRelu
}


def get(identifier: Any) -> Activation:
    """The activation of a name or of a description as `serialize` makes it, the object itself, or linear for None.

    A class stands for an object of its defaults, and a layer that is an activation, such as ``LeakyReLU(0.1)``, for
    the activation in it.

    Raises:
        ValueError: if there is none of that name.
        TypeError: if it is neither a name nor an activation. A plain function is none, since it has no derivative.
    """
    if identifier is None:
        return linear
    if isinstance(identifier, Activation):
        return identifier
    if isinstance(identifier, type) and issubclass(identifier, Activation):
        return identifier()
    if isinstance(identifier, dict):
        return checks.build("activation", identifier, CLASSES)
    inner = getattr(identifier, "as_activation", None)
    if inner is not None:
        found = inner()
        assert isinstance(found, Activation)
        return found
    if callable(identifier):
        raise TypeError(
            f"activation must be a name or an Activation, got {identifier!r}, which has no derivative to train with: "
            "make a class of it, class Mine(fastnet.activations.Activation), with __call__(self, x) for the function "
            "and derivative(self, x) for its derivative, and give Mine()"
        )
    return checks.choose("activation", identifier, _BY_NAME)


def serialize(activation: Activation) -> str | dict[str, Any]:
    """Its name, or class and arguments if some are not the defaults; as `get` takes them."""
    return checks.describe(activation) if activation.get_config() else activation.name


def as_typed(activation: Activation) -> str:
    """What to type for it in a layer's arguments: ``'relu'``, ``LeakyRelu(negative_slope=0.1)``."""
    known = _BY_NAME.get(activation.name)
    return repr(activation.name) if type(known) is type(activation) and not activation._shown() else repr(activation)
