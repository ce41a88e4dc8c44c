"""Hooks: which methods of which callbacks a loop has to call, so that those that nobody overrides cost nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fastnet.callbacks import Callback
from fastnet.callbacks.base import overrides


class Hooks:
    """The callbacks of one fit, evaluate or predict, told which model and with which parameters.

    Args:
        callbacks: in the order in which they are called.
        model, params: handed to each.
    """

    def __init__(self, callbacks: list[Callback], model: Any, params: dict[str, Any]) -> None:
        self._callbacks = callbacks
        for callback in callbacks:
            callback.set_model(model)
            callback.set_params(params)

    def __getitem__(self, hook: str) -> list[Callable[..., Any]]:
        """The methods to call at this hook; to be asked for once, before a loop over batches."""
        return [getattr(callback, hook) for callback in self._callbacks if overrides(callback, hook)]

    def call(self, hook: str, *arguments: Any) -> None:
        """Calls them all; without logs they get an empty dict, in its place, as Keras gives it."""
        if len(arguments) < (2 if "epoch" in hook else 1):
            arguments = (*arguments, {})
        for method in self[hook]:
            method(*arguments)
