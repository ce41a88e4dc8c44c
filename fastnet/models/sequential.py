"""Sequential: a model made of a list of layers."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from fastnet.models.model import Model
from fastnet.training.stack import Stack


class Sequential(Model):
    """A model made of a list of layers, where the output of each is the input of the next.

    Args:
        layers: an optional `Input` and the layers, which may be models. `add` adds more.
        name: the name of the model in `summary`.
        trainable: whether the layers may be trained.

    Raises:
        TypeError: if an entry is not a layer.
        ValueError: if a layer occurs twice, or its input shape does not fit.

    Example:
        >>> from fastnet.layers import Dense, Input
        >>> Sequential([Input((784,)), Dense(512, activation="relu"), Dense(10, activation="softmax")])
        Sequential([Input((784,)), Dense(512, activation='relu'), Dense(10, activation='softmax')])
    """

    def __init__(self, layers: Iterable[Any] | None = None, name: str | None = None, trainable: bool = True) -> None:
        Stack.__init__(self, name, "sequential")
        self._make_untrained()
        for layer in layers or []:
            self.add(layer)
        if not trainable:
            self.trainable = False
