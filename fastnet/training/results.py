"""Results: the loss and the metrics of a loop over batches."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastnet import kernels
from fastnet.checks import Floats
from fastnet.losses.base import Doubles
from fastnet.metrics import Metric

Logs = dict[str, Any]


class Results:
    """Computes the loss and the metrics over the examples seen.

    The sums are kept in arrays, to which kernels add. A reset leaves the arrays where they are.

    Args:
        metrics: the metrics.
        sums: the array of the sum of the losses and of the number of examples, (2,); a new one by default.

    Attributes:
        metrics: the metrics.
        penalty: is added to the mean loss: that of the regularizers in an evaluation.
    """

    def __init__(self, metrics: list[Metric], sums: Doubles | None = None) -> None:
        self.metrics = metrics
        self._sums = np.zeros(2) if sums is None else sums  # of the losses and of the examples
        self.reset()

    def reset(self) -> None:
        """Starts again."""
        self._sums[:] = 0
        self.penalty = 0.0
        for metric in self.metrics:
            metric.reset_state()

    @property
    def seen(self) -> int:
        """The number of examples."""
        return int(self._sums[1])

    @property
    def sums(self) -> list[Doubles]:
        """The arrays to which a batch is added, if kernels alone compute the metrics."""
        return [self._sums, *(metric._sums for metric in self.metrics)]  # type: ignore[attr-defined]

    def add(self, total: Doubles, predictions: Floats, targets: NDArray[Any], weights: Floats | None = None) -> None:
        """Adds a batch.

        Args:
            total: the sum of its losses and its number of examples, (2,).
            predictions: (B, C).
            targets: (B, C) or, if they are labels, (B, 1).
            weights: (B,), or None.
        """
        kernels.accumulate(total, self._sums)
        for metric in self.metrics:
            metric.update_checked(targets, predictions, weights)

    def logs(self) -> Logs:
        """Returns the means by name, the loss first. A metric that returns several numbers has an array."""
        total, seen = self._sums.tolist()
        logs: Logs = {"loss": total / max(1, seen) + self.penalty}
        for metric in self.metrics:
            logs[metric.name] = metric.logged()
        return logs


def as_keras(logs: Logs, return_dict: bool) -> Any:
    """Returns results as Keras does: a dict, a list of the loss and the metrics, or the loss alone."""
    if return_dict:
        return logs
    values = list(logs.values())
    return values if len(values) > 1 else values[0]
