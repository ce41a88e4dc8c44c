"""ScheduleFreeAdamW: AdamW that averages its weights instead of decreasing the learning rate."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from fastnet import checks
from fastnet.arrays.variables import Variable
from fastnet.checks import Floats
from fastnet.optimizers.base import Optimizer, fraction, positive, positive_epsilon


class ScheduleFreeAdamW(Optimizer):
    """Takes Adam's steps at z, averages z in x, and computes the gradients in between. No schedule is needed.

    v <- v + (g^2 - v)(1 - beta_2);  z <- z - learning_rate g / (sqrt(v / (1 - beta_2^t)) + epsilon) in step t;
    x <- (1 - 1/t) x + z / t;  w <- (1 - beta_1) z + beta_1 x.
    z and x start at the weights. x is not stored: it is (w - (1 - beta_1) z) / beta_1.

    Source: A. Defazio et al., "The road less scheduled", 2024. As in Keras, the model keeps w, also when it predicts.

    Args:
        learning_rate: size of a step, at least 0, or a schedule.
        beta_1: share of the average x in the weights, in (0, 1).
        beta_2: share of the mean square v that each step keeps, in [0, 1).
        epsilon: a number above 0 that prevents a division by zero.
        warmup_steps: number of first steps t whose learning rate is multiplied by t / warmup_steps.
        weight_decay, clipnorm, clipvalue, global_clipnorm, name, ...: as for `Optimizer`.

    Raises:
        ValueError: if a number is out of its range.
        TypeError: if an argument is not a number, or unknown.
    """

    slots = ("momentum", "velocity")

    def __init__(
        self,
        learning_rate: Any = 0.0025,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-8,
        warmup_steps: int = 0,
        **kwargs: Any,
    ) -> None:
        super().__init__(learning_rate, **kwargs)
        self.beta_1 = fraction("beta_1", positive("beta_1", beta_1))
        self.beta_2 = fraction("beta_2", beta_2)
        self.epsilon = positive_epsilon(epsilon)
        self.warmup_steps = checks.integer("warmup_steps", warmup_steps, least=0)

    def _first_state(self, variable: Variable, name: str) -> Floats:
        state = super()._first_state(variable, name)
        if name == "momentum":
            state[...] = variable.packed
        return state

    @np.errstate(all="ignore")  # the loss reports NaN and infinity
    def update_step(self, gradient: Floats, variable: Variable, learning_rate: float) -> None:
        z, square = (self.slot(variable, name) for name in self.slots)
        step = self._done + 1
        if step < self.warmup_steps:
            learning_rate *= step / self.warmup_steps
        x = (variable.packed - (1 - self.beta_1) * z) / self.beta_1
        square += (gradient * gradient - square) * (1 - self.beta_2)
        z -= learning_rate * gradient / (np.sqrt(square / (1 - math.pow(self.beta_2, step))) + self.epsilon)
        x = (1 - 1 / step) * x + z / step
        variable.packed[...] = (1 - self.beta_1) * z + self.beta_1 * x

    def get_config(self) -> dict[str, Any]:
        names = ("beta_1", "beta_2", "epsilon", "warmup_steps")
        return super().get_config() | {name: getattr(self, name) for name in names}
