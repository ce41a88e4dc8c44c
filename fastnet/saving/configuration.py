"""Describes a model and its compile arguments in types that JSON has, and makes a model from a description.

Classes are looked up by name in fastnet's own tables and in `custom_objects`. Nothing is imported by name and nothing
is evaluated, so a description from an untrusted source can only choose among known classes.
"""

from __future__ import annotations

import contextlib
import inspect
from collections.abc import Iterable, Iterator, Mapping
from types import ModuleType
from typing import Any, NamedTuple, Protocol

from fastnet import activations, checks, constraints, initializers, layers, losses, metrics, optimizers, regularizers
from fastnet.arrays.variables import Variable
from fastnet.layers import InputLayer, Layer
from fastnet.layers.base import Shape, shape_of
from fastnet.losses import Loss
from fastnet.metrics import Metric
from fastnet.optimizers import Optimizer
from fastnet.recorded import MODELS
from fastnet.registered import Objects, get_registered_name, is_description, key_of, known

Config = dict[str, Any]
# Classes whose objects may be arguments of layers, losses and optimizers.
_INNER: dict[str, Any] = {
    **constraints.CLASSES,
    **initializers.CLASSES,
    **dict.fromkeys(losses.NAMES),
    **regularizers.CLASSES,
    **optimizers.schedules.CLASSES,
}
# Arguments that may be functions, described by their names.
_FUNCTIONS = ("activation", "function", "gradient", "learning_rate", "loss")
_COMPILE = ("optimizer", "loss", "metrics")
_MAY_COMPILE = ("weighted_metrics", "steps_per_execution")  # not in every description


class Model(Protocol):
    """What saving uses of a model. It is not imported here, because models import saving."""

    name: str
    optimizer: Optimizer | None
    loss: Loss | None
    steps_per_execution: int
    _metrics: list[Metric]
    _lock: Any
    _layers: list[Layer]

    @property
    def layers(self) -> list[Any]: ...

    @property
    def metrics(self) -> list[Metric]: ...

    @property
    def weights(self) -> list[Variable]: ...

    @property
    def built(self) -> bool: ...

    @property
    def input_shape(self) -> tuple[int | None, ...] | None: ...


def serialize(thing: Any) -> Config | str:
    """Returns an object's class name and arguments; for a function, or a loss or metric made of one, its name.

    Raises:
        TypeError: if the object's class has no `get_config`.
    """
    if inspect.isfunction(thing):
        return get_registered_name(thing)
    if isinstance(thing, losses.CustomLoss | metrics.FunctionMetric):
        has_its_name = thing.name == getattr(thing.function, "__name__", None)
        return get_registered_name(thing.function) if has_its_name else thing.name
    if hasattr(thing, "get_config"):
        described = checks.describe(thing)
        if inspect.isfunction(function := described["config"].get("fn")):  # of a MeanMetricWrapper
            described["config"]["fn"] = {"class_name": function.__name__, "config": {}}
        return described
    raise TypeError(f"{thing!r} cannot be described: its class has no get_config()")


def classes_of(module: ModuleType, base: type) -> dict[str, Any]:
    """Returns a module's subclasses of `base` by name, without aliases."""
    return {
        name: thing
        for name in [*vars(module), *getattr(module, "__all__", ())]  # the second imports what is not yet imported
        if isinstance(thing := getattr(module, name), type)
        and issubclass(thing, base)
        and thing is not base
        and name == thing.__name__
    }


# Layers ---------------------------------------------------------------------------------------------------------------


def kind_of(model: Any) -> str:
    """Returns Keras's name of the model's class, which is in `MODELS`."""
    return "Sequential" if isinstance(model, MODELS["Sequential"]) else "Functional"


def model_config(model: Model) -> Config:
    """Returns a model's name, layers and, if known, the shape of a batch, as Keras's `get_config` does."""
    shape = model.input_shape
    return {
        "name": model.name,
        "layers": [_described(layer) for layer in model.layers],
        "build_input_shape": None if shape is None else list(shape),
    }


def _described(layer: Any) -> Any:
    if isinstance(layer, Layer):
        return serialize(layer)
    return {"class_name": kind_of(layer), "config": model_config(layer)}


class Parts(NamedTuple):
    """What a model is made of.

    Attributes:
        name: the model's name.
        shape: the shape of an example; None if it is not known yet.
        layers: the layers, not built yet. A model among them is in parts, too.
    """

    name: str
    shape: Shape | None
    layers: list[Any]

    def flat(self) -> Iterator[Layer]:
        """Yields all layers, also those of models among the layers."""
        for layer in self.layers:
            if isinstance(layer, Parts):
                yield from layer.flat()
            else:
                yield layer


def model_from_config(config: Config, custom_objects: Objects | None = None) -> Any:
    """Makes a new model, with new weights, from the result of `model_config`.

    Args:
        config: the description, or ``{"class_name": "Sequential", "config": ...}``.
        custom_objects: dict of your own classes and functions by name.

    Raises:
        ValueError: if a layer is unknown (the message suggests a similar name) or does not fit.
        TypeError: if the description has the wrong form.
    """
    return assembled(parts_of(config, custom_objects))


def assembled(parts: Parts) -> Any:
    """Makes a model of its parts: a `Model` if an `InputLayer` comes first, else a `Sequential`."""
    layers = [assembled(layer) if isinstance(layer, Parts) else layer for layer in parts.layers]
    if layers and isinstance(layers[0], InputLayer):
        tensor = layers[0].output
        for layer in layers[1:]:
            tensor = layer(tensor)
        return MODELS["Functional"](layers[0].output, tensor, name=parts.name)
    model = MODELS["Sequential"](name=parts.name)
    if parts.shape is not None:
        model.add(InputLayer(parts.shape))
    for layer in layers:
        model.add(layer)
    return model


def parts_of(config: Any, custom_objects: Objects | None = None) -> Parts:
    """Makes the parts of a model from a description; arguments and errors as `model_from_config`."""
    objects = known_objects(custom_objects)
    if is_description(config):
        checks.choose("model", config["class_name"], MODELS)
        config = config["config"]
    if not isinstance(config, dict) or not isinstance(config.get("layers"), list):
        raise TypeError("config must be a dict with 'name', 'layers' and 'build_input_shape'")
    checks.keywords("a model's config", config, ("name", "layers", "build_input_shape"))
    name = config.get("name", "sequential")
    if not isinstance(name, str):
        raise TypeError(f"the model's name must be a string, got {name!r}")
    shape = config.get("build_input_shape")
    if shape is not None:
        if not isinstance(shape, list | tuple) or not shape:
            raise ValueError(f"build_input_shape must be a batch's shape such as [None, 784], got {shape!r}")
        shape = shape_of("build_input_shape", shape[1:], least_rank=0)
    return Parts(name, shape, _make_layers(config["layers"], objects))


def _make_layers(entries: Iterable[Any], objects: Objects) -> list[Layer | Parts]:
    """Makes new layers, not built yet, from their descriptions."""
    table = classes_of(layers, Layer)
    made: list[Layer | Parts] = []
    for i, entry in enumerate(entries):
        if is_description(entry) and entry["class_name"] in MODELS and entry["class_name"] not in objects:
            made.append(parts_of(entry, objects))
            continue
        layer = _make(f"layer {i}", entry, table, objects)
        if not isinstance(layer, Layer):
            raise TypeError(f"layer {i}: expected a layer, got {layer!r}")
        if i and isinstance(layer, InputLayer):
            raise ValueError(f"layer {i}: an InputLayer can only be the first layer")
        made.append(layer)
    return made


# How a model was compiled ---------------------------------------------------------------------------------------------


def compile_config(model: Model) -> Config | None:
    """Returns the descriptions of optimizer, loss and metrics; None before `compile`."""
    if model.optimizer is None:
        return None
    loss = None if model.loss is None else serialize(model.loss)
    config: Config = {"optimizer": optimizer_config(model.optimizer), "loss": loss}
    config["metrics"] = [serialize(metric) for metric in model._metrics if not metric.weighted]
    weighted = [serialize(metric) for metric in model._metrics if metric.weighted]
    if weighted:
        config["weighted_metrics"] = weighted
    if model.steps_per_execution != 1:
        config["steps_per_execution"] = model.steps_per_execution
    return config


def optimizer_config(optimizer: Optimizer) -> Any:
    """Describes an optimizer. A name that was not given is left out: its number depends on the program around it."""
    described = serialize(optimizer)
    if isinstance(described, dict) and not optimizer._is_named:
        config = {name: value for name, value in described["config"].items() if name != "name"}
        described = described | {"config": config}
    return described


def compile_from_config(config: Config, custom_objects: Objects | None = None) -> Config:
    """Makes new objects for the arguments of `compile` from the result of `compile_config`.

    Raises:
        ValueError: if a name is unknown; the message suggests a similar name.
        TypeError: if the description has the wrong form.
    """
    if not isinstance(config, dict) or set(config).union(_MAY_COMPILE) != {*_COMPILE, *_MAY_COMPILE}:
        raise TypeError(f"the compile arguments must be a dict of {', '.join(_COMPILE)}")
    objects = known_objects(custom_objects)
    loss = config["loss"]
    of_losses = losses.classes(loss.get("class_name") if isinstance(loss, dict) else loss)
    of_metrics = metrics.CLASSES | {"LossMetric": metrics.LossMetric, "MeanMetricWrapper": metrics.MeanMetricWrapper}
    of_metrics["accuracy"] = of_metrics["AccuracyByShape"]  # errors list the name that users know
    arguments = {
        "optimizer": _made_or_known("optimizer", config["optimizer"], optimizers.CLASSES, objects, optimizers.get),
        "loss": None,
    }
    if config["loss"] is not None:
        arguments["loss"] = _made_or_known("loss", config["loss"], of_losses, objects, losses.for_training)
    if "steps_per_execution" in config:
        arguments["steps_per_execution"] = checks.integer("steps_per_execution", config["steps_per_execution"], least=1)
    for name in sorted(set(config) - set(arguments)):
        if not isinstance(config[name], list):
            raise TypeError(f"{name} must be a list, got {config[name]!r:.80}")
        arguments[name] = [_made_or_known("metric", entry, of_metrics, objects, metrics.get) for entry in config[name]]
    return arguments


def check_objects(custom_objects: Any) -> None:
    """Checks that `custom_objects` is None or a dict with strings as keys; raises TypeError if not."""
    if custom_objects is None:
        return
    if not isinstance(custom_objects, Mapping) or not all(isinstance(name, str) for name in custom_objects):
        raise TypeError(
            "custom_objects must be a dict from names to classes or functions of your own, as in {'Scale': Scale}, "
            f"got {custom_objects!r:.200}"
        )


def known_objects(custom_objects: Any) -> Objects:
    """Returns the given objects and the registered ones by name; raises TypeError as `check_objects`."""
    check_objects(custom_objects)
    return known(custom_objects)


# One object -----------------------------------------------------------------------------------------------------------


def _make(argument: str, entry: Any, table: Mapping[str, Any], objects: Objects) -> Any:
    """Makes the object of a description. A string is returned unchanged, unless `objects` has that name."""
    if isinstance(entry, str):
        return objects[key] if (key := key_of(entry, objects)) else entry
    if not is_description(entry):
        raise TypeError(f"{argument}: expected a dict with 'class_name' and 'config', got {entry!r:.80}")
    name = key_of(entry.get("registered_name") or entry["class_name"], objects) or entry["class_name"]
    with _hint(name):
        known = objects if name in objects else table if name in table else {**table, **objects}
        made = checks.choose(argument, name, known)
    config = {name: _inner(name, value, objects) for name, value in entry["config"].items()}
    unknown = _unknown_in(config)
    with _hint(unknown) if unknown is not None else contextlib.nullcontext():
        if hasattr(made, "from_config"):
            return made.from_config(config)
        return made(**config) if isinstance(made, type) else made


def _made_or_known(argument: str, entry: Any, table: Mapping[str, Any], objects: Objects, get: Any) -> Any:
    """Makes the object as `_make` does, and checks that `compile` knows a string."""
    made = _make(argument, entry, table, objects)
    if isinstance(made, str):
        with _hint(made):
            get(made)
    return made


@contextlib.contextmanager
def _hint(name: str) -> Iterator[None]:
    """Adds to an error about an unknown name how to pass one's own classes and functions."""
    try:
        yield
    except ValueError as error:
        example = name if name.isidentifier() else "..."
        raise ValueError(
            f"{error}. A class or function of your own must be given by its name: "
            f"custom_objects={{{name!r:.80}: {example:.80}}}"
        ) from None


def _inner(name: str, value: Any, objects: Objects) -> Any:
    """Returns an argument of an object; makes it from its description if it is one of the user's own objects."""
    if isinstance(value, str) and name in _FUNCTIONS and (key := key_of(value, objects)):
        return _instance(objects[key])
    if is_description(value) and key_of(value["class_name"], objects):
        return _make(name, value, {}, objects)
    return value


def _unknown_in(config: Config) -> str | None:
    """Returns the first name among an object's arguments that neither fastnet nor `custom_objects` knows."""
    for name, value in config.items():
        found = value["class_name"] if is_description(value) else value if name in _FUNCTIONS else None
        if isinstance(found, str) and found not in _INNER and not activations.is_known(found):
            return found
    return None


def _instance(thing: Any) -> Any:
    return thing() if isinstance(thing, type) else thing
