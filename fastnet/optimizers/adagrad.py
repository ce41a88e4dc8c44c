"""Adagrad: each gradient is divided by the root of the sum of its squares."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastnet import checks, kernels
from fastnet.arrays.variables import Variable
from fastnet.checks import Floats
from fastnet.optimizers.base import Optimizer, positive_epsilon


class Adagrad(Optimizer):
    """Divides each gradient by the root of the sum of its squares in all steps.

    a <- a + g^2;  w <- w - learning_rate g / sqrt(a + epsilon). The sums a start at `initial_accumulator_value`.

    Source: J. Duchi et al., "Adaptive subgradient methods for online learning and stochastic optimization", 2011.

    Args:
        learning_rate: size of a step, at least 0, or a schedule.
        initial_accumulator_value: start of the sums, at least 0.
        epsilon: a number above 0 that prevents a division by zero.
        weight_decay, clipnorm, clipvalue, global_clipnorm, name, ...: as for `Optimizer`.

    Raises:
        ValueError: if a number is out of its range.
        TypeError: if an argument is not a number, or unknown.
    """

    rule = kernels.ADAGRAD
    slots = ("accumulator",)

    def __init__(
        self, learning_rate: Any = 0.001, initial_accumulator_value: float = 0.1, epsilon: float = 1e-7, **kwargs: Any
    ) -> None:
        super().__init__(learning_rate, **kwargs)
        self.initial_accumulator_value = checks.number("initial_accumulator_value", initial_accumulator_value, least=0)
        self.epsilon = positive_epsilon(epsilon)

    def _first_state(self, variable: Variable, name: str) -> Floats:
        state = super()._first_state(variable, name)
        if name == "accumulator":
            state.fill(self.initial_accumulator_value)
        return state

    def _set_numbers(self, rates: NDArray[np.float64]) -> None:
        rates[:, 3] = self.epsilon

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {name: getattr(self, name) for name in ("initial_accumulator_value", "epsilon")}
