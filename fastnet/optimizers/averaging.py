"""Averages of the weights, with `use_ema`: they change less from step to step than the weights, and often err less.

a <- momentum a + (1 - momentum) w after each step; the first step sets a to w.

Source: B. Polyak and A. Juditsky, "Acceleration of stochastic approximation by averaging", 1992, with weights that fall
off exponentially (an exponential moving average).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np

from fastnet.arrays.variables import Variable

if TYPE_CHECKING:
    from fastnet.optimizers.base import Optimizer


@np.errstate(all="ignore")  # the loss reports NaN and infinity
def average(optimizer: Optimizer, variables: list[Variable]) -> None:
    """Adds the new weights to the averages, and overwrites the weights with them when that is due.

    As in Keras, batches whose gradients are only accumulated count as the step that they belong to.
    """
    step = optimizer._done  # not increased yet
    momentum = optimizer.ema_momentum if step else 0.0
    for variable in variables:
        mean = optimizer.slot(variable, "average")
        mean[...] = momentum * mean + (1 - momentum) * variable.packed
    if optimizer.ema_overwrite_frequency and (step + 1) % optimizer.ema_overwrite_frequency == 0:
        overwrite(optimizer, variables)


def overwrite(optimizer: Optimizer, variables: Iterable[Variable]) -> None:
    """Sets the variables to their averages. A variable that has had no step yet has none."""
    for variable in variables:
        mean = optimizer._slots.get((variable, "average"))
        if mean is not None:
            variable.packed[...] = mean
