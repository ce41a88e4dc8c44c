"""Layers that change only the shape or the scale of their input: Flatten, Reshape, Rescaling."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from fastnet import checks, kernels
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


class Reshape(_SameNumbers):
    """Changes the shape of each example; the count of numbers stays the same.

    Args:
        target_shape: the new shape of an example; one dimension may be -1 and is then computed.

    Raises:
        ValueError, TypeError: if it is not a shape; when the layer is built, if the count of numbers differs.
    """

    def __init__(self, target_shape: Any, **kwargs: Any) -> None:
        super().__init__(**checks.keywords("Reshape", kwargs, LAYER_ARGUMENTS))
        dimensions = tuple(target_shape) if not isinstance(target_shape, int) else (target_shape,)
        if dimensions.count(-1) > 1:
            raise ValueError(f"target_shape may have one -1, got {target_shape!r}")
        shape_of("target_shape", [n for n in dimensions if n != -1] or [1])
        self.target_shape: Shape = tuple(int(n) for n in dimensions)

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
        scale: the factor.
        offset: the number that is added.

    Raises:
        ValueError, TypeError: if an argument is not a finite number.

    Example:
        >>> Rescaling(1 / 255)(np.array([[0, 255]]))
        array([[0., 1.]], dtype=float32)
    """

    _fixed = Layer._fixed | {"scale", "offset"}

    def __init__(self, scale: float, offset: float = 0.0, **kwargs: Any) -> None:
        super().__init__(**checks.keywords("Rescaling", kwargs, LAYER_ARGUMENTS))
        self.scale = checks.number("scale", scale, least=-math.inf)
        self.offset = checks.number("offset", offset, least=-math.inf)

    @property
    def _factor(self) -> float:  # type: ignore[override]
        return self.scale

    @property
    def _keeps_zeros(self) -> bool:  # type: ignore[override]
        return self.offset == 0

    def build(self, input_shape: Shape) -> None:
        self._columns = math.prod(input_shape)
        self._outputs, self._gradients = Workspace(self._columns), Workspace(self._columns)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return input_shape

    def call(self, x: Floats, training: bool = False) -> Floats:
        return self._by_rows(Rescaling.forward, x, training)

    def forward(self, x: Floats, training: bool = False, fused: Fused = ALONE) -> Floats:
        """Rescales a batch, in a workspace that the next call overwrites."""
        y = self._outputs.rows(len(x))
        kernels.rescale(x, y, self._columns, self.scale, self.offset)
        return y

    def backward(
        self, x: Floats, y: Floats, dy: Floats, sink: Sink, need_dx: bool, fused: Fused = ALONE
    ) -> Floats | None:
        if not need_dx:
            return None
        dx = self._gradients.rows(len(dy))
        kernels.rescale(dy, dx, self._columns, self.scale, 0.0)
        return dx

    @property
    def _is_taped(self) -> bool:
        return True

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {"scale": self.scale, "offset": self.offset}

    def __repr__(self) -> str:
        return f"Rescaling({self.scale!r})" if not self.offset else f"Rescaling({self.scale!r}, {self.offset!r})"
