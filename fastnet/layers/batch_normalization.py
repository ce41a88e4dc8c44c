"""BatchNormalization: each feature gets mean 0 and variance 1 over a batch."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastnet import checks, initializers
from fastnet.arrays.variables import Variable
from fastnet.checks import Floats
from fastnet.layers.affine_normalization import OPTIONS, AffineNormalization, Doubles, normalize, normalize_gradient
from fastnet.layers.axes import axes_of, axis_argument
from fastnet.layers.base import Shape


class BatchNormalization(AffineNormalization):
    """Normalizes each feature over the batch: y = gamma (x - mean) / sqrt(variance + epsilon) + beta.

    In training, mean and variance are those of the batch. The variance is the mean of the squares, not corrected for
    the size of the batch. Each batch also updates moving averages: moving <- momentum moving + (1 - momentum) batch.
    Outside of training, and if the layer is not `trainable`, the moving averages are used.

    Source: S. Ioffe and C. Szegedy, "Batch normalization", 2015, algorithm 1 and its gradient in section 3.

    With `renorm`, training uses almost the same numbers as prediction: n r + d instead of the normalized n, where
    r = s / s_moving and d = (mean - mean_moving) / s_moving, with s = sqrt(variance + epsilon) of the batch and moving
    averages of mean and s of their own. The gradient takes r and d as constants.

    Source: S. Ioffe, "Batch renormalization", 2017, algorithm 1.

    Args:
        axis: the axis of the features; 0 is the batch. The layer averages over the others.
        momentum: share of the moving averages that each batch keeps, in [0, 1].
        epsilon: a number of at least 0 that prevents a division by zero.
        center, scale: whether to add beta, and whether to multiply by gamma.
        beta_initializer, gamma_initializer, moving_mean_initializer, moving_variance_initializer: initial values of
            beta, gamma and the two moving averages.
        beta_regularizer, gamma_regularizer, beta_constraint, gamma_constraint: as for `Dense`.
        synchronized: accepted as in Keras, without effect: mean and variance are always those of the whole batch, also
            in a training with `fastnet.distributed`.
        renorm: whether to correct the batch's mean and variance as above.
        renorm_clipping: a dict with limits: r in [rmin, rmax] and d in [-dmax, dmax]. A limit may be left out.
        renorm_momentum: share of the averages for r and d that each batch keeps, in [0, 1].
        name, trainable, input_shape, input_dim: as for `Layer`.

    Raises:
        ValueError: if a number is out of its range; when the layer is built, if there is no such axis.
        TypeError: if an argument is of another type.

    Example:
        >>> BatchNormalization(epsilon=0)([[1.0], [3.0]], training=True)
        array([[-1.],
               [ 1.]], dtype=float32)
    """

    _defaults: dict[str, str | None] = AffineNormalization._defaults | {
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
        renorm: bool = False,
        renorm_clipping: dict[str, float] | None = None,
        renorm_momentum: float = 0.99,
        **kwargs: Any,
    ) -> None:
        options = {name: value for name, value in locals().items() if name.endswith(OPTIONS)}
        super().__init__(epsilon, center, scale, options, kwargs)
        if isinstance(axis, list | tuple):
            raise TypeError(f"axis must be an integer, got {axis!r}")
        self.axis = axis_argument(axis)
        self.momentum = _share("momentum", momentum)
        checks.flag("synchronized", synchronized)
        self.renorm = checks.flag("renorm", renorm)
        self.renorm_clipping = _limits(renorm_clipping or {}) if self.renorm else renorm_clipping
        self.renorm_momentum = _share("renorm_momentum", renorm_momentum)
        self._uncorrected: tuple[Floats, Floats] | None = None  # with renorm: n and r of the last batch
        self._batchwise = False  # whether the last batch was normalized with its own mean and variance

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

        if self.renorm:
            self.moving_stddev = self.add_weight((features,), self._root, name="moving_stddev", trainable=False)
            self.renorm_mean = self.add_weight(
                (features,), self.moving_mean_initializer, name="renorm_mean", trainable=False
            )
            self.renorm_stddev = self.add_weight((features,), self._root, name="renorm_stddev", trainable=False)

    def _root(self, shape: Shape) -> Floats:
        """Returns initial standard deviations: the roots of the initial variances."""
        return np.sqrt(self.moving_variance_initializer(shape))

    def call(self, x: Floats, training: bool = False) -> Floats:
        self._batchwise = bool(training and self.trainable)
        if self._batchwise:
            normalized, inverse, mean, variance = normalize(x, self._axes, self.epsilon)
            if self.renorm:
                normalized = self._corrected(normalized, mean, np.sqrt(variance + self.epsilon))
            else:
                _update_average(self.moving_variance, variance, self.momentum)
            _update_average(self.moving_mean, mean, self.momentum)
        else:
            variance = self.moving_variance.numpy().astype(np.float64).reshape(self._shape)
            with np.errstate(invalid="ignore"):  # a negative variance, which only a user can set, gives NaN
                inverse = 1 / np.sqrt(variance + self.epsilon)
            normalized = (x - self.moving_mean.numpy().reshape(self._shape)) * inverse.astype(np.float32)
        self._last = normalized, inverse
        return self._affine(normalized, self._shape)

    def _corrected(self, normalized: Floats, mean: Doubles, stddev: Doubles) -> Floats:
        """Returns n r + d, and updates the averages of `renorm`. Arguments: n, and the batch's mean and deviation."""
        limits = self.renorm_clipping or {}
        moving = np.maximum(self.renorm_stddev.numpy().astype(np.float64), np.sqrt(self.epsilon)).reshape(self._shape)
        r = np.clip(stddev / moving, limits.get("rmin", 0), limits.get("rmax", np.inf))
        d = (mean - self.renorm_mean.numpy().reshape(self._shape)) / moving
        if "dmax" in limits:
            d = np.clip(d, -limits["dmax"], limits["dmax"])
        self._uncorrected = normalized, r.astype(np.float32)
        _update_average(self.renorm_mean, mean, self.renorm_momentum)
        _update_average(self.renorm_stddev, stddev, self.renorm_momentum)
        _update_average(self.moving_stddev, stddev, self.momentum)
        square = np.square(self.moving_stddev.numpy().astype(np.float64)) - self.epsilon
        _update_average(self.moving_variance, np.maximum(square, 0), 0.0)
        return normalized * r.astype(np.float32) + d.astype(np.float32)

    def gradient(self, x: Floats, y: Floats, dy: Floats) -> tuple[Floats, list[Floats]]:
        assert self._last is not None
        dn, gradients = self._affine_gradient(dy, self._shape, self._axes)
        if self._batchwise:
            normalized, inverse = self._last
            if self.renorm and self._uncorrected is not None:
                normalized, r = self._uncorrected
                dn = dn * r
            return normalize_gradient(dn, normalized, inverse, self._axes), gradients
        return dn * self._last[1].astype(np.float32), gradients

    def __getstate__(self) -> dict[str, Any]:
        return super().__getstate__() | {"_uncorrected": None}

    def get_config(self) -> dict[str, Any]:
        config = super().get_config() | {"axis": self.axis, "momentum": self.momentum}
        if self.renorm:
            config |= {"renorm": True, "renorm_clipping": self.renorm_clipping}
            config["renorm_momentum"] = self.renorm_momentum
        return config

    def __repr__(self) -> str:
        changed: dict[str, Any] = {} if self.axis == -1 else {"axis": self.axis}
        changed |= {} if self.momentum == 0.99 else {"momentum": self.momentum}
        return self._typed(**changed, **({"renorm": True} if self.renorm else {}))


def _share(argument: str, value: Any) -> float:
    share = checks.number(argument, value, least=0)
    if share > 1:
        raise ValueError(f"{argument} must be in [0, 1], got {value!r}")
    return share


def _limits(limits: dict[str, float]) -> dict[str, float]:
    """Checks the limits of `renorm_clipping`; raises ValueError or TypeError if one is invalid."""
    for name in limits:
        if name not in ("rmin", "rmax", "dmax"):
            raise ValueError(f"renorm_clipping has a limit {name!r}; expected rmin, rmax and dmax")
    checked = {name: checks.number(name, value, least=0) for name, value in limits.items()}
    if checked.get("rmin", 0) > checked.get("rmax", np.inf):
        raise ValueError(f"rmin must be at most rmax in renorm_clipping, got {limits!r}")
    return checked


def _update_average(variable: Variable, value: Doubles, momentum: float) -> None:
    """Updates a moving average, without the check of `assign`: the loss reports NaN, and training goes on."""
    moved = momentum * variable.numpy().astype(np.float64) + (1 - momentum) * value.reshape(variable.shape)
    with np.errstate(over="ignore"):
        variable.packed[...] = variable.pack(moved.astype(np.float32))
