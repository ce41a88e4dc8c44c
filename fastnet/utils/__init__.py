"""The helpers of Keras's module of this name: data sets, labels, files, the random seed, objects by name."""

import importlib
import sys
from typing import TYPE_CHECKING, Any

from fastnet import checks
from fastnet.utils.labels import check_labels as check_labels
from fastnet.utils.labels import to_categorical

if TYPE_CHECKING:
    from fastnet.registered import (
        CustomObjectScope,
        custom_object_scope,
        get_custom_objects,
        get_registered_name,
        get_registered_object,
        register_keras_serializable,
    )
    from fastnet.session import clear_session
    from fastnet.utils.arrays import normalize, pack_x_y_sample_weight, split_dataset, unpack_x_y_sample_weight
    from fastnet.utils.files import get_file
    from fastnet.utils.progbar import Progbar
    from fastnet.utils.py_dataset import PyDataset, Sequence
    from fastnet.utils.seeds import set_random_seed
    from fastnet.utils.sequences import pad_sequences

__all__ = [
    "CustomObjectScope", "Progbar", "PyDataset", "Sequence", "clear_session", "custom_object_scope",
    "deserialize_keras_object", "get_custom_objects", "get_file", "get_registered_name", "get_registered_object",
    "normalize", "pack_x_y_sample_weight", "pad_sequences", "register_keras_serializable", "serialize_keras_object",
    "set_random_seed", "split_dataset", "to_categorical", "unpack_x_y_sample_weight",
]  # fmt: skip

_HOMES = {  # imported when first used, so that `import fastnet` stays fast
    "fastnet.registered": (
        "CustomObjectScope", "custom_object_scope", "get_custom_objects", "get_registered_name",
        "get_registered_object", "register_keras_serializable",
    ),
    "fastnet.saving": ("deserialize_keras_object", "serialize_keras_object"),
    "fastnet.session": ("clear_session",),
    "fastnet.utils.arrays": ("normalize", "pack_x_y_sample_weight", "split_dataset", "unpack_x_y_sample_weight"),
    "fastnet.utils.files": ("get_file",),
    "fastnet.utils.progbar": ("Progbar",),
    "fastnet.utils.py_dataset": ("PyDataset", "Sequence"),
    "fastnet.utils.seeds": ("set_random_seed",),
    "fastnet.utils.sequences": ("pad_sequences",),
}  # fmt: skip


def __getattr__(name: str) -> Any:
    """Imports a helper when it is first used."""
    for home, names in _HOMES.items():
        if name in names:
            return getattr(importlib.import_module(home), name)
    raise checks.no_such(sys.modules[__name__], "fastnet.utils has no", name, sys._getframe(1))


def __dir__() -> list[str]:
    """Returns all names, also those that were not used yet."""
    return sorted({*globals(), *__all__})
