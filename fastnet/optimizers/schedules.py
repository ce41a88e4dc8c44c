"""Schedules: learning rates that depend on the number of steps that a training has done."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from fastnet import checks
from fastnet.recorded import Recorded


class LearningRateSchedule(Recorded):
    """Base of all schedules: called with the number of steps done, returns the learning rate of the next step."""

    def __call__(self, step: int) -> float:
        raise NotImplementedError

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments."""
        return {}

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{k}={v!r}' for k, v in self._shown().items())})"


class ExponentialDecay(LearningRateSchedule):
    """initial_learning_rate * decay_rate ^ (step / decay_steps); `staircase` rounds the exponent down."""

    def __init__(
        self, initial_learning_rate: float, decay_steps: int, decay_rate: float, staircase: bool = False
    ) -> None:
        self.initial_learning_rate = checks.number("initial_learning_rate", initial_learning_rate, least=0)
        self.decay_steps = checks.integer("decay_steps", decay_steps, least=1)
        self.decay_rate = checks.number("decay_rate", decay_rate, least=0)
        self.staircase = bool(staircase)

    def __call__(self, step: int) -> float:
        power = step / self.decay_steps
        return self.initial_learning_rate * math.pow(self.decay_rate, math.floor(power) if self.staircase else power)

    def get_config(self) -> dict[str, Any]:
        return {
            "initial_learning_rate": self.initial_learning_rate,
            "decay_steps": self.decay_steps,
            "decay_rate": self.decay_rate,
            "staircase": self.staircase,
        }


class PiecewiseConstantDecay(LearningRateSchedule):
    """values[0] up to step boundaries[0] and including it, then values[1] up to boundaries[1], and so on."""

    def __init__(self, boundaries: Sequence[float], values: Sequence[float]) -> None:
        self.boundaries = [checks.number("boundaries", b, least=0) for b in boundaries]
        self.values = [checks.number("values", v, least=0) for v in values]
        if len(self.values) != len(self.boundaries) + 1:
            raise ValueError(
                f"values must be one longer than boundaries, got {len(self.values)} and {len(self.boundaries)}"
            )
        if self.boundaries != sorted(self.boundaries):
            raise ValueError(f"boundaries must ascend, got {self.boundaries}")

    def __call__(self, step: int) -> float:
        return self.values[sum(step > boundary for boundary in self.boundaries)]

    def get_config(self) -> dict[str, Any]:
        return {"boundaries": self.boundaries, "values": self.values}


class PolynomialDecay(LearningRateSchedule):
    """From initial_learning_rate to end_learning_rate in decay_steps steps, along (1 - step / decay_steps) ^ power.

    After that the rate stays at its end. With `cycle` the decay starts again instead, and takes longer each time.
    """

    def __init__(
        self,
        initial_learning_rate: float,
        decay_steps: int,
        end_learning_rate: float = 0.0001,
        power: float = 1.0,
        cycle: bool = False,
    ) -> None:
        self.initial_learning_rate = checks.number("initial_learning_rate", initial_learning_rate, least=0)
        self.decay_steps = checks.integer("decay_steps", decay_steps, least=1)
        self.end_learning_rate = checks.number("end_learning_rate", end_learning_rate, least=0)
        self.power = checks.number("power", power, least=0)
        self.cycle = bool(cycle)

    def __call__(self, step: int) -> float:
        length = self.decay_steps * max(1, math.ceil(step / self.decay_steps)) if self.cycle else self.decay_steps
        share = math.pow(1 - min(step, length) / length, self.power)
        return (self.initial_learning_rate - self.end_learning_rate) * share + self.end_learning_rate

    def get_config(self) -> dict[str, Any]:
        return {
            "initial_learning_rate": self.initial_learning_rate,
            "decay_steps": self.decay_steps,
            "end_learning_rate": self.end_learning_rate,
            "power": self.power,
            "cycle": self.cycle,
        }


class CosineDecay(LearningRateSchedule):
    """Half a cosine from initial_learning_rate to alpha * initial_learning_rate in decay_steps steps.

    With `warmup_target`, the rate first rises from initial_learning_rate to this target in `warmup_steps` steps. The
    cosine then starts from the target.

    Source: I. Loshchilov and F. Hutter, "SGDR: stochastic gradient descent with warm restarts", 2017.
    """

    def __init__(
        self,
        initial_learning_rate: float,
        decay_steps: int,
        alpha: float = 0.0,
        warmup_target: float | None = None,
        warmup_steps: int = 0,
    ) -> None:
        self.initial_learning_rate = checks.number("initial_learning_rate", initial_learning_rate, least=0)
        self.decay_steps = checks.integer("decay_steps", decay_steps, least=1)
        self.alpha = checks.number("alpha", alpha, least=0)
        self.warmup_target = None if warmup_target is None else checks.number("warmup_target", warmup_target, least=0)
        self.warmup_steps = checks.integer("warmup_steps", warmup_steps, least=0)

    def __call__(self, step: int) -> float:
        start = self.initial_learning_rate
        if self.warmup_target is not None:
            if step < self.warmup_steps:
                return start + (self.warmup_target - start) * step / self.warmup_steps
            start, step = self.warmup_target, step - self.warmup_steps
        wave = 0.5 * (1 + math.cos(math.pi * min(step, self.decay_steps) / self.decay_steps))
        return start * ((1 - self.alpha) * wave + self.alpha)

    def get_config(self) -> dict[str, Any]:
        return {
            "initial_learning_rate": self.initial_learning_rate,
            "decay_steps": self.decay_steps,
            "alpha": self.alpha,
            "warmup_target": self.warmup_target,
            "warmup_steps": self.warmup_steps,
        }


CLASSES: dict[str, type[LearningRateSchedule]] = {
    c.__name__: c for c in (ExponentialDecay, PiecewiseConstantDecay, PolynomialDecay, CosineDecay)
}


def get(description: dict[str, Any]) -> LearningRateSchedule:
    """Returns the schedule of a description, as `checks.describe` returns it."""
    return checks.build("learning_rate", description, CLASSES)
