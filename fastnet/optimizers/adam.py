"""Adam, and what Adam and Nadam share."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastnet import kernels
from fastnet.optimizers.base import Optimizer, fraction, positive_epsilon


class Moments(Optimizer):
    """Base of Adam and Nadam: running means m of the gradient and v of its square."""

    slots = ("momentum", "velocity")

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

    Source: D. Kingma and J. Ba, "Adam: a method for stochastic optimization", 2015. Epsilon stands where Keras has it.

    Args:
        learning_rate: size of a step, at least 0, or a schedule.
        beta_1: share of the mean gradient m that each step keeps, in [0, 1).
        beta_2: share of the mean square v that each step keeps, in [0, 1).
        epsilon: a number above 0 that prevents a division by zero.
        amsgrad: must be False; this variant is not supported.
        weight_decay, clipnorm, clipvalue, global_clipnorm, name: as for `Optimizer`.

    Raises:
        ValueError: if a number is out of its range.
        TypeError: if an argument is not a number, or unknown.
    """

    rule = kernels.ADAM

    def __init__(
        self,
        learning_rate: Any = 0.001,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-7,
        amsgrad: bool = False,
        **kwargs: Any,
    ) -> None:
        if amsgrad:
            raise ValueError("amsgrad=True is not supported; expected False")
        super().__init__(learning_rate, beta_1, beta_2, epsilon, **kwargs)

    def _set_numbers(self, rates: NDArray[np.float64]) -> None:
        kernels.adam_rates(rates, self.iterations, self.beta_1, self.beta_2, self.epsilon)
