"""LambdaCallback: uses plain functions as hooks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fastnet import checks
from fastnet.callbacks.base import HOOKS, Callback


class LambdaCallback(Callback):
    """Calls each given function at the hook that it is given for.

    Args:
        on_epoch_begin: function of the epoch's number and the logs.
        on_epoch_end: function of the epoch's number and the logs.
        on_train_begin: function of the logs.
        on_train_end: function of the logs.
        on_train_batch_begin: function of the batch's number and the logs.
        on_train_batch_end: function of the batch's number and the logs.
        kwargs: functions for other hooks of `Callback`, by the hook's name. A name that does not begin with ``on_`` is
            no hook: it becomes an attribute, for your own functions to use.

    Raises:
        TypeError: if a name begins with ``on_`` but is not a hook, or a hook's value is not callable.

    Example:
        >>> show = LambdaCallback(on_epoch_end=lambda epoch, logs: print(epoch, logs["loss"]))
        >>> show.on_epoch_end(0, {"loss": 0.5})
        0 0.5
    """

    def __init__(
        self,
        on_epoch_begin: Callable[..., Any] | None = None,
        on_epoch_end: Callable[..., Any] | None = None,
        on_train_begin: Callable[..., Any] | None = None,
        on_train_end: Callable[..., Any] | None = None,
        on_train_batch_begin: Callable[..., Any] | None = None,
        on_train_batch_end: Callable[..., Any] | None = None,
        **kwargs: Any,
    ) -> None:
        given = {name: value for name, value in locals().items() if name.startswith("on_")}
        others = {name: value for name, value in kwargs.items() if not name.startswith("on_")}
        vars(self).update(others)
        given |= checks.keywords("LambdaCallback", {k: v for k, v in kwargs.items() if k not in others}, HOOKS)
        for name, function in given.items():
            if function is None:
                continue
            if not callable(function):
                raise TypeError(f"{name} must be a function, got {function!r}")
            setattr(self, name, function)
