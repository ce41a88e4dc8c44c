"""The float form: each step as a call of a C function on float arrays."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from fastnet import activations
from fastnet.activations import Activation
from fastnet.activations.base import SILENT
from fastnet.checks import LARGEST, Floats
from fastnet.export.c import text
from fastnet.export.c.document import Call
from fastnet.export.c.steps import (
    Affine,
    Dense,
    Embedding,
    Gather,
    Glu,
    Mean,
    Normalize,
    Pointwise,
    PRelu,
    RowActivation,
    Step,
)

# Activations without parameters whose function in C has the same name.
_SAME_NAME = {
    "relu", "sigmoid", "softplus", "silu", "softsign", "hard_sigmoid", "sparse_sigmoid", "log_sigmoid", "mish",
    "hard_silu", "sparse_plus", "tanh_shrink",
}  # fmt: skip
_OF_ROWS = {"softmax", "log_softmax", "sparsemax"}
SMALLEST = float(np.finfo(np.float32).tiny)  # some processors take smaller numbers as 0


def call_of(step: Step, k: int) -> Call:
    """Returns the call that computes a step, the k-th.

    Raises:
        ValueError: if the step's activation has no form in C.
    """
    if isinstance(step, Dense):
        bias = "NULL" if step.bias is None else f"{{p}}_bias_{k}"
        units, inputs = step.kernel.shape[1], step.kernel.shape[0]
        return Call("dense", f"{{x}}, {{y}}, {step.rows}, {inputs}, {units}, {{p}}_kernel_{k}, {bias}")
    if isinstance(step, Affine):
        p = step.pattern
        arrays = ", ".join(
            f"{{p}}_{name}_{k}" if name in step.arrays else "NULL" for name in ("mean", "factor", "shift")
        )
        return Call("affine", f"{{x}}, {{y}}, {p.outer}, {p.features}, {p.inner}, {arrays}")
    if isinstance(step, PRelu):
        p = step.pattern
        return Call("prelu", f"{{x}}, {{y}}, {p.outer}, {p.features}, {p.inner}, {{p}}_alpha_{k}")
    if isinstance(step, Gather):
        return Call("gather", f"{{x}}, {{y}}, {step.outputs}, {{p}}_places_{k}")
    if isinstance(step, Embedding):
        rows, units = step.table.shape
        return Call("embedding", f"{{x}}, {{y}}, {step.inputs}, {rows}, {units}, {{p}}_table_{k}")
    if isinstance(step, Mean):
        return Call("mean", f"{{x}}, {{y}}, {step.outputs}, {step.units}")
    if isinstance(step, Normalize):
        rows = step.inputs // step.units
        how = f"{int(step.center)}, {int(step.average)}, {text.number(step.epsilon)}"
        return Call("normalize", f"{{x}}, {{y}}, {rows}, {step.units}, {how}")
    if isinstance(step, Glu):
        return Call("glu", f"{{x}}, {{y}}, {step.inputs // (2 * step.half)}, {step.half}")
    if isinstance(step, RowActivation) and _is_named(step.activation, _OF_ROWS):
        return Call(step.activation.name, f"{{x}}, {{y}}, {step.inputs // step.units}, {step.units}")
    if isinstance(step, Pointwise):
        function, *parameters = _formula(step)
        return Call(function, ", ".join(["{x}", *map(text.number, parameters)]), step.outputs)
    raise _unsupported(step)


def _is_named(activation: Activation, names: set[str]) -> bool:
    return activation.name in names and type(activation) is type(activations.get(activation.name))


def _formula(step: Pointwise) -> tuple[Any, ...]:
    """Returns the C function of an activation and its parameters after x."""
    a = step.activation
    name = a.name
    if isinstance(a, activations.ClippedRelu) and activations.CLASSES.get(type(a).__name__) is type(a):
        slope, most, threshold = a.numbers
        if most == math.inf and slope:
            return "leaky_relu", slope, threshold
        return "clipped_relu", slope, min(most, LARGEST), threshold
    if not _is_named(a, {*activations.NAMES}):
        raise _unsupported(step)
    if name in _SAME_NAME:
        return (name,)
    if isinstance(a, activations.Elu):
        return ("elu", *a.numbers[:2])
    if isinstance(a, activations.Gelu):
        return ("gelu_tanh" if a.approximate else "gelu",)
    parameters = {
        "tanh": (),
        "exponential": (),
        "hard_tanh": (-1, 1),
        "celu": (getattr(a, "alpha", 0),),
        "squareplus": (getattr(a, "b", 0),),
        "hard_shrink": (getattr(a, "threshold", 0),),
        "soft_shrink": (getattr(a, "threshold", 0),),
        "threshold": (getattr(a, "threshold", 0), getattr(a, "default_value", 0)),
    }
    if name not in parameters:
        raise _unsupported(step)
    in_c = {"tanh": "tanhf", "exponential": "expf", "hard_tanh": "clip"}
    return (in_c.get(name, name), *parameters[name])


def _unsupported(step: Any) -> ValueError:
    a = step.activation
    hint = " Or export with integer=True, which puts any activation of single numbers into a table." * a.elementwise
    return ValueError(
        f"layer {step.layer!r} has the activation {a.name!r} of class {type(a).__name__}, which has no form in C: "
        f"choose one of fastnet's own, or export the layers before it and compute it in your program.{hint}"
    )


def arrays_of(steps: list[Step]) -> dict[str, Any]:
    """Returns the arrays of all steps by their names in C, in the types in which C keeps them."""
    found = {}
    for k, step in enumerate(steps, 1):
        for name, values in step.arrays.items():
            is_places = name == "places"
            small = is_places and len(values) and values.max() < 2**16
            found[f"{name}_{k}"] = values.astype(("uint16" if small else "uint32") if is_places else "float32")
    return _places_of_one_type(found)


def _places_of_one_type(arrays: dict[str, Any]) -> dict[str, Any]:
    """Makes all arrays of places 32 bits wide if one of them is, since one function reads them all."""
    wide = any(values.dtype == np.uint32 for values in arrays.values())
    return {
        name: values.astype(np.uint32) if wide and values.dtype == np.uint16 and name.startswith("places") else values
        for name, values in arrays.items()
    }


@np.errstate(**SILENT)
def tolerance(steps: list[Step], rows: Floats) -> float:
    """Returns how far the outputs for these rows may be from fastnet's by rounding, rounded up to one digit.

    Rounding errors are taken as independent. The error of a sum of n terms is about u sqrt(n / 2) times the root of its
    terms' squares, or the sum if that is larger, with u = 2^-24; that of any other step is a few u of its result. Such
    errors, made 256 times larger, are added to 16 copies of the rows, and the steps carry them to the outputs. The
    tolerance is three times the largest difference, about seven standard deviations. Sources: N. Higham and T. Mary,
    "A new approach to probabilistic rounding error analysis", 2019; D. Parker, "Monte Carlo arithmetic", 1997.
    """
    u, larger, copies = 2.0**-24, 256, 16
    random = np.random.default_rng(0)
    exact = rows.astype(np.float32)
    near = np.repeat(exact, copies, axis=0)
    for step in steps:
        if isinstance(step, Dense):
            x, w = exact.reshape(-1, len(step.kernel)).astype(np.float64), step.kernel.astype(np.float64)
            squares = np.maximum(np.square(x) @ np.square(w), np.square(x @ w)).reshape(len(exact), -1)
            size = np.sqrt(squares * (step.terms / 2))
            exact, near = step.run(exact), step.run(near)
            size = np.maximum(size, np.abs(exact))
        else:
            exact, near = step.run(exact), step.run(near)
            size = np.abs(exact).astype(np.float64) * 4 * math.sqrt(step.terms)
        noise = random.standard_normal(near.shape) * np.repeat(size, copies, axis=0)
        near = (near + u * larger * noise).astype(np.float32)
    spread = np.abs(near - np.repeat(exact, copies, axis=0)).max(initial=0) / larger
    least = 8 * u * (float(np.abs(exact).max(initial=0)) or 1.0)
    found = max(3 * float(spread), least, SMALLEST)
    if not math.isfinite(found):
        raise ValueError("the network computes numbers for the test rows that are too large for float32")
    digit = 10.0 ** math.floor(math.log10(found))
    return math.ceil(found / digit) * digit
