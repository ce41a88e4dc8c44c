"""Saving and loading: whole models, their weights alone, and trainings that are to go on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from fastnet.checks import NotCompiledError
from fastnet.saving import configuration
from fastnet.saving.layout import Path, as_json_has_it, check_suffix, header_of, read, write
from fastnet.saving.state import (
    assign,
    build,
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

if TYPE_CHECKING:
    from fastnet.models import Sequential


def save_model(model: Sequential, path: Path, overwrite: bool = True) -> None:
    """Saves a model: architecture, weights and, if it is compiled, the compile arguments and the optimizer's state.

    The file is complete or, after an error, a crash or a kill, as it was before.

    Args:
        model: it need not be built or compiled.
        path: a name that ends in ``.safetensors``.
        overwrite: whether an existing file may be replaced. The new one has its mode and, if the process may set it,
            its owner.

    Raises:
        ValueError: if the name has another ending, or the model has weights that are not finite, or too many layers.
        TypeError: if an argument of a layer, a loss or the like cannot be saved; the message says what to do.
        FileExistsError: if the file is there and must not be overwritten.
        PermissionError: if the file is there and read-only, also with `overwrite`.
        MemoryError: if there is too little memory. After this and any other error the old file is as it was.
        OSError: if it cannot be written.
    """
    name = check_suffix("path", path, weights=False)
    with model._lock:
        write(name, contents_of(model, "model"), overwrite)


def check_savable(model: Sequential, training: bool = False) -> None:
    """Finds out before a training, not after it, that the model could not be saved.

    Args:
        model: it need not be built or compiled.
        training: whether the random generators are to be saved too.

    Raises:
        ValueError, TypeError: as `save_model`; weights are not looked at.
    """
    about = description_of(model, "model")
    if training:
        about["training"] = _training(model, 0)
    header_of(about, dict.fromkeys(about["weights"], (1,)))


def load_model(path: Path, custom_objects: Mapping[str, Any] | None = None, compile: bool = True) -> Sequential:
    """The model that a file of `save_model` holds.

    Args:
        path: the file's name.
        custom_objects: your own classes and functions by their names; only these and fastnet's own are made.
        compile: whether to compile it as it was, with the optimizer's state.

    Raises:
        ModelFormatError: if it is no such file, is damaged, was written by a newer version, or holds an unknown class.
        ValueError: if the name has another ending.
        TypeError: if `custom_objects` is no such dict.
        FileNotFoundError: if there is no such file.
        OSError: if it cannot be read.
    """
    configuration.check_objects(custom_objects)
    file = read(check_suffix("path", path, weights=False))
    if file.about["kind"] != "model":
        raise file.error("holds weights only: make the model as it was, and use load_weights")
    model = build(file, custom_objects)
    assign(file, model)
    if compile and file.about["compile"] is not None:
        with file.refusals("cannot be compiled as it was"):
            check_metrics(file.about["compile"])
            model.compile(**configuration.compile_from_config(file.about["compile"], custom_objects))
        assert model.optimizer is not None
        check_optimizer(file, model.optimizer)
        set_optimizer(file, model, model.optimizer)
    return model


def save_weights(model: Sequential, path: Path, overwrite: bool = True) -> None:
    """Saves a model's weights alone.

    Args:
        path: a name that ends in ``.weights.safetensors``.

    Raises:
        ValueError: if the name has another ending, the model is not built, or its weights are not finite.
        FileExistsError, OSError: as `save_model`.
    """
    name = check_suffix("path", path, weights=True)
    if not model.built:
        raise ValueError("the model has no weights yet; put an Input in front, or call build() or fit() first")
    with model._lock:
        write(name, contents_of(model, "weights"), overwrite)


def load_weights(model: Sequential, path: Path) -> None:
    """Sets a model's weights from a file of `save_weights`, or of `save_model`; layers are matched by their order.

    Raises:
        ModelFormatError: if it is no such file, is damaged, or its weights do not fit; the model is as it was then.
        ValueError: if the name has another ending, or the model is not built.
        OSError: if it cannot be read.
    """
    if not model.built:
        raise ValueError("the model has no weights yet; put an Input in front, or call build() or fit() first")
    assign(read(check_suffix("path", path, weights=None)), model)


def save_training(model: Sequential, path: Path, epoch: int) -> None:
    """Saves a model amid a training that goes on with number `epoch`, and the random generators; as `save_model`."""
    name = check_suffix("path", path, weights=False)
    with model._lock:
        contents = contents_of(model, "model")
        write(name, contents._replace(about=contents.about | {"training": _training(model, epoch)}))


def _training(model: Sequential, epoch: int) -> dict[str, Any]:
    """What a file holds of a training beside the model."""
    generators = {name: generator_state(generator) for name, generator in generators_of(model).items()}
    return {"epoch": epoch, "generators": generators}


def restore_training(model: Sequential, path: Path) -> int:
    """Puts a built and compiled model, and the random generators, back to where `save_training` was.

    Returns:
        The number of the epoch to go on with.

    Raises:
        ModelFormatError: if the file is damaged, or another model's; nothing has changed then.
        RuntimeError: before `compile`.
        ValueError: if the model is not built.
        OSError: if it cannot be read.
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
        theirs, mine = saved["optimizer"], as_json_has_it(configuration.serialize(optimizer))
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
