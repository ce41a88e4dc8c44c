"""Losses called by hand, as in Keras: arrays of other ranks, weights of other shapes, reductions, an axis."""

import math
from typing import Any

import numpy as np
import pytest

from fastnet import Sequential, losses, metrics
from fastnet.layers import Dense, Input
from fastnet.losses import Loss

RNG = np.random.default_rng(7)
T, P = RNG.random((2, 3, 4)), RNG.uniform(0.1, 0.9, (2, 3, 4))
T /= T.sum(axis=-1, keepdims=True)
LABELS = RNG.integers(0, 4, (2, 3))
OF_ROWS = [kind for name, kind in losses.classes().items() if name not in ("Circle", "Dice", "Tversky")]


def targets_of(kind: type[Loss]) -> Any:
    return LABELS if kind.of_labels else T


@pytest.mark.parametrize("kind", OF_ROWS)
def test_rows_may_lie_along_several_axes_or_none(kind: type[Loss]) -> None:
    t = targets_of(kind)
    rows = kind(reduction=None)(t, P)
    assert rows.shape == (2, 3)
    for i in range(2):
        np.testing.assert_array_equal(rows[i], kind(reduction=None)(t[i], P[i]))
        for j in range(3):
            assert kind()(t[i, j], P[i, j]) == rows[i, j]
    assert kind()(t, P) == pytest.approx(rows.mean(), rel=1e-6)
    assert kind(reduction="sum")(t, P) == pytest.approx(rows.sum(), rel=1e-6)


def test_an_array_is_one_row() -> None:
    assert losses.MeanSquaredError()([1.0, 2.0], [0.0, 0.0]) == 2.5
    assert losses.mean_squared_error([1.0, 2.0], [0.0, 0.0]).shape == ()
    assert losses.SparseCategoricalCrossentropy()(1, [0.5, 0.5]) == pytest.approx(math.log(2))


def test_a_last_axis_of_one_may_be_missing_on_either_side() -> None:
    for t, p in (([1, 2], [[0], [4]]), ([[1], [2]], [0, 4]), ([[1], [2]], [[0], [4]])):
        np.testing.assert_array_equal(losses.mean_squared_error(t, p), [1, 4])
    for t, p in ((T, P[..., None]), (T[..., None], P)):
        np.testing.assert_array_equal(losses.mean_absolute_error(t, p), losses.mean_absolute_error(T, P))


@pytest.mark.parametrize(
    ("t", "p"), [(T[:1], P), (T[..., :2], P), (T[0, 0], P[0, 0, :3]), (3, P[0, 0]), (1, 2), (np.ones((2, 3, 4, 2)), P)]
)
def test_other_shapes_are_refused(t: Any, p: Any) -> None:
    with pytest.raises(ValueError, match=r"y_(true|pred) has shape"):
        losses.MeanSquaredError()(t, p)


@pytest.mark.parametrize("labels", [LABELS[0], LABELS[:, :2], LABELS[..., None, None], [[0, 1, 2], [0, 1, 4]]])
def test_labels_that_do_not_fit_are_refused(labels: Any) -> None:
    with pytest.raises(ValueError, match="y_true"):
        losses.SparseCategoricalCrossentropy()(labels, P)


# Weights and reductions -----------------------------------------------------------------------------------------------

ROWS = np.square(T - P).mean(axis=-1)


@pytest.mark.parametrize(
    "weights",
    [
        2.5,
        0,
        np.float32(3),
        RNG.random((2, 3)),
        RNG.random((2, 3, 1)),
        RNG.random((1, 3)),
        RNG.random((2, 1)),
        [1, 2, 3],
    ],
)
def test_weights_multiply_the_losses_of_the_rows(weights: Any) -> None:
    w = np.asarray(weights)
    expected = ROWS * (w[..., 0] if w.ndim == 3 else w)
    assert losses.MeanSquaredError()(T, P, sample_weight=weights) == pytest.approx(expected.mean(), rel=1e-5)
    assert losses.MeanSquaredError(reduction="sum")(T, P, weights) == pytest.approx(expected.sum(), rel=1e-5)
    np.testing.assert_allclose(losses.MeanSquaredError(reduction="none")(T, P, weights), expected, rtol=1e-5)
    by_weight = losses.MeanSquaredError(reduction="mean_with_sample_weight")(T, P, weights)
    assert by_weight == pytest.approx(expected.sum() / w.sum() if w.sum() else 0, rel=1e-5)


def test_without_weights_the_mean_by_weights_is_the_mean() -> None:
    assert losses.MeanSquaredError(reduction="mean_with_sample_weight")(T, P) == losses.MeanSquaredError()(T, P)


def test_a_single_loss_is_only_multiplied() -> None:
    for reduction in (losses.reduction.MEAN, "mean", "sum", "mean_with_sample_weight", None):
        assert losses.MeanSquaredError(reduction=reduction)([1, 2], [0, 0], 3) == 7.5
    assert losses.MeanSquaredError()([1, 2], [0, 0], [1, 3]) == 5


def test_a_column_of_weights_makes_a_column_of_losses() -> None:
    loss = losses.MeanSquaredError(reduction=None)
    np.testing.assert_array_equal(loss([[1], [2]], [[0], [0]], [[2], [3]]), [[2], [12]])
    np.testing.assert_array_equal(loss([[1], [2]], [[0], [0]], [2, 3]), [2, 12])


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ([1, 2], r"sample_weight has shape \(2,\); expected one number, or one for each loss, \(2, 3\)"),
        (np.ones((2, 3, 4)), r"sample_weight has shape \(2, 3, 4\)"),
        (np.ones((4, 2, 3)), r"sample_weight has shape \(4, 2, 3\)"),
        (-1.0, "sample_weight holds -1.0 at .*no negative"),
        ([[1, 1, 1], [1, -2, 1]], "sample_weight holds -2.0 at row 1, column 1"),
        (np.nan, "sample_weight holds nan"),
    ],
)
def test_weights_that_do_not_fit_are_refused(weights: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        losses.MeanSquaredError()(T, P, weights)


# Arguments ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", losses.classes().values())
def test_float32_is_the_only_type(kind: type[Loss]) -> None:
    for dtype in (None, "float32", np.float32):
        loss = kind(dtype=dtype)
        assert loss.dtype == "float32"
        assert "dtype" not in loss.get_config()
    with pytest.raises(ValueError, match=r"dtype must be 'float32', .*got 'float16'"):
        kind(dtype="float16")


def test_arguments_by_position_are_those_of_keras() -> None:
    assert losses.MeanSquaredError("sum", "distance").get_config() == {"name": "distance", "reduction": "sum"}
    assert losses.Huber(0.5, "sum").reduction == "sum"
    assert losses.CosineSimilarity(1, None).axis == 1
    assert losses.BinaryCrossentropy(True, 0.1, 1, "sum").get_config() == {
        "name": "binary_crossentropy", "reduction": "sum", "from_logits": True, "label_smoothing": 0.1, "axis": 1
    }  # fmt: skip
    assert losses.SparseCategoricalCrossentropy(True, 3, "sum").ignore_class == 3


@pytest.mark.parametrize(
    "make",
    [
        losses.BinaryCrossentropy, losses.CategoricalCrossentropy, losses.CosineSimilarity,
        losses.BinaryFocalCrossentropy, losses.CategoricalFocalCrossentropy,
    ],
)  # fmt: skip
def test_the_outputs_may_lie_along_another_axis(make: Any) -> None:
    expected = make(reduction=None)(T, P)
    for axis in (0, 1, 2, -3):
        t, p = np.moveaxis(T, -1, axis), np.moveaxis(P, -1, axis)
        np.testing.assert_array_equal(make(axis=axis, reduction=None)(t, p), expected)
    flat = make(axis=0, reduction=None)(T[0].T, P[0].T)
    np.testing.assert_array_equal(flat, expected[0])
    with pytest.raises(ValueError, match=r"y_pred has shape \(2, 3, 4\).*axis 3"):
        make(axis=3)(T, P)
    with pytest.raises(TypeError, match="axis must be an integer"):
        make(axis=None)


def test_functions_take_an_axis() -> None:
    t, p = np.moveaxis(T, -1, 1), np.moveaxis(P, -1, 1)
    for function in (losses.binary_crossentropy, losses.categorical_crossentropy, losses.cosine_similarity):
        np.testing.assert_array_equal(function(t, p, axis=1), function(T, P))
    function = losses.sparse_categorical_crossentropy
    np.testing.assert_array_equal(function(LABELS, p, axis=1), function(LABELS, P))


def test_a_model_trains_and_measures_along_the_last_axis_only() -> None:
    model = Sequential([Input((3,)), Dense(4)])
    for loss in (losses.CosineSimilarity(axis=0), losses.Dice(axis=0), losses.BinaryCrossentropy(axis=-2)):
        with pytest.raises(ValueError, match=r"outputs along the last axis, but .* has axis="):
            model.compile("sgd", loss)
        with pytest.raises(ValueError, match=r"outputs along the last axis, but .* has axis="):
            metrics.get(loss)
    model.compile("sgd", losses.CosineSimilarity(axis=1))


# Rows that do not count -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("ignored", [-1, 2, 255])
@pytest.mark.parametrize("from_logits", [False, True])
def test_rows_of_a_class_to_ignore_do_not_count(ignored: int, from_logits: bool) -> None:
    labels = np.array([[0, ignored, 1], [ignored, 3, 3]])
    counts, weights = labels != ignored, RNG.random((2, 3))
    each = losses.sparse_categorical_crossentropy(np.where(counts, labels, 0), P, from_logits) * counts
    make: Any = losses.SparseCategoricalCrossentropy
    loss = make(from_logits, ignored)
    np.testing.assert_array_equal(losses.sparse_categorical_crossentropy(labels, P, from_logits, ignored), each)
    assert loss(labels, P) == loss(labels[..., None], P) == pytest.approx(each.sum() / 4, rel=1e-6)
    assert loss(labels, P, weights) == pytest.approx((each * weights).sum() / 4, rel=1e-6)
    assert make(from_logits, ignored, "sum")(labels, P) == pytest.approx(each.sum(), rel=1e-6)
    by_weight = make(from_logits, ignored, "mean_with_sample_weight")(labels, P, weights)
    assert by_weight == pytest.approx((each * weights).sum() / (weights * counts).sum(), rel=1e-6)
    assert loss(np.full((2, 3), ignored), P) == 0


@pytest.mark.filterwarnings("ignore:.*expects probabilities")
@pytest.mark.parametrize("activation", ["softmax", None, "softplus"])
@pytest.mark.parametrize("weighted", [False, True])
def test_a_model_trains_as_on_the_other_rows_alone(activation: str | None, weighted: bool) -> None:
    x, labels = RNG.normal(size=(12, 5)), RNG.integers(0, 3, 12)
    labels[[1, 4, 5]] = 255
    kept = labels != 255
    weights = RNG.random(12) if weighted else np.ones(12)
    trained = []
    for loss, rows in (
        (losses.SparseCategoricalCrossentropy(activation is None, 255), slice(None)),
        (losses.SparseCategoricalCrossentropy(activation is None), kept),
    ):
        model = Sequential([Input((5,)), Dense(3, activation, kernel_initializer="zeros")])
        model.compile("sgd", loss, metrics=["accuracy"] if loss.ignore_class is None else None)
        history = model.fit(x[rows], labels[rows], sample_weight=weights[rows], batch_size=12, epochs=3, verbose=0)
        trained.append((history.history["loss"], model.get_weights()))
    assert trained[0][0] == pytest.approx(trained[1][0], rel=1e-5)
    for a, b in zip(trained[0][1], trained[1][1], strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6)


def test_one_hot_rows_of_a_class_to_ignore_do_not_count_for_a_metric() -> None:
    rows = losses.SparseCategoricalCrossentropy(ignore_class=1).call(np.eye(3)[[0, 1]], P[0, :2, :3])
    np.testing.assert_allclose(rows, [losses.categorical_crossentropy([1, 0, 0], P[0, 0, :3]), 0], rtol=1e-6)


def test_a_label_to_ignore_is_a_wrong_answer_for_the_accuracy() -> None:
    model = Sequential([Input((3,)), Dense(3, "softmax", use_bias=False)])
    model.compile("sgd", losses.SparseCategoricalCrossentropy(ignore_class=255), metrics=["accuracy"])
    model.set_weights([np.eye(3)])
    assert model.evaluate(np.eye(3), np.array([0, 1, 255]), verbose=0)[1] == pytest.approx(2 / 3)


# A user's own class ---------------------------------------------------------------------------------------------------


class Quadratic(Loss):
    def call(self, y_true: Any, y_pred: Any) -> Any:
        return (y_pred - y_true) ** 2

    def derivative(self, y_true: Any, y_pred: Any) -> Any:
        return 2 * (y_pred - y_true) / y_pred.shape[1]


@pytest.mark.parametrize("pick", [(), (0,), (0, 0)])
def test_the_losses_of_ones_own_class_stay_as_they_are(pick: Any) -> None:
    t, p = T[pick], P[pick]
    expected = np.square(t - p)
    np.testing.assert_allclose(Quadratic(reduction=None)(t, p), expected, rtol=1e-4, atol=1e-7)
    assert Quadratic(reduction="sum")(t, p) == pytest.approx(expected.sum(), rel=1e-5)
    assert Quadratic()(t, p) == pytest.approx(expected.mean(), rel=1e-5)
    weights = RNG.random(t.shape)
    assert Quadratic()(t, p, weights) == pytest.approx((expected * weights).mean(), rel=1e-5)


def test_the_attributes_of_ones_own_class_are_its_own() -> None:
    class Mine(Quadratic):
        axis = "any"

    assert Mine()(T, P) == Quadratic()(T, P)
    Sequential([Input((3,)), Dense(4)]).compile("sgd", Mine())


def test_a_subclass_of_a_loss_of_rows_gets_rows() -> None:
    class Doubled(losses.CategoricalCrossentropy):
        def call(self, y_true: Any, y_pred: Any) -> Any:
            assert y_pred.ndim == 2
            return 2 * super().call(y_true, y_pred)

    np.testing.assert_array_equal(Doubled(reduction=None)(T, P), 2 * losses.categorical_crossentropy(T, P))
