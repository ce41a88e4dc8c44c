"""Describes a single object in Keras's form, and makes an object from a description.

    serialize_keras_object(L2(0.1))
    # {'module': 'keras.regularizers', 'class_name': 'L2', 'config': {'l2': 0.1}, 'registered_name': None}

The description has only types that JSON has. As in configuration.py, nothing is imported by name and nothing is
evaluated: a description can only choose among fastnet's classes, registered ones and `custom_objects`.
"""

from __future__ import annotations

import inspect
from types import ModuleType
from typing import Any

import numpy as np

from fastnet import activations, checks, constraints, initializers, layers, losses, metrics, optimizers, regularizers
from fastnet.activations import Activation
from fastnet.recorded import MODELS, is_ours
from fastnet.registered import CustomObjectScope, Objects, get_registered_name, key_of, known

_MODULES: dict[str, ModuleType] = {
    "layers": layers,
    "losses": losses,
    "metrics": metrics,
    "optimizers": optimizers,
    "optimizers.schedules": optimizers.schedules,
    "activations": activations,
    "initializers": initializers,
    "regularizers": regularizers,
    "constraints": constraints,
}


def serialize_keras_object(obj: Any) -> Any:
    """Describes an object in types that JSON has.

    Args:
        obj: a layer, loss, metric, optimizer or another object with `get_config`; a named function; a model; an array;
            a number, string, None, slice, ``...`` or bytes; or a list, tuple or dict of these.

    Returns:
        A dict with ``module``, ``class_name``, ``config`` and ``registered_name`` for an object, as in Keras. Numbers,
        strings and None stay as they are.

    Raises:
        TypeError: if the object's class has no `get_config`.
        ValueError: if it is a lambda, which has no name.
    """
    if obj is None or isinstance(obj, str | int | float):
        return obj.item() if isinstance(obj, np.generic) else obj
    if isinstance(obj, list):
        return [serialize_keras_object(entry) for entry in obj]
    if isinstance(obj, tuple):
        return tuple(serialize_keras_object(entry) for entry in obj)
    if isinstance(obj, dict):
        return {key: serialize_keras_object(value) for key, value in obj.items()}
    if isinstance(obj, bytes):
        return {"class_name": "__bytes__", "config": {"value": obj.decode("utf-8")}}
    if isinstance(obj, slice):
        parts = {name: serialize_keras_object(getattr(obj, name)) for name in ("start", "stop", "step")}
        return {"class_name": "__slice__", "config": parts}
    if obj is Ellipsis:
        return {"class_name": "__ellipsis__", "config": {}}
    if isinstance(obj, np.generic) or (isinstance(obj, np.ndarray) and obj.ndim == 0):
        return obj.item()
    if isinstance(obj, np.ndarray):
        return {"class_name": "__numpy__", "config": {"value": obj.tolist(), "dtype": obj.dtype.name}}
    if inspect.isfunction(obj) or isinstance(obj, Activation):
        name = _name_of(obj)
        if name is not None:
            return {"module": "builtins", "class_name": "function", "config": name, "registered_name": "function"}
    return _description_of(obj)


def _name_of(thing: Any) -> str | None:
    """Returns the name of a function, or of an activation without arguments; None for another activation."""
    if isinstance(thing, Activation):
        described = activations.serialize(thing)
        return described if isinstance(described, str) and is_ours(type(thing)) else None
    if thing.__name__ == "<lambda>":
        raise ValueError("a lambda has no name to find it by; define a function with def, and register it")
    return get_registered_name(thing)


def _description_of(thing: Any) -> dict[str, Any]:
    kind = type(thing)
    if not hasattr(thing, "get_config"):
        raise TypeError(f"{thing!r} cannot be described: its class {kind.__name__} has no get_config()")
    config = thing.get_config()
    if not isinstance(config, dict):
        raise TypeError(f"get_config() of {kind.__name__} must return a dict, got {config!r:.80}")
    ours = is_ours(kind)
    found = {
        "module": _module_of(kind) if ours else kind.__module__,
        "class_name": next((name for name, model in MODELS.items() if model is kind), kind.__name__),
        "config": serialize_keras_object(config),
        "registered_name": None if ours else get_registered_name(kind),
    }
    for name in ("build_config", "compile_config"):
        more: Any = getattr(thing, f"get_{name}", dict)()
        if more:
            found[name] = serialize_keras_object(more)
    return found


def _module_of(kind: type) -> str:
    """Returns the module in which Keras has a class of fastnet."""
    if kind in MODELS.values():
        return "keras"
    parts = kind.__module__.split(".")
    return ".".join(["keras", *(parts[1:3] if "schedules" in parts else parts[1:2])])


def deserialize_keras_object(
    config: Any, custom_objects: Objects | None = None, safe_mode: bool = True, *, module_objects: Objects | None = None
) -> Any:
    """Makes the object of a description.

    Args:
        config: the result of `serialize_keras_object`; or a dict with ``class_name`` and ``config`` alone.
        custom_objects: your own classes and functions by name, beside the registered ones.
        safe_mode: accepted for compatibility with Keras. Code in a description is never run.
        module_objects: more classes and functions by name, looked up last.

    Raises:
        ValueError: if a class or function is unknown, or the description has code.
        TypeError: if the description has the wrong form, or a class has no `from_config`.
    """
    objects = {**(module_objects or {}), **known(custom_objects)}
    if isinstance(config, str):
        return objects.get(config, config)
    if config is None or isinstance(config, int | float):
        return config
    if isinstance(config, list | tuple):
        return [deserialize_keras_object(entry, objects) for entry in config]
    if not isinstance(config, dict):
        raise TypeError(f"config must be a description as serialize_keras_object returns it, got {config!r:.80}")
    if not {"class_name", "config"} <= set(config):
        return {key: deserialize_keras_object(value, objects) for key, value in config.items()}
    kind, inner = config["class_name"], config["config"]
    if kind == "function":
        if not isinstance(inner, str):
            raise TypeError(f"Expected 'config' to be a non-null str for a function, got {inner!r:.80}")
        return _find(inner, config, objects, "function")
    if not isinstance(kind, str):
        raise TypeError(f"class_name must be a string, got {kind!r:.80}")
    inner = {} if inner is None else inner
    if not isinstance(inner, dict):
        expected = "list or a tuple" if kind == "__typespec__" else "dict"
        raise TypeError(f"Expected 'config' to be a {expected} for {kind}, got {inner!r:.80}")
    if kind.startswith("__"):
        return _plain(kind, inner, objects)
    cls = _find(kind, config, objects, "class")
    if not isinstance(cls, type):
        return cls
    if not hasattr(cls, "from_config"):
        raise TypeError(f"class {kind} has no from_config(), so no object can be made of its description")
    with CustomObjectScope(objects):
        made: Any = cls.from_config(inner)
        for name in ("build", "compile"):
            if config.get(f"{name}_config") and hasattr(made, f"{name}_from_config"):
                getattr(made, f"{name}_from_config")(config[f"{name}_config"])
    return made


def _plain(kind: str, config: dict[str, Any], objects: Objects) -> Any:
    """Makes a value of Python or NumPy that JSON does not have."""
    if kind == "__ellipsis__":
        return ...
    if kind == "__bytes__":
        return config["value"].encode("utf-8")
    if kind in ("__numpy__", "__tensor__"):
        return np.array(config["value"], config["dtype"])
    if kind == "__slice__":
        return slice(*(deserialize_keras_object(config[name], objects) for name in ("start", "stop", "step")))
    if kind == "__lambda__":
        raise ValueError("config has the code of a lambda; running it would allow arbitrary code execution")
    raise ValueError(f"fastnet has no values of the kind {kind}")


def _find(name: str, config: dict[str, Any], objects: Objects, what: str) -> Any:
    """Returns the class or function of a description."""
    registered = config.get("registered_name") or name
    for wanted in (registered, name):
        key = key_of(wanted, objects)
        if key is not None:
            return objects[key]
    ours = _ours(name, str(config.get("module") or "").partition(".")[2])
    if ours is not None and registered not in (name, what):
        raise ValueError(
            f"registered_name {registered!r} is unknown; {name} resolved to a Keras built-in, which has no registered "
            "name"
        )
    if ours is None and what == "function":  # Keras up to 3.6 writes a registered function's name without its package
        ours = next((thing for full, thing in objects.items() if full.endswith(f">{name}")), None)
    if ours is not None:
        return ours
    names = set(objects).union(*map(_names_of, _MODULES.values()))
    raise ValueError(
        f"unknown {what} {name!r}{checks.near_miss(name, names)}. A {what} of your own must be registered with "
        "register_keras_serializable, or given in custom_objects"
    )


def _ours(name: str, home: str) -> Any:
    """Returns fastnet's class or function of a name, in the given module, or in any if it is unknown; or None."""
    if name in MODELS and home in ("", "models"):
        return MODELS[name]
    for module in [_MODULES[home]] if home in _MODULES else _MODULES.values():
        if name in _names_of(module):
            return getattr(module, name, None) or module.CLASSES[name]
    return None


def _names_of(module: ModuleType) -> set[str]:
    return {*getattr(module, "__all__", ()), *getattr(module, "CLASSES", ())}
