"""Adafactor: mean squares of a matrix of gradients from those of its rows and columns."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from fastnet import checks
from fastnet.arrays.variables import Variable
from fastnet.checks import Floats
from fastnet.optimizers.base import Optimizer, positive


class Adafactor(Optimizer):
    """Divides each gradient by the root of a mean square that it takes from the means of its row and its column.

    With r the learning rate, beta = 1 - t^beta_2_decay in step t, and rms the root mean square of an array:
    rho = min(r, 1 / sqrt(t));  a = max(epsilon_2, rms(w)) rho;
    R <- beta R + (1 - beta) (row means of g^2 + epsilon_1);  C likewise with the column means;
    V = R C / mean(R);  u = g / sqrt(V);  w <- w - a u / max(1, rms(u) / clip_threshold).
    A variable of one axis has V <- beta V + (1 - beta) (g^2 + epsilon_1) instead.

    R and C need less memory than V, which is the purpose of the method. fastnet stores them in arrays of the variable's
    shape nevertheless, since a model file has no others.

    Source: N. Shazeer and M. Stern, "Adafactor: adaptive learning rates with sublinear memory cost", 2018.

    Args:
        learning_rate: largest r, at least 0, or a schedule.
        beta_2_decay: exponent of t in beta, at most 0.
        epsilon_1: a number above 0 that prevents a division by zero.
        epsilon_2: least size of a weight, at least 0, by which a step is measured.
        clip_threshold: largest root mean square of u, above 0.
        relative_step: accepted for compatibility with Keras. It changes nothing: r is at most 1 / sqrt(t) in any case.
        weight_decay, clipnorm, clipvalue, global_clipnorm, name, ...: as for `Optimizer`.

    Raises:
        ValueError: if a number is out of its range.
        TypeError: if an argument is not a number, or unknown.
    """

    def __init__(
        self,
        learning_rate: Any = 0.001,
        beta_2_decay: float = -0.8,
        epsilon_1: float = 1e-30,
        epsilon_2: float = 1e-3,
        clip_threshold: float = 1.0,
        relative_step: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(learning_rate, **kwargs)
        self.beta_2_decay = checks.float32_number("beta_2_decay", beta_2_decay)
        if self.beta_2_decay > 0:
            raise ValueError(f"beta_2_decay must be at most 0, got {self.beta_2_decay!r}")
        self.epsilon_1 = positive("epsilon_1", epsilon_1)
        self.epsilon_2 = checks.number("epsilon_2", epsilon_2, least=0)
        self.clip_threshold = positive("clip_threshold", clip_threshold)
        self.relative_step = bool(relative_step)

    def _slots_of(self, variable: Variable) -> tuple[str, ...]:
        return super()._slots_of(variable) + (("row", "column") if len(variable.shape) > 1 else ("velocity",))

    @np.errstate(all="ignore")  # the loss reports NaN and infinity
    def update_step(self, gradient: Floats, variable: Variable, learning_rate: float) -> None:
        w, g = variable.numpy(), variable.unpack(gradient)
        step = self._done + 1
        rate = max(self.epsilon_2, _rms(w)) * min(learning_rate, 1 / math.sqrt(step))
        beta = 1 - math.pow(step, self.beta_2_decay)
        square = g * g + np.float32(self.epsilon_1)
        if len(variable.shape) > 1:
            row = self._mean(variable, "row", beta, square.mean(axis=-1, keepdims=True))
            column = self._mean(variable, "column", beta, square.mean(axis=-2, keepdims=True))
            square = row / row[..., :1].mean(axis=-2, keepdims=True) * column
        else:
            square = self._mean(variable, "velocity", beta, square)
        u = (g / np.sqrt(square)).astype(np.float32)
        variable.packed -= variable.pack(np.float32(rate / max(1.0, _rms(u) / self.clip_threshold)) * u)

    def _mean(self, variable: Variable, name: str, beta: float, new: Floats) -> Floats:
        """Adds `new` to the running mean called `name`, and returns it."""
        packed = self.slot(variable, name)
        mean = beta * variable.unpack(packed) + (1 - beta) * new
        packed[...] = variable.pack(mean)
        return mean

    def get_config(self) -> dict[str, Any]:
        names = ("beta_2_decay", "epsilon_1", "epsilon_2", "clip_threshold", "relative_step")
        return super().get_config() | {name: getattr(self, name) for name in names}


def _rms(x: Floats) -> float:
    return math.sqrt(float(np.square(x, dtype=np.float64).mean()))
