"""Tensor: the output of a layer before there are numbers. Tensors link layers to a model.

    inputs = Input((784,))
    x = Dense(64, activation="relu")(inputs)
    model = Model(inputs, Dense(10)(x))

A tensor knows its layer and the tensor that this layer was called on. So `chain` finds the layers of a model: it walks
back from the outputs to the inputs.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NoReturn

ONE_CHAIN = "a model is one chain of layers: each layer takes one tensor, and Model takes one input and one output"


class Tensor:
    """A batch of examples of some shape, without numbers.

    Attributes:
        example_shape: the shape of one example.
        layer: the layer or the model that computes the tensor; an `InputLayer` at the start of a chain.
        before: the tensor on which `layer` was called; None at the start of a chain.
        dtype: ``"float32"``.
    """

    dtype = "float32"

    def __init__(self, example_shape: tuple[int, ...], layer: Any, before: Tensor | None = None) -> None:
        self.example_shape, self.layer, self.before = example_shape, layer, before

    @property
    def shape(self) -> tuple[int | None, ...]:
        """The shape of a batch, (None, ...), where None stands for any number of examples."""
        return (None, *self.example_shape)

    @property
    def ndim(self) -> int:
        return len(self.shape)

    @property
    def name(self) -> str:
        return str(self.layer.name)

    def back(self) -> Iterator[Tensor]:
        """Yields this tensor, the one before it, and so on to the start of the chain."""
        tensor: Tensor | None = self
        while tensor is not None:
            yield tensor
            tensor = tensor.before

    def _refuse(self, *others: Any, **options: Any) -> NoReturn:
        raise TypeError(f"a tensor holds no numbers, so it can only be passed to a layer; {ONE_CHAIN}")

    __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = __truediv__ = __rtruediv__ = _refuse
    __matmul__ = __rmatmul__ = __pow__ = __neg__ = __getitem__ = __iter__ = __len__ = __float__ = __array__ = _refuse

    def __bool__(self) -> bool:
        return True

    def __reduce__(self) -> Any:
        """Leaves tensors out of copies, except inputs: a copy of a layer would else contain all layers before it."""
        return (_output_of, (self.layer,)) if self.before is None else (_nothing, ())

    def __repr__(self) -> str:
        if self.before is None:
            return f"Input({self.example_shape})"
        return f"Tensor(shape={self.shape}, layer={self.name!r})"


def _nothing() -> None:
    """Stands for a tensor in a copy."""


def _output_of(layer: Any) -> Any:
    return layer.output


def chain(inputs: Any, outputs: Any) -> tuple[Tensor, Tensor, list[Any]]:
    """Returns the input, the output, and the layers from the one to the other.

    Args:
        inputs: a tensor, or a list with one.
        outputs: a tensor, or a list with one.

    Raises:
        TypeError: if an argument is not a tensor.
        ValueError: if there are several, or no chain leads from the input to the output.
    """
    first, last = _only("inputs", inputs), _only("outputs", outputs)
    layers: list[Any] = []
    for tensor in last.back():
        if tensor is first:
            break
        layers.append(tensor.layer)
    else:
        raise ValueError(f"outputs, {last!r}, were not computed from inputs, {first!r}")
    if not layers:
        raise ValueError("inputs and outputs are the same tensor; expected at least one layer between them")
    return first, last, layers[::-1]


def _only(argument: str, value: Any) -> Tensor:
    if isinstance(value, list | tuple) and len(value) == 1:
        value = value[0]
    if isinstance(value, list | tuple | dict):
        raise ValueError(f"{argument} is a {type(value).__name__} of length {len(value)}; {ONE_CHAIN}")
    if not isinstance(value, Tensor):
        raise TypeError(f"{argument} must be a tensor, such as Input((784,)) or a layer's output, got {value!r:.200}")
    return value
