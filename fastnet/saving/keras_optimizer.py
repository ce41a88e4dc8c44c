"""The state of an optimizer in the order in which Keras numbers its arrays.

First come the number of steps and, without a schedule, the learning rate; then the averages and the sums of gradients
that every optimizer can have; then the arrays of its own. Keras makes some arrays for one variable after the other, as
Adam's momentum and velocity, and others for all variables together, as those of RMSprop.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fastnet.arrays.variables import Variable
from fastnet.checks import Floats
from fastnet.layers.base import Shape
from fastnet.optimizers import Adam, Nadam, Optimizer, RMSprop
from fastnet.recorded import snake_case
from fastnet.saving.keras_weights import Arrays, Group
from fastnet.saving.layout import refusals
from fastnet.terminal import screen

_PATH = "optimizer"
_MOST = 2**31  # steps: Keras counts them in 32 bits


class Entry(NamedTuple):
    """An array of a variable's state.

    Attributes:
        variable: the variable; None for an array that belongs to none.
        slot: fastnet's name of the state; "" for a number that only Keras keeps.
        shape: the shape that Keras has.
        axis: the axis along which all of fastnet's numbers are equal, so that Keras has one of them; None for none.
        number: what Keras has instead of a state.
    """

    variable: Variable | None
    slot: str
    shape: Shape
    axis: int | None = None
    number: Any = 0


def entries(optimizer: Optimizer, variables: list[Variable]) -> list[Entry]:
    """Returns the arrays of all variables' states, in Keras's order."""
    if type(optimizer).__name__ == "Adafactor":
        own = [entry for variable in variables for entry in _of_adafactor(variable)]
    else:
        own = [entry for names in _groups(optimizer) for entry in _each(optimizer, variables, names)]
    if isinstance(optimizer, Nadam):
        own.append(
            Entry(None, "", (), number=np.float32(optimizer._product(optimizer._done) if optimizer._done else 1))
        )
    shared = (("average",), ("gradient_accumulator",))
    return [entry for names in shared for entry in _each(optimizer, variables, names)] + own


def _groups(optimizer: Optimizer) -> list[tuple[str, ...]]:
    """Returns the names of the states of its own. Those in one tuple are made together for each variable."""
    if isinstance(optimizer, RMSprop):
        return [("velocity",), ("momentum",), ("average_gradient",)]
    if isinstance(optimizer, Adam):
        return [("momentum", "velocity"), ("velocity_hat",)]
    if type(optimizer).__name__ == "Muon":
        return [("momentum", "velocity")]
    return [optimizer.slots]


def _each(optimizer: Optimizer, variables: list[Variable], names: tuple[str, ...]) -> Iterator[Entry]:
    for variable in variables:
        for name in names:
            if name in optimizer._slots_of(variable):
                yield Entry(variable, name, variable.shape)


def _of_adafactor(variable: Variable) -> Iterator[Entry]:
    """Yields the means of rows and columns, and the mean square. Keras has all three, also those that are not used."""
    shape = variable.shape
    if len(shape) > 1:
        yield Entry(variable, "row", shape[:-1], axis=-1)
        yield Entry(variable, "column", (*shape[:-2], shape[-1]), axis=-2)
        yield Entry(None, "", shape)
    else:
        yield Entry(None, "", (), number=np.int32(0))
        yield Entry(None, "", (), number=np.int32(0))
        yield Entry(variable, "velocity", shape)


# Writing --------------------------------------------------------------------------------------------------------------


def group_of(model: Any) -> Group:
    """Returns the group of a compiled model's optimizer. A state that no step has made yet is as at its beginning."""
    optimizer: Optimizer = model.optimizer
    if optimizer._iterations >= _MOST:
        raise ValueError(f"the optimizer has done {optimizer._iterations} steps; Keras counts up to {_MOST - 1}")
    values: list[Any] = [np.int32(optimizer._iterations)]
    if optimizer._schedule is None:
        values.append(np.float32(optimizer.learning_rate))
    if model.built:
        values += [_value(optimizer, entry) for entry in entries(optimizer, model.trainable_weights)]
    name = optimizer.name if optimizer._is_named else snake_case(type(optimizer).__name__)
    return Group(_PATH, name, {str(i): value for i, value in enumerate(values)})


def _value(optimizer: Optimizer, entry: Entry) -> NDArray[Any]:
    if entry.variable is None:
        return np.full(entry.shape, entry.number, getattr(entry.number, "dtype", np.float32))
    packed = optimizer._slots.get((entry.variable, entry.slot))
    if packed is None:
        packed = optimizer._first_state(entry.variable, entry.slot)
    array = entry.variable.unpack(packed)
    return array if entry.axis is None else np.asarray(array.take(0, entry.axis))


# Reading --------------------------------------------------------------------------------------------------------------


def restore(arrays: Arrays, model: Any) -> Callable[[], None] | None:
    """Checks the optimizer's state in a file; returns a function that sets it, or None if the file has none.

    Raises:
        ModelFormatError: if a shape or a number does not fit.
    """
    optimizer: Optimizer = model.optimizer
    keys = arrays.keys_of(_PATH)
    if not keys:
        return None
    expected = entries(optimizer, model.trainable_weights) if model.built else []
    first = 1 if optimizer._schedule is not None else 2
    if isinstance(optimizer, Nadam) and expected and arrays.shapes.get(f"{_PATH}/vars/{first}") == ():
        expected = [expected[-1], *expected[:-1]]  # older versions of Keras have Nadam's product first
    slots = {}
    with refusals(arrays.path, "holds an optimizer's state that does not fit"):
        if set(keys) != {str(i) for i in range(len(keys))}:
            raise ValueError(f"arrays {sorted(keys)!s:.200}")
        step = _number(arrays, 0, np.integer)
        if not 0 <= step < 2**63:
            raise ValueError(f"{step} steps")
        rate = None
        if first == 2 and len(keys) > 1:
            rate = float(_number(arrays, 1, np.floating))
            if not 0 <= rate < math.inf:
                raise ValueError(f"the learning rate {rate}")
        if len(keys) == first + len(expected):
            for i, entry in enumerate(expected, first):
                if entry.slot and entry.variable is not None:
                    slots[entry.variable, entry.slot] = _slot(arrays, i, entry, entry.variable)
    if len(keys) not in (first, first + len(expected)):
        warnings.warn(
            f"{arrays.path!r} holds {len(keys)} arrays of the optimizer, but {optimizer!r} has "
            f"{first + len(expected)} for this model: it begins without its former state, as in Keras",
            stacklevel=4,
        )
        return None

    def set_all() -> None:
        if rate is not None and rate != np.float32(optimizer.learning_rate):  # else the description has more digits
            optimizer.learning_rate = rate
        optimizer._iterations = int(step)
        optimizer.replace_slots(slots)

    return set_all


def _number(arrays: Arrays, i: int, kind: Any) -> Any:
    name = f"{_PATH}/vars/{i}"
    if arrays.shapes[name] != () or not np.issubdtype(arrays.found[name].dtype, kind):
        raise ValueError(f"{name!r} is no number as expected")
    return arrays.raw(name)[()]


def _slot(arrays: Arrays, i: int, entry: Entry, variable: Variable) -> Floats:
    name = f"{_PATH}/vars/{i}"
    if arrays.shapes[name] != entry.shape:
        raise ValueError(
            f"{name!r} has the shape {arrays.shapes[name]}, but the {entry.slot} of "
            f"{screen.printable(variable.name)} has {entry.shape}"
        )
    array = arrays[name]
    if entry.axis is not None:
        array = np.broadcast_to(np.expand_dims(array, entry.axis), variable.shape)
    return variable.pack(np.ascontiguousarray(array))
