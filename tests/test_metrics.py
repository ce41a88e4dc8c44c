"""Metrics: running means over all that was seen."""

import numpy as np
import pytest

from fastnet import Sequential, metrics
from fastnet.layers import Dense
from fastnet.metrics import CategoricalAccuracy, Metric


def test_accuracy_is_the_share_over_all_batches() -> None:
    accuracy = CategoricalAccuracy()
    assert accuracy.result() == 0
    accuracy.update_state([[1, 0]] * 3, [[0.9, 0.1]] * 3)
    accuracy.update_state([[1, 0]], [[0.4, 0.6]])
    assert accuracy.result() == 0.75
    accuracy.reset_state()
    assert accuracy.result() == 0


def test_shapes_must_agree() -> None:
    with pytest.raises(ValueError, match="same shape"):
        CategoricalAccuracy().update_state([[1, 0]], [[1, 0, 0]])


@pytest.mark.parametrize("name", ["accuracy", "acc", "categorical_accuracy"])
def test_a_metric_is_called_as_it_was_asked_for(name: str) -> None:
    model = Sequential([Dense(2, activation="softmax")])
    model.compile(loss="categorical_crossentropy", metrics=[name])
    assert list(model.fit(np.ones((4, 2)), np.eye(2)[[0, 1, 0, 1]], verbose=0).history) == ["loss", name]
    assert repr(metrics.get(name)) == f"CategoricalAccuracy(name='{name}')"


def test_a_metric_of_the_users_own_sees_every_row_without_padding() -> None:
    class Rows(Metric):
        def reset_state(self) -> None:
            self.rows = 0

        def update_state(self, y_true: np.ndarray, y_pred: np.ndarray) -> None:
            assert y_true.shape == y_pred.shape
            np.testing.assert_allclose(y_pred.sum(axis=1), 1, rtol=1e-5)
            self.rows += len(y_true)

        def result(self) -> float:
            return float(self.rows)

    model = Sequential([Dense(3, activation="softmax")])
    model.compile(loss="categorical_crossentropy", metrics=[Rows("rows")])
    y = np.eye(3)[np.arange(10) % 3]
    assert model.fit(np.ones((10, 2)), y, batch_size=4, epochs=2, verbose=0).history["rows"] == [10, 10]
    assert model.evaluate(np.ones((10, 2)), y, verbose=0)[1] == 10
