"""Layer: what every layer has, and what one of your own must say.

    class Scale(Layer):
        def build(self, input_shape):
            self.factor = self.add_weight(input_shape, "ones", name="factor")

        def call(self, x, training=False):
            return x * self.factor.numpy()

        def gradient(self, x, y, dy):
            return dy * self.factor.numpy(), [(dy * x).sum(axis=0)]

`model.check_gradients(x, y)` then shows whether `gradient` is that of `call`.
"""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Any

import numpy as np

from fastnet import checks, constraints, initializers, regularizers
from fastnet.checks import Floats
from fastnet.variables import Variable

if TYPE_CHECKING:
    from fastnet.optimizers import Sink

Shape = tuple[int, ...]
LAYER_ARGUMENTS = ("name", "trainable", "input_shape", "input_dim", "dtype")  # what every layer takes by keyword


def shape_of(argument: str, shape: Any) -> Shape:
    """The shape of one example: (784,), (28, 28), or a bare number.

    Raises:
        ValueError: if a dimension is below 1, or there is none.
        TypeError: if it is no shape.
    """
    if isinstance(shape, int | np.integer):
        return (checks.integer(argument, shape, least=1),)
    try:
        dimensions = tuple(shape)
    except TypeError:
        raise TypeError(f"{argument} must be a shape such as (784,), got {shape!r}") from None
    if not dimensions:
        raise ValueError(f"{argument} must have at least one dimension, as in (784,), got {shape!r}")
    return tuple(checks.integer(argument, n, least=1) for n in dimensions)


def snake_case(name: str) -> str:
    """BatchNormalization becomes batch_normalization, as Keras names layers."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name).lower()


class Layer:
    """Base of all layers.

    A subclass says in `build` which weights it has, in `call` what it computes and in `gradient` the way back; all of
    them work on plain float32 arrays whose first axis is the batch's. Other attributes of a subclass are its own.

    Args:
        name: by default the class's, in Keras's spelling, with a number if the model has several.
        trainable: whether an optimizer may change the weights.
        input_shape: the shape of one example, for a first layer without an `Input` before it.
        input_dim: the same as a number.
        dtype: ``"float32"`` or None, which is the same.

    Attributes:
        input_shape, output_shape: shapes of one example; None before the layer is built.
        built: whether the weights are there.

    Raises:
        ValueError, TypeError: if an argument is not of that kind.
    """

    keeps_zeros = False  # whether zeros stay zeros and nothing but a factor, `scale`, is applied to the rest

    def __init__(
        self,
        *,
        name: str | None = None,
        trainable: bool = True,
        input_shape: Any = None,
        input_dim: int | None = None,
        dtype: Any = None,
    ) -> None:
        if dtype not in (None, "float32", np.float32):
            raise ValueError(f"dtype must be 'float32', the only one that fastnet computes in, got {dtype!r}")
        if input_shape is not None and input_dim is not None:
            raise ValueError("give input_shape or input_dim, not both")
        self.input_shape: Shape | None = None
        self.output_shape: Shape | None = None
        if input_shape is not None:
            self.input_shape = shape_of("input_shape", input_shape)
        elif input_dim is not None:
            self.input_shape = shape_of("input_dim", input_dim)
        if name is not None and not isinstance(name, str):
            raise TypeError(f"name must be a string, got {name!r}")
        self.name = name or ""
        self.trainable = bool(trainable)
        self.built = False
        self._weights: list[Variable] = []

    # What a subclass says ---------------------------------------------------------------------------------------------

    def build(self, input_shape: Shape) -> None:
        """Makes the weights, with `add_weight`, for examples of this shape."""

    def call(self, x: Floats, training: bool = False) -> Floats:
        """The output, (B, *output_shape), for a batch (B, *input_shape)."""
        raise NotImplementedError(f"{type(self).__name__} has no call()")

    def gradient(self, x: Floats, y: Floats, dy: Floats) -> Any:
        """The way back, after a `call` with x that returned y.

        Args:
            x, y, dy: the batch, the output, and the loss's gradient by the output.

        Returns:
            The gradient by x; for a layer with weights a pair of it and a list of the gradients by the trainable ones.
        """
        raise NotImplementedError(f"{type(self).__name__} has no gradient(), so a model cannot be trained through it")

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """The output's shape for examples of this shape; the same unless overridden."""
        return input_shape

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments, from which `from_config` makes a layer alike."""
        config: dict[str, Any] = {"name": self.name}
        if not self.trainable:
            config["trainable"] = False
        return config

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Layer:
        """A new layer from what `get_config` returned."""
        return cls(**config)

    # What a model asks for --------------------------------------------------------------------------------------------

    def add_weight(
        self,
        shape: Any,
        initializer: Any = "glorot_uniform",
        name: str = "weight",
        trainable: bool = True,
        regularizer: Any = None,
        constraint: Any = None,
    ) -> Variable:
        """A new array of the layer: of weights or, not trainable, of state."""
        shape = shape_of("shape", shape)
        value = initializers.get(initializer)(shape)
        variable = Variable(np.asarray(value, np.float32), f"{self.name}/{name}")
        variable.trainable = bool(trainable)
        variable.regularizer = regularizers.get(regularizer)
        variable.constraint = constraints.get(constraint)
        self._weights.append(variable)
        return variable

    def ensure_built(self, input_shape: Shape) -> None:
        """Builds the layer for examples of this shape; does nothing if it is built for it.

        Raises:
            ValueError: if the layer expects examples of another shape.
            MemoryError: if the weights do not fit in memory.
        """
        if self.input_shape not in (None, input_shape):
            raise checks.ShapeError(
                f"layer {self.name!r} expects examples of shape {self.input_shape}, but is given {input_shape}"
            )
        if self.built:
            return
        output_shape = self.compute_output_shape(input_shape)
        weights = self._weights
        self._weights = []
        try:
            self.build(input_shape)
        except BaseException:
            self._weights = weights
            raise
        self.input_shape, self.output_shape = input_shape, output_shape
        self.built = True

    @property
    def scale(self) -> float:
        """The factor of a layer that keeps zeros."""
        return 1.0

    @property
    def weights(self) -> list[Variable]:
        """All arrays of the layer, those that are not trained too; empty before it is built."""
        return list(self._weights)

    @property
    def trainable_weights(self) -> list[Variable]:
        return [v for v in self.weights if v.trainable] if self.trainable else []

    @property
    def non_trainable_weights(self) -> list[Variable]:
        return [v for v in self.weights if not (self.trainable and v.trainable)]

    def count_params(self) -> int:
        """The number of weights."""
        return sum(variable.size for variable in self.weights)

    def get_weights(self) -> list[Floats]:
        """Copies of the layer's arrays."""
        return [variable.numpy() for variable in self.weights]

    def set_weights(self, weights: Any) -> None:
        """Sets the layer's arrays, from a list as `get_weights` returns it; errors as the model's."""
        assign_all(f"layer {self.name!r}", self.weights, weights)

    def forward(self, x: Floats, training: bool = False) -> Floats:
        """The output for a batch, both as rows: (B, ld) float32 of which the first columns count."""
        y = np.asarray(self.call(self._shaped(x, self.input_shape), training=training), np.float32)
        expected = (len(x), *(self.output_shape or ()))
        if y.shape != expected:
            raise ValueError(f"layer {self.name!r}: call() returned shape {y.shape}, expected {expected}")
        return np.ascontiguousarray(y.reshape(len(y), -1))

    def backward(self, x: Floats, y: Floats, dy: Floats, sink: Sink, need_dx: bool) -> Floats | None:
        """Hands the gradients by the weights to `sink`; returns the gradient by x, or None if nobody needs it."""
        shaped = self._shaped(x, self.input_shape)
        result = self.gradient(shaped, self._shaped(y, self.output_shape), self._shaped(dy, self.output_shape))
        dx, gradients = result if isinstance(result, tuple) else (result, [])
        variables = [v for v in self.weights if v.trainable]
        if len(gradients) != len(variables):
            raise ValueError(
                f"layer {self.name!r}: gradient() returned {len(gradients)} gradients for {len(variables)} weights"
            )
        if self.trainable:
            for variable, gradient in zip(variables, gradients, strict=True):
                sink.apply(variable, variable.pack(np.asarray(gradient, np.float32).reshape(variable.shape)))
        return np.ascontiguousarray(np.asarray(dx, np.float32).reshape(len(x), -1)) if need_dx else None

    @staticmethod
    def _shaped(rows: Floats, shape: Shape | None) -> Floats:
        assert shape is not None
        return rows[:, : math.prod(shape)].reshape(len(rows), *shape)

    def __call__(self, x: Any, training: bool = False) -> Floats:
        """The layer on an array (B, *input_shape), as a function; builds it first."""
        array = checks.as_float32("x", checks.numeric("x", x))
        if array.ndim < 2:
            raise ValueError(f"x has shape {array.shape}; expected (examples, ...)")
        self.ensure_built(array.shape[1:])
        assert self.output_shape is not None
        y = self.forward(array.reshape(len(array), -1), training)
        return self._shaped(y, self.output_shape).copy()

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"


def assign_all(owner: str, variables: list[Variable], weights: Any) -> None:
    """Sets all variables, or none if one value does not fit.

    Raises:
        ValueError: if the number of arrays or a shape differs, or a value is not finite.
        TypeError: if an array is not numeric.
    """
    values = list(weights)
    if len(values) != len(variables):
        raise ValueError(f"{owner} has {len(variables)} weight arrays, but weights holds {len(values)}")
    checked = [variable.check(value) for variable, value in zip(variables, values, strict=True)]
    for variable, value in zip(variables, checked, strict=True):
        variable.assign(value)
