"""Adam, and what Adam and Nadam share."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastnet import kernels
from fastnet.arrays.variables import Variable
from fastnet.checks import Floats
from fastnet.optimizers.base import Optimizer, fraction, positive_epsilon


class Moments(Optimizer):
    """Base of Adam and Nadam: running means m of the gradient and v of its square."""

    slots: tuple[str, ...] = ("momentum", "velocity")

    def __init__(
        self,
        learning_rate: Any = 0.001,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-7,
        **kwargs: Any,
    ) -> None:
        super().__init__(learning_rate, **kwargs)
        self.beta_1 = fraction("beta_1", beta_1)
        self.beta_2 = fraction("beta_2", beta_2)
        self.epsilon = positive_epsilon(epsilon)

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {"beta_1": self.beta_1, "beta_2": self.beta_2, "epsilon": self.epsilon}


class Adam(Moments):
    """Divides a running mean of the gradient by the root of a running mean of its squares.

    m <- m + (g - m)(1 - beta_1);  v <- v + (g^2 - v)(1 - beta_2);  w <- w - a m / (sqrt(v) + epsilon).
    Both means start at zero, which step t corrects: a = learning_rate sqrt(1 - beta_2^t) / (1 - beta_1^t).

    With `amsgrad`, the largest v so far takes the place of v, so that a weight's steps cannot grow again:
    x <- max(x, v);  w <- w - a m / (sqrt(x) + epsilon).

    Sources: D. Kingma and J. Ba, "Adam: a method for stochastic optimization", 2015; S. Reddi et al., "On the
    convergence of Adam and beyond", 2018, for `amsgrad`. Epsilon stands where Keras has it.

    Args:
        learning_rate: size of a step, at least 0, or a schedule.
        beta_1: share of the mean gradient m that each step keeps, in [0, 1).
        beta_2: share of the mean square v that each step keeps, in [0, 1).
        epsilon: a number above 0 that prevents a division by zero.
        amsgrad: whether to divide by the largest mean square so far.
        weight_decay, clipnorm, clipvalue, global_clipnorm, name: as for `Optimizer`.

    Raises:
        ValueError: if a number is out of its range.
        TypeError: if an argument is not a number, or unknown.
    """

    rule: int | None = kernels.ADAM

    def __init__(
        self,
        learning_rate: Any = 0.001,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-7,
        amsgrad: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(learning_rate, beta_1, beta_2, epsilon, **kwargs)
        self.amsgrad = bool(amsgrad)
        if self.amsgrad:
            self.rule = None
            self.slots = (*self.slots, "velocity_hat")

    def _set_numbers(self, rates: NDArray[np.float64]) -> None:
        kernels.adam_rates(rates, self._done, self.beta_1, self.beta_2, self.epsilon)

    def update_step(self, gradient: Floats, variable: Variable, learning_rate: float) -> None:
        if self.rule is not None:
            super().update_step(gradient, variable, learning_rate)
            return
        # `amsgrad` has no kernel of its own: it is rare, and NumPy is fast enough for it.
        mean, square, largest = (self.slot(variable, name) for name in self.slots)
        with np.errstate(all="ignore"):  # the loss reports NaN and infinity
            mean += (gradient - mean) * (1 - self.beta_1)
            square += (gradient * gradient - square) * (1 - self.beta_2)
            np.maximum(largest, square, out=largest)
            corrected = float(self._step_rates[0, 0])  # a in the formula
            variable.packed -= corrected * mean / (np.sqrt(largest) + self.epsilon)

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | ({"amsgrad": True} if self.amsgrad else {})
