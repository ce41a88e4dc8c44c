"""Activations as layers: the same as the function, there and back, on examples of any shape."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from fastnet import Sequential, activations
from fastnet.layers import ELU, Activation, Dense, Flatten, Input, LeakyReLU, ReLU, Softmax
from fastnet.layers.base import Layer

SHAPES = [(5,), (16,), (3, 4), (2, 3, 1)]


def central_differences(call: Callable[[Any], Any], x: Any, dy: Any, h: float) -> Any:
    """The gradient of sum(dy y) by x."""
    numeric = np.zeros(x.shape)
    for at in np.ndindex(x.shape):
        around = []
        for sign in (1, -1):
            moved = x.copy()
            moved[at] += sign * h
            around.append((dy * call(moved)).sum(dtype=np.float64))
        numeric[at] = (around[0] - around[1]) / (2 * h)
    return numeric


def back(layer: Layer, x: Any, dy: Any) -> Any:
    """The gradient by x, through the layer's own way back."""
    rows = x.reshape(len(x), -1)
    y = layer.forward(rows, training=True)
    dx = layer.backward(rows, y, dy.reshape(len(x), -1).copy(), None, need_dx=True)  # type: ignore[arg-type]
    assert dx is not None
    assert (dx[:, rows.shape[1] :] == 0).all()  # a Dense before multiplies it
    return dx[:, : rows.shape[1]].reshape(x.shape)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("name", ["relu", "sigmoid", "gelu", "softmax", "linear", "selu"])
def test_it_is_the_function_there_and_back(name: str, shape: tuple[int, ...]) -> None:
    rng = np.random.default_rng(0)
    x, dy = (rng.standard_normal((6, *shape)).astype(np.float32) for _ in range(2))
    layer, activation = Activation(name), activations.get(name)
    y = layer(x)
    np.testing.assert_allclose(y, activation(x), rtol=1e-6)
    of_softmax = y * (dy - (dy * y).sum(axis=-1, keepdims=True))
    expected = of_softmax if name == "softmax" else dy * activation.derivative(x)
    np.testing.assert_allclose(back(layer, x, dy), expected, rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(layer(x[:2]), y[:2])  # a smaller batch in the same workspace


@pytest.mark.parametrize("name", ["relu", "gelu", "tanh", "softmax"])
def test_a_layer_of_its_own_trains_as_one_inside_dense(name: str) -> None:
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((20, 6)), rng.standard_normal((20, 3))
    weights = [rng.standard_normal(shape) for shape in ((6, 9), (9,), (9, 3), (3,))]
    stacks = ([Dense(9, name), Dense(3)], [Dense(9), Activation(name), Dense(3)])
    outcomes = []
    for stack in stacks:
        model = Sequential([Input((6,)), *stack])
        model.compile("sgd", "mse", metrics=["mae"])
        model.set_weights(weights)
        history = model.fit(x, y, epochs=3, verbose=0, shuffle=False).history
        outcomes.append([*model.get_weights(), np.array(history["loss"])])
    for one, other in zip(*outcomes, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)


def test_the_metrics_of_a_last_layer_are_of_its_output() -> None:
    # The way back needs the sums, and must not lay them over the output, which the metrics have still to read.
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((8, 4)), rng.standard_normal((8, 16))
    model = Sequential([Input((4,)), Dense(16), Activation("softplus")])
    model.compile("sgd", "mse", metrics=["mae"])
    before = float(np.abs(model.predict(x, verbose=0) - y).mean())
    assert model.train_on_batch(x, y)[1] == pytest.approx(before, rel=1e-5)


@pytest.mark.parametrize(
    ("layer", "formula"),
    [
        (ReLU(), lambda x: np.maximum(x, 0)),
        (ReLU(max_value=1.5), lambda x: np.clip(x, 0, 1.5)),
        (ReLU(1.5, 0.25, 0.5), lambda x: np.where(x <= 0.5, 0.25 * (x - 0.5), np.minimum(x, 1.5))),
        (LeakyReLU(), lambda x: np.where(x > 0, x, 0.3 * x)),
        (LeakyReLU(alpha=0.1), lambda x: np.where(x > 0, x, 0.1 * x)),
        (ELU(), lambda x: np.where(x > 0, x, np.expm1(np.minimum(x, 0)))),
        (ELU(2.5), lambda x: np.where(x > 0, x, 2.5 * np.expm1(np.minimum(x, 0)))),
    ],
    ids=repr,
)
def test_formulas(layer: Layer, formula: Callable[[Any], Any]) -> None:
    rng = np.random.default_rng(0)
    x, dy = (rng.standard_normal((7, 3, 5)).astype(np.float32) for _ in range(2))
    exact = x.astype(np.float64)
    np.testing.assert_allclose(layer(x), formula(exact), rtol=1e-6)
    np.testing.assert_allclose(back(layer, x, dy), central_differences(formula, exact, dy, 1e-6), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("axis", [-1, 1, 2, [1, 2], (-1, 1), [-2, -1, 1]])
def test_softmax_along_any_axes(axis: Any) -> None:
    rng = np.random.default_rng(0)
    x, dy = (rng.standard_normal((4, 2, 3, 5)).astype(np.float32) for _ in range(2))
    axes = axis if isinstance(axis, int) else tuple(axis)

    def formula(z: Any) -> Any:
        return np.exp(z) / np.exp(z).sum(axis=axes, keepdims=True)

    layer = Softmax(axis)
    exact = x.astype(np.float64)
    np.testing.assert_allclose(layer(x), formula(exact), rtol=1e-5)
    np.testing.assert_allclose(back(layer, x, dy), central_differences(formula, exact, dy, 1e-6), rtol=1e-4, atol=1e-6)
    if axis == -1:
        assert layer(x)[0, 0, 0].sum() == pytest.approx(1)


@pytest.mark.parametrize("layer", [Activation("gelu"), ReLU(6.0), LeakyReLU(), ELU(), Softmax()], ids=repr)
def test_nan_stays_and_large_numbers_do_not_become_nan(layer: Layer) -> None:
    rows = np.array([[np.nan, 1, 2, 3], [-3e38, -100, 100, 3e38], [-3e38, -3e38, -3e38, -3e38]], np.float32)
    layer.ensure_built((4,))
    y = layer.forward(rows)[:, :4]
    assert np.isnan(y[0, 0])
    assert np.isfinite(y[1:]).all()


@pytest.mark.parametrize(
    "text",
    [
        "Activation('relu')",
        "Activation(LeakyRelu(negative_slope=0.1))",
        "ReLU()",
        "ReLU(max_value=6.0)",
        "ReLU(negative_slope=0.5, max_value=6.0, threshold=1.0)",
        "LeakyReLU()",
        "LeakyReLU(negative_slope=0.2)",
        "ELU()",
        "ELU(alpha=2.0)",
        "Softmax()",
        "Softmax(axis=[1, 2])",
    ],
)
def test_layers_print_as_they_are_typed_and_come_back(text: str) -> None:
    layer = eval(text, {**globals(), "LeakyRelu": activations.LeakyRelu})
    assert repr(layer) == text
    made = type(layer).from_config(layer.get_config())
    assert repr(made) == text
    assert made.get_config() == layer.get_config()


def test_as_the_activation_of_dense() -> None:
    x = np.random.default_rng(0).standard_normal((5, 4))
    for layer in (LeakyReLU(0.1), ReLU(1.0), ELU(2.0), Softmax(), Activation("selu")):
        dense = Dense(3, activation=layer)
        y = dense(x)
        kernel, _ = dense.get_weights()
        np.testing.assert_allclose(y, layer(x.astype(np.float32) @ kernel), rtol=1e-5, atol=1e-6)
    with pytest.raises(ValueError, match="works on the last axis"):
        Dense(3, activation=Softmax(axis=2))


def test_names_in_a_model_are_those_of_keras() -> None:
    model = Sequential([Input((2, 3)), ReLU(), LeakyReLU(), ELU(), Softmax(), Activation("relu"), Flatten()])
    assert [layer.name for layer in model.layers][:5] == ["re_lu", "leaky_re_lu", "elu", "softmax", "activation"]
    assert model.count_params() == 0
    assert model.predict(np.ones((2, 2, 3)), verbose=0).shape == (2, 6)


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: Activation("rellu"), ValueError, r"unknown activation 'rellu'; did you mean 'relu'\?"),
        (lambda: Activation(lambda x: x), TypeError, "no derivative"),
        (lambda: Activation("relu", units=3), TypeError, r"Activation\(\) got an unexpected keyword argument 'units'"),
        (lambda: ReLU(-1), ValueError, "max_value must be a finite number"),
        (lambda: ReLU(negative_slope=None), TypeError, "negative_slope must be a number, got None"),
        (lambda: ReLU(threshold=-0.5), ValueError, "threshold"),
        (lambda: ReLU(max_value=1e39), ValueError, "max_value"),
        (lambda: LeakyReLU(-0.1), ValueError, "negative_slope must be a finite number at least 0, got -0.1"),
        (lambda: LeakyReLU(alpha="a"), TypeError, "alpha must be a number"),
        (lambda: LeakyReLU(0.1, alpha=0.2), ValueError, "give negative_slope or alpha, not both"),
        (lambda: ELU(math.nan), ValueError, "alpha must be a finite number"),
        (lambda: Softmax("a"), TypeError, "axis must be an integer or a list of them, got 'a'"),
        (lambda: Softmax(1.5), TypeError, "axis must be an integer"),
        (lambda: Softmax(0), ValueError, "axis must not be 0"),
        (lambda: Softmax([]), ValueError, "axis must be one axis or several"),
        (lambda: Softmax([1, 1]), ValueError, "axis must be one axis or several different"),
        (lambda: Softmax(2)(np.ones((2, 3))), ValueError, r"axis is 2, but examples have shape \(3,\)"),
        (lambda: Softmax(-2)(np.ones((2, 3))), ValueError, r"axis is -2, but examples have shape \(3,\)"),
        (lambda: Softmax([1, -1])(np.ones((2, 3))), ValueError, "same axis twice"),
    ],
)
def test_bad_arguments(make: Callable[[], Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        make()
