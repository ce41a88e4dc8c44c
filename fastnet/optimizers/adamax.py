"""Adamax: Adam with the largest gradient in place of the root mean square."""

from __future__ import annotations

import math

import numpy as np

from fastnet.arrays.variables import Variable
from fastnet.checks import Floats
from fastnet.optimizers.adam import Moments


class Adamax(Moments):
    """Divides a running mean of the gradient by the largest gradient, which decays.

    m <- m + (g - m)(1 - beta_1);  u <- max(beta_2 u, |g|);  w <- w - a m / (u + epsilon).
    The mean starts at zero, which step t corrects: a = learning_rate / (1 - beta_1^t).

    Source: D. Kingma and J. Ba, "Adam: a method for stochastic optimization", 2015, section 7.1, with Keras's epsilon.

    Args:
        learning_rate: size of a step, at least 0, or a schedule.
        beta_1: share of the mean gradient m that each step keeps, in [0, 1).
        beta_2: share of the largest gradient u that each step keeps, in [0, 1).
        epsilon: a number above 0 that prevents a division by zero.
        weight_decay, clipnorm, clipvalue, global_clipnorm, name, ...: as for `Optimizer`.

    Raises:
        ValueError: if a number is out of its range.
        TypeError: if an argument is not a number, or unknown.
    """

    slots = ("momentum", "norm")

    @np.errstate(all="ignore")  # the loss reports NaN and infinity
    def update_step(self, gradient: Floats, variable: Variable, learning_rate: float) -> None:
        mean, largest = (self.slot(variable, name) for name in self.slots)
        rate = learning_rate / (1 - math.pow(self.beta_1, self._done + 1))
        mean += (gradient - mean) * (1 - self.beta_1)
        np.maximum(self.beta_2 * largest, np.abs(gradient), out=largest)
        variable.packed -= rate * mean / (largest + self.epsilon)
