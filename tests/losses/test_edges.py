"""Losses at their edges: perfect predictions, probabilities of 0 and 1, great numbers, and what is not a number."""

import math
from typing import Any

import numpy as np
import pytest

from fastnet import Sequential, losses, metrics
from fastnet.callbacks import LambdaCallback
from fastnet.layers import Dense, Input
from fastnet.optimizers import SGD

GREATEST = float(np.float32(1 - 1e-7))  # Keras cuts off in float32


def fused(loss: losses.Loss, z: list[list[float]], t: list[list[float]]) -> tuple[float, np.ndarray, np.ndarray]:
    output = np.zeros((len(z), 16), np.float32)
    output[:, : len(z[0])] = z
    total, p, dy = loss.gradient(output, np.array(t, np.float32), True)
    return total[0], p[:, : len(z[0])], dy[:, : len(z[0])]


def test_binary_probabilities_are_cut_off_as_in_keras() -> None:
    loss = losses.BinaryCrossentropy()
    assert loss([[1]], [[0]]) == pytest.approx(-math.log(1e-7), rel=1e-6)
    assert loss([[0]], [[1]]) == pytest.approx(-math.log(1 - GREATEST), rel=1e-6)
    assert loss([[1], [0]], [[1], [0]]) == pytest.approx(1.19e-7, rel=1e-2)
    np.testing.assert_array_equal(loss.derivative(np.float32([[1, 0]]), np.float32([[0, 1]])), [[0, 0]])


def test_focal_losses_are_cut_off_alike() -> None:
    loss, t = losses.BinaryFocalCrossentropy(), np.float32([[1, 0]])
    np.testing.assert_array_equal(loss.derivative(t, t), [[0, 0]])
    np.testing.assert_allclose(loss.derivative(t, 1 - t), [[math.log(1e-7), -math.log(1 - GREATEST)]], rtol=1e-5)
    np.testing.assert_array_equal(losses.CategoricalFocalCrossentropy().derivative(t, t), [[0, 0]])
    np.testing.assert_array_equal(losses.CategoricalFocalCrossentropy().derivative(t, 1 - t), [[0, 0]])
    for gamma in (0, 0.5):  # x^(gamma - 1) is infinite at 0
        assert np.isfinite(losses.BinaryFocalCrossentropy(gamma=gamma).derivative(t, t)).all()


def test_the_fused_binary_loss_is_cut_off_alike_but_its_gradient_is_not() -> None:
    loss = losses.BinaryCrossentropy()
    total, p, dy = fused(loss, [[-200], [200], [200], [-200]], [[1], [0], [1], [0]])
    assert total == pytest.approx(-math.log(1e-7) - math.log(1 - GREATEST) + 2 * 1.19e-7, rel=1e-6)
    np.testing.assert_array_equal(p, [[0], [1], [1], [0]])
    np.testing.assert_array_equal(dy, [[-0.25], [0.25], [0], [0]])


def test_the_fused_binary_gradient_keeps_small_differences() -> None:
    # 1 - sigmoid(20) = 2.06e-9 is less than float32 can hold beside 1; sigmoid(-20) is not
    _, _, dy = fused(losses.BinaryCrossentropy(), [[-20]], [[0]])
    assert dy[0, 0] == pytest.approx(1 / (1 + math.exp(20)), rel=1e-5)


def test_binary_logits_are_not_cut_off() -> None:
    assert losses.BinaryCrossentropy(from_logits=True)([[1], [0]], [[-200], [200]]) == 200


LOGITS = {
    "class": lambda t, z: losses.CategoricalCrossentropy(from_logits=True)(t, z),
    "sparse": lambda t, z: losses.SparseCategoricalCrossentropy(from_logits=True)(np.argmax(t, axis=1), z),
    "function": lambda t, z: losses.categorical_crossentropy(t, z, from_logits=True).mean(),
    "sparse function": lambda t, z: losses.sparse_categorical_crossentropy(
        np.argmax(t, axis=1), z, from_logits=True
    ).mean(),
    "metric": lambda t, z: metrics.CategoricalCrossentropy(from_logits=True)(t, z),
    "sparse metric": lambda t, z: metrics.SparseCategoricalCrossentropy(from_logits=True)(np.argmax(t, axis=1), z),
}


@pytest.mark.parametrize("form", LOGITS)
def test_categorical_logits_are_not_cut_off(form: str) -> None:
    assert LOGITS[form]([[0, 1, 0]], [[100, -100, -100]]) == 200
    assert LOGITS[form]([[1, 0, 0]], [[100, -100, -100]]) == 0
    assert LOGITS[form]([[0, 1, 0], [0, 1, 0]], [[100, -100, -100], [0, 0, 0]]) == pytest.approx(100 + math.log(3) / 2)
    assert LOGITS[form]([[1, 0]], [[3e38, -3e38]]) == 0


@pytest.mark.parametrize(("sparse", "smoothing"), [(False, 0), (False, 0.5), (True, 0)])
def test_a_model_reports_the_loss_of_logits_unclipped(sparse: bool, smoothing: float) -> None:
    loss: Any = (
        losses.SparseCategoricalCrossentropy(True) if sparse else losses.CategoricalCrossentropy(True, smoothing)
    )
    x, y = np.float32([[100, -100, -100]]), np.array([1]) if sparse else np.float32([[0, 1, 0]])
    expected = 200 * (1 - smoothing) + 2 * 200 * smoothing / 3
    model = Sequential([Input((3,)), Dense(3, use_bias=False)])
    model.compile(SGD(0.0), loss, metrics=["accuracy"])
    model.set_weights([np.eye(3)])
    watched: list[float] = []
    watch = LambdaCallback(on_train_batch_end=lambda batch, logs: watched.append(logs["loss"]))
    history = model.fit(x, y, epochs=1, validation_data=(x, y), verbose=0, callbacks=watch).history
    values = [*history["loss"], *history["val_loss"], *watched, model.evaluate(x, y, verbose=0)[0]]
    values += [model.train_on_batch(x, y)[0], model.evaluate(x, y, sample_weight=[0.5], verbose=0)[0] * 2]
    assert values == [pytest.approx(expected, rel=1e-6)] * 6


def test_the_fused_softmax_keeps_the_clipped_value_in_a_model() -> None:
    model = Sequential([Input((3,)), Dense(3, use_bias=False, activation="softmax")])
    model.compile(SGD(0.0), "categorical_crossentropy")
    model.set_weights([np.eye(3)])
    x, y = np.float32([[100, -100, -100]]), np.float32([[0, 1, 0]])
    assert model.evaluate(x, y, verbose=0) == pytest.approx(-math.log(1e-7), rel=1e-6)
    assert model.fit(x, y, verbose=0).history["loss"] == [pytest.approx(-math.log(1e-7), rel=1e-6)]


def test_categorical_probabilities_are_cut_off() -> None:
    loss = losses.SparseCategoricalCrossentropy()
    assert loss([0], [[0, 1]]) == pytest.approx(-math.log(1e-7), rel=1e-6)
    assert loss([1], [[0, 1]]) == pytest.approx(1.19e-7, rel=1e-2)


@pytest.mark.parametrize(
    "loss",
    [
        losses.MeanSquaredError(), losses.MeanAbsoluteError(), losses.MeanAbsolutePercentageError(),
        losses.MeanSquaredLogarithmicError(), losses.Huber(), losses.LogCosh(), losses.KLDivergence(),
    ],
    ids=repr,
)  # fmt: skip
def test_a_perfect_prediction_costs_nothing_and_stays(loss: losses.Loss) -> None:
    t = np.float32([[0, 1], [0.5, 0.5]])
    assert loss(t, t) == pytest.approx(0, abs=1e-6)
    if not isinstance(loss, losses.KLDivergence):  # whose predictions have to add to 1 for that
        assert not loss.derivative(t, t).any()


def test_what_is_beyond_the_margin_costs_nothing() -> None:
    for loss in (losses.Hinge(), losses.SquaredHinge()):
        t, p = np.float32([[-1, 1]]), np.float32([[-1.5, 2]])
        assert loss(t, p) == 0
        assert not loss.derivative(t, p).any()
    t, p = np.float32([[1, 0]]), np.float32([[2, 0.5]])
    assert losses.CategoricalHinge()(t, p) == 0
    assert not losses.CategoricalHinge().derivative(t, p).any()


def test_the_categorical_hinge_pulls_no_class_down_that_is_below_zero() -> None:
    t, p = np.float32([[1, 0, 0]]), np.float32([[0.25, -1, -2]])
    assert losses.CategoricalHinge()(t, p) == 0.75
    np.testing.assert_array_equal(losses.CategoricalHinge().derivative(t, p), [[-1, 0, 0]])


def test_hinge_takes_zeros_for_minus_ones_only_where_all_targets_are_binary() -> None:
    p = [[0.5, -0.25]]
    assert losses.Hinge()([[0, 1]], p) == losses.Hinge()([[-1, 1]], p) == (1.5 + 1.25) / 2
    assert losses.Hinge()([[0, -1]], p) == (1 + 0.75) / 2


def test_great_errors_do_not_overflow() -> None:
    assert losses.LogCosh()([[0.0]], [[1000.0]]) == pytest.approx(1000 - math.log(2))
    assert losses.Huber()([[0.0]], [[1e20]]) == pytest.approx(1e20)
    np.testing.assert_allclose(losses.LogCosh().derivative(np.float32([[0]]), np.float32([[-1e30]])), [[-1]])


def test_a_row_of_zeros_has_no_direction() -> None:
    loss, t, p = losses.CosineSimilarity(), np.float32([[1, 2]]), np.zeros((1, 2), np.float32)
    assert loss(t, p) == loss(p, t) == 0
    assert not loss.derivative(t, p).any()


def test_percentage_of_zero_divides_by_a_small_number() -> None:
    loss = losses.MeanAbsolutePercentageError()
    assert loss([[0.0]], [[-1.0]]) == pytest.approx(1e9)
    np.testing.assert_allclose(loss.derivative(np.float32([[0]]), np.float32([[-1]])), [[-1e9]])


def test_what_is_below_zero_has_no_logarithmic_error_and_no_pull() -> None:
    loss = losses.MeanSquaredLogarithmicError()
    assert loss([[-3.0]], [[-5.0]]) == 0
    assert not loss.derivative(np.float32([[1]]), np.float32([[-5]])).any()


FUSED = ["BinaryCrossentropy", "CategoricalCrossentropy"]


@pytest.mark.parametrize(
    ("kind", "logits"), [*((kind, False) for kind in losses.classes()), *((kind, True) for kind in FUSED)]
)
def test_a_nan_shows_in_the_loss(kind: str, logits: bool) -> None:
    output = np.full((2, 16), np.nan, np.float32)
    targets = np.int32([[0], [1]]) if kind == "Circle" else np.eye(2, dtype=np.float32)
    total, _, _ = losses.for_training(kind).gradient(output, targets, logits)
    assert math.isnan(total[0])
