"""The integer form: chooses the units of all numbers from examples, and writes the steps of `quantized.py`."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from fastnet import activations
from fastnet.activations.base import SILENT
from fastnet.checks import Floats
from fastnet.export.c import quantized, steps
from fastnet.export.c.document import Document
from fastnet.export.c.folding import folded
from fastnet.export.c.rows import chosen_rows, expected
from fastnet.export.c.shapes import is_classifier, steps_of

MARGIN = 2.0  # how much larger than in the examples the numbers may become
_BLOCK = 1024  # rows at once, which bounds the memory
_PASSING = (steps.Gather,)  # steps that keep the unit


class Network:
    """The steps of the integer form.

    Attributes:
        plain: the steps with real numbers.
        steps: the same with integers.
        shifts: an input v is given as v 2^shift: one for all inputs, or one for each; None for bytes.
        output: the same for the outputs.

    Args:
        plain: the steps with real numbers.
        rows: examples, (n, inputs), of float32 or uint8.
        reach: what the outputs must at least be able to be, even if those of the examples are smaller.
    """

    def __init__(self, plain: list[steps.Step], rows: Any, reach: float = 0.0) -> None:
        self.reach = reach
        takes_bytes = rows.dtype == np.uint8
        plain = folded(plain, with_mean=True)
        if takes_bytes and not isinstance(plain[0], steps.Dense | steps.Affine | steps.Embedding):
            n = plain[0].inputs
            plain = [steps.Affine("", n, n, steps.Pattern(1, 1, n), factor=np.ones(1, np.float32)), *plain]
        self.plain = plain
        self.largest = _largest(plain, rows)
        self.shifts = None if takes_bytes else self._shifts(rows)
        self.steps: list[quantized.Step] = []
        unit: Any = 1.0 if self.shifts is None else 2.0**-self.shifts
        for k, step in enumerate(plain):
            new = self._unit(k)
            self.steps.append(_quantized(step, unit, new, 255 if takes_bytes and k == 0 else 32768))
            unit = unit if _keeps_unit(step) else new
        if _keeps_unit(plain[-1]) and all(map(_keeps_unit, plain)):
            self.output = 0 if self.shifts is None else int(self.shifts[0])
        else:
            self.output = -round(math.log2(unit))

    def _shifts(self, rows: Any) -> Any:
        first = self.plain[0]
        if isinstance(first, steps.Embedding):
            return np.zeros(1, np.int64)
        size = np.abs(rows).max(axis=0).astype(np.float64)
        alone = isinstance(first, steps.Affine) and first.pattern.features == first.inputs > 1
        size = size if alone else size.max(keepdims=True)
        size[size == 0] = 1
        return np.clip(np.floor(np.log2(quantized.LIMIT / (MARGIN * size))), -100, 100).astype(np.int64)

    def _unit(self, k: int) -> float:
        """Returns the unit of the output of step k, such that the steps after it can use all of int16."""
        step, size = self.plain[k], self.largest[k]
        while k + 1 < len(self.plain) and _keeps_unit(self.plain[k + 1]):
            k += 1
            size = min(size, self.largest[k])
        is_last = k + 1 == len(self.plain)
        if isinstance(step, steps.RowActivation):
            return 2.0**-15
        size = MARGIN * (max(size, self.reach if is_last else 0.0) or 1.0)
        following = None if is_last else self.plain[k + 1]
        if isinstance(following, steps.Pointwise):
            size = _useful(following.activation, size)
        if isinstance(following, steps.Glu):
            size = max(size, 1.0)
        if isinstance(step, steps.Pointwise) and type(step.activation) in (activations.Sigmoid, activations.Tanh):
            size = 1.0 if is_last else min(size, 1.0)
        if is_last:
            return float(2.0 ** math.ceil(math.log2(size / quantized.LIMIT) - 1e-4))
        return _rounded_up(size) / quantized.LIMIT

    def inputs(self, rows: Any) -> Any:
        """Returns rows of real inputs as the C function takes them: uint8 or int16."""
        if self.shifts is None:
            return rows
        scaled = np.rint(rows.astype(np.float64) * 2.0**self.shifts)
        return np.clip(scaled, -quantized.LIMIT, quantized.LIMIT).astype(np.int16)

    def run(self, inputs: Any) -> Any:
        """Returns the outputs that C computes, (n, outputs) int16."""
        x = inputs.astype(np.int64)
        for step in self.steps:
            x = step.run(x)
        return x.astype(np.int16)


def _largest(plain: list[steps.Step], rows: Any) -> list[float]:
    """Returns the largest absolute output of each step over all rows."""
    largest = [0.0] * len(plain)
    for start in range(0, len(rows), _BLOCK):
        x = rows[start : start + _BLOCK].astype(np.float32)
        for k, step in enumerate(plain):
            with np.errstate(**SILENT):
                x = step.run(x)
            found = float(np.abs(x).max(initial=0))
            if not math.isfinite(found):
                raise ValueError(f"layer {step.layer!r} computes NaN or infinity for an example")
            largest[k] = max(largest[k], found)
    return largest


def _rounded_up(size: float) -> float:
    """Returns a number of 8 bits that is at least `size`, so that the last bits of a sum do not matter."""
    power = 2.0 ** (math.floor(math.log2(size)) - 7)
    return math.ceil(size * (1 - 1e-6) / power) * power


def _keeps_unit(step: steps.Step) -> bool:
    return isinstance(step, _PASSING) or quantized.limits_of(step) is not None


def _useful(activation: Any, size: float) -> float:
    """Returns the |x| from which on the activation is constant, but at most `size`: the table need not be wider."""
    places = np.linspace(-size, size, 1025)
    with np.errstate(**SILENT):
        values = activation(places)
        while size > 1e-3:
            smaller = size * 0.75
            off = np.abs(values - activation(np.clip(places, -smaller, smaller))).max()
            if not off <= 2.0**-15 * np.abs(values).max():
                return size
            size = smaller
    return size


def _quantized(step: steps.Step, unit: Any, new: float, most: int) -> quantized.Step:
    if isinstance(step, steps.Affine):
        return quantized.Affine(step, unit, new)
    unit = float(np.max(unit))
    if isinstance(step, steps.Dense):
        return quantized.Dense(step, unit, new, most)
    if quantized.limits_of(step) is not None:
        return quantized.Clip(step, unit)  # type: ignore[arg-type]
    if isinstance(step, steps.Gather):
        return quantized.Gather(step)
    if isinstance(step, steps.Embedding):
        if len(step.table) > quantized.LIMIT:
            raise ValueError(f"layer {step.layer!r} has {len(step.table)} rows; the integer form allows 32767")
        return quantized.Embedding(step, new)
    if isinstance(step, steps.RowActivation):
        if type(step.activation) is not activations.Softmax:
            raise ValueError(
                f"layer {step.layer!r} has the activation {step.activation.name!r}, which has no integer form: use "
                "softmax, which has the same largest output, or the float form, integer=False"
            )
        return quantized.Softmax(step, unit)
    kinds: dict[type, Any] = {
        steps.PRelu: quantized.PRelu,
        steps.Mean: quantized.Mean,
        steps.Normalize: quantized.Normalize,
        steps.Pointwise: quantized.Pointwise,
        steps.Glu: quantized.Glu,
    }
    made: quantized.Step = kinds[type(step)](step, unit, new)
    return made


def arrays_of(found: list[quantized.Step]) -> dict[str, Any]:
    """Returns the arrays of all steps by their names in C, in the types in which C keeps them."""
    arrays = {}
    wide = any(len(a) and a.max() >= 2**16 for step in found for name, a in step.arrays.items() if name == "places")
    for k, step in enumerate(found, 1):
        for name, values in step.arrays.items():
            kind = ("uint32" if wide else "uint16") if name == "places" else "int32"
            arrays[f"{name}_{k}"] = values if values.dtype.itemsize < 8 else values.astype(kind)
    return arrays


def document(model: Any, prefix: str, rows: Any) -> Document:
    """Returns the header of the integer form.

    Args:
        model: a built model.
        prefix: the prefix of all names in C.
        rows: examples, (n, inputs), of float32 or uint8.
    """
    plain = steps_of(model)
    has_classes, limit = is_classifier(model, plain)
    one = plain[-1].outputs == 1
    network = Network(plain, rows, limit if has_classes and one else 0.0)
    calls = [step.call(k) for k, step in enumerate(network.steps, 1)]
    if network.shifts is None:
        calls[0] = calls[0]._replace(function=f"{calls[0].function}_bytes")
    arrays = arrays_of(network.steps)
    upper, shifts = prefix.upper(), network.shifts
    extra: list[str] = []
    macros = [("LIMIT", str(quantized.LIMIT), "the largest number between two layers")]
    if shifts is None:
        how = "The inputs are bytes, as in the examples."
    else:
        how = f"An input v is given as v * 2^{upper}_INPUT_SHIFT(i), rounded to an int16_t, for the i-th number."
        shift = f"({shifts[0]})"
        if len(shifts) > 1:
            arrays["input_shifts"] = shifts.astype(np.int8)
            shift = f"{prefix}_input_shift(i)"
            extra.append("input_shift")
        macros.append(("INPUT_SHIFT(i)", shift, ""))
    macros.append(("OUTPUT_SHIFT", f"({network.output})", "an output y means y / 2^shift"))
    extra += ["class_of_one" if one else "class"] if has_classes else []
    if has_classes and one:
        macros.append(("CLASS_LIMIT", str(round(limit * 2.0**network.output)), "above it, the class is 1"))
    tests = network.inputs(chosen_rows(rows))
    return Document(
        "integer",
        prefix,
        model,
        network.steps,  # type: ignore[arg-type]
        calls,
        arrays,
        ("int16_t" if shifts is not None else "uint8_t", "int16_t"),
        ["stddef.h", "stdint.h"],
        f"{how} An output y means the number y / 2^{upper}_OUTPUT_SHIFT. {prefix}_predict computes with integers only: "
        f"int8_t weights with one scale for each output, int16_t numbers between the layers, sums in int32_t, of which "
        f"none can overflow. {_compared(network, rows, expected(model, rows), has_classes)}",
        macros,
        (tests, network.run(tests), "0"),
        extra,
    )


def _compared(network: Network, rows: Any, outputs: Floats, has_classes: bool) -> str:
    """Describes how far the outputs for the examples are from fastnet's."""
    found = np.concatenate(
        [network.run(network.inputs(rows[start : start + _BLOCK])) for start in range(0, len(rows), _BLOCK)]
    )
    off = np.abs(found * 2.0**-network.output - outputs).max()
    examples = f"{len(rows):,} example{'s' if len(rows) > 1 else ''}"
    text = f"On the {examples}, outputs differ from fastnet's by at most {off:.2g}"
    if has_classes and outputs.shape[1] > 1:
        same = int((found.argmax(axis=1) == outputs.argmax(axis=1)).sum())
        text += f", and the class is the same for {same:,}"
    return f"{text}."
