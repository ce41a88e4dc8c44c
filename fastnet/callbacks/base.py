"""Callback: the hooks that a training, an evaluation and a prediction call; and which of them an object uses."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fastnet.models import Sequential

Logs = dict[str, float]


class Callback:
    """Base of all callbacks: override what you need.

    Attributes:
        model: the model in training.
        params: ``epochs``, ``steps`` (an epoch's batches) and ``verbose`` of the training.

    `logs` are running means: of the epoch so far in `on_train_batch_end`, of the epoch in `on_epoch_end`. All callbacks
    get the same dict at the end of an epoch, so what one adds to it the later ones see, and the History records. Set
    ``self.model.stop_training = True`` to end the training after the current batch.

    A hook that nobody overrides is not called, so it costs nothing.
    """

    model: Sequential
    params: dict[str, Any]

    def set_model(self, model: Sequential) -> None:
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
        """The older name of `on_train_batch_begin`."""

    def on_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        """The older name of `on_train_batch_end`."""

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
    """Whether a callback does anything there; those that do not cost nothing in the loop over batches."""
    if method in getattr(callback, "__dict__", {}):  # a function given to the object, as LambdaCallback does
        return True
    if getattr(type(callback), method) is not getattr(Callback, method):
        return True
    return method in _OLDER and overrides(callback, _OLDER[method])
