"""SGD: stochastic gradient descent."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastnet import kernels
from fastnet.optimizers.base import Optimizer, fraction


class SGD(Optimizer):
    """Stochastic gradient descent: a step against the gradient, with momentum if wanted.

    Without momentum: w <- w - learning_rate g.
    With momentum: v <- momentum v - learning_rate g;  w <- w + v.
    With `nesterov`, too: w <- w + momentum v - learning_rate g.

    Source: I. Sutskever et al., "On the importance of initialization and momentum in deep learning", 2013.

    Args:
        learning_rate: size of a step, at least 0, or a schedule.
        momentum: share of the last step that the next one keeps, in [0, 1).
        nesterov: whether to use Nesterov's form of momentum, which looks one step ahead.
        weight_decay, clipnorm, clipvalue, global_clipnorm, name: as for `Optimizer`.

    Raises:
        ValueError: if a number is out of its range.
        TypeError: if an argument is not a number, or unknown.
    """

    def __init__(self, learning_rate: Any = 0.01, momentum: float = 0.0, nesterov: bool = False, **kwargs: Any) -> None:
        super().__init__(learning_rate, **kwargs)
        self.momentum = fraction("momentum", momentum)
        self.nesterov = bool(nesterov)
        self.rule = kernels.SGD if not self.momentum else kernels.NESTEROV if self.nesterov else kernels.MOMENTUM
        self.slots = ("velocity",) if self.momentum else ()

    def _set_numbers(self, rates: NDArray[np.float64]) -> None:
        rates[:, 1] = self.momentum

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {"momentum": self.momentum, "nesterov": self.nesterov}
