"""Regularizers and constraints: penalties, gradients, and what they do in a training."""

import json
from typing import Any

import numpy as np
import pytest

from fastnet import Sequential, activations, constraints, initializers, regularizers
from fastnet.layers import Dense, Input
from fastnet.optimizers import SGD

W = np.random.default_rng(0).standard_normal((5, 3)).astype(np.float32)


@pytest.mark.parametrize(
    ("regularizer", "l1", "l2"),
    [
        (regularizers.l1(0.1), 0.1, 0),
        (regularizers.l2(0.2), 0, 0.2),
        (regularizers.l1_l2(0.1, 0.2), 0.1, 0.2),
        (regularizers.get("l1"), 0.01, 0),
        (regularizers.get("l2"), 0, 0.01),
        (regularizers.get("l1_l2"), 0, 0),
        (regularizers.l1_l2(), 0, 0),
    ],
)
def test_penalty_and_gradient(regularizer: Any, l1: float, l2: float) -> None:
    w = W.astype(np.float64)
    assert regularizer(W) == pytest.approx(l1 * np.abs(w).sum() + l2 * (w**2).sum(), rel=1e-6)
    np.testing.assert_allclose(regularizer.gradient(W), l1 * np.sign(w) + 2 * l2 * w, rtol=1e-6)
    again = regularizers.get(regularizers.serialize(regularizer))
    assert again(W) == regularizer(W)


@pytest.mark.parametrize("optimizer", ["sgd", "rmsprop", "adam"])
def test_loss_and_step_contain_the_penalty(optimizer: str) -> None:
    x, y = W[:, :2], W[:, 2:]
    model = Sequential([Input((2,)), Dense(1, kernel_regularizer=regularizers.l2(0.3), bias_regularizer="l1")])
    plain = Sequential([Input((2,)), Dense(1)])
    plain.set_weights(model.get_weights())
    for m in (model, plain):
        m.compile(SGD(0.1) if optimizer == "sgd" else optimizer, "mse")
    kernel, bias = model.get_weights()
    penalty = 0.3 * float((kernel.astype(float) ** 2).sum()) + 0.01 * float(np.abs(bias).sum())
    assert model.evaluate(x, y, verbose=0) == pytest.approx(plain.evaluate(x, y, verbose=0) + penalty, rel=1e-5)
    assert model.train_on_batch(x, y) == pytest.approx(plain.train_on_batch(x, y) + penalty, rel=1e-5)
    if optimizer == "sgd":
        step = plain.get_weights()[0] - model.get_weights()[0]
        np.testing.assert_allclose(step, 0.1 * 2 * 0.3 * kernel, rtol=1e-4, atol=1e-6)


def test_constraints_are_what_they_say() -> None:
    norms = np.linalg.norm(W, axis=0)
    np.testing.assert_allclose(np.linalg.norm(constraints.MaxNorm(1.0)(W), axis=0), np.minimum(norms, 1), rtol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(constraints.UnitNorm()(W), axis=0), 1, rtol=1e-5)
    np.testing.assert_array_equal(constraints.NonNeg()(W), np.maximum(W, 0))


@pytest.mark.parametrize("constraint", ["non_neg", "unit_norm", constraints.max_norm(0.5)])
def test_a_constraint_holds_after_each_step(constraint: Any) -> None:
    model = Sequential([Input((2,)), Dense(3, kernel_constraint=constraint), Dense(1)])
    model.compile("rmsprop", "mse")
    for _ in range(3):
        model.train_on_batch(W[:, :2], W[:, 2:])
        kernel = model.get_weights()[0]
        np.testing.assert_allclose(model.layers[0].kernel.constraint(kernel), kernel, atol=1e-5)


@pytest.mark.parametrize("module", [regularizers, constraints])
def test_unknown_names(module: Any) -> None:
    assert module.get(None) is None
    with pytest.raises(ValueError, match=r"unknown .* 'l22'"):
        module.get("l22")
    with pytest.raises(TypeError):
        module.get(3)


@pytest.mark.parametrize("mode", ["rows", "columns"])
def test_the_orthogonal_penalty_is_the_mean_cosine(mode: str) -> None:
    regularizer = regularizers.OrthogonalRegularizer(0.3, mode)

    def penalty(w: Any) -> float:
        rows = w if mode == "rows" else w.T
        pairs = [(a, b) for i, a in enumerate(rows) for b in rows[:i]]
        return 0.3 * float(np.mean([abs(a @ b) / np.sqrt((a @ a) * (b @ b)) for a, b in pairs]))

    w = W.astype(np.float64)
    assert regularizer(W) == pytest.approx(penalty(w), rel=1e-6)
    numeric = np.zeros_like(w)
    for at in np.ndindex(w.shape):
        around = []
        for sign in (1, -1):
            moved = w.copy()
            moved[at] += sign * 1e-6
            around.append(penalty(moved))
        numeric[at] = (around[0] - around[1]) / 2e-6
    np.testing.assert_allclose(regularizer.gradient(W), numeric, rtol=1e-4, atol=1e-7)
    assert regularizer(np.eye(3, dtype=np.float32)) == 0
    assert regularizer(np.ones((1, 1), np.float32)) == 0
    with pytest.raises(ValueError, match="takes a matrix"):
        regularizer(np.ones(3, np.float32))


def test_min_max_norm_moves_the_lengths_into_the_range() -> None:
    norms = np.linalg.norm(W, axis=0)
    low, high = np.sort(norms)[0] + 0.1, np.sort(norms)[-1] - 0.1
    for rate in (1.0, 0.25):
        found = constraints.MinMaxNorm(low, high, rate)(W)
        expected = rate * np.clip(norms, low, high) + (1 - rate) * norms
        np.testing.assert_allclose(np.linalg.norm(found, axis=0), expected, rtol=1e-5)
        np.testing.assert_allclose(found / np.linalg.norm(found, axis=0), W / norms, rtol=1e-5)
    np.testing.assert_array_equal(constraints.Constraint()(W), W)


class Mine(constraints.Constraint):
    """A user's own constraint."""


@pytest.mark.parametrize(
    ("module", "thing"),
    [
        (regularizers, regularizers.OrthogonalRegularizer(0.5, "columns")),
        (regularizers, regularizers.L1L2(0.25, 0.5)),
        (constraints, constraints.MinMaxNorm(0.25, 2.0, 0.5, 1)),
        (constraints, constraints.UnitNorm(1)),
        (initializers, initializers.Constant([1.0, 2.0])),
        (activations, activations.Celu(0.5)),
    ],
)
def test_descriptions_come_back(module: Any, thing: Any) -> None:
    config = json.loads(json.dumps(module.serialize(thing)))
    for made in (module.get(config), module.deserialize(config)):
        assert (type(made), made.get_config()) == (type(thing), thing.get_config())


def test_names_classes_and_own_classes() -> None:
    assert isinstance(regularizers.get("l1l2"), regularizers.L1L2)
    assert isinstance(regularizers.get(regularizers.L2), regularizers.L2)
    assert isinstance(constraints.get(constraints.NonNeg), constraints.NonNeg)
    assert isinstance(constraints.get("min_max_norm"), constraints.MinMaxNorm)
    assert isinstance(constraints.deserialize("Mine", {"Mine": Mine}), Mine)
    assert isinstance(constraints.deserialize({"class_name": "Mine", "config": {}}, {"Mine": Mine}), Mine)
    with pytest.raises(ValueError, match="unknown constraint 'Mine'"):
        constraints.deserialize("Mine")
    assert initializers.get(None) is None
    with pytest.raises(TypeError, match="kernel_initializer"):
        Dense(3, kernel_initializer=None)
