"""Activation functions: what a layer computes from its weighted sums.

Each activation defines three things in one class: the function of an array, whether a matrix product computes it in
its epilogue, and the backward pass, which turns the gradient with respect to the output into the gradient with respect
to the sums.

Your own activation is a class with the function and its derivative. Both take the sums and work element by element:

    class Square(Activation):
        def __call__(self, x):
            return x * x

        def derivative(self, x):
            return 2 * x

    Dense(10, activation=Square())
"""

from typing import Any

from fastnet import checks
from fastnet.activations.base import Activation
from fastnet.activations.piecewise_linear import ClippedRelu, HardSigmoid, LeakyRelu, Linear, Relu, Relu6
from fastnet.activations.sigmoids import Sigmoid, Softsign, Tanh
from fastnet.activations.smooth import SELU_ALPHA, SELU_SCALE, Elu, Exponential, Gelu, Selu, Silu, Softplus
from fastnet.activations.softmax import Softmax
from fastnet.registered import is_registered, resolve

__all__ = [
    "SELU_ALPHA", "SELU_SCALE", "Activation", "ClippedRelu", "Elu", "Exponential", "Gelu", "HardSigmoid", "LeakyRelu",
    "Linear", "Relu", "Relu6", "Selu", "Sigmoid", "Silu", "Softmax", "Softplus", "Softsign", "Tanh", "elu",
    "exponential", "gelu", "get", "hard_sigmoid", "leaky_relu", "linear", "relu", "relu6", "selu", "serialize",
    "sigmoid", "silu", "softmax", "softplus", "softsign", "swish", "tanh",
]  # fmt: skip

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

_BY_NAME: dict[str, Activation] = {name: thing for name, thing in globals().items() if isinstance(thing, Activation)}
NAMES = tuple(name for name, activation in _BY_NAME.items() if name == activation.name)
CLASSES: dict[str, type[Activation]] = {kind.__name__: kind for kind in (*map(type, _BY_NAME.values()), ClippedRelu)}


def get(identifier: Any) -> Activation:
    """Returns the activation that a layer's argument stands for.

    Args:
        identifier: a name; a description as `serialize` returns it; an `Activation`; a class, which stands for an
            object with the default arguments; a layer such as ``LeakyReLU(0.1)``, which stands for its activation; or
            None, which stands for linear.

    Raises:
        ValueError: if there is no activation of that name.
        TypeError: if `identifier` is of another type. A plain function is refused, since it has no derivative.
    """
    identifier = resolve(identifier)
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
    """Returns the name, or class and arguments if some differ from the defaults, as `get` takes them."""
    is_named = not activation.get_config() and type(activation) is not ClippedRelu  # which is no name for `get`
    return activation.name if is_named and not is_registered(type(activation)) else checks.describe(activation)


def as_typed(activation: Activation) -> str:
    """Returns the code of a layer's argument: ``'relu'``, ``LeakyRelu(negative_slope=0.1)``."""
    code = repr(activation)
    return repr(code) if code == activation.name else code
