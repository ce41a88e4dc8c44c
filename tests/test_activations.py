"""Activations: their formulas in float64, the way back by central differences, extremes, names, and one's own."""

import copy
import math
import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.special import erfc, expit

from fastnet import Sequential, activations, layers
from fastnet.activations import Activation, ClippedRelu, Elu, Gelu, LeakyRelu
from fastnet.arrays.workspace import Workspace
from fastnet.layers import Dense, Input, LeakyReLU

Array = NDArray[np.float64]
ALPHA, SCALE = 1.6732632423543772848170429916717, 1.0507009873554804934193349852946

# Each formula as Keras states it, in float64.
FORMULAS: dict[str, Callable[[Array], Array]] = {
    "linear": lambda x: x,
    "relu": lambda x: np.where(x > 0, x, 0),
    "relu6": lambda x: np.minimum(np.maximum(x, 0), 6),
    "leaky_relu": lambda x: np.where(x > 0, x, 0.2 * x),
    "sigmoid": expit,
    "hard_sigmoid": lambda x: np.clip(x / 6 + 0.5, 0, 1),
    "tanh": np.tanh,
    "softplus": lambda x: np.logaddexp(0, x),
    "softsign": lambda x: x / (1 + np.abs(x)),
    "elu": lambda x: np.where(x > 0, x, np.expm1(np.minimum(x, 0))),
    "selu": lambda x: np.where(x > 0, SCALE * x, SCALE * ALPHA * np.expm1(np.minimum(x, 0))),
    "gelu": lambda x: 0.5 * x * erfc(-x / math.sqrt(2)),
    "silu": lambda x: x * expit(x),
    "exponential": np.exp,
    "celu": lambda x: np.where(x > 0, x, np.expm1(np.minimum(x, 0))),
    "hard_shrink": lambda x: np.where(np.abs(x) > 0.5, x, 0),
    "hard_silu": lambda x: x * np.clip(x / 6 + 0.5, 0, 1),
    "hard_tanh": lambda x: np.clip(x, -1, 1),
    "log_sigmoid": lambda x: -np.logaddexp(0, -x),
    "mish": lambda x: x * np.tanh(np.logaddexp(0, x)),
    "soft_shrink": lambda x: np.sign(x) * np.maximum(np.abs(x) - 0.5, 0),
    "sparse_plus": lambda x: np.where(x <= -1, 0, np.where(x < 1, (x + 1) ** 2 / 4, x)),
    "sparse_sigmoid": lambda x: np.clip((x + 1) / 2, 0, 1),
    "squareplus": lambda x: np.where(x > 0, x + np.sqrt(x * x + 4), 4 / (np.sqrt(x * x + 4) - x)) / 2,
    "tanh_shrink": lambda x: x - np.tanh(x),
    "threshold": lambda x: np.where(x > 0, x, 0),
}
CHOSEN: list[tuple[Activation, Callable[[Array], Array]]] = [
    *((activations.get(name), formula) for name, formula in FORMULAS.items()),
    (Gelu(approximate=True), lambda x: 0.5 * x * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))),
    (LeakyRelu(0.5), lambda x: np.where(x > 0, x, 0.5 * x)),
    (activations.Celu(0.3), lambda x: np.where(x > 0, x, 0.3 * np.expm1(np.minimum(x, 0) / 0.3))),
    (activations.HardShrink(2.0), lambda x: np.where(np.abs(x) > 2, x, 0)),
    (activations.SoftShrink(2.0), lambda x: np.sign(x) * np.maximum(np.abs(x) - 2, 0)),
    (
        activations.Squareplus(0.5),
        lambda x: np.where(x > 0, x + np.hypot(x, 0.5**0.5), 0.5 / (np.hypot(x, 0.5**0.5) - x)) / 2,
    ),
    (activations.Threshold(0.5, -3.0), lambda x: np.where(x > 0.5, x, -3)),
    (Elu(0.3), lambda x: np.where(x > 0, x, 0.3 * np.expm1(np.minimum(x, 0)))),
    (
        ClippedRelu(negative_slope=0.1, max_value=2, threshold=0.5),
        lambda x: np.where(x <= 0.5, 0.1 * (x - 0.5), np.minimum(x, 2)),
    ),
]
each = pytest.mark.parametrize(("activation", "formula"), CHOSEN, ids=[repr(a) for a, _ in CHOSEN])


def points() -> NDArray[np.float32]:
    """Small, middling and large numbers of both signs, none at a corner of a formula."""
    rng = np.random.default_rng(0)
    return np.concatenate([scale * rng.standard_normal(300) for scale in (0.01, 1, 5, 20)]).astype(np.float32)


@each
def test_the_function_is_its_formula(activation: Activation, formula: Callable[[Array], Array]) -> None:
    x = points()
    expected = formula(x.astype(np.float64))
    found = activation(x)
    assert found.dtype == np.float32
    # The approximate gelu has an exponential of a number up to 100, whose rounding it multiplies; and 1 + tanh in the
    # formula here cancels below about -5.
    rough = isinstance(activation, Gelu) and activation.approximate
    np.testing.assert_allclose(found, expected, rtol=3e-6 if rough else 6e-7, atol=1e-14 if rough else 1e-36)


@each
def test_the_derivative_is_that_of_central_differences(
    activation: Activation, formula: Callable[[Array], Array]
) -> None:
    x, h = points(), 1e-5
    x = x[np.min([np.abs(x - corner) for corner in (-3, -2, -1, -0.5, 0, 0.5, 1, 2, 3, 6)], axis=0) > h]
    exact = x.astype(np.float64)
    slope = (formula(exact + h) - formula(exact - h)) / (2 * h)
    np.testing.assert_allclose(activation.derivative(x), slope, rtol=1e-5, atol=1e-7)


@each
def test_the_way_back_leaves_the_padding_at_zero(activation: Activation, formula: Any) -> None:
    rng = np.random.default_rng(0)
    y, dy, units = Workspace(5), Workspace(5), 5
    z = 3 * rng.standard_normal((4, 5)).astype(np.float32)
    g = rng.standard_normal((4, 5)).astype(np.float32)
    rows, gradient = y.rows(4), dy.rows(4)
    rows[:, :5], gradient[:, :5] = z, g
    activation.forward(rows, units)
    np.testing.assert_array_equal(rows[:, :5], activation(z))
    if activation.of_sums:
        rows[:, :5] = z
    rows[:, 5:] = 7  # what is there counts for nothing
    activation.backward(rows, gradient, units)
    np.testing.assert_allclose(gradient[:, :5], g * activation.derivative(z), rtol=1e-4, atol=1e-6)
    assert (gradient[:, 5:] == 0).all()


@each
def test_a_model_trains_through_it(activation: Activation, formula: Any) -> None:
    # The kernel's step is the gradient of the mean square, found by central differences in float64.
    rng = np.random.default_rng(0)
    x, t = rng.standard_normal((7, 4)), rng.standard_normal((7, 3))
    model = Sequential([Input((4,)), Dense(3, activation)])
    model.compile("sgd", "mse")
    assert model.optimizer is not None
    model.optimizer.learning_rate = 1.0
    kernel = model.get_weights()[0].astype(np.float64)
    numeric, h = np.zeros_like(kernel), 1e-5
    for at in np.ndindex(kernel.shape):
        around = []
        for sign in (1, -1):
            moved = kernel.copy()
            moved[at] += sign * h
            around.append(np.square(formula(x @ moved) - t).mean())
        numeric[at] = (around[0] - around[1]) / (2 * h)
    model.train_on_batch(x, t)
    np.testing.assert_allclose(kernel - model.get_weights()[0], numeric, rtol=1e-4, atol=1e-5)


@each
def test_nan_stays_and_extremes_do_not_become_nan(activation: Activation, formula: Any) -> None:
    x = np.array([-np.inf, -3e38, -1e20, -1000, 1000, 1e20, 3e38, np.inf, np.nan], np.float32)
    with np.errstate(all="raise"):  # and nothing is warned of
        y, slope = activation(x), activation.derivative(x)
    assert np.isnan(y[-1])
    assert not np.isnan(y[:-1]).any()
    assert not np.isnan(slope[:-1]).any()
    rows, gradient = np.zeros((1, 16), np.float32), np.ones((1, 16), np.float32)
    rows[0, :9] = x
    if activation.epilogue == activations.linear.epilogue:
        activation.backward(rows, gradient, 9)
        assert not np.isnan(gradient[0, :8]).any()


@pytest.mark.parametrize("shape", [(), (4,), (2, 3, 5), (0, 3)])
@pytest.mark.parametrize("name", sorted(FORMULAS))
def test_any_shape_and_type_of_array(name: str, shape: tuple[int, ...]) -> None:
    x = np.random.default_rng(0).integers(-3, 4, shape)
    before = np.array(x)
    y = activations.get(name)(x)
    assert (y.shape, y.dtype) == (shape, np.float32)
    assert activations.get(name).derivative(x).shape == shape
    np.testing.assert_array_equal(x, before)
    np.testing.assert_allclose(y, FORMULAS[name](np.asarray(x, np.float64)), rtol=1e-6, atol=1e-7)


def test_gelu_keeps_the_digits_of_its_small_tail() -> None:
    x = np.linspace(-12, -2, 4001).astype(np.float32)
    exact = 0.5 * x.astype(np.float64) * erfc(-x.astype(np.float64) / math.sqrt(2))
    np.testing.assert_allclose(activations.gelu(x), exact, rtol=4e-7)


def test_arguments_of_a_call_are_those_of_keras() -> None:
    x = [-10, -5, 0.0, 5, 10]
    relu = activations.relu
    np.testing.assert_array_equal(relu(x, negative_slope=0.5), [-5, -2.5, 0, 5, 10])
    np.testing.assert_array_equal(relu(x, max_value=5), [0, 0, 0, 5, 5])
    np.testing.assert_array_equal(relu(x, threshold=5), [0, 0, 0, 0, 10])
    np.testing.assert_array_equal(activations.leaky_relu(x, negative_slope=0.1), np.float32([-1, -0.5, 0, 5, 10]))
    np.testing.assert_array_equal(activations.elu(x, alpha=2), Elu(2)(x))
    np.testing.assert_array_equal(activations.gelu(x, approximate=True), Gelu(True)(x))
    assert ClippedRelu(max_value=0.0)([3]) == 0
    np.testing.assert_array_equal(activations.celu(x, alpha=2), activations.Celu(2)(x))
    np.testing.assert_array_equal(activations.hard_shrink(x, threshold=5), [-10, 0, 0, 0, 10])
    np.testing.assert_array_equal(activations.soft_shrink(x, threshold=4), [-6, -1, 0, 1, 6])
    np.testing.assert_array_equal(activations.threshold(x, 4, 7), [7, 7, 7, 5, 10])
    np.testing.assert_array_equal(activations.squareplus(x, b=0), [0, 0, 0, 5, 10])


# Softmax


@pytest.mark.parametrize(("shape", "axis"), [((4,), -1), ((2, 3, 5), -1), ((2, 3, 5), 1), ((2, 3, 5), 0), ((1, 1), -1)])
def test_softmax_adds_to_1_along_its_axis(shape: tuple[int, ...], axis: int) -> None:
    x = np.random.default_rng(0).standard_normal(shape)
    p = activations.softmax(x, axis=axis)
    assert p.shape == shape
    np.testing.assert_allclose(p, np.exp(x) / np.exp(x).sum(axis=axis, keepdims=True), rtol=1e-6)


def test_softmax_along_several_axes() -> None:
    x = np.random.default_rng(0).standard_normal((2, 3, 5))
    np.testing.assert_allclose(
        activations.softmax(x, axis=(0, 2)), np.exp(x) / np.exp(x).sum(axis=(0, 2), keepdims=True), rtol=1e-6
    )
    with pytest.raises(ValueError, match=r"axis is \(0, 3\), but x has shape"):
        activations.softmax(x, axis=(0, 3))


def nearest_in_simplex(x: Array) -> Array:
    """The nearest point whose numbers are at least 0 and add up to 1: max(x - t, 0), where t is found by bisection."""
    low, high = x.max() - 1, x.max()
    for _ in range(100):
        t = (low + high) / 2
        low, high = (t, high) if np.maximum(x - t, 0).sum() > 1 else (low, t)
    return np.maximum(x - t, 0)


@pytest.mark.parametrize("scale", [0.1, 1.0, 10.0])
def test_sparsemax_and_log_softmax(scale: float) -> None:
    x = scale * np.random.default_rng(0).standard_normal((6, 7)).astype(np.float32)
    exact = x.astype(np.float64)
    p = activations.sparsemax(x)
    np.testing.assert_allclose(p, [nearest_in_simplex(row) for row in exact], atol=1e-6)
    np.testing.assert_array_equal(activations.sparsemax(x.T, axis=0), p.T)
    expected = exact - np.log(np.exp(exact).sum(axis=1, keepdims=True))
    np.testing.assert_allclose(activations.log_softmax(x), expected, rtol=1e-6, atol=1e-6)
    np.testing.assert_array_equal(activations.log_softmax(x.T, axis=0), activations.log_softmax(x).T)


@pytest.mark.parametrize("name", ["log_softmax", "sparsemax"])
def test_a_model_trains_through_an_activation_of_rows(name: str) -> None:
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((9, 4)), rng.standard_normal((9, 5))
    model = Sequential([Input((4,)), Dense(5, name), Dense(5)])
    model.compile("sgd", "mse")
    assert model.check_gradients(x, y)


def test_glu() -> None:
    rng = np.random.default_rng(0)
    x = rng.standard_normal((3, 4, 6)).astype(np.float32)
    np.testing.assert_allclose(activations.glu(x), x[..., :3] * expit(x[..., 3:]), rtol=1e-6)
    np.testing.assert_allclose(activations.glu(x, axis=1), x[:, :2] * expit(x[:, 2:]), rtol=1e-6)
    with pytest.raises(ValueError, match="glu halves axis 0, but x has shape"):
        activations.glu(x, axis=0)
    model = Sequential([Input((4,)), Dense(6), layers.Activation("glu"), Dense(2)])
    assert model.layers[1].output_shape == (3,)
    model.compile("sgd", "mse")
    assert model.check_gradients(rng.standard_normal((9, 4)), rng.standard_normal((9, 2)))
    with pytest.raises(ValueError, match="glu halves the last axis"):
        Sequential([Input((5,)), layers.Activation("glu")])
    with pytest.raises(ValueError, match=r"put Activation\('glu'\) after this one"):
        Dense(6, "glu")


def test_softmax_of_extremes() -> None:
    np.testing.assert_array_equal(activations.softmax([[-3e38, 3e38], [1000, 1000]]), [[0, 1], [0.5, 0.5]])
    assert np.isnan(activations.softmax([[1, np.nan]])).all()
    with pytest.raises(ValueError, match="axis is -1, but x has shape"):
        activations.softmax(3.0)
    with pytest.raises(NotImplementedError, match="mixes the units"):
        activations.softmax.derivative([1.0])


# Names


def test_names() -> None:
    assert activations.get(None) is activations.get("linear") is activations.linear
    assert activations.get(activations.relu) is activations.relu
    assert activations.get("swish") is activations.swish is activations.get("silu")
    assert {*FORMULAS, "softmax", "swish", "hard_swish", "log_softmax", "sparsemax", "glu"} == set(activations._BY_NAME)
    assert all(getattr(activations, name) is activations.get(name) for name in activations._BY_NAME)
    assert activations.get(Gelu).name == "gelu"
    for wrong, right in {"Softmx": "softmax", "GELU": "gelu", "leakyrelu": "leaky_relu", "selu_": "selu"}.items():
        with pytest.raises(ValueError, match=rf"did you mean '{right}'\?"):
            activations.get(wrong)


@pytest.mark.parametrize(
    "activation",
    [
        LeakyRelu(0.05),
        Elu(2.0),
        Gelu(True),
        ClippedRelu(0.1, 0.0, 1.0),
        ClippedRelu(),
        activations.relu,
        activations.Celu(0.5),
        activations.Threshold(1.0, 2.0),
        activations.SoftShrink(0.1),
        activations.Squareplus(1.0),
    ],
)
def test_descriptions_come_back(activation: Activation) -> None:
    made = activations.get(activations.serialize(activation))
    assert (type(made), made.get_config()) == (type(activation), activation.get_config())
    assert eval(repr(made), vars(activations)).get_config() == activation.get_config()
    dense = Dense(3, activation)
    again = Dense.from_config(dense.get_config())
    assert repr(again) == repr(dense)
    assert again.activation.get_config() == activation.get_config()  # type: ignore[attr-defined]


def test_defaults_are_described_by_their_names() -> None:
    for name in activations._BY_NAME.keys() - {"swish", "hard_swish"}:
        assert activations.serialize(activations.get(name)) == repr(activations.get(name)) == name
    assert activations.serialize(LeakyRelu()) == "leaky_relu"
    assert repr(Dense(3, LeakyRelu(0.1))) == "Dense(3, activation=LeakyRelu(negative_slope=0.1))"
    assert repr(Dense(3, "gelu")) == "Dense(3, activation='gelu')"


def test_copies_and_pickles_compute_the_same() -> None:
    for activation in (activations.gelu, LeakyRelu(0.3)):
        for other in (copy.deepcopy(activation), pickle.loads(pickle.dumps(activation))):
            assert activations.serialize(other) == activations.serialize(activation)
            np.testing.assert_array_equal(other(points()), activation(points()))


def test_a_layer_that_is_an_activation_stands_for_it() -> None:
    assert Dense(3, activation=LeakyReLU(alpha=0.1)).activation.get_config() == {"negative_slope": 0.1}


# One's own


class Cube(Activation):
    def __call__(self, x: Any) -> Any:
        return x**3

    def derivative(self, x: Any) -> Any:
        return 3 * x**2


def test_ones_own_needs_two_methods() -> None:
    rng = np.random.default_rng(0)
    x, t = rng.standard_normal((6, 3)).astype(np.float32), rng.standard_normal((6, 2)).astype(np.float32)
    model = Sequential([Input((3,)), Dense(2, activation=Cube())])
    model.compile("sgd", "mse")
    kernel, bias = model.get_weights()
    z = x.astype(np.float64) @ kernel + bias
    np.testing.assert_allclose(model.predict(x, verbose=0), z**3, rtol=1e-5, atol=1e-7)
    model.train_on_batch(x, t)
    step = x.T @ (2 * (z**3 - t) / t.size * 3 * z**2)
    np.testing.assert_allclose(kernel - model.get_weights()[0], 0.01 * step, rtol=1e-3, atol=1e-7)
    assert (Cube.name, repr(Cube()), repr(Dense(2, Cube()))) == ("Cube", "Cube()", "Dense(2, activation=Cube())")
    assert Dense(2, Cube()).get_config()["activation"] == "Cube"


def test_a_subclass_of_a_named_one_is_not_taken_for_it() -> None:
    class Hot(activations.Sigmoid):
        pass

    assert Hot().name == "Hot"


def test_a_plain_function_is_refused_with_the_way_out() -> None:
    with pytest.raises(TypeError, match=r"no derivative.*class Mine.*__call__.*derivative"):
        Dense(10, activation=lambda x: x)
    with pytest.raises(TypeError, match="no derivative"):
        Dense(10, activation=np.tanh)


def test_what_is_missing_in_ones_own_is_said() -> None:
    class Half(Activation):
        def __call__(self, x: Any) -> Any:
            return x / 2

    class Sum(Activation):
        def __call__(self, x: Any) -> Any:
            return x.sum(axis=-1, keepdims=True)

    x = np.ones((2, 3), np.float32)
    model = Sequential([Input((3,)), Dense(2, activation=Half())])
    model.compile("sgd", "mse")
    assert model.predict(x, verbose=0).shape == (2, 2)
    with pytest.raises(NotImplementedError, match=r"Half has no derivative\(\)"):
        model.train_on_batch(x, np.ones((2, 2)))
    with pytest.raises(NotImplementedError, match=r"Activation has no __call__\(\)"):
        Activation()(x)
    with pytest.raises(ValueError, match=r"activation 'Sum': __call__\(\) returned shape \(2, 1\) for sums of shape"):
        Dense(2, Sum())(x)


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: LeakyRelu("a"), TypeError, "negative_slope must be a number, got 'a'"),
        (lambda: LeakyRelu(math.nan), ValueError, "negative_slope must be a finite number"),
        (lambda: LeakyRelu(-math.inf), ValueError, "negative_slope must be a finite number"),
        (lambda: Elu(None), TypeError, "alpha must be a number, got None"),
        (lambda: Elu(1e39), ValueError, "alpha must be a finite number"),
        (lambda: Gelu(1), TypeError, "approximate must be True or False, got 1"),
        (lambda: ClippedRelu(max_value=-1), ValueError, "max_value must be a finite number"),
        (lambda: activations.relu(None), TypeError, "x is None"),
        (lambda: activations.gelu("abc"), TypeError, "x has dtype"),
        (lambda: activations.get(7), TypeError, "activation must be a name"),
        (lambda: activations.get({"class_name": "Gellu", "config": {}}), ValueError, "unknown activation 'Gellu'"),
        (lambda: activations.softmax([1.0], axis=1), ValueError, "axis is 1, but x has shape"),
    ],
)
def test_bad_arguments(make: Callable[[], Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        make()
