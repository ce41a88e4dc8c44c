"""RMSprop: its arguments, its variants in a training, and how it prints itself."""

from typing import Any

import numpy as np
import pytest

from fastnet import Sequential, optimizers, reference
from fastnet.layers import Dense, Input
from fastnet.optimizers import Optimizer, RMSprop


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ({"learning_rate": -1}, ValueError),
        ({"learning_rate": float("nan")}, ValueError),
        ({"learning_rate": float("inf")}, ValueError),
        ({"learning_rate": "0.1"}, TypeError),
        ({"rho": 1.0}, ValueError),
        ({"rho": -0.1}, ValueError),
        ({"momentum": 1.0}, ValueError),
        ({"epsilon": 0}, ValueError),
        ({"epsilon": -1e-7}, ValueError),
    ],
)
def test_bad_arguments_are_named(arguments: dict[str, Any], error: type[Exception]) -> None:
    with pytest.raises(error, match=next(iter(arguments))):
        RMSprop(**arguments)


def test_defaults_are_those_of_keras() -> None:
    optimizer = optimizers.get("rmsprop")
    assert isinstance(optimizer, RMSprop)
    assert [optimizer.learning_rate, optimizer.rho, optimizer.momentum, optimizer.epsilon, optimizer.centered] == [
        0.001,
        0.9,
        0.0,
        1e-7,
        False,
    ]


@pytest.mark.parametrize(
    "text",
    ["RMSprop(learning_rate=0.001)", "RMSprop(learning_rate=0.1, rho=0.5, momentum=0.9, epsilon=0.001, centered=True)"],
)
def test_it_prints_as_it_is_typed(text: str) -> None:
    assert repr(eval(text)) == text


@pytest.mark.parametrize("variant", [{}, {"centered": True}, {"momentum": 0.7}, {"centered": True, "momentum": 0.7}])
def test_a_training_follows_the_formulas_in_float64(variant: dict[str, Any]) -> None:
    rng = np.random.default_rng(0)
    x, t = rng.standard_normal((32, 5)), np.eye(3)[rng.integers(0, 3, 32)]
    model = Sequential([Input((5,)), Dense(3, activation="softmax")])
    w, b = (a.astype(np.float64) for a in model.get_weights())
    states = [[np.zeros_like(a) for _ in range(3)] for a in (w, b)]
    model.compile(RMSprop(learning_rate=0.01, **variant), "categorical_crossentropy")
    for _ in range(5):
        model.train_on_batch(x, t)
        p = np.exp(x @ w + b)
        dz = (p / p.sum(axis=1, keepdims=True) - t) / 32
        for a, g, (v, mean, velocity) in zip((w, b), (x.T @ dz, dz.sum(axis=0)), states, strict=True):
            reference.rmsprop(
                a,
                g,
                v,
                mean if "centered" in variant else None,
                velocity if "momentum" in variant else None,
                0.01,
                0.9,
                variant.get("momentum", 0.0),
                1e-7,
            )
    for found, expected in zip(model.get_weights(), (w, b), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


def test_an_optimizer_of_the_users_own_needs_one_method() -> None:
    class SignDescent(Optimizer):
        def update_step(self, gradient: np.ndarray, variable: Any, learning_rate: float) -> None:
            variable.packed -= learning_rate * np.sign(gradient)

    model = Sequential([Input((2,)), Dense(2, activation="softmax")])
    before = model.get_weights()
    model.compile(SignDescent(0.5), "categorical_crossentropy")
    model.train_on_batch(np.ones((4, 2)), np.eye(2)[[0, 0, 0, 0]])
    for new, old in zip(model.get_weights(), before, strict=True):
        np.testing.assert_allclose(new - old, np.broadcast_to([0.5, -0.5], old.shape), atol=1e-6)


def test_the_learning_rate_can_be_changed_and_is_checked() -> None:
    optimizer = RMSprop()
    optimizer.learning_rate = 0.5
    with pytest.raises(ValueError, match="learning_rate"):
        optimizer.learning_rate = -1
    assert optimizer.learning_rate == 0.5
