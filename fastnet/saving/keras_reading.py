"""Reads Keras's description of a model, and turns it into fastnet's.

Classes are looked up by name among fastnet's and in `custom_objects`; nothing is imported by name and no code is run.
What fastnet cannot compute as Keras does is refused by its name: an unknown layer, an argument that fastnet's class
does not have, another number type, a model that is not a chain of layers.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Mapping
from typing import Any, NamedTuple

from fastnet import constraints, initializers, layers, losses, metrics, optimizers, regularizers
from fastnet.layers import Layer
from fastnet.layers.base import LAYER_ARGUMENTS
from fastnet.layers.category_encoding import CategoricalLayer
from fastnet.layers.lookup import Lookup
from fastnet.recorded import MODELS
from fastnet.registered import Objects, key_of
from fastnet.saving.configuration import Config, classes_of
from fastnet.saving.keras_archive import Archive
from fastnet.saving.keras_weights import Arrays, numbered
from fastnet.saving.keras_writing import AS_LAYERS, NOT_ALIKE

# Arguments that fastnet's classes do not have, and the values that mean nothing. None means nothing anywhere.
_WITHOUT_EFFECT: dict[str, tuple[Any, ...]] = {
    "autocast": (True, False),
    "data_format": ("channels_last",),
    "encoding": ("utf-8",),
    "oov_method": ("floormod",),
    "ragged": (False,),
    "rms_scaling": (False,),
    "sparse": (False,),
}
_DERIVED = ("vocabulary_size", "shared_object_id")  # values that follow from others
_INNER: dict[str, Any] = {  # classes of objects that may be arguments
    **constraints.CLASSES,
    **initializers.CLASSES,
    **regularizers.CLASSES,
    **optimizers.schedules.CLASSES,
}
_ACTIVATIONS = {theirs: ours for ours, theirs in AS_LAYERS.items()}


class Read(NamedTuple):
    """fastnet's description of a model; and for each layer, in order, the group of its arrays and its class."""

    config: Config
    groups: list[tuple[str, type[Layer]]]


def architecture(archive: Archive, arrays: Arrays, objects: Objects) -> Read:
    """Returns the description of an archive's model.

    Raises:
        ValueError, TypeError, KeyError: if it has something that fastnet has not, or the wrong form.
    """
    reader = _Reader(archive, arrays, objects)
    config = reader.model(archive.config, "", frozen=False)
    return Read(config, reader.groups)


class _Reader:
    def __init__(self, archive: Archive, arrays: Arrays, objects: Objects) -> None:
        self.archive, self.arrays, self.objects = archive, arrays, objects
        self.table = classes_of(layers, Layer)
        self.groups: list[tuple[str, type[Layer]]] = []

    # Models -----------------------------------------------------------------------------------------------------------

    def model(self, entry: Any, prefix: str, frozen: bool) -> Config:
        """Describes a model; `frozen` says that a model around it is not trained."""
        _, config = _parts(entry, "the model")
        kind = _name_of(entry)
        if kind not in MODELS:
            raise ValueError(f"the model is of class {kind!r:.80}; fastnet reads Sequential and functional models")
        if not isinstance(config.get("layers"), list):
            raise TypeError("the model's config has no list of layers")
        _dtype(config, f"the model {config.get('name')!r:.80}")
        frozen = frozen or config.get("trainable") is False
        entries = config["layers"]
        names = numbered(_parts(each, "a layer")[0] for each in entries)
        found = [self.layer(each, f"{prefix}layers/{name}", frozen) for each, name in zip(entries, names, strict=True)]
        shape = config.get("build_input_shape")
        if kind == "Sequential":
            if found and found[0]["class_name"] == "InputLayer":
                shape = found.pop(0)["config"]["batch_shape"]
        else:
            order = _chain(config)
            if order != sorted(order):
                raise ValueError("the layers of the model are not in the order of the computation")
            shape = None
        _check_shape(shape)
        described = {"name": config.get("name", "sequential"), "layers": found, "build_input_shape": shape}
        return {"class_name": kind, "config": described}

    def layer(self, entry: Any, group: str, frozen: bool) -> Config:
        """Describes a layer, or a model inside another, and notes the group of its arrays."""
        kind, config = _parts(entry, "a layer")
        name = _name_of(entry)
        own = key_of(name, self.objects) or key_of(kind, self.objects)
        if own is None and name in MODELS:
            return self.model(entry, f"{group}/", frozen)
        what = f"layer {config.get('name')!r:.80}"
        made = self.objects[own] if own is not None else self.table.get(name)
        if made is None:
            names = ", ".join(sorted(self.table, key=str.lower))
            has = "a class of your own" if name != kind else f"which fastnet has not. It has {names}"
            raise ValueError(
                f"{what} is of class {name!r:.80}, {has}. You can give a class of fastnet in its place: "
                f"custom_objects={{{kind!r:.80}: ...}}"
            )
        if not isinstance(made, type) or not issubclass(made, Layer):
            raise TypeError(
                f"{what} is of class {kind!r:.80}, for which custom_objects has {made!r:.80}, no layer's class"
            )
        if kind == "Lambda" and own is None:
            raise ValueError(
                f"{what} is of class 'Lambda', whose code is not run; put a layer of your own in its place"
            )
        if kind == "InputLayer":
            _check_shape(config.get("batch_shape"))
        else:
            self.groups.append((group, made))
        dtype = _dtype(config, what, is_any=kind == "InputLayer" or issubclass(made, CategoricalLayer))
        config = config | {"dtype": dtype}
        if kind != "InputLayer":
            del config["dtype"]
            if frozen:
                config["trainable"] = False
        if issubclass(made, Lookup):
            self._add_vocabulary(config, group, what)
        return {"class_name": kind if own is None else own, "config": _arguments(what, made, config, own is not None)}

    def _add_vocabulary(self, config: Config, group: str, what: str) -> None:
        """Takes the vocabulary of a layer that was adapted, and its weights, from where Keras has them."""
        if config.get("vocabulary") is not None:
            return
        lines = self.archive.vocabularies.get(group)
        if lines is None:
            return
        while lines and not lines[-1]:
            lines.pop()
        config["vocabulary"] = [int(line) for line in lines] if config.get("vocabulary_dtype") == "int64" else lines
        name = f"{group}/vars/idf_weights"
        if name in self.arrays.shapes:
            weights = self.arrays[name].reshape(-1)
            if len(weights) < len(lines):
                raise ValueError(f"{what} has {len(lines)} tokens, but {len(weights)} weights")
            config["idf_weights"] = weights[: len(lines)].tolist()


def _parts(entry: Any, what: str) -> tuple[str, Config]:
    """Returns the class's name and the arguments of a description."""
    if not isinstance(entry, dict):
        raise TypeError(f"{what}: expected a dict with 'class_name' and 'config', got {entry!r:.80}")
    kind, config = entry.get("class_name"), entry.get("config")
    if not isinstance(kind, str) or not isinstance(config, dict):
        raise TypeError(f"{what}: expected a dict with 'class_name' and 'config', got {entry!r:.80}")
    return kind, config


def _name_of(entry: Config) -> str:
    """Returns the name of a class. One of the user's own has its package before it, so that it is none of fastnet's."""
    kind, module, registered = entry["class_name"], entry.get("module"), entry.get("registered_name")
    if (module is None and registered is None) or str(module).partition(".")[0] == "keras":
        return str(kind)
    return registered if isinstance(registered, str) and ">" in registered else f"Custom>{kind}"


def _check_shape(shape: Any) -> None:
    """Refuses the shape of a batch with an axis of any length, except for the first."""
    if isinstance(shape, list) and None in shape[1:]:
        raise ValueError(
            f"the model's input has the shape {shape!s:.80}; in fastnet only the first axis has any length"
        )


def _dtype(config: Config, what: str, is_any: bool = False) -> Any:
    """Returns the name of a number type or a policy; refuses one other than float32.

    With `is_any`, it refuses half precision alone, to which Keras rounds even an input.
    """
    given = config.get("dtype")
    if isinstance(given, dict):
        inner = given.get("config")
        name = inner.get("name") if isinstance(inner, dict) else None
        given = name if given.get("class_name") == "DTypePolicy" else f"{given.get('class_name')} {name}"
    if given not in (None, "float32") and not (is_any and "float16" not in str(given)):
        raise ValueError(f"{what} has the type or policy {given!r:.80}; fastnet computes in float32 alone")
    return given


# A functional model as a chain ----------------------------------------------------------------------------------------


def _chain(config: Config) -> list[int]:
    """Returns the numbers of a functional model's layers in the order of the computation.

    Raises:
        ValueError: if the model is no chain, from one input to one output.
    """
    entries = config["layers"]
    names = [each.get("name", each["config"].get("name")) for each in entries]
    if not all(isinstance(name, str) for name in names) or len(set(names)) < len(names):
        raise ValueError(f"the layers' names are {names!r:.200}; expected different ones")
    places = {name: i for i, name in enumerate(names)}
    first = _history("input_layers", config.get("input_layers"))
    last = _history("output_layers", config.get("output_layers"))
    order = [places[last]]
    while (nodes := entries[order[-1]].get("inbound_nodes")) not in (None, []):
        order.append(places[_before(names[order[-1]], nodes)])
        if len(order) > len(names):
            raise ValueError("the layers call each other in a circle")
    order.reverse()
    if names[order[0]] != first or entries[order[0]]["class_name"] != "InputLayer":
        raise ValueError(f"the output does not depend on the input {first!r:.80} alone")
    beside = sorted(set(names) - {names[i] for i in order})
    if beside:
        raise ValueError(f"layer {beside[0]!r:.80} is a branch; fastnet's models are one chain of layers")
    return order


def _history(what: str, value: Any) -> str:
    """Returns the name of the layer that a model's only input or output belongs to."""
    value = _only(value)
    if isinstance(value, list) and len(value) == 3 and isinstance(value[0], str) and value[2] == 0:
        return value[0]
    raise ValueError(f"{what} is {value!r:.200}; fastnet's models have one input and one output")


def _before(name: str, nodes: Any) -> str:
    """Returns the name of the layer whose output a layer is called on."""
    what = f"layer {name!r:.80}"
    if not isinstance(nodes, list) or len(nodes) != 1:
        raise ValueError(f"{what} is called {len(nodes)} times; in fastnet's models each layer is called once")
    arguments, options = nodes[0]["args"], nodes[0]["kwargs"]
    tensor = arguments[0] if len(arguments) == 1 else None
    if not isinstance(tensor, dict) or tensor.get("class_name") != "__keras_tensor__":
        raise ValueError(f"{what} is called on {str(arguments)!r:.200}; in fastnet's models it is called on one tensor")
    for option, value in options.items():
        if value is not None and (option, value) != ("training", False):
            raise ValueError(f"{what} is called with {option!r:.80}={value!r:.80}, which fastnet's models do not keep")
    return _history(f"the input of {what}", tensor["config"]["keras_history"])


# Arguments ------------------------------------------------------------------------------------------------------------


def _arguments(what: str, kind: type | None, config: Config, is_own: bool = False) -> Config:
    """Returns the arguments of an object as its class takes them; all of them if there is none.

    Those that the class does not take are left out if they mean nothing. Else the constructor of a class of the user's
    own gets them, and another class raises an error.
    """
    known = None if kind is None else _accepted(kind)
    found = {}
    for name, value in config.items():
        if known is not None and name not in known:
            if value is None or name in _DERIVED or value in _WITHOUT_EFFECT.get(name, ()):
                continue
            if not is_own:
                assert kind is not None
                raise ValueError(f"{what} has {name!r:.80}={value!r:.80}, which fastnet's {kind.__name__} has not")
        found[name] = _value(what, name, value)
    return found


@functools.cache
def _accepted(kind: type) -> frozenset[str]:
    """Returns the names of the arguments of a class's constructor, also of those that it passes on."""
    names = set(LAYER_ARGUMENTS) - {"dtype"} if issubclass(kind, Layer) and kind is not layers.InputLayer else set()
    for owner in kind.__mro__:
        if "__init__" in vars(owner) and owner is not object:
            parameters = list(inspect.signature(owner.__init__).parameters.values())[1:]  # type: ignore[misc]
            names |= {p.name for p in parameters if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)}
            if not any(p.kind is p.VAR_KEYWORD for p in parameters):
                break
    return frozenset(names)


def _value(what: str, name: str, value: Any) -> Any:
    """Returns an argument as fastnet takes it."""
    if isinstance(value, list):
        return [_value(what, name, each) for each in value]
    if name == "activation" and isinstance(value, str) and value in NOT_ALIKE:
        raise ValueError(f"{what} has the activation {value!r}, which {NOT_ALIKE[value]}")
    if not isinstance(value, dict):
        return value
    kind, config = value.get("class_name"), value.get("config")
    if kind == "__lambda__" or (kind is None and name == "activation"):
        raise ValueError(
            f"{what} has a lambda as its {name:.80}, whose code is not run; put a named function in its place"
        )
    if kind is None:
        return {key: _value(what, key, each) for key, each in value.items()}
    if kind in ("__numpy__", "__tensor__"):
        return config["value"] if isinstance(config, dict) else None
    if kind == "function" and isinstance(config, str):
        return _value(what, name, config)
    if not isinstance(kind, str) or kind.startswith("__") or not isinstance(config, dict):
        raise ValueError(f"{what} has {name!r:.80}={value!r:.80}, which fastnet does not read")
    if name == "activation":
        return _activation(what, _name_of(value), config)
    return _described(f"{name} of {what}", _INNER, _name_of(value), config)


def _described(what: str, table: Mapping[str, Any], kind: str, config: Config) -> Config:
    """Returns a description as fastnet's class takes it. An unknown class is named when it is looked up."""
    config = {name: value for name, value in config.items() if name != "dtype"}
    return {"class_name": kind, "config": _arguments(what, table.get(kind), config)}


def _activation(what: str, kind: str, config: Config) -> Any:
    """Returns the activation that Keras has as a layer."""
    config = {name: value for name, value in config.items() if name not in ("name", "trainable", "dtype")}
    if kind == "Softmax" and config.get("axis", -1) == -1:
        return "softmax"
    return {"class_name": _ACTIVATIONS.get(kind, kind), "config": {k: v for k, v in config.items() if v is not None}}


# The compile arguments ------------------------------------------------------------------------------------------------

_COMPILE = {"optimizer", "loss", "metrics", "weighted_metrics", "loss_weights", "steps_per_execution"}
_NO_EFFECT = {"run_eagerly", "jit_compile", "auto_scale_loss"}


def compiled(config: Any, objects: Objects) -> Config | None:
    """Returns fastnet's description of compile arguments; None if the model was not compiled.

    Raises:
        ValueError, TypeError, KeyError: if they have something that fastnet has not, or the wrong form.
    """
    if not config:
        return None
    if not isinstance(config, dict):
        raise TypeError(f"the compile arguments are {config!r:.80}; expected a dict")
    for name in sorted(set(config) - _COMPILE - _NO_EFFECT):
        if config[name] is not None:
            raise ValueError(f"compile has {name!r:.80}={config[name]!r:.80}, which fastnet has not")
    weights = config.get("loss_weights")
    if _only(weights) not in (None, 1, 1.0):
        raise ValueError(f"compile has loss_weights={weights!r:.80}, which fastnet has not")
    found: Config = {
        "optimizer": _compiled_object("the optimizer", config["optimizer"], optimizers.CLASSES, objects),
        "loss": _compiled_object("the loss", _only(config.get("loss")), losses.classes(), objects),
    }
    for name in ("metrics", "weighted_metrics"):
        entries = _entries(config.get(name))
        if entries or name == "metrics":
            found[name] = [_metric(entry, objects) for entry in entries]
    steps = config.get("steps_per_execution")
    return found if steps in (None, 1) else found | {"steps_per_execution": steps}


def _only(value: Any) -> Any:
    """Returns the only entry of a list, or of a dict by the output's name; another value unchanged."""
    while isinstance(value, list | dict) and len(value) == 1:
        value = value[0] if isinstance(value, list) else next(iter(value.values()))
    return value


def _entries(value: Any) -> list[Any]:
    if isinstance(value, dict) and "class_name" not in value:
        value = _only(value)
    if isinstance(value, list) and len(value) == 1 and isinstance(value[0], list):
        value = value[0]
    return value if isinstance(value, list) else [] if value is None else [value]


def _compiled_object(what: str, value: Any, table: Mapping[str, Any], objects: Objects) -> Any:
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, dict) and value.get("class_name") == "function":
        name = value.get("registered_name")
        own = key_of(name, objects) if isinstance(name, str) else None
        return own or value["config"]
    kind, config = _parts(value, what)
    if kind == "__lambda__":
        raise ValueError(f"{what} is a lambda, whose code is not run; put a named function in its place")
    name = _name_of(value)
    own = key_of(name, objects) or key_of(kind, objects)
    return _described(what, table, name, config) if own is None else _described(what, {}, own, config)


def _metric(value: Any, objects: Objects) -> Any:
    is_loss = isinstance(value, dict) and value.get("module") == "keras.losses" and value["class_name"] in losses.NAMES
    found = _compiled_object("a metric", value, losses.classes() if is_loss else metrics.CLASSES, objects)
    return (
        {"class_name": "LossMetric", "config": {"loss": found, "name": found["config"].get("name")}}
        if is_loss
        else found
    )
