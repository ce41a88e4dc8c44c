"""check_gradients: agrees where the layers are right, says so where one is not, and leaves the model alone."""

from typing import Any

import numpy as np
import pytest

from fastnet import Sequential, layers, optimizers, rng
from fastnet.layers import Dense, Dropout, Input, Layer
from fastnet.utils import to_categorical

RNG = np.random.default_rng(0)
X, Y = RNG.standard_normal((24, 6)).astype(np.float32), to_categorical(np.arange(24) % 3)


class Scale(Layer):
    """Each number times a weight of its own; `wrong` gives a wrong gradient."""

    wrong = False

    def build(self, input_shape: tuple[int, ...]) -> None:
        self.factor = self.add_weight(input_shape, "ones", name="factor")

    def call(self, x: np.ndarray, training: bool = False) -> np.ndarray:
        return x * self.factor.numpy()

    def gradient(self, x: np.ndarray, y: np.ndarray, dy: np.ndarray) -> Any:
        return dy * self.factor.numpy(), [(dy * x).sum(axis=0) * (3 if self.wrong else 1)]


def model_of(*between: Layer, **last: Any) -> Sequential:
    model = Sequential([Input((6,)), Dense(8, "tanh"), *between, Dense(3, "softmax", **last)])
    model.compile("adam", "categorical_crossentropy")
    return model


@pytest.mark.parametrize("activation", ["linear", "relu", "sigmoid", "tanh", "elu", "selu", "gelu", "silu", "softplus"])
def test_activations_agree(activation: str) -> None:
    assert model_of(Dense(7, activation)).check_gradients(X, Y, print_fn=None)


@pytest.mark.parametrize(
    "layer",
    [
        lambda: Dropout(0.3),
        lambda: Dropout(0.3, seed=1),
        lambda: layers.GaussianNoise(0.1, seed=1),
        lambda: layers.BatchNormalization(),
        lambda: layers.LayerNormalization(),
        lambda: layers.LeakyReLU(),
        lambda: layers.Reshape((2, 4)),
        lambda: Scale(),
    ],
)
def test_layers_agree(layer: Any) -> None:
    between = [layer(), layers.Flatten()]
    assert model_of(*between).check_gradients(X, Y, print_fn=None)


def test_regularized_weights_agree() -> None:
    assert model_of(kernel_regularizer="l2", bias_regularizer="l2").check_gradients(X, Y, print_fn=None)


def test_a_wrong_gradient_is_seen() -> None:
    layer = Scale()
    layer.wrong = True
    table = model_of(layer).check_gradients(X, Y)
    assert not table
    assert [row.name for row in table if not row.agrees] == ["scale/factor"]
    assert str(table).count("DIFFERS") == 1
    assert "DIFFERS</td>" in table._repr_html_()


def test_the_table_is_shown_once(capsys: pytest.CaptureFixture[str]) -> None:
    model = model_of(Dense(2, name="<b>\x1b[31m\ud800"))
    table = model.check_gradients(X, Y)
    assert capsys.readouterr().out == ""
    exec(compile("table", "<prompt>", "single"), {"table": table})
    assert capsys.readouterr().out == f"{table}\n"
    assert repr(table) == str(table)
    assert str(table).count("largest gradient") == 1
    assert str(table).count("agrees") == len(table) == 6
    assert r"<b>\x1b[31m?/kernel" in str(table)
    assert r"&lt;b&gt;\x1b[31m?/kernel" in table._repr_html_()
    assert table[0].name == "dense/kernel"


def test_the_model_is_left_as_it_was() -> None:
    model = model_of()
    before = [w.tobytes() for w in model.get_weights()]
    model.check_gradients(X, Y, print_fn=None)
    assert [w.tobytes() for w in model.get_weights()] == before
    assert isinstance(model.optimizer, optimizers.Adam)
    assert model.optimizer.iterations == 0


def test_the_random_numbers_go_on_as_if_nothing_had_been_checked() -> None:
    model = Sequential([Input((5,)), layers.Dropout(0.5), layers.Dense(2)])
    model.compile("sgd", "mse")
    before = rng.generator().bit_generator.state
    assert model.check_gradients(np.ones((6, 5)), np.ones((6, 2)), print_fn=None)
    assert rng.generator().bit_generator.state == before
