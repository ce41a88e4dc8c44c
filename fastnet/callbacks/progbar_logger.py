"""ProgbarLogger: stands for the progress bar that `fit` shows anyway."""

from __future__ import annotations

from fastnet.callbacks.base import Callback


class ProgbarLogger(Callback):
    """Changes nothing: `fit`, `evaluate` and `predict` show their progress bar themselves, as `verbose` says.

    In Keras, too, this callback in a list has no further effect. Scripts that name it run unchanged.
    """
