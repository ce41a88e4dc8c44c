"""Base of the losses in which the loss of an example depends on the other examples of its batch."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastnet.checks import Floats
from fastnet.losses.base import BuiltIn, Doubles


class Coupled(BuiltIn):
    """A loss whose gradient is that of a sum over the whole batch."""

    of_rows = True
    _is_coupled = True

    def pull(self, y_true: NDArray[Any], y_pred: Floats, weights: Floats) -> Floats:
        """Returns the gradient of sum w l with respect to the predictions, (n, C), for losses l and weights w, (n,)."""
        raise NotImplementedError

    def derivative(self, y_true: NDArray[Any], y_pred: Floats) -> Floats:
        """Returns the gradient of the sum of all rows' losses with respect to the predictions, (n, C)."""
        return self.pull(y_true, y_pred, np.ones(len(y_pred), y_pred.dtype))

    def shares(self, rows: Floats) -> Floats:
        """Returns the weights, (n,), with which the mean over the batch is the mean over the rows that count."""
        return np.ones(len(rows), rows.dtype)

    def gradient(
        self,
        output: Floats,
        targets: NDArray[Any],
        logits: bool,
        weights: Floats | None = None,
        units: int | None = None,
    ) -> tuple[Doubles, Floats, Floats]:
        if self._is_overridden:
            return super().gradient(output, targets, logits, weights)
        outputs = targets.shape[1] if units is None else units
        predictions = output[:, :outputs]
        dy = self._workspace(output)
        with np.errstate(all="ignore"):
            rows = self.call(targets, predictions)
            by = self.shares(rows) if weights is None else self.shares(rows) * weights
            dy[:, :outputs] = self.pull(targets, predictions, by) * np.float32(1 / len(output))
        return self._sum(np.ascontiguousarray(rows, np.float64), by), output, dy
