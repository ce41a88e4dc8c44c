"""Normalization: features get mean 0 and variance 1 by the statistics of a whole data set."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastnet import checks
from fastnet.checks import Floats
from fastnet.layers.axes import axes_of, axis_argument
from fastnet.layers.base import LAYER_ARGUMENTS, Layer, Shape

Doubles = NDArray[np.float64]
LEAST_DEVIATION = 1e-7  # the least standard deviation that the layer divides by, as in Keras
_BLOCK = 1024  # number of rows whose squares are in memory at once


class Normalization(Layer):
    """Normalizes with the mean and variance of a data set: y = (x - mean) / sqrt(variance). Nothing is trained.

    Mean and variance are given, or `adapt` computes them from the training data. Before that they are 0 and 1.

    Args:
        axis: the axis or a list of axes that have a mean and a variance for each place; 0 is the batch. None gives all
            numbers one mean and one variance.
        mean: a number, or an array that fits those axes.
        variance: the same, none of it negative.
        invert: whether to compute the inverse, y = x sqrt(variance) + mean.
        name, trainable, input_shape, input_dim: as for `Layer`.

    Raises:
        ValueError: if a number is out of its range; when the layer is built, if there is no such axis or an array does
            not fit.
        TypeError: if an argument is of another type.

    Example:
        >>> layer = Normalization()
        >>> layer.adapt([[0.0, 7.0], [2.0, 9.0]])
        >>> layer([[0.0, 7.0], [3.0, 8.0]])
        array([[-1., -1.],
               [ 2.,  0.]], dtype=float32)
    """

    def __init__(
        self, axis: Any = -1, mean: Any = None, variance: Any = None, invert: bool = False, **kwargs: Any
    ) -> None:
        super().__init__(**checks.keywords("Normalization", kwargs, LAYER_ARGUMENTS))
        self.axis = None if axis is None or (isinstance(axis, list | tuple) and not axis) else axis_argument(axis)
        self.invert = checks.flag("invert", invert)
        if (mean is None) != (variance is None):
            raise ValueError("give mean and variance, or neither and call adapt(data)")
        self.input_mean: Floats | None = None
        self.input_variance: Floats | None = None
        if mean is not None:
            self.input_mean = checks.as_float32("mean", checks.numeric("mean", mean)).reshape(np.shape(mean))
            self.input_variance = checks.as_float32("variance", checks.numeric("variance", variance))
            self.input_variance = self.input_variance.reshape(np.shape(variance))
            if self.input_variance.size and self.input_variance.min() < 0:
                raise ValueError(f"variance must not be negative, got {self.input_variance.min()}")
            if self.input_mean.shape != self.input_variance.shape:
                raise ValueError(
                    f"mean has shape {self.input_mean.shape}, but variance {self.input_variance.shape}; expected the "
                    "same"
                )

    def build(self, input_shape: Shape) -> None:
        kept = () if self.axis is None else axes_of(self, self.axis, input_shape)
        rank = 1 + len(input_shape)
        self._shape = tuple(input_shape[i - 1] if i in kept else 1 for i in range(rank))
        self._axes = tuple(i for i in range(rank) if i not in kept)
        sizes = tuple(input_shape[i - 1] for i in kept)
        if self.input_mean is None:
            shape = sizes or (1,)
            self._mean = self.add_weight(shape, "zeros", name="mean", trainable=False)
            self._variance = self.add_weight(shape, "ones", name="variance", trainable=False)
            # Keras has this weight for its older files. With it, the list of weights is the same.
            self.add_weight((1,), "zeros", name="count", trainable=False)
            return
        assert self.input_variance is not None
        try:
            mean, variance = (np.broadcast_to(a, sizes) for a in (self.input_mean, self.input_variance))
            self._given = mean.reshape(self._shape), variance.reshape(self._shape)
        except ValueError:
            raise checks.ShapeError(
                f"layer {self.name!r}: mean and variance have shape {self.input_mean.shape}; expected {sizes} for "
                f"examples of shape {input_shape} and axis {self.axis}"
            ) from None

    @property
    def mean(self) -> Floats | None:
        """The mean that the layer subtracts, in a shape that fits a batch, such as (1, K); None before it is built."""
        return self._moments_in_use()[0] if self.built else None

    @property
    def variance(self) -> Floats | None:
        """The variance that the layer divides by the root of, in the shape of `mean`; None before it is built."""
        return self._moments_in_use()[1] if self.built else None

    def adapt(self, data: Any) -> None:
        """Sets mean and variance to those of a data set, and forgets those of an earlier call.

        If there is an error, the layer stays as it was.

        Args:
            data: examples, (n, ...), or an iterator or list of batches of examples.

        Raises:
            ValueError: if the shape does not fit, a value is not finite, there are no examples, or mean and variance
                were given to the layer.
            TypeError: if `data` does not hold numbers.
        """
        if self.input_mean is not None:
            raise ValueError("mean and variance were given to the layer, so it cannot adapt; leave them out")
        before = dict(vars(self))
        try:
            mean, variance = self._moments(data)
        except BaseException:
            vars(self).clear()
            vars(self).update(before)  # the layer must not stay built for the shape of refused data
            raise
        self._mean.assign(mean.reshape(self._mean.shape))
        self._variance.assign(variance.reshape(self._variance.shape))

    def _moments(self, data: Any) -> tuple[Doubles, Doubles]:
        """Returns mean and variance of a data set, and builds the layer. Errors are those of `adapt`."""
        count, mean, variance = 0.0, np.zeros(1), np.zeros(1)
        for batch in _batches(data):
            self.ensure_built(batch.shape[1:])
            for block in (batch[start : start + _BLOCK] for start in range(0, len(batch), _BLOCK)):
                exact = block.astype(np.float64)
                of_block = exact.mean(axis=self._axes, keepdims=True)
                spread = np.square(exact - of_block).mean(axis=self._axes, keepdims=True)
                # The variance of two parts together: their mean variance, and the share of their means' distance.
                share = len(block) / (count + len(block))
                step = of_block - mean
                mean = mean + share * step
                variance = (1 - share) * variance + share * spread + share * (1 - share) * step * step
                count += len(block)
        if not count:
            raise ValueError("data holds 0 examples; expected at least 1")
        if not (np.abs(variance) <= np.finfo(np.float32).max).all():
            raise ValueError("data has a variance that does not fit float32")
        return mean, variance

    def _moments_in_use(self) -> tuple[Floats, Floats]:
        if self.input_mean is not None:
            return self._given
        return self._mean.numpy().reshape(self._shape), self._variance.numpy().reshape(self._shape)

    def _statistics(self) -> tuple[Floats, Floats]:
        """Returns mean and standard deviation, in a shape that fits a batch."""
        mean, variance = self._moments_in_use()
        return mean, np.maximum(np.sqrt(variance), np.float32(LEAST_DEVIATION))

    def call(self, x: Floats, training: bool = False) -> Floats:
        mean, deviation = self._statistics()
        return x * deviation + mean if self.invert else (x - mean) / deviation

    def gradient(self, x: Floats, y: Floats, dy: Floats) -> Floats:
        _, deviation = self._statistics()
        return dy * deviation if self.invert else dy / deviation

    def get_config(self) -> dict[str, Any]:
        config = super().get_config() | {"axis": self.axis}
        if self.input_mean is not None and self.input_variance is not None:
            config |= {"mean": self.input_mean.tolist(), "variance": self.input_variance.tolist()}
        return config | {"invert": True} if self.invert else config

    def __repr__(self) -> str:
        parts = [] if self.axis == -1 else [f"axis={self.axis}"]
        if self.input_mean is not None and self.input_variance is not None:
            parts += [f"mean={self.input_mean.tolist()}", f"variance={self.input_variance.tolist()}"]
        return f"Normalization({', '.join([*parts, 'invert=True'] if self.invert else parts)})"


def _batches(data: Any) -> Iterator[NDArray[Any]]:
    """Yields the batches of `data`: an iterator, a list of arrays or pairs, an object with batches by index, or one."""
    several = hasattr(data, "__next__")
    parts = data
    if isinstance(data, list | tuple):
        several = len(data) > 0 and _rank(data[0][0] if isinstance(data[0], tuple) and data[0] else data[0]) > 1
    elif not isinstance(data, str | bytes | dict) and hasattr(data, "__getitem__") and not hasattr(data, "__array__"):
        several, parts = True, (data[i] for i in range(len(data)))
    for part in parts if several else [data]:
        # A pair (x, y) stands for x, as in Keras.
        batch = checks.examples("data", part[0] if several and isinstance(part, tuple) else part)
        if 0 in batch.shape[1:]:
            raise ValueError(f"data has shape {batch.shape}: no features")
        yield batch


def _rank(value: Any) -> int:
    return getattr(value, "ndim", 0)
