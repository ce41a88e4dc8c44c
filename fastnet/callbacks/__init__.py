"""Callbacks: objects that `fit` calls during training, and History, which `fit` returns."""

from __future__ import annotations

import importlib
import sys
from typing import TYPE_CHECKING, Any

from fastnet import checks
from fastnet.callbacks.backup_and_restore import BackupAndRestore
from fastnet.callbacks.base import Callback, Logs, overrides
from fastnet.callbacks.csv_logger import CSVLogger
from fastnet.callbacks.early_stopping import EarlyStopping
from fastnet.callbacks.history import History
from fastnet.callbacks.lambda_callback import LambdaCallback
from fastnet.callbacks.learning_rate import LearningRateScheduler, ReduceLROnPlateau
from fastnet.callbacks.model_checkpoint import ModelCheckpoint
from fastnet.callbacks.terminate_on_nan import TerminateOnNaN

if TYPE_CHECKING:
    from fastnet.callbacks.progbar_logger import ProgbarLogger
    from fastnet.callbacks.remote_monitor import RemoteMonitor
    from fastnet.callbacks.swap_ema_weights import SwapEMAWeights
    from fastnet.callbacks.tensorboard import TensorBoard

__all__ = [
    "BackupAndRestore", "CSVLogger", "Callback", "EarlyStopping", "History", "LambdaCallback", "LearningRateScheduler",
    "Logs", "ModelCheckpoint", "ProgbarLogger", "ReduceLROnPlateau", "RemoteMonitor", "SwapEMAWeights", "TensorBoard",
    "TerminateOnNaN", "overrides",
]  # fmt: skip

_LATER = {
    "ProgbarLogger": "progbar_logger",
    "RemoteMonitor": "remote_monitor",
    "SwapEMAWeights": "swap_ema_weights",
    "TensorBoard": "tensorboard",
}


def __getattr__(name: str) -> Any:
    """Imports the callbacks that few programs use when first used, so that `import fastnet` stays fast."""
    if name in _LATER:
        return getattr(importlib.import_module(f"fastnet.callbacks.{_LATER[name]}"), name)
    raise checks.no_such(sys.modules[__name__], "fastnet has no callback", name, sys._getframe(1))


def __dir__() -> list[str]:
    """Returns all names, also those that were not used yet."""
    return sorted({*globals(), *__all__})
