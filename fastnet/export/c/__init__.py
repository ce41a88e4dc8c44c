"""Writes a model as one C99 file: `model.export("model.h")`."""

from __future__ import annotations

from typing import Any

from fastnet import checks
from fastnet.checks import Floats
from fastnet.export.c import floating, text
from fastnet.export.c import integer as integers
from fastnet.export.c.document import Document
from fastnet.export.c.folding import folded
from fastnet.export.c.rows import chosen_rows, drawn_rows, expected, given_rows
from fastnet.export.c.shapes import is_classifier, steps_of
from fastnet.saving.files import replace_file


def write(model: Any, path: str, *, integer: bool = False, examples: Any = None, name: str | None = None) -> None:
    """Writes a model as a C99 header that needs no library, no malloc and no stdio.

    `name_predict(x, y, scratch)` computes the outputs y of an example x, a row of its numbers. The caller hands in the
    scratch; the macro NAME_SCRATCH has its length. If the outputs are classes, `name_class(y)` returns the class.

    Args:
        model: a built model.
        path: the file's name, ending in ``.h``.
        integer: False for the float form. True for the integer form: int8 weights with one scale for each output,
            int16 numbers between the layers, and no floating point in `predict`.
        examples: rows of data, (n, ...). The first, the middle and the last one become the test rows of the file. The
            integer form needs some hundred examples, from which it learns the range of the numbers inside the network;
            if they are uint8, its inputs are bytes.
        name: the prefix of all names in C; by default the file's name.

    Raises:
        ValueError: if a layer or an activation has no form in C, the integer form is given no examples, or an argument
            does not fit the model.
        TypeError: if an argument is of another type.
        OSError: if the file cannot be written. An existing file is unchanged then.

    Sources of the integer form: see `fastnet/export/c/quantized.py`.
    """
    checks.flag("integer", integer)
    prefix = text.prefix_of(name, path)
    rows = None if examples is None else given_rows(model, examples)
    if integer:
        if rows is None:
            raise ValueError(
                "integer=True needs examples: some hundred rows of the training data, from which the integer form "
                "learns the range of the numbers inside the network, as in examples=x_train[:500]"
            )
        with model._lock:
            content = integers.document(model, prefix, rows)
    else:
        with model._lock:
            content = _floating(model, prefix, rows)
    replace_file(path, str(content).encode("ascii"))


def _floating(model: Any, prefix: str, rows: Floats | None) -> Document:
    plain = steps_of(model)
    steps = folded(plain, with_mean=False)
    calls = [floating.call_of(step, k) for k, step in enumerate(steps, 1)]
    tests = chosen_rows(drawn_rows(plain, 3) if rows is None else rows).astype("float32")
    outputs = expected(model, tests)
    has_classes, limit = is_classifier(model, plain)
    one = steps[-1].outputs == 1
    origin = "three of the examples" if rows is not None else "drawn by a program"
    tolerance = floating.tolerance(steps, tests)
    return Document(
        "floating",
        prefix,
        model,
        steps,
        calls,
        floating.arrays_of(steps),
        ("float", "float"),
        ["math.h", "stddef.h", "stdint.h"],
        f"The outputs differ from those of fastnet by rounding: by less than {tolerance:.0e} for the test rows, which "
        f"are {origin}. {prefix.upper()}_TOLERANCE follows from the lengths of the sums.",
        [("CLASS_LIMIT", text.number(limit), "above it, the class is 1")] if has_classes and one else [],
        (tests, outputs, text.number(tolerance)),
        ["class_of_one" if one else "class"] if has_classes else [],
    )
