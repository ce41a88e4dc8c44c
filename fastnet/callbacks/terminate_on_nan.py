"""TerminateOnNaN: ends a training whose loss is NaN or infinite."""

from __future__ import annotations

import math

from fastnet.callbacks.base import Callback, Logs
from fastnet.terminal.progress import say


class TerminateOnNaN(Callback):
    """Ends the training after the first batch with a loss of NaN or infinity.

    Args:
        raise_error: whether to raise an error instead. `on_train_end` is not called then.

    Raises:
        RuntimeError: in training, with `raise_error`.
    """

    def __init__(self, raise_error: bool = False) -> None:
        self.raise_error = bool(raise_error)

    def on_train_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        loss = (logs or {}).get("loss")
        if loss is None or math.isfinite(loss):
            return
        if self.raise_error:
            raise RuntimeError(f"the loss is {loss} at batch {batch}: training ends here")
        say(f"Batch {batch}: Invalid loss, terminating training")
        self.model.stop_training = True
