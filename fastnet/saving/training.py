"""Saves the state of a training that may be interrupted, and restores it: what BackupAndRestore needs.

Beside the model, the file holds the place in the training, the random generators, what the other callbacks remember
and, in the middle of an epoch, the sums of the loss and the metrics. With all of it, the training goes on with the same
bits.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np

from fastnet.arrays.variables import Variable
from fastnet.checks import Floats, NotCompiledError
from fastnet.metrics import Metric
from fastnet.saving import configuration
from fastnet.saving.configuration import Model
from fastnet.saving.layout import File, as_json_has_it, header_of, read, write
from fastnet.saving.state import (
    assign,
    check_optimizer,
    checked_generator_state,
    contents_of,
    description_of,
    generator_state,
    generators_of,
    set_optimizer,
    without_rate,
)
from fastnet.saving.suffixes import KERAS_WEIGHTS_SUFFIX, WEIGHTS_SUFFIX, Path, check_suffix, is_keras

_MOST = 2**31  # steps in an epoch


class Place(NamedTuple):
    """A place in a training: where it goes on.

    Attributes:
        epoch: the number of the epoch, from 0.
        step: how many batches of this epoch are done.
        order: the state of fastnet's random generator before it drew the order of this epoch's examples; None at the
            beginning of an epoch.
        stopped: whether a callback has ended the training.
    """

    epoch: int
    step: int = 0
    order: Mapping[str, Any] | None = None
    stopped: bool = False


class Restored(NamedTuple):
    """What `restore_training` leaves to do when the epoch begins.

    Attributes:
        place: where the training goes on.
        sums: the state of the metrics in the middle of an epoch: each metric, an attribute and its value.
        generator: the state of fastnet's random generator.
        rate: the learning rate; None with a schedule.
    """

    place: Place
    sums: list[tuple[Metric, str, Any]]
    generator: dict[str, Any]
    rate: float | None


def save_training(model: Model, path: Path, place: Place | int, callbacks: Any = ()) -> None:
    """Saves a model and the state of its training; errors as `save_model`.

    Args:
        model: the model, built and compiled.
        path: the file's name, which ends in ``.safetensors``.
        place: where the training goes on; a number is an epoch.
        callbacks: the callbacks whose attributes, named by their `_remembered`, are saved.
    """
    name = check_suffix("path", path, weights=False, keras=False)
    with model._lock:
        contents = contents_of(model, "model")
        about, arrays = _training(model, Place(place) if isinstance(place, int) else place, callbacks, contents.about)
        write(name, contents._replace(about=contents.about | {"training": about}, packed=contents.packed | arrays))


def check_savable(model: Model, training: bool = False, in_epoch: bool = False, path: str = "") -> None:
    """Checks before a training that the model can be saved after it.

    Args:
        model: the model; it need not be built or compiled.
        training: whether the state of a training will be saved too.
        in_epoch: whether it will be saved in the middle of an epoch.
        path: the file's name, whose ending chooses the format.

    Raises:
        ValueError, TypeError, ImportError: as `save_model`. The values of the weights are not checked.
    """
    if is_keras(path):
        from fastnet.saving import keras_writing

        keras_writing.check_savable(model, weights_only=path.endswith(KERAS_WEIGHTS_SUFFIX))
        return
    if path.endswith(WEIGHTS_SUFFIX):
        return
    about = description_of(model, "model")
    if training:
        about["training"], _ = _training(model, Place(0, 0, {} if in_epoch else None), (), about)
    header_of(about, dict.fromkeys(about["weights"], (1,)))


def _training(
    model: Model, place: Place, callbacks: Any, about: dict[str, Any]
) -> tuple[dict[str, Any], dict[str, tuple[Variable, Floats]]]:
    """Returns the state of a training without its model: in JSON, and the arrays that callbacks remember."""
    state: dict[str, Any] = {
        **place._asdict(),
        "generators": {name: generator_state(generator) for name, generator in generators_of(model).items()},
        "sums": [] if place.order is None else [_numbers_of(metric) for metric in model.metrics],
        "callbacks": {},
    }
    arrays: dict[str, tuple[Variable, Floats]] = {}
    for key, callback in _by_name(callbacks):
        memory = state["callbacks"][key] = {}
        for name in callback._remembered:
            value = getattr(callback, name)
            if isinstance(value, list):  # of weights
                for weight, variable, array in zip(about["weights"], model.weights, value, strict=True):
                    arrays[f"callbacks/{weight.removeprefix('layers/')}/{key}.{name}"] = variable, variable.pack(array)
                value = {"arrays": len(value)}
            memory[name] = _written(value)
    return state, arrays


def _by_name(callbacks: Any) -> Iterator[tuple[str, Any]]:
    """Yields the callbacks that remember something, by unique names such as EarlyStopping_1."""
    counts: dict[str, int] = {}
    for callback in callbacks:
        if callback._remembered:
            kind = type(callback).__name__
            counts[kind] = counts.get(kind, -1) + 1
            yield f"{kind}_{counts[kind]}", callback


def _written(value: Any) -> Any:
    """Writes a number for JSON, which has no NaN and no infinity: these are texts."""
    value = value.item() if isinstance(value, np.generic) else value
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value


def _numbers_of(metric: Metric) -> dict[str, Any]:
    """Returns the state of a metric: the numbers and arrays among its attributes, and those of metrics in it."""
    state: dict[str, Any] = {}
    for name, value in vars(metric).items():
        if name == "_workspace":
            continue
        if isinstance(value, Metric):
            state[name] = _numbers_of(value)
        elif isinstance(value, Variable | np.ndarray):
            array = value.numpy() if isinstance(value, Variable) else value
            if array.dtype.kind in "biuf":
                state[name] = {"type": array.dtype.str, "shape": list(array.shape), "bytes": array.tobytes().hex()}
        elif type(value) in (int, float):
            state[name] = _written(value)
    return state


def restore_training(model: Model, path: Path, callbacks: Any = ()) -> Restored:
    """Restores the state of a built and compiled model, of the random generators and of callbacks.

    Args:
        model: the model.
        path: a file of `save_training`.
        callbacks: the callbacks of the training, in the same order as when the file was saved.

    Returns:
        The place where the training goes on, and what is left to do when its epoch begins.

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
    file = read(check_suffix("path", path, weights=False, keras=False))
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
        state = file.about["training"]
        place = _place(state)
        states = state["generators"]
        if set(states) != set(generators):
            raise ValueError(f"random generators of {sorted(states)}, not {sorted(generators)}")
        checked = {name: checked_generator_state(state) for name, state in states.items()}
        memories = list(_memories(file, model, callbacks))
        sums: list[tuple[Metric, str, Any]] = []
        if place.order is not None:
            for metric, numbers in zip(model.metrics, state["sums"], strict=True):
                sums += _read_numbers(metric, numbers)
    check_optimizer(file, optimizer)
    assign(file, model)
    set_optimizer(file, model, optimizer)
    for name, generator in generators.items():
        generator.bit_generator.state = checked[name]
    for callback, name, value in memories:
        setattr(callback, name, value)
    return Restored(place, sums, checked["fastnet"], file.about["optimizer"]["learning_rate"])


def _place(state: dict[str, Any]) -> Place:
    epoch, step, order = state["epoch"], state.get("step", 0), state.get("order")
    for name, value in ("epoch", epoch), ("step", step):
        if type(value) is not int or not 0 <= value < _MOST:
            raise ValueError(f"{name} {value!r:.80}")
    return Place(epoch, step, None if order is None else checked_generator_state(order), bool(state.get("stopped")))


def _memories(file: File, model: Model, callbacks: Any) -> Iterator[tuple[Any, str, Any]]:
    """Yields what callbacks remember: each callback, an attribute and its value."""
    saved = file.about["training"].get("callbacks", {})
    for key, callback in _by_name(callbacks):
        for name in callback._remembered:
            if name not in saved.get(key, {}):
                continue  # the file is that of another list of callbacks
            value = saved[key][name]
            if isinstance(value, dict):
                names = [weight.removeprefix("layers/") for weight in file.about["weights"]]
                value = [file.arrays[f"callbacks/{weight}/{key}.{name}"] for weight in names]
            else:
                value = _number(value)
            yield callback, name, value


def _number(value: Any) -> Any:
    """Returns a number as it was before `_written`."""
    if value is None or isinstance(value, bool | int | float):
        return value
    if value in ("nan", "inf", "-inf"):
        return float(value)
    raise ValueError(f"{value!r:.80}, which is no number")


def _read_numbers(metric: Metric, state: dict[str, Any]) -> Iterator[tuple[Metric, str, Any]]:
    """Yields the state of a metric, as `_numbers_of` returned it: each metric, an attribute and its value."""
    for name, value in state.items():
        mine = vars(metric)[name]
        if isinstance(mine, Metric):
            yield from _read_numbers(mine, value)
        elif isinstance(mine, Variable | np.ndarray):
            kind = np.dtype(value["type"])
            if kind.kind not in "biuf":
                raise ValueError(f"an array of type {kind}")
            yield metric, name, np.frombuffer(bytes.fromhex(value["bytes"]), kind).reshape(value["shape"])
        elif type(mine) in (int, float):
            yield metric, name, _number(value)
        else:
            raise ValueError(f"{name!r:.80}, which is no number of {metric.name!r:.80}")


def set_sums(sums: list[tuple[Metric, str, Any]]) -> None:
    """Sets the state of metrics. An array of the same shape keeps its place, which a recorded step knows."""
    for metric, name, value in sums:
        mine = vars(metric)[name]
        if isinstance(mine, Variable):
            mine.assign(value)
        elif isinstance(mine, np.ndarray) and (mine.shape, mine.dtype) == (value.shape, value.dtype):
            mine[...] = value
        elif isinstance(value, np.ndarray):
            setattr(metric, name, value.copy())
        elif value != mine:
            setattr(metric, name, value)
