"""BatchNormalization, LayerNormalization and Normalization: their formulas in float64, there and back."""

import copy
import json
import math
import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from fastnet import Sequential
from fastnet.initializers import Constant
from fastnet.layers import (
    BatchNormalization,
    Dense,
    GroupNormalization,
    Input,
    LayerNormalization,
    Normalization,
    RMSNormalization,
    UnitNormalization,
)
from fastnet.layers.base import Layer
from fastnet.regularizers import L2


class Sink:
    """Keeps the gradients that a layer hands on, by the names of the weights."""

    def __init__(self) -> None:
        self.gradients: dict[str, Any] = {}

    def apply(self, variable: Any, gradient: Any) -> None:
        self.gradients[variable.name.rpartition("/")[2]] = variable.unpack(gradient)


def step(layer: Layer, x: Any, dy: Any) -> tuple[Any, Any, dict[str, Any]]:
    """Output, gradient by x and gradients by the weights of a step of training."""
    layer.ensure_built(x.shape[1:])
    rows = x.reshape(len(x), -1)
    y = layer.forward(rows, training=True)
    sink = Sink()
    dx = layer.backward(rows, y, dy.reshape(len(x), -1).copy(), sink, need_dx=True)  # type: ignore[arg-type]
    assert dx is not None
    return y.reshape(x.shape), dx.reshape(x.shape), sink.gradients


def normalized(x: Any, axes: Any, gamma: Any, beta: Any, epsilon: float) -> Any:
    """The papers' formula, in float64."""
    x = np.asarray(x, np.float64)
    mean = x.mean(axis=axes, keepdims=True)
    variance = ((x - mean) ** 2).mean(axis=axes, keepdims=True)
    return gamma * (x - mean) / np.sqrt(variance + epsilon) + beta


def differences(loss: Callable[..., float], arrays: list[Any], which: int, h: float = 1e-5) -> Any:
    """The gradient of loss(*arrays) by one of them, by central differences in float64."""
    arrays = [np.array(a, np.float64) for a in arrays]
    numeric = np.zeros(arrays[which].shape)
    for at in np.ndindex(numeric.shape):
        value = arrays[which][at]
        around = []
        for sign in (1, -1):
            arrays[which][at] = value + sign * h
            around.append(loss(*arrays))
        arrays[which][at] = value
        numeric[at] = (around[0] - around[1]) / (2 * h)
    return numeric


def filled(layer: Any, shape: tuple[int, ...]) -> Any:
    """The layer, built, with weights that are not those it begins with."""
    layer.ensure_built(shape)
    rng = np.random.default_rng(5)
    for variable in layer.weights:
        variable.assign(rng.uniform(0.5, 2, variable.shape))
    return layer


# Shape of a batch, axes averaged over, shape of gamma in a batch; made for the layer's axis.
CASES = [
    (BatchNormalization(), (9, 5), (0,), (1, 5)),
    (BatchNormalization(epsilon=0.5), (9, 5), (0,), (1, 5)),
    (BatchNormalization(), (4, 3, 5), (0, 1), (1, 1, 5)),
    (BatchNormalization(axis=1), (4, 3, 5), (0, 2), (1, 3, 1)),
    (BatchNormalization(axis=-2), (2, 3, 4, 2), (0, 1, 3), (1, 1, 4, 1)),
    (LayerNormalization(), (6, 5), (1,), (1, 5)),
    (LayerNormalization(epsilon=0.5), (6, 5), (1,), (1, 5)),
    (LayerNormalization(), (4, 3, 5), (2,), (1, 1, 5)),
    (LayerNormalization(axis=1), (4, 3, 5), (1,), (1, 3, 1)),
    (LayerNormalization(axis=[2, 1]), (4, 3, 5), (1, 2), (1, 3, 5)),
    (LayerNormalization(axis=(-1, -3)), (2, 3, 4, 2), (1, 3), (1, 3, 1, 2)),
]


@pytest.mark.parametrize(("layer", "shape", "axes", "gamma_shape"), CASES, ids=[f"{c[0]!r}{c[1]}" for c in CASES])
def test_there_and_back_is_the_papers_formula(layer: Any, shape: Any, axes: Any, gamma_shape: Any) -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(3, 2, shape).astype(np.float32)
    dy = rng.standard_normal(shape).astype(np.float32)
    layer = filled(copy.deepcopy(layer), shape[1:])
    gamma, beta = (v.numpy().astype(np.float64).reshape(gamma_shape) for v in (layer.gamma, layer.beta))

    def loss(x: Any, gamma: Any, beta: Any) -> float:
        return float((dy * normalized(x, axes, gamma, beta, layer.epsilon)).sum())

    y, dx, gradients = step(layer, x, dy)
    np.testing.assert_allclose(y, normalized(x, axes, gamma, beta, layer.epsilon), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(dx, differences(loss, [x, gamma, beta], 0), rtol=1e-4, atol=2e-6)
    for which, (name, variable) in enumerate((("gamma", layer.gamma), ("beta", layer.beta)), start=1):
        expected = differences(loss, [x, gamma, beta], which).reshape(variable.shape)
        np.testing.assert_allclose(gradients[name], expected, rtol=1e-4, atol=2e-6)
    assert list(gradients) == ["gamma", "beta"]


@pytest.mark.parametrize("kind", [BatchNormalization, LayerNormalization])
@pytest.mark.parametrize(("center", "scale"), [(True, False), (False, True), (False, False)])
def test_without_gamma_or_beta(kind: Any, center: bool, scale: bool) -> None:
    rng = np.random.default_rng(0)
    x, dy = (rng.standard_normal((6, 4)).astype(np.float32) for _ in range(2))
    layer = filled(kind(center=center, scale=scale), (4,))
    gamma = layer.gamma.numpy() if scale else 1
    beta = layer.beta.numpy() if center else 0
    axes = 0 if kind is BatchNormalization else 1

    def loss(x: Any) -> float:
        return float((dy * normalized(x, axes, gamma, beta, 1e-3)).sum())

    y, dx, gradients = step(layer, x, dy)
    np.testing.assert_allclose(y, normalized(x, axes, gamma, beta, 1e-3), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(dx, differences(loss, [x], 0), rtol=1e-4, atol=2e-6)
    assert list(gradients) == ["gamma"] * scale + ["beta"] * center
    assert (layer.gamma is None, layer.beta is None) == (not scale, not center)


# BatchNormalization


def test_moving_statistics_move_and_are_what_prediction_takes() -> None:
    rng = np.random.default_rng(0)
    layer = filled(BatchNormalization(momentum=0.9), (3,))
    gamma, beta, mean, variance = (w.astype(np.float64) for w in layer.get_weights())
    for _ in range(3):
        x = rng.normal(2, 3, (11, 3)).astype(np.float32)
        layer(x, training=True)
        mean = 0.9 * mean + 0.1 * x.mean(axis=0, dtype=np.float64)
        variance = 0.9 * variance + 0.1 * x.var(axis=0, dtype=np.float64)  # not corrected for the batch's size
    np.testing.assert_allclose(layer.get_weights()[2:], [mean, variance], rtol=1e-5)
    before = [w.tobytes() for w in layer.get_weights()]
    expected = gamma * (x - mean) / np.sqrt(variance + 1e-3) + beta
    np.testing.assert_allclose(layer(x), expected, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(layer(x[:1]), expected[:1], rtol=1e-4, atol=1e-5)
    assert [w.tobytes() for w in layer.get_weights()] == before


def test_a_frozen_layer_takes_the_moving_statistics_in_training_too() -> None:
    rng = np.random.default_rng(0)
    x, dy = (rng.standard_normal((6, 4)).astype(np.float32) for _ in range(2))
    layer = filled(BatchNormalization(trainable=False), (4,))
    before = layer.get_weights()
    y, dx, gradients = step(layer, x, dy)
    gamma, beta, mean, variance = (w.astype(np.float64) for w in before)
    np.testing.assert_allclose(y, gamma * (x - mean) / np.sqrt(variance + 1e-3) + beta, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(dx, dy * gamma / np.sqrt(variance + 1e-3), rtol=1e-5)
    assert gradients == {}
    assert all((a == b).all() for a, b in zip(before, layer.get_weights(), strict=True))


def test_weights_have_keras_order_names_and_numbers() -> None:
    model = Sequential([Input((7,)), BatchNormalization(), LayerNormalization(), Normalization()])
    assert [v.name for v in model.layers[0].weights] == [
        f"batch_normalization/{name}" for name in ("gamma", "beta", "moving_mean", "moving_variance")
    ]
    assert [v.name for v in model.layers[1].weights] == ["layer_normalization/gamma", "layer_normalization/beta"]
    assert [layer.count_params() for layer in model.layers] == [28, 14, 15]
    assert len(model.trainable_weights) == 4
    assert [w[0] for w in model.layers[0].get_weights()] == [1, 0, 0, 1]


def test_a_model_with_it_trains_and_predicts_by_what_it_saw() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(50, 10, (400, 4)).astype(np.float32)
    y = (x[:, :1] > 50).astype(np.float32)
    model = Sequential([Input((4,)), BatchNormalization(momentum=0.9), Dense(8, "relu"), Dense(1, "sigmoid")])
    model.compile("adam", "binary_crossentropy", metrics=["accuracy"])
    model.fit(x, y, epochs=40, verbose=0)
    assert model.evaluate(x, y, verbose=0)[1] > 0.95
    np.testing.assert_allclose(model.layers[0].get_weights()[2], x.mean(axis=0), atol=4 * 10 / np.sqrt(32))


def test_options_reach_the_weights() -> None:
    layer = BatchNormalization(
        gamma_initializer=Constant(3.0),
        beta_initializer="ones",
        moving_mean_initializer="ones",
        moving_variance_initializer=Constant(4.0),
        gamma_regularizer="l2",
        beta_constraint="non_neg",
    )
    layer.ensure_built((2,))
    assert [w.tolist() for w in layer.get_weights()] == [[3, 3], [1, 1], [1, 1], [4, 4]]
    assert layer.gamma is not None
    assert layer.beta is not None
    assert isinstance(layer.gamma.regularizer, L2)
    assert layer.beta.constraint is not None
    np.testing.assert_allclose(layer(np.zeros((1, 2))), 3 * (0 - 1) / math.sqrt(4.001) + 1, rtol=1e-6)


# Rounding and extremes


@pytest.mark.parametrize(("kind", "axis"), [(BatchNormalization, 0), (LayerNormalization, 1)])
class TestExtremes:
    def test_a_mean_far_from_0_costs_no_digits(self, kind: Any, axis: int) -> None:
        x = (1e5 + np.random.default_rng(0).standard_normal((200, 200))).astype(np.float32)
        y = kind()(x, training=True)
        np.testing.assert_allclose(y, normalized(x, axis, 1, 0, 1e-3), atol=2e-6)

    def test_many_numbers_are_added_up_without_drift(self, kind: Any, axis: int) -> None:
        x = np.random.default_rng(0).random((60000, 2)).astype(np.float32) + 100
        x = x if axis == 0 else np.ascontiguousarray(x.T)
        np.testing.assert_allclose(kind()(x, training=True), normalized(x, axis, 1, 0, 1e-3), atol=5e-6)

    @pytest.mark.parametrize("epsilon", [1e-3, 0.0])
    def test_equal_numbers_become_0(self, kind: Any, axis: int, epsilon: float) -> None:
        x = np.full((4, 4), 1234.567, np.float32)
        y, dx, _ = step(kind(epsilon=epsilon), x, np.ones_like(x))
        np.testing.assert_allclose(y, 0, atol=1e-6)
        assert np.isfinite(dx).all()

    def test_large_numbers_do_not_overflow(self, kind: Any, axis: int) -> None:
        x = np.array([[1e30, -2e30, 3e30], [2e37, 1e37, 1e37], [0, 1, 2]], np.float32)
        y, dx, _ = step(kind(), x, np.ones_like(x))
        np.testing.assert_allclose(y, normalized(x, axis, 1, 0, 1e-3), atol=1e-5)
        assert np.isfinite(dx).all()

    def test_nan_and_infinity_stay_visible(self, kind: Any, axis: int) -> None:
        x = np.ones((3, 3), np.float32)
        x[0, 0], x[2, 2] = np.nan, np.inf
        layer = kind()
        y, _, _ = step(layer, x, np.ones_like(x))
        assert np.isnan(y[0, 0])
        assert np.isnan(y[2, 2])
        assert np.isfinite(y[1, 1])
        if kind is BatchNormalization:
            assert np.isnan(layer.get_weights()[2][0])

    def test_copies_and_pickles(self, kind: Any, axis: int) -> None:
        x = np.random.default_rng(0).standard_normal((5, 3)).astype(np.float32)
        layer = filled(kind(), (3,))
        layer(x, training=True)
        for other in (copy.deepcopy(layer), pickle.loads(pickle.dumps(layer))):
            assert other._last is None  # no batch goes with it
            np.testing.assert_array_equal(other(x), layer(x))
            other.gamma.assign(np.zeros(3))
            assert (other.get_weights()[0] == 0).all()


# Normalization

DATA = np.random.default_rng(1).normal(4, 3, (2500, 2, 3)).astype(np.float32)


@pytest.mark.parametrize(
    ("axis", "averaged"), [(-1, (0, 1)), (2, (0, 1)), (1, (0, 2)), ([1, 2], (0,)), (None, (0, 1, 2)), ((-1, -2), (0,))]
)
def test_adapt_finds_mean_and_variance(axis: Any, averaged: tuple[int, ...]) -> None:
    exact = DATA.astype(np.float64)
    mean, deviation = exact.mean(axis=averaged, keepdims=True), exact.std(axis=averaged, keepdims=True)
    layer, there = Normalization(axis), Normalization(axis, invert=True)
    layer.adapt(np.zeros((5, 2, 3)))  # forgotten
    for one in (layer, there):
        one.adapt(DATA)
    y = layer(DATA)
    np.testing.assert_allclose(y, (exact - mean) / deviation, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(there(y), DATA, rtol=1e-4, atol=1e-5)
    assert layer.weights[0].shape == (np.squeeze(mean).shape or (1,))
    for form in (iter(np.array_split(DATA, 7)), list(np.array_split(DATA, 3)), ((b, 0) for b in (DATA[:9], DATA[9:]))):
        other = Normalization(axis)
        other.adapt(form)
        for a, b in zip(other.get_weights(), layer.get_weights(), strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-6)


@pytest.mark.parametrize(
    "data", [iter([np.ones((4, 5)), np.ones((4, 3))]), [np.ones((4, 5)), np.full((4, 5), np.nan)], np.ones((0, 5))]
)
def test_data_that_is_refused_leaves_the_layer_as_it_was(data: Any) -> None:
    layer = Normalization()
    with pytest.raises(ValueError, match=r"data (holds|has)|is given"):
        layer.adapt(data)
    assert not layer.built
    layer.adapt([[0.0], [2.0]])
    np.testing.assert_array_equal(layer([[0.0], [2.0]]), [[-1], [1]])


def test_keras_examples() -> None:
    data = [[0.0, 7.0, 4.0], [2.0, 9.0, 6.0], [0.0, 7.0, 4.0], [2.0, 9.0, 6.0]]
    layer, inverse = Normalization(), Normalization(invert=True)
    for one in (layer, inverse):
        one.adapt(data)
    np.testing.assert_array_equal(layer([[0, 7, 4]]), [[-1, -1, -1]])
    np.testing.assert_array_equal(inverse([[1, 2, 3]]), [[2, 10, 8]])
    given = Normalization(mean=3.0, variance=2.0)
    np.testing.assert_allclose(given([[1.0], [2.0], [3.0]]), [[-math.sqrt(2)], [-math.sqrt(0.5)], [0]], rtol=1e-6)
    assert given.weights == []


def test_given_statistics_fit_any_kept_axes() -> None:
    x = DATA[:3]
    by_feature = Normalization(mean=[1, 2, 3], variance=[1, 4, 9])
    np.testing.assert_allclose(by_feature(x), (x - [1, 2, 3]) / [1, 2, 3], rtol=1e-5, atol=1e-6)
    by_row = Normalization(axis=1, mean=[1, 2], variance=[1, 4])
    np.testing.assert_allclose(by_row(x), (x - [[1], [2]]) / [[1], [2]], rtol=1e-5, atol=1e-6)
    both = Normalization(axis=[1, 2], mean=[[1, 2, 3]], variance=[[1, 4, 9]])
    np.testing.assert_allclose(both(x), by_feature(x))
    of_all = Normalization(axis=None, mean=2.0, variance=0.25)
    np.testing.assert_allclose(of_all(x), (x - 2) * 2)


def test_a_feature_that_never_changes_becomes_0() -> None:
    layer = Normalization()
    layer.adapt(np.tile(np.float32([0.1, 5e6, 0]), (3000, 1)))
    np.testing.assert_array_equal(layer(np.float32([[0.1, 5e6, 0]])), [[0, 0, 0]])


def test_a_mean_far_from_0_costs_no_digits() -> None:
    x = (1e6 + np.random.default_rng(0).standard_normal((5000, 2))).astype(np.float32)
    layer = Normalization()
    layer.adapt(x)
    np.testing.assert_allclose(layer.get_weights()[1], x.astype(np.float64).var(axis=0), rtol=1e-6)


@pytest.mark.parametrize("invert", [False, True])
def test_normalization_passes_the_gradient(invert: bool) -> None:
    rng = np.random.default_rng(0)
    x, dy = (rng.standard_normal((5, 3)).astype(np.float32) for _ in range(2))
    layer = Normalization(mean=[1, 2, 3], variance=[4, 9, 16], invert=invert)
    _, dx, gradients = step(layer, x, dy)
    np.testing.assert_allclose(dx, dy * [2, 3, 4] if invert else dy / [2, 3, 4], rtol=1e-6)
    assert gradients == {}


def test_normalization_in_a_model_adapts_before_and_after() -> None:
    x = DATA.reshape(-1, 6)
    layer = Normalization(input_shape=(6,))
    model = Sequential([layer, Dense(1)])
    model.compile("sgd", "mse")
    layer.adapt(x)
    before = [w.tobytes() for w in layer.get_weights()]
    loss = model.fit(x, x[:, :1], epochs=3, verbose=0).history["loss"]
    assert loss[-1] < loss[0]
    assert [w.tobytes() for w in layer.get_weights()] == before
    first = Normalization()
    first.adapt(x)
    np.testing.assert_array_equal(Sequential([first]).predict(x[:4], verbose=0), first(x[:4]))


def test_what_adapt_refuses_leaves_the_statistics() -> None:
    layer = Normalization()
    layer.adapt(np.array([[1.0, 2.0], [3.0, 4.0]]))
    before = [w.tolist() for w in layer.get_weights()]
    for data, error, message in (
        (np.array([[1.0, np.nan]]), ValueError, "data holds nan"),
        (np.ones((3, 4)), ValueError, r"expects examples of shape \(2,\), but is given \(4,\)"),
        (np.ones(3), ValueError, "data has 1 dimensions"),
        (np.ones((0, 2)), ValueError, "data holds 0 examples"),
        (iter([]), ValueError, "data holds 0 examples"),
        (iter([np.ones((3, 2)), np.ones((3, 3))]), ValueError, "expects examples of shape"),
        (np.array([[1e38, 0], [-1e38, 0]]), ValueError, "variance that does not fit float32"),
        ("abc", TypeError, "data has dtype"),
        (None, TypeError, "data is None"),
    ):
        with pytest.raises(error, match=message):
            layer.adapt(data)
        assert [w.tolist() for w in layer.get_weights()] == before
    with pytest.raises(ValueError, match="were given to the layer, so it cannot adapt"):
        Normalization(mean=0, variance=1).adapt(np.ones((2, 2)))
    with pytest.raises(ValueError, match="no features"):
        Normalization().adapt(np.ones((2, 0)))


# Texts, descriptions, refusals


@pytest.mark.parametrize(
    "text",
    [
        "BatchNormalization()",
        "BatchNormalization(axis=1, momentum=0.9, epsilon=0.5, center=False, scale=False)",
        "LayerNormalization()",
        "LayerNormalization(axis=[1, 2], epsilon=1e-06)",
        "Normalization()",
        "Normalization(axis=None, mean=0.5, variance=2.0, invert=True)",
        "Normalization(axis=[1, 2], mean=[1.0, 2.0], variance=[1.0, 4.0])",
    ],
)
def test_layers_print_as_they_are_typed_and_come_back(text: str) -> None:
    layer = eval(text)
    assert repr(layer) == text
    made = type(layer).from_config(json.loads(json.dumps(layer.get_config())))
    assert repr(made) == text
    assert made.get_config() == layer.get_config()


def test_options_come_back() -> None:
    layer = BatchNormalization(gamma_initializer=Constant(2.0), moving_mean_initializer="ones", beta_regularizer="l1")
    config = json.loads(json.dumps(layer.get_config()))
    assert {name for name in config if "_" in name} == {
        "gamma_initializer",
        "moving_mean_initializer",
        "beta_regularizer",
    }
    made = BatchNormalization.from_config(config)
    assert made.get_config() == layer.get_config()
    layered = LayerNormalization(beta_constraint="unit_norm", gamma_initializer="he_normal")
    assert LayerNormalization.from_config(layered.get_config()).get_config() == layered.get_config()


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: BatchNormalization(axis=0), ValueError, "axis must not be 0"),
        (lambda: BatchNormalization(axis=[1]), TypeError, r"axis must be an integer, got \[1\]"),
        (lambda: BatchNormalization(axis="a"), TypeError, "axis must be an integer"),
        (lambda: BatchNormalization(momentum=1.1), ValueError, r"momentum must be in \[0, 1\], got 1.1"),
        (lambda: BatchNormalization(momentum=-1), ValueError, "momentum"),
        (lambda: BatchNormalization(epsilon=-1), ValueError, "epsilon must be a finite number at least 0"),
        (lambda: BatchNormalization(epsilon=None), TypeError, "epsilon must be a number"),
        (lambda: BatchNormalization(center=1), TypeError, "center must be True or False, got 1"),
        (lambda: BatchNormalization(scale="no"), TypeError, "scale must be True or False"),
        (lambda: BatchNormalization(gamma_initializer="onse"), ValueError, "gamma_initializer 'onse'; did you mean"),
        (lambda: BatchNormalization(moving_mean_initializer=3), TypeError, "moving_mean_initializer"),
        (lambda: BatchNormalization(beta_regularizer="l3"), ValueError, "beta_regularizer 'l3'"),
        (lambda: BatchNormalization(momentun=0.9), TypeError, r"BatchNormalization\(\) .* 'momentun'"),
        (lambda: BatchNormalization(axis=3)(np.ones((2, 3))), ValueError, r"axis is 3, but examples have shape \(3,\)"),
        (lambda: LayerNormalization(axis=None), TypeError, "axis must be an integer or a list of them, got None"),
        (lambda: LayerNormalization(axis=[0, 1]), ValueError, "axis must not be 0"),
        (lambda: LayerNormalization(axis=[1, -1])(np.ones((2, 3))), ValueError, "same axis twice"),
        (lambda: LayerNormalization(epsilon=math.inf), ValueError, "epsilon"),
        (lambda: LayerNormalization(gamma_constraint="nonneg"), ValueError, "gamma_constraint 'nonneg'; did you mean"),
        (lambda: Normalization(mean=1), ValueError, "give mean and variance, or neither"),
        (lambda: Normalization(mean=[1, 2], variance=1), ValueError, r"mean has shape \(2,\), but variance \(\)"),
        (lambda: Normalization(mean=1, variance=-1), ValueError, "variance must not be negative, got -1"),
        (lambda: Normalization(mean=math.nan, variance=1), ValueError, "mean holds nan"),
        (lambda: Normalization(mean="a", variance=1), TypeError, "mean has dtype"),
        (lambda: Normalization(invert=0), TypeError, "invert must be True or False"),
        (lambda: Normalization(axis="a"), TypeError, "axis must be an integer"),
        (
            lambda: Normalization(mean=[1, 2], variance=[1, 2])(np.ones((2, 3))),
            ValueError,
            r"mean and variance have shape \(2,\); expected \(3,\) for examples of shape \(3,\)",
        ),
    ],
)
def test_bad_arguments(make: Callable[[], Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        make()


class Chunks:
    """Batches by index, like a data set of Keras; an index too large is no error."""

    def __init__(self, x: Any) -> None:
        self.x = x

    def __len__(self) -> int:
        return len(self.x) // 4

    def __getitem__(self, i: int) -> Any:
        return self.x[4 * i : 4 * i + 4], np.zeros(4)


def test_adapt_takes_pairs_and_batches_by_index() -> None:
    x = np.random.default_rng(0).normal(3, 2, (12, 5)).astype(np.float32)
    expected = Normalization()
    expected.adapt(x)
    chunks = Chunks(x)
    for data in (chunks, [chunks[i] for i in range(3)], (chunks[i] for i in range(3))):
        layer = Normalization()
        layer.adapt(data)
        np.testing.assert_allclose(layer.mean, expected.mean, rtol=1e-6)
        np.testing.assert_allclose(layer.variance, expected.variance, rtol=1e-5)


def test_mean_and_variance_have_the_shape_of_a_batch() -> None:
    x = np.random.default_rng(0).normal(3, 2, (20, 4, 5)).astype(np.float32)
    layer = Normalization(axis=1)
    assert layer.mean is None
    layer.adapt(x)
    assert layer.mean is not None
    np.testing.assert_allclose(layer.mean, x.mean(axis=(0, 2)).reshape(1, 4, 1), rtol=1e-5)
    np.testing.assert_allclose(layer.variance, x.var(axis=(0, 2)).reshape(1, 4, 1), rtol=1e-5)
    given = Normalization(mean=[1.0, 2.0], variance=4.0 * np.ones(2))
    given.ensure_built((2,))
    np.testing.assert_array_equal(given.mean, [[1, 2]])
    np.testing.assert_array_equal(given.input_mean, [1, 2])


# Group, RMS and unit normalization


def by_groups(x: Any, gamma: Any, beta: Any, groups: int, axis: int, epsilon: float) -> Any:
    """Each group of features of each example by itself, in float64."""
    y = np.array(x, np.float64)
    for features in np.split(np.arange(x.shape[axis]), groups):
        for example in range(len(x)):
            view = np.moveaxis(y[example], axis - 1, 0)
            part = view[features]
            view[features] = (part - part.mean()) / np.sqrt(part.var() + epsilon)
    shape = [1] * y.ndim
    shape[axis] = -1
    return np.reshape(gamma, shape) * y + np.reshape(beta, shape)


@pytest.mark.parametrize(
    ("shape", "groups", "axis"),
    [((5, 6), 2, -1), ((5, 6), 1, -1), ((4, 3, 6), 3, -1), ((4, 6, 3), 2, 1), ((4, 6), -1, 1)],
)
def test_group_normalization_is_the_papers_formula(shape: Any, groups: int, axis: int) -> None:
    rng = np.random.default_rng(0)
    x, dy = rng.normal(3, 2, shape).astype(np.float32), rng.standard_normal(shape).astype(np.float32)
    layer = filled(GroupNormalization(groups, axis, epsilon=0.25), shape[1:])
    gamma, beta = (v.numpy().astype(np.float64) for v in (layer.gamma, layer.beta))
    count, place = (shape[axis] if groups == -1 else groups), axis % len(shape)

    def loss(x: Any, gamma: Any, beta: Any) -> float:
        return float((dy * by_groups(x, gamma, beta, count, place, 0.25)).sum())

    y, dx, gradients = step(layer, x, dy)
    np.testing.assert_allclose(y, by_groups(x, gamma, beta, count, place, 0.25), rtol=1e-5, atol=1e-6)
    for which, found in enumerate((dx, gradients["gamma"], gradients["beta"])):
        np.testing.assert_allclose(found, differences(loss, [x, gamma, beta], which), rtol=1e-4, atol=5e-6)


@pytest.mark.parametrize(
    ("shape", "axis", "axes"), [((5, 6), -1, (1,)), ((4, 3, 5), 1, (1,)), ((4, 3, 5), [2, 1], (1, 2))]
)
def test_rms_and_unit_normalization_are_their_formulas(shape: Any, axis: Any, axes: Any) -> None:
    rng = np.random.default_rng(0)
    x, dy = (rng.standard_normal(shape).astype(np.float32) for _ in range(2))
    layer = filled(RMSNormalization(axis, epsilon=0.25), shape[1:])
    (scale,) = (v.numpy().astype(np.float64) for v in layer.weights)
    fitting = [n if i in axes else 1 for i, n in enumerate(shape)]

    def rms(x: Any, scale: Any) -> Any:
        return scale.reshape(fitting) * x / np.sqrt((x * x).mean(axis=axes, keepdims=True) + 0.25)

    def unit(x: Any) -> Any:
        return x / np.sqrt((x * x).sum(axis=axes, keepdims=True))

    y, dx, gradients = step(layer, x, dy)
    arrays = [x, scale]
    np.testing.assert_allclose(y, rms(x.astype(np.float64), scale), rtol=1e-5, atol=1e-6)
    for which, found in enumerate((dx, gradients["scale"])):
        expected = differences(lambda *a: float((dy * rms(*a)).sum()), arrays, which)
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=5e-6)
    y, dx, _ = step(UnitNormalization(axis), x, dy)
    np.testing.assert_allclose(y, unit(x.astype(np.float64)), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(dx, differences(lambda a: float((dy * unit(a)).sum()), [x], 0), rtol=1e-4, atol=5e-6)


@pytest.mark.parametrize("layer", [GroupNormalization(1, epsilon=0), RMSNormalization(epsilon=0), UnitNormalization()])
def test_zeros_stay_zeros(layer: Any) -> None:
    y, dx, _ = step(layer, np.zeros((2, 4), np.float32), np.ones((2, 4), np.float32))
    assert (y == 0).all()
    assert np.isfinite(dx).all()


@pytest.mark.parametrize(
    "text",
    [
        "GroupNormalization(groups=4)",
        "GroupNormalization(groups=-1, axis=1, epsilon=0.5, scale=False)",
        "RMSNormalization()",
        "RMSNormalization(axis=[1, 2], epsilon=0.5)",
        "UnitNormalization(axis=1)",
    ],
)
def test_the_others_print_as_they_are_typed_and_come_back(text: str) -> None:
    layer = eval(text)
    made = type(layer).from_config(json.loads(json.dumps(layer.get_config())))
    assert repr(layer) == repr(made) == text
    assert made.get_config() == layer.get_config()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: GroupNormalization(0), "groups must be at least 1, or -1"),
        (lambda: GroupNormalization(3)([[1.0, 2.0, 3.0, 4.0]]), "3 groups do not divide the 4 features of axis -1"),
        (lambda: GroupNormalization(1, axis=0), "axis must not be 0"),
        (lambda: RMSNormalization(epsilon=-1), "epsilon"),
        (lambda: UnitNormalization(axis=3)([[1.0]]), "axis is 3, but examples have shape"),
    ],
)
def test_bad_arguments_of_the_others(make: Callable[[], Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize("clipping", [None, {"rmin": 0.9, "rmax": 1.1, "dmax": 0.2}])
def test_batch_renormalization_is_the_papers_algorithm(clipping: Any) -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(3, 2, (4, 3, 5)).astype(np.float32)
    dy = rng.standard_normal(x.shape).astype(np.float32)
    layer = BatchNormalization(momentum=0.9, renorm=True, renorm_clipping=clipping, renorm_momentum=0.8)
    layer = filled(layer, x.shape[1:])
    gamma, beta, mean, _, stddev, renorm_mean, renorm_stddev = (v.numpy().astype(np.float64) for v in layer.weights)
    of_batch = x.astype(np.float64).mean(axis=(0, 1))
    s = np.sqrt(x.astype(np.float64).var(axis=(0, 1)) + 1e-3)
    r, d = s / renorm_stddev, (of_batch - renorm_mean) / renorm_stddev
    if clipping:
        r, d = np.clip(r, 0.9, 1.1), np.clip(d, -0.2, 0.2)

    def loss(x: Any, gamma: Any, beta: Any) -> float:
        return float((dy * (gamma * (normalized(x, (0, 1), 1, 0, 1e-3) * r + d) + beta)).sum())

    y, dx, gradients = step(layer, x, dy)
    np.testing.assert_allclose(y, gamma * (normalized(x, (0, 1), 1, 0, 1e-3) * r + d) + beta, rtol=1e-4, atol=1e-5)
    for which, found in enumerate((dx, gradients["gamma"], gradients["beta"])):
        np.testing.assert_allclose(found, differences(loss, [x, gamma, beta], which), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(layer.renorm_mean.numpy(), 0.8 * renorm_mean + 0.2 * of_batch, rtol=1e-5)
    np.testing.assert_allclose(layer.renorm_stddev.numpy(), 0.8 * renorm_stddev + 0.2 * s, rtol=1e-5)
    np.testing.assert_allclose(layer.moving_mean.numpy(), 0.9 * mean + 0.1 * of_batch, rtol=1e-5)
    np.testing.assert_allclose(layer.moving_stddev.numpy(), 0.9 * stddev + 0.1 * s, rtol=1e-5)
    np.testing.assert_allclose(layer.moving_variance.numpy(), (0.9 * stddev + 0.1 * s) ** 2 - 1e-3, rtol=1e-5)
    made = BatchNormalization.from_config(json.loads(json.dumps(layer.get_config())))
    assert made.get_config() == layer.get_config()
    pickle.loads(pickle.dumps(layer))


def test_bad_arguments_of_renorm() -> None:
    with pytest.raises(ValueError, match="renorm_clipping has a limit 'rmx'; expected rmin, rmax and dmax"):
        BatchNormalization(renorm=True, renorm_clipping={"rmx": 1})
    with pytest.raises(ValueError, match="rmin must be at most rmax"):
        BatchNormalization(renorm=True, renorm_clipping={"rmin": 2, "rmax": 1})
    with pytest.raises(ValueError, match="dmax must be a finite number at least 0"):
        BatchNormalization(renorm=True, renorm_clipping={"dmax": -1})
