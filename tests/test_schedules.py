"""Learning-rate schedules: values worked out by hand, and that a training uses them."""

import math
from typing import Any

import numpy as np
import pytest

from fastnet import Sequential
from fastnet.layers import Dense, Input
from fastnet.optimizers import SGD, schedules
from fastnet.optimizers.schedules import (
    CosineDecay,
    CosineDecayRestarts,
    ExponentialDecay,
    InverseTimeDecay,
    PiecewiseConstantDecay,
    PolynomialDecay,
)


@pytest.mark.parametrize(
    ("schedule", "values"),
    [
        (ExponentialDecay(0.1, 10, 0.5), {0: 0.1, 10: 0.05, 5: 0.1 * math.sqrt(0.5)}),
        (ExponentialDecay(0.1, 10, 0.5, staircase=True), {9: 0.1, 10: 0.05, 19: 0.05, 20: 0.025}),
        (PiecewiseConstantDecay([3, 5], [1.0, 0.5, 0.1]), {0: 1.0, 3: 1.0, 4: 0.5, 5: 0.5, 6: 0.1}),
        (PolynomialDecay(1.0, 10, 0.2), {0: 1.0, 5: 0.6, 10: 0.2, 99: 0.2}),
        (PolynomialDecay(1.0, 10, 0.0, power=2), {5: 0.25}),
        (PolynomialDecay(1.0, 10, 0.0, cycle=True), {10: 0.0, 15: 0.25, 20: 0.0}),
        (CosineDecay(1.0, 10), {0: 1.0, 5: 0.5, 10: 0.0, 50: 0.0}),
        (CosineDecay(1.0, 10, alpha=0.1), {10: 0.1}),
        (InverseTimeDecay(1.0, 10, 0.5), {0: 1.0, 10: 1 / 1.5, 5: 0.8, 40: 1 / 3}),
        (InverseTimeDecay(1.0, 10, 0.5, staircase=True), {9: 1.0, 10: 1 / 1.5, 19: 1 / 1.5}),
        (CosineDecayRestarts(1.0, 10), {0: 1.0, 5: 0.5, 10: 1.0, 20: 0.5, 30: 1.0, 50: 0.5, 70: 1.0}),
        (CosineDecayRestarts(1.0, 10, 1.0, 0.5, 0.2), {0: 1.0, 5: 0.6, 10: 0.6, 15: 0.4, 20: 0.4}),
        (CosineDecayRestarts(1.0, 100, 1.1), {100: 1.0, 155: 0.5, 210: 1.0, 331: 1.0}),
        (CosineDecay(0.0, 10, warmup_target=1.0, warmup_steps=4), {0: 0.0, 2: 0.5, 4: 1.0, 9: 0.5, 14: 0.0}),
    ],
)  # fmt: skip
def test_values(schedule: Any, values: dict[int, float]) -> None:
    for step, value in values.items():
        assert schedule(step) == pytest.approx(value, abs=1e-12)
    again = schedules.deserialize(schedules.serialize(schedule))
    assert again.get_config() == schedule.get_config()
    assert [again(i) for i in range(30)] == [schedule(i) for i in range(30)]


def test_each_step_takes_its_own_rate() -> None:
    model = Sequential([Input((1,)), Dense(1, use_bias=False, kernel_initializer="zeros")])
    model.compile(SGD(PiecewiseConstantDecay([0, 1], [0.25, 0.125, 0.0])), "mse")
    seen = []
    for _ in range(3):
        before = model.get_weights()[0].item()
        model.train_on_batch(np.ones((1, 1)), np.ones((1, 1)))
        seen.append((model.get_weights()[0].item() - before) / (2 * (1 - before)))
    np.testing.assert_allclose(seen, [0.25, 0.125, 0.0], atol=1e-6)


def test_a_scheduled_rate_cannot_be_set_to_a_number() -> None:
    optimizer = SGD(ExponentialDecay(0.1, 10, 0.5))
    with pytest.raises(TypeError, match="follows a schedule"):
        optimizer.learning_rate = 0.1
    assert optimizer.learning_rate == 0.1


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: ExponentialDecay(-1, 10, 0.5), "initial_learning_rate"),
        (lambda: ExponentialDecay(1, 0, 0.5), "decay_steps must be at least 1"),
        (lambda: PiecewiseConstantDecay([1], [1.0]), "one longer"),
        (lambda: PiecewiseConstantDecay([2, 1], [1, 2, 3]), "ascend"),
        (lambda: InverseTimeDecay(1, 10, -1), "decay_rate"),
        (lambda: CosineDecayRestarts(1, 10, t_mul=0.5), "t_mul"),
        (lambda: CosineDecayRestarts(1, 0), "first_decay_steps must be at least 1"),
    ],
)
def test_bad_arguments(make: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()


def test_a_schedule_has_a_name_as_in_keras() -> None:
    assert [CosineDecay(1, 10).name, PiecewiseConstantDecay([], [1]).name] == ["CosineDecay", "PiecewiseConstant"]
    named = CosineDecay(1.0, 10, 0.5, "mine", 2.0, 3)
    assert (named.name, named.warmup_target, named.warmup_steps) == ("mine", 2.0, 3)
    assert "name" not in repr(named)
    with pytest.raises(TypeError, match="name must be a string"):
        CosineDecay(1.0, 10, 0.5, 2.0)  # type: ignore[arg-type]


def test_ones_own_schedule_is_made_from_its_description() -> None:
    class Halves(schedules.LearningRateSchedule):
        def __init__(self, start: float) -> None:
            self.start = start

        def __call__(self, step: Any) -> float:
            return self.start / 2**step

    again = schedules.deserialize(schedules.serialize(Halves(0.5)), {"Halves": Halves})
    assert again(1) == 0.25
    with pytest.raises(ValueError, match="unknown learning_rate 'Halves'"):
        schedules.deserialize(schedules.serialize(Halves(0.5)))
