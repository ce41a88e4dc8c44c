"""History, which `fit` returns, and the short and long names of metrics."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, TypeVar

from fastnet.callbacks.base import Callback, Logs

T = TypeVar("T")

# Older scripts use the short names, Keras 3 the long ones. Whichever was recorded, both can be read.
_PAIRS = {
    "acc": "accuracy",
    "mae": "mean_absolute_error",
    "mse": "mean_squared_error",
    "mape": "mean_absolute_percentage_error",
    "msle": "mean_squared_logarithmic_error",
    "kld": "kl_divergence",
    "lr": "learning_rate",
}
_OTHER = _PAIRS | {long: short for short, long in _PAIRS.items()}


def recorded_name(name: Any, names: Iterable[Any]) -> Any:
    """Returns the entry of `names` that `name` means: itself or its other spelling; None if there is none."""
    known = set(names)
    if name in known:
        return name
    if not isinstance(name, str):
        return None
    prefix = "val_" if name.startswith("val_") else ""
    other = _OTHER.get(name.removeprefix("val_"))
    return prefix + other if other and prefix + other in known else None


class Spellings(dict[str, T]):
    """A dict with metrics' names as keys, which can also be read by their other spelling.

    Example:
        >>> record = Spellings({"val_accuracy": [0.9]})
        >>> record["val_acc"], "acc" in record, list(record)
        ([0.9], False, ['val_accuracy'])
    """

    def __missing__(self, key: str) -> T:
        name = recorded_name(key, self.keys())
        if name is None:
            raise KeyError(key)
        return self[name]

    def __contains__(self, key: object) -> bool:
        return recorded_name(key, self.keys()) is not None

    def get(self, key: str, default: Any = None) -> Any:
        return self[key] if key in self else default  # noqa: SIM401, this is get()


class History(Callback):
    """Records the loss and the metrics of each epoch.

    Attributes:
        epoch: list of the epochs' numbers, from 0.
        history: dict of lists with one number per epoch: ``loss``, the metrics and, with validation data, ``val_...``.
            ``history["acc"]`` and ``history["accuracy"]`` are the same list; so are ``mae`` and
            ``mean_absolute_error``, and so on.
    """

    def __init__(self) -> None:
        self.epoch: list[int] = []
        self.history: dict[str, list[float]] = Spellings()

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        self.epoch.append(epoch)
        for name, value in (logs or {}).items():
            self.history.setdefault(name, []).append(value)

    def __repr__(self) -> str:
        return f"<History of {len(self.epoch)} epochs: {', '.join(self.history) or 'nothing'}>"
