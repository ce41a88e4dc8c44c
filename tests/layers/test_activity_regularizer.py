"""activity_regularizer: a penalty for a layer's output in the loss.

As in Keras, the penalty of a batch y is R(y) / B, for a regularizer R and B examples.
"""

from typing import Any

import numpy as np
import pytest

from fastnet import Sequential, layers, regularizers
from fastnet.layers import Dense, Flatten, Input
from fastnet.models import load_model
from fastnet.training.tape import can_record
from fastnet.utils import set_random_seed

RNG = np.random.default_rng(0)
X = RNG.standard_normal((50, 6)).astype(np.float32)
Y = RNG.standard_normal((50, 3)).astype(np.float32)


def make(*entries: Any, loss: str = "mse", optimizer: Any = "sgd") -> Sequential:
    set_random_seed(3)
    model = Sequential([Input((6,)), *entries])
    model.compile(optimizer, loss)
    return model


@pytest.mark.parametrize("batch", [1, 5])
def test_a_call_keeps_the_penalty_of_its_output(batch: int) -> None:
    layer = layers.Activation("linear", activity_regularizer="l2")
    for _ in range(2):  # the next call forgets the penalty of the last
        layer(np.full((batch, 5), 2.0))
        assert layer.losses == pytest.approx([0.01 * 4 * 5])


def test_losses_are_those_of_weights_and_of_the_output() -> None:
    layer = Dense(3, kernel_regularizer=regularizers.L1(0.5), activity_regularizer=regularizers.L1(0.1))
    y = layer(X)
    kernel, _ = layer.get_weights()
    assert layer.losses == pytest.approx([0.5 * np.abs(kernel).sum(), 0.1 * np.abs(y).sum() / 50], rel=1e-5)


def test_no_examples_have_no_penalty() -> None:
    for layer in (layers.ReLU(activity_regularizer="l2"), layers.Softmax(activity_regularizer="l2")):
        assert layer(np.ones((0, 5))).shape == (0, 5)
        assert layer.losses == [0]


def test_training_and_evaluation_add_the_penalty_to_the_loss() -> None:
    model = make(Dense(4, "relu", activity_regularizer=regularizers.L1L2(0.3, 0.2)), Dense(3))
    hidden = model.layers[0](X)
    error = np.square(model.predict(X, verbose=0) - Y).mean()
    expected = error + (0.3 * np.abs(hidden).sum() + 0.2 * np.square(hidden).sum()) / 50
    assert model.evaluate(X, Y, verbose=0) == pytest.approx(expected, rel=1e-5)
    assert model.evaluate(X, Y, batch_size=7, verbose=0) == pytest.approx(expected, rel=1e-5)
    assert model.train_on_batch(X, Y) == pytest.approx(expected, rel=1e-5)


def test_the_penalty_is_that_of_the_output_after_the_activation() -> None:
    """Also where the loss would compute the softmax itself, and with zeros that a Dense layer would skip."""
    target = np.eye(3)[np.arange(50) % 3]
    model = make(Dense(3, "softmax", activity_regularizer=regularizers.L2(2.0)), loss="categorical_crossentropy")
    p = model.predict(X, verbose=0)
    expected = -np.log((p * target).sum(axis=1)).mean() + 2 * np.square(p).sum() / 50
    assert model.evaluate(X, target, verbose=0) == pytest.approx(expected, rel=1e-5)
    assert model.train_on_batch(X, target) == pytest.approx(expected, rel=1e-5)
    x = X * (X > 0.5)
    model = make(Flatten(activity_regularizer=regularizers.L2(2.0)), Dense(3))
    expected = np.square(model.predict(x, verbose=0) - Y).mean() + 2 * np.square(x).sum() / 50
    for sparse in (True, False):
        assert model.evaluate(x, Y, verbose=0, sparse=sparse) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize(
    ("entries", "loss"),
    [
        ([Dense(4, "tanh", activity_regularizer="l2"), Dense(3)], "mse"),
        ([Dense(4, "relu"), Dense(3, activity_regularizer="l1")], "mse"),
        ([Dense(4, "tanh"), Dense(3, "softmax", activity_regularizer="l2")], "categorical_crossentropy"),
        ([Dense(4), layers.Activation("tanh", activity_regularizer="l2"), Dense(3)], "mse"),
        ([Dense(6), layers.Reshape((2, 3), activity_regularizer="l2"), Flatten(), Dense(3)], "mse"),
        ([Dense(4), layers.LayerNormalization(activity_regularizer="l2"), Dense(3)], "mse"),
        ([Flatten(activity_regularizer="l2"), Dense(3)], "mse"),
    ],
)
def test_gradients_agree_with_differences(entries: list[Any], loss: str) -> None:
    target = np.abs(Y) / np.abs(Y).sum(axis=1, keepdims=True) if loss != "mse" else Y
    table = make(*entries, loss=loss).check_gradients(X, target)
    assert table, str(table)


def test_a_step_follows_the_formula() -> None:
    """y = x W, loss = mean (y - t)^2 + l2 sum y^2 / B: dW = x^T (2 (y - t) / (3 B) + 2 l2 y / B)."""
    model = make(Dense(3, use_bias=False, activity_regularizer=regularizers.L2(0.25)))
    (kernel,) = model.get_weights()
    y = X @ kernel
    gradient = X.T @ (2 * (y - Y) / Y.size + 2 * 0.25 * y / 50)
    model.train_on_batch(X, Y)
    assert model.get_weights()[0] == pytest.approx(kernel - 0.01 * gradient, abs=1e-6)


def test_a_model_with_one_is_not_recorded_and_a_plain_one_is() -> None:
    for entry, recorded in ((Dense(3, activity_regularizer="l2"), False), (Dense(3), True)):
        model = make(Dense(4, "relu"), entry)
        assert can_record(model, trains=True, scores=True) == recorded
        assert can_record(model, trains=False, scores=True) == recorded
        model.fit(X, Y, verbose=0)


def test_one_that_is_set_later_counts() -> None:
    model = make(Dense(4, "relu"), Dense(3))
    before = model.evaluate(X, Y, verbose=0)
    model.layers[0].activity_regularizer = regularizers.L2(10.0)
    assert model.evaluate(X, Y, verbose=0) > before
    model.layers[0].activity_regularizer = None
    assert model.evaluate(X, Y, verbose=0) == before


def test_a_sparse_matrix_gives_the_same_as_a_dense_one() -> None:
    scipy = pytest.importorskip("scipy.sparse")
    x = X * (X > 0.5)
    found = []
    for rows in (x, scipy.csr_matrix(x)):
        model = make(Dense(4, "relu", activity_regularizer="l2"), Dense(3))
        model.fit(rows, Y, epochs=2, verbose=0)
        found.append(b"".join(w.tobytes() for w in model.get_weights()))
    assert found[0] == found[1]


def test_it_is_saved_and_loaded(tmp_path: Any) -> None:
    model = make(Dense(4, "relu", activity_regularizer=regularizers.L1L2(0.3, 0.2)), Flatten(), Dense(3))
    model.save(tmp_path / "m.safetensors")
    loaded = load_model(tmp_path / "m.safetensors")
    assert loaded.evaluate(X, Y, verbose=0) == model.evaluate(X, Y, verbose=0)
    assert "activity_regularizer" not in loaded.layers[1].get_config()


def test_a_layer_of_ones_own_takes_it_and_a_wrong_one_is_refused() -> None:
    class Same(layers.Layer):
        def call(self, x: np.ndarray) -> np.ndarray:
            return x

    layer = Same(activity_regularizer="l1")
    layer(np.ones((1,)))
    assert layer.losses == pytest.approx([0.01])
    with pytest.raises(ValueError, match="unknown activity_regularizer 'l3'"):
        Dense(3, activity_regularizer="l3")
