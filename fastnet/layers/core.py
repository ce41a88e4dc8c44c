"""Layers that change only the shape or the scale of their input, or nothing.

ActivityRegularization, Flatten, Identity, Reshape and Rescaling.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from fastnet import checks, kernels, regularizers
from fastnet.arrays.workspace import Workspace
from fastnet.checks import Floats
from fastnet.layers.base import ALONE, LAYER_ARGUMENTS, Fused, Layer, Shape, shape_of

if TYPE_CHECKING:
    from fastnet.optimizers import Sink


class _SameNumbers(Layer):
    """Base of the layers that change only the shape of an example. Its numbers stay in place, one row an example."""

    _keeps_zeros = True

    def call(self, x: Floats, training: bool = False) -> Floats:
        assert self.output_shape is not None
        return x.reshape(len(x), *self.output_shape)

    def forward(self, x: Floats, training: bool = False, fused: Fused = ALONE) -> Floats:
        return x

    def backward(
        self, x: Floats, y: Floats, dy: Floats, sink: Sink, need_dx: bool, fused: Fused = ALONE
    ) -> Floats | None:
        return dy if need_dx else None

    @property
    def _is_taped(self) -> bool:
        return True


class Flatten(_SameNumbers):
    """Flattens each example to a row: (28, 28) becomes (784,).

    Example:
        >>> Flatten()(np.zeros((5, 28, 28))).shape
        (5, 784)
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**checks.keywords("Flatten", kwargs, LAYER_ARGUMENTS))

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return (math.prod(input_shape),)


class Identity(_SameNumbers):
    """Returns its input unchanged.

    Example:
        >>> Identity()(np.ones((1, 2)))
        array([[1., 1.]], dtype=float32)
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**checks.keywords("Identity", kwargs, LAYER_ARGUMENTS))

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return input_shape


class ActivityRegularization(_SameNumbers):
    """Returns its input unchanged, and adds l1 sum |x| + l2 sum x^2 to the loss, as a mean over the batch.

    Args:
        l1: the factor of the absolute values, at least 0.
        l2: the factor of the squares, at least 0.
        name, trainable, input_shape, input_dim: as for `Layer`.

    Raises:
        ValueError, TypeError: if a factor is invalid.

    Example:
        >>> layer = ActivityRegularization(l2=0.5)
        >>> layer([[1.0, 3.0]])
        array([[1., 3.]], dtype=float32)
        >>> layer.losses
        [5.0]
    """

    def __init__(self, l1: float = 0.0, l2: float = 0.0, **kwargs: Any) -> None:
        allowed = [name for name in LAYER_ARGUMENTS if name != "activity_regularizer"]
        arguments = checks.keywords("ActivityRegularization", kwargs, allowed)
        self.l1 = checks.number("l1", l1, least=0)
        self.l2 = checks.number("l2", l2, least=0)
        super().__init__(activity_regularizer=regularizers.L1L2(self.l1, self.l2), **arguments)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return input_shape

    def get_config(self) -> dict[str, Any]:
        config = super().get_config() | {"l1": self.l1, "l2": self.l2}
        del config["activity_regularizer"]
        return config

    def __repr__(self) -> str:
        return f"ActivityRegularization(l1={self.l1:g}, l2={self.l2:g})"


class Reshape(_SameNumbers):
    """Changes the shape of each example; the count of numbers stays the same.

    Args:
        target_shape: the new shape of an example; one dimension may be -1 and is then computed.

    Raises:
        ValueError, TypeError: if it is not a shape; when the layer is built, if the count of numbers differs.
    """

    def __init__(self, target_shape: Any, **kwargs: Any) -> None:
        super().__init__(**checks.keywords("Reshape", kwargs, LAYER_ARGUMENTS))
        dimensions = tuple(checks.integer("target_shape", n, least=-1) for n in checks.entries(target_shape))
        if dimensions.count(-1) > 1:
            raise ValueError(f"target_shape may have one -1, got {target_shape!r}")
        shape_of("target_shape", [n for n in dimensions if n != -1] or [1])
        self.target_shape: Shape = dimensions

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        count = math.prod(input_shape)
        known = math.prod(n for n in self.target_shape if n != -1)
        if (count % known if -1 in self.target_shape else count - known) != 0:
            raise checks.ShapeError(
                f"layer {self.name!r} cannot make {self.target_shape} of examples of shape {input_shape}"
            )
        return tuple(count // known if n == -1 else n for n in self.target_shape)

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {"target_shape": list(self.target_shape)}

    def __repr__(self) -> str:
        return f"Reshape({self.target_shape})"


class Rescaling(Layer):
    """Computes input * scale + offset.

    ``Rescaling(1 / 255)`` maps the bytes of an image to numbers from 0 to 1. As a model's first layer it lets `fit`
    keep the images in uint8, which takes a quarter of float32's memory.

    Args:
        scale: the factor: a number, or an array that can be broadcast to an example.
        offset: the number that is added, or such an array.

    Raises:
        ValueError, TypeError: if an argument holds anything but finite numbers; when the layer is built, if an array
            does not fit an example.

    Example:
        >>> Rescaling(1 / 255)(np.array([[0, 255]]))
        array([[0., 1.]], dtype=float32)
    """

    _fixed = Layer._fixed | {"scale", "offset"}

    def __init__(self, scale: Any, offset: Any = 0.0, **kwargs: Any) -> None:
        super().__init__(**checks.keywords("Rescaling", kwargs, LAYER_ARGUMENTS))
        self.scale, self.offset = _numbers("scale", scale), _numbers("offset", offset)
        self._is_plain = np.ndim(self.scale) == np.ndim(self.offset) == 0  # numbers, for which there is a kernel

    @property
    def _factor(self) -> float:  # type: ignore[override]
        return self.scale if self._is_plain else 1.0

    @property
    def _keeps_zeros(self) -> bool:  # type: ignore[override]
        return self._is_plain and self.offset == 0

    def build(self, input_shape: Shape) -> None:
        for name, array in (("scale", self.scale), ("offset", self.offset)):
            if not _fits(np.shape(array), input_shape):
                raise checks.ShapeError(
                    f"layer {self.name!r}: {name} has shape {np.shape(array)}, but examples have shape {input_shape}"
                )
        self._columns = math.prod(input_shape)
        self._outputs, self._gradients = Workspace(self._columns), Workspace(self._columns)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return input_shape

    def call(self, x: Floats, training: bool = False) -> Floats:
        return self._by_rows(Rescaling.forward, x, training)

    def forward(self, x: Floats, training: bool = False, fused: Fused = ALONE) -> Floats:
        """Rescales a batch, in a workspace that the next call overwrites."""
        if not self._is_plain:
            assert self.input_shape is not None
            rescaled = self._shaped(x, self.input_shape) * self.scale + self.offset
            return np.ascontiguousarray(rescaled.reshape(len(x), -1))
        y = self._outputs.rows(len(x))
        kernels.rescale(x, y, self._columns, self.scale, self.offset)
        return y

    def backward(
        self, x: Floats, y: Floats, dy: Floats, sink: Sink, need_dx: bool, fused: Fused = ALONE
    ) -> Floats | None:
        if not need_dx:
            return None
        if not self._is_plain:
            assert self.input_shape is not None
            return np.ascontiguousarray((self._shaped(dy, self.input_shape) * self.scale).reshape(len(dy), -1))
        dx = self._gradients.rows(len(dy))
        kernels.rescale(dy, dx, self._columns, self.scale, 0.0)
        return dx

    @property
    def _is_taped(self) -> bool:
        return self._is_plain

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {"scale": _plain(self.scale), "offset": _plain(self.offset)}

    def __repr__(self) -> str:
        has_offset = np.ndim(self.offset) or self.offset
        return f"Rescaling({_plain(self.scale)!r}{f', {_plain(self.offset)!r}' if has_offset else ''})"


def _numbers(argument: str, value: Any) -> Any:
    """Returns a float, or a float32 array if `value` has axes; raises ValueError or TypeError for anything else."""
    if np.ndim(value):
        return checks.as_float32(argument, checks.numeric(argument, value))
    return checks.number(argument, value, least=-math.inf)


def _fits(shape: Shape, example: Shape) -> bool:
    """Returns whether an array of this shape can be broadcast to an example."""
    pairs = zip(reversed(shape), reversed(example), strict=False)
    return len(shape) <= len(example) and all(n in (1, m) for n, m in pairs)


def _plain(value: Any) -> Any:
    return value.tolist() if isinstance(value, np.ndarray) else value
