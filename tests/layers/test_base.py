"""Layers of the user's own: what they may leave out, how their output's shape is found, what they must return."""

import re
from typing import Any

import numpy as np
import pytest

from fastnet import Sequential, constraints, initializers, layers, optimizers, regularizers
from fastnet.layers import Dense, Input, Layer
from fastnet.optimizers.schedules import LearningRateSchedule

RNG = np.random.default_rng(2)
X = RNG.standard_normal((12, 6), np.float32)
Y = np.eye(3, dtype=np.float32)[RNG.integers(0, 3, 12)]


class Concat(Layer):
    """x and its square, side by side: the width changes, and nothing says so."""

    def call(self, x: Any) -> Any:
        return np.concatenate([x, x * x], axis=1)

    def gradient(self, x: Any, y: Any, dy: Any) -> Any:
        n = x.shape[1]
        return dy[:, :n] + 2 * x * dy[:, n:]


def trained(*own: Any, **compiled: Any) -> Sequential:
    model = Sequential([Input((6,)), Dense(4, "relu"), *own, Dense(3, "softmax")])
    model.compile(compiled.get("optimizer", "rmsprop"), "categorical_crossentropy")
    return model


def test_call_without_training_and_a_width_that_nothing_declares(capsys: pytest.CaptureFixture[str]) -> None:
    model = trained(Concat())
    assert model.output_shape == (None, 3)
    assert model.layers[1].output_shape == (8,)
    assert model.check_gradients(X, Y)
    capsys.readouterr()
    model.summary()
    assert re.search(r"concat.*\(None, 8\)", capsys.readouterr().out)
    assert model.predict(X, verbose=0).shape == model(X).shape == (12, 3)
    assert Concat()(np.ones((2, 3))).shape == (2, 6)


@pytest.mark.parametrize("first", [True, False])
def test_training_is_handed_to_those_that_take_it(first: bool) -> None:
    seen = []

    class Takes(Layer):
        def call(self, x: Any, training: Any = None) -> Any:
            seen.append(training)
            return x

        def gradient(self, x: Any, y: Any, dy: Any) -> Any:
            return dy

    class TakesAll(Takes):
        def call(self, x: Any, **kwargs: Any) -> Any:
            return super().call(x, **kwargs)

    model = trained(Takes() if first else TakesAll())
    seen.clear()
    model.train_on_batch(X, Y)
    model.predict(X, verbose=0)
    model(X, training=True)
    assert seen == [True, False, True]


def test_weights_of_any_shape_made_in_the_constructor_too() -> None:
    class Affine(Layer):
        def __init__(self) -> None:
            super().__init__()
            self.scale = self.add_weight((), "ones", name="scale")

        def build(self, input_shape: Any) -> None:
            self.shift = self.add_weight(shape=(input_shape[-1],), initializer="zeros", name="shift", dtype="float32")
            self.built = True

        def call(self, x: Any) -> Any:
            return x * self.scale.numpy() + self.shift.numpy()

        def gradient(self, x: Any, y: Any, dy: Any) -> Any:
            return dy * self.scale.numpy(), [(dy * x).sum(), dy.sum(axis=0)]

    model = trained(Affine())
    assert [v.shape for v in model.layers[1].weights] == [(), (4,)]
    assert model.check_gradients(X, Y)
    before = model.get_weights()
    model.fit(X, Y, verbose=0)
    assert all((a != b).any() for a, b in zip(model.get_weights()[2:4], before[2:4], strict=True))


def test_a_subclass_of_a_fast_layer_computes_by_its_own_call() -> None:
    class Doubled(Dense):
        def call(self, x: Any) -> Any:
            return 2 * super().call(x)

    class Offset(layers.Dropout):
        def call(self, x: Any, training: bool = False) -> Any:
            return super().call(x, training) + 1

    class Trained(Doubled):
        def gradient(self, x: Any, y: Any, dy: Any) -> Any:
            return 2 * dy @ self.kernel.numpy().T, [2 * x.T @ dy, 2 * dy.sum(axis=0)]

    plain, doubled = Dense(3, kernel_initializer="ones"), Doubled(3, kernel_initializer="ones")
    np.testing.assert_array_equal(doubled(X), 2 * plain(X))
    np.testing.assert_array_equal(Offset(0.5)(X), X + 1)
    np.testing.assert_array_equal(Sequential([Input((6,)), doubled]).predict(X, verbose=0), 2 * plain(X))
    with pytest.raises(NotImplementedError, match="Doubled has no gradient"):
        trained(Doubled(4)).train_on_batch(X, Y)
    assert trained(Trained(4)).check_gradients(X, Y)


def test_a_base_with_the_gradient_and_subclasses_with_the_call() -> None:
    class Base(Layer):
        def gradient(self, x: Any, y: Any, dy: Any) -> Any:
            return 2 * dy

    class Twice(Base):
        def call(self, x: Any) -> Any:
            return x + x

    assert trained(Twice()).check_gradients(X, Y)


def test_the_input_cannot_be_written() -> None:
    class InPlace(Layer):
        def call(self, x: Any) -> Any:
            x *= 2
            return x

    data = X.copy()
    with pytest.raises(ValueError, match="read-only"):
        Sequential([Input((6,)), InPlace()])
    assert data.tobytes() == X.tobytes()


def test_a_constructor_without_super_is_told() -> None:
    class Forgets(Layer):
        def __init__(self) -> None:
            self.units = 3

    with pytest.raises(TypeError, match=r"Forgets.__init__\(\) must call super\(\).__init__\(\)"):
        Sequential([Forgets()])


# What their methods return -------------------------------------------------------------------------------------------


class Returns(Layer):
    """A layer whose methods return what they are told."""

    def __init__(self, call: Any = None, gradient: Any = None, weight: Any = None) -> None:
        super().__init__()
        self.returned, self.back, self.weight = call, gradient, weight

    def build(self, input_shape: Any) -> None:
        if self.weight is not None:
            self.add_weight((4, 2), name="w")

    def compute_output_shape(self, input_shape: Any) -> Any:
        return input_shape

    def call(self, x: Any) -> Any:
        return x if self.returned is None else self.returned(x)

    def gradient(self, x: Any, y: Any, dy: Any) -> Any:
        dx = dy if self.back is None else self.back(dy)
        return dx if self.weight is None else (dx, self.weight)


@pytest.mark.parametrize(
    ("own", "message"),
    [
        (Returns(call=lambda x: x[:, :2]), r"call\(\) returned shape \(12, 2\), expected \(12, 4\)"),
        (Returns(call=lambda x: x[:3]), r"call\(\) returned shape \(3, 4\)"),
        (Returns(call=lambda x: x.T), r"call\(\) returned shape \(4, 12\)"),
        (Returns(call=lambda x: None if len(x) > 2 else x), r"what call\(\) returned is None"),
        (Returns(call=lambda x: x.astype(str)), r"what call\(\) returned has dtype"),
        (Returns(gradient=lambda dy: dy[:, :2]), r"respect to x has shape \(12, 2\); expected \(12, 4\)"),
        (Returns(gradient=lambda dy: np.hstack([dy] * 500)), r"respect to x has shape \(12, 2000\)"),
        (Returns(gradient=lambda dy: dy[:6]), r"respect to x has shape \(6, 4\)"),
        (Returns(gradient=lambda dy: dy.reshape(24, 2)), r"respect to x has shape \(24, 2\)"),
        (Returns(gradient=lambda dy: 1.0), r"respect to x has shape \(\)"),
        (Returns(gradient=lambda dy: None), r"respect to x is None"),
        (Returns(gradient=lambda dy: dy.astype(complex)), r"respect to x has dtype complex"),
        (Returns(weight=[np.ones((2, 4))]), r"respect to returns/w has shape \(2, 4\); expected \(4, 2\)"),
        (Returns(weight=[np.ones(8)]), r"respect to returns/w has shape \(8,\)"),
        (Returns(weight=[1.0]), r"respect to returns/w has shape \(\)"),
        (Returns(weight=[None]), r"respect to returns/w is None"),
        (Returns(weight=[]), r"returned 0 gradients for 1 trainable weights"),
        (Returns(weight=[np.ones((4, 2))] * 2), r"returned 2 gradients for 1"),
    ],
)
def test_a_layer_that_returns_something_else_is_refused_before_anything_changes(own: Layer, message: str) -> None:
    model = trained(own)
    model.compile("rmsprop", "categorical_crossentropy")
    before = [w.tobytes() for w in model.get_weights()]
    with pytest.raises((ValueError, TypeError), match=f"layer 'returns'.*{message}"):
        model.fit(X, Y, verbose=0, batch_size=12)
    assert [w.tobytes() for w in model.get_weights()] == before
    assert model.optimizer is not None
    assert model.optimizer.iterations == 0


@pytest.mark.parametrize("shape", [(0,), (-1,), "wide", (None,), None])
def test_an_output_shape_that_is_none_is_refused(shape: Any) -> None:
    class Odd(Returns):
        def compute_output_shape(self, input_shape: Any) -> Any:
            return shape

    with pytest.raises((ValueError, TypeError), match=r"what compute_output_shape\(\) returned"):
        Sequential([Input((6,)), Odd()])


class Initial(initializers.Initializer):
    def __init__(self, value: Any) -> None:
        self.value = value

    def __call__(self, shape: Any, dtype: Any = None) -> Any:
        return self.value


@pytest.mark.parametrize("value", [np.ones((3, 6)), np.ones((6, 1)), np.ones(18), 1.0, None, np.full((6, 3), np.nan)])
def test_an_initializer_that_returns_something_else_is_refused(value: Any) -> None:
    with pytest.raises((ValueError, TypeError), match=r"dense/kernel: what the initializer Initial.* returned"):
        Sequential([Input((6,)), Dense(3, kernel_initializer=Initial(value))])
    with pytest.raises((ValueError, TypeError), match="dense/bias: what the initializer"):
        Sequential([Input((6,)), Dense(3, bias_initializer=Initial(np.ones((3, 1)) if value is None else value))])
    with pytest.raises((ValueError, TypeError), match="gamma: what the initializer"):
        Sequential([Input((5,)), layers.BatchNormalization(gamma_initializer=Initial(value))])


@pytest.mark.parametrize("value", [np.ones((1, 1)), 1.0, np.ones((4, 6)), np.ones((6, 4, 1)), None, "w"])
def test_a_constraint_that_returns_something_else_is_refused(value: Any) -> None:
    class Odd(constraints.Constraint):
        def __call__(self, w: Any) -> Any:
            return value

    model = Sequential([Input((6,)), Dense(4, kernel_constraint=Odd()), Dense(3, "softmax")])
    model.compile("sgd", "categorical_crossentropy")
    before = [w.tobytes() for w in model.get_weights()]
    with pytest.raises((ValueError, TypeError), match="dense/kernel: what the constraint Odd returned"):
        model.train_on_batch(X, Y)
    assert [w.tobytes() for w in model.get_weights()] == before


@pytest.mark.parametrize(
    ("penalty", "gradient", "message"),
    [
        (np.ones(3), np.ones((6, 4)), "what the regularizer Odd returned has shape"),
        (None, np.ones((6, 4)), "what the regularizer Odd returned is None"),
        (1.0, np.ones((4, 6)), r"what Odd.gradient\(\) returned has shape \(4, 6\)"),
        (1.0, 1.0, r"what Odd.gradient\(\) returned has shape \(\)"),
    ],
)
def test_a_regularizer_that_returns_something_else_is_refused(penalty: Any, gradient: Any, message: str) -> None:
    class Odd(regularizers.Regularizer):
        def __call__(self, x: Any) -> Any:
            return penalty

        def gradient(self, x: Any) -> Any:
            return gradient

    model = Sequential([Input((6,)), Dense(4, kernel_regularizer=Odd()), Dense(3, "softmax")])
    model.compile("sgd", "categorical_crossentropy")
    with pytest.raises((ValueError, TypeError), match=f"dense/kernel: {message}"):
        model.train_on_batch(X, Y)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -1.0, None, "fast", np.ones(2)])
@pytest.mark.parametrize("optimizer", [optimizers.SGD, optimizers.Adam])
def test_a_schedule_that_returns_something_else_is_refused(value: Any, optimizer: Any) -> None:
    class Odd(LearningRateSchedule):
        def __call__(self, step: int) -> Any:
            return 0.1 if step < 2 else value

    model = trained(optimizer=optimizer(Odd()))
    model.train_on_batch(X, Y)
    model.train_on_batch(X, Y)
    before = [w.tobytes() for w in model.get_weights()]
    with pytest.raises((ValueError, TypeError), match="the schedule Odd's learning rate at step 2 must be a"):
        model.train_on_batch(X, Y)
    assert [w.tobytes() for w in model.get_weights()] == before


def test_an_optimizer_of_ones_own_that_replaces_the_array() -> None:
    class Rebinds(optimizers.Optimizer):
        def __init__(self, make: Any) -> None:
            super().__init__(0.1)
            self.make = make

        def update_step(self, gradient: Any, variable: Any, learning_rate: float) -> None:
            variable.packed = self.make(variable.packed - learning_rate * gradient)

    one, other = trained(optimizer=Rebinds(lambda w: w.astype(np.float64))), trained(optimizer=optimizers.SGD(0.1))
    other.set_weights(one.get_weights())
    for model in (one, other):
        model.train_on_batch(X, Y)
    for a, b in zip(one.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-7)
    model = trained(optimizer=Rebinds(lambda w: w[:1]))
    with pytest.raises(ValueError, match="packed must be an array of shape"):
        model.train_on_batch(X, Y)


# A layer changed after it was built ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("units", 4000),
        ("use_bias", False),
        ("kernel", np.ones((2, 2))),
        ("bias", None),
        ("input_shape", (9,)),
        ("output_shape", (9,)),
        ("_weights", []),
    ],
)
def test_what_a_built_layer_is_cannot_change(name: str, value: Any) -> None:
    model = trained()
    layer = model.layers[0]
    with pytest.raises(AttributeError, match=f"layer 'dense' is built, so its {name} cannot change"):
        setattr(layer, name, value)
    with pytest.raises(AttributeError):
        layer.build((9,))
    with pytest.raises(AttributeError):
        layer.kernel.shape = (4, 6)
    model.fit(X, Y, verbose=0)
    assert model.predict(np.ones((2, 6)), verbose=0).shape == (2, 3)
    with pytest.raises(ValueError, match="9 features"):
        model.predict(np.ones((1, 9), np.float32), verbose=0)


def test_an_activation_may_change_between_steps() -> None:
    model, twin = trained(), Sequential([Input((6,)), Dense(4, "tanh"), Dense(3, "softmax")])
    twin.compile("rmsprop", "categorical_crossentropy")
    twin.set_weights(model.get_weights())
    model.layers[0].activation = "tanh"
    for each in (model, twin):
        each.train_on_batch(X, Y)
    assert model.predict(X, verbose=0).tobytes() == twin.predict(X, verbose=0).tobytes()
    model.layers[1].activation = None
    assert (model.predict(X, verbose=0) < 0).any()
    with pytest.raises(ValueError, match="relv"):
        model.layers[0].activation = "relv"
    layer = layers.Dropout(0.5)
    layer.rate = 0.25
    with pytest.raises(ValueError, match="rate"):
        layer.rate = 1.5


def test_a_layer_is_serialized_and_deserialized_by_its_module() -> None:
    again = layers.deserialize(layers.serialize(Dense(3, "relu", name="first")))
    assert (repr(again), again.name) == ("Dense(3, activation='relu')", "first")
