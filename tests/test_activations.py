"""Activations as functions of arrays."""

import numpy as np
import pytest

from fastnet import activations


def test_functions() -> None:
    x = np.array([[-2.0, 0, 3], [1, 1, 1]])
    np.testing.assert_array_equal(activations.linear(x), x)
    np.testing.assert_array_equal(activations.relu(x), [[0, 0, 3], [1, 1, 1]])
    np.testing.assert_allclose(activations.softmax(x), np.exp(x) / np.exp(x).sum(axis=1, keepdims=True), rtol=1e-6)
    np.testing.assert_array_equal(x, [[-2.0, 0, 3], [1, 1, 1]])


@pytest.mark.parametrize("shape", [(4,), (2, 3, 5), (1, 1)])
def test_softmax_works_on_the_last_axis(shape: tuple[int, ...]) -> None:
    p = activations.softmax(np.random.default_rng(0).standard_normal(shape))
    assert p.shape == shape
    np.testing.assert_allclose(p.sum(axis=-1), 1, rtol=1e-6)


def test_names() -> None:
    assert activations.get(None) is activations.get("linear") is activations.linear
    assert activations.get(activations.relu) is activations.relu
    with pytest.raises(ValueError, match=r"did you mean 'softmax'\?"):
        activations.get("Softmx")
