"""Callbacks: objects that `fit` calls during training, and History, which `fit` returns."""

from fastnet.callbacks.backup_and_restore import BackupAndRestore
from fastnet.callbacks.base import Callback, Logs, overrides
from fastnet.callbacks.csv_logger import CSVLogger
from fastnet.callbacks.early_stopping import EarlyStopping
from fastnet.callbacks.history import History
from fastnet.callbacks.lambda_callback import LambdaCallback
from fastnet.callbacks.learning_rate import LearningRateScheduler, ReduceLROnPlateau
from fastnet.callbacks.model_checkpoint import ModelCheckpoint
from fastnet.callbacks.terminate_on_nan import TerminateOnNaN

__all__ = [
    "BackupAndRestore", "CSVLogger", "Callback", "EarlyStopping", "History", "LambdaCallback", "LearningRateScheduler",
    "Logs", "ModelCheckpoint", "ReduceLROnPlateau", "TerminateOnNaN", "overrides",
]  # fmt: skip
