"""Ftrl: follow the regularized leader, which makes many weights exactly zero."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastnet import checks
from fastnet.arrays.variables import Variable
from fastnet.checks import Floats
from fastnet.optimizers.base import Optimizer

_NOT_NEGATIVE = (
    "initial_accumulator_value", "l1_regularization_strength", "l2_regularization_strength",
    "l2_shrinkage_regularization_strength", "beta",
)  # fmt: skip


class Ftrl(Optimizer):
    """Sets each weight to where a penalized sum of all gradients so far is least. L1 makes many weights zero.

    With r the learning rate, p the `learning_rate_power`, l1 and l2 the strengths and s that of the shrinkage:
    b = a + g^2;  z <- z + g + 2 s w - (b^-p - a^-p) w / r;  a <- b;
    w <- (clip(z, -l1, l1) - z) / (b^-p / r + 2 l2 + beta / r).
    So a weight with \\|z\\| <= l1 becomes zero. The sums a start at `initial_accumulator_value`, z at 0.

    Source: H. B. McMahan et al., "Ad click prediction: a view from the trenches", 2013, with Keras's l2 and shrinkage.

    Args:
        learning_rate: size of a step, above 0, or a schedule.
        learning_rate_power: exponent p, at most 0. With 0, the learning rate does not decrease by itself.
        initial_accumulator_value: start of the sums of squares, at least 0.
        l1_regularization_strength: l1, at least 0.
        l2_regularization_strength: l2, at least 0.
        l2_shrinkage_regularization_strength: s, at least 0: as if the loss had the penalty s w^2.
        beta: number beta of the paper, at least 0.
        weight_decay, clipnorm, clipvalue, global_clipnorm, name, ...: as for `Optimizer`.

    Raises:
        ValueError: if a number is out of its range.
        TypeError: if an argument is not a number, or unknown.
    """

    slots = ("accumulator", "linear")

    def __init__(
        self,
        learning_rate: Any = 0.001,
        learning_rate_power: float = -0.5,
        initial_accumulator_value: float = 0.1,
        l1_regularization_strength: float = 0.0,
        l2_regularization_strength: float = 0.0,
        l2_shrinkage_regularization_strength: float = 0.0,
        beta: float = 0.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(learning_rate, **kwargs)
        self.learning_rate_power = checks.float32_number("learning_rate_power", learning_rate_power)
        if self.learning_rate_power > 0:
            raise ValueError(f"learning_rate_power must be at most 0, got {self.learning_rate_power!r}")
        self.initial_accumulator_value = initial_accumulator_value
        self.l1_regularization_strength = l1_regularization_strength
        self.l2_regularization_strength = l2_regularization_strength
        self.l2_shrinkage_regularization_strength = l2_shrinkage_regularization_strength
        self.beta = beta
        for name in _NOT_NEGATIVE:
            setattr(self, name, checks.number(name, getattr(self, name), least=0))

    def _first_state(self, variable: Variable, name: str) -> Floats:
        state = super()._first_state(variable, name)
        if name == "accumulator":
            state.fill(self.initial_accumulator_value)
        return state

    @np.errstate(all="ignore")  # the loss reports NaN and infinity
    def update_step(self, gradient: Floats, variable: Variable, learning_rate: float) -> None:
        if not learning_rate:
            raise ValueError("learning_rate is 0; Ftrl divides by it, so it must be above 0")
        w = variable.packed
        squares, linear = (self.slot(variable, name) for name in self.slots)
        before = self._root(squares)
        squares += gradient * gradient
        after = self._root(squares)
        l1, l2, s = (getattr(self, name) for name in _NOT_NEGATIVE[1:4])
        linear += gradient + 2 * s * w - (after - before) / learning_rate * w
        below = after / learning_rate + (2 * l2 + self.beta / learning_rate)
        # Where this is 0, there was no gradient yet, and w stays: also in the padding of a state that was in a file.
        np.divide(np.clip(linear, -l1, l1) - linear, below, out=w, where=below != 0)

    def _root(self, squares: Floats) -> Floats:
        """Returns squares^-p."""
        if self.learning_rate_power == -0.5:
            return np.sqrt(squares)
        return np.power(squares, -self.learning_rate_power, dtype=np.float64).astype(np.float32)

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {name: getattr(self, name) for name in ("learning_rate_power", *_NOT_NEGATIVE)}
