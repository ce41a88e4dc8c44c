"""RMSprop: each gradient is divided by the root of a running mean of its squares."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastnet import kernels
from fastnet.arrays.variables import Variable
from fastnet.checks import Floats
from fastnet.optimizers.base import Optimizer, fraction, positive_epsilon


class RMSprop(Optimizer):
    """Divides each gradient by the root of a running mean of its squares.

    v <- rho v + (1 - rho) g^2;  w <- w - learning_rate g / sqrt(v + epsilon).
    With `centered`, the root is that of the variance: m <- rho m + (1 - rho) g;  sqrt(v - m^2 + epsilon).
    With `momentum`, a step d is replaced by b <- momentum b + d.

    Source: T. Tieleman and G. Hinton, Lecture 6.5 of "Neural Networks for Machine Learning", 2012; details as in Keras.

    Args:
        learning_rate: size of a step, at least 0, or a schedule.
        rho: share of the running mean that each step keeps, in [0, 1).
        momentum: share of the last step that the next one keeps, in [0, 1).
        epsilon: a number above 0 that prevents a division by zero.
        centered: whether to divide by the standard deviation, with the mean subtracted.
        weight_decay, clipnorm, clipvalue, global_clipnorm, name: as for `Optimizer`.

    Raises:
        ValueError: if a number is out of its range.
        TypeError: if an argument is not a number, or unknown.

    Example:
        >>> RMSprop(learning_rate=0.01)
        RMSprop(learning_rate=0.01)
    """

    slots = ("velocity",)

    def __init__(
        self,
        learning_rate: Any = 0.001,
        rho: float = 0.9,
        momentum: float = 0.0,
        epsilon: float = 1e-7,
        centered: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(learning_rate, **kwargs)
        self.rho = fraction("rho", rho)
        self.momentum = fraction("momentum", momentum)
        self.epsilon = positive_epsilon(epsilon)
        self.centered = bool(centered)
        self.rule = None if self.centered or self.momentum else kernels.RMSPROP
        self.slots = (
            "velocity",
            *(("average_gradient",) if centered else ()),
            *(("momentum",) if self.momentum else ()),
        )

    def _set_numbers(self, rates: NDArray[np.float64]) -> None:
        rates[:, 1] = self.rho
        rates[:, 3] = self.epsilon

    def update_step(self, gradient: Floats, variable: Variable, learning_rate: float) -> None:
        if self.rule is not None:
            super().update_step(gradient, variable, learning_rate)
            return
        # The two variants have no kernel of their own: they are rare, and NumPy is fast enough for them.
        variance = self.slot(variable, "velocity")
        with np.errstate(all="ignore"):  # the loss reports NaN and infinity
            variance[...] = self.rho * variance + (1 - self.rho) * gradient * gradient
            if self.centered:
                mean = self.slot(variable, "average_gradient")
                mean[...] = self.rho * mean + (1 - self.rho) * gradient
                variance = variance - mean * mean
            step = learning_rate * gradient / np.sqrt(variance + self.epsilon)
            if self.momentum:
                momentum = self.slot(variable, "momentum")
                momentum[...] = self.momentum * momentum + step
                step = momentum
            variable.packed -= step

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {name: getattr(self, name) for name in ("rho", "momentum", "epsilon", "centered")}
