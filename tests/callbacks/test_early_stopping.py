"""EarlyStopping: when it ends a training, and with which weights."""

import warnings
from typing import Any

import numpy as np
import pytest
from callbacks.scripted import run

from fastnet import Sequential
from fastnet.callbacks import EarlyStopping, LambdaCallback
from fastnet.layers import Dense, Input

NAN = float("nan")


def epochs(values: list[float], name: str = "val_loss", **arguments: Any) -> int:
    return len(run(EarlyStopping(name, **arguments), [{name: value} for value in values]))


@pytest.mark.parametrize(
    ("values", "arguments", "expected"),
    [
        ([5, 4, 3, 2, 1], {}, 5),  # better all the time
        ([5, 4, 4, 3, 2], {}, 3),  # as good is not better
        ([5, 6, 4, 3], {}, 2),
        ([5, 6, 6, 4, 3], {"patience": 2}, 3),
        ([5, 6, 4, 5, 5, 5], {"patience": 2}, 5),  # the wait begins anew
        ([5, 4.95, 4.9, 4.85], {"min_delta": 0.1, "patience": 2}, 3),
        ([5, 4.8, 4.6, 4.4], {"min_delta": -0.1, "patience": 1}, 4),
        ([5, 6, 7, 8, 9], {"start_from_epoch": 3}, 5),  # epoch 3 is the first that counts
        ([5, 4, 3, 2.5, 1], {"baseline": 2, "patience": 3}, 5),
        ([5, 4, 3, 2.5, 2.6], {"baseline": 2, "patience": 3}, 5),
        ([5, 4, 3, 3, 3, 1], {"baseline": 2, "patience": 3}, 4),  # better, but never than the baseline
        ([NAN, 5, 4, 3], {"patience": 2}, 4),  # NaN is better than nothing
        ([5, NAN, 4, NAN, NAN], {"patience": 2}, 5),
        ([1, 2, 3, 2], {"mode": "max"}, 4),
        ([1, 1.05, 1.2, 1.4], {"mode": "max", "min_delta": 0.1, "patience": 1}, 2),
        ([NAN, 5, 6], {}, 3),  # never after the first epoch
    ],
)
def test_when_it_stops(values: list[float], arguments: dict[str, Any], expected: int) -> None:
    assert epochs(values, **arguments) == expected


@pytest.mark.parametrize(
    "name", ["accuracy", "val_acc", "val_auc", "precision", "f1_score", "top_k_categorical_accuracy"]
)
def test_auto_takes_more_of_these(name: str) -> None:
    assert epochs([0.1, 0.2, 0.3, 0.2, 0.1], name) == 4


@pytest.mark.parametrize("name", ["loss", "val_mae", "mean_squared_error", "val_categorical_crossentropy", "mse"])
def test_auto_takes_less_of_these(name: str) -> None:
    assert epochs([3, 2, 1, 2, 3], name) == 4


def test_auto_that_cannot_tell_asks() -> None:
    with pytest.raises(
        ValueError, match="more or less of monitor='wealth' is better; expected mode='max' or mode='min'"
    ):
        epochs([1, 2], "wealth")
    assert epochs([1, 2, 1], "wealth", mode="max") == 3


def test_either_spelling_is_monitored() -> None:
    assert len(run(EarlyStopping("val_acc"), [{"val_accuracy": value} for value in (0.5, 0.4, 0.3)])) == 2


@pytest.mark.parametrize(
    ("monitor", "logs", "message"),
    [
        ("val_los", {"loss": 1.0, "val_loss": 1.0}, "'val_los', which is not available; did you mean 'val_loss'"),
        ("val_loss", {"loss": 1.0}, "fit needs validation_data or validation_split for it. There are: loss"),
        ("wealth", {"loss": 1.0}, "'wealth', which is not available. There are: loss"),
    ],
)
def test_a_number_that_is_not_there_is_a_warning(monitor: str, logs: dict[str, float], message: str) -> None:
    with pytest.warns(UserWarning, match=message):
        assert len(run(EarlyStopping(monitor), [logs, logs])) == 2


def test_it_can_be_used_again() -> None:
    stop = EarlyStopping("loss", patience=1)
    assert len(run(stop, [{"loss": 2.0}, {"loss": 3.0}, {"loss": 1.0}])) == 2
    assert (stop.stopped_epoch, stop.best, stop.best_epoch) == (1, 2.0, 0)
    assert len(run(stop, [{"loss": 5.0}, {"loss": 4.0}, {"loss": 4.0}, {"loss": 4.0}])) == 3
    assert (stop.stopped_epoch, stop.best, stop.best_epoch) == (2, 4.0, 1)


def test_what_it_says(capsys: pytest.CaptureFixture[str]) -> None:
    run(EarlyStopping("loss", verbose=1, restore_best_weights=True), [{"loss": 1.0}, {"loss": 2.0}])
    assert capsys.readouterr().out == (
        "Epoch 2: early stopping\nRestoring model weights from the end of the best epoch: 1.\n"
    )


@pytest.mark.parametrize("restore", [False, True])
@pytest.mark.parametrize("values", [[3, 1, 2, 2, 2], [NAN, NAN, NAN]])
def test_the_weights_at_the_end(restore: bool, values: list[float]) -> None:
    model = Sequential([Input((3,)), Dense(2)])
    model.compile("sgd", "mse")
    seen: list[list[np.ndarray]] = []

    class Scripted(EarlyStopping):
        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            super().on_epoch_end(epoch, {"loss": values[epoch]})

    keep = LambdaCallback(on_epoch_end=lambda epoch, logs: seen.append(model.get_weights()))
    stop = Scripted("loss", patience=2, restore_best_weights=restore)
    model.fit(np.eye(3), np.ones((3, 2)), epochs=len(values), verbose=0, callbacks=[keep, stop])
    best = int(np.nanargmin(values)) if not np.isnan(values).all() else 0
    expected = seen[best if restore else -1]
    assert all((a == b).all() for a, b in zip(model.get_weights(), expected, strict=True))
    assert not all((a == b).all() for a, b in zip(seen[best], seen[-1], strict=True))


def test_weights_that_are_not_finite_can_be_put_back() -> None:
    model = Sequential([Input((3,)), Dense(2)])
    model.compile("sgd", "mse")
    stop = EarlyStopping("loss", restore_best_weights=True, patience=1)
    poison = LambdaCallback(on_epoch_end=lambda epoch, logs: model.layers[0].kernel.packed.fill(NAN))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.fit(np.eye(3), np.ones((3, 2)), epochs=3, verbose=0, callbacks=[poison, stop])
    assert np.isnan(model.get_weights()[0]).all()


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"mode": "mni"}, ValueError, "unknown mode 'mni'; did you mean 'min'"),
        ({"patience": -1}, ValueError, "patience must be at least 0, got -1"),
        ({"patience": 1.5}, TypeError, "patience must be an integer"),
        ({"min_delta": "0.1"}, TypeError, "min_delta must be a number"),
        ({"baseline": NAN}, ValueError, "baseline must be a finite number"),
        ({"monitor": 3}, TypeError, "monitor must be a name"),
    ],
)
def test_arguments_are_checked(arguments: dict[str, Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        EarlyStopping(**arguments)
