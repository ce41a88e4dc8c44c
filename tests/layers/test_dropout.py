"""Dropout: the share that is left out, the mean that is kept, and the same mask on the way back."""

from typing import Any

import numpy as np
import pytest

from fastnet import Sequential, kernels
from fastnet.kernels import reference
from fastnet.layers import Dense, Dropout, Input
from fastnet.utils import set_random_seed


def built(rate: float, columns: int, **arguments: Any) -> Dropout:
    layer = Dropout(rate, **arguments)
    layer.ensure_built((columns,))
    return layer


@pytest.mark.parametrize("rate", [0.1, 0.5, 0.9])
def test_a_share_of_the_rate_becomes_0_and_the_rest_makes_up_for_it(rate: float) -> None:
    x = np.ones((400, 250), np.float32)
    y = built(rate, 250).forward(x, training=True)[:, :250]
    assert set(np.unique(y)) == {0, np.float32(1 / (1 - rate))}
    deviation = np.sqrt(rate * (1 - rate) / x.size)
    assert abs((y == 0).mean() - rate) < 4 * deviation
    for axis in (0, 1):  # no row and no column is treated otherwise
        assert np.abs((y == 0).mean(axis=axis) - rate).max() < 6 * np.sqrt(rate * (1 - rate) / y.shape[axis])


def test_neighbours_and_successive_masks_are_independent() -> None:
    x = np.ones((300, 300), np.float32)
    layer = built(0.5, 300)
    kept = [layer.forward(x, training=True)[:, :300] > 0 for _ in range(2)]
    pairs = [(kept[0], kept[1]), (kept[0][:, 1:], kept[0][:, :-1]), (kept[0][1:], kept[0][:-1])]
    for one, other in pairs:
        assert abs((one == other).mean() - 0.5) < 4 * 0.5 / np.sqrt(one.size)


def test_the_gradient_passes_where_the_number_did() -> None:
    rng = np.random.default_rng(0)
    x, dy = (rng.standard_normal((9, 20)).astype(np.float32) for _ in range(2))
    layer = built(0.3, 20)
    y = layer.forward(x, training=True)
    dx = layer.backward(x, y, dy, None, need_dx=True)  # type: ignore[arg-type]
    np.testing.assert_array_equal(dx[:, :20], np.where(y[:, :20] != 0, dy * np.float32(1 / 0.7), 0))


def test_prediction_leaves_everything_in() -> None:
    x = np.random.default_rng(0).standard_normal((5, 8)).astype(np.float32)
    model = Sequential([Input((8,)), Dropout(0.5)])
    np.testing.assert_array_equal(model.predict(x, verbose=0), x)


def test_a_seed_repeats_the_masks_on_any_number_of_threads(threads: Any) -> None:
    x, y = np.random.default_rng(0).random((200, 600), np.float32), np.eye(2)[np.arange(200) % 2]
    outcomes = []
    for n in (1, 2, 3, 7):
        threads(n)
        set_random_seed(1)
        model = Sequential([Input((600,)), Dense(64, "relu"), Dropout(0.2), Dense(2, "softmax")])
        model.compile("rmsprop", "categorical_crossentropy")
        outcomes.append((model.fit(x, y, verbose=0).history, model.predict(x, verbose=0).tobytes()))
    assert outcomes[1:] == outcomes[:-1]


def test_a_seed_of_its_own() -> None:
    x = np.ones((4, 50), np.float32)
    masks = [built(0.5, 50, seed=seed).forward(x, training=True).tobytes() for seed in (1, 1, 2)]
    assert masks[0] == masks[1] != masks[2]


@pytest.mark.parametrize("noise_shape", [(None, 1, 5), (1, 4, 5), [8, 4, 1], (None, None, None)])
def test_a_noise_shape_repeats_the_choice(noise_shape: Any) -> None:
    rng = np.random.default_rng(0)
    x, dy = (rng.uniform(1, 2, (8, 4, 5)).astype(np.float32) for _ in range(2))
    layer = Dropout(0.4, noise_shape, seed=3)
    layer.ensure_built((4, 5))
    rows = x.reshape(8, -1)
    y = layer.forward(rows, training=True)
    kept = y[:, :20].reshape(x.shape) != 0
    assert kept.any()
    assert not kept.all()
    for axis, n in enumerate(noise_shape):
        assert (kept == kept.take([0], axis=axis)).all() == (n == 1)
    np.testing.assert_array_equal(y[:, :20].reshape(x.shape), np.where(kept, x * np.float32(1 / 0.6), 0))
    dx = layer.backward(rows, y, dy.reshape(8, -1), None, need_dx=True)  # type: ignore[arg-type]
    assert dx is not None
    np.testing.assert_array_equal(dx[:, :20].reshape(x.shape), np.where(kept, dy * np.float32(1 / 0.6), 0))
    assert Dropout.from_config(layer.get_config()).noise_shape == tuple(noise_shape)
    np.testing.assert_array_equal(layer(x), x)


def test_a_noise_shape_that_does_not_fit() -> None:
    with pytest.raises(ValueError, match=r"noise_shape is .* does not fit"):
        Sequential([Input((4,)), Dropout(0.5, (None, 3))])


def test_a_rate_of_1_drops_everything() -> None:
    x = np.array([[1, np.inf, np.nan]], np.float32)
    layer = built(1.0, 3)
    y = layer.forward(x, training=True)
    assert (y[:, :3] == 0).all()
    dx = layer.backward(x, y, x, None, need_dx=True)  # type: ignore[arg-type]
    assert dx is not None
    assert (dx[:, :3] == 0).all()
    model = Sequential([Input((3,)), Dense(4), Dropout(0.5), Dense(1)])
    model.compile("sgd", "mse")
    data = np.ones((64, 3)), np.ones((64, 1))
    model.fit(*data, batch_size=8, epochs=2, verbose=0)
    model.layers[1].rate = 1.0  # type: ignore[attr-defined]  # while steps are recorded with the kernel
    before = model.get_weights()
    model.fit(*data, batch_size=8, verbose=0)
    after = model.get_weights()
    np.testing.assert_array_equal(before[0], after[0])
    np.testing.assert_array_equal(before[2], after[2])
    assert (before[3] != after[3]).all()


@pytest.mark.parametrize("rate", [0.0, 0.2, 0.999])
@pytest.mark.parametrize("seed", [0, 2**64 - 1, 12345678901234567890])
def test_the_kernel_is_its_twin(rate: float, seed: int) -> None:
    x = np.random.default_rng(0).standard_normal((7, 40)).astype(np.float32)
    found, expected = (np.full((7, 48), np.nan, np.float32) for _ in range(2))
    for module, y in ((kernels, found), (reference, expected)):
        module.dropout(x, y, 33, rate, np.array([seed], np.uint64))  # type: ignore[attr-defined]
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"rate": 1.5}, ValueError, r"rate must be a finite number in \[0, 1\], got 1.5"),
        ({"rate": 0.5, "noise_shape": 3}, TypeError, "noise_shape must be a batch's shape"),
        ({"rate": -0.1}, ValueError, "rate"),
        ({"rate": "a"}, TypeError, "rate must be a number"),
        ({"rate": 0.5, "seed": 1.5}, TypeError, "seed must be an integer"),
        ({"rate": 0.5, "rat": 1}, TypeError, r"'rat'"),
    ],
)
def test_bad_arguments(arguments: dict[str, Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        Dropout(**arguments)
