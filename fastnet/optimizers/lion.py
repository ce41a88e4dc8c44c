"""Lion: steps of one size, of which the gradients decide only the sign."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastnet.arrays.variables import Variable
from fastnet.checks import Floats
from fastnet.optimizers.base import Optimizer, positive, share


class Lion(Optimizer):
    """Moves each weight by the learning rate, against the sign of a mean gradient.

    w <- w - learning_rate sign(beta_1 m + (1 - beta_1) g);  m <- beta_2 m + (1 - beta_2) g.
    Every weight moves in every step, so the learning rate should be 3 to 10 times smaller than Adam's.

    Source: X. Chen et al., "Symbolic discovery of optimization algorithms", 2023.

    Args:
        learning_rate: size of a step, at least 0, or a schedule.
        beta_1: share of the mean m in the sign, in (0, 1]; with 0, m would have no effect.
        beta_2: share of the mean m that each step keeps, in [0, 1].
        weight_decay, clipnorm, clipvalue, global_clipnorm, name, ...: as for `Optimizer`.

    Raises:
        ValueError: if a number is out of its range.
        TypeError: if an argument is not a number, or unknown.
    """

    slots = ("momentum",)

    def __init__(self, learning_rate: Any = 0.001, beta_1: float = 0.9, beta_2: float = 0.99, **kwargs: Any) -> None:
        super().__init__(learning_rate, **kwargs)
        self.beta_1 = share("beta_1", positive("beta_1", beta_1))
        self.beta_2 = share("beta_2", beta_2)

    @np.errstate(all="ignore")  # the loss reports NaN and infinity
    def update_step(self, gradient: Floats, variable: Variable, learning_rate: float) -> None:
        mean = self.slot(variable, "momentum")
        variable.packed -= learning_rate * np.sign(self.beta_1 * mean + (1 - self.beta_1) * gradient)
        mean[...] = self.beta_2 * mean + (1 - self.beta_2) * gradient

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {"beta_1": self.beta_1, "beta_2": self.beta_2}
