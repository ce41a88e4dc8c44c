"""Each loss trains a small model: it falls, and to what can be reached; with a fused activation or without."""

from typing import Any

import numpy as np
import pytest

from fastnet import Sequential, losses
from fastnet.layers import Dense, Input
from fastnet.utils import set_random_seed

RNG = np.random.default_rng(0)
X = RNG.normal(size=(120, 5)).astype(np.float32)
HIDDEN = X @ RNG.normal(size=(5, 3))
LABELS = HIDDEN.argmax(axis=1)
ONE_HOT = np.eye(3)[LABELS]
SIGNS = np.where(HIDDEN > 0, 1.0, -1.0)
BINARY = (HIDDEN > 0).astype(float)


def history_of(loss: Any, activation: str | None, y: Any, units: int, metrics: Any = None) -> dict[str, list[float]]:
    model = Sequential([Input((5,)), Dense(16, activation="tanh"), Dense(units, activation=activation)])
    model.compile("rmsprop", loss, metrics)
    return model.fit(X, y, epochs=80, batch_size=20, verbose=0).history


# the share of its first value, above a least one, that the loss has to fall to
@pytest.mark.parametrize(
    ("loss", "activation", "y", "share", "least"),
    [
        ("categorical_crossentropy", "softmax", ONE_HOT, 0.5, 0),
        (losses.CategoricalCrossentropy(from_logits=True), None, ONE_HOT, 0.5, 0),
        (losses.CategoricalCrossentropy(label_smoothing=0.1), "softmax", ONE_HOT, 0.6, 0.2),
        ("sparse_categorical_crossentropy", "softmax", LABELS, 0.5, 0),
        (losses.SparseCategoricalCrossentropy(from_logits=True), None, LABELS[:, None], 0.5, 0),
        ("binary_crossentropy", "sigmoid", BINARY, 0.5, 0),
        ("binary_crossentropy", "sigmoid", BINARY[:, 0], 0.5, 0),
        (losses.BinaryCrossentropy(from_logits=True), None, BINARY, 0.5, 0),
        (losses.BinaryCrossentropy(label_smoothing=0.1), "sigmoid", BINARY, 0.6, 0.2),
        ("mse", None, HIDDEN, 0.5, 0),
        ("mse", None, HIDDEN[:, 0], 0.5, 0),
        ("mae", None, HIDDEN, 0.7, 0),
        ("mape", None, np.abs(HIDDEN) + 1, 0.7, 0),
        ("msle", None, np.abs(HIDDEN), 0.5, 0),
        ("huber", None, HIDDEN, 0.6, 0),
        ("log_cosh", None, HIDDEN, 0.6, 0),
        ("kld", "softmax", ONE_HOT, 0.5, 0),
        ("poisson", "softmax", ONE_HOT, 0.7, 1 / 3),
        ("hinge", None, SIGNS, 0.5, 0),
        ("hinge", "tanh", BINARY, 0.5, 0),
        ("squared_hinge", "tanh", SIGNS, 0.5, 0),
        ("categorical_hinge", None, ONE_HOT, 0.5, 0),
        ("cosine_similarity", None, HIDDEN, 0.6, -1),
    ],
    ids=lambda value: "" if isinstance(value, np.ndarray) else str(value),
)
def test_it_falls(loss: Any, activation: str | None, y: Any, share: float, least: float) -> None:
    units = 1 if np.ndim(y) == 1 and np.asarray(y).dtype.kind == "f" else 3
    values = history_of(loss, activation, y, units)["loss"]
    assert values[-1] - least < share * (values[0] - least)


def test_labels_and_one_hot_rows_train_to_the_same_bits() -> None:
    runs = []
    for loss, y in (("categorical_crossentropy", ONE_HOT), ("sparse_categorical_crossentropy", LABELS)):
        set_random_seed(3)
        runs.append(history_of(loss, "softmax", y, 3, ["accuracy"]))
    assert runs[0] == runs[1]


@pytest.mark.parametrize(
    ("fused", "from_logits", "activation", "y"),
    [
        ("binary_crossentropy", losses.BinaryCrossentropy(from_logits=True), "sigmoid", BINARY),
        ("sparse_categorical_crossentropy", losses.SparseCategoricalCrossentropy(True), "softmax", LABELS),
    ],
)
def test_the_activation_in_the_model_or_in_the_loss_is_the_same_training(
    fused: str, from_logits: Any, activation: str, y: Any
) -> None:
    weights = []
    for loss, last in ((fused, activation), (from_logits, None)):
        model = Sequential([Input((5,)), Dense(3, activation=last, kernel_initializer="zeros")])
        model.compile("sgd", loss)
        model.fit(X, y, epochs=3, batch_size=20, verbose=0, shuffle=False)
        weights.append(model.get_weights())
    for a, b in zip(*weights, strict=True):
        np.testing.assert_array_equal(a, b)


def test_what_is_reported_does_not_depend_on_the_batch() -> None:
    model = Sequential([Input((5,)), Dense(3, activation="sigmoid")])
    model.compile("sgd", "binary_crossentropy")
    p = model.predict(X, verbose=0)
    expected = losses.BinaryCrossentropy()(BINARY, p)
    assert model.evaluate(X, BINARY, verbose=0) == pytest.approx(expected, rel=1e-6)
    weights = np.arange(len(X)) / 60
    assert model.evaluate(X, BINARY, sample_weight=weights, verbose=0) == pytest.approx(
        losses.BinaryCrossentropy()(BINARY, p, weights), rel=1e-6
    )
