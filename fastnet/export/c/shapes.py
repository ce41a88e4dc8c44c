"""Reads a model into the steps of `steps.py`: what each layer computes outside of training."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from fastnet import activations, layers
from fastnet.activations import Activation
from fastnet.activations.base import SILENT
from fastnet.export.c.steps import (
    Affine,
    Dense,
    Embedding,
    Gather,
    Glu,
    Mean,
    Normalize,
    Pattern,
    Pointwise,
    PRelu,
    RowActivation,
    Step,
    pattern_of,
)
from fastnet.export.kinds import kind_of
from fastnet.layers import Layer
from fastnet.layers.activation import ActivationLayer
from fastnet.recorded import is_ours

_NOTHING = {
    "ActivityRegularization", "AlphaDropout", "Dropout", "Flatten", "GaussianDropout", "GaussianNoise", "Identity",
    "InputLayer", "Reshape",
}  # fmt: skip
_OF_ACTIVATION = {"Activation", "ELU", "LeakyReLU", "ReLU"}
_KNOWN = (
    "Dense, Activation, ReLU, LeakyReLU, PReLU, ELU, Softmax, Flatten, Reshape, Permute, RepeatVector, Dropout and "
    "noise, Rescaling, Normalization, BatchNormalization, LayerNormalization, GroupNormalization, RMSNormalization, "
    "UnitNormalization, GlobalAveragePooling1D, Embedding"
)
_BEFORE = "compute it in the program that calls the network, and export a model of the layers after it"
_ADVICE = {
    "CategoryEncoding": _BEFORE,
    "Discretization": _BEFORE,
    "IntegerLookup": _BEFORE,
    "StringLookup": _BEFORE,
    "Lambda": "Python code cannot be written in C; use a layer or an activation of fastnet, or export the layers "
    "before and after it as two models",
}


def steps_of(model: Any) -> list[Step]:
    """Returns the steps of a built model.

    Raises:
        ValueError: if a layer or an activation has no form in C. The message names it and says what can be done.
    """
    steps: list[Step] = []
    for layer in model._layers:
        steps += _steps(layer)
    numbers = math.prod(model.input_shape[1:])
    return steps or [Affine("", numbers, numbers, Pattern(1, 1, numbers))]  # a copy


def _steps(layer: Layer) -> list[Step]:
    """Returns the steps of a layer. A user's subclass that computes something of its own is not accepted."""
    kind, name = kind_of(layer), type(layer).__name__
    if kind in _NOTHING:
        return []
    if kind in _OF_ACTIVATION:
        assert isinstance(layer, ActivationLayer)
        return _activation(layer, layer.activation, layer.input_shape or ())
    reader = globals().get(f"_read_{kind}")
    if reader is not None:
        found: list[Step] = reader(layer)
        return found
    what, advice = f"is of class {name}", _ADVICE.get(kind or "", _BEFORE)
    if kind is None:
        what = "has a method that you replaced" if is_ours(type(layer)) else f"is of your class {name}"
        advice = "Python code cannot be written in C; make it of layers of this list"
    raise ValueError(f"layer {layer.name!r} {what}, which has no form in C: {advice}. The list: {_KNOWN}")


def _activation(layer: Layer, activation: Activation, shape: tuple[int, ...]) -> list[Step]:
    numbers = math.prod(shape)
    if type(activation) is activations.Linear:
        return []
    if activation.halves:
        return [Glu(layer.name, numbers, numbers // 2, shape[-1] // 2)]
    if activation.elementwise:
        return [Pointwise(layer.name, numbers, numbers, activation)]
    return [RowActivation(layer.name, numbers, numbers, activation, shape[-1])]


def _read_Dense(layer: layers.Dense) -> list[Step]:  # noqa: N802
    shape, output = layer.input_shape or (), layer.output_shape or ()
    bias = None if layer.bias is None else layer.bias.numpy()
    kernel = layer.kernel.numpy()
    product = Dense(layer.name, math.prod(shape), math.prod(output), math.prod(shape[:-1]), kernel, bias)
    return [product, *_activation(layer, layer.activation, output)]


def _affine(layer: Layer, mean: Any = None, factor: Any = None, shift: Any = None) -> list[Step]:
    """Returns (x - mean) factor + shift, for arrays that can be broadcast to an example."""
    shape = layer.input_shape or ()
    given = {"mean": mean, "factor": factor, "shift": shift}
    with np.errstate(**SILENT):
        arrays = {name: np.asarray(array, np.float32) for name, array in given.items() if array is not None}
    if not all(np.isfinite(array).all() for array in arrays.values()):
        raise ValueError(f"layer {layer.name!r} has a factor or a shift that does not fit float32")
    common = np.broadcast_shapes(*(array.shape for array in arrays.values()))
    pattern = pattern_of(common, shape)
    if pattern is None:
        common, pattern = shape, Pattern(1, math.prod(shape), 1)
    spread = {name: np.broadcast_to(array, common).reshape(-1) for name, array in arrays.items()}
    return [Affine(layer.name, math.prod(shape), math.prod(shape), pattern, **spread)]


def _read_Rescaling(layer: layers.Rescaling) -> list[Step]:  # noqa: N802
    return _affine(layer, factor=layer.scale, shift=layer.offset if np.any(layer.offset) else None)


def _read_Normalization(layer: layers.Normalization) -> list[Step]:  # noqa: N802
    mean, deviation = (array[0] for array in layer._statistics())
    if layer.invert:
        return _affine(layer, factor=deviation, shift=mean)
    return _affine(layer, mean=mean, factor=1 / deviation.astype(np.float64))


def _read_BatchNormalization(layer: layers.BatchNormalization) -> list[Step]:  # noqa: N802
    with np.errstate(**SILENT):
        factor = 1 / np.sqrt(layer.moving_variance.numpy().astype(np.float64) + layer.epsilon)
    if not np.isfinite(factor).all():
        raise ValueError(f"layer {layer.name!r} has a moving variance of 0 or less and epsilon {layer.epsilon}")
    if layer.gamma is not None:
        factor = factor * layer.gamma.numpy()
    shift = None if layer.beta is None else layer.beta.numpy().reshape(layer._shape)[0]
    mean = layer.moving_mean.numpy().reshape(layer._shape)[0]
    return _affine(layer, mean=mean, factor=factor.reshape(layer._shape)[0], shift=shift)


def _scaled(layer: Any) -> list[Step]:
    """Returns the multiplication by gamma and the addition of beta of a normalization."""
    gamma, beta = (None if v is None else v.numpy().reshape(layer._shape)[0] for v in (layer.gamma, layer.beta))
    return [] if gamma is None and beta is None else _affine(layer, factor=gamma, shift=beta)


def _along(layer: Layer, shape: tuple[int, ...], axes: tuple[int, ...], make: Any) -> list[Step]:
    """Returns a step for rows along some axes of an example: brings these axes to the end, and back afterwards.

    Args:
        layer: the layer.
        shape: the shape of an example.
        axes: the axes of a batch, from 1.
        make: makes the step from the number of places along the axes.
    """
    numbers, along = math.prod(shape), tuple(axis - 1 for axis in axes)
    order = np.arange(numbers).reshape(shape)
    moved = np.moveaxis(order, along, range(-len(along), 0)).reshape(-1)
    step = make(math.prod(shape[axis] for axis in along))
    if (moved == order.reshape(-1)).all():
        return [step]
    there = Gather(layer.name, numbers, numbers, moved)
    return [there, step, *([Gather(layer.name, numbers, numbers, np.argsort(moved))] if step.in_place else [])]


def _normalize(
    layer: Any, shape: tuple[int, ...], axes: Any, center: bool, average: bool, epsilon: float
) -> list[Step]:
    numbers = math.prod(shape)
    return _along(
        layer, shape, axes, lambda units: Normalize(layer.name, numbers, numbers, units, center, average, epsilon)
    )


def _read_LayerNormalization(layer: layers.LayerNormalization) -> list[Step]:  # noqa: N802
    return _normalize(layer, layer.input_shape or (), layer._axes, True, True, layer.epsilon) + _scaled(layer)


def _read_GroupNormalization(layer: layers.GroupNormalization) -> list[Step]:  # noqa: N802
    return _normalize(layer, layer._split[1:], layer._grouped, True, True, layer.epsilon) + _scaled(layer)


def _read_RMSNormalization(layer: layers.RMSNormalization) -> list[Step]:  # noqa: N802
    scale = layer.scale.numpy().reshape(layer._shape)[0]
    steps = _normalize(layer, layer.input_shape or (), layer._axes, False, True, layer.epsilon)
    return steps + _affine(layer, factor=scale)


def _read_UnitNormalization(layer: layers.UnitNormalization) -> list[Step]:  # noqa: N802
    return _normalize(layer, layer.input_shape or (), layer._axes, False, False, 0.0)


def _read_Softmax(layer: layers.Softmax) -> list[Step]:  # noqa: N802
    shape = layer.input_shape or ()
    numbers = math.prod(shape)
    return _along(
        layer, shape, layer._axes, lambda units: RowActivation(layer.name, numbers, numbers, activations.softmax, units)
    )


def _read_GlobalAveragePooling1D(layer: layers.GlobalAveragePooling1D) -> list[Step]:  # noqa: N802
    shape = layer.input_shape or ()
    numbers = math.prod(shape)
    return _along(layer, shape, (layer._axis,), lambda units: Mean(layer.name, numbers, numbers // units, units))


def _read_PReLU(layer: layers.PReLU) -> list[Step]:  # noqa: N802
    shape, alpha = layer.input_shape or (), layer.alpha.numpy()
    numbers, pattern = math.prod(shape), pattern_of(alpha.shape, shape)
    if pattern is None:
        alpha, pattern = np.broadcast_to(alpha, shape), Pattern(1, numbers, 1)
    return [PRelu(layer.name, numbers, numbers, pattern, alpha.reshape(-1))]


def _read_Permute(layer: layers.Permute) -> list[Step]:  # noqa: N802
    shape = layer.input_shape or ()
    places = np.arange(math.prod(shape)).reshape(shape).transpose([axis - 1 for axis in layer.dims])
    return [Gather(layer.name, places.size, places.size, places.reshape(-1))]


def _read_RepeatVector(layer: layers.RepeatVector) -> list[Step]:  # noqa: N802
    (units,) = layer.input_shape or (1,)
    return [Gather(layer.name, units, units * layer.n, np.tile(np.arange(units), layer.n))]


def _read_Embedding(layer: layers.Embedding) -> list[Step]:  # noqa: N802
    numbers = math.prod(layer.input_shape or ())
    return [Embedding(layer.name, numbers, numbers * layer.output_dim, layer.embeddings.numpy())]


def is_classifier(model: Any, steps: list[Step]) -> tuple[bool, float]:
    """Tells whether an output is a class, and from which value on a single output means class 1.

    The class is the place of the largest output, as in `predict_classes`. A regression has no classes.
    """
    last = steps[-1]
    if len(model.output_shape) != 2:
        return False, 0.0
    if getattr(model.loss, "from_logits", False):
        return True, 0.0
    of_units = isinstance(last, RowActivation) and last.units == last.outputs > 1
    is_sigmoid = isinstance(last, Pointwise) and type(last.activation) is activations.Sigmoid
    return of_units or is_sigmoid or type(model.loss).__name__ == "CategoricalHinge", 0.5
