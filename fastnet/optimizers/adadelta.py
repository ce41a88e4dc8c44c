"""Adadelta: each step is as large as the last ones were, measured in units of the gradient."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastnet.arrays.variables import Variable
from fastnet.checks import Floats
from fastnet.optimizers.base import Optimizer, fraction, positive_epsilon


class Adadelta(Optimizer):
    """Divides each gradient by its root mean square, and multiplies it by that of the steps before.

    a <- rho a + (1 - rho) g^2;  d = sqrt(b + epsilon) / sqrt(a + epsilon) g;  b <- rho b + (1 - rho) d^2;
    w <- w - learning_rate d. The paper has no learning rate: it is 1.

    Source: M. Zeiler, "ADADELTA: an adaptive learning rate method", 2012.

    Args:
        learning_rate: factor of a step, at least 0, or a schedule.
        rho: share of the two running means that each step keeps, in [0, 1).
        epsilon: a number above 0. It prevents a division by zero, and the first steps are of its size.
        weight_decay, clipnorm, clipvalue, global_clipnorm, name, ...: as for `Optimizer`.

    Raises:
        ValueError: if a number is out of its range.
        TypeError: if an argument is not a number, or unknown.
    """

    slots = ("accumulated_grad", "accumulated_delta_var")

    def __init__(self, learning_rate: Any = 0.001, rho: float = 0.95, epsilon: float = 1e-7, **kwargs: Any) -> None:
        super().__init__(learning_rate, **kwargs)
        self.rho = fraction("rho", rho)
        self.epsilon = positive_epsilon(epsilon)

    @np.errstate(all="ignore")  # the loss reports NaN and infinity
    def update_step(self, gradient: Floats, variable: Variable, learning_rate: float) -> None:
        squares, steps = (self.slot(variable, name) for name in self.slots)
        squares[...] = self.rho * squares + (1 - self.rho) * gradient * gradient
        step = np.sqrt(steps + self.epsilon) / np.sqrt(squares + self.epsilon) * gradient
        steps[...] = self.rho * steps + (1 - self.rho) * step * step
        variable.packed -= learning_rate * step

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {"rho": self.rho, "epsilon": self.epsilon}
