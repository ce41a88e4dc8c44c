"""What the report's tests share: some trained models with their data, and the playground's browser."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pytest
from playground.conftest import Browser, _driver, browser  # noqa: F401, fixtures

from fastnet import Sequential, datasets, layers
from fastnet.utils import set_random_seed, to_categorical


class Case(NamedTuple):
    """A trained model with what belongs to it."""

    model: Sequential
    history: Any
    x: Any
    y: Any


@pytest.fixture(scope="session")
def digits() -> Case:
    """A network that reads digits, not too well, and two hundred that it has not seen, with their labels."""
    (x, y), (x_test, y_test) = datasets.synthetic.load_data()
    set_random_seed(3)
    model = Sequential(
        [
            layers.Input((28, 28)),
            layers.Flatten(),
            layers.Rescaling(1 / 255),
            layers.Dense(64, activation="relu"),
            layers.Dense(10, activation="softmax"),
        ]
    )
    model.compile("rmsprop", "categorical_crossentropy", ["accuracy"])
    targets = to_categorical(y[:800], 10)
    history = model.fit(x[:800], targets, epochs=3, batch_size=64, verbose=0, validation_split=0.2)
    return Case(model, history, x_test[:200], y_test[:200])


@pytest.fixture(scope="session")
def regression() -> Case:
    """Two quantities of four numbers."""
    x = np.random.default_rng(5).normal(size=(300, 4))
    y = np.stack([x[:, 0] - x[:, 1], 10 * x[:, 2] ** 2], axis=1)
    model = Sequential([layers.Dense(16, "tanh"), layers.Dense(2)]).compile("adam", "mse", ["mae"])
    history = model.fit(x[:200], y[:200], epochs=5, verbose=0)
    return Case(model, history, x[200:], y[200:])
