"""Optimizers: how to change the weights, given the gradients."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from fastnet import checks
from fastnet.optimizers import schedules
from fastnet.optimizers.adagrad import Adagrad
from fastnet.optimizers.adam import Adam
from fastnet.optimizers.adamw import AdamW
from fastnet.optimizers.base import Optimizer, Sink, multiply
from fastnet.optimizers.nadam import Nadam
from fastnet.optimizers.rmsprop import RMSprop
from fastnet.optimizers.sgd import SGD
from fastnet.registered import resolve

if TYPE_CHECKING:
    from fastnet.optimizers.adadelta import Adadelta
    from fastnet.optimizers.adafactor import Adafactor
    from fastnet.optimizers.adamax import Adamax
    from fastnet.optimizers.ftrl import Ftrl
    from fastnet.optimizers.lamb import Lamb
    from fastnet.optimizers.lion import Lion
    from fastnet.optimizers.muon import Muon
    from fastnet.optimizers.schedule_free_adamw import ScheduleFreeAdamW

__all__ = [
    "SGD", "Adadelta", "Adafactor", "Adagrad", "Adam", "AdamW", "Adamax", "Ftrl", "Lamb", "Lion", "Muon", "Nadam",
    "Optimizer", "RMSprop", "ScheduleFreeAdamW", "Sink", "deserialize", "get", "multiply", "schedules", "serialize",
]  # fmt: skip

_LATER = {  # the files of the classes that are imported when first used, so that `import fastnet` stays fast
    "Adadelta": "adadelta",
    "Adafactor": "adafactor",
    "Adamax": "adamax",
    "Ftrl": "ftrl",
    "Lamb": "lamb",
    "Lion": "lion",
    "Muon": "muon",
    "ScheduleFreeAdamW": "schedule_free_adamw",
}


def __getattr__(name: str) -> Any:
    if name in _LATER:
        kind = globals()[name] = getattr(importlib.import_module(f"fastnet.optimizers.{_LATER[name]}"), name)
        return kind
    raise checks.no_such(sys.modules[__name__], "fastnet has no optimizer", name, sys._getframe(1))


def __dir__() -> list[str]:
    """Returns all names, also those that were not used yet."""
    return sorted({*globals(), *__all__})


class _Classes(Mapping[str, type[Optimizer]]):
    """All optimizers by name. A class is imported when it is looked up."""

    _names = (*(c.__name__ for c in (SGD, RMSprop, Adam, AdamW, Adagrad, Nadam)), *_LATER)

    def __getitem__(self, name: str) -> type[Optimizer]:
        if name not in self._names:
            raise KeyError(name)
        kind: type[Optimizer] = getattr(sys.modules[__name__], name)
        return kind

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)


CLASSES = _Classes()
_BY_NAME: dict[str, str] = {name.lower(): name for name in CLASSES}


def get(identifier: Any) -> Optimizer | None:
    """Returns the optimizer that the argument of `compile` stands for.

    Args:
        identifier: a name, in small or capital letters, for a new optimizer with the default arguments; a description
            of class and arguments; or an `Optimizer`. None gives None.

    Raises:
        ValueError: if there is no optimizer of that name.
        TypeError: if `identifier` is of another type.
    """
    identifier = resolve(identifier)
    if identifier is None or isinstance(identifier, Optimizer):
        return identifier
    return deserialize(identifier if isinstance(identifier, dict) else {"class_name": identifier, "config": {}})


def serialize(optimizer: Optimizer) -> dict[str, Any]:
    """Returns the class name and the arguments of an optimizer."""
    return checks.describe(optimizer)


def deserialize(config: Any, custom_objects: Mapping[str, Any] | None = None) -> Optimizer:
    """Makes a new optimizer from a description.

    Args:
        config: a result of `serialize`.
        custom_objects: your own classes by name.

    Raises:
        ValueError: if there is no optimizer of that name.
        TypeError: if `config` is no description.
    """
    if not isinstance(config, dict) or set(config) != {"class_name", "config"}:
        raise TypeError(f"config must be a dict with 'class_name' and 'config', got {config!r:.80}")
    found = checks.choose("optimizer", config["class_name"], {**_BY_NAME, **(custom_objects or {})}, any_case=True)
    kind: type[Optimizer] = CLASSES[found] if isinstance(found, str) else found
    return kind.from_config(config["config"])
