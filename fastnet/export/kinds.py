"""Tells which of fastnet's layers or activations an object computes."""

from __future__ import annotations

from typing import Any

from fastnet.recorded import is_ours, is_patched

# What a user's subclass may define without a change of what is computed. Fastnet sets the last two itself.
_HARMLESS = {"get_config", "from_config", "name", "_is_taped", "_takes_training"}


def kind_of(thing: Any) -> str | None:
    """Returns the name of the class of fastnet that computes an object; None if a user's own code does.

    A user's subclass counts as its base if it adds only a constructor or methods of its own:
    ``class Hidden(Dense)``, whose constructor calls ``super().__init__(64, "relu")``, is a Dense.
    """
    classes = type(thing).__mro__
    ours = next(i for i, kind in enumerate(classes) if is_ours(kind))
    for kind in classes[:ours]:
        for name in vars(kind):
            is_special = name.startswith("__") and name != "__call__"
            if not is_special and name not in _HARMLESS and hasattr(classes[ours], name):
                return None
    return None if is_patched(thing) else classes[ours].__name__
