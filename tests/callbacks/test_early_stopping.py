"""EarlyStopping: when it ends a training, and with which weights."""

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from callbacks.scripted import run

from fastnet import Sequential, losses, metrics
from fastnet.callbacks import EarlyStopping, LambdaCallback, ModelCheckpoint, ReduceLROnPlateau
from fastnet.layers import Dense, Input
from fastnet.metrics import Metric

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


X, Y = np.random.default_rng(0).normal(size=(20, 3)), np.eye(2)[np.arange(20) % 2]


class Unknown(Metric):
    """Does not say whether more is better."""

    def __init__(self, name: str = "unknown", direction: Any = None) -> None:
        super().__init__(name=name)
        self._direction = direction

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None: ...

    def result(self) -> float:
        return 1.0


def accuracy(y_true: Any, y_pred: Any) -> Any:
    return np.abs(y_true - y_pred)


def watched(metric: Any, monitor: str, loss: Any = "categorical_crossentropy", **arguments: Any) -> EarlyStopping:
    """The callback after a training of some epochs."""
    model = Sequential([Input((3,)), Dense(2, activation="softmax")])
    model.compile("sgd", loss, metrics=metric)
    stop = EarlyStopping(monitor, patience=9, **arguments)
    model.fit(X, Y, epochs=2, verbose=0, validation_data=(X, Y), callbacks=stop)
    return stop


@pytest.mark.parametrize(
    ("metric", "monitor", "more"),
    [
        (metrics.MeanSquaredError(name="accel"), "accel", False),
        (metrics.MeanSquaredError(name="accuracy"), "val_acc", False),
        (metrics.CategoricalAccuracy(name="loss_of_face"), "val_loss_of_face", True),
        (metrics.CategoricalAccuracy(name="error"), "error", True),
        (metrics.CosineSimilarity(name="kl"), "val_kl", True),
        (losses.CosineSimilarity(), "cosine_similarity", False),  # as a loss it is negative
        (losses.cosine_similarity, "val_cosine_similarity", False),
        (metrics.AUC(name="mse"), "mse", True),
        (metrics.F1Score("macro", name="hinge"), "val_hinge", True),
        ("acc", "val_accuracy", True),
        ("accuracy", "acc", True),
        ("mae", "val_mean_absolute_error", False),
        ([metrics.Precision(class_id=0), metrics.Precision(class_id=1)], "val_precision_1", True),
        (metrics.MeanSquaredError(name="val_acc"), "val_acc", False),
        (losses.custom(lambda t, p: (p - t) ** 2, lambda t, p: p - t, name="gain"), "gain", False),
        (Unknown(direction="up"), "unknown", True),
        (Unknown("mse", direction="up"), "val_mse", True),
        (Unknown("acc", direction="down"), "val_accuracy", False),
        ("accuracy", "loss", False),
        ("accuracy", "val_loss", False),
    ],
)
def test_auto_asks_the_metric(metric: Any, monitor: str, more: bool) -> None:
    stop = watched(metric, monitor)
    assert stop.improves(2.0, 1.0) is more
    assert stop.improves(1.0, 2.0) is not more
    assert stop.best is not None


@pytest.mark.parametrize(
    ("metric", "monitor", "message"),
    [
        (Unknown(), "val_unknown", r"The metric 'unknown' does not say so by _direction = 'up' or 'down'"),
        (Unknown(direction="max"), "unknown", r"The metric 'unknown' does not say so"),
        (Unknown("mse"), "val_mse", r"The metric 'mse' does not say so"),
        (accuracy, "val_accuracy", r"The metric 'accuracy' does not say so"),
        (lambda t, p: 1.0, "<lambda>", r"The metric '<lambda>' does not say so"),
        (
            "accuracy",
            "val_acuracy",
            r"none of the model's metrics; did you mean 'val_accuracy'\? There are: val_loss, val",
        ),
        ("accuracy", "accel", r"none of the model's metrics.* There are: loss, accuracy"),
        (None, "wealth", r"none of the model's metrics. There are: loss"),
    ],
)
@pytest.mark.parametrize("kind", [EarlyStopping, ReduceLROnPlateau, ModelCheckpoint])
def test_auto_refuses_before_the_first_epoch_what_it_does_not_know(
    kind: Any, metric: Any, monitor: str, message: str, tmp_path: Path
) -> None:
    arguments: Any = {"filepath": tmp_path / "m.safetensors", "save_best_only": True} if kind is ModelCheckpoint else {}
    model = Sequential([Input((3,)), Dense(2, activation="softmax")])
    model.compile("sgd", "categorical_crossentropy", metrics=metric)
    before = model.get_weights()
    with pytest.raises(
        ValueError, match=rf"{kind.__name__}: .*monitor='{monitor}' is better; expected mode=.* {message}"
    ):
        model.fit(X, Y, verbose=0, validation_data=(X, Y), callbacks=kind(monitor=monitor, **arguments))
    assert all((a == b).all() for a, b in zip(before, model.get_weights(), strict=True))
    if metric is not None and monitor not in ("accel", "val_acuracy"):
        model.fit(X, Y, verbose=0, validation_data=(X, Y), callbacks=kind(monitor=monitor, mode="max", **arguments))


def test_a_metric_of_one_number_in_an_array_is_watched_and_logged_as_a_number(capsys: Any) -> None:
    class Column(Unknown):
        def result(self) -> Any:
            return np.array([[0.25]])

    y = np.arange(20) % 2
    model = Sequential([Input((3,)), Dense(1, activation="sigmoid")])
    chosen = [metrics.F1Score(threshold=0.5), metrics.Recall(thresholds=[0.5]), Column(direction="up")]
    model.compile("sgd", "binary_crossentropy", metrics=chosen)
    stops = [EarlyStopping(f"val_{metric.name}", patience=9) for metric in chosen]
    history = model.fit(X, y, epochs=2, verbose=2, validation_data=(X, y), callbacks=stops).history
    assert all(type(value) is float for values in history.values() for value in values)
    assert [stop.best for stop in stops] == [max(history[stop.monitor]) for stop in stops]
    assert "val_unknown: 0.2500" in capsys.readouterr().out
    assert all(type(value) is float for value in model.evaluate(X, y, verbose=0))


class Several(Unknown):
    def result(self) -> Any:
        return np.ones(3)


@pytest.mark.parametrize(
    ("metric", "message"),
    [
        (metrics.F1Score(name="m"), r"an array of 2 numbers: .*F1Score\(average='macro'\)"),
        (metrics.FBetaScore(name="m"), r"an array of 2 numbers: .*FBetaScore\(average='macro'\)"),
        (metrics.Precision(thresholds=[0.1, 0.5, 0.9], name="m"), r"an array of 3 numbers: .*thresholds=0.5"),
        (Several("m", "up"), "an array of 3 numbers: it needs a metric whose result is one number"),
    ],
)
def test_a_metric_of_several_numbers_is_refused_at_the_start_and_else_does_no_harm(
    metric: Metric, message: str, capsys: Any
) -> None:
    for mode in ("auto", "max"):
        model = Sequential([Input((3,)), Dense(2, activation="softmax")])
        model.compile("sgd", "categorical_crossentropy", metrics=[metric])
        for monitor in ("m", "val_m"):
            started: list[int] = []
            look = LambdaCallback(on_epoch_begin=lambda epoch, logs, started=started: started.append(epoch))
            stop = EarlyStopping(monitor, mode=mode)
            with pytest.raises(ValueError, match=rf"EarlyStopping monitors '{monitor}', which is {message}"):
                model.fit(X, Y, verbose=0, validation_data=(X, Y), callbacks=[look, stop])
            assert not started
    history = model.fit(X, Y, epochs=2, verbose=2, validation_data=(X, Y), callbacks=EarlyStopping()).history
    assert [np.shape(value) for value in history["val_m"]] == [np.shape(metric.result())] * 2
    assert " - val_m: " in capsys.readouterr().out
    assert np.shape(model.evaluate(X, Y, verbose=0)[1]) == np.shape(metric.result())


def test_several_numbers_that_show_late_are_refused_then() -> None:
    class Late(Unknown):
        def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
            assert len(y_true) > 1

        def result(self) -> Any:
            return np.ones(3)

    with pytest.raises(ValueError, match="EarlyStopping monitors 'late', which is an array of 3 numbers"):
        watched([Late("late", "up")], "late")
    add = LambdaCallback(on_epoch_end=lambda epoch, logs: logs.update(mine=np.ones(2)))
    model = Sequential([Input((3,)), Dense(2)])
    model.compile("sgd", "mse")
    with pytest.raises(ValueError, match="EarlyStopping monitors 'mine', which is an array of 2 numbers"):
        model.fit(X, Y, verbose=0, callbacks=[add, EarlyStopping("mine", mode="max")])


@pytest.mark.parametrize("value", [None, "good", {"a": 1.0}, 1j, [[1], [1, 2]]])
def test_a_metric_that_returns_no_number_is_named(value: Any) -> None:
    class Odd(Unknown):
        def result(self) -> Any:
            return value

    model = Sequential([Input((3,)), Dense(2)])
    model.compile("sgd", "mse", metrics=[Odd("odd")])
    for walk in (model.evaluate, model.fit):
        with pytest.raises(TypeError, match=r"the metric 'odd' returned .*; expected .*real numbers"):
            walk(X, Y, verbose=0)


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
        assert len(run(EarlyStopping(monitor, mode="min"), [logs, logs])) == 2


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
