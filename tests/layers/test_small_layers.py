"""PReLU, Lambda, ActivityRegularization, Permute, RepeatVector, Identity, pooling: their formulas, there and back."""

import inspect
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fastnet import Sequential, activations, layers
from fastnet.layers import (
    ActivityRegularization,
    Dense,
    Flatten,
    GlobalAveragePooling1D,
    Identity,
    Input,
    Lambda,
    Permute,
    PReLU,
    RepeatVector,
    Rescaling,
)
from fastnet.layers.base import Layer
from fastnet.models import clone_model, load_model

RNG = np.random.default_rng(0)
X = RNG.standard_normal((6, 3, 4)).astype(np.float32)


def double(x: Any, by: float = 2.0) -> Any:
    return x * by


def double_gradient(x: Any, y: Any, dy: Any) -> Any:
    return 2 * dy


@pytest.mark.parametrize(
    ("layer", "expected"),
    [
        (PReLU(alpha_initializer="ones"), X),
        (Lambda(double, gradient=double_gradient), 2 * X),
        (Permute((2, 1)), X.transpose(0, 2, 1)),
        (Identity(), X),
        (GlobalAveragePooling1D(), X.mean(axis=1)),
        (GlobalAveragePooling1D("channels_first", keepdims=True), X.mean(axis=2, keepdims=True)),
        (Rescaling([1, 2, 3, 4], [[1], [2], [3]]), X * [1, 2, 3, 4] + np.array([[1], [2], [3]])),
    ],
    ids=lambda value: type(value).__name__,
)
def test_there_and_back(layer: Layer, expected: Any) -> None:
    np.testing.assert_allclose(layer(X), expected, rtol=1e-6)
    kind = type(layer).from_config(layer.get_config())
    model = Sequential([Input((12,)), Dense(12), layers.Reshape((3, 4)), kind, Flatten(), Dense(2)])
    model.compile("sgd", "mse")
    assert model.check_gradients(X.reshape(6, 12), RNG.standard_normal((6, 2)))


def test_repeat_vector() -> None:
    rows = X[:, 0]
    np.testing.assert_array_equal(RepeatVector(3)(rows), np.stack([rows] * 3, axis=1))
    model = Sequential([Input((4,)), Dense(4), RepeatVector(3), Flatten(), Dense(2)])
    model.compile("sgd", "mse")
    assert model.check_gradients(rows, RNG.standard_normal((6, 2)))


@pytest.mark.parametrize(("axes", "shape"), [(None, (3, 4)), (1, (1, 4)), ([2], (3, 1)), ([1, -1], (1, 1))])
def test_prelu_has_one_slope_for_shared_axes(axes: Any, shape: tuple[int, ...]) -> None:
    layer = PReLU("glorot_uniform", shared_axes=axes)
    y = layer(X)
    assert layer.alpha.shape == shape
    np.testing.assert_array_equal(y, np.where(X > 0, X, layer.alpha.numpy() * X))
    model = Sequential([Input((3, 4)), layer, Flatten(), Dense(1)])
    model.compile("sgd", "mse")
    assert model.check_gradients(X, np.ones((6, 1)))
    again = PReLU.from_config(layer.get_config())
    assert again.shared_axes == layer.shared_axes
    assert repr(again) == repr(layer)


# Lambda


def test_lambda_gets_its_arguments_and_training() -> None:
    seen = []

    def function(x: Any, training: bool = False, shift: float = 0.0) -> Any:
        seen.append(training)
        return x + shift

    layer = Lambda(function, arguments={"shift": 3.0})
    np.testing.assert_array_equal(layer(X), X + 3)
    layer(X, training=True)
    assert seen == [False, False, True]  # the first call finds the shape


def test_lambda_takes_a_function_without_a_signature() -> None:
    with pytest.raises(ValueError, match="no signature"):
        inspect.signature(max)
    assert Lambda(max)._passes_training is False


def test_lambda_needs_a_gradient_only_after_trained_layers() -> None:
    first = Sequential([Input((4,)), Lambda(double), Dense(1)])
    first.compile("sgd", "mse")
    first.fit(X[:, 0], np.ones(6), verbose=0)
    later = Sequential([Input((4,)), Dense(3), Lambda(double), Dense(1)])
    later.compile("sgd", "mse")
    with pytest.raises(NotImplementedError, match=r"needs Lambda\(function, gradient=\.\.\.\)"):
        later.fit(X[:, 0], np.ones(6), verbose=0)


def test_a_saved_lambda_is_the_function_of_its_name(tmp_path: Path) -> None:
    model = Sequential([Input((4,)), Lambda(double, arguments={"by": 3.0}, gradient=double_gradient, name="mine")])
    model.save(tmp_path / "m.safetensors")
    objects = {"double": double, "double_gradient": double_gradient}
    for made in (load_model(tmp_path / "m.safetensors", objects), clone_model(model)):
        np.testing.assert_array_equal(made.predict(X[:, 0], verbose=0), 3 * X[:, 0])
        assert made.layers[0]._gradient is double_gradient
    with pytest.raises(ValueError, match=r"must be a function, got 'double'; load the model with custom_objects"):
        load_model(tmp_path / "m.safetensors")
    with pytest.raises(TypeError, match="function"):
        Sequential([Input((4,)), Lambda(lambda x: x)]).save(tmp_path / "n.safetensors")


# ActivityRegularization


def test_the_penalty_is_a_mean_over_the_batch() -> None:
    x, y = X[:, 0], RNG.standard_normal((6, 2)).astype(np.float32)
    model = Sequential([Input((4,)), Dense(3), ActivityRegularization(0.25, 0.5), Dense(2)])
    model.compile("sgd", "mse")
    kernel, bias = model.get_weights()[:2]
    between = (x @ kernel + bias).astype(np.float64)
    penalty = (0.25 * np.abs(between) + 0.5 * between**2).sum() / 6
    error = np.square(model.predict(x, verbose=0) - y).mean()
    assert model.evaluate(x, y, verbose=0) == pytest.approx(error + penalty, rel=1e-5)
    assert model.evaluate(x, y, batch_size=4, verbose=0) == pytest.approx(error + penalty, rel=1e-5)
    assert model.check_gradients(x, y)
    assert model.train_on_batch(x, y) == pytest.approx(error + penalty, rel=1e-5)
    model.layers[1](between)
    assert model.layers[1].losses == [pytest.approx(penalty, rel=1e-5)]


# Arguments


@pytest.mark.parametrize(
    "text",
    [
        "PReLU()",
        "PReLU(shared_axes=[1])",
        "ActivityRegularization(l1=0.1, l2=0)",
        "Permute((2, 1))",
        "RepeatVector(3)",
        "Identity()",
        "Rescaling([1.0, 2.0], 0.5)",
        "GlobalAveragePooling1D(keepdims=True)",
    ],
)
def test_layers_print_as_they_are_typed_and_come_back(text: str) -> None:
    layer = eval(text)
    made = type(layer).from_config(layer.get_config())
    assert repr(layer) == repr(made) == text
    assert made.get_config() == layer.get_config()


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: Permute((1, 3)), ValueError, "dims must hold each of the axes 1 to n once"),
        (lambda: Permute((2, 1))(X[:, 0]), ValueError, r"dims is \(2, 1\), but examples have shape \(4,\)"),
        (lambda: RepeatVector(0), ValueError, "n must be at least 1"),
        (lambda: RepeatVector(2)(X), ValueError, "repeats rows, but examples have shape"),
        (lambda: PReLU(shared_axes=0), ValueError, "axis must not be 0"),
        (lambda: PReLU(shared_axes=[5])(X), ValueError, "axis is"),
        (lambda: Lambda("relu"), TypeError, "function must be a function, got 'relu'"),
        (lambda: Lambda(double, gradient=3), TypeError, "gradient must be a function, got 3"),
        (lambda: Lambda(double, arguments=[2]), TypeError, "arguments must be a dict"),
        (lambda: ActivityRegularization(l1=-1), ValueError, "l1"),
        (lambda: Rescaling([1, 2])(X), ValueError, r"scale has shape \(2,\), but examples have shape \(3, 4\)"),
        (lambda: Rescaling(np.ones((6, 3, 4)))(X), ValueError, "scale has shape"),
        (lambda: GlobalAveragePooling1D("last"), ValueError, "data_format"),
        (lambda: GlobalAveragePooling1D()(X[:, 0]), ValueError, r"takes examples of shape \(steps, features\)"),
    ],
)
def test_bad_arguments(make: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        make()


def test_rarely_used_layers_are_imported_late_and_known_early() -> None:
    import subprocess
    import sys

    code = (
        "import sys, fastnet; late = 'fastnet.layers.lookup', 'fastnet.activations.rows'; "
        "assert not any(name in sys.modules for name in late); "
        "fastnet.layers.StringLookup, fastnet.activations.get('glu'); "
        "assert all(name in sys.modules for name in late)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
    assert all(hasattr(layers, name) for name in layers.__all__)
    assert all(hasattr(activations, name) for name in activations.__all__)
    with pytest.raises(AttributeError, match=r"fastnet has no layer Embeding; did you mean 'Embedding'\?"):
        layers.Embeding  # noqa: B018
