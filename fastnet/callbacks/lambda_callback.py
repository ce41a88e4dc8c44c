"""LambdaCallback: hooks that are plain functions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fastnet import checks
from fastnet.callbacks.base import HOOKS, Callback


class LambdaCallback(Callback):
    """Calls functions at the hooks that they are given for.

    Args:
        on_epoch_begin, on_epoch_end: functions of the epoch's number and the logs.
        on_train_begin, on_train_end: functions of the logs.
        on_train_batch_begin, on_train_batch_end: functions of the batch's number and the logs.
        kwargs: the same for any other hook of `Callback`.

    Raises:
        TypeError: if a name is no hook, or a value cannot be called.

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
        given = {
            "on_epoch_begin": on_epoch_begin,
            "on_epoch_end": on_epoch_end,
            "on_train_begin": on_train_begin,
            "on_train_end": on_train_end,
            "on_train_batch_begin": on_train_batch_begin,
            "on_train_batch_end": on_train_batch_end,
            **checks.keywords("LambdaCallback", kwargs, HOOKS),
        }
        for name, function in given.items():
            if function is None:
                continue
            if not callable(function):
                raise TypeError(f"{name} must be a function, got {function!r}")
            setattr(self, name, function)
