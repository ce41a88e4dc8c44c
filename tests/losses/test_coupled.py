"""Losses whose rows depend on each other: values by the formulas, gradients by central differences of the batch's."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from fastnet import Sequential, losses
from fastnet.layers import Dense, Input
from fastnet.losses import Loss
from fastnet.optimizers import SGD

RNG = np.random.default_rng(5)
N, C = 8, 3
T, P = (RNG.random((N, C)) > 0.5).astype(float), RNG.uniform(0.1, 0.9, (N, C))
LABELS = np.array([0, 0, 1, 1, 1, 2, 2, 7])  # the last row is alone in its class
UNIT = RNG.normal(size=(N, C))
UNIT /= np.linalg.norm(UNIT, axis=1, keepdims=True)


def dice(t: Any, p: Any) -> float:
    return 1 - 2 * (t * p).sum() / (t.sum() + p.sum())


def tversky(alpha: float, beta: float) -> Callable[[Any, Any], float]:
    def formula(t: Any, p: Any) -> float:
        both = (t * p).sum()
        return 1 - both / (both + alpha * (t * (1 - p)).sum() + beta * ((1 - t) * p).sum())

    return formula


def circle(gamma: float, margin: float, itself: bool = False) -> Callable[..., Any]:
    """The loss of each row, term by term."""

    def formula(labels: Any, p: Any, others: Any = None, q: Any = None) -> Any:
        others, q = (labels, p) if q is None else (others, q)
        rows = []
        for i in range(len(p)):
            near = far = 0.0
            for j in range(len(q)):
                d = max(1 - p[i] @ q[j], 0)
                if labels[i] != others[j]:
                    far += math.exp(gamma * max(1 + margin - d, 0) * (1 - margin - d))
                elif i != j or itself:
                    near += math.exp(gamma * max(margin + d, 0) * (d - margin))
            rows.append(math.log1p(near * far))
        return np.array(rows)

    return formula


def mean_of_rows(formula: Callable[..., Any]) -> Callable[[Any, Any, Any], float]:
    """The mean over the rows with a loss."""

    def mean(t: Any, p: Any, w: Any) -> float:
        rows = formula(t, p)
        return (rows * w).sum() / (rows > 0).sum()

    return mean


def of_batch(formula: Callable[..., float]) -> Callable[[Any, Any, Any], float]:
    return lambda t, p, w: formula(t, p) * w.mean()


def of_each(formula: Callable[..., float]) -> Callable[[Any, Any, Any], float]:
    return lambda t, p, w: (np.array([formula(a, b) for a, b in zip(t, p, strict=True)]) * w).mean()


CASES = {
    "dice": (losses.Dice(), of_batch(dice), T, P),
    "dice, all axes": (losses.Dice(axis=(0, 1)), of_batch(dice), T, P),
    "dice of each row": (losses.Dice(axis=-1), of_each(dice), T, P),
    "tversky": (losses.Tversky(0.2, 0.7), of_batch(tversky(0.2, 0.7)), T, P),
    "tversky of each row": (losses.Tversky(0.2, 0.7, axis=(1,)), of_each(tversky(0.2, 0.7)), T, P),
    "circle": (losses.Circle(2, 0.25), mean_of_rows(circle(2, 0.25)), LABELS, UNIT),
    "circle with itself": (
        losses.Circle(3, 0.4, False), mean_of_rows(circle(3, 0.4, True)), LABELS, UNIT
    ),
    "circle, long rows": (losses.Circle(0.5, 0.25), mean_of_rows(circle(0.5, 0.25)), LABELS, 1.5 * UNIT),
    "circle, negative margin": (losses.Circle(2, -0.6), mean_of_rows(circle(2, -0.6)), LABELS, UNIT),
}  # fmt: skip
EACH = pytest.mark.parametrize(("loss", "mean", "t", "p"), CASES.values(), ids=CASES)


@EACH
@pytest.mark.parametrize("weighted", [False, True])
def test_value_and_gradient_of_a_padded_batch(
    loss: Loss, mean: Callable[[Any, Any, Any], float], t: Any, p: Any, weighted: bool
) -> None:
    w = np.arange(1.0, N + 1) / 4 if weighted else np.ones(N)
    output = np.full((N, 16), 7, np.float32)
    output[:, :C] = p
    weights = w.astype(np.float32) if weighted else None
    total, predictions, dy = loss.gradient(output, loss.check_targets("y", t, C), False, weights, C)
    assert total[0] / total[1] == pytest.approx(mean(t, p, w), rel=1e-5)
    assert total[1] == N
    assert predictions is output
    numeric, h = np.zeros_like(p), 1e-6
    for i in range(N):
        for c in range(C):
            above, below = p.copy(), p.copy()
            above[i, c] += h
            below[i, c] -= h
            numeric[i, c] = (mean(t, above, w) - mean(t, below, w)) / (2 * h)
    np.testing.assert_allclose(dy[:, :C], numeric, rtol=1e-3, atol=1e-6)
    assert not dy[:, C:].any()


@EACH
def test_by_hand_it_is_the_same(loss: Loss, mean: Callable[[Any, Any, Any], float], t: Any, p: Any) -> None:
    assert loss(t, p) == pytest.approx(mean(t, p, np.ones(N)), rel=1e-5)
    assert loss(t, p, np.ones(N)) == pytest.approx(mean(t, p, np.ones(N)), rel=1e-5)
    w = np.arange(1.0, N + 1) / 4
    assert loss(t, p, w) == pytest.approx(mean(t, p, w), rel=1e-5)


@EACH
def test_a_model_trains_with_it(loss: Loss, mean: Callable[..., float], t: Any, p: Any) -> None:
    model = Sequential([Input((5,)), Dense(8, "tanh"), Dense(C, None if loss.of_labels else "sigmoid")])
    model.compile("rmsprop", loss)
    x = RNG.normal(size=(N, 5))
    history = model.fit(x, t, epochs=60, batch_size=N, verbose=0).history["loss"]
    assert history[-1] < 0.95 * history[0]
    assert model.check_gradients(x, t)


def test_an_epoch_reports_the_mean_of_its_batches() -> None:
    model = Sequential([Input((C,)), Dense(C, use_bias=False)])
    model.compile(SGD(0.0), losses.Dice())
    model.set_weights([np.eye(C)])
    expected = (6 * dice(T[:6], P[:6]) + 2 * dice(T[6:], P[6:])) / 8
    history = model.fit(P, T, batch_size=6, verbose=0, shuffle=False).history
    assert history["loss"] == [pytest.approx(expected, rel=1e-5)]
    assert model.evaluate(P, T, verbose=0) == pytest.approx(dice(T, P), rel=1e-5)


def test_a_subclass_trains_with_its_own_derivative() -> None:
    class Twice(losses.Dice):
        def call(self, y_true: Any, y_pred: Any) -> Any:
            return 2 * super().call(y_true, y_pred)

        def derivative(self, y_true: Any, y_pred: Any) -> Any:
            return 2 * super().derivative(y_true, y_pred)

    output, t = np.float32(P), np.float32(T)
    total, _, dy = losses.Dice().gradient(output, t, False)
    twice, _, double = Twice().gradient(output, t, False)
    assert twice[0] == pytest.approx(2 * total[0], rel=1e-6)
    np.testing.assert_allclose(double, 2 * dy, rtol=1e-6)


# By hand --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("axis", [None, -1, 0, (1, 2), (0, 1, 2), [0, 2]])
def test_overlap_sums_over_the_axes(axis: Any) -> None:
    t, p = T.reshape(2, 4, C), P.reshape(2, 4, C)
    axes = tuple(axis) if isinstance(axis, list) else axis
    both, missed, added = ((x).sum(axis=axes) for x in (t * p, t * (1 - p), (1 - t) * p))
    expected = 1 - 2 * both / (t.sum(axis=axes) + p.sum(axis=axes))
    np.testing.assert_allclose(losses.dice(t, p, axis), expected, rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(losses.Dice(axis=axis, reduction=None)(t, p), expected, rtol=1e-5, atol=1e-7)
    assert losses.Dice(axis=axis)(t, p) == pytest.approx(expected.mean(), rel=1e-5)
    expected = 1 - both / (both + 0.3 * missed + 0.6 * added)
    np.testing.assert_allclose(losses.tversky(t, p, 0.3, 0.6, axis), expected, rtol=1e-5, atol=1e-7)


def test_dice_is_tversky_of_two_halves_and_zero_for_a_perfect_prediction() -> None:
    assert losses.Dice()(T, P) == pytest.approx(losses.Tversky()(T, P), rel=1e-6)
    assert losses.Dice()(T, T) == pytest.approx(0, abs=1e-6)
    assert losses.Tversky(3, 4)(T, T) == pytest.approx(0, abs=1e-6)
    assert losses.Dice()(0 * T, 0 * P) == 1


@pytest.mark.parametrize(("t", "p"), [(T[:, :2], P), (T[0], P), (T[:0], P[:0])])
def test_overlap_needs_arrays_of_one_shape(t: Any, p: Any) -> None:
    with pytest.raises(ValueError, match="has shape"):
        losses.Dice()(t, p)


def test_circle_compares_with_other_embeddings() -> None:
    others, q = LABELS[[0, 2, 5]], UNIT[[1, 4, 6]]
    for itself in (False, True):
        found = losses.circle(LABELS, UNIT, others, q, remove_diagonal=not itself, gamma=2, margin=0.25)
        np.testing.assert_allclose(found, circle(2, 0.25, itself)(LABELS, UNIT, others, q), rtol=1e-5)
    np.testing.assert_allclose(losses.circle(LABELS, UNIT, gamma=2), circle(2, 0.4)(LABELS, UNIT), rtol=1e-5)


def test_circle_reductions_leave_out_rows_without_a_loss() -> None:
    rows, w = circle(2, 0.4)(LABELS, UNIT), RNG.random(N)
    assert rows[-1] == 0
    np.testing.assert_allclose(losses.Circle(2, reduction=None)(LABELS, UNIT), rows, rtol=1e-5)
    assert losses.Circle(2, reduction="sum")(LABELS, UNIT) == pytest.approx(rows.sum(), rel=1e-5)
    by_weight = losses.Circle(2, reduction="mean_with_sample_weight")(LABELS, UNIT, w)
    assert by_weight == pytest.approx((rows * w).sum() / w[:-1].sum(), rel=1e-5)
    assert losses.Circle()([1, 2, 3], UNIT[:3]) == 0


def test_circle_takes_any_whole_numbers_as_labels() -> None:
    expected = losses.Circle()(LABELS, UNIT)
    assert losses.Circle()(LABELS[:, None] * -3.0, UNIT) == expected
    for labels, message in ((LABELS + 0.5, "label 0.5 at index 0"), (T, "expects labels"), (LABELS * 1e10, "int32")):
        with pytest.raises(ValueError, match=message):
            losses.Circle()(labels, UNIT)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: losses.Circle(gamma=0), "gamma must be greater than 0"),
        (lambda: losses.Tversky(alpha=-1), "alpha must be"),
        (lambda: losses.Tversky(beta=-1), "beta must be"),
        (lambda: losses.circle(LABELS, UNIT, LABELS, UNIT[:, :2]), "rows of the same length"),
        (lambda: losses.circle(LABELS, UNIT, LABELS[:2]), "ref_labels and ref_embeddings"),
        (lambda: losses.Circle()(LABELS.reshape(2, 4), UNIT.reshape(2, 4, C)), r"expects embeddings, \(n, C\)"),
    ],
)
def test_bad_arguments(make: Callable[[], Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()
