"""Embedding: rows by index, the gradient by rows, and a model that learns with it."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fastnet import Sequential
from fastnet.layers import Dense, Embedding, Flatten, GlobalAveragePooling1D, Input
from fastnet.models import load_model
from fastnet.optimizers import Adam
from fastnet.regularizers import L2
from fastnet.utils import set_random_seed

RNG = np.random.default_rng(0)
IDS = RNG.integers(0, 7, (9, 4))


@pytest.mark.parametrize("width", [1, 5, 16, 33])
def test_an_index_becomes_its_row(width: int) -> None:
    for ids in (IDS, IDS.astype(np.uint8), IDS.astype(float), IDS[:, :1], IDS.reshape(9, 2, 2)):
        layer = Embedding(7, width, weights=RNG.standard_normal((7, width)))
        found = layer(ids)
        assert found.shape == (*ids.shape, width)
        np.testing.assert_array_equal(found, layer.embeddings.numpy()[ids.astype(int)])


def test_the_gradient_of_a_row_is_the_sum_over_its_places() -> None:
    layer = Embedding(7, 3)
    layer.ensure_built((4,))
    x, dy = IDS.astype(np.float32), RNG.standard_normal((9, 4, 3)).astype(np.float32)
    x[x == 2] = 3  # a row that does not occur
    _, (gradient,) = layer.gradient(x, layer.call(x), dy)
    expected = np.zeros((7, 3))
    for at in np.ndindex(x.shape):
        expected[int(x[at])] += dy[at]
    np.testing.assert_allclose(gradient, expected, rtol=1e-5, atol=1e-6)
    assert (gradient[2] == 0).all()


@pytest.mark.parametrize("after", [Flatten, GlobalAveragePooling1D])
def test_a_model_learns_with_it(after: Any, tmp_path: Path) -> None:
    set_random_seed(1)
    model = Sequential([Input((4,)), Embedding(7, 3, embeddings_regularizer=L2(1e-4)), after(), Dense(1)])
    model.compile(Adam(0.05), "mse")
    y = IDS.sum(axis=1, keepdims=True) / 10
    assert model.check_gradients(IDS, y)
    before = model.evaluate(IDS, y, verbose=0)
    model.fit(IDS, y, epochs=100, verbose=0)
    assert model.evaluate(IDS, y, verbose=0) < before / 2
    model.save(tmp_path / "m.safetensors")
    loaded = load_model(tmp_path / "m.safetensors")
    np.testing.assert_array_equal(loaded.predict(IDS, verbose=0), model.predict(IDS, verbose=0))


def test_a_frozen_embedding_stays() -> None:
    model = Sequential([Input((4,)), Embedding(7, 3, trainable=False), Flatten(), Dense(1)])
    model.compile("sgd", "mse")
    before = model.get_weights()[0]
    model.fit(IDS, np.ones(9), verbose=0)
    np.testing.assert_array_equal(model.get_weights()[0], before)


def test_older_spellings() -> None:
    model = Sequential([Embedding(7, 3, input_length=4), Flatten(), Dense(1)])
    assert model.output_shape == (None, 1)
    layer = Embedding(3, 2, weights=[np.arange(6).reshape(3, 2)])
    np.testing.assert_array_equal(layer([[2, 0]]), [[[4, 5], [0, 1]]])
    made = Embedding.from_config(layer.get_config())
    assert repr(made) == repr(layer) == "Embedding(3, 2)"
    assert made.get_config() == layer.get_config()


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: Embedding(0, 3), ValueError, "input_dim must be at least 1"),
        (lambda: Embedding(2**24 + 1, 3), ValueError, "input_dim must be at most 2"),
        (lambda: Embedding(3, 2, mask_zero=True), ValueError, "mask_zero is not supported"),
        (
            lambda: Embedding(3, 2, weights=np.ones((2, 2))),
            ValueError,
            r"weights has shape \(2, 2\); expected \(3, 2\)",
        ),
        (lambda: Embedding(7, 3)([[0, 7]]), ValueError, r"holds 7 at row 0, column 1; expected numbers in \[0, 7\)"),
        (lambda: Embedding(7, 3)([[-1]]), ValueError, r"holds -1 at row 0, column 0; expected numbers in \[0, 7\)"),
        (lambda: Embedding(7, 3)([[0.5]]), ValueError, "holds 0.5 at row 0, column 0; expected whole numbers"),
        (lambda: Embedding(7, 3)([["a"]]), TypeError, "x"),
    ],
)
def test_bad_arguments(make: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        make()


def test_trained_layers_before_it_get_no_gradient() -> None:
    model = Sequential(
        [Input((4,)), Dense(4, "relu", kernel_initializer="zeros"), Embedding(7, 3), Flatten(), Dense(1)]
    )
    model.compile("sgd", "mse")
    with pytest.raises(ValueError, match="no gradient reaches the trained layers before it: put Embedding in front"):
        model.fit(IDS, np.ones(9), verbose=0)
