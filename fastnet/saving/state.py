"""Turns a model into the content of a file, and the content of a file into a model."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

import numpy as np

from fastnet import kernels, rng
from fastnet._version import __version__
from fastnet.arrays.variables import Variable
from fastnet.checks import Floats
from fastnet.layers import Dense, Layer
from fastnet.layers.base import Shape
from fastnet.optimizers import Optimizer
from fastnet.recorded import Recorded
from fastnet.saving import configuration
from fastnet.saving.configuration import Model, Parts
from fastnet.saving.layout import (
    FORMAT_VERSION,
    LAYER_LIMIT,
    METRIC_LIMIT,
    RANK_LIMIT,
    THRESHOLD_LIMIT,
    Contents,
    File,
    ask_for_memory,
    dump,
)
from fastnet.terminal import screen


class NotFiniteError(ValueError):
    """A model was not saved, because a weight is NaN or infinite."""


# From a model ---------------------------------------------------------------------------------------------------------


def contents_of(model: Model, kind: str) -> Contents:
    """Returns the content of a model's file. The arrays are the model's own, not copies.

    Args:
        model: the model.
        kind: "model" for the whole model, "weights" for its weights.

    Raises:
        NotFiniteError: if a weight is NaN or infinite.
        ValueError: if there are too many layers or metrics.
        TypeError: if an argument of a layer or another object cannot be saved.
    """
    ask_for_memory()
    variables = _named(model)
    for name, variable in variables.items():
        if not kernels.all_finite(variable.packed.reshape(-1)):
            raise NotFiniteError(f"{name} holds NaN or infinite weights, so the model is not worth keeping")
    about = description_of(model, kind)
    packed = {name: (variable, variable.packed) for name, variable in variables.items()}
    if about["compile"] is not None:
        assert model.optimizer is not None
        packed |= _slots(variables, model.optimizer)
    return Contents(about, packed)


def description_of(model: Model, kind: str) -> dict[str, Any]:
    """Returns our JSON for a file of this kind, without the arrays; errors as `contents_of`."""
    about: dict[str, Any] = {
        "format_version": FORMAT_VERSION,
        "fastnet_version": __version__,
        "kind": kind,
        "architecture": None,
        "compile": None,
        "optimizer": None,
        "weights": list(_named(model)),
        "training": None,
    }
    if kind == "model":
        if len(model._layers) > LAYER_LIMIT:
            raise ValueError(f"a model file holds at most {LAYER_LIMIT} layers, but the model has more")
        for thing in (*model._layers, model.optimizer, model.loss, *model._metrics):
            _check_describable(thing)
        about["architecture"] = configuration.model_config(model)
        about["compile"] = configuration.compile_config(model)
    if about["compile"] is not None:
        check_metrics(about["compile"])
        optimizer = model.optimizer
        assert optimizer is not None
        about["optimizer"] = {
            "iterations": int(optimizer._iterations),
            "learning_rate": None if optimizer._schedule is not None else float(optimizer.learning_rate),
            "numbers": {},  # always empty; readers of format 1 expect the field
        }
    return about


def _check_describable(thing: Any) -> None:
    """Checks that an object can be saved; the error names the object, not only the value that JSON does not have."""
    if thing is None:
        return
    try:
        described = configuration.serialize(thing)
        dump(described)
        if isinstance(thing, Recorded) and isinstance(described, dict):
            thing.check_config(described["config"])
    except (TypeError, ValueError, RecursionError) as error:
        name = f"{thing.name!r:.80} of class " if isinstance(thing, Layer) else ""
        text = f"{name}{type(thing).__name__} cannot be saved: {error}"
        raise (TypeError if isinstance(error, TypeError) else ValueError)(text) from None


def check_metrics(compiled: Any) -> None:
    """Checks that the described metrics need a limited amount of memory and time.

    Raises:
        ValueError: if there are too many metrics or thresholds.
    """
    entries = [entry for name in ("metrics", "weighted_metrics") for entry in compiled.get(name, [])]
    if len(entries) > METRIC_LIMIT:
        raise ValueError(f"{len(entries)} metrics; a model file has at most {METRIC_LIMIT}")
    thresholds = 0
    for entry in entries:
        config = entry.get("config") if isinstance(entry, dict) else None
        number = config.get("num_thresholds", 0) if isinstance(config, dict) else 0
        thresholds += number if isinstance(number, int) else 0
    if thresholds > THRESHOLD_LIMIT:
        raise ValueError(
            f"num_thresholds of the metrics is {thresholds} together; a model file has at most {THRESHOLD_LIMIT}"
        )


def _named(model: Model) -> dict[str, Variable]:
    """Returns the model's variables in order, by unique names such as layers/0_dense/kernel."""
    named: dict[str, Variable] = {}
    for i, layer in enumerate(model._layers):
        for variable in layer.weights:
            stem = f"layers/{i}_{_safe(layer.name)}/{_safe(variable.name.rpartition('/')[2])}"
            name, count = stem, 1
            while name in named:
                name, count = f"{stem}_{count}", count + 1
            named[name] = variable
    return named


def _safe(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9_.-]", "_", name)[:64]


def _slots(variables: Mapping[str, Variable], optimizer: Optimizer) -> dict[str, tuple[Variable, Floats]]:
    """Returns the optimizer's arrays by names such as optimizer/0_dense/kernel/velocity."""
    names = {id(variable): name.removeprefix("layers/") for name, variable in variables.items()}
    arrays = {}
    for (variable, slot), state in optimizer._slots.items():
        if "/" in slot:
            raise ValueError(f"the optimizer's state {slot!r} cannot be saved: its name must be without a slash")
        if id(variable) in names:  # not a variable of a removed layer, or the bias of a layer without one
            arrays[f"optimizer/{names[id(variable)]}/{slot}"] = variable, state
    return arrays


def generators_of(model: Model) -> dict[str, np.random.Generator]:
    """Returns fastnet's random generator and those of the layers, by name."""
    found = {"fastnet": rng.generator()}
    for i, layer in enumerate(model._layers):
        for attribute, value in vars(layer).items():
            if isinstance(value, np.random.Generator):
                found[f"{i}_{_safe(layer.name)}/{attribute}"] = value
    return found


def generator_state(generator: np.random.Generator) -> dict[str, Any]:
    """Returns the state of a PCG64 generator in types that JSON has."""
    state = dict(generator.bit_generator.state)
    if state.get("bit_generator") != "PCG64":
        raise ValueError(f"the random generator is {state.get('bit_generator')}; a training can be saved with PCG64")
    return state


def checked_generator_state(state: Any) -> dict[str, Any]:
    """Checks the saved state of a PCG64 generator, and returns it as the generator accepts it."""
    inner = state["state"]
    whole = {"has_uint32": (state["has_uint32"], 1), "uinteger": (state["uinteger"], 32)}
    whole |= {"state": (inner["state"], 128), "inc": (inner["inc"], 128)}
    for name, (value, bits) in whole.items():
        if type(value) is not int or not 0 <= value < 2**bits:
            raise ValueError(f"{name} of a random generator is {value!r:.80}")
    if state["bit_generator"] != "PCG64" or not inner["inc"] % 2:
        raise ValueError("the random generator is no PCG64")
    return {
        "bit_generator": "PCG64",
        "state": {"state": inner["state"], "inc": inner["inc"]},
        "has_uint32": state["has_uint32"] % 2,
        "uinteger": state["uinteger"],
    }


def without_rate(description: Any) -> Any:
    """Returns an optimizer's description without a constant learning rate, which a training may change."""
    config = {k: v for k, v in description["config"].items() if k != "learning_rate" or not isinstance(v, float)}
    return description | {"config": config}


# To a model -----------------------------------------------------------------------------------------------------------


def build_model(file: File, custom_objects: Mapping[str, Any] | None) -> Any:
    """Builds the model of the file's architecture without setting weights; creates only arrays that the file has."""
    with file.refusals("holds a model that cannot be made"):
        parts = configuration.parts_of(file.about["architecture"], custom_objects)
        count = sum(1 for _ in parts.flat())
        if count > LAYER_LIMIT:
            raise ValueError(f"{count} layers; a model file has at most {LAYER_LIMIT}")
        expected = [file.shapes[weight] for weight in file.about["weights"]]
        state = rng.generator().bit_generator.state
        try:
            expected, _ = _build_parts(parts, None, expected)
            model = configuration.assembled(parts)
        finally:
            rng.generator().bit_generator.state = state
        if expected:
            raise ValueError(f"{len(expected)} more arrays than the layers have")
    return model


def _build_parts(parts: Parts, shape: Shape | None, expected: list[Shape]) -> tuple[list[Shape], Shape | None]:
    """Builds layers whose weights must have the first of the expected shapes.

    Args:
        parts: the layers.
        shape: the shape of an example of their input; None takes what the parts say.
        expected: the shapes of the arrays in the file.

    Returns:
        The remaining shapes, and the shape of an example of the output; None if it is not known.
    """
    shape = parts.shape if shape is None else shape
    for layer in parts.layers:
        if isinstance(layer, Parts):
            expected, shape = _build_parts(layer, shape, expected)
            continue
        if not layer.name:
            raise ValueError("a layer without a name")
        shape = layer.input_shape if shape is None else shape
        if shape is not None:
            _check_shape(shape)
            expected = _build_layer(layer, shape, expected)
            shape = layer.output_shape
    return expected, shape


def _check_shape(shape: Shape) -> None:
    if len(shape) > RANK_LIMIT or math.prod(shape) >= 2**40:
        raise ValueError(f"examples of shape {shape!r:.200}")


def _build_layer(layer: Layer, shape: Shape, expected: list[Shape]) -> list[Shape]:
    """Builds a layer whose weights must have the first of the expected shapes; returns the remaining shapes."""
    rest = list(expected)

    def take(found: Any) -> None:
        found = (int(found),) if isinstance(found, int | np.integer) else tuple(int(n) for n in found)
        if not rest or rest[0] != found:
            other = f"the file has {rest[0]}" if rest else "the file has no more"
            raise ValueError(f"layer {layer.name!r} has weights of shape {found}, but {other}")
        rest.pop(0)

    if isinstance(layer, Dense):
        if shape:  # else ensure_built raises an error that explains what is wrong
            take((shape[-1], layer.units))
            if layer.use_bias:
                take((layer.units,))
        initializers = layer.kernel_initializer, layer.bias_initializer
        layer.kernel_initializer = layer.bias_initializer = _zeros  # type: ignore[assignment]
        try:
            layer.ensure_built(shape)
        finally:
            layer.kernel_initializer, layer.bias_initializer = initializers
        return rest

    add_weight = layer.add_weight

    def checked(shape: Any = (), initializer: Any = "zeros", *args: Any, **kwargs: Any) -> Variable:
        take(() if shape is None else shape)
        return add_weight(shape, "zeros", *args, **kwargs)

    layer.add_weight = checked  # type: ignore[method-assign]
    try:
        layer.ensure_built(shape)
    finally:
        del layer.add_weight
    return rest


def _zeros(shape: Shape) -> Floats:
    return np.zeros(shape, np.float32)


def assign(file: File, model: Model) -> None:
    """Sets all weights of a model from a file; changes nothing if one does not fit."""
    variables, names = model.weights, file.about["weights"]
    if len(variables) != len(names):
        raise file.error(f"holds {len(names)} arrays of weights, but the model has {len(variables)}")
    for variable, name in zip(variables, names, strict=True):
        if file.shapes[name] != variable.shape:
            raise file.error(
                f"holds {screen.printable(name)} of shape {file.shapes[name]}, "
                f"but the model's {screen.printable(variable.name)} has shape {variable.shape}"
            )
    with model._lock:
        values = [file.arrays[name] for name in names]
        for value, name in zip(values, names, strict=True):
            if not kernels.all_finite(value.reshape(-1)):
                raise file.error(f"holds {screen.printable(name)} with NaN or infinite weights")
        for variable, value in zip(variables, values, strict=True):
            variable.packed[...] = variable.pack(value)


def check_optimizer(file: File, optimizer: Optimizer) -> None:
    """Checks that this optimizer can have the state in the file."""
    saved = file.about["optimizer"]
    with file.refusals("holds an optimizer's state that does not fit"):
        if type(saved["iterations"]) is not int or not 0 <= saved["iterations"] < 2**63:
            raise ValueError(f"iterations {saved['iterations']!r:.80}")
        rate = saved["learning_rate"]
        if rate is not None and not (type(rate) in (int, float) and 0 <= float(rate) < math.inf):
            raise ValueError(f"learning rate {rate!r:.80}")
        if (rate is None) != (optimizer._schedule is not None):
            raise ValueError("a learning rate that is fixed in one and by schedule in the other")
        if saved["numbers"] != {}:
            raise ValueError(f"numbers {saved['numbers']!r:.80}, which no optimizer has")


def set_optimizer(file: File, model: Model, optimizer: Optimizer) -> None:
    """Sets the optimizer's state from a file. `check_optimizer` and `assign` have checked it."""
    saved = file.about["optimizer"]
    variables = dict(zip(file.about["weights"], model.weights, strict=True))
    slots = {}
    for name in file.shapes:
        weight, _, slot = name.rpartition("/")
        if weight.startswith("optimizer/"):
            variable = variables[f"layers/{weight.removeprefix('optimizer/')}"]
            slots[variable, slot] = variable.pack(file.arrays[name])
    if saved["learning_rate"] is not None:
        optimizer.learning_rate = saved["learning_rate"]
    optimizer._iterations = saved["iterations"]
    optimizer.replace_slots(slots)
