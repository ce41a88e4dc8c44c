"""Callbacks: what a user hooks into a training; and History, which every training returns."""

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

    `logs` are running means: of the epoch so far in `on_train_batch_end`, of the epoch in `on_epoch_end`. Set
    ``self.model.stop_training = True`` to end the training after the current batch's epoch.
    """

    model: Sequential
    params: dict[str, Any]

    def set_model(self, model: Sequential) -> None:
        self.model = model

    def set_params(self, params: dict[str, Any]) -> None:
        self.params = params

    def on_train_begin(self, logs: Logs | None = None) -> None: ...

    def on_train_end(self, logs: Logs | None = None) -> None: ...

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None: ...

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None: ...

    def on_train_batch_begin(self, batch: int, logs: Logs | None = None) -> None: ...

    def on_train_batch_end(self, batch: int, logs: Logs | None = None) -> None: ...


class History(Callback):
    """The loss and the metrics of each epoch.

    Attributes:
        epoch: the epochs' numbers, from 0.
        history: a list of one number an epoch for each of ``loss``, the metrics and, with validation data, ``val_...``.
    """

    def __init__(self) -> None:
        self.epoch: list[int] = []
        self.history: dict[str, list[float]] = {}

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        self.epoch.append(epoch)
        for name, value in (logs or {}).items():
            self.history.setdefault(name, []).append(value)

    def __repr__(self) -> str:
        return f"<History of {len(self.epoch)} epochs: {', '.join(self.history) or 'nothing'}>"


def overrides(callback: Callback, method: str) -> bool:
    """Whether a callback does anything there; those that do not cost nothing in the loop over batches."""
    return getattr(type(callback), method) is not getattr(Callback, method)
