"""Agreement: what all ranks must have in common before they train, and the state that they take over from rank 0."""

from __future__ import annotations

import zlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastnet import recorded
from fastnet._version import __version__
from fastnet.distributed.group import Group
from fastnet.saving.state import generators_of
from fastnet.training.inputs import Data
from fastnet.training.streams import Stream

_ROWS = 256  # of a data set that are compared

Facts = dict[str, Any]


def facts_of(model: Any, source: Any, validation: Any, callbacks: list[Any], arguments: Facts) -> Facts:
    """Returns what must be the same on all ranks, by the names that an error uses."""
    facts: Facts = {"the version of fastnet": __version__}
    facts["the model"] = [(type(layer).__name__, layer.input_shape, layer.trainable) for layer in model._layers]
    facts["the weights"] = [(variable.name.rpartition("/")[2], variable.shape) for variable in model.weights]
    for name, part in ("optimizer", model.optimizer), ("loss", model.loss):
        facts[f"the {name}"] = type(part).__name__, _plain(part.get_config() | {"name": None, "learning_rate": None})
    facts["the list of metrics"] = [(metric.name, type(metric).__name__) for metric in model._metrics]
    facts |= {f"the argument {name}": value for name, value in arguments.items()}
    facts["the argument steps_per_execution"] = model.steps_per_execution
    facts |= {f"x and y{name}": value for name, value in _described(source).items()}
    facts |= {f"validation_data{name}": value for name, value in _described(validation).items()}
    facts["the list of fastnet's callbacks"] = [
        type(each).__name__
        for each in callbacks
        if recorded.is_ours(type(each)) and type(each).__name__ != "LambdaCallback"
    ]
    return facts


def _plain(config: Facts) -> Facts:
    """Returns the entries of a configuration that are numbers, texts or None."""
    return {name: value for name, value in config.items() if isinstance(value, int | float | str | None)}


def _described(source: Any) -> Facts:
    if source is None or isinstance(source, Stream):
        return {"": type(source).__name__, ", the number of batches": len(source) if source is not None else 0}
    data: Data = source
    return {
        ", the number of rows": len(data.x),
        ", the shape of a row": data.shape,
        ", the weights of the rows": data.weights is not None,
        ", the numbers in them (a checksum)": digest_of(data),
    }


def difference(facts: list[Facts]) -> str | None:
    """Returns what differs first between the ranks, as a sentence; None if all is the same."""
    for rank, theirs in enumerate(facts):
        for name in facts[0] | theirs:
            first, other = facts[0].get(name), theirs.get(name)
            if first != other:
                return (
                    f"{name}: rank 0 has {first!r:.200}, but rank {rank} has {other!r:.200}; all ranks must have the "
                    "same model, and give the same data and arguments to fit, which takes a rank's part of every batch"
                )
    return None


def digest_of(data: Data) -> int:
    """Returns a checksum of some rows of a data set, with their targets and weights."""
    count = len(data.x)
    rows = np.unique(np.linspace(0, max(0, count - 1), min(count, _ROWS)).astype(np.intp))
    x: Any = data.x
    arrays = [data.targets, data.weights]
    if not x.is_sparse:
        return checksum([x.array[rows], *(array[rows] for array in arrays if array is not None)])
    ends = [slice(x.indptr[row], x.indptr[row + 1]) for row in rows.tolist()]
    parts = [each[end] for each in (x.indices, x.values) for end in ends]
    return checksum([*parts, *(array[rows] for array in arrays if array is not None)])


def checksum(arrays: list[NDArray[Any]], before: int = 0) -> int:
    """Returns the CRC-32 of the bytes of some arrays, which follow bytes with the checksum `before`."""
    for array in arrays:
        before = zlib.crc32(np.ascontiguousarray(array).view(np.uint8).reshape(-1), before)  # type: ignore[arg-type]
    return before


def checksum_of_weights(model: Any) -> int:
    """Returns the checksum of all weights of a model, to the bit."""
    return checksum([variable.packed for variable in model.weights])


def checksum_of_generators(model: Any) -> int:
    """Returns the checksum of the states of all random generators that the training uses."""
    return zlib.crc32(repr([each.bit_generator.state for each in generators_of(model).values()]).encode())


def take_over(group: Group, model: Any) -> None:
    """Sets weights, optimizer's state and random generators to those of rank 0."""
    for variable in model.weights:
        group.array_from_first(variable.packed)
    optimizer, order = model.optimizer, {variable: i for i, variable in enumerate(model.weights)}
    rate = None if optimizer._schedule is not None else optimizer._fixed_rate
    keys = [(order[variable], name) for variable, name in optimizer._slots if variable in order]
    iterations, rate, keys = group.from_first((optimizer._iterations, rate, keys))
    optimizer._iterations = iterations
    if rate is not None:
        optimizer.learning_rate = rate
    slots = {(model.weights[i], name): optimizer.slot(model.weights[i], name) for i, name in keys}
    for state in slots.values():
        group.array_from_first(state)
    optimizer.replace_slots(slots)
    take_over_generators(group, model)


def take_over_generators(group: Group, model: Any) -> None:
    """Sets all random generators that the training uses to those of rank 0."""
    generators = generators_of(model)
    states = group.from_first([generator.bit_generator.state for generator in generators.values()])
    for generator, state in zip(generators.values(), states, strict=True):
        generator.bit_generator.state = state
