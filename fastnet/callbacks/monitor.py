"""Monitor: what the callbacks share that watch one of the logged numbers."""

from __future__ import annotations

import math
import warnings
from typing import Any

from fastnet import checks
from fastnet.callbacks.base import Callback, Logs
from fastnet.callbacks.history import recorded_name

_MODES = ("auto", "min", "max")
_UP = ("acc", "auc", "precision", "recall", "f1", "fbeta", "iou", "r2", "cosine", "specificity", "sensitivity")
_DOWN = ("loss", "error", "mae", "mse", "mape", "msle", "crossentropy", "hinge", "kl", "poisson", "cosh", "huber")


class Monitor(Callback):
    """Base of the callbacks that act on whether a number gets better.

    Args:
        monitor: the number's name in the logs, such as ``"val_loss"``; either spelling of a metric will do.
        mode: ``"min"`` if less is better, ``"max"`` if more is, ``"auto"`` to tell by the name.
        min_delta: how much better it must be at least to count.

    Raises:
        ValueError: if the mode is unknown, or `min_delta` is no finite number.
        TypeError: if `monitor` is no string.
    """

    def __init__(self, monitor: str, mode: str, min_delta: float = 0) -> None:
        if not isinstance(monitor, str):
            raise TypeError(f"monitor must be a name such as 'val_loss', got {monitor!r}")
        self.monitor = monitor
        self.mode = checks.choose("mode", mode, {name: name for name in _MODES})
        self.min_delta = abs(checks.number("min_delta", min_delta, least=-math.inf))
        self.best: float | None = None

    def value(self, logs: Logs | None) -> float | None:
        """The number now, or None and a warning if there is none of that name."""
        name = recorded_name(self.monitor, logs or {})
        if name is not None:
            return float((logs or {})[name])
        known = [*(logs or {})]
        import difflib

        close = difflib.get_close_matches(self.monitor, known, n=1)
        hint = f"; did you mean {close[0]!r}?" if close else "."
        if self.monitor.startswith("val_") and not any(other.startswith("val_") for other in known):
            hint = "; fit needs validation_data or validation_split for it."
        warnings.warn(
            f"{type(self).__name__} monitors {self.monitor!r}, which is not available{hint} "
            f"There are: {', '.join(known) or 'none'}",
            stacklevel=3,
        )
        return None

    def improves(self, value: float, reference: float | None) -> bool:
        """Whether `value` is better than `reference`; any number is better than None, and NaN than nothing."""
        if reference is None:
            return not math.isnan(value)
        if self._more_is_better():
            return value - self.min_delta > reference
        return value + self.min_delta < reference

    def _more_is_better(self) -> bool:
        if self.mode != "auto":
            return self.mode == "max"
        name = self.monitor.removeprefix("val_")
        for metric in self._metrics():
            direction = getattr(metric, "direction", None) or getattr(metric, "_direction", None)
            if direction in ("up", "down") and recorded_name(name, [metric.name]):
                return bool(direction == "up")
        if name == "loss":
            return False
        up, down = (any(part in name for part in parts) for parts in (_UP, _DOWN))
        if up == down:
            raise ValueError(
                f"{type(self).__name__}: it is not clear whether more or less of monitor={self.monitor!r} is better; "
                "expected mode='max' or mode='min'"
            )
        return up

    def _metrics(self) -> list[Any]:
        return list(getattr(getattr(self, "model", None), "metrics", []))


def whole_number(argument: str, value: Any, least: int = 0) -> int:
    """`value` as an int, a whole float too, as Keras takes both."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return checks.integer(argument, value, least=least)
