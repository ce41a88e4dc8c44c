"""Network: the layers that the parameters of an estimator describe."""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Iterable, Iterator
from typing import Any

from fastnet import activations, checks
from fastnet.initializers import VarianceScaling
from fastnet.layers import Dense, Dropout, Input, InputLayer, Layer
from fastnet.layers.tensor import Tensor
from fastnet.models import Model, Sequential
from fastnet.regularizers import L2

_AS_KERAS = {"identity": "linear", "logistic": "sigmoid"}  # scikit-learn's names of activations that differ
_AS_SKLEARN = {"linear": "identity", "sigmoid": "logistic", "exponential": "exp"}


def make_model(estimator: Any, features: int, outputs: int, activation: str) -> Sequential:
    """Makes a network with new weights.

    Args:
        estimator: the estimator with the parameters.
        features: the number of features.
        outputs: the units of the output layer.
        activation: the activation of the output layer.
    """
    hidden = _hidden_layers(estimator)
    first = [] if hidden and isinstance(hidden[0], Tensor | InputLayer) else [Input((features,))]
    last = Dense(outputs, activation, kernel_initializer=_initializer(estimator), name="output")
    return Sequential([*first, *hidden, last])


def described(estimator: Any) -> dict[str, Any]:
    """Returns the parameters that describe the network, in a form that can be compared."""
    if estimator.layers is not None:
        return {"layers": "a list"}
    sizes = hidden_sizes(estimator.hidden_layer_sizes)
    rates = dropout_rates(estimator.dropout, len(sizes))
    activation = repr(activation_of(estimator))
    return {"layers": None, "hidden_layer_sizes": sizes, "activation": activation, "dropout": rates}


def check_same(estimator: Any, before: dict[str, Any]) -> None:
    """Raises a ValueError if the parameters describe another network than the one that a training would continue."""
    for name, value in described(estimator).items():
        if before[name] != value:
            raise ValueError(
                f"{name} is {value}, but the network of the last training has {before[name]}; for a new network call "
                "fit with warm_start=False"
            )


def _hidden_layers(estimator: Any) -> list[Any]:
    given = estimator.layers
    if given is not None:
        made = given() if callable(given) and not isinstance(given, Layer | Model) else given
        if isinstance(made, str) or not isinstance(made, Iterable | Layer | Model):
            raise TypeError(f"layers must be a list of layers, or a function that returns one, got {made!r:.80}")
        return copy.deepcopy([made] if isinstance(made, Layer | Model) else list(made))
    sizes = hidden_sizes(estimator.hidden_layer_sizes)
    layers: list[Any] = []
    for size, rate in zip(sizes, dropout_rates(estimator.dropout, len(sizes)), strict=True):
        layers.append(Dense(size, activation_of(estimator), kernel_initializer=_initializer(estimator)))
        layers += [Dropout(rate)] if rate else []
    return layers


def activation_of(estimator: Any) -> activations.Activation:
    """Returns the activation of the hidden layers. Raises a ValueError or TypeError if there is none such."""
    given = estimator.activation
    with naming(_AS_KERAS):
        return activations.get(_AS_KERAS.get(given, given) if isinstance(given, str) else given)


@contextlib.contextmanager
def naming(names: Iterable[str]) -> Iterator[None]:
    """Adds scikit-learn's own names to the message about an unknown name."""
    try:
        yield
    except ValueError as error:
        raise ValueError(f"{error}; and scikit-learn's {', '.join(names)}") from None


def sklearn_name(activation: activations.Activation) -> str:
    """Returns the name of an activation in scikit-learn's words."""
    return _AS_SKLEARN.get(activation.name, activation.name)


def _initializer(estimator: Any) -> Any:
    """Returns the initializer of a kernel: uniform, as in scikit-learn, which makes that for a sigmoid smaller."""
    is_sigmoid = estimator.layers is None and activation_of(estimator).name == "sigmoid"
    return VarianceScaling(1 / 3, "fan_avg", "uniform") if is_sigmoid else "glorot_uniform"


def penalize(estimator: Any, model: Sequential, factor: float) -> None:
    """Sets the factor of the L2 penalty of the layers that the estimator has made."""
    regularizer = L2(factor) if factor else None
    for layer in model.layers[-1:] if estimator.layers is not None else model.layers:
        if isinstance(layer, Dense):
            layer.kernel_regularizer = layer.kernel.regularizer = regularizer


def is_plain(estimator: Any) -> bool:
    """Tells whether the network computes each example for itself, and without random numbers."""
    sizes = hidden_sizes(estimator.hidden_layer_sizes)
    return estimator.layers is None and not any(dropout_rates(estimator.dropout, len(sizes)))


def hidden_sizes(given: Any) -> list[int]:
    """Returns `hidden_layer_sizes` as a list. Raises a ValueError or TypeError if it is wrong."""
    entries = list(given) if isinstance(given, Iterable) and not isinstance(given, str) else [given]
    return [checks.integer("hidden_layer_sizes", entry, least=1) for entry in entries]


def dropout_rates(given: Any, count: int) -> list[float]:
    """Returns the dropout rate after each hidden layer. Raises a ValueError or TypeError if one is wrong."""
    entries = list(given) if isinstance(given, Iterable) and not isinstance(given, str) else [given] * count
    if len(entries) != count:
        raise ValueError(f"dropout has {len(entries)} rates, but there are {count} hidden layers")
    return [checks.number("dropout", entry, least=0, below=1) for entry in entries]
