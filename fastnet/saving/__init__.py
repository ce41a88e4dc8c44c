"""Saves and loads models. layout.py describes fastnet's file format, keras_archive.py Keras's."""

from fastnet.registered import (
    CustomObjectScope,
    custom_object_scope,
    get_custom_objects,
    get_registered_name,
    get_registered_object,
    register_keras_serializable,
)
from fastnet.saving.layout import ModelFormatError
from fastnet.saving.objects import deserialize_keras_object, serialize_keras_object
from fastnet.saving.save_and_load import load_model, load_weights, save_model, save_weights
from fastnet.saving.state import NotFiniteError
from fastnet.saving.suffixes import MODEL_SUFFIX, WEIGHTS_SUFFIX, check_suffix
from fastnet.saving.training import Place, check_savable, restore_training, save_training

__all__ = [
    "MODEL_SUFFIX", "WEIGHTS_SUFFIX", "CustomObjectScope", "ModelFormatError", "NotFiniteError", "Place",
    "check_savable", "check_suffix", "custom_object_scope", "deserialize_keras_object", "get_custom_objects",
    "get_registered_name", "get_registered_object", "load_model", "load_weights", "register_keras_serializable",
    "restore_training", "save_model", "save_training", "save_weights", "serialize_keras_object",
]  # fmt: skip
