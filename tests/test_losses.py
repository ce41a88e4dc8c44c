"""Losses as users call them, with arrays."""

import numpy as np
import pytest

from fastnet import losses
from fastnet.losses import CategoricalCrossentropy, categorical_crossentropy

T = [[0, 1, 0], [0, 0, 1]]


def test_crossentropy_is_keras_formula() -> None:
    p = np.array([[0.05, 0.95, 0], [0.1, 0.8, 0.1]])
    np.testing.assert_allclose(categorical_crossentropy(T, p), [0.0513, 2.3026], atol=1e-4)
    assert CategoricalCrossentropy()(T, p) == pytest.approx(1.17694, abs=1e-4)
    assert isinstance(CategoricalCrossentropy()(T, p), float)


def test_predictions_are_divided_by_their_sum_and_clipped() -> None:
    np.testing.assert_allclose(
        categorical_crossentropy(T, [[1, 3, 0], [1, 1, 0]]), [-np.log(0.75), -np.log(1e-7)], rtol=1e-5
    )


def test_logits_go_through_softmax() -> None:
    z = np.array([[1.0, 2, 3], [0, 0, 5]])
    p = np.exp(z) / np.exp(z).sum(axis=1, keepdims=True)
    assert CategoricalCrossentropy(from_logits=True)(T, z) == pytest.approx(CategoricalCrossentropy()(T, p), rel=1e-5)


@pytest.mark.parametrize(
    ("t", "p"), [(T, [[0.5, 0.5]]), (T, [[0.5, 0.5], [0.5, 0.5]]), ([[1, 1]], [[0.5, 0.5]]), ([0, 1], [[0.5, 0.5]] * 2)]
)
def test_arrays_that_do_not_fit_are_refused(t: list, p: list) -> None:
    with pytest.raises(ValueError, match="y_"):
        CategoricalCrossentropy()(t, p)


def test_a_loss_is_found_by_name_function_or_object() -> None:
    loss = CategoricalCrossentropy(from_logits=True)
    assert losses.for_training(loss) is loss
    assert (
        repr(losses.for_training("categorical_crossentropy"))
        == repr(losses.for_training(categorical_crossentropy))
        == "CategoricalCrossentropy()"
    )
    assert repr(loss) == "CategoricalCrossentropy(from_logits=True)"
