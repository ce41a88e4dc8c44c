"""Stack: a list of layers, where the output of each is the input of the next.

An entry of the list may be a stack itself. The computation sees only a flat list of layers, `_layers`: a model inside
another costs nothing.
"""

from __future__ import annotations

import contextlib
import os
import threading
import weakref
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from fastnet import checks, kernels
from fastnet.arrays.variables import Variable
from fastnet.checks import Floats
from fastnet.inspection import summary
from fastnet.layers import InputLayer, Layer
from fastnet.layers.base import Shape, assign_all, shape_of, unique_name
from fastnet.layers.tensor import Tensor
from fastnet.recorded import is_ours
from fastnet.terminal import screen
from fastnet.training.fusion import Fusion
from fastnet.training.tape import Tapes

_STACKS: weakref.WeakSet[Stack] = weakref.WeakSet()


def _renew_locks() -> None:
    """Makes new locks in a child process, where a lock that a thread of the parent held is never released."""
    for stack in _STACKS:
        stack._lock = threading.RLock()
        stack._running = 0


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew_locks)


class Stack:
    """The part of a model that is not training: the layers, their weights, and a lock.

    Each layer has one workspace, so the lock allows one computation at a time.
    """

    def __init__(self, name: str | None, default: str) -> None:
        self.name = name or default
        self._is_named = name is not None
        self._entries: list[Layer | Stack] = []
        self._layers: list[Layer] = []  # those of the entries, and of the stacks among them
        self._is_part = False  # whether it is inside another model
        self._input_shape: Shape | None = None
        self._start: Tensor | None = None  # the input as a tensor; None until it is asked for
        self._end: Tensor | None = None
        self._fusion: Fusion | None = None  # None until all layers are built
        self._trainable = True
        self._tapes = Tapes()
        self._running = 0  # how many fits, evaluations and predictions run, since a callback may start another
        self._make_lock()

    @property
    def layers(self) -> list[Any]:
        """A new list of the layers, without the `Input`. Use `add` and `pop` to change the model."""
        return list(self._entries)

    @property
    def trainable(self) -> bool:
        """Whether any layer may be trained. Setting it sets all layers, also those added later."""
        return any(layer.trainable for layer in self._layers) if self._layers else self._trainable

    @trainable.setter
    def trainable(self, value: bool) -> None:
        self._trainable = bool(value)
        for entry in self._entries:
            entry.trainable = self._trainable

    def add(self, layer: Any) -> None:
        """Adds a layer at the end. Raises the errors of `Sequential`, or RuntimeError while the model computes."""
        with self._changing("add()"):
            self._add(layer)

    def _add(self, entry: Any) -> None:
        if isinstance(entry, Tensor) and entry.before is None:
            entry = entry.layer
        if isinstance(entry, InputLayer):
            if self._entries or self._input_shape is not None:
                raise ValueError("an Input can only be the first entry of a model")
            self._input_shape, self._start = entry.output_shape, entry.output
            return
        if not isinstance(entry, Layer | Stack):
            raise TypeError(f"layers must be layers such as Dense(10), got {entry!r}")
        if isinstance(entry, Layer) and "_weights" not in vars(entry):
            raise TypeError(f"{type(entry).__name__}.__init__() must call super().__init__() first")
        new = entry._layers if isinstance(entry, Stack) else [entry]
        if entry is self or any(layer is other for layer in new for other in self._layers):
            raise ValueError(f"layer {entry.name!r} is already in the model; make a new one")
        is_free = all(entry.name != other.name for other in self._entries)
        if not entry.name or (isinstance(entry, Stack) and not entry._is_named and not is_free):
            entry.name = unique_name(entry, self._entries)
        elif not is_free:
            raise ValueError(f"the model already has a layer called {entry.name!r}; give each its own name")
        shape = self._layers[-1].output_shape if self._layers else self._input_shape
        if shape is None and not self._layers:
            shape = entry._input_shape if isinstance(entry, Stack) else entry.input_shape
        if shape is not None:
            self._build_layers(new, shape)
        if not self._entries:
            self._input_shape = shape
        if not self._trainable:
            entry.trainable = False
        self._entries.append(entry)
        self._rebuilt()

    def pop(self) -> Layer | Stack:
        """Removes the last layer and returns it.

        Raises:
            ValueError: if there is no layer.
            RuntimeError: while the model computes.
        """
        with self._changing("pop()"):
            if not self._entries:
                raise ValueError("the model has no layers to take off")
            entry = self._entries.pop()
            self._rebuilt()
            return entry

    def compute_output_shape(self, input_shape: Any) -> tuple[int | None, ...]:
        """Returns the shape of the outputs for a batch of this shape, such as (None, 784), without building layers."""
        batch, *shape = input_shape
        return (batch, *self._shape_after(shape_of("input_shape", shape, least_rank=0)))

    def build(self, input_shape: Any = None) -> None:
        """Creates the weights for batches of this shape, (None, features). `fit` and `predict` do so if necessary."""
        if input_shape is None:
            raise ValueError("input_shape is None; expected a shape such as (None, 784)")
        shape = (None, input_shape) if checks.is_number(input_shape) else tuple(input_shape)
        with self._lock:
            self._build(shape_of("input_shape", shape[1:]))

    def _build(self, shape: Shape) -> None:
        if not self._layers:
            raise ValueError("the model has no layers; add some, as in model.add(Dense(10))")
        self._build_layers(self._layers, shape)
        self._rebuilt()

    def _build_layers(self, layers: list[Layer], shape: Shape) -> None:
        for layer in layers:
            self._ensure_layer_built(layer, shape)
            assert layer.output_shape is not None
            shape = layer.output_shape

    def connect(self, before: Tensor) -> Tensor:
        """Returns the output for a tensor, so that a model can be called like a layer; builds it if necessary.

        Raises:
            ValueError: if the shape does not fit.
        """
        with self._lock:
            self._build(before.example_shape)
        shape = self._layers[-1].output_shape
        assert shape is not None
        return Tensor(shape, self, before)

    def _ensure_layer_built(self, layer: Layer, shape: Shape) -> None:
        try:
            layer.ensure_built(shape)
        except checks.ShapeError as error:
            before = [other for other in self._layers if other is not layer and other.built]
            first = before[0].input_shape if before else shape
            raise checks.ShapeError(
                f"{error}\n{summary.shapes_along(first, before)} -> {screen.printable(layer.name)}"
            ) from None

    def _rebuilt(self) -> None:
        """Renews what follows from the entries."""
        self._layers = []
        for entry in self._entries:
            if isinstance(entry, Stack):
                entry._is_part = True
                entry._rebuilt()
                self._layers += entry._layers
            else:
                self._layers.append(entry)
        if self._layers and self._layers[0].built:
            self._input_shape = self._layers[0].input_shape
        self._fusion = Fusion(self._layers) if self.built else None
        self._end = None

    def _ensure_built(self, shape: Shape) -> Fusion:
        """Builds the layers if necessary; returns how they are computed."""
        if self._fusion is None:  # the layers may have been built separately, for other shapes
            self._build(shape)
        return self._current_fusion()

    def _current_fusion(self) -> Fusion:
        """Returns how the layers are computed now; a callback may have frozen one or changed its activation."""
        assert self._fusion is not None
        if self._fusion.is_stale():
            self._fusion = Fusion(self._layers)
        return self._fusion

    def _example_shape(self) -> Shape | None:
        if not self._layers:
            raise ValueError("the model has no layers; add some, as in model.add(Dense(10))")
        return self._input_shape

    def _knows_units(self) -> bool:
        """Tells whether the number of outputs is known before the layers are built."""
        last = self._layers[-1]
        return last.output_shape is not None or (type(last).forward is not Layer.forward and hasattr(last, "units"))

    def _units(self, given: Shape | None = None) -> int:
        """Returns the number of outputs; before the model is built, it may follow from the shape of an example."""
        last = self._layers[-1]
        shape = last.output_shape
        if shape is None:
            if self._knows_units():
                return int(last.units)  # type: ignore[attr-defined]
            given = self._input_shape if given is None else given
            if given is None:
                raise ValueError("the model does not know its number of outputs yet; put an Input in front")
            shape = self._shape_after(given)
        if len(shape) != 1:
            raise checks.ShapeError(
                f"the model's outputs have shape {shape}, but a loss takes rows of outputs: end the model with a "
                "Flatten()"
            )
        return shape[0]

    def _shape_after(self, shape: Shape) -> Shape:
        """Returns the shape of an output. Builds the layers only if one of the user's finds its shape by a call."""
        if any(layer._finds_shape_by_call() and not is_ours(type(layer)) for layer in self._layers):
            with self._lock:
                self._build(shape)
        for layer in self._layers:
            if layer.output_shape is not None and layer.input_shape == shape:
                shape = layer.output_shape
            else:
                shape = layer.compute_output_shape(shape)
        return shape

    @contextlib.contextmanager
    def _naming_shapes(self) -> Iterator[None]:
        """Adds the shapes of all layers to the message of a ShapeError."""
        try:
            yield
        except checks.ShapeError as error:
            if self._example_shape() is None:
                raise
            raise checks.ShapeError(f"{error}\n{summary.shapes_along(self._example_shape(), self._layers)}") from None

    @property
    def built(self) -> bool:
        """Whether the layers have their weights."""
        return bool(self._layers) and all(layer.built for layer in self._layers)

    @property
    def inputs(self) -> list[Tensor]:
        """A list with the input as a tensor, for a `Model` of some of the layers.

        Raises:
            AttributeError: if the model is not built yet.
        """
        self._connect_all()
        assert self._start is not None
        return [self._start]

    @property
    def outputs(self) -> list[Tensor]:
        """A list with the output as a tensor; errors as `inputs`."""
        return [self._connect_all()]

    @property
    def input(self) -> Tensor:
        return self.inputs[0]

    @property
    def output(self) -> Tensor:
        return self.outputs[0]

    def _connect_all(self) -> Tensor:
        """Calls each layer on the tensor before it, so that each has an `output`, and returns the last one."""
        if self._end is None:
            if not self.built or self._input_shape is None:
                raise AttributeError("the model has no inputs and outputs yet; put an Input in front, or call build()")
            if self._start is None:
                self._start = InputLayer(self._input_shape).output
            tensor = self._start
            for entry in self._entries:
                tensor = entry.connect(tensor)
            self._end = tensor
        return self._end

    @property
    def input_shape(self) -> tuple[int | None, ...] | None:
        """The shape of a batch, (None, ...), where None stands for any number of examples; None if not yet known."""
        return None if self._input_shape is None else (None, *self._input_shape)

    @property
    def output_shape(self) -> tuple[int | None, ...] | None:
        """The shape of the predictions, (None, ...); None before the model is built."""
        shape = self._layers[-1].output_shape if self._layers else None
        return None if shape is None else (None, *shape)

    # Weights ----------------------------------------------------------------------------------------------------------

    def get_layer(self, name: str | None = None, index: int | None = None) -> Any:
        """Returns a layer by its name or its index.

        Raises:
            ValueError: if there is no such layer (with a similar name), or not exactly one argument is given.
        """
        if (name is None) == (index is None):
            raise ValueError("give the layer's name or its index")
        layers = self.layers
        if index is not None:
            i = checks.integer("index", index, least=-len(layers))
            if i >= len(layers):
                raise ValueError(f"index is {i}, but the model has {len(layers)} layers")
            return layers[i]
        return checks.choose("layer", name, {layer.name: layer for layer in layers})

    @property
    def weights(self) -> list[Variable]:
        """All variables: kernel and bias of each Dense layer, and so on."""
        return [variable for layer in self._layers for variable in layer.weights]

    @property
    def variables(self) -> list[Variable]:
        """Another name for `weights`; so are `trainable_variables` and `non_trainable_variables`."""
        return self.weights

    @property
    def trainable_variables(self) -> list[Variable]:
        return self.trainable_weights

    @property
    def non_trainable_variables(self) -> list[Variable]:
        return self.non_trainable_weights

    @property
    def trainable_weights(self) -> list[Variable]:
        return [variable for layer in self._layers for variable in layer.trainable_weights]

    @property
    def non_trainable_weights(self) -> list[Variable]:
        return [variable for layer in self._layers for variable in layer.non_trainable_weights]

    def get_weights(self) -> list[Floats]:
        """Returns copies of all weights, in order: kernel (inputs, units) and bias (units,) of each Dense layer."""
        return [variable.numpy() for variable in self.weights]

    def set_weights(self, weights: Sequence[Any]) -> None:
        """Sets all weights from a list as `get_weights` returns it.

        Raises:
            ValueError: if the number of arrays or a shape differs, or a value is not finite. No weight changes then.
            TypeError: if an array is not numeric.
        """
        with self._lock:
            assign_all("the model", self.weights, weights)

    def count_params(self) -> int:
        """Returns the number of weights."""
        return sum(layer.count_params() for layer in self._layers)

    def summary(
        self,
        line_length: int | None = None,
        positions: Any = None,
        print_fn: Callable[[str], Any] | None = None,
        expand_nested: bool = False,
        show_trainable: bool = False,
    ) -> None:
        """Prints a table of the layers, their shapes and their numbers of weights.

        Args:
            print_fn: gets the text; by default `print`.
            expand_nested: whether to list the layers of models inside the model, too.
            show_trainable: whether to add a column that says which layers are trained.
            line_length, positions: accepted for compatibility with Keras, and ignored. The table is as wide as its
                content.
        """
        (print_fn or print)(summary.table(self.name, self.layers, expand_nested, show_trainable))

    # One computation at a time ----------------------------------------------------------------------------------------

    def _make_lock(self) -> None:
        self._lock = threading.RLock()
        _STACKS.add(self)

    @contextlib.contextmanager
    def _computing(self) -> Iterator[None]:
        """Marks that a loop over batches runs: callbacks cannot change the layers, and other loops share the cores."""
        self._running += 1
        try:
            with kernels.sharing_cores():
                yield
        finally:
            self._running -= 1
            if not self._running:
                self._tapes.release()

    @contextlib.contextmanager
    def _changing(self, what: str) -> Iterator[None]:
        """Allows a change of the model, after waiting for the computation of another thread.

        Raises:
            RuntimeError: in a callback of fit, evaluate or predict, which rely on the present layers.
        """
        with self._lock:
            if self._is_part and what != "compile()":
                raise RuntimeError(f"{what} cannot be called on a model that is a layer of another: do it before")
            if self._running:
                raise RuntimeError(
                    f"{what} cannot be called while fit, evaluate or predict of the same model runs: do it before or "
                    "after. A callback may set layer.trainable, weights and optimizer.learning_rate"
                )
            yield

    def __getstate__(self) -> dict[str, Any]:
        return {
            name: value for name, value in self.__dict__.items() if name not in ("_lock", "_tapes", "_distribution")
        } | {"_running": 0}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._tapes = Tapes()
        self._make_lock()

    def __repr__(self) -> str:
        entries = [f"Input({self._input_shape})"] if self._input_shape is not None and not self._is_part else []
        return f"{type(self).__name__}([{', '.join(entries + [repr(entry) for entry in self._entries])}])"
