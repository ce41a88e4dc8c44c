"""History: what it records, and the two spellings under which it can be read."""

import copy
import pickle
from functools import partial
from typing import Any

import numpy as np
import pytest

from fastnet import Sequential
from fastnet.callbacks import Callback, EarlyStopping, History, LambdaCallback
from fastnet.callbacks.base import HOOKS
from fastnet.layers import Dense, Input
from fastnet.metrics import AUC
from fastnet.optimizers import SGD


def recorded(**logs: float) -> History:
    history = History()
    for epoch in range(2):
        history.on_epoch_end(epoch, {name: value + epoch for name, value in logs.items()})
    return history


@pytest.mark.parametrize(
    ("name", "other"),
    [
        ("acc", "accuracy"),
        ("accuracy", "acc"),
        ("mean_absolute_error", "mae"),
        ("mse", "mean_squared_error"),
        ("val_mae", "val_mean_absolute_error"),
        ("val_accuracy", "val_acc"),
        ("learning_rate", "lr"),
    ],
)
def test_either_spelling_reads_what_was_recorded_under_one(name: str, other: str) -> None:
    record = recorded(loss=1.0, **{name: 5.0}).history
    assert record[name] == record[other] == record.get(other) == [5.0, 6.0]
    assert other in record
    assert list(record) == ["loss", name]
    assert dict(record) == {"loss": [1.0, 2.0], name: [5.0, 6.0]} == record


def test_what_was_not_recorded_is_not_there() -> None:
    record = recorded(loss=1.0, val_accuracy=2.0).history
    assert "acc" not in record
    assert record.get("acc", 7) == 7
    assert 3 not in record
    with pytest.raises(KeyError, match="'acc'"):
        record["acc"]


def test_both_spellings_recorded_stay_two() -> None:
    record = recorded(acc=1.0, accuracy=5.0).history
    assert (record["acc"], record["accuracy"]) == ([1.0, 2.0], [5.0, 6.0])


def test_it_can_be_copied_and_pickled() -> None:
    history = recorded(mae=1.0)
    for other in (copy.deepcopy(history), pickle.loads(pickle.dumps(history))):
        assert other.history["mean_absolute_error"] == [1.0, 2.0]
        assert repr(other) == "<History of 2 epochs: mae>"


def test_fit_returns_it() -> None:
    model = Sequential([Input((3,)), Dense(2, activation="softmax")])
    model.compile("sgd", "categorical_crossentropy", metrics=["acc"])
    x, y = np.eye(3), np.eye(2)[[0, 1, 0]]
    history = model.fit(x, y, epochs=2, verbose=0, validation_data=(x, y))
    assert history.epoch == [0, 1]
    assert list(history.history) == ["loss", "acc", "val_loss", "val_acc"]
    assert history.history["val_accuracy"] is history.history["val_acc"]
    assert history is model.history


def inner_fit(model: Sequential, x: np.ndarray, y: np.ndarray) -> None:
    own = model.fit(x[:5], y[:5], epochs=7, verbose=0, callbacks=EarlyStopping("loss"))
    assert own.epoch == [0, 1]
    assert own is not model.history


def inner_step(model: Sequential, x: np.ndarray, y: np.ndarray) -> None:
    model.train_on_batch(x[:5], y[:5])


def inner_stop(model: Sequential, x: np.ndarray, y: np.ndarray) -> None:
    class Stop(Callback):
        def on_train_batch_end(self, batch: int, logs: object = None) -> None:
            self.model.stop_training = True
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        model.fit(x[:5], y[:5], verbose=0, callbacks=Stop())


@pytest.mark.parametrize("inner", [inner_fit, inner_step, inner_stop])
@pytest.mark.parametrize("hook", [name for name in HOOKS if "train" in name or "epoch" in name])
def test_a_training_within_a_callback_changes_nothing_of_what_the_outer_one_returns(hook: str, inner: Any) -> None:
    x = np.random.default_rng(0).normal(size=(20, 3)).astype(np.float32)
    y = np.eye(2)[(x[:, 0] > 0).astype(int)]
    results = []
    for with_inner in (False, True):
        model = Sequential([Input((3,)), Dense(2, activation="softmax", kernel_initializer="ones")])
        model.compile(SGD(0.0), "categorical_crossentropy", metrics=["acc", AUC()])
        of_its_own = partial(lambda model, *_, **__: inner(model, x, y), model)
        chosen = [LambdaCallback(**{hook: of_its_own})] if with_inner else []
        history = model.fit(
            x, y, epochs=3, batch_size=8, verbose=0, shuffle=False, validation_data=(x, y), callbacks=chosen
        )
        assert history is model.history
        assert len(model.metrics) == 3
        results.append((history.epoch, history.history, [metric.result() for metric in model.metrics]))
    assert results[0] == results[1]


def test_an_outer_training_that_was_asked_to_stop_stops() -> None:
    model = Sequential([Input((3,)), Dense(2)])
    model.compile("sgd", "mse")

    class Stop(Callback):
        def on_epoch_end(self, epoch: int, logs: object = None) -> None:
            self.model.stop_training = True
            self.model.fit(np.eye(3), np.ones((3, 2)), verbose=0)

    assert model.fit(np.eye(3), np.ones((3, 2)), epochs=4, verbose=0, callbacks=Stop()).epoch == [0]
    assert model.fit(np.eye(3), np.ones((3, 2)), epochs=4, verbose=0).epoch == [0, 1, 2, 3]
