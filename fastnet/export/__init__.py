"""Writes a trained model in the formats of other programs."""

from __future__ import annotations

import importlib
import os
from typing import Any

# The ending of a file's name, and the module whose function `write` writes such a file.
FORMATS: dict[str, str] = {}


def export(model: Any, filepath: Any, format: Any = None, **options: Any) -> None:
    """Writes a model to a file of another program's format; see `fastnet.Model.export`."""
    try:
        name = os.fspath(filepath)
    except TypeError:
        raise TypeError(f"filepath must be a file's name, got {filepath!r}") from None
    if not isinstance(name, str):
        raise TypeError(f"filepath must be a string or a pathlib.Path, got {filepath!r}")
    ending = os.path.splitext(name)[1]
    if ending not in FORMATS or "\0" in name:
        raise ValueError(f"filepath must end in {' or '.join(map(repr, FORMATS))}, got {name!r}")
    if format not in (None, ending[1:]):
        raise ValueError(f"format must be None or {ending[1:]!r} for the file {name!r}, got {format!r}")
    importlib.import_module(FORMATS[ending]).write(model, name, **options)
