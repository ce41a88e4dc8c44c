"""Random arrays and their seeds."""

import json
from typing import Any

import numpy as np
import pytest
from scipy import stats

import fastnet
from fastnet import initializers, random
from fastnet.layers import Dense
from fastnet.utils import set_random_seed

N = 4000


@pytest.mark.parametrize(
    ("draw", "distribution"),
    [
        (lambda seed: random.normal((N,), 1.0, 2.0, seed=seed), stats.norm(1, 2)),
        (lambda seed: random.truncated_normal((N,), 1.0, 2.0, seed=seed), stats.truncnorm(-2, 2, 1, 2)),
        (lambda seed: random.uniform((N,), -1.0, 3.0, seed=seed), stats.uniform(-1, 4)),
    ],
)
def test_distributions(draw: Any, distribution: Any) -> None:
    drawn = draw(5)
    assert drawn.dtype == np.float32
    low, high = distribution.support()
    assert low <= drawn.min() <= drawn.max() <= high
    assert stats.kstest(drawn, distribution.cdf).pvalue > 1e-3
    np.testing.assert_array_equal(drawn, draw(5))
    assert (drawn != draw(6)).any()


def test_whole_numbers_and_classes_have_their_probabilities() -> None:
    for drawn in (random.randint((N,), 2, 5, seed=1), random.uniform((N,), 2, 5, "int32", seed=1)):
        assert drawn.dtype == np.int32
        counts = np.bincount(drawn, minlength=6)
        assert counts[[0, 1, 5]].sum() == 0
        assert stats.chisquare(counts[2:5]).pvalue > 1e-3
    p = np.array([[0.2, 0.3, 0.5], [0.6, 0.4, 0.0]])
    with np.errstate(divide="ignore"):
        classes = random.categorical(np.maximum(np.log(p), -50), N, seed=2)
    assert classes.shape == (2, N)
    assert stats.chisquare(np.bincount(classes[0]), N * p[0]).pvalue > 1e-3
    assert stats.chisquare(np.bincount(classes[1]), N * p[1, :2]).pvalue > 1e-3


def test_dropout_and_shuffle() -> None:
    x = np.ones((N, 2), np.float32)
    found = random.dropout(x, 0.25, seed=1)
    assert set(np.unique(found)) == {0, np.float32(1 / 0.75)}
    assert stats.binomtest(int((found == 0).sum()), found.size, 0.25).pvalue > 1e-3
    rows = random.dropout(x, 0.5, noise_shape=(N, 1), seed=1)
    np.testing.assert_array_equal(rows[:, 0], rows[:, 1])
    shuffled = random.shuffle(np.arange(20).reshape(2, 10), axis=1, seed=1)
    assert sorted(shuffled[0]) == list(range(10))
    np.testing.assert_array_equal(shuffled[1], shuffled[0] + 10)
    assert list(shuffled[0]) != list(range(10))


def test_seeds() -> None:
    set_random_seed(1)
    first, second = random.normal((3,)), random.normal((3,))
    assert (first != second).all()
    set_random_seed(1)
    np.testing.assert_array_equal(random.normal((3,)), first)
    one, same = random.SeedGenerator(7), random.SeedGenerator.from_config(random.SeedGenerator(7).get_config())
    numbers = [random.normal((3,), seed=one) for _ in range(3)]
    assert (numbers[0] != numbers[1]).all()
    for number in numbers:
        np.testing.assert_array_equal(random.normal((3,), seed=same), number)
    assert one.next() == (7, 3)
    assert random.SeedGenerator().seed != random.SeedGenerator().seed
    assert fastnet.random is random


def test_initializers_take_a_seed_generator() -> None:
    for kind in (initializers.RandomNormal, initializers.HeUniform, initializers.Orthogonal):
        initializer = kind(seed=random.SeedGenerator(7))
        described = json.loads(json.dumps(initializers.serialize(initializer)))
        numbers = [initializer((3, 2)) for _ in range(2)]
        assert (numbers[0] != numbers[1]).any()
        again = initializers.get(described)
        for number in numbers:
            np.testing.assert_array_equal(again((3, 2)), number)
    layer = Dense(2, kernel_initializer=initializers.RandomNormal(seed=random.SeedGenerator(7)))
    assert isinstance(Dense.from_config(layer.get_config()).kernel_initializer.seed, random.SeedGenerator)  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: random.normal((2,), dtype="float64"), ValueError, "dtype must be 'float32'"),
        (lambda: random.uniform((2,), seed=1.5), TypeError, "seed must be an integer"),
        (lambda: random.SeedGenerator(-1), ValueError, "seed must be at least 0"),
        (lambda: random.dropout(np.ones(2), 1.0), ValueError, "rate must be a finite number"),
    ],
)
def test_bad_arguments(call: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        call()
