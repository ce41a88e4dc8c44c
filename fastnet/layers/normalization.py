"""Layers that give numbers mean 0 and variance 1: over a batch, within an example, or of a whole data set."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastnet import checks, constraints, initializers, regularizers
from fastnet.arrays.variables import Variable
from fastnet.checks import Floats
from fastnet.layers.axes import axes_of, axis_argument
from fastnet.layers.base import LAYER_ARGUMENTS, Layer, Shape

Doubles = NDArray[np.float64]
_EPSILON = 1e-7  # Keras's: the least standard deviation that Normalization divides by
_BLOCK = 1024  # rows whose squares are in memory at once
_OPTIONS = ("initializer", "regularizer", "constraint")
_MODULES: dict[str, Any] = {"initializer": initializers, "regularizer": regularizers, "constraint": constraints}


class Affine(Layer):
    """Base of the layers whose normalized numbers are multiplied by gamma and moved by beta, both trained."""

    _defaults: dict[str, str | None] = {  # noqa: RUF012, never changed
        "beta_initializer": "zeros",
        "gamma_initializer": "ones",
        "beta_regularizer": None,
        "gamma_regularizer": None,
        "beta_constraint": None,
        "gamma_constraint": None,
    }

    def __init__(self, epsilon: float, center: bool, scale: bool, options: dict[str, Any], kwargs: Any) -> None:
        super().__init__(**checks.keywords(type(self).__name__, kwargs, LAYER_ARGUMENTS))
        self.epsilon = checks.number("epsilon", epsilon, least=0)
        self.center, self.scale = _flag("center", center), _flag("scale", scale)
        for name, value in options.items():
            setattr(self, name, _MODULES[name.rpartition("_")[2]].get(value, name))
        self.gamma: Variable | None = None
        self.beta: Variable | None = None
        # What the way back needs of the last batch: the normalized numbers, and 1 / standard deviation.
        self._last: tuple[Floats, Doubles] | None = None

    def _add_affine(self, shape: Shape) -> None:
        self.gamma = self._add("gamma", shape) if self.scale else None
        self.beta = self._add("beta", shape) if self.center else None

    def _add(self, name: str, shape: Shape) -> Variable:
        initializer, regularizer, constraint = (getattr(self, f"{name}_{option}") for option in _OPTIONS)
        return self.add_weight(shape, initializer, name=name, regularizer=regularizer, constraint=constraint)

    def _affine(self, normalized: Floats, shape: Shape) -> Floats:
        """gamma times what is normalized, plus beta; `shape` is theirs among the axes of a batch."""
        y = normalized
        if self.gamma is not None:
            y = y * self.gamma.numpy().reshape(shape)
        if self.beta is not None:
            y = y + self.beta.numpy().reshape(shape)
        return y

    def _affine_gradient(self, dy: Floats, shape: Shape, axes: tuple[int, ...]) -> tuple[Floats, list[Floats]]:
        """The gradients by what is normalized, and by gamma and beta, which are the same along `axes`."""
        assert self._last is not None
        gradients = []
        if self.gamma is not None:
            gradients.append(_sum(dy * self._last[0], axes))
            if self.beta is not None:
                gradients.append(_sum(dy, axes))
            return dy * self.gamma.numpy().reshape(shape), gradients
        return dy, [] if self.beta is None else [_sum(dy, axes)]

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_last": None}

    def get_config(self) -> dict[str, Any]:
        config = super().get_config() | {"epsilon": self.epsilon}
        if not self.center:
            config["center"] = False
        if not self.scale:
            config["scale"] = False
        for name, default in self._defaults.items():
            module = _MODULES[name.rpartition("_")[2]]
            serialized = module.serialize(getattr(self, name))
            if serialized != module.serialize(module.get(default)):
                config[name] = serialized
        return config

    def _typed(self, **changed: Any) -> str:
        """The layer as one would type it, with those arguments that are not the defaults."""
        if self.epsilon != 1e-3:
            changed["epsilon"] = self.epsilon
        if not self.center:
            changed["center"] = False
        if not self.scale:
            changed["scale"] = False
        return f"{type(self).__name__}({', '.join(f'{name}={value!r}' for name, value in changed.items())})"


class BatchNormalization(Affine):
    """Normalizes each feature over the batch: y = gamma (x - mean) / sqrt(variance + epsilon) + beta.

    In training, mean and variance are those of the batch, the variance as a mean of squares, not corrected for the
    batch's size. Otherwise, and if the layer is not `trainable`, they are moving averages of those, which each batch
    of training moves: moving <- momentum moving + (1 - momentum) batch's.

    Source: S. Ioffe and C. Szegedy, "Batch normalization", 2015, algorithm 1 and its gradient in section 3.

    Args:
        axis: the axis of the features, counted with the batch's as 0; the others are averaged over.
        momentum: how much of the moving averages stays, in [0, 1].
        epsilon: a number of at least 0 that keeps the quotient finite.
        center, scale: whether there are a beta and a gamma.
        beta_initializer, gamma_initializer, moving_mean_initializer, moving_variance_initializer: how they begin.
        beta_regularizer, gamma_regularizer, beta_constraint, gamma_constraint: as for `Dense`.
        synchronized: accepted as Keras does, without effect: there is one device.
        name, trainable, input_shape, input_dim: as for `Layer`.

    Raises:
        ValueError, TypeError: if an argument is not of that kind; when the layer is built, if there is no such axis.

    Example:
        >>> BatchNormalization(epsilon=0)([[1.0], [3.0]], training=True)
        array([[-1.],
               [ 1.]], dtype=float32)
    """

    _defaults: dict[str, str | None] = Affine._defaults | {
        "moving_mean_initializer": "zeros",
        "moving_variance_initializer": "ones",
    }

    moving_mean_initializer: initializers.Initializer
    moving_variance_initializer: initializers.Initializer

    def __init__(
        self,
        axis: int = -1,
        momentum: float = 0.99,
        epsilon: float = 1e-3,
        center: bool = True,
        scale: bool = True,
        beta_initializer: Any = "zeros",
        gamma_initializer: Any = "ones",
        moving_mean_initializer: Any = "zeros",
        moving_variance_initializer: Any = "ones",
        beta_regularizer: Any = None,
        gamma_regularizer: Any = None,
        beta_constraint: Any = None,
        gamma_constraint: Any = None,
        synchronized: bool = False,
        **kwargs: Any,
    ) -> None:
        options = {
            "beta_initializer": beta_initializer,
            "gamma_initializer": gamma_initializer,
            "moving_mean_initializer": moving_mean_initializer,
            "moving_variance_initializer": moving_variance_initializer,
            "beta_regularizer": beta_regularizer,
            "gamma_regularizer": gamma_regularizer,
            "beta_constraint": beta_constraint,
            "gamma_constraint": gamma_constraint,
        }
        super().__init__(epsilon, center, scale, options, kwargs)
        if isinstance(axis, list | tuple):
            raise TypeError(f"axis must be an integer, got {axis!r}")
        self.axis = axis_argument(axis)
        self.momentum = checks.number("momentum", momentum, least=0)
        if self.momentum > 1:
            raise ValueError(f"momentum must be in [0, 1], got {momentum!r}")
        _flag("synchronized", synchronized)
        self._batchwise = False  # whether the last batch was normalized by its own statistics

    def build(self, input_shape: Shape) -> None:
        (axis,) = axes_of(self, self.axis, input_shape)
        rank = 1 + len(input_shape)
        features = input_shape[axis - 1]
        self._shape = tuple(features if i == axis else 1 for i in range(rank))
        self._axes = tuple(i for i in range(rank) if i != axis)
        self._add_affine((features,))
        self.moving_mean, self.moving_variance = (
            self.add_weight((features,), initializer, name=name, trainable=False)
            for name, initializer in (
                ("moving_mean", self.moving_mean_initializer),
                ("moving_variance", self.moving_variance_initializer),
            )
        )

    def call(self, x: Floats, training: bool = False) -> Floats:
        self._batchwise = bool(training and self.trainable)
        if self._batchwise:
            normalized, deviation, mean, variance = _normalize(x, self._axes, self.epsilon)
            _move(self.moving_mean, mean, self.momentum)
            _move(self.moving_variance, variance, self.momentum)
        else:
            variance = self.moving_variance.numpy().astype(np.float64).reshape(self._shape)
            with np.errstate(invalid="ignore"):  # a negative variance that somebody set: NaN shows it
                deviation = 1 / np.sqrt(variance + self.epsilon)
            normalized = (x - self.moving_mean.numpy().reshape(self._shape)) * deviation.astype(np.float32)
        self._last = normalized, deviation
        return self._affine(normalized, self._shape)

    def gradient(self, x: Floats, y: Floats, dy: Floats) -> tuple[Floats, list[Floats]]:
        assert self._last is not None
        dn, gradients = self._affine_gradient(dy, self._shape, self._axes)
        if self._batchwise:
            return _normalize_gradient(dn, *self._last, self._axes), gradients
        return dn * self._last[1].astype(np.float32), gradients

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {"axis": self.axis, "momentum": self.momentum}

    def __repr__(self) -> str:
        changed: dict[str, Any] = {} if self.axis == -1 else {"axis": self.axis}
        return self._typed(**(changed if self.momentum == 0.99 else changed | {"momentum": self.momentum}))


class LayerNormalization(Affine):
    """Normalizes each example by itself, over some axes: y = gamma (x - mean) / sqrt(variance + epsilon) + beta.

    Gamma and beta have a number for each place along those axes. Training makes no difference.

    Source: J. Ba et al., "Layer normalization", 2016.

    Args:
        axis: the axis or a list of axes to average over, counted with the batch's as 0.
        epsilon: a number of at least 0 that keeps the quotient finite.
        center, scale: whether there are a beta and a gamma.
        beta_initializer, gamma_initializer, beta_regularizer, gamma_regularizer, beta_constraint, gamma_constraint:
            as for `Dense`.
        name, trainable, input_shape, input_dim: as for `Layer`.

    Raises:
        ValueError, TypeError: if an argument is not of that kind; when the layer is built, if there is no such axis.

    Example:
        >>> LayerNormalization(epsilon=0)([[1.0, 3.0], [10.0, 30.0]])
        array([[-1.,  1.],
               [-1.,  1.]], dtype=float32)
    """

    def __init__(
        self,
        axis: Any = -1,
        epsilon: float = 1e-3,
        center: bool = True,
        scale: bool = True,
        beta_initializer: Any = "zeros",
        gamma_initializer: Any = "ones",
        beta_regularizer: Any = None,
        gamma_regularizer: Any = None,
        beta_constraint: Any = None,
        gamma_constraint: Any = None,
        **kwargs: Any,
    ) -> None:
        options = {
            "beta_initializer": beta_initializer,
            "gamma_initializer": gamma_initializer,
            "beta_regularizer": beta_regularizer,
            "gamma_regularizer": gamma_regularizer,
            "beta_constraint": beta_constraint,
            "gamma_constraint": gamma_constraint,
        }
        super().__init__(epsilon, center, scale, options, kwargs)
        self.axis = axis_argument(axis)

    def build(self, input_shape: Shape) -> None:
        self._axes = axes_of(self, self.axis, input_shape)
        rank = 1 + len(input_shape)
        self._others = tuple(i for i in range(rank) if i not in self._axes)
        self._shape = tuple(input_shape[i - 1] if i in self._axes else 1 for i in range(rank))
        self._add_affine(tuple(input_shape[i - 1] for i in self._axes))

    def call(self, x: Floats, training: bool = False) -> Floats:
        normalized, deviation, _, _ = _normalize(x, self._axes, self.epsilon)
        self._last = normalized, deviation
        return self._affine(normalized, self._shape)

    def gradient(self, x: Floats, y: Floats, dy: Floats) -> tuple[Floats, list[Floats]]:
        assert self._last is not None
        dn, gradients = self._affine_gradient(dy, self._shape, self._others)
        return _normalize_gradient(dn, *self._last, self._axes), gradients

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {"axis": self.axis}

    def __repr__(self) -> str:
        return self._typed(**({} if self.axis == -1 else {"axis": self.axis}))


class Normalization(Layer):
    """Moves and scales by what is known of the data: y = (x - mean) / sqrt(variance), not trained.

    Mean and variance are given, or `adapt` finds them in the training data; before, they are 0 and 1.

    Args:
        axis: the axis or a list of axes that have a mean and a variance for each place, counted with the batch's as
            0; None for one of all numbers.
        mean, variance: numbers, or arrays that fit those axes.
        invert: whether to go the other way, y = x sqrt(variance) + mean.
        name, trainable, input_shape, input_dim: as for `Layer`.

    Raises:
        ValueError, TypeError: if an argument is not of that kind; when the layer is built, if there is no such axis or
            an array does not fit.

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
        self.invert = _flag("invert", invert)
        if (mean is None) != (variance is None):
            raise ValueError("give mean and variance, or neither and call adapt(data)")
        self.mean: Floats | None = None
        self.variance: Floats | None = None
        if mean is not None:
            self.mean = checks.as_float32("mean", checks.numeric("mean", mean)).reshape(np.shape(mean))
            self.variance = checks.as_float32("variance", checks.numeric("variance", variance)).reshape(
                np.shape(variance)
            )
            if self.variance.size and self.variance.min() < 0:
                raise ValueError(f"variance must not be negative, got {self.variance.min()}")
            if self.mean.shape != self.variance.shape:
                raise ValueError(
                    f"mean has shape {self.mean.shape}, but variance {self.variance.shape}; expected the same"
                )

    def build(self, input_shape: Shape) -> None:
        kept = () if self.axis is None else axes_of(self, self.axis, input_shape)
        rank = 1 + len(input_shape)
        self._shape = tuple(input_shape[i - 1] if i in kept else 1 for i in range(rank))
        self._axes = tuple(i for i in range(rank) if i not in kept)
        sizes = tuple(input_shape[i - 1] for i in kept)
        if self.mean is None:
            shape = sizes or (1,)
            self._mean = self.add_weight(shape, "zeros", name="mean", trainable=False)
            self._variance = self.add_weight(shape, "ones", name="variance", trainable=False)
            # Keras has it too, for its older files: with it, weights and their number are the same.
            self.add_weight((1,), "zeros", name="count", trainable=False)
            return
        assert self.variance is not None
        try:
            self._given = tuple(np.broadcast_to(a, sizes).reshape(self._shape) for a in (self.mean, self.variance))
        except ValueError:
            raise checks.ShapeError(
                f"layer {self.name!r}: mean and variance have shape {self.mean.shape}; expected {sizes} for examples "
                f"of shape {input_shape} and axis {self.axis}"
            ) from None

    def adapt(self, data: Any) -> None:
        """Sets mean and variance to those of a data set; what an earlier call found is forgotten.

        Args:
            data: examples, (n, ...), or an iterator or list of batches of such.

        Raises:
            ValueError: if the shape does not fit, a value is not finite, there are no examples, or mean and variance
                were given to the layer; mean and variance are as they were then.
            TypeError: if `data` does not hold numbers.
        """
        if self.mean is not None:
            raise ValueError("mean and variance were given to the layer, so it cannot adapt; leave them out")
        before = dict(vars(self))
        try:
            mean, variance = self._moments(data)
        except BaseException:
            vars(self).clear()
            vars(self).update(before)  # not built for the shape of what was refused
            raise
        self._mean.assign(mean.reshape(self._mean.shape))
        self._variance.assign(variance.reshape(self._variance.shape))

    def _moments(self, data: Any) -> tuple[Doubles, Doubles]:
        """Mean and variance of a data set; builds the layer. Errors as `adapt`."""
        count, mean, variance = 0.0, np.zeros(1), np.zeros(1)
        for batch in _batches(data):
            self.ensure_built(batch.shape[1:])
            for block in (batch[start : start + _BLOCK] for start in range(0, len(batch), _BLOCK)):
                exact = block.astype(np.float64)
                of_block = exact.mean(axis=self._axes, keepdims=True)
                spread = np.square(exact - of_block).mean(axis=self._axes, keepdims=True)
                # Two parts' mean squares add up, and the distance between their means is one more part of it.
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

    def _statistics(self) -> tuple[Floats, Floats]:
        """Mean and standard deviation, of a shape that fits a batch."""
        if self.mean is None:
            mean, variance = (v.numpy().reshape(self._shape) for v in (self._mean, self._variance))
        else:
            mean, variance = self._given
        return mean, np.maximum(np.sqrt(variance), np.float32(_EPSILON))

    def call(self, x: Floats, training: bool = False) -> Floats:
        mean, deviation = self._statistics()
        return x * deviation + mean if self.invert else (x - mean) / deviation

    def gradient(self, x: Floats, y: Floats, dy: Floats) -> Floats:
        _, deviation = self._statistics()
        return dy * deviation if self.invert else dy / deviation

    def get_config(self) -> dict[str, Any]:
        config = super().get_config() | {"axis": self.axis}
        if self.mean is not None and self.variance is not None:
            config |= {"mean": self.mean.tolist(), "variance": self.variance.tolist()}
        return config | {"invert": True} if self.invert else config

    def __repr__(self) -> str:
        parts = [] if self.axis == -1 else [f"axis={self.axis}"]
        if self.mean is not None and self.variance is not None:
            parts += [f"mean={self.mean.tolist()}", f"variance={self.variance.tolist()}"]
        return f"Normalization({', '.join([*parts, 'invert=True'] if self.invert else parts)})"


def _flag(argument: str, value: Any) -> bool:
    if not isinstance(value, bool | np.bool_):
        raise TypeError(f"{argument} must be True or False, got {value!r}")
    return bool(value)


def _sum(x: Floats, axes: tuple[int, ...]) -> Floats:
    total: Floats = x.sum(axis=axes, dtype=np.float64).astype(np.float32)
    return total


def _move(variable: Variable, value: Doubles, momentum: float) -> None:
    """A moving average's step; without the check of `assign`, since a NaN is to show and not to stop the training."""
    moved = momentum * variable.numpy().astype(np.float64) + (1 - momentum) * value.reshape(variable.shape)
    with np.errstate(over="ignore"):
        variable.packed[...] = variable.pack(moved.astype(np.float32))


def _normalize(x: Floats, axes: tuple[int, ...], epsilon: float) -> tuple[Floats, Doubles, Doubles, Doubles]:
    """Numbers of mean 0 and variance 1 along `axes`, 1 / sqrt(variance + epsilon), mean and variance.

    The mean is taken off before squares are summed, or numbers far from 0 would lose their variance to rounding; what
    rounding has left of the mean is taken off too. The sums are float64, since along the first axis NumPy adds up one
    row after the other.
    """
    with np.errstate(all="ignore"):  # NaN and infinity speak for themselves
        mean = x.mean(axis=axes, keepdims=True, dtype=np.float64)
        near = mean.astype(np.float32)
        rest = mean - near
        centered = x - near
        square = np.square(centered, dtype=np.float64).mean(axis=axes, keepdims=True)
        variance = np.maximum(square - rest * rest, 0)
        inverse = 1 / np.sqrt(variance + epsilon)
        inverse[np.isinf(inverse)] = 0  # epsilon is 0 and all numbers are the same: they become 0
        normalized = (centered - rest.astype(np.float32)) * inverse.astype(np.float32)
    return normalized, inverse, mean, variance


def _normalize_gradient(dn: Floats, normalized: Floats, inverse: Doubles, axes: tuple[int, ...]) -> Floats:
    """The way back through `_normalize`: dx = (dn - mean(dn) - n mean(dn n)) / sqrt(variance + epsilon)."""
    with np.errstate(all="ignore"):
        mean = dn.mean(axis=axes, keepdims=True, dtype=np.float64).astype(np.float32)
        along = (dn * normalized).mean(axis=axes, keepdims=True, dtype=np.float64).astype(np.float32)
        dx: Floats = (dn - mean - normalized * along) * inverse.astype(np.float32)
    return dx


def _batches(data: Any) -> Iterator[NDArray[Any]]:
    """The batches of `data`, which is a single one unless it is an iterator, or a list of arrays of rows."""
    several = hasattr(data, "__next__") or (
        isinstance(data, list | tuple) and len(data) > 0 and getattr(data[0], "ndim", 0) > 1
    )
    for part in data if several else [data]:
        # Of a pair (x, y) the examples, as Keras takes them.
        batch = checks.examples("data", part[0] if several and isinstance(part, tuple) else part)
        if 0 in batch.shape[1:]:
            raise ValueError(f"data has shape {batch.shape}: no features")
        yield batch
