"""GaussianNoise and AlphaDropout: their distribution, their way back, their seeds."""

import copy
import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from fastnet import Sequential
from fastnet.layers import AlphaDropout, Dense, GaussianDropout, GaussianNoise, Input
from fastnet.layers.base import Layer
from fastnet.utils import set_random_seed

LIMIT = -1.7580993408473766  # what selu gives for minus infinity


def noisy(layer: Layer, x: Any) -> Any:
    layer.ensure_built(x.shape[1:])
    return layer.forward(x.reshape(len(x), -1), training=True).reshape(x.shape)


def back(layer: Layer, x: Any, y: Any, dy: Any) -> Any:
    rows = [a.reshape(len(a), -1) for a in (x, y, dy)]
    dx = layer.backward(*rows, None, need_dx=True)  # type: ignore[call-arg, arg-type, misc]
    assert dx is not None
    return dx.reshape(x.shape)


@pytest.mark.parametrize("stddev", [0.1, 2.0])
def test_noise_is_normal_and_each_numbers_own(stddev: float) -> None:
    x = np.full((300, 20, 10), 5, np.float32)
    noise = noisy(GaussianNoise(stddev), x).astype(np.float64) - 5
    assert abs(noise.mean()) < 5 * stddev / np.sqrt(noise.size)
    assert abs(noise.std() / stddev - 1) < 5 / np.sqrt(2 * noise.size)
    within = (np.abs(noise) < stddev).mean()
    assert abs(within - 0.682689) < 5 * np.sqrt(0.68 * 0.32 / noise.size)
    flat = noise.reshape(300, -1)
    for one, other in ((flat[1:], flat[:-1]), (flat[:, 1:], flat[:, :-1])):
        assert abs((one * other).mean()) < 5 * stddev**2 / np.sqrt(one.size)


@pytest.mark.parametrize("rate", [0.05, 0.5, 0.9])
def test_alpha_dropout_keeps_mean_and_variance(rate: float) -> None:
    x = np.random.default_rng(0).standard_normal((500, 400)).astype(np.float32)
    y = noisy(AlphaDropout(rate), x).astype(np.float64)
    assert abs(y.mean()) < 0.015
    assert abs(y.var() - 1) < 0.02


@pytest.mark.parametrize("rate", [0.1, 0.5])
def test_alpha_dropout_is_its_formula(rate: float) -> None:
    rng = np.random.default_rng(0)
    x, dy = (rng.standard_normal((200, 10, 10)).astype(np.float32) for _ in range(2))
    layer = AlphaDropout(rate)
    y = noisy(layer, x)
    factor = ((1 - rate) * (1 + rate * LIMIT**2)) ** -0.5
    replaced = np.isclose(y, factor * LIMIT * (1 - rate), rtol=1e-6)
    np.testing.assert_allclose(y[~replaced], factor * x[~replaced] - factor * LIMIT * rate, rtol=1e-5, atol=1e-6)
    assert abs(replaced.mean() - rate) < 4 * np.sqrt(rate * (1 - rate) / x.size)
    np.testing.assert_allclose(back(layer, x, y, dy), np.where(replaced, 0, factor * dy), rtol=1e-6)


@pytest.mark.parametrize("noise_shape", [(None, 1, 5), (1, 4, 5), [8, 4, 1], (None, None, None)])
def test_a_noise_shape_repeats_the_choice(noise_shape: Any) -> None:
    x = np.random.default_rng(0).standard_normal((8, 4, 5)).astype(np.float32)
    layer = AlphaDropout(0.5, noise_shape)
    y = noisy(layer, x)
    factor = (0.5 * (1 + 0.5 * LIMIT**2)) ** -0.5
    replaced = np.isclose(y, factor * LIMIT * 0.5, rtol=1e-6)
    assert replaced.any()
    assert not replaced.all()
    for axis, n in enumerate(noise_shape):
        same = (replaced == replaced.take([0], axis=axis)).all()
        assert same == (n == 1)
    dx = back(layer, x, y, np.ones_like(x))
    np.testing.assert_array_equal(dx == 0, replaced)


def test_the_noise_passes_the_gradient() -> None:
    rng = np.random.default_rng(0)
    x, dy = (rng.standard_normal((4, 7)).astype(np.float32) for _ in range(2))
    layer = GaussianNoise(1.0)
    np.testing.assert_array_equal(back(layer, x, noisy(layer, x), dy), dy)


@pytest.mark.parametrize("rate", [0.1, 0.5])
def test_gaussian_dropout_multiplies_by_normal_numbers(rate: float) -> None:
    rng = np.random.default_rng(0)
    x, dy = (rng.uniform(1, 2, (300, 200)).astype(np.float32) for _ in range(2))
    layer = GaussianDropout(rate)
    y = noisy(layer, x)
    factors = (y / x).astype(np.float64)
    stddev = np.sqrt(rate / (1 - rate))
    assert abs(factors.mean() - 1) < 5 * stddev / np.sqrt(x.size)
    assert abs(factors.std() / stddev - 1) < 5 / np.sqrt(2 * x.size)
    np.testing.assert_allclose(back(layer, x, y, dy), factors * dy, rtol=1e-5)


MAKERS = [
    lambda **a: GaussianNoise(0.5, **a),
    lambda **a: AlphaDropout(0.5, **a),
    lambda **a: GaussianDropout(0.5, **a),
]


@pytest.mark.parametrize("make", MAKERS)
class TestAll:
    def test_prediction_changes_nothing(self, make: Callable[..., Layer]) -> None:
        x = np.random.default_rng(0).standard_normal((5, 8)).astype(np.float32)
        layer = make()
        noisy(layer, x)
        np.testing.assert_array_equal(Sequential([Input((8,)), layer]).predict(x, verbose=0), x)
        np.testing.assert_array_equal(layer(x), x)
        np.testing.assert_array_equal(back(layer, x, layer.forward(x), x), x)  # and so is the way back

    def test_a_rate_of_0_changes_nothing(self, make: Callable[..., Layer]) -> None:
        x = np.random.default_rng(0).standard_normal((5, 8)).astype(np.float32)
        np.testing.assert_array_equal(noisy(type(make())(0), x), x)  # type: ignore[call-arg, arg-type]

    def test_a_seed_of_its_own_repeats_whatever_the_global_one(self, make: Callable[..., Layer]) -> None:
        x = np.ones((4, 50), np.float32)
        found = []
        for seed in (1, 1, 2):
            layer = make(seed=seed)
            found.append((noisy(layer, x).tobytes(), noisy(layer, x).tobytes()))
            set_random_seed(100 + len(found))
        assert found[0] == found[1]
        assert found[0] != found[2]
        assert found[0][0] != found[0][1]  # but goes on from batch to batch

    def test_set_random_seed_repeats_a_run(self, make: Callable[..., Layer]) -> None:
        x = np.random.default_rng(0).standard_normal((40, 6))
        outcomes = []
        for seed in (1, 1, 2):
            set_random_seed(seed)
            model = Sequential([Input((6,)), Dense(20, "selu", kernel_initializer="lecun_normal"), make(), Dense(1)])
            model.compile("sgd", "mse")
            outcomes.append(model.fit(x, x[:, :1], epochs=2, verbose=0).history["loss"])
        assert outcomes[0] == outcomes[1] != outcomes[2]

    def test_extremes(self, make: Callable[..., Layer]) -> None:
        x = np.tile(np.array([np.nan, 1e38, -1e38, 0], np.float32), (50, 1))
        y = noisy(make(), x)
        assert np.isnan(y[:, 0]).any()
        assert np.isfinite(y[:, 1:]).all()

    def test_copies_and_pickles_go_on_alike(self, make: Callable[..., Layer]) -> None:
        x = np.ones((4, 50), np.float32)
        layer = make(seed=3)
        noisy(layer, x)
        others = [copy.deepcopy(layer), pickle.loads(pickle.dumps(layer))]
        expected = noisy(layer, x)
        for other in others:
            np.testing.assert_array_equal(noisy(other, x), expected)


@pytest.mark.parametrize(
    "text",
    ["GaussianNoise(0.1)", "GaussianDropout(0.1)", "AlphaDropout(0.2)", "AlphaDropout(0.2, noise_shape=(None, 1))"],
)
def test_layers_print_as_they_are_typed_and_come_back(text: str) -> None:
    layer = eval(text)
    assert repr(layer) == text
    made = type(layer).from_config(layer.get_config())
    assert made.get_config() == layer.get_config()
    assert repr(made) == text
    assert GaussianNoise.from_config(GaussianNoise(1, seed=4).get_config()).seed == 4  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: GaussianNoise(-1), ValueError, "stddev must be a finite number at least 0, got -1.0"),
        (lambda: GaussianNoise("a"), TypeError, "stddev must be a number"),
        (lambda: GaussianNoise(1, seed=1.5), TypeError, "seed must be an integer"),
        (lambda: GaussianNoise(1, sed=1), TypeError, r"GaussianNoise\(\) .* 'sed'"),
        (lambda: GaussianDropout(1.0), ValueError, r"rate must be a finite number in \[0, 1\), got 1.0"),
        (lambda: AlphaDropout(1.0), ValueError, r"rate must be a finite number in \[0, 1\), got 1.0"),
        (lambda: AlphaDropout(-0.1), ValueError, "rate"),
        (lambda: AlphaDropout(0.5, seed=-1), ValueError, "seed must be at least 0"),
        (lambda: AlphaDropout(0.5, noise_shape=3), TypeError, "noise_shape must be a batch's shape"),
        (lambda: AlphaDropout(0.5, noise_shape=(None, 0)), ValueError, "noise_shape must be at least 1"),
        (lambda: noisy(AlphaDropout(0.5, (None, 2)), np.ones((3, 4))), ValueError, "noise_shape is .* does not fit"),
        (lambda: noisy(AlphaDropout(0.5, (None,)), np.ones((3, 4))), ValueError, "noise_shape is .* does not fit"),
        (lambda: noisy(AlphaDropout(0.5, (2, 4)), np.ones((3, 4))), ValueError, "a batch has 3 rows"),
    ],
)
def test_bad_arguments(make: Callable[[], Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        make()
