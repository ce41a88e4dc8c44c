"""Writes a trained model in the formats of other programs: checks the arguments, and calls the format's writer."""

from __future__ import annotations

import importlib
import inspect
import os
from typing import Any

from fastnet import checks, kernels
from fastnet.saving.files import check_place, check_writable
from fastnet.saving.state import NotFiniteError

# The ending of a file's name, the format, and the module whose function `write(model, path, *, options)` writes it.
FORMATS: dict[str, tuple[str, str]] = {".onnx": ("onnx", "fastnet.export.onnx"), ".h": ("c", "fastnet.export.c")}


def export(
    model: Any,
    filepath: Any,
    format: Any = None,
    verbose: Any = None,
    input_signature: Any = None,
    overwrite: bool = True,
    **options: Any,
) -> None:
    """Writes a model to a file of another program's format; see `fastnet.Model.export`."""
    name, ending = _name_and_ending(filepath, format)
    if not (verbose is None or (isinstance(verbose, bool | int) and verbose in (0, 1))):
        raise TypeError(f"verbose must be None, True or False, got {verbose!r}")
    checks.flag("overwrite", overwrite)
    write = importlib.import_module(FORMATS[ending][1]).write
    known = [p.name for p in inspect.signature(write).parameters.values() if p.kind is p.KEYWORD_ONLY]
    for option in options:
        if option not in known:
            raise TypeError(
                f"export() got an unexpected keyword argument {option!r} for a {ending} file"
                f"{checks.suggestion(option, known, ('verbose', 'input_signature', 'overwrite'))}"
            )
    with model._lock:
        if not model.built or model._example_shape() is None:
            model._example_shape()  # raises an error if there are no layers
            raise ValueError("the model has no weights yet; put an Input in front, or call build() or fit() first")
        _check_signature(input_signature, model._example_shape())
        for variable in model.weights:
            if not kernels.all_finite(variable.packed.reshape(-1)):
                raise NotFiniteError(f"{variable.name} holds NaN or infinite weights, so the model is not exported")
        check_writable(check_place(name, overwrite))
        write(model, name, **options)
    if verbose:
        print(f"wrote {name}: {os.path.getsize(name):,} bytes")


def _name_and_ending(filepath: Any, format: Any) -> tuple[str, str]:
    """Checks the name of the file; returns it as a string, and its ending."""
    name = checks.file_name("filepath", filepath)
    ending = next((known for known in FORMATS if name.endswith(known)), None)
    if "\0" in name:
        raise ValueError(f"filepath must be a file's name, which has no null character, got {name!r}")
    if ending is None:
        raise ValueError(f"filepath must end in {' or '.join(map(repr, FORMATS))}, got {name!r}")
    expected = FORMATS[ending][0]
    if format not in (None, expected):
        raise ValueError(f"format must be None or {expected!r} for the file {name!r}, got {format!r}")
    return name, ending


def _check_signature(given: Any, shape: tuple[int, ...]) -> None:
    """Checks that `input_signature` says what the model's input is anyway: float32 examples of this shape.

    Raises:
        ValueError: if it says something else.
        TypeError: if it has no shape.
    """
    if given is None:
        return
    while isinstance(given, list | tuple) and len(given) == 1:
        (given,) = given
    if isinstance(given, list | tuple):
        raise ValueError(f"input_signature has {len(given)} inputs; the model has 1")
    if getattr(given, "shape", None) is None:
        raise TypeError(f"input_signature must be an input such as model.inputs, got {given!r:.200}")
    if tuple(given.shape)[1:] != shape:
        raise ValueError(f"input_signature has shape {tuple(given.shape)}; the model expects {(None, *shape)}")
    dtype = getattr(given, "dtype", None)
    if str(getattr(dtype, "name", dtype)) not in ("None", "float32"):
        raise ValueError(f"input_signature has dtype {dtype!s}; the model expects float32")
