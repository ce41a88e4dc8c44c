"""CategoryEncoding: rows of zeros and ones, or of counts, for the numbers of categories."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastnet import checks
from fastnet.layers.base import LAYER_ARGUMENTS, Shape
from fastnet.layers.tensor import Tensor
from fastnet.layers.whole_numbers import Integers, WholeNumbersLayer, whole_numbers

_MODES = {name: name for name in ("int", "one_hot", "multi_hot", "count", "tf_idf")}
_OLDER = {"binary": "multi_hot", "tf-idf": "tf_idf"}


class CategoricalLayer(WholeNumbersLayer):
    """Base of the layers that turn values into the numbers of categories, and these into rows.

    Called directly, such a layer takes an array of any shape, in its own type. In a model its input is float32.

    Args:
        output_mode: what the layer makes of the numbers of categories: see `encode`.
        modes: the modes that the layer has.
        sparse: must be False; the output is a dense array.
        kwargs: the arguments of `Layer`.
    """

    _fixed = WholeNumbersLayer._fixed | {"output_mode"}

    def __init__(self, output_mode: Any, modes: tuple[str, ...], sparse: Any, kwargs: dict[str, Any]) -> None:
        super().__init__(**checks.keywords(type(self).__name__, kwargs, LAYER_ARGUMENTS))
        older = _OLDER.get(output_mode, output_mode) if isinstance(output_mode, str) else output_mode
        self.output_mode = checks.choose("output_mode", older, {name: name for name in modes})
        if checks.flag("sparse", sparse):
            raise ValueError("sparse is not supported, since fastnet's layers return dense arrays; expected False")

    def categories(self, x: Any) -> Integers:
        """Returns the number of each value's category, in x's shape; -1 for a value that counts for none."""
        raise NotImplementedError

    @property
    def depth(self) -> int:
        """The number of categories, which is the length of a row."""
        raise NotImplementedError

    def __call__(self, x: Any, training: bool = False) -> Any:
        """Returns the result for an array of any shape: int64 if `output_mode` is ``"int"``, else float32."""
        return super().__call__(x, training) if isinstance(x, Tensor) else self.outputs(x)

    def outputs(self, x: Any) -> Any:
        return encode(self.categories(x), self.output_mode, self.depth)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        if self.output_mode == "int":
            return input_shape
        if self.output_mode == "one_hot":
            return (*(input_shape[:-1] if input_shape[-1:] == (1,) else input_shape), self.depth)
        if not input_shape:
            raise checks.ShapeError(
                f"layer {self.name!r} is given examples that are numbers; {self.output_mode!r} expects rows, and "
                "'one_hot' makes a row of each number"
            )
        return (*input_shape[1:], self.depth)

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {"output_mode": self.output_mode}


def parts_of(data: Any, steps: int | None) -> Iterator[Any]:
    """Yields the parts of a data set: the first `steps` of an iterator, or the data set itself."""
    most = None if steps is None else checks.integer("steps", steps, least=0)
    yield from itertools.islice(data, most) if hasattr(data, "__next__") else [data]


def encode(categories: Integers, mode: str, depth: int, weights: Any = None) -> NDArray[Any]:
    """Returns what a layer makes of the numbers of categories; -1 counts for none.

    Args:
        categories: numbers in [-1, depth): (n,), or a batch, (B, n, ...).
        mode: ``"int"`` for the numbers themselves; ``"one_hot"`` for a row for each number, with 1 at its place, where
            a last axis of length 1 is dropped; ``"count"`` for a row for each sample, the first axis after the batch,
            with how often each category occurs; ``"multi_hot"`` for such a row with 1 for each category that occurs.
        depth: the length of a row.
        weights: what each number counts, in the shape of `categories`; by default 1.
    """
    if mode == "int":
        return categories
    if mode == "one_hot":
        if categories.ndim > 1 and categories.shape[-1] == 1:
            categories = categories[..., 0]
        return (categories[..., None] == np.arange(depth)).astype(np.float32)
    samples = _samples_last(categories)
    flat = samples.reshape(-1, samples.shape[-1])
    counts = flat >= 0
    places = np.arange(len(flat))[:, None] * depth + flat
    given = None if weights is None else _samples_last(np.asarray(weights)).reshape(flat.shape)[counts]
    rows = np.bincount(places[counts], given, minlength=len(flat) * depth)
    if mode == "multi_hot":
        rows = np.minimum(rows, 1)
    return rows.reshape(*samples.shape[:-1], depth).astype(np.float32)


def _samples_last(array: NDArray[Any]) -> NDArray[Any]:
    """Moves the axis of the samples, the first after the batch, to the end; a vector is one sample."""
    return np.moveaxis(array, 1, -1) if array.ndim > 1 else np.atleast_1d(array)


class CategoryEncoding(CategoricalLayer):
    """Encodes whole numbers in [0, num_tokens) as rows of `num_tokens` numbers.

    Args:
        num_tokens: the number of categories.
        output_mode: ``"multi_hot"``: a row for each example, with 1 for each category that it holds; ``"count"``: how
            often it holds each; ``"one_hot"``: a row for each number of the example.
        sparse: must be False; the output is a dense array.
        name, trainable, input_shape, input_dim: as for `Layer`.

    Raises:
        ValueError, TypeError: if an argument is invalid; in a call, if a number is not whole or out of range.

    Example:
        >>> CategoryEncoding(3)([[0, 2], [1, 1]])
        array([[1., 0., 1.],
               [0., 1., 0.]], dtype=float32)
    """

    def __init__(
        self, num_tokens: int | None = None, output_mode: str = "multi_hot", sparse: bool = False, **kwargs: Any
    ) -> None:
        super().__init__(output_mode, ("multi_hot", "one_hot", "count"), sparse, kwargs)
        if num_tokens is None:
            raise ValueError("num_tokens must be given; if you do not know it, use IntegerLookup")
        self.num_tokens = checks.integer("num_tokens", num_tokens, least=1)

    def __call__(  # type: ignore[override]  # Keras has count_weights in second place
        self, x: Any, count_weights: Any = None, training: bool = False
    ) -> Any:
        """Returns the rows for numbers of any shape.

        Args:
            x: the numbers, (B, n) or (n,).
            count_weights: in mode ``"count"``, what each number counts, in x's shape.
            training: without effect.

        Raises:
            ValueError, TypeError: if an argument is invalid.
        """
        if count_weights is None:
            return super().__call__(x)
        if self.output_mode != "count":
            raise ValueError(f"count_weights is given, but output_mode is {self.output_mode!r}; expected 'count'")
        found = self.categories(x)
        weights = checks.numeric("count_weights", count_weights)
        if weights.shape != found.shape:
            raise ValueError(f"count_weights has shape {weights.shape}, but x has shape {found.shape}")
        return encode(found, "count", self.num_tokens, weights)

    def categories(self, x: Any) -> Integers:
        return whole_numbers("x", x, self.num_tokens)

    @property
    def depth(self) -> int:
        return self.num_tokens

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {"num_tokens": self.num_tokens}

    def __repr__(self) -> str:
        return f"CategoryEncoding({self.num_tokens}, {self.output_mode!r})"
