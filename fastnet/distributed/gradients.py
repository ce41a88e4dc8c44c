"""Gradients: one flat buffer with the gradients of all variables, which one Allreduce adds up over all ranks.

The buffer also has each rank's sum of losses and, if there are metrics, its predictions. Each rank writes these to
places of its own, where all others have zeros. So every rank knows them after the same Allreduce, to the bit.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from fastnet.activations import Activation
from fastnet.arrays import variables
from fastnet.arrays.panels import zeros
from fastnet.arrays.part import Part
from fastnet.arrays.sparse import CscBatch
from fastnet.arrays.variables import Variable
from fastnet.checks import Floats
from fastnet.distributed.group import Group
from fastnet.losses import Loss
from fastnet.losses.base import Doubles
from fastnet.optimizers import Optimizer, multiply

_PIECES = 3  # float32 numbers whose sum is a float64 number
_LARGEST = float(np.finfo(np.float32).max)


class Gradients:
    """Takes the optimizer's place in a training step, adds up the gradients of all ranks, and then updates.

    Args:
        group: the ranks.
        model: the model that is trained.
    """

    def __init__(self, group: Group, model: Any) -> None:
        self._group = group
        self._model = model
        self._flat = zeros((0,))
        self._views: dict[Variable, Floats] = {}
        self._unused: dict[Variable, Floats] = {}  # where the gradient of an untrained variable is written
        self._given: list[Variable] = []
        self._size = 0  # of the gradients, in numbers
        self._version = -1

    def begin_step(self) -> None:
        self._given.clear()
        if self._version != variables.version:
            self._lay_out()

    def _lay_out(self) -> None:
        """Gives each trained variable its place in the buffer."""
        self._version = variables.version
        trained = self._model.trainable_weights
        self._size = sum(variable.packed.size for variable in trained)
        self._flat = zeros((self._size,))
        self._views, start = {}, 0
        for variable in trained:
            stop = start + variable.packed.size
            self._views[variable] = self._flat[start:stop].reshape(variable.packed.shape)
            start = stop

    def apply_product(self, x: Floats | CscBatch, dz: Floats, kernel: Variable, bias: Variable) -> None:
        multiply(x, dz, kernel, bias, (self._place(kernel), self._place(bias)))
        self._given += [variable for variable in (kernel, bias) if variable in self._views]

    def apply(self, variable: Variable, gradient: Floats) -> None:
        if variable in self._views:
            self._views[variable][...] = gradient
            self._given.append(variable)

    def end_step(self) -> None: ...

    def _place(self, variable: Variable) -> Floats:
        view = self._views.get(variable)
        if view is None:
            view = self._unused.setdefault(variable, np.empty_like(variable.packed))
        return view

    def exchange(self, part: Part, total: float, predictions: Floats | None) -> tuple[float, Floats | None]:
        """Adds up the gradients of all ranks.

        Args:
            part: which rows of the batch this rank has.
            total: the sum of their losses.
            predictions: their predictions, (B, C); None if nobody needs them.

        Returns:
            The sum of the losses of the whole batch; its predictions, (rows, C), which the next step overwrites.
        """
        pieces = self._size + _PIECES * self._group.size
        end = pieces + (0 if predictions is None else part.rows * predictions.shape[1])
        if len(self._flat) < end:
            self._grow(end)
        flat = self._flat[:end]
        flat[0 if part.is_empty else self._size :] = 0
        if not part.is_empty:
            start = self._size + _PIECES * self._group.rank
            flat[start : start + _PIECES] = _split(total)
        whole = None
        if predictions is not None:
            whole = flat[pieces:].reshape(part.rows, -1)
            whole[part.start : part.stop] = predictions[: part.stop - part.start]
        self._group.add(flat)
        with np.errstate(all="ignore"):
            return float(flat[self._size : pieces].sum(dtype=np.float64)), whole

    def _grow(self, size: int) -> None:
        """Moves the gradients to a longer buffer."""
        before, self._flat = self._flat, zeros((size,))
        self._flat[: self._size] = before[: self._size]
        start = 0
        for variable, view in self._views.items():
            self._views[variable] = self._flat[start : start + view.size].reshape(view.shape)
            start += view.size

    def update(self, optimizer: Optimizer) -> None:
        """Lets the optimizer take its step along the gradients of the whole batch."""
        optimizer.begin_step()
        for variable in self._given:
            gradient = self._views[variable]
            optimizer.apply(variable, gradient.copy() if optimizer._is_custom else gradient)  # a user's may keep it
        optimizer.end_step()


def _itself(loss: Loss) -> Loss:
    return loss


def _split(number: float) -> list[float]:
    """Returns float32 numbers whose sum in float64 is this float64 number. Infinity and NaN are the first of them."""
    pieces = []
    for _ in range(_PIECES):
        piece = float(np.float32(number)) if abs(number) < _LARGEST else number * math.inf
        pieces.append(piece)
        number = number - piece if math.isfinite(piece) else 0.0
    return pieces


class PartOfLoss:
    """A loss for a part of a batch: its gradient is that of the mean over the whole batch.

    Args:
        loss: the loss of the model.
        group: the ranks.

    Attributes:
        part: which rows of the batch come next.
    """

    part: Part

    def __init__(self, loss: Loss, group: Group) -> None:
        self._loss = loss
        self._group = group

    def __reduce__(self) -> Any:
        """Copies the loss itself: a model keeps the last loss that it was trained with, and a copy trains alone."""
        return _itself, (self._loss,)

    def takes_logits(self, activation: Activation) -> bool:
        """Returns what the loss itself returns."""
        return self._loss.takes_logits(activation)

    def gradient(
        self, output: Floats, targets: Any, logits: bool, weights: Floats | None = None, units: int | None = None
    ) -> tuple[Doubles, Floats, Floats]:
        """Returns the sum of the losses here, the predictions here, and the gradient of the mean over the batch."""
        if self._loss._is_coupled:
            return self._of_coupled(output, logits, units)
        total, predictions, dy = self._loss.gradient(output, targets, logits, weights, units)
        dy *= np.float32(self.part.share)
        return total, predictions, dy

    def _of_coupled(self, output: Floats, logits: bool, units: int | None) -> tuple[Doubles, Floats, Floats]:
        """Does the same for a loss that needs all rows. The last rank, which has rows in any case, gives the sum."""
        part = self.part
        whole = zeros((part.rows, output.shape[1]))
        whole[part.start : part.stop] = output[: part.stop - part.start]
        self._group.add(whole)
        total, predictions, dy = self._loss.gradient(whole, part.targets, logits, part.weights, units)
        if self._group.rank < self._group.size - 1:
            total[0] = 0
        if part.is_empty:
            dy[part.computed] = 0
        return total, predictions[part.computed], dy[part.computed]
