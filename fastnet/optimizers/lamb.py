"""Lamb: Adam whose steps are in proportion to the weights, for large batches."""

from __future__ import annotations

import math

import numpy as np

from fastnet.arrays.variables import Variable
from fastnet.checks import Floats
from fastnet.optimizers.adam import Moments
from fastnet.optimizers.base import length


class Lamb(Moments):
    """Takes Adam's direction, but a step whose norm is `learning_rate` times the norm of the variable.

    m <- m + (g - m)(1 - beta_1);  v <- v + (g^2 - v)(1 - beta_2);
    d = m / (1 - beta_1^t) / (sqrt(v / (1 - beta_2^t)) + epsilon) in step t;
    w <- w - learning_rate \\|w\\| / \\|d\\| d, where the fraction is 1 if one of the norms is 0.

    Source: Y. You et al., "Large batch optimization for deep learning: training BERT in 76 minutes", 2020.

    Args:
        learning_rate: size of a step in proportion to the variable, at least 0, or a schedule.
        beta_1: share of the mean gradient m that each step keeps, in [0, 1).
        beta_2: share of the mean square v that each step keeps, in [0, 1).
        epsilon: a number above 0 that prevents a division by zero.
        weight_decay, clipnorm, clipvalue, global_clipnorm, name, ...: as for `Optimizer`.

    Raises:
        ValueError: if a number is out of its range.
        TypeError: if an argument is not a number, or unknown.
    """

    @np.errstate(all="ignore")  # the loss reports NaN and infinity
    def update_step(self, gradient: Floats, variable: Variable, learning_rate: float) -> None:
        mean, square = (self.slot(variable, name) for name in self.slots)
        step = self._done + 1
        mean += (gradient - mean) * (1 - self.beta_1)
        square += (gradient * gradient - square) * (1 - self.beta_2)
        root = np.sqrt(square / (1 - math.pow(self.beta_2, step))) + self.epsilon
        direction = mean / (1 - math.pow(self.beta_1, step)) / root
        of_weights, of_direction = length(variable.packed), length(direction)
        ratio = of_weights / of_direction if of_weights and of_direction else 1.0
        variable.packed -= learning_rate * ratio * direction
