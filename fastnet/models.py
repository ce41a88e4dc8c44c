"""Sequential: layers in a row. How they are trained is in trainer.py."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from fastnet import checks
from fastnet.activations import Activation
from fastnet.arrays.variables import Variable
from fastnet.checks import Floats
from fastnet.inspection import summary
from fastnet.layers import InputLayer, Layer
from fastnet.layers.base import Shape, assign_all, shape_of, snake_case
from fastnet.recorded import Recorded
from fastnet.terminal import screen
from fastnet.training.fusion import Plan
from fastnet.training.trainer import Trainer

__all__ = ["Sequential", "clone_model", "load_model", "model_from_json", "save_model"]


class Sequential(Trainer):
    """A stack of layers, each fed with the output of the one before.

    Args:
        layers: an optional `Input` and the layers; more can be added with `add`.
        name: what `summary` calls the model.

    Raises:
        TypeError: if an entry is not a layer.
        ValueError: if a layer comes twice, or its input shape does not fit.

    Example:
        >>> from fastnet.layers import Dense, Input
        >>> Sequential([Input((784,)), Dense(512, activation="relu"), Dense(10, activation="softmax")])
        Sequential([Input((784,)), Dense(512, activation='relu'), Dense(10, activation='softmax')])
    """

    def __init__(self, layers: Iterable[Any] | None = None, name: str = "sequential") -> None:
        super().__init__()
        self.name = name
        self._layers: list[Layer] = []
        self._input_shape: Shape | None = None
        self._is_planned = False
        self._trainable = True
        for layer in layers or []:
            self.add(layer)

    # Building ---------------------------------------------------------------------------------------------------------

    @property
    def layers(self) -> list[Layer]:
        """The layers, without the `Input`, as a new list; `add` and `pop` change the model."""
        return list(self._layers)

    @property
    def trainable(self) -> bool:
        """Whether any layer may be trained. Setting it sets it for all layers, those added later too."""
        return any(layer.trainable for layer in self._layers) if self._layers else self._trainable

    @trainable.setter
    def trainable(self, value: bool) -> None:
        self._trainable = bool(value)
        for layer in self._layers:
            layer.trainable = self._trainable

    def add(self, layer: Any) -> None:
        """Puts a layer on top; errors as the class, and RuntimeError while the model computes."""
        with self._changing("add()"):
            self._add(layer)

    def _add(self, layer: Any) -> None:
        if isinstance(layer, InputLayer):
            if self._layers or self._input_shape is not None:
                raise ValueError("an Input can only be the first entry of a model")
            self._input_shape = layer.example_shape
            return
        if not isinstance(layer, Layer):
            raise TypeError(f"layers must be layers such as Dense(10), got {layer!r}")
        if "_weights" not in vars(layer):
            raise TypeError(f"{type(layer).__name__}.__init__() must call super().__init__() first")
        if any(layer is other for other in self._layers):
            raise ValueError(f"layer {layer.name!r} is already in the model; make a new one")
        if any(layer.name == other.name for other in self._layers):
            raise ValueError(f"the model already has a layer called {layer.name!r}; give each its own name")
        if not layer.name:
            stem = snake_case(type(layer).__name__)
            count = sum(other.name == stem or other.name.startswith(f"{stem}_") for other in self._layers)
            layer.name = f"{stem}_{count}" if count else stem
        shape = self._layers[-1].output_shape if self._layers else self._input_shape or layer.input_shape
        if shape is not None:
            self._ensure_layer_built(layer, shape)
        if not self._layers:
            self._input_shape = shape
        if not self._trainable:
            layer.trainable = False
        self._layers.append(layer)
        self._rebuilt()

    def pop(self) -> Layer:
        """Takes the top layer off and returns it.

        Raises:
            ValueError: if there is none.
            RuntimeError: while the model computes.
        """
        with self._changing("pop()"):
            if not self._layers:
                raise ValueError("the model has no layers to take off")
            layer = self._layers.pop()
            self._rebuilt()
            return layer

    def build(self, input_shape: Any = None) -> None:
        """Makes the weights for examples of this shape, (None, features); a fit or a predict does it by itself."""
        if input_shape is None:
            raise ValueError("input_shape is None; expected a shape such as (None, 784)")
        shape = (None, input_shape) if isinstance(input_shape, int) else tuple(input_shape)
        with self._lock:
            self._build(shape_of("input_shape", shape[1:]))

    def _build(self, shape: Shape) -> None:
        if not self._layers:
            raise ValueError("the model has no layers; add some, as in model.add(Dense(10))")
        for layer in self._layers:
            self._ensure_layer_built(layer, shape)
            assert layer.output_shape is not None
            shape = layer.output_shape
        self._input_shape = self._layers[0].input_shape
        self._rebuilt()

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
        self._is_planned = self.built
        if self._is_planned:
            self._plan = Plan(self._layers)

    def _ensure_built(self, shape: Shape) -> None:
        if not self._is_planned:  # the layers may have been built one by one, for other shapes
            self._build(shape)
        else:
            self._current_plan()

    def _example_shape(self) -> Shape | None:
        if not self._layers:
            raise ValueError("the model has no layers; add some, as in model.add(Dense(10))")
        return self._input_shape

    def _units(self) -> int:
        last = self._layers[-1]
        if last.output_shape is None:
            units = getattr(last, "units", None) if type(last).forward is not Layer.forward else None
            if units is not None:
                return int(units)
            raise ValueError("the model does not know its number of outputs yet; put an Input in front")
        if len(last.output_shape) != 1:
            raise checks.ShapeError(
                f"the model's outputs have shape {last.output_shape}, but a loss takes rows of outputs: end the model "
                "with a Flatten()"
            )
        return last.output_shape[0]

    @property
    def built(self) -> bool:
        """Whether the layers have their weights."""
        return bool(self._layers) and all(layer.built for layer in self._layers)

    @property
    def input_shape(self) -> tuple[int | None, ...] | None:
        """(None, ...): the batch's shape, any number of examples; None before it is known."""
        return None if self._input_shape is None else (None, *self._input_shape)

    @property
    def output_shape(self) -> tuple[int | None, ...] | None:
        """(None, ...): the predictions' shape; None before the model is built."""
        shape = self._layers[-1].output_shape if self._layers else None
        return None if shape is None else (None, *shape)

    # Looking ----------------------------------------------------------------------------------------------------------

    def get_layer(self, name: str | None = None, index: int | None = None) -> Layer:
        """A layer by its name or its place.

        Raises:
            ValueError: if there is none, with the near miss; or if not one of the two is given.
        """
        if (name is None) == (index is None):
            raise ValueError("give the layer's name or its index")
        if index is not None:
            i = checks.integer("index", index, least=-len(self._layers))
            if i >= len(self._layers):
                raise ValueError(f"index is {i}, but the model has {len(self._layers)} layers")
            return self._layers[i]
        return checks.choose("layer", name, {layer.name: layer for layer in self._layers})

    @property
    def weights(self) -> list[Variable]:
        """All variables: kernel and bias of each Dense layer, and so on."""
        return [variable for layer in self._layers for variable in layer.weights]

    @property
    def trainable_weights(self) -> list[Variable]:
        return [variable for layer in self._layers for variable in layer.trainable_weights]

    @property
    def non_trainable_weights(self) -> list[Variable]:
        return [variable for layer in self._layers for variable in layer.non_trainable_weights]

    def __call__(self, x: Any, training: bool = False) -> Floats:
        """Computes the model's output for an array, as a function.

        Args:
            x: examples, (n, ...), as for `predict`.
            training: whether the layers compute as in a training step: Dropout drops, BatchNormalization takes the
                batch's own mean and variance. No weight is trained.

        Returns:
            float32 array (n, *shape of an output).

        Raises:
            ValueError, TypeError: as `predict`.
        """
        return self._forward_in_training(x) if training else self.predict(x, verbose=0)

    def get_weights(self) -> list[Floats]:
        """Copies of all weights, in order: kernel (inputs, units) and bias (units,) of each Dense layer."""
        return [variable.numpy() for variable in self.weights]

    def set_weights(self, weights: Sequence[Any]) -> None:
        """Sets all weights, from a list as `get_weights` returns it.

        Raises:
            ValueError: if the number of arrays or a shape differs, or a value is not finite; nothing is set then.
            TypeError: if an array is not numeric.
        """
        with self._lock:
            assign_all("the model", self.weights, weights)

    def count_params(self) -> int:
        """The number of weights."""
        return sum(layer.count_params() for layer in self._layers)

    def summary(self, print_fn: Callable[[str], Any] = print) -> None:
        """Prints a table of the layers, their shapes and their numbers of weights."""
        print_fn(summary.table(self.name, self._layers))

    # Keeping ----------------------------------------------------------------------------------------------------------

    def save(self, filepath: Any, overwrite: bool = True) -> None:
        """Writes layers, weights, compile arguments and the optimizer's state to a ``.safetensors`` file: saving/."""
        from fastnet import saving

        saving.save_model(self, filepath, overwrite)

    def save_weights(self, filepath: Any, overwrite: bool = True) -> None:
        """Writes the weights to a ``.weights.safetensors`` file."""
        from fastnet import saving

        saving.save_weights(self, filepath, overwrite)

    def load_weights(self, filepath: Any) -> None:
        """Sets the weights from a file of `save_weights` or `save`; nothing changes if they do not fit."""
        from fastnet import saving

        saving.load_weights(self, filepath)

    def get_config(self) -> dict[str, Any]:
        """The model's name and layers, from which `from_config` makes one alike, with new weights."""
        from fastnet.saving import configuration

        return configuration.model_config(self)

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: dict[str, Any] | None = None) -> Sequential:
        """A new model from what `get_config` returned; layers of one's own come by name in `custom_objects`."""
        from fastnet.saving import configuration

        return configuration.model_from_config(config, custom_objects)

    def to_json(self, **kwargs: Any) -> str:
        """What `get_config` returns, as a text that `model_from_json` reads."""
        import json  # here, since who does not save need not wait for it

        from fastnet.saving.layout import plain_number

        described = {"class_name": "Sequential", "config": self.get_config()}
        return json.dumps(described, **{"default": plain_number, **kwargs})

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if name != "_lock"} | {"_running": 0}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._make_lock()

    def __repr__(self) -> str:
        entries = [f"Input({self._input_shape})"] if self._input_shape is not None else []
        return f"Sequential([{', '.join(entries + [repr(layer) for layer in self._layers])}])"


def load_model(filepath: Any, custom_objects: dict[str, Any] | None = None, compile: bool = True) -> Sequential:
    """The model of a file that `Sequential.save` wrote; see `fastnet.saving.load_model`."""
    from fastnet import saving

    return saving.load_model(filepath, custom_objects, compile)


def save_model(model: Sequential, filepath: Any, overwrite: bool = True) -> None:
    """`model.save(filepath)`."""
    model.save(filepath, overwrite)


def model_from_json(json_string: str, custom_objects: dict[str, Any] | None = None) -> Sequential:
    """A new model, with new weights, from what `Sequential.to_json` returned.

    Raises:
        ValueError: if the text is no such thing, or names a layer that is not known.
    """
    import json

    return Sequential.from_config(json.loads(json_string), custom_objects)


def clone_model(model: Sequential) -> Sequential:
    """A model of the same layers with new weights."""
    objects: dict[str, Any] = {}
    for layer in model.layers:
        for thing in (layer, *vars(layer).values()):  # an initializer of one's own is an attribute of its layer
            if isinstance(thing, Recorded):
                objects[type(thing).__name__] = type(thing)
            if isinstance(thing, Activation):
                objects[thing.name] = thing
    return Sequential.from_config(model.get_config(), objects)
