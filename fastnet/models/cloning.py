"""Makes a model with the layers of another one and new weights."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

from fastnet.activations import Activation
from fastnet.layers import InputLayer
from fastnet.layers.tensor import Tensor
from fastnet.models.model import Model
from fastnet.models.sequential import Sequential
from fastnet.recorded import Recorded


def clone_model(
    model: Model,
    input_tensors: Any = None,
    clone_function: Callable[[Any], Any] | None = None,
    call_function: Callable[[Any, Tensor], Tensor] | None = None,
    recursive: bool = False,
) -> Any:
    """Makes a model with the same layers and new weights. If the model is compiled, so is the new one.

    Args:
        model: the model.
        input_tensors: the `Input` of the clone; by default a new one of the same shape.
        clone_function: makes a new layer from each layer; by default one of the same class with the same arguments.
        call_function: is called with each new layer and a tensor, and returns the tensor on which the next layer is
            called. It may add layers. Only for a `Model` of tensors, not for a `Sequential`.
        recursive: whether `clone_function` gets the layers of the models among the layers, instead of these models.

    Returns:
        A `Sequential` or `Model`, as the model is.

    Raises:
        ValueError: if there is a `call_function` for a `Sequential`.
        TypeError: if an argument or what `clone_function` returns is of another type.
    """
    if isinstance(model, Sequential) and call_function is not None:
        raise ValueError("call_function is for a Model of tensors; a Sequential does not call its layers on tensors")
    if isinstance(input_tensors, list | tuple) and len(input_tensors) == 1:
        input_tensors = input_tensors[0]
    if input_tensors is not None and not isinstance(input_tensors, Tensor):
        raise TypeError(f"input_tensors must be None or a tensor such as Input((784,)), got {input_tensors!r:.80}")

    def cloned(entry: Any) -> Any:
        if recursive and isinstance(entry, Model):
            function = None if isinstance(entry, Sequential) else call_function
            return clone_model(entry, None, clone_function, function, True)
        if clone_function is not None:
            return clone_function(entry)
        return clone_model(entry) if isinstance(entry, Model) else type(entry).from_config(entry.get_config())

    clone: Model
    if clone_function is None and call_function is None and input_tensors is None:
        clone = Model.from_config(model.get_config(), _own_classes(model))
    elif isinstance(model, Sequential):
        shape = model._input_shape
        start = [] if shape is None else [InputLayer(shape)]
        clone = Sequential([*([input_tensors] if input_tensors else start), *map(cloned, model.layers)], model.name)
    else:
        last = first = model.input if input_tensors is None else input_tensors
        for entry in model._entries:
            layer = cloned(entry)
            last = layer(last) if call_function is None else call_function(layer, last)
        clone = Model(first, last, name=model.name)
    if model.optimizer is not None:
        kept, weighted = ([copy.copy(m) for m in model._metrics if m.weighted == counts] for counts in (False, True))
        optimizer = type(model.optimizer).from_config(model.optimizer.get_config())
        loss = copy.copy(model.loss)
        clone.compile(optimizer, loss, kept, weighted, steps_per_execution=model.steps_per_execution)
        clone.reset_metrics()
    return clone


def _own_classes(model: Model) -> dict[str, Any]:
    """Returns by name the classes and activations that `from_config` needs, some of them the user's own."""
    objects: dict[str, Any] = {}
    for layer in model._layers:
        for thing in (layer, *vars(layer).values()):  # a user's own initializer is an attribute of its layer
            if isinstance(thing, Recorded):
                objects[type(thing).__name__] = type(thing)
            if isinstance(thing, Activation):
                objects[thing.name] = thing
    return objects
