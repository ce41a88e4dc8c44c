"""Input, which declares the shape of one example: the start of a model."""

from __future__ import annotations

from typing import Any

from fastnet import checks
from fastnet.checks import Floats
from fastnet.layers.base import Layer, shape_of
from fastnet.layers.tensor import Tensor


def Input(  # noqa: N802, Keras's name
    shape: Any = None,
    batch_size: int | None = None,
    dtype: Any = None,
    sparse: Any = None,
    ragged: Any = None,
    batch_shape: Any = None,
    name: str | None = None,
    optional: bool = False,
) -> Tensor:
    """Declares the shape of one example: ``Input((784,))``.

    It is the first entry of a `Sequential`, or the tensor on which the first layer of a `Model` is called. The
    arguments and errors are those of `InputLayer`.

    Example:
        >>> Input((784,)).shape
        (None, 784)
    """
    return InputLayer(shape, batch_size, dtype, sparse, ragged, batch_shape, optional=optional, name=name).output


class InputLayer(Layer):
    """A layer without any computation, whose output is what a model is given.

    Args:
        shape: the shape of one example; () if an example is one number.
        batch_size: has no effect: any batch size works.
        dtype: has no effect: fastnet computes in float32.
        sparse: has no effect: a model with a Dense layer in front takes SciPy's sparse matrices anyway.
        ragged: must be None or False.
        batch_shape: the shape of a batch, (examples or None, ...), instead of `shape` and `batch_size`.
        optional: must be False: a model has one input.
        name: the layer's name.
        input_shape: the older name of `shape`.

    Attributes:
        batch_shape: the shape of a batch, (batch_size or None, ...).
        output: a `Tensor` of this shape.

    Raises:
        ValueError: if a dimension is not at least 1, there is no shape, or two arguments say the same.
        TypeError: if the shape is not a shape.
    """

    def __init__(
        self,
        shape: Any = None,
        batch_size: int | None = None,
        dtype: Any = None,
        sparse: Any = None,
        ragged: Any = None,
        batch_shape: Any = None,
        optional: bool = False,
        name: str | None = None,
        *,
        input_shape: Any = None,
    ) -> None:
        super().__init__(name=name or "input_layer")
        if shape is not None and input_shape is not None:
            raise ValueError("give shape or input_shape, not both")
        shape = input_shape if shape is None else shape
        if batch_shape is not None:
            for argument, value in (("shape", shape), ("batch_size", batch_size)):
                if value is not None:
                    raise ValueError(f"you cannot pass both `{argument}` and `batch_shape`, got {value!r}")
            if not isinstance(batch_shape, list | tuple) or not batch_shape:
                raise TypeError(f"batch_shape must be a batch's shape such as (None, 784), got {batch_shape!r}")
            batch_size, shape = batch_shape[0], batch_shape[1:]
        if shape is None:
            raise ValueError("you must pass a `shape` argument, the shape of one example such as (784,); got None")
        if ragged or optional:
            raise ValueError("ragged and optional inputs are not supported; expected False")
        if batch_size is not None:
            batch_size = checks.integer("batch_size", batch_size, least=1)
        example = shape_of("shape", shape, least_rank=0)
        self.batch_shape: tuple[int | None, ...] = (batch_size, *example)
        self.dtype = "float32" if dtype is None else str(getattr(dtype, "__name__", dtype))
        self.sparse, self.ragged = bool(sparse), False
        self.input_shape = self.output_shape = example
        self.built = self._is_complete = True

    @property
    def output(self) -> Tensor:
        if self._output is None:
            assert self.output_shape is not None
            self._output = Tensor(self.output_shape, self)
        return self._output

    def call(self, x: Any = None, training: bool = False) -> Any:
        return x

    def gradient(self, x: Floats, y: Floats, dy: Floats) -> Floats:
        return dy

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_output": None}  # a tensor is copied with its layer

    def get_config(self) -> dict[str, Any]:
        config = super().get_config() | {"batch_shape": list(self.batch_shape)}
        return config if self.dtype == "float32" else config | {"dtype": self.dtype}

    def __repr__(self) -> str:
        return f"InputLayer({self.output_shape})"
