"""Checks the arguments of the public API: converts each one, or raises an error that says what is wrong.

Kernels do not check their arguments, so every array passes through here first. Every check runs before anything
changes.
"""

import importlib
import math
import numbers
import os
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from types import FrameType, ModuleType
from typing import Any, NoReturn, TypeVar

import numpy as np
from numpy.typing import NDArray

from fastnet import kernels, r_session
from fastnet.registered import get_registered_name, is_description
from fastnet.whole import as_int

Floats = NDArray[np.float32]
LARGEST = float(np.finfo(np.float32).max)
T = TypeVar("T")


class ShapeError(ValueError):
    """An array or a layer has the wrong shape. A model adds the shapes of its layers to the message."""


class NotCompiledError(RuntimeError, ValueError):
    """`compile` was not called yet. It has two base classes, because some programs catch one and some the other."""


def integer(argument: str, value: Any, least: int) -> int:
    """Checks that `value` is an integer of at least `least`: 3, np.int64(3) or 3.0, but not a bool."""
    try:
        n = as_int(value)
    except TypeError:
        raise TypeError(f"{argument} must be an integer, got {value!r}") from None
    if n < least:
        raise ValueError(f"{argument} must be at least {least}, got {n}")
    return n


def is_number(value: Any) -> bool:
    """Returns whether `value` is one real number or an array without dimensions, not a sequence."""
    return isinstance(value, numbers.Real) or (isinstance(value, np.ndarray) and value.ndim == 0)


def entries(value: Any) -> tuple[Any, ...]:
    """Returns the entries of a sequence; of a single number a tuple of it, because R has no other vector of length 1.

    Raises:
        TypeError: if `value` is neither.
    """
    return (value,) if is_number(value) else tuple(value)


def number(argument: str, value: Any, least: float, below: float = math.inf) -> float:
    """Checks that `value` is a finite number in [least, below) and returns it as float."""
    if isinstance(value, bool | str) or value is None:
        raise TypeError(f"{argument} must be a number, got {value!r}")
    try:
        x = float(value)
    except (TypeError, ValueError):
        raise TypeError(f"{argument} must be a number, got {value!r}") from None
    except OverflowError:  # a whole number of more than 308 digits
        x = math.inf
    if not least <= x < below or math.isinf(x):
        limits = f"at least {least:g}" if below == math.inf else f"in [{least:g}, {below:g})"
        raise ValueError(f"{argument} must be a finite number {limits}, got {x!r}")
    return x


def float32_number(argument: str, value: Any, least: float = -LARGEST) -> float:
    """Returns `value` as a finite float of at least `least` that is within the range of float32."""
    return number(argument, value, least, below=LARGEST)


def flag(argument: str, value: Any) -> bool:
    """Returns `value` as a bool; only Python's and NumPy's bools are accepted."""
    if not isinstance(value, bool | np.bool_):
        raise TypeError(f"{argument} must be True or False, got {value!r}")
    return bool(value)


def choose(argument: str, name: Any, table: Mapping[str, T], any_case: bool = False) -> T:
    """Returns ``table[name]``; the error for an unknown name suggests a similar one and lists the known names.

    The message lists one name of each entry, the first lower-case name if there is one.

    Args:
        argument: what the name is for, for the message.
        name: the name to look up.
        table: the entries by all their names.
        any_case: whether to accept capital letters for the lower-case letters in the table.

    Raises:
        ValueError: if the name is unknown.
        TypeError: if `name` is not a string.
    """
    if not isinstance(name, str):
        raise TypeError(f"{argument} must be a name or an object of its kind, got {name!r}")
    if name in table:
        return table[name]
    if any_case and name.lower() in table:
        return table[name.lower()]
    names: dict[int, str] = {}
    for other, thing in table.items():
        if id(thing) not in names or (other.islower() and not names[id(thing)].islower()):
            names[id(thing)] = other
    listed = sorted(names.values(), key=str.lower)
    others = [other for other in table if other.islower()]
    raise ValueError(f"unknown {argument} {name!r}{suggestion(name, listed, others)}")


def build(argument: str, identifier: Any, table: Mapping[str, Callable[..., T]], any_case: bool = False) -> T:
    """Makes a new object from a name, with default arguments, or from a result of `describe`.

    Raises:
        ValueError: if the name is unknown.
        TypeError: if `identifier` is neither a name nor a description.
    """
    if is_description(identifier):
        return choose(argument, identifier["class_name"], table, any_case)(**identifier["config"])
    return choose(argument, identifier, table, any_case)()


def own(config: Any, custom_objects: Mapping[str, Any] | None) -> Any:
    """Returns the object of a name or a description that is one of `custom_objects`; else `config` itself."""
    is_description = isinstance(config, dict) and set(config) == {"class_name", "config"}
    name = config["class_name"] if is_description else config
    made = custom_objects.get(name) if custom_objects and isinstance(name, str) else None
    if made is None:
        return config
    if not is_description:
        return made() if isinstance(made, type) else made
    return made.from_config(config["config"]) if hasattr(made, "from_config") else made(**config["config"])


def describe(thing: Any) -> dict[str, Any]:
    """Returns an object's class name, or registered name, and arguments, in types that JSON has."""
    return {"class_name": get_registered_name(type(thing)), "config": thing.get_config()}


def float32_only(dtype: Any) -> None:
    """Raises a ValueError if an argument `dtype` is neither None nor float32."""
    if dtype not in (None, "float32", np.float32):
        raise ValueError(f"dtype must be 'float32', the only one that fastnet computes in, got {dtype!r}")


def keywords(owner: str, given: dict[str, Any], accepted: Iterable[str], others: Iterable[str] = ()) -> dict[str, Any]:
    """Checks that all keyword arguments are accepted, and returns them.

    Args:
        owner: the function's name, for the message.
        given: the keyword arguments.
        accepted: the names that are accepted.
        others: more names that the message may suggest.

    Raises:
        TypeError: if a name is not accepted. The message is Python's own, with a suggestion.
    """
    names = list(accepted)
    for name in given:
        if name not in names:
            raise TypeError(
                f"{owner}() got an unexpected keyword argument {name!r}{near_miss(name, [*names, *others])}"
            )
    return given


def near_miss(name: str, names: Iterable[str]) -> str:
    """Returns "; did you mean 'adam'?" for a similar name, or an empty string if there is none."""
    import difflib  # only errors need it, and the import takes milliseconds

    by_lower = {other.lower(): other for other in sorted(names)}  # of Adam and adam it keeps adam, which sorts last
    close = difflib.get_close_matches(name.lower(), list(by_lower))
    swapped = [other for other in close if sorted(other) == sorted(name.lower())]  # adma is adam, not adamax
    return f"; did you mean {by_lower[(swapped or close)[0]]!r}?" if close else ""


def suggestion(name: str, listed: Iterable[str], others: Iterable[str] = ()) -> str:
    """Returns the end of a message about an unknown name: a similar name, if any, and the known names.

    Args:
        name: the unknown name.
        listed: the known names.
        others: more names that may be suggested, but are not listed.
    """
    names = list(listed)
    return f"{near_miss(name, [*names, *others]) or '.'} There are: {', '.join(names) or 'none'}"


_NAMES: dict[str, list[str]] = {}  # public names of each module that `explain_missing` was called for


def explain_missing(module: ModuleType, beginning: str, names: Iterable[str]) -> None:
    """Makes a module list its names in the error for a missing name.

    Args:
        module: the module. It gets a function ``__getattr__``, unless it has one; Python calls it for a missing name.
        beginning: the beginning of the message, such as ``"fastnet has no layer"``.
        names: the module's public names.
    """
    _NAMES[module.__name__] = sorted((name for name in names if not name.startswith("_")), key=str.lower)

    def missing(name: str) -> NoReturn:
        raise no_such(module, beginning, name, sys._getframe(1))

    vars(module).setdefault("__getattr__", missing)


def no_such(module: ModuleType, beginning: str, name: str, asking: FrameType) -> Exception:
    """Returns the error for a missing name of a module that `explain_missing` was called for.

    It is an AttributeError, so that ``hasattr`` works. For ``from module import name`` it is an ImportError, because
    Python would replace the text of an AttributeError.

    Args:
        module: the module.
        beginning: the beginning of the message.
        name: the missing name.
        asking: the frame of the code that asked for the name.
    """
    if name.startswith("_"):  # Python itself looks up many of these
        return AttributeError(f"module {module.__name__!r} has no attribute {name!r}")
    import opcode  # only errors need it

    home = next((home for home, names in _NAMES.items() if name in names), None)
    own = (other for other, thing in vars(module).items() if getattr(thing, "__module__", "").startswith("fastnet"))
    hint = f"; did you mean {home}.{name}?" if home else near_miss(name, [*_NAMES[module.__name__], *own])
    text = f"{beginning} {name}{f'{hint} It' if hint else '; it'} has {', '.join(_NAMES[module.__name__])}"
    if asking.f_code.co_code[asking.f_lasti] == opcode.opmap["IMPORT_FROM"]:
        return ImportError(text, name=module.__name__, path=module.__file__)
    return AttributeError(text, obj=module)  # no name=..., because Python would add a suggestion of its own


def optional(module: str, extra: str, purpose: str) -> ModuleType:
    """Imports a package that only some users need.

    Args:
        module: the module to import, such as ``"h5py"``.
        extra: the name of the extra in pyproject.toml that installs it.
        purpose: what needs it, the start of the message.

    Raises:
        ImportError: if it is not installed. The message has the command that installs it.
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name != module.split(".")[0]:
            raise
        raise ImportError(
            f'{purpose} needs {error.name}, which is not installed: python -m pip install "fastnet-mlp[{extra}]"'
        ) from None


def file_name(argument: str, path: Any) -> str:
    """Returns the name of a file as a string; raises TypeError if it is not a string or a `pathlib.Path`."""
    try:
        name = os.fspath(path)
    except TypeError:
        raise TypeError(f"{argument} must be a file's name, got {path!r}") from None
    if not isinstance(name, str):
        raise TypeError(f"{argument} must be a string or a pathlib.Path, got {path!r}")
    return name


def is_scipy_sparse(x: Any) -> bool:
    """Returns whether x is a SciPy sparse matrix or array. SciPy need not be installed."""
    return hasattr(x, "tocsr") and any(kind.__module__.partition(".")[0] == "scipy" for kind in type(x).__mro__)


def numeric(argument: str, value: Any) -> NDArray[Any]:
    """Converts `value` to an array of real numbers, of any type and shape.

    A data frame whose columns have different number types becomes one array. So does an array of objects that are
    Python numbers. In both, missing values (NaN, None, pandas.NA) raise an error. So does an integer NA of R.

    Args:
        argument: the argument's name, for the message.
        value: an array, or anything that NumPy makes an array of.

    Raises:
        ValueError: if a value is missing or too large, or the rows have different lengths.
        TypeError: if `value` holds something other than numbers, or is a sparse matrix.
    """
    if type(value) is np.ndarray and value.dtype.kind in "buf":
        return value
    array = value if type(value) is np.ndarray and value.dtype.kind == "i" else _as_array(argument, value)
    if r_session.is_running() and (array.dtype.kind == "i" or array is not value) and (array == r_session.NA).any():
        where = np.argwhere(array == r_session.NA)[0]
        raise ValueError(f"{argument} holds NA at {place(where)}; expected a number{_on_missing(argument, value)}")
    return array


def _as_array(argument: str, value: Any) -> NDArray[Any]:
    """Converts anything but a plain array of numbers, as `numeric` does."""
    if value is None:
        raise TypeError(f"{argument} is None; expected an array")
    if is_scipy_sparse(value):
        raise TypeError(
            f"{argument} is a SciPy sparse matrix; expected a dense array: use {name_in_code(argument)}.toarray()"
        )
    if isinstance(value, np.ma.MaskedArray) and np.ma.is_masked(value):
        raise ValueError(f"{argument} is a masked array with masked elements; fill them first")
    try:
        array = np.asarray(value)
    except ValueError as error:
        why = "its rows have different lengths" if "inhomogeneous" in str(error) else str(error)
        raise ValueError(f"{argument} cannot be made an array: {why}") from error
    if array.dtype.kind == "O" and array.ndim == 0:
        is_stream = argument == "x" and hasattr(value, "__next__")
        hint = "; give what makes batches (x, y) alone, without y" if is_stream else ""
        if isinstance(value, dict) and r_session.is_running():  # which a data frame is, where there is no pandas
            hint = f"; use as.matrix({name_in_code(argument)})"
        raise TypeError(f"{argument} is of type {type(value).__name__}, which is not numeric; expected an array{hint}")
    columns = _columns_of(value) if array.ndim == 2 else None
    names = None if columns is None else [name for name, _ in columns]
    if array.dtype.kind not in "biuf":
        if columns is None:
            array = _numbers(argument, array, value)
        else:
            parts = [_numbers(argument, np.asarray(part), value, name) for name, part in columns]
            array = np.column_stack([part.astype(np.float64) for part in parts])
    if array.dtype.kind == "f" and (names is not None or hasattr(value, "fillna")):
        return as_float32(argument, array, names, _on_missing(argument, value))
    return array


def name_in_code(argument: str) -> str:
    """Returns an argument's name for code in a hint, such as x for "validation x"."""
    return argument.rpartition(" ")[2]


def _columns_of(value: Any) -> list[tuple[Any, Any]] | None:
    """Returns (name, column) for each column of a data frame of pandas or a similar library; None for other values."""
    if isinstance(value, np.ndarray) or not (hasattr(value, "columns") and hasattr(value, "dtypes")):
        return None
    return list(value.items()) if hasattr(value, "items") else [(name, value[name]) for name in value.columns]


def _numbers(argument: str, array: NDArray[Any], value: Any, column: Any = None) -> NDArray[Any]:
    """Converts an array to numbers.

    Args:
        argument: the argument's name, for the message.
        array: the whole of `value`, or one column of a data frame.
        value: the argument's value, as it was given.
        column: the column's name.

    Raises:
        ValueError: if a number is missing or too large.
        TypeError: if the array holds something other than numbers.
    """
    if array.dtype.kind in "biuf":
        return array
    if array.dtype.kind != "O":
        found = {"U": "text", "S": "text", "T": "text", "M": "date", "m": "duration"}.get(array.dtype.kind, "")
        hint = _hint(argument, found, array, column)
        where = f" in column {_quoted(column)}" if column is not None else ""
        raise TypeError(f"{argument} has dtype {array.dtype}{where}; expected real numbers{hint}")
    entries = array.reshape(-1).tolist()
    kinds = {kind: _kind_of(kind) for kind in set(map(type, entries))}
    wrong = [kind for kind in ("text", "date", "duration", "rows", "other", "missing") if kind in kinds.values()]
    if not wrong:
        try:
            return array.astype(np.float64)
        except OverflowError:
            raise ValueError(f"{argument} holds a whole number that does not fit float32") from None
    at = next(i for i, entry in enumerate(entries) if kinds[type(entry)] == wrong[0])
    first = repr(entries[at]) if wrong[0] in ("text", "missing") else f"an object of type {type(entries[at]).__name__}"
    where = place(np.unravel_index(at, array.shape)) if column is None else f"row {at}, column {_quoted(column)}"
    if wrong[0] == "missing" and (column is not None or "number" in kinds.values()):
        raise ValueError(f"{argument} holds {first} at {where}; expected a number{_on_missing(argument, value)}")
    hint = _hint(argument, wrong[0], array, column)
    if wrong[0] == "text" and any(kinds[type(entry)] == "missing" or entry != entry for entry in entries):
        hint = _on_missing(argument, value) + hint  # the command in the hint fails on missing values
    if column is not None:
        raise TypeError(f"{argument} holds {first} at {where}; expected numbers{hint}")
    raise TypeError(f"{argument} has dtype object, which is not numeric: it holds {first} at {where}{hint}")


def _kind_of(kind: type) -> str:
    """Returns which kind of value a type holds, such as "number", "text" or "date"."""
    import datetime  # imported here, because only arrays of objects need it
    import decimal

    if issubclass(kind, numbers.Real | np.bool_ | decimal.Decimal):
        return "number"
    if issubclass(kind, str | bytes):
        return "text"
    if kind.__name__ in ("NoneType", "NAType", "NaTType"):
        return "missing"
    if issubclass(kind, datetime.date | np.datetime64):
        return "date"
    if issubclass(kind, datetime.timedelta | np.timedelta64):
        return "duration"
    return "rows" if issubclass(kind, list | tuple | np.ndarray) else "other"


def _hint(argument: str, found: str, array: NDArray[Any], column: Any) -> str:
    """Returns the part of a message that says how to convert such values to numbers."""
    if array.ndim == 0:
        return ""
    name = name_in_code(argument)
    if found == "text" and not name.endswith("weight"):
        written = f"use np.asarray({name}, dtype='float32')" if all(map(_is_written_number, array.flat)) else ""
        if array.size == len(array) and (column is None or name.startswith("y")):
            labels = r_session.code(
                f"classes, {name} = np.unique({name}, return_inverse=True)", f"as.integer(factor({name})) - 1"
            )
            return (
                f"; make numbers of labels with {labels}, and one-hot rows of those with "
                f"{r_session.code('fastnet.utils.', '')}to_categorical({name})"
                + (f"; or, for numbers written as text, {written}" if written else "")
            )
        if written:
            return f"; for numbers written as text, {written}"
        frame = name if column is not None else f"pandas.DataFrame({name})"
        columns = r_session.code(f"pandas.get_dummies({frame})", f"model.matrix(~ ., {name})[, -1]")
        return f"; make columns of 0 and 1 of its categories with {columns}, or leave it out"
    part = name if column is None else f"{name}[{_quoted(column)}]"
    if found == "date":
        is_plain = array.dtype.kind == "M" and column is None
        days = f"({part} - {part}.min()) / np.timedelta64(1, 'D')"
        days = days if is_plain else f"pandas.to_datetime({part}).dt.day_of_year"
        return f"; make numbers of dates, as with {days}, or leave them out"
    if found == "duration":
        return f"; make numbers of it, as with {part} / np.timedelta64(1, 's')"
    if found == "rows":
        return f"; if all have the same length, use np.stack({part})"
    return ""


def _is_written_number(text: Any) -> bool:
    try:
        float(text)
    except (TypeError, ValueError):
        return False
    return True


def _on_missing(argument: str, value: Any) -> str:
    hint = "; fill what is missing, or leave out its row"
    name = name_in_code(argument)
    ways = r_session.code(f"{name}.fillna(0) or {name}.dropna()", f"na.omit({name})")
    return f"{hint}, as with {ways}" if hasattr(value, "fillna") else hint


def _quoted(column: Any) -> str:
    return repr(str(column)) if isinstance(column, str) else str(column)


def place(where: Sequence[Any], names: Sequence[Any] | None = None) -> str:
    """Returns a position in an array in words, such as "row 7, column 3" or "index 3"."""
    i = [int(n) for n in where]
    if len(i) == 2:
        return f"row {i[0]}, column {i[1] if names is None else _quoted(names[i[1]])}"
    return f"index {i[0]}" if len(i) == 1 else f"index {tuple(i)}"


def as_float32(argument: str, array: NDArray[Any], names: Sequence[Any] | None = None, on_missing: str = "") -> Floats:
    """Converts `array` to finite float32 numbers in C order and native byte order; copies only if needed.

    Args:
        argument: the argument's name, for the message.
        array: an array of numbers.
        names: the columns' names, for the message.
        on_missing: text to add to the message about a NaN.

    Raises:
        ValueError: if a number is not finite, or does not fit float32.
    """
    floats = array
    if array.dtype != np.float32 or not (array.flags.c_contiguous and array.flags.aligned):
        with np.errstate(over="ignore", invalid="ignore"):  # R's NA is a NaN that signals
            floats = np.require(array, np.float32, ["C", "A"])
    if not kernels.all_finite(floats.reshape(-1)):
        where = tuple(np.argwhere(~np.isfinite(floats))[0])
        before = array[where]
        if np.isfinite(before):
            raise ValueError(f"{argument} holds {before} at {place(where, names)}, which does not fit float32")
        hint = on_missing if np.isnan(before) else ""
        raise ValueError(f"{argument} holds {before} at {place(where, names)}; expected finite numbers{hint}")
    return floats


def same_shape(argument: str, value: Any, shape: tuple[int, ...]) -> Floats:
    """Checks what a user's own code returned, and converts it to float32. NaN and infinity are allowed.

    Raises:
        ValueError: if `value` has another shape. It is neither broadcast nor reshaped.
        TypeError: if `value` does not hold numbers.
    """
    array = numeric(argument, value)
    if array.shape != shape:
        raise ValueError(f"{argument} has shape {array.shape}; expected {shape}")
    with np.errstate(over="ignore"):
        return array.astype(np.float32, copy=False)


def as_examples(argument: str, array: NDArray[Any]) -> Floats | NDArray[np.uint8]:
    """Converts an array of numbers to float32; an array of uint8 stays uint8, without a copy."""
    return np.ascontiguousarray(array) if array.dtype == np.uint8 else as_float32(argument, array)


def examples(argument: str, value: Any) -> Floats | NDArray[np.uint8]:
    """Checks the examples of a data set, (n, ...), and converts them to float32; uint8 stays uint8."""
    array = numeric(argument, value)
    if array.ndim < 2:
        raise ValueError(no_examples(argument, array.shape))
    return as_examples(argument, array)


def no_examples(argument: str, shape: tuple[int, ...]) -> str:
    """Returns the message for an array with fewer than two dimensions where examples are expected."""
    name = name_in_code(argument)
    one = r_session.code(f"{name}[None]", f"matrix({name}, 1)")
    many = r_session.code(f"{name}[:, None]", f"matrix({name})")
    hint = f"; for one example use {one}, for examples of one number {many}" if shape else ""
    return f"{argument} has {len(shape)} dimensions, shape {shape}; expected examples, (n, ...){hint}"


def features(argument: str, value: Any) -> Floats:
    """Checks the rows of a data set, (n, K) with n >= 0, and converts them to float32."""
    array = numeric(argument, value)
    if array.ndim != 2:
        hint = ""
        if array.ndim == 1:
            hint = f"; for one example use {name_in_code(argument)}[None]"
        elif array.ndim > 2:
            hint = f"; use {name_in_code(argument)}.reshape({array.shape[0]}, {math.prod(array.shape[1:])})"
        raise ValueError(
            f"{argument} has {array.ndim} dimensions, shape {array.shape}; expected 2, (examples, features){hint}"
        )
    return as_float32(argument, array)


def sample_weights(argument: str, value: Any, length: int) -> Floats:
    """Checks the weights of `length` examples, and converts them to float32 of shape (length,)."""
    weights = as_float32(argument, numeric(argument, value))
    if weights.ndim == 2 and weights.shape[1] == 1:
        weights = weights[:, 0]
    if weights.shape != (length,):
        raise ValueError(f"{argument} has shape {weights.shape}; expected one number an example, ({length},)")
    if weights.size and weights.min() < 0:
        raise ValueError(f"{argument} holds {weights.min()} at index {weights.argmin()}; expected no negative number")
    return weights


def class_weights(argument: str, value: Any, targets: NDArray[Any], units: int) -> Floats:
    """Returns the weight of each example, (n,), from a dict of the weights of classes.

    Targets are rows, (n, units), or labels, (n, 1) int32. A class that is not in the dict has weight 1. A class may be
    any whole number: 1, 1.0, np.int64(1) or True; or "1", because the names in R's lists are strings.
    """
    if not isinstance(value, dict):
        by_class = r_session.code(f"dict(enumerate({argument}))", 'list("0" = 1, "1" = 2)')
        hint = f"; use {by_class}" if isinstance(value, list | tuple | np.ndarray) else ""
        raise TypeError(f"{argument} must be a dict from class to weight, got {value!r}{hint}")
    classes = units if units > 1 else 2
    table = np.ones(classes, np.float32)
    for key, weight in value.items():
        is_written = isinstance(key, bool | np.bool_) or (isinstance(key, str) and key.isdecimal())
        label = integer(f"{argument}'s class", int(key) if is_written else key, least=0)
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
    """Checks that a data set has as many targets as examples, and at least one."""
    if y.ndim == 0 or len(x) != len(y):
        raise ValueError(
            f"{names} must have the same number of examples, got {len(x)} and {len(y) if y.ndim else 'a single number'}"
        )
    if len(x) == 0:
        raise ValueError(f"{names} hold 0 examples; expected at least 1")
