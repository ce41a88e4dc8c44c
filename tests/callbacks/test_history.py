"""History: what it records, and the two spellings under which it can be read."""

import copy
import pickle

import numpy as np
import pytest

from fastnet import Sequential
from fastnet.callbacks import History
from fastnet.layers import Dense, Input


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
