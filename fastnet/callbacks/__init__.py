"""Callbacks: objects that `fit` calls during training, and History, which `fit` returns."""

from __future__ import annotations

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
    from fastnet.callbacks.swap_ema_weights import SwapEMAWeights

__all__ = [
    "BackupAndRestore", "CSVLogger", "Callback", "EarlyStopping", "History", "LambdaCallback", "LearningRateScheduler",
    "Logs", "ModelCheckpoint", "ReduceLROnPlateau", "SwapEMAWeights", "TerminateOnNaN", "overrides",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    """Imports a rare callback when it is first used, so that `import fastnet` stays fast."""
    if name == "SwapEMAWeights":
        from fastnet.callbacks.swap_ema_weights import SwapEMAWeights

        return SwapEMAWeights
    raise checks.no_such(sys.modules[__name__], "fastnet has no callback", name, sys._getframe(1))
