"""Monitor: base class of the callbacks that watch one number in the logs."""

from __future__ import annotations

import copy
import math
import warnings
from typing import Any

import numpy as np

from fastnet import checks
from fastnet.callbacks.base import Callback, Logs
from fastnet.callbacks.history import recorded_name
from fastnet.metrics import Metric

_MODES = ("auto", "min", "max")
_DIRECTIONS = {"up": True, "down": False}  # a metric's `_direction`, and whether more is better


class Monitor(Callback):
    """Base class of the callbacks that act when a number improves, or does not.

    Args:
        monitor: name of the number in the logs, such as ``"val_loss"``. Short and long names of metrics are accepted.
        mode: ``"min"`` if less is better, ``"max"`` if more is better, ``"auto"`` to ask the model's metric.
        min_delta: smallest change that counts as an improvement.

    Raises:
        ValueError: if the mode is unknown, or `min_delta` is not finite.
        TypeError: if `monitor` is not a string, or `min_delta` is not a number.
    """

    def __init__(self, monitor: str, mode: str, min_delta: float = 0) -> None:
        if not isinstance(monitor, str):
            raise TypeError(f"monitor must be a name such as 'val_loss', got {monitor!r}")
        self.monitor = monitor
        self.mode = checks.choose("mode", mode, {name: name for name in _MODES})
        self.min_delta = abs(checks.number("min_delta", min_delta, least=-math.inf))
        self.best: float | None = None

    def on_train_begin(self, logs: Logs | None = None) -> None:
        """Checks before the first epoch that the number can be monitored.

        Raises:
            ValueError: if "auto" does not know whether more or less is better, or if it is an array of numbers.
        """
        self._more_is_better()
        self.refuse_several(self.monitor)

    def value(self, logs: Logs | None) -> float | None:
        """Returns the monitored number, or None with a warning if the logs do not have it.

        Raises:
            ValueError: if it is an array of several numbers.
        """
        name = recorded_name(self.monitor, logs or {})
        if name is not None:
            value: Any = (logs or {})[name]
            if np.size(value) != 1:
                raise self._several(self.monitor, np.size(value), metric_of(self._metrics(), self.monitor))
            return float(np.reshape(value, ()))
        known = [*(logs or {})]
        hint, when = checks.near_miss(self.monitor, known) or ".", ""
        if self.monitor.startswith("val_") and not any(other.startswith("val_") for other in known):
            hint = "; fit needs validation_data or validation_split for it."
            when = ". With validation_freq it is there in some epochs only"
        warnings.warn(
            f"{type(self).__name__} monitors {self.monitor!r}, which is not available{hint} "
            f"There are: {', '.join(known) or 'none'}{when}",
            stacklevel=3,
        )
        return None

    def improves(self, value: float, reference: float | None) -> bool:
        """Returns whether `value` is better than `reference`. Any number is better than None; NaN is never better."""
        if reference is None:
            return not math.isnan(value)
        if self._more_is_better():
            return value - self.min_delta > reference
        return value + self.min_delta < reference

    def refuse_several(self, name: str) -> None:
        """Raises ValueError if the metric of this name is known to be an array of several numbers."""
        metric = metric_of(self._metrics(), name)
        size = 1 if metric is None else _size_of(metric, getattr(self, "model", None))
        if size != 1:
            raise self._several(name, size, metric)

    def _several(self, name: str, size: int, metric: Metric | None) -> ValueError:
        from fastnet.metrics import FBetaScore  # imported here, because only this error needs it

        if isinstance(metric, FBetaScore):
            hint = f"give the metric an average, as in {type(metric).__name__}(average='macro')"
        elif hasattr(metric, "thresholds"):
            hint = f"give the metric one threshold, as in {type(metric).__name__}(thresholds=0.5)"
        else:
            hint = "it needs a metric whose result is one number, such as their mean"
        return ValueError(f"{type(self).__name__} monitors {name!r}, which is an array of {size} numbers: {hint}")

    def _more_is_better(self) -> bool:
        if self.mode != "auto":
            return self.mode == "max"
        if self.monitor in ("loss", "val_loss"):
            return False
        metrics = self._metrics()
        metric: Any = metric_of(metrics, self.monitor)
        if metric is None:  # another callback may log a number under the name of one of fastnet's metrics
            from fastnet.metrics import NAMES

            metric = NAMES.get(self.monitor.removeprefix("val_"))
        direction = getattr(metric, "_direction", None)
        if direction in _DIRECTIONS:
            return _DIRECTIONS[direction]
        if metric is None:
            prefix = "val_" if self.monitor.startswith("val_") else ""
            known = [prefix + name for name in ("loss", *(each.name for each in metrics))]
            close = checks.near_miss(self.monitor, known)
            why = f"It is none of the model's metrics{close or '.'} There are: {', '.join(known)}"
        else:
            why = f"The metric {metric.name!r} does not say so by _direction = 'up' or 'down'"
        raise ValueError(
            f"{type(self).__name__}: it is not clear whether more or less of monitor={self.monitor!r} is better; "
            f"expected mode='max' or mode='min'. {why}"
        )

    def _metrics(self) -> list[Any]:
        return list(getattr(getattr(self, "model", None), "_metrics", []))


def metric_of(metrics: list[Any], name: str) -> Any:
    """Returns the metric that is logged under this name, with or without ``val_``; None if there is none."""
    for wanted in (name, name.removeprefix("val_")):
        found = recorded_name(wanted, [metric.name for metric in metrics])
        for metric in metrics:
            if metric.name == found:
                return metric
    return None


def _size_of(metric: Metric, model: Any) -> int:
    """Returns how many numbers a metric's result has; tries a copy on one row of zeros, and returns 1 if that fails."""
    try:
        zeros = np.zeros((1, model._units()), np.float32)
        probe = copy.copy(metric)
        with np.errstate(all="ignore"):
            probe.reset_state()
            probe.update_checked(zeros, zeros.copy())
            return int(np.size(probe.logged()))
    except Exception:  # a user's own metric may need other input; then its first value is checked
        return 1
