"""Checks of what comes in through the public API: each argument is made right here, or refused with a clear error.

Kernels index memory without looking, so nothing reaches one that has not been through here. Every check runs before
anything has changed.
"""

import math
import operator
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from fastnet import kernels

Floats = NDArray[np.float32]
T = TypeVar("T")


class ShapeError(ValueError):
    """An array or a layer that does not fit the others; a model adds the shapes along itself to the message."""


class NotCompiledError(RuntimeError, ValueError):
    """`compile` was not called yet; both types, since users of Keras catch the one and users of others the other."""


def integer(argument: str, value: Any, least: int) -> int:
    """`value` as an int of at least `least`; any integer type will do, NumPy's too, but no bool."""
    if isinstance(value, bool | np.bool_):
        raise TypeError(f"{argument} must be an integer, got {value!r}")
    try:
        n = operator.index(value)
    except TypeError:
        raise TypeError(f"{argument} must be an integer, got {value!r}") from None
    if n < least:
        raise ValueError(f"{argument} must be at least {least}, got {n}")
    return n


def number(argument: str, value: Any, least: float, below: float = math.inf) -> float:
    """`value` as a finite float in [least, below)."""
    if isinstance(value, bool | str) or value is None:
        raise TypeError(f"{argument} must be a number, got {value!r}")
    try:
        x = float(value)
    except (TypeError, ValueError):
        raise TypeError(f"{argument} must be a number, got {value!r}") from None
    if not least <= x < below or math.isinf(x):
        limits = f"at least {least:g}" if below == math.inf else f"in [{least:g}, {below:g})"
        raise ValueError(f"{argument} must be a finite number {limits}, got {x!r}")
    return x


def choose(argument: str, name: Any, table: Mapping[str, T]) -> T:
    """table[name]; an unknown name is refused with the near miss, if there is one, and the names that there are."""
    if not isinstance(name, str):
        raise TypeError(f"{argument} must be a name or an object of its kind, got {name!r}")
    if name in table:
        return table[name]
    raise ValueError(f"unknown {argument} {name!r}{near_miss(name, table)}. There are: {', '.join(sorted(table))}")


def build(argument: str, identifier: Any, table: Mapping[str, Callable[..., T]]) -> T:
    """A new object of a name, with its defaults, or of a description as `describe` makes it.

    Raises:
        ValueError: if there is none of that name.
        TypeError: if it is neither.
    """
    if isinstance(identifier, dict) and set(identifier) == {"class_name", "config"}:
        return choose(argument, identifier["class_name"], table)(**identifier["config"])
    return choose(argument, identifier, table)()


def describe(thing: Any) -> dict[str, Any]:
    """An object's class and arguments, in types that JSON has."""
    return {"class_name": type(thing).__name__, "config": thing.get_config()}


def keywords(owner: str, given: dict[str, Any], accepted: Iterable[str], others: Iterable[str] = ()) -> dict[str, Any]:
    """`given`, if all its names are accepted; `others` are arguments that were not given by keyword, but may be meant.

    Raises:
        TypeError: if one is not, as Python says it, with the near miss.
    """
    names = list(accepted)
    for name in given:
        if name not in names:
            raise TypeError(
                f"{owner}() got an unexpected keyword argument {name!r}{near_miss(name, [*names, *others])}"
            )
    return given


def near_miss(name: str, names: Iterable[str]) -> str:
    import difflib  # takes milliseconds, and is needed for an error only

    by_lower = {other.lower(): other for other in sorted(names)}  # of Adam and adam the name, which sorts last
    close = difflib.get_close_matches(name.lower(), list(by_lower), n=1)
    return f"; did you mean {by_lower[close[0]]!r}?" if close else ""


def numeric(argument: str, value: Any) -> NDArray[Any]:
    """`value` as an array of real numbers, of whatever type and shape."""
    if value is None:
        raise TypeError(f"{argument} is None; expected an array")
    if type(value).__module__.partition(".")[0] == "scipy":
        raise TypeError(f"{argument} is a SciPy sparse matrix; expected a dense array: use {argument}.toarray()")
    if isinstance(value, np.ma.MaskedArray) and np.ma.is_masked(value):
        raise ValueError(f"{argument} is a masked array with masked elements; fill them first")
    try:
        array = np.asarray(value)
    except ValueError as error:
        raise ValueError(f"{argument} cannot be made an array: its rows have different lengths") from error
    if array.dtype.kind == "O":
        raise TypeError(f"{argument} has dtype object, which is not numeric")
    if array.dtype.kind not in "biuf":
        raise TypeError(f"{argument} has dtype {array.dtype}; expected real numbers")
    return array


def as_float32(argument: str, array: NDArray[Any]) -> Floats:
    """`array` as float32 in C order and native byte order, and finite; no copy if it is all that already."""
    with np.errstate(over="ignore"):
        floats = np.require(array, np.float32, ["C", "A"])
    if not kernels.all_finite(floats.reshape(-1)):
        where = tuple(int(i) for i in np.argwhere(~np.isfinite(floats))[0])
        place = f"row {where[0]}, column {where[1]}" if len(where) == 2 else f"index {where}"
        before = array[where]
        if np.isfinite(before):
            raise ValueError(f"{argument} holds {before} at {place}, which does not fit float32")
        raise ValueError(f"{argument} holds {before} at {place}; expected finite numbers")
    return floats


def same_shape(argument: str, value: Any, shape: tuple[int, ...]) -> Floats:
    """`value`, which code of the user's own returned, as float32; NaN and infinity are let through.

    Raises:
        ValueError: if it has another shape: it is neither broadcast nor reshaped.
        TypeError: if it does not hold numbers.
    """
    array = numeric(argument, value)
    if array.shape != shape:
        raise ValueError(f"{argument} has shape {array.shape}; expected {shape}")
    with np.errstate(over="ignore"):
        return array.astype(np.float32, copy=False)


def examples(argument: str, value: Any, single: bool = False) -> Floats | NDArray[np.uint8]:
    """The examples of a data set, (n, ...), as float32, or as uint8 if that is what they are: no copy then.

    With `single`, where an example is one number, (n,) will do.
    """
    array = numeric(argument, value)
    if single and array.ndim == 1:
        array = array[:, None]
    if array.ndim < 2:
        hint = f"; for one example use {argument}[None], for examples of one number {argument}[:, None]"
        raise ValueError(
            f"{argument} has {array.ndim} dimensions, shape {array.shape}; expected examples, (n, ...)"
            f"{hint if array.ndim else ''}"
        )
    if array.dtype == np.uint8:
        return np.ascontiguousarray(array)
    return as_float32(argument, array)


def features(argument: str, value: Any) -> Floats:
    """The rows of a data set, (n, K), as float32: any number of rows, 0 too."""
    array = numeric(argument, value)
    if array.ndim != 2:
        hint = ""
        if array.ndim == 1:
            hint = f"; for one example use {argument}[None]"
        elif array.ndim > 2:
            hint = f"; use {argument}.reshape({array.shape[0]}, {math.prod(array.shape[1:])})"
        raise ValueError(
            f"{argument} has {array.ndim} dimensions, shape {array.shape}; expected 2, (examples, features){hint}"
        )
    return as_float32(argument, array)


def sample_weights(argument: str, value: Any, length: int) -> Floats:
    """How much each of `length` examples counts, (length,) float32, none negative."""
    weights = as_float32(argument, numeric(argument, value))
    if weights.ndim == 2 and weights.shape[1] == 1:
        weights = weights[:, 0]
    if weights.shape != (length,):
        raise ValueError(f"{argument} has shape {weights.shape}; expected one number an example, ({length},)")
    if weights.size and weights.min() < 0:
        raise ValueError(f"{argument} holds {weights.min()} at index {weights.argmin()}; expected no negative number")
    return weights


def class_weights(argument: str, value: Any, targets: Floats) -> Floats:
    """How much each example counts, (n,), by a dict from its class to that; a class left out counts 1."""
    if not isinstance(value, dict):
        raise TypeError(f"{argument} must be a dict from class to weight, got {value!r}")
    classes = targets.shape[1] if targets.shape[1] > 1 else 2
    table = np.ones(classes, np.float32)
    for key, weight in value.items():
        label = integer(f"{argument}'s class", key, least=0)
        if label >= classes:
            raise ValueError(f"{argument} has class {label}, but the targets have {classes} classes")
        table[label] = number(f"{argument}[{label}]", weight, least=0)
    labels = targets.argmax(axis=1) if targets.shape[1] > 1 else np.rint(targets[:, 0]).astype(np.intp)
    if labels.min() < 0 or labels.max() >= classes:
        wrong = labels.min() if labels.min() < 0 else labels.max()
        raise ValueError(f"{argument} needs targets that are classes, 0 or 1 for one output, but there is {wrong}")
    weights: Floats = table[labels]
    return weights


def same_length(x: Any, y: NDArray[Any], names: str = "x and y") -> None:
    """A data set has as many targets as examples, and at least one."""
    if y.ndim == 0 or len(x) != len(y):
        raise ValueError(
            f"{names} must have the same number of examples, got {len(x)} and {len(y) if y.ndim else 'a single number'}"
        )
    if len(x) == 0:
        raise ValueError(f"{names} hold 0 examples; expected at least 1")
