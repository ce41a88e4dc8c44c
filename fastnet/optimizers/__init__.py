"""Optimizers: how to change the weights, given the gradients."""

from typing import Any

from fastnet import checks
from fastnet.optimizers import schedules
from fastnet.optimizers.adagrad import Adagrad
from fastnet.optimizers.adam import Adam
from fastnet.optimizers.adamw import AdamW
from fastnet.optimizers.base import Optimizer, Sink, multiply
from fastnet.optimizers.nadam import Nadam
from fastnet.optimizers.rmsprop import RMSprop
from fastnet.optimizers.sgd import SGD

__all__ = ["SGD", "Adagrad", "Adam", "AdamW", "Nadam", "Optimizer", "RMSprop", "Sink", "get", "multiply", "schedules"]

CLASSES: dict[str, type[Optimizer]] = {c.__name__: c for c in (SGD, RMSprop, Adam, AdamW, Adagrad, Nadam)}
_BY_NAME: dict[str, type[Optimizer]] = {name.lower(): c for name, c in CLASSES.items()}


def get(identifier: Any) -> Optimizer:
    """Returns the optimizer that the argument of `compile` stands for.

    Args:
        identifier: a name, in small or capital letters, for a new optimizer with the default arguments; a description
            of class and arguments; or an `Optimizer`.

    Raises:
        ValueError: if there is no optimizer of that name.
        TypeError: if `identifier` is of another type.
    """
    if isinstance(identifier, Optimizer):
        return identifier
    return checks.build("optimizer", identifier, _BY_NAME, any_case=True)
