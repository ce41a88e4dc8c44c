"""Callback: the hooks that `fit`, `evaluate` and `predict` call."""

from __future__ import annotations

from typing import Any

from fastnet.recorded import is_ours

Logs = dict[str, float]


class Callback:
    """Base class of all callbacks: override the hooks that you need.

    Attributes:
        model: the model that is being trained.
        params: a dict of the training's ``epochs``, ``steps`` (batches in an epoch) and ``verbose``.

    `logs` holds the loss and the metrics by name. In `on_train_batch_end` they are means over the epoch so far, in
    `on_epoch_end` over the whole epoch. At the end of an epoch all callbacks get the same dict: if one adds a number to
    it, later callbacks see it and the History records it. ``self.model.stop_training = True`` ends the training after
    the current batch.

    A hook that is not overridden is not called, so it costs no time.

    The class attribute ``_remembered = ("wait", "best")`` names attributes that are numbers or None and that belong to
    the state of a training. `BackupAndRestore` saves and restores them.
    """

    model: Any  # a Sequential; models/ imports this module, so the class cannot be named here
    params: dict[str, Any]
    _remembered: tuple[str, ...] = ()  # attributes that BackupAndRestore saves: numbers, or a list of weights
    _idle: frozenset[str] = frozenset()  # hooks of fastnet's own class that do nothing with the arguments given

    @property
    def _writes(self) -> bool:
        """Whether this process writes files. In a distributed training, only that of rank 0 does."""
        distribution = getattr(getattr(self, "model", None), "distribution", None)
        return distribution is None or distribution.rank == 0

    def set_model(self, model: Any) -> None:
        self.model = model

    def set_params(self, params: dict[str, Any]) -> None:
        self.params = params

    # Training ---------------------------------------------------------------------------------------------------------

    def on_train_begin(self, logs: Logs | None = None) -> None: ...

    def on_train_end(self, logs: Logs | None = None) -> None: ...

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None: ...

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None: ...

    def on_train_batch_begin(self, batch: int, logs: Logs | None = None) -> None:
        self.on_batch_begin(batch, logs)

    def on_train_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        self.on_batch_end(batch, logs)

    def on_batch_begin(self, batch: int, logs: Logs | None = None) -> None:
        """Called before a training batch; the older name of `on_train_batch_begin`."""

    def on_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        """Called after a training batch; the older name of `on_train_batch_end`."""

    # Evaluation, on its own or as the validation of an epoch ----------------------------------------------------------

    def on_test_begin(self, logs: Logs | None = None) -> None: ...

    def on_test_end(self, logs: Logs | None = None) -> None: ...

    def on_test_batch_begin(self, batch: int, logs: Logs | None = None) -> None: ...

    def on_test_batch_end(self, batch: int, logs: Logs | None = None) -> None: ...

    # Prediction -------------------------------------------------------------------------------------------------------

    def on_predict_begin(self, logs: Logs | None = None) -> None: ...

    def on_predict_end(self, logs: Logs | None = None) -> None: ...

    def on_predict_batch_begin(self, batch: int, logs: Logs | None = None) -> None: ...

    def on_predict_batch_end(self, batch: int, logs: Logs | None = None) -> None: ...


HOOKS = tuple(name for name in vars(Callback) if name.startswith("on_"))
_OLDER = {"on_train_batch_begin": "on_batch_begin", "on_train_batch_end": "on_batch_end"}


def overrides(callback: Callback, method: str) -> bool:
    """Returns whether a callback overrides a hook. The loop over batches calls only those that do."""
    if method in getattr(callback, "__dict__", {}):  # a function set on the object, as LambdaCallback does
        return True
    own = getattr(type(callback), method)
    if own is not getattr(Callback, method):
        return not (is_ours(own) and method in callback._idle)
    return method in _OLDER and overrides(callback, _OLDER[method])
