"""Generalized crossentropy: its formula, its derivative, and its ends at crossentropy and absolute error."""

import math

import numpy as np
import pytest

from fastnet import losses

P = np.random.default_rng(1).dirichlet(np.ones(4), 6)
LABELS = np.array([0, 1, 2, 3, 0, 2])
RIGHT = P[np.arange(6), LABELS]


@pytest.mark.parametrize("q", [0.1, 0.5, 0.9])
def test_value_and_derivative(q: float) -> None:
    loss = losses.CategoricalGeneralizedCrossEntropy(q)
    expected = (1 - RIGHT**q) / q
    np.testing.assert_allclose(loss.per_row(LABELS, P), expected, rtol=1e-5)
    np.testing.assert_allclose(losses.categorical_generalized_cross_entropy(LABELS, P, q), expected, rtol=1e-5)
    assert loss(LABELS[:, None], P) == pytest.approx(expected.mean(), rel=1e-5)
    slopes = loss.derivative(loss.check_targets("y", LABELS, 4), P)  # type: ignore[arg-type]
    step = 1e-6 * np.eye(4)[LABELS]
    numeric = ((1 - (P + step) ** q) - (1 - (P - step) ** q)) / (2e-6 * q)
    np.testing.assert_allclose(slopes, numeric, rtol=1e-5, atol=1e-8)


def test_it_lies_between_crossentropy_and_absolute_error() -> None:
    near_0, near_1 = (losses.categorical_generalized_cross_entropy([0], [[0.2, 0.8]], q)[0] for q in (1e-3, 1 - 1e-6))
    assert near_0 == pytest.approx(-math.log(0.2), rel=2e-3)
    assert near_1 == pytest.approx(0.8, rel=1e-4)


def test_its_derivative_stays_finite_where_the_prediction_is_0() -> None:
    loss = losses.CategoricalGeneralizedCrossEntropy()
    assert loss([0], [[0, 1]]) == 2
    slopes = loss.derivative(np.int32([[0]]), np.float32([[0, 1]]))
    np.testing.assert_allclose(slopes, [[-(1e-7**-0.5), 0]], rtol=1e-5)


@pytest.mark.parametrize("q", [0, 1, -1, float("nan")])
def test_q_is_between_0_and_1(q: float) -> None:
    with pytest.raises(ValueError, match="q must be"):
        losses.CategoricalGeneralizedCrossEntropy(q)


def test_its_advice_offers_no_logits() -> None:
    from fastnet.activations import get

    advice = losses.CategoricalGeneralizedCrossEntropy().advice(get("linear"), 3)
    assert advice is not None
    assert advice.endswith("use activation='softmax' there")
