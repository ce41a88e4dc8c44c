"""Recorded: lets a user's own classes be saved without a `get_config`, as in Keras.

class Scale(Layer):
    def __init__(self, by, **kwargs):
        super().__init__(**kwargs)
        self.by = by

Scale(2.0).get_config()  # {'by': 2.0, 'name': ''}: the constructor's arguments
"""

from __future__ import annotations

import functools
import inspect
import math
import re
from collections import Counter
from typing import Any, Self

import numpy as np

MODELS: dict[str, Any] = {}  # model classes by name, entered at import: saving cannot import models, which import it
_DEEPEST = 32  # levels of nested lists and dicts


version = 0  # grows when an attribute of any of these objects is set


def touch() -> None:
    """Makes every model record its training step anew, since the recorded one holds the old values."""
    global version
    version += 1


names: Counter[str] = Counter()  # how many objects have got a name like this


def snake_case(name: str) -> str:
    """Converts a class name as Keras does: BatchNormalization becomes batch_normalization."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])|(?<=.)(?=[A-Z][a-z])", "_", name).lower()


def numbered(kind: str) -> str:
    """Returns a name for a new object of a class, as Keras does: adam for the first Adam, then adam_1, adam_2."""
    stem = snake_case(kind)
    names[stem] += 1
    return stem if names[stem] == 1 else f"{stem}_{names[stem] - 1}"


def is_patched(thing: Any) -> bool:
    """Returns whether one of an object's methods was replaced, on this object alone."""
    kind = type(thing)
    return any(callable(value) and callable(getattr(kind, name, None)) for name, value in vars(thing).items())


class Recorded:
    """Base class of objects that are saved with a model: layers, losses, metrics, optimizers, initializers and others.

    A class outside fastnet that defines a constructor but no `get_config` gets one. It returns the constructor's
    arguments, if they are numbers, strings, True, False, None, or lists and dicts of them.
    """

    _free: frozenset[str] = frozenset()  # attributes whose change a recorded step sees: see `touch`
    _kept: tuple[str, ...] = ()  # arguments that may change later; attributes of the same names have the current values

    def __setattr__(self, name: str, value: Any) -> None:
        super().__setattr__(name, value)
        if name[0] != "_" and name not in self._free:
            touch()

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if is_ours(cls) or "get_config" in vars(cls):
            return
        if "__init__" in vars(cls):
            cls.__init__ = _recording(cls.__init__)  # type: ignore[method-assign]
        cls.get_config = _automatic(cls)  # type: ignore[attr-defined]

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        """Makes a new object from the result of `get_config`."""
        if is_ours(cls):
            return cls(**config)
        made = cls(**{name: value for name, value in config.items() if name not in cls._kept or _accepts(cls, name)})
        for name in cls._kept:  # the user's constructor may not accept these, or not pass them on
            if name in config and getattr(made, name, None) != config[name]:
                expected = bool if name == "trainable" else str
                if not isinstance(config[name], expected):
                    raise TypeError(f"{name} must be a {expected.__name__}, got {config[name]!r:.80}")
                setattr(made, name, config[name])
        return made

    def check_config(self, config: dict[str, Any]) -> None:
        """Checks that the constructor accepts what the user's `get_config` returned.

        Raises:
            TypeError: if an argument is missing or unknown.
        """
        if is_ours(type(self)) or type(self).from_config.__func__ is not Recorded.from_config.__func__:  # type: ignore[attr-defined]
            return
        signature = inspect.signature(type(self))
        given = [name for name in config if name not in self._kept or _accepts(type(self), name)]
        try:
            signature.bind(**dict.fromkeys(given))
        except TypeError as error:
            raise TypeError(
                f"get_config() returned {sorted(config)}, but the constructor of {type(self).__name__} has other "
                f"arguments: {error}"
            ) from None

    def _shown(self) -> dict[str, Any]:
        """Returns the arguments for a repr, which must not fail: none if they are unknown."""
        try:
            return dict(self.get_config())  # type: ignore[attr-defined]
        except Exception:  # the user's own get_config may raise anything
            return {}


def arguments(thing: Any) -> dict[str, Any]:
    """Returns the constructor's arguments that are attributes of the object and differ from their defaults.

    The name is left out.
    """
    import inspect

    found = {}
    for parameter in inspect.signature(type(thing)).parameters.values():
        if parameter.name != "name" and hasattr(thing, parameter.name):
            value = getattr(thing, parameter.name)
            if not _same(value, parameter.default):
                found[parameter.name] = value
    return found


def _same(value: Any, default: Any) -> bool:
    try:
        return bool(value == default)
    except ValueError:  # arrays
        return False


class _Opaque:
    """Marks an argument that cannot be recorded."""

    def __init__(self, value: Any, by_position: bool = False) -> None:
        self.kind = type(value).__name__
        self.by_position = by_position


def is_ours(thing: Any) -> bool:
    """Returns whether a class, function or method is fastnet's own, not a user's."""
    return str(thing.__module__).partition(".")[0] == "fastnet"


def _accepts(cls: type, argument: str) -> bool:
    """Returns whether a constructor accepts an argument, or passes it on in `**kwargs` to one that does."""
    for kind in cls.__mro__:
        if "__init__" in vars(kind):
            parameters = inspect.signature(vars(kind)["__init__"]).parameters
            if argument in parameters:
                return True
            if not any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters.values()):
                return False
    return False


def _recording(init: Any) -> Any:
    """Returns a constructor that records its arguments, then calls `init`."""

    @functools.wraps(init)
    def __init__(self: Any, *args: Any, **kwargs: Any) -> None:  # noqa: N807
        if type(self).__init__ is __init__:  # not when a subclass's constructor calls this one
            object.__setattr__(self, "_given", _bound(init, self, args, kwargs))
        init(self, *args, **kwargs)

    return __init__


def _bound(init: Any, thing: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any] | None:
    """Returns the arguments by name; None if they do not fit, for which the constructor raises an error."""
    signature = inspect.signature(init)
    try:
        bound = signature.bind(thing, *args, **kwargs)
    except TypeError:
        return None
    found: dict[str, Any] = {}
    for name, value in list(bound.arguments.items())[1:]:  # without self
        kind = signature.parameters[name].kind
        if kind is inspect.Parameter.VAR_KEYWORD:
            found |= {key: _simple(entry) for key, entry in value.items()}
        elif kind in (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.POSITIONAL_ONLY):
            found[name] = _Opaque(value, by_position=True)  # cannot be passed by name
        else:
            found[name] = _simple(value)
    return found


def _simple(value: Any, depth: int = 0) -> Any:
    """Returns a copy in types that JSON has, or an _Opaque."""
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, np.dtype) or (isinstance(value, type) and issubclass(value, np.generic)):
        return np.dtype(value).name
    if value is None or isinstance(value, str | int) or (isinstance(value, float) and math.isfinite(value)):
        return value
    if isinstance(value, list | tuple | dict) and depth < _DEEPEST:
        if isinstance(value, dict) and not all(isinstance(key, str) for key in value):
            return _Opaque(value)
        entries = [_simple(entry, depth + 1) for entry in (value.values() if isinstance(value, dict) else value)]
        if any(isinstance(entry, _Opaque) for entry in entries):
            return _Opaque(value)
        if isinstance(value, dict):
            return dict(zip(value, entries, strict=True))
        return tuple(entries) if isinstance(value, tuple) else entries
    return _Opaque(value)


def _automatic(cls: Any) -> Any:
    """Returns a `get_config` for a class that does not define one."""

    def get_config(self: Any) -> dict[str, Any]:
        """Returns the constructor's arguments, as they were given."""
        for kind in type(self).__mro__:
            own = vars(kind).get("get_config")
            if own is not None and not hasattr(own, "_is_automatic"):
                break  # a subclass wrote one for this constructor; it may call this one through super()
            if "__init__" in vars(kind) and not is_ours(kind):  # fastnet's constructors have a get_config somewhere
                return _recorded(self)
        config: dict[str, Any] = super(cls, self).get_config()
        return config

    get_config._is_automatic = True  # type: ignore[attr-defined]
    return get_config


def _recorded(thing: Any) -> dict[str, Any]:
    given = vars(thing).get("_given")
    if given is None:  # the constructor was added later, as dataclasses do: its arguments are usually attributes
        given = _attributes(thing)
    config = {}
    for name, value in given.items():
        if isinstance(value, _Opaque) and value.by_position and _inherited(thing):
            return _inherited(thing)  # for example a subclass of Dense that passes all its arguments on
        if isinstance(value, _Opaque):
            value = _inherited(thing).get(name, value)
        if isinstance(value, _Opaque):
            kind = type(thing).__name__
            raise TypeError(
                f"argument {name!r} of {kind} is of type {value.kind}; only finite numbers, strings, True, False, "
                f"None, and lists and dicts of them are recorded. Write a method get_config(self) in class {kind} that "
                "returns the constructor's arguments in such types, and if need be from_config(cls, config), which "
                "makes the object of them"
            )
        config[name] = value
    for name in thing._kept:
        value = getattr(thing, name, None)
        if name in config or (value is not True and value != getattr(type(thing), name, None)):
            config[name] = value
    return config


def _attributes(thing: Any) -> dict[str, Any]:
    missing = _Opaque(None)
    missing.kind = "value that was not recorded"
    parameters = inspect.signature(type(thing)).parameters.values()
    named = [p.name for p in parameters if p.kind not in (p.VAR_KEYWORD, p.VAR_POSITIONAL)]
    return {name: _simple(vars(thing)[name]) if name in vars(thing) else missing for name in named}


def _inherited(thing: Any) -> dict[str, Any]:
    """Returns what a base class's `get_config` says, such as a Dense's initializer; empty for a plain Layer."""
    for kind in type(thing).__mro__:
        own = vars(kind).get("get_config")
        if Recorded in kind.__bases__:
            break
        if own is not None and not hasattr(own, "_is_automatic"):
            try:
                return dict(own(thing))
            except Exception:  # it may need a constructor that was not called
                return {}
    return {}
