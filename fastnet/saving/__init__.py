"""Saves and loads models. layout.py describes the file format."""

from fastnet.saving.layout import MODEL_SUFFIX, WEIGHTS_SUFFIX, ModelFormatError, check_suffix
from fastnet.saving.save_and_load import (
    check_savable,
    load_model,
    load_weights,
    restore_training,
    save_model,
    save_training,
    save_weights,
)
from fastnet.saving.state import NotFiniteError

__all__ = [
    "MODEL_SUFFIX", "WEIGHTS_SUFFIX", "ModelFormatError", "NotFiniteError", "check_savable", "check_suffix",
    "load_model", "load_weights", "restore_training", "save_model", "save_training", "save_weights",
]  # fmt: skip
