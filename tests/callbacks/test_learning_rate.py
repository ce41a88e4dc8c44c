"""LearningRateScheduler and ReduceLROnPlateau: the learning rate, epoch by epoch."""

import math
from typing import Any

import numpy as np
import pytest
from callbacks.scripted import StubModel, run

from fastnet import Sequential
from fastnet.callbacks import LearningRateScheduler, ReduceLROnPlateau
from fastnet.layers import Dense, Input
from fastnet.optimizers import Adam, schedules

NOTHING: list[dict[str, float]] = [{}, {}, {}]


@pytest.mark.parametrize(
    "schedule",
    [
        lambda epoch, lr: lr / 2,
        lambda epoch: 0.5 ** (epoch + 1),  # the older form
        lambda epoch, lr: np.float32(lr / 2),
    ],
)
def test_a_schedule_sets_the_rate_and_the_logs(schedule: Any) -> None:
    model = StubModel(1.0)
    assert run(LearningRateScheduler(schedule), NOTHING, model) == [{"learning_rate": 0.5**n} for n in (1, 2, 3)]
    assert model.optimizer.learning_rate == 0.125


def test_a_schedule_trains_with_its_rate() -> None:
    model = Sequential([Input((3,)), Dense(2)])
    model.compile("sgd", "mse")
    before = model.get_weights()
    history = model.fit(np.eye(3), np.ones((3, 2)), verbose=0, callbacks=LearningRateScheduler(lambda epoch, lr: 0.0))
    assert all((a == b).all() for a, b in zip(model.get_weights(), before, strict=True))
    assert history.history["lr"] == [0.0]


@pytest.mark.parametrize("returned", [None, "0.1", -1.0, math.nan, math.inf, True])
def test_a_schedule_must_return_a_rate(returned: Any) -> None:
    with pytest.raises(ValueError, match=r"schedule returned .* for epoch 0; expected a finite number of at least 0"):
        run(LearningRateScheduler(lambda epoch, lr: returned), NOTHING)
    with pytest.raises(TypeError, match="schedule must be a function"):
        LearningRateScheduler(0.1)  # type: ignore[arg-type]


def test_an_error_in_the_schedule_is_its_own() -> None:
    def broken(epoch: int, lr: float) -> float:
        raise TypeError("mine")

    with pytest.raises(TypeError, match="mine"):
        run(LearningRateScheduler(broken), NOTHING)


def test_a_schedule_says_so_if_asked(capsys: pytest.CaptureFixture[str]) -> None:
    run(LearningRateScheduler(lambda epoch, lr: 0.25, verbose=1), [{}])
    assert capsys.readouterr().out == "\nEpoch 1: LearningRateScheduler setting learning rate to 0.25.\n"


def rates(values: list[float], name: str = "val_loss", **arguments: Any) -> list[float]:
    """The rate in each epoch, and the one after the last."""
    model = StubModel(1.0)
    logs = run(ReduceLROnPlateau(name, **arguments), [{name: value} for value in values], model)
    return [each["learning_rate"] for each in logs] + [model.optimizer.learning_rate]


@pytest.mark.parametrize(
    ("values", "arguments", "expected"),
    [
        ([3, 2, 1], {"patience": 1}, [1, 1, 1, 1]),
        ([3, 3, 3, 3], {"patience": 1, "factor": 0.5}, [1, 1, 0.5, 0.25, 0.125]),
        ([3, 3, 3, 3, 3], {"patience": 2, "factor": 0.5}, [1, 1, 1, 0.5, 0.5, 0.25]),
        ([3, 3, 3, 3, 3, 3], {"patience": 1, "factor": 0.5, "cooldown": 2}, [1, 1, 0.5, 0.5, 0.25, 0.25, 0.125]),
        ([3, 3, 3, 3], {"patience": 1, "factor": 0.5, "min_lr": 0.4}, [1, 1, 0.5, 0.4, 0.4]),
        ([3, 2.95, 2.9], {"patience": 1, "factor": 0.5, "min_delta": 0.2}, [1, 1, 0.5, 0.25]),
        ([3, 2.95, 2.9], {"patience": 1, "factor": 0.5, "epsilon": 0.2}, [1, 1, 0.5, 0.25]),
        ([3, 2.99995], {"patience": 1, "factor": 0.5}, [1, 1, 0.5]),  # min_delta is 1e-4 unless given
        ([3, math.nan, 1], {"patience": 1, "factor": 0.5}, [1, 1, 0.5, 0.5]),
        ([1, 2, 3], {"patience": 1, "mode": "max"}, [1, 1, 1, 1]),
    ],
)
def test_a_plateau_reduces(values: list[float], arguments: dict[str, Any], expected: list[float]) -> None:
    assert rates(values, **arguments) == expected


def test_a_plateau_of_accuracy() -> None:
    assert rates([0.1, 0.2, 0.2], "val_accuracy", patience=1, factor=0.5) == [1, 1, 1, 0.5]


def test_a_plateau_of_nothing_is_a_warning() -> None:
    model = StubModel(1.0)
    with pytest.warns(UserWarning, match="ReduceLROnPlateau monitors 'val_loss', which is not available"):
        assert run(ReduceLROnPlateau(), [{"loss": 1.0}], model) == [{"loss": 1.0, "learning_rate": 1.0}]


@pytest.mark.parametrize("callback", [LearningRateScheduler(lambda epoch: 0.5), ReduceLROnPlateau("loss")])
def test_two_schedules_are_refused_before_the_first_epoch(callback: Any) -> None:
    model = Sequential([Input((3,)), Dense(2)])
    model.compile(Adam(schedules.ExponentialDecay(0.01, 3, 0.9)), "mse")
    before = model.get_weights()
    name = type(callback).__name__
    with pytest.raises(
        TypeError, match=rf"{name} sets .*already follows ExponentialDecay\(.*: leave out the callback, or"
    ):
        model.fit(np.eye(3), np.ones((3, 2)), verbose=0, callbacks=callback)
    assert all((a == b).all() for a, b in zip(model.get_weights(), before, strict=True))


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"factor": 1.0}, ValueError, r"factor must be a finite number in \[0, 1\)"),
        ({"min_lr": -1}, ValueError, "min_lr must be"),
        ({"cooldown": -1}, ValueError, "cooldown must be at least 0"),
        ({"patince": 1}, TypeError, "unexpected keyword argument 'patince'"),
    ],
)
def test_arguments_are_checked(arguments: dict[str, Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        ReduceLROnPlateau(**arguments)
