"""Initializers: their distribution, their seeds, and what they refuse."""

import json
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from fastnet import initializers
from fastnet.initializers import (
    CLASSES,
    Constant,
    GlorotNormal,
    GlorotUniform,
    HeNormal,
    HeUniform,
    Identity,
    Initializer,
    LecunNormal,
    LecunUniform,
    Ones,
    Orthogonal,
    RandomNormal,
    RandomUniform,
    TruncatedNormal,
    VarianceScaling,
    Zeros,
)
from fastnet.layers import Dense
from fastnet.utils import set_random_seed

SHAPE = (300, 500)
RANDOM = sorted(CLASSES.keys() - {"Zeros", "Ones", "Constant", "Identity"})


def test_constants() -> None:
    for initializer, expected in ((Zeros(), 0), (Ones(), 1), (Constant(-2.5), -2.5)):
        w = initializer((2, 3))
        assert (w.shape, w.dtype) == ((2, 3), np.float32)
        assert (w == expected).all()
    np.testing.assert_array_equal(Identity(3)((2, 3)), [[3, 0, 0], [0, 3, 0]])


@pytest.mark.parametrize(
    ("initializer", "limit"),
    [
        (GlorotUniform(), math.sqrt(6 / 800)),
        (HeUniform(), math.sqrt(6 / 300)),
        (LecunUniform(), math.sqrt(3 / 300)),
        (RandomUniform(), 0.05),
        (VarianceScaling(4, "fan_out", "uniform"), math.sqrt(12 / 500)),
    ],
)
def test_uniform_ones_fill_their_interval_evenly(initializer: Initializer, limit: float) -> None:
    w = initializer(SHAPE)
    assert w.dtype == np.float32
    assert 0.999 * limit < w.max() <= np.float32(limit)
    assert np.float32(-limit) <= w.min() < -0.999 * limit
    counts, _ = np.histogram(w, 10, (-limit, limit))
    assert np.abs(counts - w.size / 10).max() < 5 * math.sqrt(w.size * 0.09)


@pytest.mark.parametrize(
    ("initializer", "mean", "deviation", "cut"),
    [
        (GlorotNormal(), 0, math.sqrt(2 / 800), True),
        (HeNormal(), 0, math.sqrt(2 / 300), True),
        (LecunNormal(), 0, math.sqrt(1 / 300), True),
        (VarianceScaling(), 0, math.sqrt(1 / 300), True),
        (VarianceScaling(3, "fan_avg", "normal"), 0, math.sqrt(3 / 400), True),
        (VarianceScaling(3, "fan_avg", "untruncated_normal"), 0, math.sqrt(3 / 400), False),
        (RandomNormal(), 0, 0.05, False),
        (RandomNormal(2, 3), 2, 3, False),
        (TruncatedNormal(1, 0.5), 1, 0.5 * 0.87962566103423978, True),
    ],
)
def test_normal_ones_have_their_variance(initializer: Initializer, mean: float, deviation: float, cut: bool) -> None:
    w = initializer(SHAPE).astype(np.float64)
    assert abs(w.mean() - mean) < 5 * deviation / math.sqrt(w.size)
    assert abs(w.std() / deviation - 1) < 5 / math.sqrt(2 * w.size)
    farthest = np.abs(w - mean).max() / deviation
    if cut:  # at two deviations of the normal distribution, whose own is greater by 1 / 0.88
        assert 2.26 < farthest < 2 / 0.87962566103423978 + 1e-6
    else:
        assert farthest > 3.5


def test_a_convolutions_window_counts_as_inputs_and_outputs() -> None:
    assert HeUniform()((5, 4, 3, 8)).max() == pytest.approx(math.sqrt(6 / (5 * 4 * 3)), rel=0.05)
    assert GlorotUniform()((5, 4, 3, 8)).max() == pytest.approx(math.sqrt(6 / (20 * 11)), rel=0.05)
    assert np.abs(LecunUniform()((4000,))).max() == pytest.approx(math.sqrt(3 / 4000), rel=0.05)


@pytest.mark.parametrize("shape", [(20, 20), (30, 7), (7, 30), (2, 3, 4), (1, 1)])
def test_orthogonal(shape: tuple[int, ...]) -> None:
    w = Orthogonal(gain=2)(shape).astype(np.float64).reshape(-1, shape[-1])
    assert w.shape[1] == shape[-1]
    small = w.T @ w if w.shape[0] >= w.shape[1] else w @ w.T
    np.testing.assert_allclose(small, 4 * np.eye(len(small)), atol=1e-5)


def test_orthogonal_prefers_no_sign() -> None:
    signs = [np.sign(Orthogonal(seed=seed)((3, 3))[0, 0]) for seed in range(200)]
    assert abs(np.mean(signs)) < 0.3  # all the same without the correction


@pytest.mark.parametrize("name", RANDOM)
def test_seeds(name: str) -> None:
    kind: Any = CLASSES[name]
    first = kind(seed=3)((4, 5))
    set_random_seed(9)
    of_9 = kind()((4, 5))
    np.testing.assert_array_equal(kind(seed=3)((4, 5)), first)  # whatever the global seed
    own = kind(seed=3)
    np.testing.assert_array_equal(own((4, 5)), own((4, 5)))  # and at every call
    assert (kind(seed=4)((4, 5)) != first).any()
    assert (kind()((4, 5)) != of_9).any()
    set_random_seed(9)
    np.testing.assert_array_equal(kind()((4, 5)), of_9)


@pytest.mark.parametrize("name", sorted(CLASSES))
def test_names_and_descriptions_come_back(name: str) -> None:
    kind = CLASSES[name]
    snake = "".join(f"_{c.lower()}" if c.isupper() else c for c in name).lstrip("_")
    assert getattr(initializers, snake) is kind
    for identifier in (name, snake, kind, kind(), initializers.serialize(kind())):
        made = initializers.get(identifier)
        assert type(made) is kind
        assert made.get_config() == {}
    assert repr(kind()) == f"{name}()"


@pytest.mark.parametrize(
    "initializer",
    [
        Constant(0.5),
        Identity(2.0),
        RandomNormal(1.0, 2.0, seed=3),
        RandomUniform(-1.0, seed=0),
        TruncatedNormal(stddev=0.5),
        VarianceScaling(2.0, "fan_out", "normal", 1),
        HeNormal(seed=7),
        Orthogonal(0.5, 2),
    ],
    ids=repr,
)
def test_arguments_that_are_not_the_defaults_come_back(initializer: Initializer) -> None:
    described = json.loads(json.dumps(initializers.serialize(initializer)))
    for made in (
        initializers.get(described),
        type(initializer).from_config(initializer.get_config()),
        eval(repr(initializer)),
    ):
        assert repr(made) == repr(initializer)
        assert type(made) is type(initializer)
    assert initializer.get_config()


def test_texts() -> None:
    assert repr(GlorotUniform(seed=1)) == "GlorotUniform(seed=1)"
    assert repr(VarianceScaling(distribution="normal", mode="fan_avg")) == "VarianceScaling(mode='fan_avg')"
    aliases = {"normal": RandomNormal, "uniform": RandomUniform, "one": Ones, "zero": Zeros}
    assert all(type(initializers.get(alias)) is kind for alias, kind in aliases.items())
    assert GlorotUniform()((2, 3), dtype="float32").dtype == np.float32
    assert Ones()(4).shape == (4,)  # type: ignore[arg-type]


def test_a_function_is_an_initializer_that_cannot_be_described() -> None:
    layer = Dense(2, kernel_initializer=lambda shape: np.full(shape, 3))
    layer.ensure_built((4,))
    assert (layer.get_weights()[0] == 3).all()
    with pytest.raises(TypeError, match="cannot be described"):
        layer.get_config()
    with pytest.raises(ValueError, match=r"returned shape \(2,\), expected \(4, 2\)"):
        Dense(2, kernel_initializer=lambda shape: np.ones(2)).ensure_built((4,))


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: GlorotUniform(seed=1.5), TypeError, "seed must be an integer, got 1.5"),
        (lambda: HeNormal(seed=-1), ValueError, "seed must be at least 0"),
        (lambda: Constant("a"), TypeError, "value must be a number, got 'a'"),
        (lambda: Constant(math.inf), ValueError, "value must be a finite number"),
        (lambda: Constant(1e39), ValueError, "value must be a finite number"),
        (lambda: Constant([1, math.nan]), ValueError, "value holds nan at index 1"),
        (lambda: Constant([1, 2])((3,)), ValueError, r"value has shape \(2,\), but the weight has shape \(3,\)"),
        (lambda: RandomNormal(stddev=-1), ValueError, "stddev must be a finite number in"),
        (lambda: RandomNormal(mean=None), TypeError, "mean"),
        (lambda: RandomUniform(1, 0), ValueError, "maxval must be at least minval, 1.0, got 0.0"),
        (lambda: VarianceScaling(0), ValueError, "scale must be above 0"),
        (lambda: VarianceScaling(-1), ValueError, "scale"),
        (lambda: VarianceScaling(mode="fan_inn"), ValueError, r"unknown mode 'fan_inn'; did you mean 'fan_in'\?"),
        (lambda: VarianceScaling(distribution="gauss"), ValueError, "unknown distribution 'gauss'"),
        (lambda: VarianceScaling(distribution=3), TypeError, "distribution"),
        (lambda: Identity("a"), TypeError, "gain"),
        (lambda: Identity()((3,)), ValueError, r"Identity can only fill a matrix, got shape \(3,\)"),
        (lambda: Orthogonal()((3,)), ValueError, r"Orthogonal .* two or more axes, got \(3,\)"),
        (lambda: Zeros()((2, -1)), ValueError, "shape must be at least 0, got -1"),
        (lambda: Zeros()("ab"), TypeError, "shape must be an integer"),
        (lambda: Zeros()(None), TypeError, "shape must be a shape"),
        (lambda: Ones()((2,), dtype="float64"), ValueError, "dtype must be 'float32'"),
        (lambda: initializers.get("he_norml"), ValueError, r"did you mean 'he_normal'\?"),
        (lambda: initializers.get(None, "bias_initializer"), TypeError, "bias_initializer"),
        (lambda: initializers.get({"class_name": "Os", "config": {}}), ValueError, "unknown initializer 'Os'"),
        (lambda: Initializer()((2,)), NotImplementedError, "has no __call__"),
    ],
)
def test_bad_arguments(make: Callable[[], Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        make()
