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

import importlib
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from fastnet import checks
from fastnet.activations.base import Activation
from fastnet.activations.piecewise_linear import (
    ClippedRelu,
    HardSigmoid,
    HardTanh,
    LeakyRelu,
    Linear,
    Relu,
    Relu6,
    SparseSigmoid,
)
from fastnet.activations.sigmoids import Sigmoid, Softsign, Tanh
from fastnet.activations.smooth import SELU_ALPHA, SELU_SCALE, Elu, Exponential, Gelu, Selu, Silu, Softplus
from fastnet.activations.softmax import Softmax
from fastnet.registered import is_registered, resolve

if TYPE_CHECKING:
    from fastnet.activations.rectifiers import Celu, HardSilu, LogSigmoid, Mish, SparsePlus, Squareplus
    from fastnet.activations.rows import Glu, LogSoftmax, Sparsemax
    from fastnet.activations.shrinking import HardShrink, SoftShrink, TanhShrink, Threshold

__all__ = [
    "SELU_ALPHA", "SELU_SCALE", "Activation", "Celu", "ClippedRelu", "Elu", "Exponential", "Gelu", "Glu", "HardShrink",
    "HardSigmoid", "HardSilu", "HardTanh", "LeakyRelu", "Linear", "LogSigmoid", "LogSoftmax", "Mish", "Relu", "Relu6",
    "Selu", "Sigmoid", "Silu", "SoftShrink", "Softmax", "Softplus", "Softsign", "SparsePlus", "SparseSigmoid",
    "Sparsemax", "Squareplus", "Tanh", "TanhShrink", "Threshold", "celu", "deserialize", "elu", "exponential", "gelu",
    "get", "glu", "hard_shrink", "hard_sigmoid", "hard_silu", "hard_swish", "hard_tanh", "leaky_relu", "linear",
    "log_sigmoid", "log_softmax", "mish", "relu", "relu6", "selu", "serialize", "sigmoid", "silu", "soft_shrink",
    "softmax", "softplus", "softsign", "sparse_plus", "sparse_sigmoid", "sparsemax", "squareplus", "swish", "tanh",
    "tanh_shrink", "threshold",
]  # fmt: skip

linear = Linear()
relu = Relu()
relu6 = Relu6()
leaky_relu = LeakyRelu()
sigmoid = Sigmoid()
hard_sigmoid = HardSigmoid()
hard_tanh = HardTanh()
sparse_sigmoid = SparseSigmoid()
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
CLASSES: dict[str, type[Activation]] = {kind.__name__: kind for kind in (*map(type, _BY_NAME.values()), ClippedRelu)}
# The rarely used ones are imported when one of them is first asked for: their files, classes and names.
_RARE: dict[str, dict[str, tuple[str, ...]]] = {
    "rectifiers": {
        "Celu": ("celu",),
        "HardSilu": ("hard_silu", "hard_swish"),
        "LogSigmoid": ("log_sigmoid",),
        "Mish": ("mish",),
        "SparsePlus": ("sparse_plus",),
        "Squareplus": ("squareplus",),
    },
    "rows": {"Glu": ("glu",), "LogSoftmax": ("log_softmax",), "Sparsemax": ("sparsemax",)},
    "shrinking": {
        "HardShrink": ("hard_shrink",),
        "SoftShrink": ("soft_shrink",),
        "TanhShrink": ("tanh_shrink",),
        "Threshold": ("threshold",),
    },
}
_RARE_NAMES = {name for kinds in _RARE.values() for kind, names in kinds.items() for name in (kind, *names)}
NAMES = tuple(sorted({*(activation.name for activation in _BY_NAME.values()), *filter(str.islower, _RARE_NAMES)}))


def __getattr__(name: str) -> Any:
    """Imports the rarely used activations when one of them is first used, so that `import fastnet` stays fast."""
    if name not in _RARE_NAMES:
        raise checks.no_such(sys.modules[__name__], "fastnet has no activation", name, sys._getframe(1))
    _import_all()
    return globals()[name]


def __dir__() -> list[str]:
    """Returns all names, also those that were not used yet."""
    return sorted({*globals(), *__all__})


def _import_all() -> None:
    """Adds the rarely used activations to this module and its tables."""
    for file, kinds in _RARE.items():
        module = importlib.import_module(f"{__name__}.{file}")
        for kind, names in kinds.items():
            CLASSES[kind] = globals()[kind] = getattr(module, kind)
            _BY_NAME.update(dict.fromkeys(names, _BY_NAME.get(names[0]) or CLASSES[kind]()))
    globals().update(_BY_NAME)


def is_known(name: str) -> bool:
    """Tells whether an activation or a class of activations has this name."""
    return name in _BY_NAME or name in CLASSES or name in _RARE_NAMES


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
    name = identifier.get("class_name") if isinstance(identifier, dict) else identifier
    if isinstance(name, str) and name not in _BY_NAME and name not in CLASSES:
        _import_all()  # also for an unknown name, since the error lists all
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


def deserialize(config: Any, custom_objects: Mapping[str, Any] | None = None) -> Activation:
    """Returns the activation of a result of `serialize`; `custom_objects` are your own classes by name."""
    return get(checks.own(config, custom_objects))


def as_typed(activation: Activation) -> str:
    """Returns the code of a layer's argument: ``'relu'``, ``LeakyRelu(negative_slope=0.1)``."""
    code = repr(activation)
    return repr(code) if code == activation.name else code
