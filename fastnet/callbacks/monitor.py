"""Monitor: what the callbacks share that watch one of the logged numbers."""

from __future__ import annotations

import copy
import math
import warnings
from typing import Any

import numpy as np

from fastnet import checks
from fastnet.callbacks.base import Callback, Logs
from fastnet.callbacks.history import recorded_name
from fastnet.metrics import NAMES, FBetaScore, Metric

_MODES = ("auto", "min", "max")
_DIRECTIONS = {"up": True, "down": False}  # what a metric's `_direction` says of whether more is better


class Monitor(Callback):
    """Base of the callbacks that act on whether a number gets better.

    Args:
        monitor: the number's name in the logs, such as ``"val_loss"``; either spelling of a metric will do.
        mode: ``"min"`` if less is better, ``"max"`` if more is, ``"auto"`` to ask the model's metric of that name.
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

    def on_train_begin(self, logs: Logs | None = None) -> None:
        """Refuses a number that cannot be watched, before the first epoch.

        Raises:
            ValueError: if "auto" cannot tell whether more or less of it is better, or it is an array of numbers.
        """
        self._more_is_better()
        self.refuse_several(self.monitor)

    def value(self, logs: Logs | None) -> float | None:
        """The number now, or None and a warning if there is none of that name.

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
        """Whether `value` is better than `reference`; any number is better than None, and NaN than nothing."""
        if reference is None:
            return not math.isnan(value)
        if self._more_is_better():
            return value - self.min_delta > reference
        return value + self.min_delta < reference

    def refuse_several(self, name: str) -> None:
        """Raises a ValueError if what is logged under this name is an array of several numbers, as far as is known."""
        metric = metric_of(self._metrics(), name)
        size = 1 if metric is None else _size_of(metric, getattr(self, "model", None))
        if size != 1:
            raise self._several(name, size, metric)

    def _several(self, name: str, size: int, metric: Metric | None) -> ValueError:
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
        if metric is None:  # a number that another callback logs under the name of one of fastnet's own
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
        return list(getattr(getattr(self, "model", None), "metrics", []))


def metric_of(metrics: list[Any], name: str) -> Any:
    """The metric whose value is logged under this name, in training or, with ``val_``, in validation; or None."""
    for wanted in (name, name.removeprefix("val_")):
        found = recorded_name(wanted, [metric.name for metric in metrics])
        for metric in metrics:
            if metric.name == found:
                return metric
    return None


def _size_of(metric: Metric, model: Any) -> int:
    """How many numbers a metric's result is: tried on a copy of it with one row of zeros; 1 if that fails."""
    try:
        zeros = np.zeros((1, model._units()), np.float32)
        probe = copy.copy(metric)
        with np.errstate(all="ignore"):
            probe.reset_state()
            probe.update_checked(zeros, zeros.copy())
            return int(np.size(probe.logged()))
    except Exception:  # a metric of the user's own may want something else: its first value will tell
        return 1


def whole_number(argument: str, value: Any, least: int = 0) -> int:
    """`value` as an int, a whole float too, as Keras takes both."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return checks.integer(argument, value, least=least)
