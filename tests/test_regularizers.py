"""Regularizers and constraints: penalties, gradients, and what they do in a training."""

from typing import Any

import numpy as np
import pytest

from fastnet import Sequential, constraints, regularizers
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
        (regularizers.get("l1_l2"), 0.01, 0.01),
    ],
)
def test_penalty_and_gradient(regularizer: Any, l1: float, l2: float) -> None:
    if regularizer.__class__ is regularizers.L1L2 and regularizer.l1 == 0:
        l1 = l2 = 0
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
