"""Nadam: Adam with Nesterov's form of momentum."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from fastnet import kernels
from fastnet.optimizers.adam import Moments

_STEPS = 1_000_000  # the most factors u that are multiplied again when a training is resumed


class Nadam(Moments):
    """Adam with Nesterov's form of momentum: each step uses the mean gradient that is expected for the next step.

    m <- beta_1 m + (1 - beta_1) g;  v <- beta_2 v + (1 - beta_2) g^2;
    w <- w - learning_rate (u_(t+1) m / (1 - U_(t+1)) + (1 - u_t) g / (1 - U_t)) / (sqrt(v / (1 - beta_2^t)) + epsilon),
    where u_t = beta_1 (1 - 0.5 * 0.96^t) and U_t = u_1 ... u_t.

    Source: T. Dozat, "Incorporating Nesterov momentum into Adam", 2016, with Keras's schedule of u.

    Args:
        learning_rate: size of a step, at least 0, or a schedule.
        beta_1: share of the mean gradient m that each step keeps, in [0, 1).
        beta_2: share of the mean square v that each step keeps, in [0, 1).
        epsilon: a number above 0 that prevents a division by zero.
        weight_decay, clipnorm, clipvalue, global_clipnorm, name: as for `Optimizer`.

    Raises:
        ValueError: if a number is out of its range.
        TypeError: if an argument is not a number, or unknown.
    """

    rule = kernels.NADAM
    _u_products = 0, 1.0  # the last step t whose U_t was computed, and that U_t

    def _set_numbers(self, rates: NDArray[np.float64]) -> None:
        # The formula's fraction is expanded by sqrt(1 - beta_2^t), and the factor of g is taken out of the sum.
        for i in range(len(rates)):
            t = self._done + i + 1
            root = math.sqrt(1 - math.pow(self.beta_2, t))
            now, u_ahead = self._product(t), self._u(t + 1)
            of_gradient, of_mean = (1 - self._u(t)) / (1 - now), u_ahead / (1 - now * u_ahead)
            rates[i, 0] *= root * of_gradient
            rates[i, 1:5] = self.beta_1, self.beta_2, self.epsilon * root, of_mean / of_gradient

    def _u(self, t: int) -> float:
        return self.beta_1 * (1 - 0.5 * math.pow(0.96, t))

    def _product(self, t: int) -> float:
        """Returns U_t, computed from the last known one; a resumed training knows none and multiplies all factors."""
        step, product = self._u_products
        if step > t:
            step, product = 0, 1.0
        for i in range(step + 1, t + 1):
            if not product or i - step > _STEPS:
                # u equals beta_1 by then. Only a file that somebody wrote by hand has so many steps.
                product *= math.pow(self.beta_1, t + 1 - i)
                break
            product *= self._u(i)
        self._u_products = t, product
        return product
