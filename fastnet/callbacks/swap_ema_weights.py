"""SwapEMAWeights: evaluates a model with the averages of its weights."""

from __future__ import annotations

from fastnet import checks
from fastnet.arrays.variables import Variable
from fastnet.callbacks.base import Callback, Logs
from fastnet.checks import Floats


class SwapEMAWeights(Callback):
    """Sets the weights to their averages during evaluations and predictions, and back after them.

    The optimizer keeps the averages with ``use_ema=True``. Before its first step there are none, and the weights stay.

    Args:
        swap_on_epoch: whether to set the averages at the end of an epoch, too, until the next one begins. A
            ModelCheckpoint after this callback then saves the averages.

    Raises:
        ValueError: before an evaluation, a prediction or the end of an epoch, if the optimizer has no averages.
    """

    def __init__(self, swap_on_epoch: bool = False) -> None:
        self.swap_on_epoch = checks.flag("swap_on_epoch", swap_on_epoch)
        self._kept: list[tuple[Variable, Floats]] = []  # the weights while their averages are in the model
        self._is_swapped = False

    def _swap(self) -> None:
        optimizer = self.model.optimizer
        if not getattr(optimizer, "use_ema", False):
            raise ValueError(f"SwapEMAWeights needs an optimizer with use_ema=True, got {optimizer!r}")
        if not self._is_swapped:
            variables = self.model.trainable_weights
            self._kept = [(variable, variable.packed.copy()) for variable in variables]
            self._is_swapped = True
            optimizer.finalize_variable_values(variables)

    def _swap_back(self) -> None:
        for variable, packed in self._kept:
            variable.packed[...] = packed
        self._kept, self._is_swapped = [], False

    def on_train_begin(self, logs: Logs | None = None) -> None:
        self._kept, self._is_swapped = [], False  # a training goes on from the weights of the model

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        self._swap_back()

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        if self.swap_on_epoch:
            self._swap()

    def on_train_end(self, logs: Logs | None = None) -> None:
        self._kept, self._is_swapped = [], False  # the model ends with the averages

    def on_test_begin(self, logs: Logs | None = None) -> None:
        self._swap()

    def on_test_end(self, logs: Logs | None = None) -> None:
        self._swap_back()

    def on_predict_begin(self, logs: Logs | None = None) -> None:
        self._swap()

    def on_predict_end(self, logs: Logs | None = None) -> None:
        self._swap_back()
