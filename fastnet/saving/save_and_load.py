"""Saves and loads whole models, weights alone, and the state of interrupted trainings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fastnet.checks import NotCompiledError
from fastnet.saving import configuration
from fastnet.saving.configuration import Model
from fastnet.saving.layout import Path, as_json_has_it, check_suffix, header_of, read, write
from fastnet.saving.state import (
    assign,
    build_model,
    check_metrics,
    check_optimizer,
    checked_generator_state,
    contents_of,
    description_of,
    generator_state,
    generators_of,
    set_optimizer,
    without_rate,
)


def save_model(model: Model, path: Path, overwrite: bool = True) -> None:
    """Saves a model: its architecture, weights and, if it is compiled, compile arguments and the optimizer's state.

    The file is never half written: after an error, a crash or a kill, the old file is unchanged.

    Args:
        model: the model; it need not be built or compiled.
        path: the file's name, which ends in ``.safetensors``.
        overwrite: whether to replace an existing file. The new file gets its mode and, if the process may set it, its
            owner.

    Raises:
        ValueError: if the name has another ending, a weight is NaN or infinite, or the model has too many layers.
        TypeError: if an argument of a layer, a loss or another object cannot be saved; the message says what to do.
        FileExistsError: if the file exists and `overwrite` is False.
        PermissionError: if the file exists and is read-only, even with `overwrite`.
        MemoryError: if there is too little memory.
        OSError: if the file cannot be written.
    """
    name = check_suffix("path", path, weights=False)
    with model._lock:
        write(name, contents_of(model, "model"), overwrite)


def check_savable(model: Model, training: bool = False) -> None:
    """Checks before a training that the model can be saved after it.

    Args:
        model: the model; it need not be built or compiled.
        training: whether the random generators will be saved too.

    Raises:
        ValueError, TypeError: as `save_model`. The values of the weights are not checked.
    """
    about = description_of(model, "model")
    if training:
        about["training"] = _training(model, 0)
    header_of(about, dict.fromkeys(about["weights"], (1,)))


def load_model(path: Path, custom_objects: Mapping[str, Any] | None = None, compile: bool = True) -> Any:
    """Loads a model from a file that `save_model` wrote.

    Args:
        path: the file's name.
        custom_objects: dict of your own classes and functions by name. Other classes are fastnet's own.
        compile: whether to compile the model as it was, with the optimizer's state.

    Returns:
        The model, a new `Sequential`.

    Raises:
        ModelFormatError: if the file is not a model file, is damaged, needs a newer version, or has an unknown class.
        ValueError: if the name has another ending.
        TypeError: if `custom_objects` is not such a dict.
        FileNotFoundError: if the file does not exist.
        OSError: if the file cannot be read.
    """
    configuration.check_objects(custom_objects)
    file = read(check_suffix("path", path, weights=False))
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


def save_weights(model: Model, path: Path, overwrite: bool = True) -> None:
    """Saves only the weights of a model.

    Args:
        model: the model; it must be built.
        path: the file's name, which ends in ``.weights.safetensors``.
        overwrite: whether to replace an existing file.

    Raises:
        ValueError: if the name has another ending, the model is not built, or a weight is NaN or infinite.
        FileExistsError, OSError: as `save_model`.
    """
    name = check_suffix("path", path, weights=True)
    if not model.built:
        raise ValueError("the model has no weights yet; put an Input in front, or call build() or fit() first")
    with model._lock:
        write(name, contents_of(model, "weights"), overwrite)


def load_weights(model: Model, path: Path) -> None:
    """Sets a model's weights from a file of `save_weights` or `save_model`. Layers are matched by their order.

    Raises:
        ModelFormatError: if the file is not a model file, is damaged, or does not fit. The model is unchanged then.
        ValueError: if the name has another ending, or the model is not built.
        OSError: if the file cannot be read.
    """
    if not model.built:
        raise ValueError("the model has no weights yet; put an Input in front, or call build() or fit() first")
    assign(read(check_suffix("path", path, weights=None)), model)


def save_training(model: Model, path: Path, epoch: int) -> None:
    """Saves a model and the random generators, for a training that continues with epoch `epoch`; as `save_model`."""
    name = check_suffix("path", path, weights=False)
    with model._lock:
        contents = contents_of(model, "model")
        write(name, contents._replace(about=contents.about | {"training": _training(model, epoch)}))


def _training(model: Model, epoch: int) -> dict[str, Any]:
    """Returns the state of a training without its model: the next epoch and the random generators."""
    generators = {name: generator_state(generator) for name, generator in generators_of(model).items()}
    return {"epoch": epoch, "generators": generators}


def restore_training(model: Model, path: Path) -> int:
    """Restores the state of a built and compiled model, and of the random generators, from `save_training`.

    Returns:
        The number of the next epoch.

    Raises:
        ModelFormatError: if the file is damaged or belongs to another model. Nothing has changed then.
        RuntimeError: before `compile`.
        ValueError: if the model is not built.
        OSError: if the file cannot be read.
    """
    optimizer = model.optimizer
    if optimizer is None:
        raise NotCompiledError("call compile() first, as in model.compile('rmsprop', 'categorical_crossentropy')")
    if not model.built:
        raise ValueError("the model must be built before its training is restored; put an Input in front")
    file = read(check_suffix("path", path, weights=False))
    saved = file.about["compile"]
    if file.about["training"] is None or saved is None:
        raise file.error("is no backup of a training")
    if file.about["architecture"] != as_json_has_it(configuration.model_config(model)):
        raise file.error("is the backup of another model; remove it to begin anew")
    with file.refusals("holds compile arguments that do not fit"):
        theirs, mine = saved["optimizer"], as_json_has_it(configuration.optimizer_config(optimizer))
        if without_rate(theirs) != without_rate(mine):
            raise file.error(f"was trained with another optimizer, {theirs!r:.200}; remove it to begin anew")
    generators = generators_of(model)
    with file.refusals("holds a training's state that does not fit"):
        epoch, states = file.about["training"]["epoch"], file.about["training"]["generators"]
        if type(epoch) is not int or epoch < 0:
            raise ValueError(f"epoch {epoch!r}")
        if set(states) != set(generators):
            raise ValueError(f"random generators of {sorted(states)}, not {sorted(generators)}")
        checked = {name: checked_generator_state(state) for name, state in states.items()}
    check_optimizer(file, optimizer)
    assign(file, model)
    set_optimizer(file, model, optimizer)
    for name, generator in generators.items():
        generator.bit_generator.state = checked[name]
    return int(epoch)
