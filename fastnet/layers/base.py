"""Layer: the base class of all layers, and how to write your own.

    class Scale(Layer):
        def build(self, input_shape):
            self.factor = self.add_weight(input_shape, "ones", name="factor")

        def call(self, x):
            return x * self.factor.numpy()

        def gradient(self, x, y, dy):
            return dy * self.factor.numpy(), [(dy * x).sum(axis=0)]

`print(model.check_gradients(x, y))` then shows whether `gradient` returns the gradient of `call`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

import numpy as np

from fastnet import checks, constraints, initializers, kernels, regularizers
from fastnet.arrays import variables
from fastnet.arrays.panels import own_arrays
from fastnet.arrays.variables import Variable
from fastnet.checks import Floats
from fastnet.layers.tensor import ONE_CHAIN, Tensor
from fastnet.recorded import Recorded, snake_case

if TYPE_CHECKING:
    from fastnet.optimizers import Sink

Shape = tuple[int, ...]
LAYER_ARGUMENTS = (  # keywords of every layer
    "name", "trainable", "input_shape", "input_dim", "dtype", "activity_regularizer",
)  # fmt: skip


class Fused(NamedTuple):
    """The parts of a layer's work that a neighbouring layer or the loss does. The model keeps them, not the layer.

    Attributes:
        omit_activation: the loss includes the layer's activation, so `forward` leaves it out.
        dz_given: `backward` is given the gradient with respect to z, the values before the activation.
        activation_before: the activation of the previous layer. `backward` multiplies its derivative into the
            gradient with respect to x. `kernels.LINEAR` means none.
    """

    omit_activation: bool = False
    dz_given: bool = False
    activation_before: int = kernels.LINEAR


ALONE = Fused()  # nothing is fused: the layer does all of its work


def shape_of(argument: str, shape: Any, least_rank: int = 1) -> Shape:
    """Checks and returns the shape of one example: (784,), (28, 28), or a single number.

    Raises:
        ValueError: if a dimension is below 1, or there are fewer than `least_rank`, 1 or 0.
        TypeError: if it is not a shape.
    """
    try:
        dimensions = checks.entries(shape)
    except TypeError:
        raise TypeError(f"{argument} must be a shape such as (784,), got {shape!r}") from None
    if len(dimensions) < least_rank:
        raise ValueError(f"{argument} must have at least one dimension, as in (784,), got {shape!r}")
    return tuple(checks.integer(argument, n, least=1) for n in dimensions)


def unique_name(layer: Any, others: Iterable[Any]) -> str:
    """Returns a layer's name by Keras's rule: its class in snake case, with a number if other layers have that name."""
    stem = snake_case(type(layer).__name__)
    count = sum(other.name == stem or other.name.startswith(f"{stem}_") for other in others)
    return f"{stem}_{count}" if count else stem


class _MisfitError(Exception):
    """The weights of a layer do not fit another shape of its input."""


class Layer(Recorded):
    """Base class of all layers.

    A subclass creates its weights in `build`, computes its output in `call` and its gradients in `gradient`. The arrays
    are plain float32 ones, whose first axis is the batch. A subclass may have more attributes.

    Args:
        name: by default the class's name in Keras's spelling, with a number if the model has several.
        trainable: whether an optimizer may change the weights.
        input_shape: the shape of one example, for a first layer without an `Input` before it.
        input_dim: the same as one number, for examples that are rows.
        dtype: ``"float32"``, the only type; None means the same.
        activity_regularizer: adds a penalty for the output to the loss, such as ``"l1"``: the regularizer of the
            batch's output, divided by the number of examples.

    Attributes:
        input_shape: shape of one example that the layer takes; None before the layer is built.
        output_shape: shape of one example that the layer returns; None before the layer is built.
        built: whether the layer has its weights.
        dtype: the type of the weights and of the output, ``"float32"``.

    Raises:
        ValueError, TypeError: if an argument is invalid.
    """

    _kept = ("name", "trainable")
    _keeps_zeros = False  # True if the layer only multiplies by a constant, `_factor`: then zeros stay zeros
    _factor = 1.0
    _fixed: ClassVar[frozenset[str]] = frozenset({"input_shape", "output_shape", "_weights"})  # after it is built
    _is_complete = False  # built, and its shapes are known
    _output: Tensor | None = None  # what the last call on a tensor returned
    _activity_loss: float | None = None  # the penalty for the output of the last call
    _shared: list[Variable] | None = None  # weights that `add_weight` returns instead of new ones: see `_for_shape`
    activity_regularizer: regularizers.Regularizer | None = None
    dtype = "float32"

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Makes a subclass with its own `call` use that, not the faster methods of its base."""
        super().__init_subclass__(**kwargs)
        if "call" in vars(cls):
            for name in ("forward", "backward", "gradient"):
                owner = next(base for base in cls.__mro__ if name in vars(base))
                if owner is not cls and owner.__module__.startswith("fastnet."):
                    setattr(cls, name, getattr(Layer, name))

    def __init__(
        self,
        *,
        name: str | None = None,
        trainable: bool = True,
        input_shape: Any = None,
        input_dim: int | None = None,
        dtype: Any = None,
        activity_regularizer: Any = None,
    ) -> None:
        checks.float32_only(dtype)
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
        if activity_regularizer is not None:
            self.activity_regularizer = regularizers.get(activity_regularizer, "activity_regularizer")
        self.built = False
        self._weights: list[Variable] = []

    # What a subclass defines ------------------------------------------------------------------------------------------

    def build(self, input_shape: Shape) -> None:
        """Creates the weights with `add_weight`, for examples of this shape."""

    def call(self, x: Floats, training: bool = False) -> Floats:
        """Computes the output, (B, *output_shape), of a batch (B, *input_shape).

        A subclass may leave out the argument `training`. x is read-only; return a new array instead of changing it.
        """
        raise NotImplementedError(f"{type(self).__name__} has no call()")

    def gradient(self, x: Floats, y: Floats, dy: Floats) -> Any:
        """Computes the gradients, after `call(x)` has returned y.

        Args:
            x: the batch, (B, *input_shape).
            y: the output, (B, *output_shape).
            dy: the gradient of the loss with respect to y, of y's shape.

        Returns:
            The gradient with respect to x, in x's shape. A layer with trainable weights returns a pair: this gradient,
            and a list of the gradients with respect to these weights, each in the shape of its weight.
        """
        raise NotImplementedError(f"{type(self).__name__} has no gradient(), so a model cannot be trained through it")

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """Returns the shape of the output for one example.

        A layer that defines `call` but not this method is called once on zeros to find the shape.
        """
        return input_shape

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments, from which `from_config` makes an equal layer."""
        config: dict[str, Any] = {"name": self.name}
        if not self.trainable:
            config["trainable"] = False
        if self.activity_regularizer is not None:
            config["activity_regularizer"] = regularizers.serialize(self.activity_regularizer)
        return config

    # What a model uses ------------------------------------------------------------------------------------------------

    def add_weight(
        self,
        shape: Any = (),
        initializer: Any = "glorot_uniform",
        name: str = "weight",
        trainable: bool = True,
        regularizer: Any = None,
        constraint: Any = None,
        dtype: Any = None,
    ) -> Variable:
        """Creates a variable of the layer and returns it.

        Args:
            shape: the array's shape; () or None for a single number.
            initializer: a name such as ``"zeros"``, or an object.
            name: the variable is called ``layer/name``.
            trainable: True for a weight that is trained; False for state, such as a moving average.
            regularizer: adds a penalty for the variable to the loss; None adds none.
            constraint: projects the variable onto the allowed set after each step; None leaves it as it is.
            dtype: ``"float32"`` or None, which means the same.

        Raises:
            ValueError, TypeError: if an argument is invalid, or the initializer returns another shape.
        """
        checks.float32_only(dtype)
        shape = () if shape is None else shape_of("shape", shape, least_rank=0)
        if self._shared is not None:
            if not self._shared or self._shared[0].shape != shape:
                raise _MisfitError
            self._weights.append(self._shared.pop(0))
            return self._weights[-1]
        full_name = f"{self.name}/{name}"
        value = initializers.initial_value(initializers.get(initializer), shape, full_name)
        variable = Variable(value, full_name)
        variable.trainable = bool(trainable)
        variable.regularizer = regularizers.get(regularizer)
        variable.constraint = constraints.get(constraint)
        self._weights.append(variable)
        return variable

    def ensure_built(self, input_shape: Shape) -> None:
        """Builds the layer for examples of this shape, unless it is built already.

        Raises:
            ValueError: if the layer expects examples of another shape.
            MemoryError: if the weights do not fit in memory.
        """
        if self.input_shape not in (None, input_shape):
            raise self._other_shape(input_shape)
        if self._is_complete:
            return
        before = list(self._weights)
        try:
            output_shape = None if self._finds_shape_by_call() else self._checked_output_shape(input_shape)
            self.build(input_shape)
            if output_shape is None:
                output_shape = self._output_shape_of_zeros(input_shape)
        except BaseException:
            self._weights = before
            self.built = False
            raise
        self.input_shape, self.output_shape = input_shape, output_shape
        self.built = self._is_complete = True

    def _other_shape(self, input_shape: Any) -> checks.ShapeError:
        return checks.ShapeError(
            f"layer {self.name!r} expects examples of shape {self.input_shape}, but is given {input_shape}"
        )

    def _for_shape(self, input_shape: Shape) -> Layer:
        """Returns the layer itself, built for examples of this shape; or, if it has another, a copy.

        The copy is built anew, with the same weights. So a Dense for (3,) also computes examples of shape (7, 3).

        Raises:
            ValueError: if the weights do not fit the shape.
        """
        if not self._is_complete or self.input_shape == input_shape:
            self.ensure_built(input_shape)
            return self
        twin = object.__new__(type(self))
        twin.__dict__.update(self.__dict__)
        given = list(self._weights)
        twin.__dict__.update(_is_complete=False, built=False, input_shape=None, output_shape=None, _weights=[])
        twin.__dict__["_shared"] = given
        try:
            twin.ensure_built(input_shape)
        except _MisfitError:
            given.append(None)  # type: ignore[arg-type]
        if given:
            raise self._other_shape(input_shape)
        return twin

    def _finds_shape_by_call(self) -> bool:
        kind = type(self)
        return kind.call is not Layer.call and kind.compute_output_shape is Layer.compute_output_shape

    def _checked_output_shape(self, input_shape: Shape) -> Shape:
        return shape_of(
            f"layer {self.name!r}: what compute_output_shape() returned", self.compute_output_shape(input_shape), 0
        )

    def _output_shape_of_zeros(self, input_shape: Shape) -> Shape:
        examples = 2  # with one, a mean over the batch would look like an example
        y = self._call(np.zeros((examples, *input_shape), np.float32), training=False)
        if not y.ndim or len(y) != examples:
            raise ValueError(
                f"layer {self.name!r}: call() returned shape {y.shape} for {examples} examples of shape {input_shape}; "
                f"expected ({examples}, ...)"
            )
        return y.shape[1:]

    def _call(self, x: Floats, training: bool) -> Floats:
        """Runs `call` and returns its result as float32."""
        import inspect  # here, because it takes milliseconds and fastnet's fast layers do not need it

        takes = type(self).__dict__.get("_takes_training")
        if takes is None:
            parameters = inspect.signature(type(self).call).parameters.values()
            takes = any(p.name == "training" or p.kind is p.VAR_KEYWORD for p in parameters)
            type(self)._takes_training = takes  # type: ignore[attr-defined]
        x.flags.writeable = False  # x may be the caller's data, or needed for the previous layer's gradient
        result = self.call(x, training=training) if takes else self.call(x)
        array = checks.numeric(f"layer {self.name!r}: what call() returned", result)
        with np.errstate(over="ignore"):
            return array.astype(np.float32, copy=False)

    def __setattr__(self, name: str, value: Any) -> None:
        if self._is_complete and name in self._fixed:
            raise AttributeError(f"layer {self.name!r} is built, so its {name} cannot change: make a new layer")
        if name == "trainable":
            value = bool(value)
        if name in ("trainable", "activity_regularizer"):
            variables.touch()
        super().__setattr__(name, value)

    @property
    def weights(self) -> list[Variable]:
        """The layer's variables, also those that are not trained; empty before it is built."""
        return list(self._weights)

    @property
    def variables(self) -> list[Variable]:
        """The same as `weights`."""
        return self.weights

    @property
    def trainable_weights(self) -> list[Variable]:
        return [v for v in self.weights if v.trainable] if self.trainable else []

    @property
    def non_trainable_weights(self) -> list[Variable]:
        return [v for v in self.weights if not (self.trainable and v.trainable)]

    @property
    def trainable_variables(self) -> list[Variable]:
        return self.trainable_weights

    @property
    def non_trainable_variables(self) -> list[Variable]:
        return self.non_trainable_weights

    @property
    def losses(self) -> list[float]:
        """The penalties of the regularizers: one for each weight that has one, and that of the last call's output."""
        of_weights = [
            v.regularizer.checked_penalty(v.numpy(), v.name)
            for v in self.trainable_weights
            if v.regularizer is not None
        ]
        return of_weights if self._activity_loss is None else [*of_weights, self._activity_loss]

    @property
    def output(self) -> Tensor:
        """The tensor that the last call on a tensor returned.

        Raises:
            AttributeError: if the layer was not called on a tensor.
        """
        if self._output is None:
            raise AttributeError(
                f"layer {self.name!r} has no output: it was not called on a tensor, as in Dense(10)(Input((784,)))"
            )
        return self._output

    @property
    def input(self) -> Tensor:
        """The tensor on which the layer was called last; errors as `output`."""
        before = self.output.before
        return self.output if before is None else before

    def count_params(self) -> int:
        """Returns the number of weights."""
        return sum(variable.size for variable in self.weights)

    def get_weights(self) -> list[Floats]:
        """Returns copies of the layer's arrays."""
        return [variable.numpy() for variable in self.weights]

    def set_weights(self, weights: Any) -> None:
        """Sets the layer's arrays from a list as `get_weights` returns it. Errors are those of the model's method."""
        assign_all(f"layer {self.name!r}", self.weights, weights)

    def forward(self, x: Floats, training: bool = False, fused: Fused = ALONE) -> Floats:
        """Computes the output of a batch. Both are rows, (B, ld); columns after an example's numbers are padding."""
        y = self._call(self._shaped(x, self.input_shape), training)
        expected = (len(x), *(self.output_shape or ()))
        if y.shape != expected:
            raise ValueError(f"layer {self.name!r}: call() returned shape {y.shape}, expected {expected}")
        return np.ascontiguousarray(y.reshape(len(y), math.prod(y.shape[1:])))

    def backward(
        self, x: Floats, y: Floats, dy: Floats, sink: Sink, need_dx: bool, fused: Fused = ALONE
    ) -> Floats | None:
        """Gives the gradients of the weights to `sink` and returns the gradient with respect to x.

        Args:
            x: the input of `forward`.
            y: the output of `forward`.
            dy: the gradient of the loss with respect to y, as rows. It may be overwritten.
            sink: takes the gradients of the weights.
            need_dx: whether the gradient with respect to x is needed. If not, the result may be None.
            fused: the parts of this layer's work that its neighbours do.

        Raises:
            ValueError, TypeError: if `gradient` does not return what it should.
        """
        shaped, output = self._shaped(x, self.input_shape), self._shaped(y, self.output_shape)
        shaped.flags.writeable = output.flags.writeable = False
        result = self.gradient(shaped, output, self._shaped(dy, self.output_shape))
        trained = [v for v in self.weights if v.trainable]
        is_pair = isinstance(result, tuple | list if trained else tuple) and len(result) == 2
        dx, gradients = result if is_pair else (result, None)
        gradients = [] if gradients is None else list(gradients)
        if len(gradients) != len(trained):
            raise ValueError(
                f"layer {self.name!r}: gradient() returned {len(gradients)} gradients for {len(trained)} trainable "
                "weights; expected the gradient with respect to x and a list with one for each"
            )
        checked = [
            self._gradient_of(gradient, variable.shape, variable.name)
            for variable, gradient in zip(trained, gradients, strict=True)
        ]
        rows = None
        if need_dx:
            rows = np.ascontiguousarray(self._gradient_of(dx, shaped.shape, "x").reshape(len(x), -1))
        if self.trainable:
            for variable, gradient in zip(trained, checked, strict=True):
                sink.apply(variable, variable.pack(gradient))
        return rows

    def _gradient_of(self, gradient: Any, shape: Shape, of: str) -> Floats:
        what = f"layer {self.name!r}: what gradient() returned for the gradient with respect to {of}"
        array = checks.same_shape(what, gradient, shape)
        return array if array.flags.writeable else array.copy()

    @property
    def _is_taped(self) -> bool:
        """Whether `forward` and `backward` run kernels alone, so that a step can be recorded. A user's layer is not."""
        return False

    def _by_rows(self, forward: Any, x: Floats, training: bool) -> Floats:
        """Implements `call` with `forward`, so that a subclass can use ``super().call(x)``."""
        return self._shaped(
            forward(self, np.ascontiguousarray(x.reshape(len(x), math.prod(x.shape[1:]))), training), self.output_shape
        )

    @staticmethod
    def _shaped(rows: Floats, shape: Shape | None) -> Floats:
        assert shape is not None
        return rows[:, : math.prod(shape)].reshape(len(rows), *shape)

    def activity_penalty(self, y: Floats) -> float:
        """Returns the penalty of `activity_regularizer` for a batch's output, as rows; 0 if there is none."""
        if self.activity_regularizer is None:
            return 0.0
        return self.activity_regularizer.checked_penalty(self._shaped(y, self.output_shape), f"layer {self.name!r}")

    def add_activity_gradient(self, y: Floats, dy: Floats, share: float = 1.0) -> None:
        """Adds to dy, as rows, the gradient of the penalty for y divided by the number of examples, times `share`."""
        assert self.activity_regularizer is not None
        shaped = self._shaped(y, self.output_shape)
        gradient = self.activity_regularizer.checked_gradient(shaped, f"layer {self.name!r}").reshape(len(y), -1)
        dy[:, : gradient.shape[1]] += gradient * np.float32(share) / np.float32(len(y))

    def connect(self, before: Tensor) -> Tensor:
        """Returns the output for a tensor; builds the layer first if necessary.

        Raises:
            ValueError: if the shape does not fit.
        """
        if not self.name:
            self.name = unique_name(self, [tensor.layer for tensor in before.back()])
        self.ensure_built(before.example_shape)
        assert self.output_shape is not None
        self._output = Tensor(self.output_shape, self, before)
        return self._output

    def __call__(self, x: Any, training: bool = False) -> Any:
        """Computes the output for an array (B, *input_shape); builds the layer first if necessary.

        An array of another shape is computed too if the weights fit. For a `Tensor` the result is a `Tensor`.

        Raises:
            ValueError: if the shape does not fit, or a number is not finite.
            TypeError: if x does not hold numbers.
        """
        if isinstance(x, Tensor):
            return self.connect(x)
        if isinstance(x, list | tuple) and any(isinstance(entry, Tensor) for entry in x):
            raise ValueError(f"layer {self.name!r} is called on {len(x)} tensors; {ONE_CHAIN}")
        array = checks.as_float32("x", checks.numeric("x", x))
        if not array.ndim:
            raise ValueError("x is a single number; expected (examples, ...)")
        layer = self._for_shape(array.shape[1:])
        assert layer.output_shape is not None
        y = layer.forward(array.reshape(len(array), math.prod(array.shape[1:])), training)
        if self.activity_regularizer is not None:
            self._activity_loss = layer.activity_penalty(y) / max(1, len(y))
        return self._shaped(y, layer.output_shape).copy()

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(own_arrays(state))

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"


def assign_all(owner: str, variables: list[Variable], weights: Any) -> None:
    """Sets all variables, or none of them if a value does not fit.

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
