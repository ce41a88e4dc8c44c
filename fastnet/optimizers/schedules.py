"""Schedules: learning rates that depend on the number of steps that a training has done."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from fastnet import checks
from fastnet.recorded import Recorded


class LearningRateSchedule(Recorded):
    """Base of all schedules: called with the number of steps done, returns the learning rate of the next step."""

    def __call__(self, step: Any) -> float:
        raise NotImplementedError(f"{type(self).__name__} has no __call__()")

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments."""
        return {}

    def __repr__(self) -> str:
        shown = {name: value for name, value in self._shown().items() if name != "name"}
        return f"{type(self).__name__}({', '.join(f'{k}={v!r}' for k, v in shown.items())})"


class ExponentialDecay(LearningRateSchedule):
    """initial_learning_rate * decay_rate ^ (step / decay_steps); `staircase` rounds the exponent down."""

    def __init__(
        self,
        initial_learning_rate: float,
        decay_steps: int,
        decay_rate: float,
        staircase: bool = False,
        name: str = "ExponentialDecay",
    ) -> None:
        self.initial_learning_rate = _rate("initial_learning_rate", initial_learning_rate)
        self.decay_steps = _steps("decay_steps", decay_steps)
        self.decay_rate = checks.number("decay_rate", decay_rate, least=0)
        self.staircase = bool(staircase)
        self.name = _name(name)

    def __call__(self, step: Any) -> float:
        power = float(step) / self.decay_steps
        return self.initial_learning_rate * math.pow(self.decay_rate, math.floor(power) if self.staircase else power)

    def get_config(self) -> dict[str, Any]:
        return _config(self, "initial_learning_rate", "decay_steps", "decay_rate", "staircase", "name")


class InverseTimeDecay(LearningRateSchedule):
    """initial_learning_rate / (1 + decay_rate * step / decay_steps); `staircase` rounds step / decay_steps down."""

    def __init__(
        self,
        initial_learning_rate: float,
        decay_steps: int,
        decay_rate: float,
        staircase: bool = False,
        name: str = "InverseTimeDecay",
    ) -> None:
        self.initial_learning_rate = _rate("initial_learning_rate", initial_learning_rate)
        self.decay_steps = _steps("decay_steps", decay_steps)
        self.decay_rate = checks.number("decay_rate", decay_rate, least=0)
        self.staircase = bool(staircase)
        self.name = _name(name)

    def __call__(self, step: Any) -> float:
        time = float(step) / self.decay_steps
        return self.initial_learning_rate / (1 + self.decay_rate * (math.floor(time) if self.staircase else time))

    def get_config(self) -> dict[str, Any]:
        return _config(self, "initial_learning_rate", "decay_steps", "decay_rate", "staircase", "name")


class PiecewiseConstantDecay(LearningRateSchedule):
    """values[0] up to step boundaries[0] and including it, then values[1] up to boundaries[1], and so on."""

    def __init__(self, boundaries: Sequence[float], values: Sequence[float], name: str = "PiecewiseConstant") -> None:
        self.boundaries = [checks.number("boundaries", b, least=0) for b in checks.entries(boundaries)]
        self.values = [_rate("values", v) for v in checks.entries(values)]
        if len(self.values) != len(self.boundaries) + 1:
            raise ValueError(
                f"values must be one longer than boundaries, got {len(self.values)} and {len(self.boundaries)}"
            )
        if self.boundaries != sorted(self.boundaries):
            raise ValueError(f"boundaries must ascend, got {self.boundaries}")
        self.name = _name(name)

    def __call__(self, step: Any) -> float:
        return self.values[sum(float(step) > boundary for boundary in self.boundaries)]

    def get_config(self) -> dict[str, Any]:
        return _config(self, "boundaries", "values", "name")


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
        name: str = "PolynomialDecay",
    ) -> None:
        self.initial_learning_rate = _rate("initial_learning_rate", initial_learning_rate)
        self.decay_steps = _steps("decay_steps", decay_steps)
        self.end_learning_rate = _rate("end_learning_rate", end_learning_rate)
        self.power = checks.number("power", power, least=0)
        self.cycle = bool(cycle)
        self.name = _name(name)

    def __call__(self, step: Any) -> float:
        step = float(step)
        length = self.decay_steps * max(1, math.ceil(step / self.decay_steps)) if self.cycle else self.decay_steps
        share = math.pow(1 - min(step, length) / length, self.power)
        return (self.initial_learning_rate - self.end_learning_rate) * share + self.end_learning_rate

    def get_config(self) -> dict[str, Any]:
        return _config(self, "initial_learning_rate", "decay_steps", "end_learning_rate", "power", "cycle", "name")


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
        name: str = "CosineDecay",
        warmup_target: float | None = None,
        warmup_steps: int = 0,
    ) -> None:
        self.initial_learning_rate = _rate("initial_learning_rate", initial_learning_rate)
        self.decay_steps = _steps("decay_steps", decay_steps)
        self.alpha = checks.number("alpha", alpha, least=0)
        self.name = _name(name)
        self.warmup_target = None if warmup_target is None else _rate("warmup_target", warmup_target)
        self.warmup_steps = checks.integer("warmup_steps", warmup_steps, least=0)

    def __call__(self, step: Any) -> float:
        step, start = float(step), self.initial_learning_rate
        if self.warmup_target is not None:
            if step < self.warmup_steps:
                return start + (self.warmup_target - start) * step / self.warmup_steps
            start, step = self.warmup_target, step - self.warmup_steps
        wave = _half_cosine(min(step, self.decay_steps) / self.decay_steps)
        return start * ((1 - self.alpha) * wave + self.alpha)

    def get_config(self) -> dict[str, Any]:
        return _config(self, "initial_learning_rate", "decay_steps", "alpha", "name", "warmup_target", "warmup_steps")


class CosineDecayRestarts(LearningRateSchedule):
    """Half a cosine, as `CosineDecay`, that starts again and again.

    The first takes first_decay_steps steps. Each later one takes `t_mul` times as many steps and starts from `m_mul`
    times the height. All end at alpha * initial_learning_rate.

    Source: I. Loshchilov and F. Hutter, "SGDR: stochastic gradient descent with warm restarts", 2017.
    """

    def __init__(
        self,
        initial_learning_rate: float,
        first_decay_steps: int,
        t_mul: float = 2.0,
        m_mul: float = 1.0,
        alpha: float = 0.0,
        name: str = "SGDRDecay",
    ) -> None:
        self.initial_learning_rate = _rate("initial_learning_rate", initial_learning_rate)
        self.first_decay_steps = _steps("first_decay_steps", first_decay_steps)
        self.t_mul = checks.number("t_mul", t_mul, least=1)
        self.m_mul = checks.number("m_mul", m_mul, least=0)
        self.alpha = checks.number("alpha", alpha, least=0)
        self.name = _name(name)

    def __call__(self, step: Any) -> float:
        step, length = float(step), float(self.first_decay_steps)
        if self.t_mul == 1:
            restarts, step = divmod(step, length)
        else:
            restarts = 0.0
            while step >= length * (1 - 1e-12):  # the lengths are rounded, and a restart must not come a step late
                restarts, step, length = restarts + 1, step - length, length * self.t_mul
        wave = math.pow(self.m_mul, restarts) * _half_cosine(step / length)
        return self.initial_learning_rate * ((1 - self.alpha) * wave + self.alpha)

    def get_config(self) -> dict[str, Any]:
        return _config(self, "initial_learning_rate", "first_decay_steps", "t_mul", "m_mul", "alpha", "name")


def _half_cosine(share: float) -> float:
    """Returns half a cosine from 1 to 0, where `share` goes from 0 to 1."""
    return 0.5 * (1 + math.cos(math.pi * share))


def _rate(argument: str, value: Any) -> float:
    return checks.number(argument, value, least=0)


def _steps(argument: str, value: Any) -> int:
    """Returns `value` as an integer above 0."""
    return checks.integer(argument, value, least=1)


def _name(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"name must be a string, got {value!r}")
    return value


def _config(schedule: LearningRateSchedule, *names: str) -> dict[str, Any]:
    return {name: getattr(schedule, name) for name in names}


CLASSES: dict[str, type[LearningRateSchedule]] = {
    c.__name__: c
    for c in (
        ExponentialDecay,
        InverseTimeDecay,
        PiecewiseConstantDecay,
        PolynomialDecay,
        CosineDecay,
        CosineDecayRestarts,
    )
}


def get(description: dict[str, Any]) -> LearningRateSchedule:
    """Returns the schedule of a description, as `serialize` returns it."""
    return checks.build("learning_rate", description, CLASSES)


def serialize(learning_rate_schedule: LearningRateSchedule) -> dict[str, Any]:
    """Returns the class name and the arguments of a schedule."""
    return checks.describe(learning_rate_schedule)


def deserialize(config: dict[str, Any], custom_objects: Mapping[str, Any] | None = None) -> LearningRateSchedule:
    """Returns the schedule of a description; `custom_objects` has your own classes by name."""
    return checks.build("learning_rate", config, {**CLASSES, **(custom_objects or {})})
