"""Saves and loads whole models, and weights alone. The ending of the file's name chooses the format."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fastnet import checks
from fastnet.saving import configuration
from fastnet.saving.configuration import Model
from fastnet.saving.layout import read, write
from fastnet.saving.state import assign, build_model, check_metrics, check_optimizer, contents_of, set_optimizer
from fastnet.saving.suffixes import Path, check_suffix, is_keras


def save_model(model: Model, filepath: Path, overwrite: bool = True) -> None:
    """Saves a model: its architecture, weights and, if it is compiled, compile arguments and the optimizer's state.

    The file is never half written: after an error, a crash or a kill, the old file is unchanged.

    Args:
        model: the model; it need not be built or compiled.
        filepath: the file's name. It ends in ``.safetensors``, or in ``.keras`` for a file that Keras 3 opens, too.
        overwrite: whether to replace an existing file. The new file gets its mode and, if the process may set it, its
            owner.

    Raises:
        ValueError: if the name has another ending, a weight is NaN or infinite, or the model has too many layers.
        TypeError: if an argument of a layer, a loss or another object cannot be saved; the message says what to do. In
            a ``.keras`` file these are all classes and functions of your own, and `Lambda`. Also if `overwrite` is not
            a bool.
        ImportError: for a ``.keras`` file, if h5py is not installed.
        FileExistsError: if the file exists and `overwrite` is False.
        PermissionError: if the file exists and is read-only, even with `overwrite`.
        MemoryError: if there is too little memory.
        OSError: if the file cannot be written.
    """
    name = check_suffix("filepath", filepath, weights=False)
    checks.flag("overwrite", overwrite)
    with model._lock:
        if is_keras(name):
            from fastnet.saving import keras_writing

            keras_writing.save_model(model, name, overwrite)
        else:
            write(name, contents_of(model, "model"), overwrite)


def load_model(filepath: Path, custom_objects: Mapping[str, Any] | None = None, compile: bool = True) -> Any:
    """Loads a model from a file that `save_model` wrote, or from a ``.keras`` file that Keras 3 wrote.

    Args:
        filepath: the file's name.
        custom_objects: dict of your own classes and functions by name. Other classes are fastnet's own.
        compile: whether to compile the model as it was, with the optimizer's state.

    Returns:
        The model, a new `Sequential` or `Model`.

    Raises:
        ModelFormatError: if the file is not a model file, is damaged, needs a newer version, has an unknown class, or
            something else that fastnet cannot compute as Keras does.
        ValueError: if the name has another ending.
        TypeError: if `custom_objects` is not such a dict, or `compile` is not a bool.
        ImportError: for a ``.keras`` file, if h5py is not installed.
        FileNotFoundError: if the file does not exist.
        OSError: if the file cannot be read.
    """
    configuration.check_objects(custom_objects)
    checks.flag("compile", compile)
    name = check_suffix("filepath", filepath, weights=False)
    if is_keras(name):
        from fastnet.saving import keras_loading

        return keras_loading.load_model(name, custom_objects, compile)
    file = read(name)
    if file.about["kind"] != "model":
        raise file.error("holds weights only: make the model as it was, and use load_weights")
    model = build_model(file, custom_objects)
    assign(file, model)
    if compile and file.about["compile"] is not None:
        with file.refusals("cannot be compiled as it was"):
            check_metrics(file.about["compile"])
            model.compile(**configuration.compile_from_config(file.about["compile"], custom_objects))
        assert model.optimizer is not None
        check_optimizer(file, model.optimizer)
        set_optimizer(file, model, model.optimizer)
    return model


def save_weights(model: Model, filepath: Path, overwrite: bool = True) -> None:
    """Saves only the weights of a model. A ``.weights.h5`` file also holds the optimizer's state, as Keras's do.

    Args:
        model: the model; it must be built.
        filepath: the file's name. It ends in ``.weights.safetensors``, or in ``.weights.h5`` for a file that Keras 3
            opens, too.
        overwrite: whether to replace an existing file.

    Raises:
        ValueError: if the name has another ending, the model is not built, or a weight is NaN or infinite.
        ImportError: for a ``.weights.h5`` file, if h5py is not installed.
        FileExistsError, OSError: as `save_model`.
    """
    name = check_suffix("filepath", filepath, weights=True)
    checks.flag("overwrite", overwrite)
    if not model.built:
        raise ValueError("the model has no weights yet; put an Input in front, or call build() or fit() first")
    with model._lock:
        if is_keras(name):
            from fastnet.saving import keras_writing

            keras_writing.save_weights(model, name, overwrite)
        else:
            write(name, contents_of(model, "weights"), overwrite)


def load_weights(model: Model, filepath: Path) -> None:
    """Sets a model's weights from a file of `save_weights` or `save_model`, or of Keras 3. The rest stays as it is.

    Layers are matched by their order; in Keras's files, by their order among the layers of the same class.

    Args:
        model: the model; it must be built.
        filepath: the file's name. It ends in ``.safetensors``, ``.keras`` or ``.weights.h5``.

    Raises:
        ModelFormatError: if the file is not a model file, is damaged, or does not fit. The model is unchanged then.
        ValueError: if the name has another ending, or the model is not built.
        ImportError: for a file of Keras, if h5py is not installed.
        OSError: if the file cannot be read.
    """
    if not model.built:
        raise ValueError("the model has no weights yet; put an Input in front, or call build() or fit() first")
    name = check_suffix("filepath", filepath, weights=None)
    if is_keras(name):
        from fastnet.saving import keras_loading

        keras_loading.load_weights(model, name)
    else:
        assign(read(name), model)
