"""Training curves: loss and metrics by epoch, of a History, or by step, of a StepHistory."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from fastnet.callbacks import Callback, History
from fastnet.callbacks.history import recorded_name
from fastnet.plotting.axes import CURVES, axes_or_new

if TYPE_CHECKING:
    from matplotlib.axes import Axes


class StepHistory(Callback):
    """A callback that keeps the loss and the metrics of every step, for `history` to draw.

    What a training hands to its callbacks are running means of the epoch; a step's own number is worked out from two of
    them, as if all batches had the same size. So an epoch's last batch, if it is smaller, is mixed with those before.

    Attributes:
        history: by name a list with a number a step.
        epoch_ends: the number of steps at the end of each epoch.

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
        self.epoch_ends: list[int] = []

    def on_train_begin(self, logs: dict[str, float] | None = None) -> None:
        self.history, self.epoch_ends = {}, []

    def on_epoch_begin(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        self._before: dict[str, float] = {}

    def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        for name, mean in (logs or {}).items():
            if np.ndim(mean) == 0:
                own = (batch + 1) * mean - batch * self._before.get(name, 0.0)
                self.history.setdefault(name, []).append(float(own))
                self._before[name] = mean

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        self.epoch_ends.append(max(map(len, self.history.values()), default=0))


def history(history: Any, *, metrics: Any = None, ax: Axes | None = None) -> Axes:
    """How loss or metrics went: training in solid lines, validation dashed and in the same color.

    Where the dashed line of a loss turns upwards while the solid one still falls, the network has begun to learn its
    training examples by heart. By step, of a `StepHistory`, thin lines are single steps, thick ones their mean over a
    fiftieth of the training.

    Args:
        history: what `fit` returned, its dict ``history.history``, or a StepHistory.
        metrics: a name or a list of names, such as ``["accuracy"]``; the loss if None.
        ax: where to draw; a new one if None.

    Raises:
        ValueError: if the history is empty, or has no such metric.
        TypeError: if it is no history.
        ImportError: if matplotlib is not installed.
    """
    by_step = isinstance(history, StepHistory)
    record = history.history if isinstance(history, History | StepHistory) else history
    if not isinstance(record, Mapping):
        raise TypeError(f"history must be what fit() returned, or its dict, or a StepHistory, got {history!r}")
    if not any(len(values) for values in record.values()):
        raise ValueError("history is empty: no epoch was trained")
    names: Iterable[Any] = ["loss"] if metrics is None else [metrics] if isinstance(metrics, str) else metrics
    found = []
    for name in names:
        known = recorded_name(name, record)
        if known is None:
            raise ValueError(f"history has no {name!r}; it has {', '.join(map(repr, record))}")
        found.append(known)
    ax = axes_or_new(ax, 6.4, 4)
    for i, name in enumerate(found):
        color = CURVES[i % len(CURVES)]
        if by_step:
            _steps(ax, name, record[name], color)
            continue
        _epochs(ax, name, record[name], color, "-")
        if f"val_{name}" in record:
            _epochs(ax, f"{name}, validation", record[f"val_{name}"], color, "--")
    if by_step:
        for end in history.epoch_ends[:-1]:
            ax.axvline(end, color="0.85", linewidth=0.8, zorder=0)
    ax.set_xlabel("step" if by_step else "epoch")
    if len(found) == 1:
        ax.set_ylabel(found[0])
    ax.grid(color="0.92")
    ax.set_axisbelow(True)
    ax.spines[["top", "right"]].set_visible(False)
    if len(ax.get_legend_handles_labels()[0]) > 1:
        ax.legend(frameon=False)
    return ax


def _epochs(ax: Axes, label: str, values: Any, color: str, style: str) -> None:
    from matplotlib.ticker import MaxNLocator

    numbers = np.array([np.mean(value) for value in values])
    epochs = np.arange(1, len(numbers) + 1)
    ax.plot(epochs, numbers, style, color=color, label=label, marker="o" if len(numbers) <= 30 else None, markersize=4)
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))


def _steps(ax: Axes, label: str, values: Any, color: str) -> None:
    numbers = np.asarray(values, np.float64)
    ax.plot(np.arange(1, len(numbers) + 1), numbers, color=color, linewidth=0.4, alpha=0.5)
    window = max(1, len(numbers) // 50)
    sums = np.cumsum(np.insert(numbers, 0, 0.0))
    means = (sums[window:] - sums[:-window]) / window
    ax.plot(np.arange(window, len(numbers) + 1), means, color=color, linewidth=1.8, label=label)
