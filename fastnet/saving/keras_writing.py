"""Describes a model in Keras's form, as `config.json` of a `.keras` file has it.

fastnet's descriptions have Keras's names and arguments already. This module adds what Keras wants beside them: the
module of each class, the shape for which a layer was built, and in a functional model the layer before each layer. It
refuses what Keras could not open: classes and functions of the user's own, and the few things that Keras does not have.
"""

from __future__ import annotations

import inspect
from typing import Any, NoReturn

import numpy as np

from fastnet import activations, kernels, metrics
from fastnet.layers import Discretization, InputLayer, Lambda, Layer
from fastnet.metrics import LossMetric
from fastnet.optimizers import Optimizer
from fastnet.recorded import Recorded, is_ours
from fastnet.saving import configuration
from fastnet.saving.configuration import Config, Model
from fastnet.saving.files import check_place, replace_file
from fastnet.saving.keras_archive import write_archive
from fastnet.saving.keras_optimizer import group_of
from fastnet.saving.keras_weights import class_of, groups_of, h5py, to_bytes, weights_of
from fastnet.saving.layout import LAYER_LIMIT, dump
from fastnet.saving.state import NotFiniteError, check_metrics

_MODULES = {  # by the ending of the argument's name
    "initializer": "keras.initializers",
    "regularizer": "keras.regularizers",
    "constraint": "keras.constraints",
    "learning_rate": "keras.optimizers.schedules",
}
# Activations with arguments: Keras has them as layers, whose arguments have the same names.
AS_LAYERS = {"ClippedRelu": "ReLU", "LeakyRelu": "LeakyReLU", "Elu": "ELU"}
NOT_ALIKE = {  # activations that would give other predictions in Keras
    "sparsemax": "is computed wrongly by Keras, whose results do not add up to 1",
    "threshold": "has no default arguments in Keras",
}
_FUNCTIONAL = {"module": "keras.src.models.functional", "registered_name": "Functional"}


def save_model(model: Model, path: str, overwrite: bool) -> None:
    """Writes a `.keras` file; arguments and errors as the function of the same name in save_and_load.py."""
    h5py()
    check_finite(model)
    config = config_of(model)
    dump(config)  # fails before anything is written
    write_archive(check_place(path, overwrite), config, _arrays(model))


def save_weights(model: Model, path: str, overwrite: bool) -> None:
    """Writes a `.weights.h5` file; as Keras, with the optimizer's state if the model is compiled."""
    h5py()
    check_finite(model)
    replace_file(check_place(path, overwrite), _arrays(model))


def _arrays(model: Model) -> memoryview:
    """Returns the HDF5 file of a model's weights and its optimizer's state."""
    groups = list(groups_of(model))
    return to_bytes(groups if model.optimizer is None else [*groups, group_of(model)])


def check_savable(model: Model, weights_only: bool) -> None:
    """Checks that a model can be saved, except for the values of its weights; it need not be built or compiled."""
    h5py()
    if not weights_only:
        dump(config_of(model))


def check_finite(model: Model) -> None:
    """Raises NotFiniteError if a weight is NaN or infinite."""
    for name, variable, _, _ in weights_of(model):
        if not kernels.all_finite(variable.packed.reshape(-1)):
            raise NotFiniteError(f"{name} holds NaN or infinite weights, so the model is not worth keeping")


def config_of(model: Model) -> Config:
    """Describes a model and its compile arguments.

    Raises:
        TypeError: if a class or a function is the user's own, or Keras has none like it.
        ValueError: if there are too many layers or metrics, or Keras would refuse a name.
    """
    if len(model._layers) > LAYER_LIMIT:
        raise ValueError(f"a model file holds at most {LAYER_LIMIT} layers, but the model has more")
    config = _model(model)
    if model.optimizer is not None:
        check_metrics(configuration.compile_config(model) or {})
        config["compile_config"] = _compiled(model)
    return config


# Objects --------------------------------------------------------------------------------------------------------------


def _refuse(what: str, why: str) -> NoReturn:
    raise TypeError(
        f"{what} cannot be saved in Keras's format: {why}. A file that ends in .safetensors holds it, for fastnet"
    )


def _check(what: str, thing: Any) -> None:
    """Checks that an object and all objects among its attributes are fastnet's own classes, which Keras has, too."""
    kind = type(thing)
    if not is_ours(kind):
        _refuse(f"{what} of class {kind.__name__}", "it is a class of your own, which Keras does not know")
    if isinstance(thing, Lambda):
        _refuse(f"{what} of class Lambda", "it is a function of your own, and Keras opens no code")
    for name, value in vars(thing).items():
        if inspect.isroutine(value) and not is_ours(value):
            called = getattr(value, "__name__", repr(value))
            _refuse(f"{what} of class {kind.__name__}", f"{name.strip('_')} is {called!r}, a function of your own")
        if isinstance(value, Recorded) and not isinstance(value, Layer):
            _check(f"{name.strip('_')} of {what}", value)


def _object(thing: Any, module: str, what: str) -> Config:
    """Describes an object of fastnet's own class."""
    _check(what, thing)
    described = configuration.serialize(thing)
    assert isinstance(described, dict)
    return _entry(described, module, what)


def _entry(described: Config, module: str, what: str) -> Config:
    kind, config = described["class_name"], described["config"]
    if kind == "Constant":  # the only class of Keras that wants to be told its default
        config = {"value": 0.0} | config
    config = {name: _value(name, value, what) for name, value in config.items()}
    return {"module": module, "class_name": kind, "config": config, "registered_name": None}


def _value(name: str, value: Any, what: str) -> Any:
    """Returns an argument as Keras's JSON has it."""
    if name == "activation":
        return _activation(value, what)
    if isinstance(value, np.ndarray):
        return {"class_name": "__numpy__", "config": {"value": value.tolist(), "dtype": value.dtype.name}}
    if isinstance(value, dict) and "class_name" in value:
        ending = name if name in _MODULES else name.rpartition("_")[2]
        return _entry(value, _MODULES[ending], what)
    return value


def _activation(value: Any, what: str) -> Any:
    name = activations.get(value).name
    if name in NOT_ALIKE:
        _refuse(what, f"its activation {name!r} {NOT_ALIKE[name]}")
    if isinstance(value, str):
        return value
    kind, config = value["class_name"], dict(value["config"])
    if kind in AS_LAYERS:
        return {"module": "keras.layers", "class_name": AS_LAYERS[kind], "config": config, "registered_name": None}
    given = ", ".join(f"{argument}={value}" for argument, value in config.items())
    _refuse(what, f"its activation {name!r} has arguments ({given}), and Keras keeps none of an activation")


# Layers and models ----------------------------------------------------------------------------------------------------


def _model(model: Any) -> Config:
    """Describes a model, without its compile arguments."""
    _check_name("model", model.name)
    for layer in model.layers:
        _check_name("layer", layer.name)
    shape = None if model.input_shape is None else [None, *model.input_shape[1:]]
    config: Config = {"name": model.name, "trainable": True, "dtype": "float32"}
    if class_of(model) == "Sequential":
        start = [] if shape is None else [_input(model, shape)]
        config["layers"] = start + [_layer(layer) for layer in model.layers]
        config["build_input_shape"] = shape
        found = {"module": "keras", "class_name": "Sequential", "config": config, "registered_name": None}
        return found if shape is None else found | {"build_config": {"input_shape": shape}}
    names = [layer.name for layer in model.layers]
    if len(set(names)) < len(names):
        raise ValueError(f"the model has two layers called {names[0]!r}, which Keras does not allow; rename one")
    config["layers"] = _chain(model.layers)
    config["input_layers"] = [names[0], 0, 0]
    # The number of the call that made the output; a functional model counts its own making as a call.
    config["output_layers"] = [names[-1], int(class_of(model.layers[-1]) == "Functional"), 0]
    return {"class_name": "Functional", "config": config, **_FUNCTIONAL, "build_config": {"input_shape": None}}


def _check_name(what: str, name: str) -> None:
    if "/" in name:
        raise ValueError(f"the {what}'s name {name!r:.80} has a slash, which Keras does not allow; rename it")


def _input(model: Any, shape: list[int | None]) -> Config:
    """Describes the input of a Sequential as a layer. Its name is one that no other layer of the model has."""
    start = getattr(model._start, "layer", None)
    given = start if isinstance(start, InputLayer) else None
    name = "input_layer" if given is None else given.name
    _check_name("input", name)
    while any(layer.name == name for layer in model.layers):
        name += "_0"
    return _input_entry(name, shape, "float32" if given is None else given.dtype)


def _input_entry(name: str, shape: list[int | None], dtype: str) -> Config:
    if "float16" in dtype:
        _refuse(f"the input {name!r:.80}", f"its dtype is {dtype}, to which Keras rounds what it gets")
    config = {"batch_shape": shape, "dtype": dtype, "sparse": False, "ragged": False, "name": name}
    return {"module": "keras.layers", "class_name": "InputLayer", "config": config, "registered_name": None}


def _layer(layer: Any) -> Config:
    """Describes a layer, or a model inside another."""
    if not isinstance(layer, Layer):
        return _model(layer)
    if isinstance(layer, InputLayer):
        return _input_entry(layer.name, [None, *layer.batch_shape[1:]], layer.dtype)
    what = f"layer {layer.name!r:.80}"
    found = _object(layer, "keras.layers", what)
    found["config"]["dtype"] = "float32"
    if isinstance(layer, Discretization):  # Keras's takes none of these
        if found["config"].pop("activity_regularizer", None) is not None:
            _refuse(what, "Keras's Discretization has no activity_regularizer")
        found["config"].pop("trainable", None)
    if layer.input_shape is not None and layer.built:
        found["build_config"] = {"input_shape": [None, *layer.input_shape]}
    return found


def _chain(layers: list[Any]) -> list[Config]:
    """Describes the layers of a functional model, each with the layer before it."""
    entries = []
    for i, layer in enumerate(layers):
        nodes = [] if not i else [{"args": [_tensor(layers[i - 1])], "kwargs": {}}]
        entries.append(_layer(layer) | {"name": layer.name, "inbound_nodes": nodes})
    return entries


def _tensor(layer: Any) -> Config:
    shape = [None, *(layer.output_shape or ())] if isinstance(layer, Layer) else list(layer.output_shape)
    dtype = layer.dtype if isinstance(layer, InputLayer) else "float32"
    config = {"shape": shape, "dtype": dtype, "keras_history": [layer.name, 0, 0]}
    return {"class_name": "__keras_tensor__", "config": config}


# The compile arguments ------------------------------------------------------------------------------------------------


def _compiled(model: Model) -> Config:
    optimizer = model.optimizer
    assert optimizer is not None
    loss = None if model.loss is None else _object(model.loss, "keras.losses", f"the loss {model.loss.name!r:.80}")
    found: Config = {"optimizer": _optimizer(optimizer), "loss": loss, "loss_weights": None}
    for name, weighted in ("metrics", False), ("weighted_metrics", True):
        entries = [_metric(metric) for metric in model._metrics if metric.weighted is weighted]
        found[name] = entries or None
    return found | {"run_eagerly": False, "steps_per_execution": model.steps_per_execution, "jit_compile": "auto"}


def _optimizer(optimizer: Optimizer) -> Config:
    what = f"the optimizer {optimizer.name!r:.80}"
    _check_name("optimizer", optimizer.name)
    _check(what, optimizer)
    return _entry(configuration.optimizer_config(optimizer), "keras.optimizers", what)


def _metric(metric: Any) -> Any:
    what = f"the metric {metric.name!r:.80}"
    kind = type(metric)
    if kind is metrics.CLASSES["AccuracyByShape"]:
        return metric.name if metric.name in ("acc", "accuracy") else "accuracy"
    if kind is LossMetric:  # Keras takes the loss itself
        found = _object(metric.loss, "keras.losses", what)
        found["config"]["name"] = metric.name
        return found
    if kind.__name__ in ("FunctionMetric", "MeanMetricWrapper"):
        _refuse(what, "it is made of a function, and Keras keeps no code")
    return _object(metric, "keras.metrics", what)
