"""Registered: a user's own classes and functions by name, so that a description of them can be read again.

    @register_keras_serializable("mine")
    class Scale(Layer): ...

    get_registered_name(Scale)           # 'mine>Scale'
    get_registered_object("mine>Scale")  # Scale

`load_model` and `from_config` then find Scale without `custom_objects`. `CustomObjectScope` does the same for a block.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import Any, Self, TypeVar

Objects = Mapping[str, Any]
T = TypeVar("T")

_OBJECTS: dict[str, Any] = {}  # by their registered names
_NAMES: dict[Any, str] = {}
_KEYS = frozenset({"class_name", "config", "module", "registered_name", "build_config", "compile_config"})


class _Scope(threading.local):
    """The objects of the scopes that this thread is in; other threads do not see them."""

    def __init__(self) -> None:
        self.objects: Objects = {}


_scope = _Scope()


def register_keras_serializable(package: str = "Custom", name: str | None = None) -> Callable[[T], T]:
    """Registers a class or a function of your own under the name ``package>name``, as a decorator.

    Args:
        package: the first part of the name, such as that of your project.
        name: the second part; by default the name of the class or function.

    Returns:
        A decorator, which returns the class or function unchanged.

    Raises:
        ValueError: if the decorated class has no method `get_config`.
    """

    def register(thing: T) -> T:
        if isinstance(thing, type) and not hasattr(thing, "get_config"):
            raise ValueError(f"Cannot register a class that does not have a get_config() method: {thing.__name__}")
        full = f"{package}>{name or getattr(thing, '__name__', '')}"
        _OBJECTS[full] = thing
        _NAMES[thing] = full
        return thing

    return register


def get_registered_name(obj: Any) -> str:
    """Returns the name under which a class or function is registered; its own name if it is not."""
    name: str = _NAMES.get(obj) or obj.__name__
    return name


def get_registered_object(
    name: str, custom_objects: Objects | None = None, module_objects: Objects | None = None
) -> Any:
    """Returns the class or function of a name, or None.

    Args:
        name: such as ``"mine>Scale"``.
        custom_objects: more objects by name, looked up after those of the scopes and the registered ones.
        module_objects: more objects by name, looked up last.
    """
    for objects in (_scope.objects, _OBJECTS, custom_objects or {}, module_objects or {}):
        if name in objects:
            return objects[name]
    return None


def get_custom_objects() -> dict[str, Any]:
    """Returns the dict of the registered objects by name. Changing it changes what is registered."""
    return _OBJECTS


class CustomObjectScope:
    """Makes classes and functions known by name within a ``with`` block, in this thread.

    Args:
        custom_objects: the classes and functions by name.

    Example:
        >>> with CustomObjectScope({"twice": lambda x: 2 * x}):
        ...     get_registered_object("twice")(4)
        8
    """

    def __init__(self, custom_objects: Objects | None) -> None:
        self.custom_objects = dict(custom_objects or {})
        self._before: list[Objects] = []

    def __enter__(self) -> Self:
        self._before.append(_scope.objects)
        _scope.objects = {**_scope.objects, **self.custom_objects}
        return self

    def __exit__(self, *error: object) -> None:
        _scope.objects = self._before.pop()


custom_object_scope = CustomObjectScope


def is_registered(thing: Any) -> bool:
    """Returns whether a class or function is registered."""
    return thing in _NAMES


def known(custom_objects: Objects | None = None) -> dict[str, Any]:
    """Returns all the user's own objects by name; of one name, that of a scope counts, then the registered one."""
    return {**(custom_objects or {}), **_OBJECTS, **_scope.objects}


def key_of(name: str, objects: Objects) -> str | None:
    """Returns the key under which a dict has the object of a name, or None.

    An object that is not registered is found as ``"Scale"`` too, when a description calls it ``"mine>Scale"``.
    """
    if name in objects:
        return name
    short = name.rpartition(">")[2]
    return short if short in objects and not is_registered(objects[short]) else None


def is_description(value: Any) -> bool:
    """Returns whether a value describes an object: a dict of its class and its arguments.

    Keras adds the class's module and registered name, and how a layer was built.
    """
    return (
        isinstance(value, dict)
        and {"class_name", "config"} <= set(value) <= _KEYS
        and isinstance(value["class_name"], str)
        and isinstance(value["config"], dict)
    )


def resolve(identifier: Any) -> Any:
    """Returns the user's own object that a name or a description stands for; any other value unchanged.

    A class stands for an object with its default arguments.
    """
    if not _OBJECTS and not _scope.objects:
        return identifier
    if isinstance(identifier, str):
        found = known().get(identifier)
        if found is None:
            return identifier
        return found() if isinstance(found, type) else found
    if is_description(identifier):
        objects = known()
        key = key_of(identifier.get("registered_name") or identifier["class_name"], objects)
        if key is not None and hasattr(objects[key], "from_config"):
            return objects[key].from_config(identifier["config"])
    return identifier
