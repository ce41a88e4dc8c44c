"""Plots training curves: loss and metrics by epoch, from a History, or by step, from a StepHistory."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from fastnet.callbacks import Callback, History
from fastnet.callbacks.history import recorded_name
from fastnet.metrics.accuracy import AccuracyByShape
from fastnet.metrics.base import Metric, RunningMean
from fastnet.plotting.axes import CURVES, axes_or_new, literal

if TYPE_CHECKING:
    from matplotlib.axes import Axes


_SEPARATE = 30  # with more epochs, the marks of single epochs would overlap


class StepHistory(Callback):
    """Callback that records the loss and the metrics of every step, for the plot of `history`.

    Callbacks get means over the epoch so far. The value of a single step is computed from two successive means, as if
    all batches had the same size, so the value of a smaller last batch is inexact. A metric that is not a mean over
    examples, such as AUC, is recorded as it is given: for the epoch so far.

    Attributes:
        history: dict of lists with one number per step.
        validation: dict of lists of (number of steps so far, result), one entry per validation. Names have no ``val_``.
        epoch_ends: list of the number of steps at the end of each epoch.

    Example:
        >>> steps = StepHistory()
        >>> steps.on_epoch_begin(0)
        >>> for number, loss in enumerate([4.0, 3.0]):
        ...     steps.on_train_batch_end(number, {"loss": loss})
        >>> steps.history
        {'loss': [4.0, 2.0]}
    """

    def __init__(self) -> None:
        self.history: dict[str, list[float]] = {}
        self.validation: dict[str, list[tuple[int, float]]] = {}
        self.epoch_ends: list[int] = []
        self._no_means: set[str] = set()

    def on_train_begin(self, logs: dict[str, float] | None = None) -> None:
        self.history, self.validation, self.epoch_ends = {}, {}, []
        self._no_means = {metric.name for metric in self.model.metrics if not _is_mean(metric)}

    def on_epoch_begin(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        self._before: dict[str, float] = {}

    def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        for name, mean in (logs or {}).items():
            if np.ndim(mean) == 0:
                is_mean = name not in self._no_means
                own = (batch + 1) * mean - batch * self._before.get(name, 0.0) if is_mean else mean
                self.history.setdefault(name, []).append(float(own))
                self._before[name] = mean

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        steps = max(map(len, self.history.values()), default=0)
        self.epoch_ends.append(steps)
        for name, value in (logs or {}).items():
            if name.startswith("val_") and np.ndim(value) == 0:
                self.validation.setdefault(name.removeprefix("val_"), []).append((steps, float(value)))


def _is_mean(metric: Metric) -> bool:
    """Returns whether a metric's result is a mean over examples, not a root or a ratio of means."""
    return isinstance(metric, AccuracyByShape) or type(metric).result is RunningMean.result


def values_of(history: Any) -> Mapping[str, Any]:
    """Returns the recorded values by name.

    Raises:
        TypeError: if `history` is not a history.
        ValueError: if it is empty.
    """
    record = history.history if isinstance(history, History | StepHistory) else history
    if not isinstance(record, Mapping):
        raise TypeError(f"history must be what fit() returned, or its dict, or a StepHistory, got {history!r}")
    if not any(np.size(values) for values in record.values()):
        raise ValueError("history is empty: no epoch was trained")
    return record


def whole(record: Mapping[str, Any], history: Any) -> list[str]:
    """Returns the names, without those of the validation, that have a value for every epoch or step."""
    count = len(_epochs(record, history))
    return [name for name in record if not name.startswith("val_") and len(record[name]) == count]


def _epochs(record: Mapping[str, Any], history: Any) -> Any:
    """Returns the numbers of the epochs or steps, from 1; a dict has as many as its longest list."""
    if isinstance(history, History):
        return 1 + np.array(history.epoch)
    return 1 + np.arange(max(map(len, record.values()), default=0))


def history(history: Any, *, metrics: Any = None, ax: Axes | None = None) -> Axes:
    """Plots loss or metrics over the training: solid lines for training, dashed ones for validation.

    If the dashed line of a loss rises while the solid one still falls, the network overfits: it learns its training
    examples by heart. Training results are means over an epoch in which the network still changes. So at first the
    validation, which comes after the epoch, may be better.

    A `StepHistory` is plotted by step. Thin lines are single steps, thick lines are moving means over a fiftieth of the
    training. Vertical lines mark the ends of epochs.

    With ``validation_freq`` above 1, a History does not know which epochs were validated. Its validation is then left
    out, and the legend says so. A StepHistory knows the epochs.

    Args:
        history: the result of `fit`, its dict ``history.history``, or a `StepHistory`.
        metrics: a name or a list of names, such as ``["accuracy"]``; None for the loss.
        ax: the axes to draw into; None for new axes.

    Raises:
        ValueError: if the history is empty, does not have the metric, or has it for only some epochs.
        TypeError: if `history` is not a history, or `metrics` are not names.
        ImportError: if matplotlib is not installed.
    """
    by_step = isinstance(history, StepHistory)
    record = values_of(history)
    names: Iterable[Any] = ["loss"] if metrics is None else [metrics] if isinstance(metrics, str) else metrics
    if not isinstance(names, Iterable):
        raise TypeError(f"metrics must be a name or a list of names, got {metrics!r}")
    found: list[str] = []
    for name in names:
        known = recorded_name(name, record)
        if known is None:
            raise ValueError(f"history has no {name!r}; it has {', '.join(map(repr, record))}")
        found.append(known)
    if not found:
        raise ValueError("metrics is empty; expected names such as 'loss'")
    epochs = _epochs(record, history)
    for name in found:
        if not by_step and len(record[name]) != len(epochs):
            raise ValueError(
                f"history has {name!r} of {len(record[name])} epochs of {len(epochs)}, and does not know of which"
            )
    ax = axes_or_new(ax, 6.4, 4)
    from matplotlib.ticker import MaxNLocator

    for i, name in enumerate(found):
        color = CURVES[i % len(CURVES)]
        shown = literal(name)
        validated = f"{shown}, validation"
        if by_step:
            _steps(ax, shown, record[name], color)
            if name in history.validation:
                places, results = zip(*history.validation[name], strict=True)
                _points(ax, validated, places, results, color, "--")
            continue
        validation = record.get(f"val_{name}", [])
        is_whole = len(validation) in (0, len(epochs))
        note = "" if is_whole else f" (validation of {len(validation)} epochs not drawn)"
        _points(ax, shown + note, epochs, record[name], color, "-")
        if is_whole and len(validation):
            _points(ax, validated, epochs, validation, color, "--")
    if by_step and len(history.epoch_ends) <= _SEPARATE:
        for number, end in enumerate(history.epoch_ends):
            ax.axvline(end, color="0.8", linewidth=0.8, zorder=0, label=None if number else "end of an epoch")
    ax.set_xlabel("step" if by_step else "epoch")
    if len(found) == 1:
        ax.set_ylabel(literal(found[0]))
    ax.xaxis.set_major_locator(MaxNLocator("auto", integer=True, steps=[1, 2, 5, 10]))
    ax.grid(color="0.5", alpha=0.15)
    ax.set_axisbelow(True)
    ax.spines[["top", "right"]].set_visible(False)
    if len(ax.get_legend_handles_labels()[0]) > 1 or any(f"val_{name}" in record for name in found):
        ax.legend(frameon=False)
    return ax


def _points(ax: Axes, label: str, places: Any, values: Any, color: str, style: str) -> None:
    """Draws a line with one number per epoch; an array, such as one number per class, is averaged."""
    numbers = [float(np.mean(value)) for value in values]
    marker = "o" if len(numbers) <= _SEPARATE else None
    ax.plot(places, numbers, style, color=color, label=label, marker=marker, markersize=4)


def _steps(ax: Axes, label: str, values: Any, color: str) -> None:
    """Draws the values of single steps as a thin line, and their moving mean as a thick one."""
    numbers = np.asarray(values, np.float64)
    ax.plot(np.arange(1, len(numbers) + 1), numbers, color=color, linewidth=0.4, alpha=0.5)
    window = max(1, len(numbers) // 50)
    means = np.convolve(numbers, np.full(window, 1 / window), "valid")  # a NaN affects only its own window
    ax.plot(np.arange(window, len(numbers) + 1), means, color=color, linewidth=1.8, label=label)
