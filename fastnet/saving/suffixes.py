"""The endings of files' names, which choose the format."""

from __future__ import annotations

import os

from fastnet import checks

MODEL_SUFFIX = ".safetensors"
WEIGHTS_SUFFIX = ".weights.safetensors"
KERAS_SUFFIX = ".keras"
KERAS_WEIGHTS_SUFFIX = ".weights.h5"

Path = str | os.PathLike[str]


def check_suffix(argument: str, path: Path, weights: bool | None, keras: bool = True) -> str:
    """Checks the ending of a file's name and returns it as a string.

    Args:
        argument: the argument's name, for the message.
        path: the file's name.
        weights: True for a file of weights, False for a model file, None for either.
        keras: whether Keras's formats will do, too.

    Raises:
        ValueError: if the ending is wrong.
        TypeError: if `path` is not a file's name.
    """
    name = checks.file_name(argument, path)
    suffixes = (MODEL_SUFFIX, KERAS_SUFFIX) if keras else (MODEL_SUFFIX,)
    of_weights = name.endswith((WEIGHTS_SUFFIX, KERAS_WEIGHTS_SUFFIX))
    is_known = name.endswith(suffixes) or (keras and name.endswith(KERAS_WEIGHTS_SUFFIX))
    if "\0" in name or not is_known or (weights is not None and weights != of_weights):
        expected = (WEIGHTS_SUFFIX, KERAS_WEIGHTS_SUFFIX) if weights else suffixes
        what = "weights" if weights else "a model"
        note = ""
        if weights is False and of_weights:
            note = f"; {name[name.rindex('.weights.') :]} is for weights alone"
        elif not weights and name.endswith((".h5", ".hdf5")):
            note = "; a model that Keras 2 saved as .h5 is opened in Keras 3, and saved there as .keras"
        raise ValueError(f"{argument} must end in {' or '.join(map(repr, expected))} for {what}, got {name!r}{note}")
    return name


def is_keras(name: str) -> bool:
    """Tells whether a file's name has the ending of one of Keras's formats."""
    return name.endswith((KERAS_SUFFIX, KERAS_WEIGHTS_SUFFIX))
