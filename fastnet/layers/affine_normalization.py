"""What batch and layer normalization share: mean 0 and variance 1, then a trained factor gamma and shift beta."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastnet import checks, constraints, initializers, regularizers
from fastnet.arrays import part
from fastnet.arrays.variables import Variable
from fastnet.checks import Floats
from fastnet.layers.base import LAYER_ARGUMENTS, Layer, Shape

Doubles = NDArray[np.float64]
OPTIONS = ("initializer", "regularizer", "constraint")  # endings of the names of gamma's and beta's arguments
_MODULES: dict[str, Any] = {"initializer": initializers, "regularizer": regularizers, "constraint": constraints}


class AffineNormalization(Layer):
    """Base of the layers that compute y = gamma n + beta from normalized numbers n."""

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
        self.center, self.scale = checks.flag("center", center), checks.flag("scale", scale)
        for name, value in options.items():
            setattr(self, name, _MODULES[name.rpartition("_")[2]].get(value, name))
        self.gamma: Variable | None = None
        self.beta: Variable | None = None
        # What the backward pass needs of the last batch: the normalized numbers, and 1 / standard deviation.
        self._last: tuple[Floats, Doubles] | None = None

    def _add_affine(self, shape: Shape) -> None:
        self.gamma = self._add("gamma", shape) if self.scale else None
        self.beta = self._add("beta", shape) if self.center else None

    def _add(self, name: str, shape: Shape) -> Variable:
        initializer, regularizer, constraint = (getattr(self, f"{name}_{option}") for option in OPTIONS)
        return self.add_weight(shape, initializer, name=name, regularizer=regularizer, constraint=constraint)

    def _affine(self, normalized: Floats, shape: Shape) -> Floats:
        """Returns gamma n + beta; `shape` is the shape in which gamma and beta fit a batch."""
        y = normalized
        if self.gamma is not None:
            y = y * self.gamma.numpy().reshape(shape)
        if self.beta is not None:
            y = y + self.beta.numpy().reshape(shape)
        return y

    def _affine_gradient(self, dy: Floats, shape: Shape, axes: tuple[int, ...]) -> tuple[Floats, list[Floats]]:
        """Returns the gradient with respect to n, and those with respect to gamma and beta, which sum over `axes`."""
        assert self._last is not None
        gradients = []
        if self.gamma is not None:
            gradients.append(_sum(dy * self._last[0], axes))
        if self.beta is not None:
            gradients.append(_sum(dy, axes))
        return dy if self.gamma is None else dy * self.gamma.numpy().reshape(shape), gradients

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_last": None}

    def get_config(self) -> dict[str, Any]:
        config = super().get_config() | {"epsilon": self.epsilon} | self._left_out()
        for name, default in self._defaults.items():
            module = _MODULES[name.rpartition("_")[2]]
            serialized = module.serialize(getattr(self, name))
            if serialized != module.serialize(module.get(default)):
                config[name] = serialized
        return config

    def _left_out(self) -> dict[str, bool]:
        """Returns the arguments that say that there is no beta or no gamma."""
        return {name: False for name in ("center", "scale") if not getattr(self, name)}

    def _typed(self, **changed: Any) -> str:
        """Returns the constructor's call, with the arguments that differ from their defaults."""
        if self.epsilon != 1e-3:
            changed["epsilon"] = self.epsilon
        changed |= self._left_out()
        return f"{type(self).__name__}({', '.join(f'{name}={value!r}' for name, value in changed.items())})"


def _sum(x: Floats, axes: tuple[int, ...]) -> Floats:
    return x.sum(axis=axes, dtype=np.float64).astype(np.float32)


def normalize(x: Floats, axes: tuple[int, ...], epsilon: float) -> tuple[Floats, Doubles, Doubles, Doubles]:
    """Returns x with mean 0 and variance 1 along `axes`, 1 / sqrt(variance + epsilon), the mean and the variance.

    The mean is subtracted before the squares are summed: numbers far from 0 would lose their variance to rounding. The
    rounding error of the mean is subtracted, too. The sums are float64, since NumPy adds up the rows one after the
    other along the first axis.
    """
    with np.errstate(all="ignore"):  # the loss reports NaN and infinity
        mean = part.mean(x, axes)
        near = mean.astype(np.float32)
        rest = mean - near
        centered = x - near
        square = part.mean(np.square(centered, dtype=np.float64), axes)
        variance = np.maximum(square - rest * rest, 0)
        inverse = 1 / np.sqrt(variance + epsilon)
        inverse[np.isinf(inverse)] = 0  # epsilon is 0 and all numbers are equal: the result is 0
        normalized = (centered - rest.astype(np.float32)) * inverse.astype(np.float32)
    return normalized, inverse, mean, variance


def normalize_gradient(dn: Floats, normalized: Floats, inverse: Doubles, axes: tuple[int, ...]) -> Floats:
    """Returns the gradient with respect to x: dx = (dn - mean(dn) - n mean(dn n)) / sqrt(variance + epsilon).

    Args:
        dn: the gradient with respect to the normalized numbers n.
        normalized: n, as `normalize` returned it.
        inverse: 1 / sqrt(variance + epsilon), as `normalize` returned it.
        axes: the axes along which the numbers were normalized.
    """
    with np.errstate(all="ignore"):
        mean = part.mean(dn, axes).astype(np.float32)
        along = part.mean(dn * normalized, axes).astype(np.float32)
        return (dn - mean - normalized * along) * inverse.astype(np.float32)
