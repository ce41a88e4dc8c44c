"""Layers called as functions: on arrays of one axis, on a second shape, and Dense on examples of several rows."""

from typing import Any

import numpy as np
import pytest

from fastnet import Sequential, layers
from fastnet.layers import Dense, Flatten, Input
from fastnet.models import load_model
from fastnet.utils import set_random_seed

RNG = np.random.default_rng(0)


def data(*shape: int) -> np.ndarray:
    return RNG.standard_normal(shape).astype(np.float32)


# Examples that are numbers --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("layer", "expected"),
    [
        (layers.ReLU(), [0, 0, 2]),
        (layers.Activation("relu"), [0, 0, 2]),
        (layers.LeakyReLU(0.5), [-0.5, 0, 2]),
        (layers.ELU(), [np.expm1(-1), 0, 2]),
        (layers.Rescaling(2.0, 1.0), [-1, 1, 5]),
        (layers.Dropout(0.5), [-1, 0, 2]),
        (layers.GaussianNoise(0.5), [-1, 0, 2]),
        (Flatten(), [[-1], [0], [2]]),
        (layers.Reshape((1, 1)), [[[-1]], [[0]], [[2]]]),
    ],
)
def test_a_layer_computes_an_array_of_one_axis(layer: Any, expected: Any) -> None:
    result = layer(np.array([-1, 0, 2]))
    assert result.shape == np.shape(expected)
    assert result == pytest.approx(np.array(expected, np.float32))


def test_a_layer_of_ones_own_computes_an_array_of_one_axis() -> None:
    class Square(layers.Layer):
        def call(self, x: np.ndarray) -> np.ndarray:
            return x * x

    assert Square()(np.array([1, 2, 3])).tolist() == [1, 4, 9]


@pytest.mark.parametrize("layer", [Dense(3), layers.Activation("softmax"), layers.LayerNormalization()])
def test_a_layer_that_needs_features_refuses_examples_that_are_numbers(layer: Any) -> None:
    with pytest.raises(ValueError, match="examples"):
        layer(np.ones(4))


def test_a_single_number_is_no_batch() -> None:
    with pytest.raises(ValueError, match="x is a single number"):
        Flatten()(np.float32(3))


def test_a_model_of_examples_that_are_numbers_trains_as_one_of_rows_of_one() -> None:
    x, y, found = data(20), data(20), []
    for shape in ((), (1,)):
        set_random_seed(0)
        model = Sequential([Input(shape), Flatten(), Dense(4, "tanh"), Dense(1)])
        assert model.input_shape == (None, *shape)
        model.compile("sgd", "mse")
        model.fit(x.reshape(20, *shape), y, verbose=0)
        assert model.predict(x.reshape(20, *shape)[:1], verbose=0).shape == (1, 1)
        found.append(model.predict(x.reshape(20, *shape), verbose=0))
    assert found[0].tobytes() == found[1].tobytes()


# A second shape -------------------------------------------------------------------------------------------------------


def test_a_layer_without_weights_computes_any_shape() -> None:
    layer = layers.ReLU()
    for shape in ((3,), (2, 3), (4,), (3, 1, 2), ()):
        x = data(5, *shape)
        assert layer(x).tobytes() == np.maximum(x, 0).tobytes()
    assert layer.input_shape == (3,)


def test_a_layer_in_a_model_keeps_its_shape_when_it_is_called_on_another() -> None:
    layer = layers.Activation("relu")
    model = Sequential([Input((3,)), layer])
    assert layer(data(2, 7, 4)).shape == (2, 7, 4)
    assert model.predict(data(6, 3), verbose=0).shape == (6, 3)


@pytest.mark.parametrize("make", [lambda: Dense(4, "relu"), layers.LayerNormalization, layers.BatchNormalization])
def test_a_second_shape_uses_the_same_weights(make: Any) -> None:
    layer, x = make(), data(6, 5)
    layer(x)
    for weight in layer.weights:
        weight.assign(np.abs(data(*weight.shape)))
    assert layer(x.reshape(2, 3, 5)) == pytest.approx(layer(x).reshape(2, 3, -1), abs=1e-6)
    assert len(layer.weights) == len(layer.get_weights())


def test_moving_averages_follow_batches_of_any_shape() -> None:
    layer, x = layers.BatchNormalization(), data(6, 5) + 3
    layer(x)
    before = layer.moving_mean.numpy()
    layer(x.reshape(2, 3, 5), training=True)
    assert (layer.moving_mean.numpy() != before).all()


def test_a_second_shape_that_the_weights_do_not_fit_is_refused() -> None:
    layer = Dense(4)
    layer(data(2, 5))
    with pytest.raises(ValueError, match=r"expects examples of shape \(5,\), but is given \(6,\)"):
        layer(data(2, 6))
    norm = layers.LayerNormalization(axis=[1, 2])
    norm(data(2, 3, 4))
    with pytest.raises(ValueError, match=r"expects examples of shape \(3, 4\), but is given \(4, 3\)"):
        norm(data(2, 4, 3))
    assert [w.shape for w in layer.get_weights()] == [(5, 4), (4,)]


def test_a_layer_that_makes_fewer_weights_for_a_second_shape_is_refused() -> None:
    class Picky(layers.Layer):
        def build(self, input_shape: tuple[int, ...]) -> None:
            for _ in range(input_shape[0]):
                self.add_weight((1,))

        def call(self, x: np.ndarray) -> np.ndarray:
            return x

    layer = Picky()
    layer(data(2, 3))
    with pytest.raises(ValueError, match="expects examples of shape"):
        layer(data(2, 2))


# Dense on examples of several rows ------------------------------------------------------------------------------------


@pytest.mark.parametrize("activation", [None, "relu", "softmax", "gelu"])
@pytest.mark.parametrize("units", [3, 16, 17])
def test_dense_computes_each_row_of_an_example(activation: Any, units: int) -> None:
    layer, x = Dense(units, activation), data(4, 5, 6)
    layer(x)
    kernel, bias = layer.get_weights()
    z = x @ kernel + bias
    expected = z if activation is None else np.asarray(layer.activation(z.reshape(-1, units))).reshape(z.shape)
    assert layer(x).shape == (4, 5, units)
    assert layer(x) == pytest.approx(expected, abs=1e-5)
    assert layer.output_shape == (5, units)


@pytest.mark.parametrize("activation", ["tanh", "softmax", "gelu", None])
def test_the_gradients_of_dense_on_several_rows_agree_with_differences(activation: Any) -> None:
    set_random_seed(1)
    model = Sequential(
        [Input((3, 5)), Dense(4, "tanh"), Dense(6, activation, activity_regularizer="l2"), Flatten(), Dense(2)]
    )
    model.compile("sgd", "mse")
    table = model.check_gradients(data(8, 3, 5), data(8, 2))
    assert table, str(table)


def test_dense_on_several_rows_trains_like_dense_on_rows() -> None:
    """With one output an example, the mean over (B, 3) rows is that over 3 B rows."""
    x, y = data(8, 3, 5), data(8, 3)
    found = []
    for shape, target in (((3, 5), y), ((5,), y.reshape(24, 1))):
        set_random_seed(2)
        model = Sequential([Input(shape), Dense(7, "relu"), Dense(1), Flatten()])
        model.compile("sgd", "mse")
        model.fit(x.reshape(-1, *shape), target, batch_size=24, epochs=3, verbose=0, shuffle=False)
        found.append(model.get_weights())
    for one, other in zip(*found, strict=True):
        assert one == pytest.approx(other, abs=1e-6)


def test_dense_on_one_row_of_two_axes_is_plain_dense() -> None:
    x, y, found = data(40, 6), data(40, 2), []
    for shape in ((6,), (1, 6)):
        set_random_seed(0)
        model = Sequential([Input(shape), Dense(4, "relu"), Dense(2), Flatten()])
        model.compile("adam", "mse")
        model.fit(x.reshape(40, *shape), y, epochs=2, verbose=0)
        found.append(b"".join(w.tobytes() for w in model.get_weights()))
    assert found[0] == found[1]


def test_a_model_with_dense_on_several_rows_is_saved_and_loaded(tmp_path: Any) -> None:
    model = Sequential([Input((3, 5)), Dense(4, "relu"), Dense(2, use_bias=False)])
    model.save(tmp_path / "m.safetensors")
    loaded = load_model(tmp_path / "m.safetensors")
    x = data(2, 3, 5)
    assert loaded.output_shape == (None, 3, 2)
    assert loaded.predict(x, verbose=0).tobytes() == model.predict(x, verbose=0).tobytes()


def test_dense_without_a_bias_has_none() -> None:
    layer = Dense(3, use_bias=False)
    layer(data(2, 4))
    assert layer.bias is None
    assert len(layer.weights) == 1


# The arguments of every layer -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["float32", np.float32, np.dtype("float32"), None])
def test_every_layer_takes_float32(dtype: Any) -> None:
    for layer in (Dense(2, dtype=dtype), Flatten(dtype=dtype), layers.Dropout(0.5, dtype=dtype)):
        assert layer.dtype == "float32"
        assert "dtype" not in layer.get_config()


def test_variables_is_another_name_of_weights() -> None:
    model = Sequential([Input((3,)), Dense(2), layers.BatchNormalization()])
    for thing in (model, *model.layers):
        assert thing.variables == thing.weights
        assert thing.trainable_variables == thing.trainable_weights
        assert thing.non_trainable_variables == thing.non_trainable_weights
